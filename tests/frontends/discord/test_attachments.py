"""Files in messages and commands, from Discord's attachment to what the model is asked and the person is told."""

import asyncio
import gzip
import json

from bot.core.excerpts import IMPLIED_QUESTIONS, as_read
from bot.core.messages import Excerpt, ExcerptKind
from bot.frontends.discord.attachments import AttachmentLimits
from bot.texts import text
from pdf_by_hand import locked_pdf, pdf_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
SOUND = b"OggS\0\2" + bytes(50)


def brought(world, number=0):
    """Return name and text of each file that a question brought in."""
    return [(excerpt.name, excerpt.text) for excerpt in world.chat.questions[number].excerpts]


def note(key, *names, **fields):
    return text(key, names=", ".join(f"`{name}`" for name in names), **fields)


async def test_a_file_comes_along_with_the_question(world):
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> what is in it?", attachments={"a.txt": "Grüße".encode()})
    assert await world.said(question) == ["You said: what is in it?"]
    [asked] = world.chat.questions
    assert asked.excerpts == (Excerpt(ExcerptKind.FILE, "a.txt", "Grüße"),)
    assert as_read(asked) == "File a.txt:\n```\nGrüße\n```\n\nwhat is in it?"


async def test_a_file_alone_is_a_question_too(world):
    await world.start()
    await world.said(await world.ada.say(world.ada.dm(), attachments={"a.pdf": pdf_of("of a page")}))
    [asked] = world.chat.questions
    assert asked.text == ""
    assert as_read(asked).endswith(f"of a page\n```\n\n{IMPLIED_QUESTIONS[ExcerptKind.FILE]}")


async def test_what_discord_made_a_file_of_because_it_was_long_is_the_question_itself(world):
    await world.start()
    await world.said(await world.ada.say(world.ada.dm(), attachments={"message.txt": b"long words " * 100}))
    [asked] = world.chat.questions
    assert (asked.text, asked.excerpts) == (("long words " * 100), ())
    await world.said(await world.ada.say(world.ada.dm(), "sum it up", attachments={"message.txt": b"long words"}))
    assert brought(world, 1) == [("message.txt", "long words")]


async def test_ten_attachments_of_everything_in_one_message(world):
    await world.start()
    notebook = {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": "1+1", "outputs": []}]}
    everything = {
        "cat.png": PNG,
        "song.ogg": SOUND,
        "code.py": b"print('\x1b[31mhi\x1b[0m')",
        "table.csv": "name;city\nÄda;Köln\n".encode("cp1252"),
        "notes.ipynb": json.dumps(notebook).encode(),
        "paper.pdf": pdf_of("of a page"),
        "zalgo.txt": ("Z" + "\u0301" * 50 + "\u202etxt").encode("utf-16"),
        "pack.gz": gzip.compress(b"text"),
        "more.txt": b"never read",
        "locked.pdf": locked_pdf("secret", "1234"),
    }
    question = await world.ada.say(world.channel, "<@bot> tell me", attachments=everything)
    [answer] = await world.said(question)
    assert answer.splitlines() == [
        "You said: tell me",
        note("file.too_many", "cat.png", "song.ogg", "pack.gz", "more.txt", "locked.pdf", count=5),
    ]
    assert brought(world) == [
        ("cat.png", ""),
        ("song.ogg", ""),
        ("code.py", "print('hi')"),
        ("table.csv", "(2 rows, 2 columns)\nname; city\nÄda; Köln"),
        ("notes.ipynb", "[1]\n```\n1+1\n```"),
        ("paper.pdf", "--- page 1 of 1 ---\nof a page"),
        ("zalgo.txt", "Z" + "\u0301" * 3 + "txt"),
        ("pack.gz", ""),
        ("more.txt", ""),
        ("locked.pdf", ""),
    ]
    assert "File cat.png: (nothing of it can be read)" in as_read(world.chat.questions[0])


async def test_each_reason_is_one_line_below_the_answer(world):
    await world.start(attachment_limits=AttachmentLimits(files=10))
    files = {"cat.png": PNG, "`dog`.png": PNG, "locked.pdf": locked_pdf("secret", "1"), "b.bin": bytes(9), "e": b" "}
    question = await world.ada.say(world.channel, "<@bot> look", attachments=files)
    [answer] = await world.said(question)
    assert answer.splitlines() == [
        "You said: look",
        note("file.picture", "cat.png", "'dog'.png"),
        note("file.pdf_locked", "locked.pdf"),
        note("file.binary", "b.bin"),
        note("file.empty", "e"),
    ]


async def test_files_of_which_nothing_can_be_read_get_a_sentence_and_no_answer(world, stack):
    await stack()
    question = await world.ada.say(world.channel, "<@bot>", attachments={"cat.png": PNG})
    assert await world.said(question) == ["\n".join([text("empty.attachment"), note("file.picture", "cat.png")])]
    assert await world.said(await world.ada.slash(world.channel, "history")) == [text("history.nothing")]


async def test_a_long_file_is_cut_and_the_person_is_told(world):
    await world.start()
    question = await world.ada.say(world.channel, "<@bot> sum up", attachments={"long.log": b"line\n" * 1600})
    [answer] = await world.said(question)
    assert answer.splitlines()[1:] == [text("file.cut", name="`long.log`", percent=25)]


async def test_sizes_are_limited_for_each_file_and_for_all_together(world):
    await world.start(attachment_limits=AttachmentLimits(files=5, file_bytes=2**20))
    large, half = b"a" * (2**20 + 1), b"b" * 2**19
    files = {"large.txt": large, "1.txt": half, "2.txt": half, "3.txt": half, "4.txt": half, "5.txt": half}
    [answer] = await world.said(await world.ada.say(world.channel, "<@bot> read", attachments=files))
    assert [name for name, words in brought(world) if words] == ["1.txt", "2.txt", "3.txt", "4.txt"]
    assert note("file.too_large", "large.txt", limit_mb=1) in answer
    assert note("file.too_large_together", "5.txt", together_mb=2) in answer


async def test_no_file_is_read_where_the_admin_does_not_want_it(world):
    await world.start(attachment_limits=AttachmentLimits(files=0))
    [answer] = await world.said(await world.ada.say(world.channel, "<@bot> read", attachments={"a.txt": b"words"}))
    assert answer == f"You said: read\n{note('file.off', 'a.txt')}"


async def test_a_file_that_does_not_lie_with_discord_is_not_fetched(world):
    world.files_origin = None  # the loopback Discord's own address is not configured: only the real hosts are allowed
    await world.start()
    [answer] = await world.said(await world.ada.say(world.channel, "<@bot> read", attachments={"a.txt": b"words"}))
    assert answer == f"You said: read\n{note('file.elsewhere', 'a.txt')}"


async def test_a_file_that_is_gone_before_it_is_fetched_is_told(world):
    await world.start()
    world.discord._renderer.files_url += "/gone"
    [answer] = await world.said(await world.ada.say(world.channel, "<@bot> read", attachments={"a.txt": b"words"}))
    assert answer == f"You said: read\n{note('file.unreachable', 'a.txt')}"
    world.discord.unknown_routes.clear()


async def test_a_command_takes_a_file_too(world):
    await world.start()
    used = await world.ada.slash(
        world.channel, "ask", question="what is it?", file=world.ada.file("table.csv", b"a,b\n1,2\n")
    )
    assert await world.said(used) == ["You said: what is it?"]
    assert brought(world) == [("table.csv", "(2 rows, 2 columns)\na, b\n1, 2")]
    used = await world.ada.slash(world.channel, "ask", question="and this?", file=world.ada.file("cat.png", PNG))
    assert await world.said(used) == [f"You said: and this?\n{note('file.picture', 'cat.png')}"]


async def test_files_of_forwarded_and_of_quoted_messages_come_along(world):
    await world.start()
    bob = world.discord.person("Bob", world.guild)
    original = await bob.say(world.channel, "see this", attachments={"plan.md": b"# Plan"})
    await world.said(await world.ada.say(world.channel, "<@bot> is it good?", reply_to=original))
    assert brought(world) == [("Bob", "see this"), ("plan.md", "# Plan")]
    forwarded = await world.ada.say(world.ada.dm(), forward=original)
    await world.sees("You said: see this", after=forwarded)
    assert brought(world, 1) == [("plan.md", "# Plan")]


async def test_the_bots_own_files_are_not_read_again_when_somebody_replies_to_them(world):
    await world.start()
    [answer] = await world.discord.answer(await world.ada.say(world.channel, "<@bot> hello"))
    answer.attachments.append(world.ada.file("answer.md", b"a long answer"))
    await world.said(await world.ada.say(world.channel, "and then?", reply_to=answer))
    assert brought(world, 1) == []


async def test_a_voice_message_is_not_read_as_a_file(world):
    await world.start()
    assert await world.said(await world.ada.say(world.ada.dm(), voice=SOUND)) == [text("empty.voice")]


async def test_what_is_said_after_a_file_is_asked_after_it(world):
    await world.start()
    with_file = await world.ada.say(world.ada.dm(), "read this", attachments={"a.pdf": pdf_of("slow to read")})
    without = await world.ada.say(world.ada.dm(), "and answer")
    await asyncio.gather(world.said(with_file), world.asked(2))
    assert [question.text for question in world.chat.questions] == ["read this", "and answer"]
    assert [question.message_id for question in world.chat.questions] == [with_file.id, without.id]


async def test_closing_in_the_middle_of_a_file_leaves_no_child(world, stack):
    await stack()
    question = await world.ada.say(world.ada.dm(), "read", attachments={"a.pdf": pdf_of(*["page"] * 3000)})
    async with asyncio.timeout(10):
        while not world.reader.pids:
            await asyncio.sleep(0.001)
    world.frontend.begin_closing()
    await world.chat.drain(0)
    await world.reader.aclose()
    assert world.reader.pids == set()
    assert await world.said(question) == ["\n".join([text("answer.interrupted"), note("file.unread", "a.pdf")])]
