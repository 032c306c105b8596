"""The frontend on a loopback Discord, talking to a chat whose answers the test writes itself."""

import asyncio
import itertools
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import bot
from bot.core.chat import Answer, Chat, ChatLimits, Phase, Remembered, Snapshot, Status
from bot.core.choices import Choices
from bot.core.engine import EngineInfo
from bot.core.history import History
from bot.core.messages import GREEDY, ConversationKey, ExcerptKind, Finish, Turn, TurnState, Usage
from bot.core.phi3 import Phi3Tokenizer
from bot.core.preferences import Preferences
from bot.core.unshown import Unshown
from bot.engine.echo import EchoBackend, Say
from bot.engine.executor import ThreadedEngine
from bot.errors import HistoryFailed, ShuttingDown
from bot.files.reader import FileReader, ReadLimits
from bot.frontends.discord.client import Endpoints
from bot.frontends.discord.frontend import DiscordFrontend
from bot.frontends.discord.pace import Timing
from bot.playground import Playground
from bot.playground.permissions import Permission
from bot.texts import RUNNING_MARK
from discord_over_loopback import point_discord_at

QUICK = Timing(
    first_text_s=0,
    edit_interval_s=0.001,  # at 0 a writer whose calls fail at once would leave nobody a turn
    slowest_interval_s=0.02,
    waiting_s=0,
    placeholder_interval_s=0,
    typing_after_s=0,
    final_retries_s=(0.01, 0.01, 0.01),
    sentence_retries_s=(0.01, 0.01),
    restart_s=0.01,
    slowest_restart_s=0.05,
    identify_s=0,
    guild_ready_s=0.05,
    heartbeat_timeout_s=5,
)


class WrittenChat:
    """A chat at core's public seam: takes every question, and answers "You said: …" unless the test takes over."""

    def __init__(self):
        self.was_asked = asyncio.Event()
        self.questions = []
        self.visitors = []
        self.answers = []
        self.shown_messages = {}
        self.turns = []
        self.resets = []
        self.refusal = None
        self.answers_itself = True
        self.ahead = 0
        self.preferences = Preferences(Choices(None), GREEDY, 1024)
        self.now = Status(EngineInfo("echo", "Echo-1", "CPU (a fast one)", 4096, 1), None, 2, 5)
        self._ids = itertools.count(1)

    def begin(self, turn):
        answer = Answer(turn, lambda answer: Snapshot(answer.phase, answer.text, ahead=self.ahead))
        self.answers.append(answer)
        self.was_asked.set()
        return answer

    def check(self, visitor):
        self.visitors.append(visitor)

    def check_quota(self, visitor, key):
        del visitor, key

    def check_rules(self, visitor):
        del visitor

    def check_words(self, visitor, texts):
        del visitor, texts

    async def ask(self, question, *, parent_id=None, bring=None):
        del parent_id
        if self.refusal is not None:
            raise self.refusal
        if bring is not None:
            brought = await bring()
            quotes = tuple(one for one in question.excerpts if one.kind is ExcerptKind.QUOTE)
            is_pasted = bool(brought.words and not question.text)
            excerpts = quotes if is_pasted else (*quotes, *brought.excerpts)
            question = replace(question, text=question.text or brought.words, excerpts=excerpts)
        self.questions.append(question)
        turn_id = next(self._ids)
        turn = Turn(turn_id, turn_id, None, question.user_id, question.text, TurnState.QUEUED, 0.0)
        known = {"key": question.key, "question_message_ids": (question.message_id,), "asked": question.text}
        answer = self.begin(replace(turn, excerpts=question.excerpts, **known))
        if self.answers_itself:
            self.say(answer, f"You said: {question.text}")
            self.end(answer)
        return answer

    def say(self, answer, words):
        answer.text = words
        answer.move_to(Phase.ANSWERING)

    def end(self, answer, state=TurnState.DONE, error=None, finish=Finish.STOP, **usage):
        turn = replace(answer.turn, state=state, answer=answer.text, finish=finish, usage=Usage(**usage))
        answer.end(turn, error)

    async def shown(self, turn_id, message_ids):
        self.shown_messages.setdefault(turn_id, []).extend(message_ids)

    def key_for(self, channel_id, user_id, guild_id):
        return ConversationKey(channel_id, user_id, guild_id)

    def is_shared(self, channel_id):
        return False

    async def unshown(self, _before):
        return Unshown((), ())

    async def turn_of_message(self, message_id):
        return None

    async def forget_messages(self, message_ids):
        for shown in self.shown_messages.values():
            shown[:] = [message_id for message_id in shown if message_id not in message_ids]
        return []

    async def stop(self, key, *, user_id=None):
        del user_id
        stopped = [answer for answer in self.answers if answer.turn.key == key and answer.stop()]
        for answer in stopped:
            self.end(answer, TurnState.STOPPED)
        return len(stopped)

    async def reset(self, key):
        self.resets.append(key)
        return True

    async def reset_everywhere(self, user_id):
        self.resets.append(user_id)
        return 3

    async def history(self, key, limit):
        return Remembered(self.turns[-limit:])

    def status(self, _visitor=None):
        return self.now

    async def drain(self, _deadline_s):
        self.refusal = ShuttingDown()


class World:
    """A server with one channel, Ada in it, and the bot."""

    quick = QUICK

    def __init__(self, discord):
        self.discord = discord
        self.chat = self.written = WrittenChat()
        self.facts = {}
        self.facts_fail = False
        self.reader = None
        self.files_origin = discord.files_origin
        self.left_over = []
        self.guild = discord.add_guild("Home")
        self.channel = discord.add_channel(self.guild, "general")
        self.ada = discord.person("Ada", self.guild)
        self.frontend = None
        self.task = None

    def give_role(self, person, granted, name="helpers"):
        """Give a person a new role of the server; before the bot is started, which hears of no later one."""
        role = self.discord.state.add_role(self.guild, name, granted)
        self.guild.members[person.user.id].role_ids.add(role.id)
        return role

    async def recall(self, name):
        if self.facts_fail:
            raise HistoryFailed
        return self.facts.get(name)

    async def remember(self, name, value):
        if self.facts_fail:
            raise HistoryFailed
        self.facts[name] = value

    def build(self, timing=QUICK, **options):
        self.reader = FileReader(ReadLimits(max_chars=2000))
        endpoints = Endpoints(self.discord.api_url, self.discord.gateway_url, self.files_origin)
        self.frontend = DiscordFrontend(
            self.chat,
            reader=self.reader,
            recall=self.recall,
            remember=self.remember,
            left_over=self.left_over,
            endpoints=endpoints,
            timing=timing,
            **options,
        )
        return self.frontend

    async def start(self, **options):
        """Run the frontend until it is ready."""
        frontend = self.build(**options)
        self.task = asyncio.create_task(frontend.run_until_closed(self.discord.token))
        ready = asyncio.create_task(frontend.ready.wait())
        await asyncio.wait({self.task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        ready.cancel()
        if self.task.done():
            self.task.result()
        await self.discord.bot_connected()

    async def stop(self):
        if self.reader is not None:
            await self.reader.aclose()
        if self.task is None:
            return
        for answer in self.written.answers:
            answer.stop()
        await self.frontend.close()
        await self.frontend.finish_writers(0)
        async with asyncio.timeout(10):
            await self.task
        self.task = None

    async def asked(self, count=1):
        """Wait until the chat has been asked this often; return the newest answer."""
        async with asyncio.timeout(10):
            while len(self.chat.answers) < count:
                self.chat.was_asked.clear()
                await self.chat.was_asked.wait()
        return self.chat.answers[-1]

    async def mended(self):
        """Wait until what an earlier process left is finished or taken away."""
        for task in asyncio.all_tasks():
            if task.get_name() == "mending":
                await asyncio.wait({task}, timeout=10)
        await self.frontend.finish_writers(10)

    async def sees(self, words, **options):
        """Wait for a message with exactly these words."""
        return await self.discord.wait_for(lambda message: message.content == words, **options)

    async def said(self, question):
        """Return the finished answer's messages."""
        return [message.content for message in await self.discord.answer(question, timeout_s=10)]

    async def responses(self, used):
        """Return the contents of a command's finished answer, and whether all of it is for one person alone."""
        answer = await self.discord.answer(used, timeout_s=10)
        return [message.content for message in answer], all(message.visible_to is not None for message in answer)


@pytest.fixture
async def world(request):
    limited = getattr(request, "param", False)
    async with Playground(rate_limits=limited, running_mark=RUNNING_MARK) as discord:
        with point_discord_at(discord.api_url, discord.gateway_url):
            made = World(discord)
            try:
                yield made
            finally:
                await made.stop()
                assert discord.unknown_routes == []


@pytest.fixture
def ben(world):
    """Return a second person of the server, who may do nothing special."""
    return world.discord.person("Ben", world.guild)


class Admin:
    """Ada, who manages the server, and what she is told."""

    def __init__(self, world):
        self.world, self.channel = world, world.channel

    async def __call__(self, command, **options):
        """Use a command of /admin and return what she alone is told, all messages together."""
        used = await self.world.ada.slash(self.channel, f"admin {command}", **options)
        answer = await self.world.discord.answer(used, timeout_s=10)
        assert {message.visible_to for message in answer} == {self.world.ada.user.id}
        return "\n".join(message.content for message in answer)


@pytest.fixture
def admin(world):
    """Let Ada manage the server; return how she uses /admin."""
    world.give_role(world.ada, Permission.MANAGE_GUILD, "staff")
    return Admin(world)


TOKENIZER = Path(bot.__file__).parent / "demo_model"
INFO = EngineInfo("echo", "Echo-1", "CPU", 4096, 4)


@pytest.fixture
async def stack(world, tmp_path):
    """Return what starts the bot with a script, as often as a test restarts it; all on one database."""
    tokenizer = Phi3Tokenizer.load(TOKENIZER)
    running = []

    async def stop():
        while running:
            history, engine, chat = running.pop()
            world.frontend.begin_closing()
            await chat.drain(0)
            await world.frontend.finish_writers(5)
            await world.stop()
            await engine.aclose()
            await history.aclose()

    async def start(
        script=None, *, load=None, slots=4, wall_clock=time.time, timing=QUICK, rules=None, lineup=None, **limits
    ):
        await stop()
        start.history_path = tmp_path / "phibot.db"
        history = start.history = await History.open(start.history_path, clock=wall_clock)
        info = replace(INFO, slots=slots)
        engine = ThreadedEngine(load or (lambda _report: EchoBackend(info, script)), info, last_load_s=40.0)
        engine.start()
        world.chat = Chat(
            history,
            tokenizer,
            engine,
            system_prompt="Be kind.",
            limits=ChatLimits(**limits),
            lineup=lineup,
            wall_clock=wall_clock,
        )
        world.left_over = await world.chat.resume()
        running.append((history, engine, world.chat))
        await world.start(timing=timing, **(rules or {}))

    start.encode, start.decode, start.info = tokenizer.encode, tokenizer.decode, INFO
    start.role_ids = set(tokenizer.prompt((), [((), ())], ()))
    yield start
    await stop()


class Heard:
    """A script that answers "answer 1", "answer 2", … and keeps what the model read."""

    def __init__(self, stack):
        self.stack = stack
        self.prompts = []
        self.ids = []
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self, request):
        self.ids.append(request.prompt_ids)
        self.prompts.append(self.stack.decode(request.prompt_ids))
        yield Say(self.stack.encode(f"answer {len(self.prompts)}"))
        while not self.may_end.is_set():
            yield Say(())
            time.sleep(0.001)


@pytest.fixture
def heard(stack):
    made = Heard(stack)
    yield made
    made.may_end.set()  # else the engine's thread would stay in its step for ever, and closing with it


@pytest.fixture
def requests(stack):
    """Return a script that answers "answer 1", "answer 2", … of many words, and keeps the requests as `found`."""
    found, numbers = [], itertools.count(1)

    def script(request):
        found.append(request)
        yield Say(stack.encode(f"answer {next(numbers)} and more and more and more"))

    script.found = found
    return script
