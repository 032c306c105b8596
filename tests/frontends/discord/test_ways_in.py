"""Every way to the bot, for a blocked person, in a blocked channel and in a paused server: each is told one sentence.

Loopback Discord, discord.py, the frontend, the real chat and store, an echo. What takes away what is one's own, or only
tells of it, stays open.
"""

import itertools

import pytest

from bot.core.permissions import Kind, Verdict
from bot.engine.echo import Hang, Say
from bot.frontends.discord.commands import LEAVES, STAYS_OPEN
from bot.frontends.discord.menus import MENUS
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK, text

REGENERATE, CONTINUE, OLDER = text("button.regenerate"), text("button.continue"), text("button.older")
ADMIN = 9


class Stage:
    """A person with a conversation: an answer in two versions, cut off by its length, and the page of /context."""

    def __init__(self, world, ben):
        self.world, self.ben, self.channel = world, ben, world.channel
        self.answer = self.page = self.form = None
        self.questions = []

    async def set(self):
        discord = self.world.discord
        for words in ("<@bot> first", "<@bot> then", "<@bot> tell me"):
            self.questions.append(await self.ben.say(self.channel, words))
            [self.answer] = await discord.answer(self.questions[-1])
        await self.ben.press(self.answer, REGENERATE)
        await discord.until(lambda: OLDER in self.buttons() and not discord.is_running(self.answer))
        await self.world.frontend.finish_writers(5)
        opened = await self.ben.slash(self.channel, "context")
        await discord.answer(opened)
        self.page = opened.original
        self.form = await self.ben.menu(self.answer, text("menu.ask_about"))
        await discord.until(lambda: self.form.modal is not None)

    def buttons(self):
        return [item["label"] for row in self.answer.components for item in row["components"] if "label" in item]

    # The ways in: each returns what the person is told

    async def mention(self):
        return await self._said(await self.ben.say(self.channel, "<@bot> again"))

    async def reply(self):
        return await self._said(await self.ben.say(self.channel, "again", reply_to=self.answer))

    async def edit(self):
        question = self.questions.pop(0)  # each is told about once only
        [answer] = self.world.discord.answer_so_far(question)
        await self.ben.edit(question, "<@bot> something else")
        return await self._said(question, after=answer)

    async def slash(self):
        return await self._told(await self.ben.slash(self.channel, "ask", question="again"))

    async def menu(self):
        return await self._told(await self.ben.menu(self.answer, text("menu.summarize")))

    async def menu_with_a_form(self):
        return await self._told(await self.ben.menu(self.answer, text("menu.ask_about")))

    async def sent_form(self):
        reason, *given_back = (await self._told(await self.ben.submit(self.form, question="why?"))).splitlines()
        assert given_back[-1] == "why?"
        return reason

    async def regenerate(self):
        return await self._told(await self.ben.press(self.answer, REGENERATE))

    async def go_on(self):
        return await self._told(await self.ben.press(self.answer, CONTINUE))

    async def version(self):
        return await self._told(await self.ben.press(self.answer, OLDER))

    async def select(self):
        [select] = [item for row in self.page.components for item in row["components"]]
        value = select["options"][0]["value"]
        return await self._told(await self.ben.select(self.page, select["custom_id"], value))

    async def sum_up(self):
        return await self._told(await self.ben.slash(self.channel, "summarize"))

    async def pin(self):
        return await self._told(await self.ben.slash(self.channel, "pin"))

    async def thread(self):
        return await self._told(await self.ben.slash(self.channel, "thread"))

    async def room(self):
        return await self._told(await self.ben.slash(self.channel, "conversation", mode="shared"))

    async def _said(self, message, after=None):
        def found():
            newer = self.world.discord.answer_so_far(message)
            return [one for one in newer if one is not after and one.content.startswith("I")]

        [sentence] = await self.world.discord.until(found)
        return sentence.content

    async def _told(self, used):
        """Return the sentence, which nobody else sees."""
        [sentence] = await self.world.discord.until(
            lambda: [one for one in used.responses if one is not self.answer and one is not self.page]
        )
        assert sentence.visible_to == self.ben.user.id
        return sentence.content


ASKING = (
    Stage.mention,
    Stage.reply,
    Stage.edit,
    Stage.slash,
    Stage.menu,
    Stage.menu_with_a_form,
    Stage.sent_form,
    Stage.regenerate,
    Stage.go_on,
    Stage.sum_up,
)
BESIDE = (Stage.version, Stage.select, Stage.pin, Stage.thread, Stage.room)
"""What asks the model nothing, and so goes on in a paused server."""


@pytest.fixture
async def stage(world, stack):
    ben = world.discord.person("Ben", world.guild)
    words = itertools.count(1)
    await stack(
        lambda _request: [Say(stack.encode(f"one two three {next(words)} five six seven eight"))], max_new_tokens=4
    )
    made = Stage(world, ben)
    await made.set()
    return made


@pytest.mark.parametrize("way", [*ASKING, *BESIDE], ids=lambda way: way.__name__)
async def test_every_way_in_is_closed_to_a_blocked_person_in_a_blocked_channel_and_in_a_pause(world, stage, way):
    permissions, home = world.chat.permissions, world.guild.id
    before = stage.answer.content
    await permissions.decide(home, Verdict.BLOCKED, Kind.USER, stage.ben.user.id, by=ADMIN)
    assert await way(stage) == text("refused.blocked")
    await permissions.clear(home, Kind.USER, [stage.ben.user.id])
    await permissions.decide(home, Verdict.BLOCKED, Kind.CHANNEL, stage.channel.id, by=ADMIN)
    if way is not Stage.sent_form:  # Discord takes a form once
        assert await way(stage) == text("refused.place_blocked")
    await permissions.clear(home, Kind.CHANNEL, [stage.channel.id])
    if way in ASKING and way is not Stage.sent_form:
        await permissions.set_paused(home, paused=True, by=ADMIN)
        assert await way(stage) == text("refused.paused")
    await world.frontend.finish_writers(5)
    assert stage.answer.content == before
    assert not world.chat.status().running + world.chat.status().waiting


async def test_only_what_takes_away_or_tells_stays_open():
    tried = {"ask", "summarize", "pin", "thread", "conversation", text("menu.ask_about"), text("menu.summarize")}
    known = {(leaf.root_parent or leaf).name for leaf in LEAVES} | {menu.name for menu in MENUS}
    assert known >= STAYS_OPEN
    assert known - STAYS_OPEN >= tried


async def test_every_other_command_that_needs_no_option_is_closed_too(world, stack):
    ben = world.discord.person("Ben", world.guild)
    await stack()
    await world.chat.permissions.decide(world.guild.id, Verdict.BLOCKED, Kind.USER, ben.user.id, by=ADMIN)
    closed = [leaf for leaf in LEAVES if (leaf.root_parent or leaf).name not in STAYS_OPEN]
    usable = [leaf for leaf in closed if not any(option.required for option in leaf.parameters)]
    assert len(usable) >= 4
    for leaf in usable:
        [told] = await world.discord.answer(await ben.slash(world.channel, leaf.qualified_name))
        assert (told.content, told.visible_to) == (text("refused.blocked"), ben.user.id), leaf.qualified_name


async def test_what_takes_away_stays_open_to_a_blocked_person(world, stack):
    ben = world.discord.person("Ben", world.guild)
    await stack(lambda _request: [Say(stack.encode("Half an")), Hang()])
    first = await ben.say(world.channel, "<@bot> go on for ever")
    answer = await world.sees("Half an" + RUNNING_MARK)
    await world.chat.permissions.decide(world.guild.id, Verdict.BLOCKED, Kind.USER, ben.user.id, by=ADMIN)
    await ben.press(answer, text("button.stop"))
    await world.sees(f"Half an\n{text('answer.stopped')}")

    async def told(used):
        return [message.content for message in await world.discord.answer(used)]

    assert await told(await ben.menu(answer, text("menu.forget"))) == [text("forget.done")]
    assert await told(await ben.slash(world.channel, "stop")) == [text("stop.nothing")]
    assert await told(await ben.slash(world.channel, "reset")) == [text("reset.nothing")]
    assert await told(await ben.slash(world.channel, "history")) == [text("history.nothing")]
    await ben.delete(first)


async def test_who_is_refused_again_gets_a_sign_and_who_talks_to_others_is_left_alone(world, stack):
    ben, channel = world.discord.person("Ben", world.guild), world.channel
    world.discord.grant(world.discord.person("Mod", world.guild), world.guild, Permission.MANAGE_MESSAGES)
    await stack(rules={"free_channel_ids": frozenset({channel.id})})
    await world.chat.permissions.decide(world.guild.id, Verdict.BLOCKED, Kind.USER, ben.user.id, by=ADMIN)
    first = await ben.say(channel, "<@bot> one")
    assert await world.said(first) == [text("refused.blocked")]
    second, third = await ben.say(channel, "<@bot> two"), await ben.say(channel, "good morning all")
    await world.discord.until(lambda: second.reactions == {text("sign.refused"): {world.discord.bot.user.id}})
    assert await world.said(await world.ada.say(channel, "<@bot> three")) != []
    for quiet in (second, third):
        assert world.discord.answer_so_far(quiet) == []
    assert third.reactions == {}
    assert [message.content for message in world.discord.history(channel)].count(text("refused.blocked")) == 1


async def test_where_the_bot_may_not_react_nothing_more_is_said(world, stack):
    ben, channel = world.discord.person("Ben", world.guild), world.channel
    role = world.discord.bot_role(world.guild)
    world.discord.state.set_overwrite(channel, role, deny=Permission.ADD_REACTIONS)
    await stack()
    await world.chat.permissions.decide(world.guild.id, Verdict.BLOCKED, Kind.USER, ben.user.id, by=ADMIN)
    assert await world.said(await ben.say(channel, "<@bot> one")) == [text("refused.blocked")]
    second = await ben.say(channel, "<@bot> two")
    assert await world.said(await world.ada.say(channel, "<@bot> three")) != []
    await world.discord.until(lambda: any("/reactions/" in call.path for call in world.discord.log))
    assert second.reactions == {}
    assert world.discord.answer_so_far(second) == []
