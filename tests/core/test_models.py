"""Several models: who chose which, loaded when they are needed, and conversations that go on from one to the other."""

import asyncio
import threading
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

import demo_tokenizer
from bot.core.answer import Phase
from bot.core.choices import Scope
from bot.core.engine import EngineInfo
from bot.core.messages import Finish, TurnState
from bot.core.models import Lineup, Offered
from bot.core.phi3 import Phi3Tokenizer
from bot.core.visitor import Visitor
from bot.engine.echo import EchoBackend, Hang, Say
from bot.engine.executor import ThreadedEngine
from bot.engine.kv import GB
from bot.engine.on_demand import OnDemandEngine
from bot.engine.room import Room
from bot.errors import ModelNotLoaded, ModelUnusable, NoRoomForModel, NoSuchModel
from chat_on_disk import ADA, HERE, THERE, World, asked, end_of, until
from tiny_phi3 import SPEECH

GUILD = 77
ADMIN = Visitor(ADA, GUILD, (HERE.channel_id,), is_admin=True)
ELSEWHERE = replace(ADMIN, channel_ids=(THERE.channel_id,))


@pytest.fixture(scope="module")
def other_tokenizer(tmp_path_factory):
    """Return another tokenizer, whose ids are not the first one's."""
    folder = tmp_path_factory.mktemp("other")
    demo_tokenizer.save(demo_tokenizer.learn([SPEECH] * 4, pieces=400), folder, 4096)
    return Phi3Tokenizer.load(folder)


class Choice:
    """Chats with a default model and others, loaded on demand: each says its own name."""

    def __init__(self, world, other_tokenizer):
        self.world, self.other = world, other_tokenizer
        self.free_gb = 8
        self.may_load = threading.Event()
        self.may_load.set()
        self.fault = None
        self.has_started = False
        self.heard = []
        self.engines = []

    def offer(self, name, room, need_gb=1):
        info = EngineInfo("echo", name.title(), "none", 300, 4)

        def script(request):
            self.heard.append((name, self.other.decode(request.prompt_ids)))
            return [Say(self.other.encode(f"I am {name} and I like to talk"), 0.001)]

        def load(_report):
            self.may_load.wait(10)
            if self.fault is not None:
                raise self.fault
            return EchoBackend(info, script)

        engine = OnDemandEngine(
            name, lambda: ThreadedEngine(load, info), info, room, need_bytes=need_gb * GB, last_load_s=3.0
        )
        self.engines.append(engine)
        return Offered(name, engine, self.other, 5_000_000, engine.held)

    async def start(self, *names, limits=None, **needs_gb):
        if self.has_started:
            await self.world.stop()
        self.has_started = True
        room = Room(lambda: self.free_gb * GB)
        offers = [self.offer(name, room, needs_gb.get(name, 1)) for name in (*names, *needs_gb)]
        self.world.say("I am the first")
        chat = await self.world.start(lineup=Lineup("first", 1_000_000, offers), **(limits or {}))
        self.left = await chat.resume()
        return chat


@pytest.fixture
async def choice(tmp_path, tokenizer, other_tokenizer):
    async with AsyncExitStack() as closing:
        choice = Choice(World(tmp_path / "phibot.sqlite3", tokenizer, closing), other_tokenizer)
        yield choice
        choice.may_load.set()
        for engine in choice.engines:
            await engine.aclose()


def here(text, visitor=ADMIN, key=HERE, **how):
    return replace(asked(text, key=key, **how), visitor=visitor)


async def answer_of(chat, text, **how):
    return await end_of(await chat.ask(here(text, **how)))


async def test_the_channels_choice_goes_before_the_servers_and_both_can_be_taken_back(choice):
    chat = await choice.start("second", "third")
    assert (chat.models.chosen(ADMIN).model.name, chat.models.chosen(ADMIN).scope) == ("first", None)
    await chat.models.choose(ADMIN, Scope.SERVER, "second")
    await chat.models.choose(ADMIN, Scope.CHANNEL, "third")
    assert (chat.models.at(ADMIN).name, chat.models.at(ELSEWHERE).name) == ("third", "second")
    assert chat.models.chosen(ELSEWHERE).scope is Scope.SERVER
    in_thread = replace(ADMIN, channel_ids=(5, HERE.channel_id, 3))
    assert chat.models.at(in_thread).name == "third"
    assert (await answer_of(chat, "who are you?")).text == "I am third and I like to talk"
    assert await chat.models.clear(ADMIN, Scope.CHANNEL)
    assert not await chat.models.clear(ADMIN, Scope.CHANNEL)
    assert (await answer_of(chat, "who are you?")).text == "I am second and I like to talk"
    assert chat.models.at(replace(ADMIN, guild_id=78)).name == "first"


async def test_a_model_that_is_not_there_cannot_be_chosen(choice):
    chat = await choice.start("second")
    with pytest.raises(NoSuchModel, match="no model “third”"):
        await chat.models.choose(ADMIN, Scope.SERVER, "third")


async def test_a_conversation_goes_on_with_another_models_ids_and_back(choice, tokenizer, other_tokenizer):
    chat = await choice.start("second")
    first = await answer_of(chat, "my name is Ada")
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    second = await answer_of(chat, "what is my name?")
    assert [turn.turn.tokenizer for turn in (first, second)] == [tokenizer.sha256, other_tokenizer.sha256]
    [(name, prompt)] = choice.heard
    assert name == "second"
    assert prompt == "Be kind. my name is Ada I am the first what is my name?"
    await chat.models.clear(ADMIN, Scope.CHANNEL)
    await answer_of(chat, "and now?")
    e = tokenizer.encode
    said = [
        ("my name is Ada", "I am the first"),
        ("what is my name?", "I am second and I like to talk"),
    ]
    assert choice.world.prompts[-1].prompt_ids == tokenizer.prompt(
        e("Be kind."), [(e(question), e(answer)) for question, answer in said], e("and now?")
    )


async def test_the_receipt_names_the_model_and_another_version_is_by_the_one_chosen_since(choice):
    chat = await choice.start("second")
    first = await answer_of(chat, "who are you?")
    assert (first.turn.model, first.turn.receipt.model) == ("first", "Echo (first)")
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    again = await end_of(await chat.regenerate(first.turn.id, visitor=ADMIN))
    assert (again.turn.model, again.turn.receipt.model, again.turn.version) == ("second", "Second (second)", 2)
    assert again.text.startswith("I am second")
    question = here("and what are you?", message_id=first.turn.question_message_ids[0])
    assert (await end_of(await chat.edit(question))).turn.model == "second"


async def test_an_answer_goes_on_with_the_model_that_began_it(choice, tokenizer):
    chat = await choice.start("second", limits={"max_new_tokens": len(tokenizer.encode("I am the first"))})
    cut = await answer_of(chat, "who are you?")
    assert cut.turn.finish is Finish.LENGTH
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    went_on = await end_of(await chat.go_on(cut.turn.id, visitor=ADMIN))
    assert went_on.turn.receipt.model == "Echo (first)"
    assert went_on.text == "I am the first I am the first"
    assert went_on.turn.tokenizer == tokenizer.sha256


async def test_an_answer_whose_model_is_gone_goes_on_from_its_words_in_the_ids_of_the_one_that_is_there(choice):
    chat = await choice.start("second", limits={"max_new_tokens": 5})
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    cut = await answer_of(chat, "who are you, then?")
    assert cut.turn.finish is Finish.LENGTH
    chat = await choice.start(limits={"max_new_tokens": 50})
    went_on = await end_of(await chat.go_on(cut.turn.id, visitor=ADMIN))
    assert went_on.error is None
    assert went_on.text == f"{cut.text} I am the first"
    assert "who are you, then?" in choice.world.prompt()


async def test_the_old_model_answers_until_the_new_one_is_loaded(choice):
    chat = await choice.start("second")
    choice.may_load.clear()
    choosing = asyncio.create_task(chat.models.choose(ADMIN, Scope.SERVER, "second"))
    await asyncio.sleep(0)
    assert (await answer_of(chat, "who are you?")).text == "I am the first"
    assert not choosing.done()
    choice.may_load.set()
    assert await choosing
    assert (await answer_of(chat, "who are you?")).text.startswith("I am second")


@pytest.mark.parametrize("is_cleared", [False, True])
async def test_of_two_choices_at_once_the_later_one_holds_whichever_is_loaded_first(choice, is_cleared):
    chat = await choice.start("second", "third")
    choice.may_load.clear()
    earlier = asyncio.create_task(chat.models.choose(ADMIN, Scope.CHANNEL, "second"))
    await asyncio.sleep(0)
    if is_cleared:
        await chat.models.clear(ADMIN, Scope.CHANNEL)
    else:
        assert await chat.models.choose(ADMIN, Scope.CHANNEL, "first")
    choice.may_load.set()
    assert not await earlier
    assert chat.models.at(ADMIN).name == "first"
    assert await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    assert chat.models.at(ADMIN).name == "second"


async def test_a_choice_that_cannot_be_loaded_leaves_the_old_one_in_use_and_loaded(choice):
    chat = await choice.start("second", third=2)
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    choice.fault = ModelUnusable("its weights are broken")
    with pytest.raises(ModelNotLoaded):
        await chat.models.choose(ADMIN, Scope.CHANNEL, "third")
    choice.fault, choice.free_gb = None, 1.5
    with pytest.raises(NoRoomForModel):  # there would be room without the one in use
        await chat.models.choose(ADMIN, Scope.CHANNEL, "third")
    assert chat.models.at(ADMIN).name == "second"
    assert chat.models.at(ADMIN).engine.loading is None
    assert (await answer_of(chat, "who are you?")).text.startswith("I am second")


async def test_the_first_question_after_a_restart_loads_its_model_and_shows_that(choice):
    chat = await choice.start("second")
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    chat = await choice.start("second")
    choice.may_load.clear()
    answer = await chat.ask(here("who are you?"))
    shown = await until(answer, lambda snapshot: snapshot.phase is Phase.LOADING)
    assert shown.loading.last_time_s == 3.0
    choice.may_load.set()
    assert (await end_of(answer)).text.startswith("I am second")


async def test_without_room_for_its_model_a_question_gets_a_sentence_and_the_next_may_work(choice):
    chat = await choice.start(second=2)
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    await choice.engines[0].unload()
    choice.free_gb = 1
    failed = await answer_of(chat, "who are you?")
    assert failed.turn.state is TurnState.FAILED
    assert failed.error.user_message().startswith("There is no room for the model second right now: it needs 2.0 GB")
    choice.free_gb = 8
    assert (await answer_of(chat, "who are you?")).text.startswith("I am second")


@pytest.mark.parametrize(("names", "answer"), [(["second"], "I am second"), ([], "I am the first")])
async def test_a_question_keeps_its_model_over_a_restart_and_has_the_default_if_that_is_gone(choice, names, answer):
    chat = await choice.start("second")
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    await choice.engines[0].unload()
    choice.may_load.clear()
    waiting = await chat.ask(here("who are you?"))
    await until(waiting, lambda snapshot: snapshot.phase is Phase.LOADING)
    await chat.models.clear(ADMIN, Scope.CHANNEL)
    await choice.world.stop()
    choice.may_load.set()
    await choice.start(*names)
    [left] = choice.left
    assert (await end_of(left)).text.startswith(answer)


async def test_an_edit_after_another_choice_is_answered_by_the_model_chosen_then(choice):
    chat = await choice.start("second")
    choice.world.script = lambda _request: [Hang()]
    busy = [await chat.ask(here("busy", key=replace(HERE, channel_id=50 + n))) for n in range(4)]
    question = here("who are you?", message_id=900, user_id=2, key=replace(HERE, user_id=2))
    answer = await chat.ask(question)
    await until(answer, lambda snapshot: snapshot.phase is Phase.WAITING and answer.lease is not None)
    await chat.models.choose(ADMIN, Scope.CHANNEL, "second")
    await chat.edit(replace(question, text="and what are you?"))
    ended = await end_of(answer)
    assert (ended.turn.model, ended.text[:11]) == ("second", "I am second")
    for one in busy:
        one.stop()
        await end_of(one)


async def test_how_fast_each_one_writes_is_measured_and_remembered(choice, tokenizer):
    chat = await choice.start("second")

    def ten_tokens_a_second(_request):
        for token in tokenizer.encode("I like to talk about the sea and the tea that I drink there"):
            choice.world.monotonic += 0.1
            yield Say((token,))

    choice.world.script = ten_tokens_a_second
    await answer_of(chat, "who are you?")
    measured = chat.models.default.speed.tokens_per_s
    assert 9 < measured < 15  # the reader sees several tokens at once now and then
    await chat.aclose()
    chat = await choice.start("second")
    assert [one.speed.tokens_per_s for one in chat.models.all] == [pytest.approx(measured, rel=0.01), None]
