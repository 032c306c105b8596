"""The terminal user, talking to a small bot through pipes and a pseudo-terminal."""

import asyncio
import contextlib
import io
import os
import pty
import termios
import threading
import tty

import discord
import pytest
from discord import app_commands

from bot.playground import Playground
from bot.playground.terminal import run_console
from discord_over_loopback import QuickClient, running

MARK = " ▌"
CTRL_D = "\x04"
PATIENCE_S = 30


class Parrot(QuickClient):
    """Repeats what it is told, growing by an edit; /shout answers in private; `silent` lines get no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = app_commands.CommandTree(self)
        self.stopped = asyncio.Event()

        @self.tree.command(description="Shout")
        async def shout(interaction: discord.Interaction, words: str) -> None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            await interaction.edit_original_response(content=words.upper())

        @self.tree.command(description="Stop")
        async def stop(interaction: discord.Interaction) -> None:
            self.stopped.set()
            await interaction.response.send_message("stopping", ephemeral=True)

        @self.tree.command(description="Opens a form")
        async def sign(interaction: discord.Interaction) -> None:
            await interaction.response.send_modal(Signature())

        @self.tree.command(description="Never answers")
        async def sleep(interaction: discord.Interaction) -> None:
            pass

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if message.author == self.user or message.content.startswith("silent"):
            return
        if message.content.startswith("refused"):
            await message.add_reaction("🚫")
            return
        await message.channel.typing()
        answer = await message.reply(f"loading{MARK}")
        await answer.edit(content=f"you said{MARK}")
        if message.content == "go on":
            await self.stopped.wait()
        await answer.edit(content=f"you said\n{message.content}", view=Again() if "again" in message.content else None)

    async def on_message_edit(self, _before: discord.Message, after: discord.Message) -> None:
        if after.author != self.user:
            await after.channel.send(f"now: {after.content}")

    async def on_message_delete(self, message: discord.Message) -> None:
        await message.channel.send(f"gone: {message.content}")


class Again(discord.ui.View):
    """A button that changes its message later, and one that tells its presser something."""

    @discord.ui.button(label="Again", custom_id="again")
    async def again(self, interaction: discord.Interaction, _button: discord.ui.Button) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="you said it again")

    @discord.ui.button(label="Why", custom_id="why")
    async def why(self, interaction: discord.Interaction, _button: discord.ui.Button) -> None:
        await interaction.response.send_message("because", ephemeral=True)


class Signature(discord.ui.Modal, title="Who are you?"):
    """A form with a field that must be filled in, and one that is filled in already."""

    name = discord.ui.Label(text="Your name", component=discord.ui.TextInput(max_length=20))
    town = discord.ui.Label(text="Your town", component=discord.ui.TextInput(default="Bonn"))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"{self.name.component} of {self.town.component}", ephemeral=True)


@pytest.fixture
async def console():
    """Return a function that runs the terminal on lines and returns its exit code and its two outputs."""
    async with Playground(running_mark=MARK, rate_limits=False) as playground:
        person = playground.person("you")

        async def run(lines: bytes, stdout=None, ready=None, **options):
            reading, writing = os.pipe()
            os.write(writing, lines)
            os.close(writing)
            out, err = io.StringIO(), io.StringIO()
            client = Parrot()
            with os.fdopen(reading) as stdin:
                async with running(client, playground):
                    ready = ready or client.wait_until_ready()
                    code = await run_console(
                        playground, person.dm(), person, ready, stdin=stdin, stdout=stdout or out, stderr=err, **options
                    )
            return code, out.getvalue(), err.getvalue()

        yield run
        assert playground.unknown_routes == []


async def test_a_pipe_gets_only_the_answers_in_order(console) -> None:
    assert await console(b"one\r\n\n  \ntwo words\n") == (0, "you said\none\nyou said\ntwo words\n", "")


async def test_a_last_line_without_its_end_counts_and_bytes_that_are_no_text_do_not_stop_it(console) -> None:
    assert await console(b"caf\xc3\xa9\nb\xff") == (0, "you said\ncafé\nyou said\nb\ufffd\n", "")


async def test_commands_work_through_a_pipe(console) -> None:
    assert await console(b"/shout hear me\n/quit\nnever sent\n") == (0, "HEAR ME\n", "")


async def test_lines_that_cannot_be_sent_are_explained_on_standard_error(console) -> None:
    code, out, err = await console(b"/nothing\n/shuot\n/shout\n" + b"x" * 4095 + b"\n")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "There is no command /nothing. There are: /shout /stop /sign /sleep /quit",
        "There is no command /shuot. Did you mean /shout? There are: /shout /stop /sign /sleep /quit",
        "This command is used as: /shout <words>",
        "Your message is too long: 4,095 characters, Discord allows 2,000.",
    ]


@pytest.mark.parametrize("line", [b"/nothing\n", b"/shout\n", b"x" * 2001 + b"\n"])
async def test_one_refused_line_among_others_is_exit_code_1(console, line) -> None:
    assert (await console(b"one\n" + line + b"two\n"))[:2] == (1, "you said\none\nyou said\ntwo\n")


async def test_the_lines_after_a_command_that_opens_a_form_fill_it_in(console) -> None:
    code, out, err = await console(b"/sign\nZorblax\n\n/sign\nAda\nLondon\nhello\n")
    assert (code, out) == (0, "Zorblax of Bonn\nAda of London\nyou said\nhello\n")
    assert err.splitlines()[:3] == [
        "A form, “Who are you?”. An empty line leaves a field as it is; a line that begins with / closes the form.",
        "Your name:",
        "Your town, now: Bonn",
    ]


@pytest.mark.parametrize(
    ("lines", "sentence", "out"),
    [
        (b"/sign\nZorblax\n/shout no\n", "The form is closed. Nothing was sent.", "NO\n"),
        (b"/sign\nZorblax\n/quit\nno\n", "The form is closed. Nothing was sent.", ""),
        (b"/sign\nZorblax\n", "The form is closed. Nothing was sent.", ""),
        (b"/sign\n\n\n", "A field of the form that must be filled in is empty. Nothing was sent.", ""),
        (b"/sign\n" + b"x" * 21 + b"\n\n", "Discord refused this: Invalid Form Body", ""),
    ],
)
async def test_a_form_that_is_not_sent_says_so_in_a_sentence(console, lines, sentence, out) -> None:
    code, shown, err = await console(lines)
    assert (code, shown) == (1, out)
    assert err.splitlines()[-1].startswith(sentence)


async def test_lines_may_end_as_on_any_system(console) -> None:
    assert (await console(b"one\rtwo\r\nthree\n"))[1] == "you said\none\nyou said\ntwo\nyou said\nthree\n"


async def test_a_bot_that_never_comes_online_ends_in_one_sentence_and_exit_code_69(console) -> None:
    code, out, err = await console(b"one\n", ready=asyncio.Event().wait(), online_within_s=0)
    assert (code, out) == (69, "")
    assert err.splitlines() == [
        "Phibot did not come online within 0 s. It connects to 127.0.0.1: is the loopback interface up?"
    ]


async def test_what_the_output_cannot_show_becomes_a_question_mark(console) -> None:
    shown = io.BytesIO()
    code, _, _ = await console("Jörg\n".encode(), stdout=io.TextIOWrapper(shown, "ascii", write_through=True))
    assert (code, shown.getvalue()) == (0, b"you said\nJ?rg\n")


async def test_a_bot_that_gives_no_sign_ends_in_exit_code_1(console) -> None:
    code, out, err = await console(b"silent please\nbut now\n", patience_s=0.2)
    assert (code, out) == (1, "you said\nbut now\n")
    assert "has given no sign for" in err


async def test_a_question_that_is_answered_by_a_sign_is_over_and_the_next_one_is_asked(console) -> None:
    code, out, err = await console(b"refused again\nbut now\n")
    assert (code, out) == (1, "you said\nbut now\n")
    assert err == "Phibot reacted with 🚫 and does not answer this; it said why a moment ago.\n"


async def test_a_command_that_is_not_acknowledged_is_reported(console, monkeypatch) -> None:
    monkeypatch.setattr("bot.playground.console.ACKNOWLEDGE_WITHIN_S", 0.1)
    code, _, err = await console(b"/sleep\n")
    assert (code, err) == (1, "The application did not respond.\n")


class Terminal:
    """A pseudo-terminal: what a person types, and what stands on the screen."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.stdin = os.fdopen(slave, "r")
        self.stdout = os.fdopen(os.dup(slave), "w")
        self.screen = ""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        self.screen += os.read(self.master, 65536).decode()
        self._news.set()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.screen:
                self._news.clear()
                await self._news.wait()

    def close(self) -> None:
        """End the reads that a cancelled console left behind, and close.

        A read that began only later would take what is typed at the next test's terminal, which gets the same number.
        """
        for _ in range(PATIENCE_S * 10):
            if not (reading := [thread for thread in threading.enumerate() if thread.name == "stdin"]):
                break
            self.type("\n")
            reading[0].join(0.1)
        assert not reading
        asyncio.get_running_loop().remove_reader(self.master)
        self.stdin.close()
        self.stdout.close()
        os.close(self.master)


@pytest.fixture
async def terminal():
    opened = Terminal()
    yield opened
    opened.close()


@contextlib.asynccontextmanager
async def talking(terminal):
    """Run the terminal on a pseudo-terminal until the input ends; it is at its prompt when the block begins."""
    async with Playground(running_mark=MARK, rate_limits=False) as playground:
        person, client = playground.person("you"), Parrot()
        async with running(client, playground):
            ready = client.wait_until_ready()
            console = asyncio.create_task(
                run_console(playground, person.dm(), person, ready, stdin=terminal.stdin, stdout=terminal.stdout)
            )
            try:
                await terminal.shows("you> ")
                yield
                terminal.type(CTRL_D)
                async with asyncio.timeout(PATIENCE_S):
                    assert await console == 0
            finally:
                console.cancel()
                await asyncio.gather(console, return_exceptions=True)


async def test_the_live_face_shows_answers_as_they_grow(terminal) -> None:
    async with talking(terminal):
        assert terminal.screen.startswith("Waiting for Phibot to come online ...\r\nWrite to Phibot")
        terminal.type("hello\n")
        await terminal.shows("Phibot> loading\r\x1b[KPhibot> you said\r\nhello\r\nyou> ")
        terminal.type("/shout psst\n")
        await terminal.shows("Phibot (only you see this)> PSST\r\nyou> ")
        terminal.type("/nothing\n")
        await terminal.shows("There is no command /nothing.")
    assert "\r\x1b[KPhibot> loading" in terminal.screen  # in place of "is typing"


async def test_stop_can_be_typed_while_an_answer_grows(terminal) -> None:
    async with talking(terminal):
        terminal.type("go on\n")
        await terminal.shows("you said")
        terminal.type("/stop\n")
        await terminal.shows("(only you see this)> stopping")
        await terminal.shows("you said\r\ngo on\r\nyou> ")


async def test_messages_typed_while_an_answer_grows_wait_for_their_turn_and_commands_after_them_too(terminal) -> None:
    async with talking(terminal):
        terminal.type("go on\n")
        await terminal.shows("you said")
        terminal.type("\none\n\ntwo\n/shout three\n/STOP\n")
        await terminal.shows("(only you see this)> THREE\r\nyou> ")
    order = ["> stopping", "go on\r\nyou> one\r\n", "said\r\none\r\nyou> two\r\n", "said\r\ntwo\r\nyou> /shout three"]
    places = [terminal.screen.find(words) for words in order]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("word", ["quit", "Exit", "bye"])
async def test_who_says_goodbye_is_answered_and_told_how_to_leave(terminal, word) -> None:
    async with talking(terminal):
        terminal.type(f"{word}\n")
        await terminal.shows("(/quit ends this)\r\n")
        await terminal.shows(f"you said\r\n{word}\r\nyou> ")


async def test_quit_is_taken_in_any_case(console) -> None:
    assert await console(b"/Shout hear me\n/QUIT\nnever sent\n") == (0, "HEAR ME\n", "")


async def test_a_cancelled_terminal_gets_its_modes_back(terminal) -> None:
    async with Playground() as playground:
        person, ready = playground.person("you"), asyncio.Event()
        ready.set()
        before = termios.tcgetattr(terminal.stdin.fileno())
        console = asyncio.create_task(
            run_console(playground, person.dm(), person, ready.wait(), stdin=terminal.stdin, stdout=terminal.stdout)
        )
        await terminal.shows("you> ")
        tty.setraw(terminal.stdin.fileno())  # as line editing does
        console.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await console
        assert console.cancelled()
        assert termios.tcgetattr(terminal.stdin.fileno()) == before


async def test_buttons_are_shown_with_their_numbers_and_pressed_by_them(terminal) -> None:
    async with talking(terminal):
        terminal.type("once again\n")
        await terminal.shows("once again\r\n[1 Again] [2 Why]\r\nyou> ")
        terminal.type("/press 2\n")
        await terminal.shows("(only you see this)> because\r\n[1 Again] [2 Why]\r\nyou> ")
        terminal.type("/press 1\n")
        await terminal.shows("Phibot> you said it again\r\n[1 Again] [2 Why]\r\nyou> ")
        terminal.type("/press 3\n")
        await terminal.shows("This command is used as: /press <number of a button>")


async def test_a_form_is_filled_in_at_a_prompt_of_its_own(terminal) -> None:
    async with talking(terminal):
        terminal.type("/sign\n")
        await terminal.shows("closes the form.\r\nYour name:\r\nform> ")
        terminal.type("Zorblax\n")
        await terminal.shows("Your town, now: Bonn\r\nform> ")
        terminal.type("\n")
        await terminal.shows("(only you see this)> Zorblax of Bonn\r\nyou> ")


async def test_a_person_replies_edits_and_deletes_by_short_lines(terminal) -> None:
    async with talking(terminal):
        terminal.type("hello\n")
        await terminal.shows("hello\r\nyou> ")
        terminal.type("/reply 1 and this\n")
        await terminal.shows("you said\r\nand this\r\nyou> ")
        terminal.type("/edit and that\n")
        await terminal.shows("now: and that\r\nyou> ")
        terminal.type("/delete\n")
        await terminal.shows("gone: and that")
        terminal.type("/edit\n")
        await terminal.shows("This command is used as: /edit")
