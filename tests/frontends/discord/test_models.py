"""/model on a loopback Discord, with the real discord.py and a real chat over several models."""

import re
import threading
from pathlib import Path

import pytest

import bot
from bot.core.engine import EngineInfo
from bot.core.models import Lineup, Offered
from bot.core.phi3 import Phi3Tokenizer
from bot.core.visitor import Visitor
from bot.engine.echo import EchoBackend, Say
from bot.engine.executor import ThreadedEngine
from bot.engine.kv import GB
from bot.engine.on_demand import OnDemandEngine
from bot.engine.room import Room
from bot.errors import ModelUnusable
from bot.frontends.discord.models import models_page
from bot.playground.permissions import Permission
from bot.texts import text

INFO = EngineInfo("echo", "Echo-2", "GPU.0 (Arc)", 2048, 4)


class Offers:
    """Models that are loaded on demand, and say their names."""

    def __init__(self):
        self.tokenizer = Phi3Tokenizer.load(Path(bot.__file__).parent / "demo_model")
        self.room = Room(lambda: 4 * GB)
        self.may_load = threading.Event()
        self.may_load.set()
        self.fault = None
        self.engines = []

    def __call__(self, name, *, need_gb=1, size_bytes=2_780_000_000, last_load_s=None):
        def load(_report):
            self.may_load.wait(10)
            if self.fault is not None:
                raise self.fault
            return EchoBackend(INFO, lambda _request: [Say(self.tokenizer.encode(f"I am {name}"))])

        engine = OnDemandEngine(
            name,
            lambda: ThreadedEngine(load, INFO),
            INFO,
            self.room,
            need_bytes=need_gb * GB,
            last_load_s=last_load_s,
        )
        self.engines.append(engine)
        return Offered(name, engine, self.tokenizer, size_bytes, engine.held)


@pytest.fixture
async def offer():
    offers = Offers()
    yield offers
    offers.may_load.set()
    for engine in offers.engines:
        await engine.aclose()


@pytest.fixture
def start(world, stack):
    async def start(*others, unusable=None, is_elsewhere=False):
        world.give_role(world.ada, Permission.MANAGE_GUILD)
        lineup = Lineup("phi", 3_000_000, others, unusable or {}, is_elsewhere)
        await stack(lambda _request: [Say(stack.encode("I am phi"))], lineup=lineup)

    return start


async def response(world, used):
    """Return the lines of a command's answer, which is for one person alone."""
    [message] = await world.discord.answer(used, timeout_s=10)
    assert message.visible_to is not None
    return message.content.splitlines()


async def choose(world, name, where, channel=None, **place):
    """Choose as Ada, and wait until it is done: for `where`, as the sentence has it."""
    used = await world.ada.slash(channel or world.channel, "model set", model=name, **place)
    done = text(f"model.set_for_{where}", model=name)
    await world.discord.until(lambda: used.original is not None and used.original.content == done)
    assert used.original.visible_to == world.ada.user.id


async def test_everybody_sees_the_models_with_size_device_and_speed_and_which_one_answers_here(
    world, start, offer, ben
):
    await start(offer("phi-int8"), offer("phi-large", size_bytes=7_600_000_000), unusable={"half": "lacks config.json"})
    await choose(world, "phi-int8", "channel")
    world.chat.models.all[1].speed.measured(80, 10)
    shown = [
        "**In use here:** phi-int8, as chosen for this channel",
        "**Device:** CPU",
        "• **phi**: 3.0 MB on disk, window 4096 tokens, speed not measured yet, loaded",
        "• **phi-int8**: 2.8 GB on disk, window 2048 tokens, 8.0 tokens a second here, loaded",
        "• **phi-large**: 7.6 GB on disk, window 2048 tokens, speed not measured yet, loaded when it is needed",
    ]
    assert await response(world, await ben.slash(world.channel, "model show")) == shown
    for_admins = await response(world, await world.ada.slash(world.channel, "model show"))
    assert for_admins == [*shown, "-# cannot be used: half: lacks config.json"]
    elsewhere = world.discord.add_channel(world.guild, "elsewhere")
    assert (await response(world, await ben.slash(elsewhere, "model show")))[0] == "**In use here:** phi"


async def test_only_admins_choose_whatever_discord_lets_through(world, start, offer, ben):
    await start(offer("phi-int8"))
    for command, options in (("model set", {"model": "phi-int8"}), ("model clear", {})):
        assert await response(world, await ben.slash(world.channel, command, **options)) == [
            text("refused.admins_only")
        ]
    assert await world.said(await ben.say(world.channel, "<@bot> who are you?")) == ["I am phi"]


async def test_an_admin_chooses_for_the_server_or_a_channel_and_takes_it_back(world, start, offer, ben):
    await start(offer("phi-int8"), offer("phi-large"))
    await choose(world, "phi-int8", "server", **{"for": "this server"})
    await choose(world, "phi-large", "channel")
    elsewhere = world.discord.add_channel(world.guild, "elsewhere")
    assert await world.said(await ben.say(world.channel, "<@bot> who are you?")) == ["I am phi-large"]
    assert await world.said(await ben.say(elsewhere, "<@bot> who are you?")) == ["I am phi-int8"]
    cleared = await response(world, await world.ada.slash(world.channel, "model clear"))
    assert cleared == [text("model.cleared", model="phi-int8")]
    nothing = await response(world, await world.ada.slash(world.channel, "model clear"))
    assert nothing == [text("model.nothing_to_clear", model="phi-int8")]
    assert await world.said(await ben.say(world.channel, "<@bot> who are you?")) == ["I am phi-int8"]
    status = await response(world, await ben.slash(world.channel, "status"))
    assert status[0] == text("status.model", model="Echo-2", engine="echo", context_tokens=2048)


async def test_names_are_proposed_as_they_are_typed_and_others_refused(world, start, offer):
    await start(offer("phi-int8"), offer("Phi-Large"))
    for typed, names in (("", ["phi", "phi-int8", "Phi-Large"]), ("LAR", ["Phi-Large"]), ("mistral", [])):
        used = await world.ada.complete(world.channel, "model set", "model", typed)
        await world.discord.until(lambda used=used: used.choices is not None)
        assert [choice["value"] for choice in used.choices] == names
    refused = await response(world, await world.ada.slash(world.channel, "model set", model="mistral"))
    assert refused == [text("refused.no_such_model", model="mistral")]


@pytest.mark.parametrize("last_load_s", [None, 41.0])
async def test_while_it_loads_that_is_said_and_the_old_one_answers(world, start, offer, ben, last_load_s):
    await start(offer("phi-int8", last_load_s=last_load_s))
    offer.may_load.clear()
    used = await world.ada.slash(world.channel, "model set", model="phi-int8")
    note = text("model.set_loading", model="phi-int8", old="phi")
    if last_load_s:
        note = text("model.set_loading_last", model="phi-int8", old="phi", last_time_s=41)
    await world.discord.until(lambda: used.original is not None and used.original.content == note)
    assert await world.said(await ben.say(world.channel, "<@bot> who are you?")) == ["I am phi"]
    rows = await response(world, await ben.slash(world.channel, "model show"))
    assert "being loaded (" in rows[-1]
    offer.may_load.set()
    done = text("model.set_for_channel", model="phi-int8")
    await world.discord.until(lambda: used.original.content == done)
    assert await world.said(await ben.say(world.channel, "<@bot> who are you?")) == ["I am phi-int8"]


async def test_who_chose_first_but_waited_longer_is_told_that_another_choice_holds(world, start, offer, ben):
    await start(offer("phi-int8"))
    offer.may_load.clear()
    used = await world.ada.slash(world.channel, "model set", model="phi-int8")
    await world.discord.until(lambda: used.original is not None and "loading" in used.original.content)
    await choose(world, "phi", "channel")
    offer.may_load.set()
    overtaken = text("model.overtaken", model="phi-int8", old="phi")
    await world.discord.until(lambda: used.original.content == overtaken)


async def test_one_that_cannot_be_loaded_or_has_no_room_leaves_the_old_one_and_says_so(world, start, offer, ben):
    await start(offer("broken"), offer("huge", need_gb=9))
    offer.fault = ModelUnusable("/secret/path is broken")
    for name, reason in (
        ("broken", text("error.model_not_loaded", model="broken")),
        ("huge", text("error.no_room_for_model", model="huge", need_gb="9.0", free_gb="4.0")),
    ):
        used = await world.ada.slash(world.channel, "model set", model=name)
        kept = text("model.not_set", reason=reason, old="phi")
        await world.discord.until(lambda used=used, kept=kept: used.original and used.original.content == kept)
    assert await world.said(await ben.say(world.channel, "<@bot> who are you?")) == ["I am phi"]


async def test_a_question_that_loads_its_model_says_so_until_it_is_loaded(world, start, offer, ben):
    await start(offer("phi-int8", last_load_s=41.0))
    await choose(world, "phi-int8", "channel")
    await offer.engines[0].unload()
    status = await response(world, await ben.slash(world.channel, "status"))
    assert status[2] == text("status.unloaded")
    offer.may_load.clear()
    question = await ben.say(world.channel, "<@bot> who are you?")
    note = await world.discord.wait_for(lambda message: "I'm still loading" in message.content, timeout_s=10)
    assert re.search(r"last time it took \d+ s", note.content)
    offer.may_load.set()
    assert await world.said(question) == ["I am phi-int8"]


async def test_an_owner_chooses_for_everywhere_in_a_direct_message(world, stack, offer):
    lineup = Lineup("phi", 3_000_000, [offer("phi-int8")])
    await stack(lineup=lineup, rules={"owner_ids": frozenset({world.ada.user.id})})
    await choose(world, "phi-int8", "everywhere", world.ada.dm(), **{"for": "this server"})
    assert (await response(world, await world.ada.slash(world.channel, "model show")))[0] == text(
        "model.here_by_everywhere", model="phi-int8"
    )
    assert await world.said(await world.ada.say(world.channel, "<@bot> who are you?")) == ["I am phi-int8"]


async def test_a_server_elsewhere_has_just_its_model_and_a_choice_that_is_gone_is_told(world, stack, offer):
    world.give_role(world.ada, Permission.MANAGE_GUILD)
    await stack(lineup=Lineup("phi", 1, [offer("phi-int8")]))
    await choose(world, "phi-int8", "channel")
    await stack(lineup=Lineup("", None, is_elsewhere=True))
    assert await response(world, await world.ada.slash(world.channel, "model show")) == [
        "**In use here:** Echo-1",
        "-# phi-int8 was chosen here, but I don't have that model any more.",
        "**Device:** CPU",
        "• **Echo-1**: window 4096 tokens, speed not measured yet, loaded",
        "-# It runs on another machine, so there is only this one.",
    ]


async def test_a_list_of_any_length_fits_in_one_message(world, start, offer):
    unusable = {f"broken-{number}" * 20: "lacks everything " * 40 for number in range(50)}
    await start(*(offer(f"model-{number}" * 15) for number in range(60)), unusable=unusable)
    page = models_page(world.chat.models, Visitor(1, is_admin=True), "en")
    assert len(page) <= 2000
    assert page.count("• ") > 5
    assert page.count("-# and ") == 2
