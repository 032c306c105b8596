"""What each person may use, and that nothing gets around it: a real chat on a real database."""

import asyncio
import threading
from dataclasses import replace

import pytest

from bot.core.chat import Phase, Taken
from bot.core.engine import EngineInfo
from bot.core.history import NothingToJoin
from bot.core.messages import ConversationKey, Finish, Summarizes, TurnState
from bot.core.preferences import Preference
from bot.core.quotas import EVERYBODY, Limits, Rule, Subject
from bot.core.spending import DAY_S, EVERYWHERE
from bot.core.visitor import Visitor
from bot.engine.echo import Fail, Hang, Say
from bot.errors import CooldownRuns, QuotaReached, TokensPromised, TokensUsedUp, TokensUsedUpHere, TooManyQuestions
from chat_on_disk import ADA, BEN, INFO, asked, end_of, until

HOME, AWAY = 501, 502  # servers
HELPERS, CROWD = 71, 72  # roles
IN_HOME = ConversationKey(10, ADA, HOME)
ELSEWHERE_IN_HOME = ConversationKey(11, ADA, HOME)
IN_AWAY = ConversationKey(20, ADA, AWAY)
IN_DM = ConversationKey(30, ADA)


@pytest.fixture
def start(world):
    async def start(**options):
        chat = await world.start(**{"per_user_per_minute": 1000, "max_new_tokens": 50, **options})
        start.resumed = await chat.resume()
        return chat

    return start


def ada(guild_id=HOME, *roles):
    return Visitor(ADA, guild_id, (10,), frozenset(roles))


def asks(text, key=IN_HOME, *roles, user_id=ADA):
    visitor = Visitor(user_id, key.guild_id, (key.channel_id,), frozenset(roles))
    return replace(asked(text, key, user_id), visitor=visitor)


def spent(chat, visitor=None):
    """Return what was used everywhere, and in the visitor's server."""
    return tuple(standing.spent_tokens for standing in chat.quotas.standing(visitor or ada()))


# What a question costs


async def test_an_answer_costs_the_tokens_of_the_question_and_its_own_and_the_history_costs_nothing(
    world, start, tokenizer
):
    chat = await start()
    for count, words in enumerate(["how are you?", "and now, after all that?"], start=1):
        turn = (await end_of(await chat.ask(asks(words)))).turn
        cost = len(tokenizer.encode(words)) + len(tokenizer.encode("fine"))
        assert cost == len(turn.question_ids) + turn.usage.completion_tokens
        assert turn.usage.prompt_tokens > cost or count == 1
    assert spent(chat) == (sum(len(tokenizer.encode(w)) + 1 for w in ("how are you?", "and now, after all that?")),) * 2


async def test_whatever_ends_an_answer_what_was_generated_of_it_is_charged(world, start, tokenizer):
    chat = await start()
    one = len(tokenizer.encode("hi"))
    said = len(tokenizer.encode("some words"))
    charged = 0
    for ending in ("stop", "forget", "edit", "fail", "reset"):
        world.say("some words", Fail() if ending == "fail" else Hang())
        question = asks("hi")
        answer = await chat.ask(question)
        await until(answer, lambda s: s.text == "some words" or s.phase is Phase.ENDED)
        charged += one + said
        world.say("fine")
        if ending == "stop":
            answer.stop()
        elif ending == "forget":
            await chat.forget_messages([question.message_id])
        elif ending == "edit":
            assert await chat.edit(replace(question, text="hi hi")) is Taken.JOINED
            charged += len(tokenizer.encode("hi hi")) + 1
        elif ending == "reset":
            await chat.reset(IN_HOME)
        end = await end_of(answer)
        assert spent(chat) == (charged, charged), ending
        assert (end.turn.state is TurnState.FAILED) == (ending == "fail")
    await world.stop()
    assert spent(await start()) == (charged, charged)


@pytest.mark.parametrize("is_deleted", [True, False])
async def test_what_is_not_stored_is_charged_also_when_it_is_deleted_on_the_way(world, start, tokenizer, is_deleted):
    chat = await start()
    await chat.preferences.choose(ADA, Preference.NO_STORE, True)
    world.say("some words", Hang())
    question = asks("hi")
    answer = await chat.ask(question)
    await until(answer, lambda s: s.text == "some words")
    if is_deleted:
        await chat.forget_messages([question.message_id])
    else:
        answer.stop()
    await end_of(answer)
    assert await chat.turn(answer.turn_id) is None
    await world.stop()
    cost = len(tokenizer.encode("hi")) + len(tokenizer.encode("some words"))
    assert spent(await start()) == (cost, cost)


async def test_versions_continued_answers_edits_and_summaries_cost_what_they_generate(world, start, tokenizer):
    chat = await start(max_new_tokens=4)
    world.say("one two three four five six")
    question = asks("count")
    turn = (await end_of(await chat.ask(question))).turn
    assert turn.finish is Finish.LENGTH
    charged = len(turn.question_ids) + 4
    again = (await end_of(await chat.regenerate(turn.id))).turn
    charged += len(turn.question_ids) + 4
    assert spent(chat) == (charged, charged)
    more = (await end_of(await chat.go_on(again.id))).turn
    charged += more.usage.completion_tokens - 4
    assert more.usage.completion_tokens > 4
    assert spent(chat) == (charged, charged)
    world.say("fine")
    edited = (await end_of(await chat.edit(replace(question, text="count now")))).turn
    charged += len(edited.question_ids) + 1
    assert spent(chat) == (charged, charged)
    summary = (await end_of(await chat.summarize(IN_HOME, ada()))).turn
    charged += len(summary.question_ids) + summary.usage.completion_tokens
    assert spent(chat) == (charged, charged)


async def test_what_the_guard_threw_away_is_charged_too(world, start, tokenizer):
    chat = await start()
    drawn = []

    def play(_request):
        for token in tokenizer.encode(" ".join(["word"] * 60)):
            drawn.append(token)
            yield Say((token,))

    world.script = play
    turn = (await end_of(await chat.ask(asks("hi")))).turn
    assert turn.usage.discarded_tokens > turn.usage.completion_tokens
    shown = len(turn.question_ids) + turn.usage.completion_tokens + turn.usage.discarded_tokens
    assert shown <= spent(chat)[0] <= len(turn.question_ids) + len(drawn)


async def test_who_has_somebody_elses_answer_made_again_or_continued_pays_for_it(world, start):
    chat = await start(max_new_tokens=2)
    ben = Visitor(BEN, HOME)
    world.say("one two three four")
    turn = (await end_of(await chat.ask(asks("count")))).turn
    before = spent(chat)
    again = (await end_of(await chat.regenerate(turn.id, visitor=ben))).turn
    assert spent(chat) == before
    assert spent(chat, ben) == before
    await end_of(await chat.go_on(again.id, visitor=ben))
    assert spent(chat) == before
    assert spent(chat, ben) == (before[0] + 2, before[0] + 2)


async def test_a_summary_that_is_made_by_itself_costs_nobody_anything(world, start, tokenizer):
    chat = await start(info=EngineInfo("echo", "Echo", "none", 160, 4), auto_summarize=True)
    world.say("fine")
    charged = 0
    for number in range(6):
        turn = (await end_of(await chat.ask(asks(f"{number} and a few more words beside that")))).turn
        charged += len(turn.question_ids) + turn.usage.completion_tokens
        while chat.status().running or chat.status().waiting:
            await asyncio.sleep(0.001)
    made = await world.history.fetch("SELECT summarizes FROM turns WHERE summarizes IS NOT NULL", {})
    assert {row["summarizes"] for row in made} == {Summarizes.CUT.value}
    assert spent(chat) == (charged, charged)


# Tokens a day


async def test_who_has_used_up_the_day_is_told_when_it_ends_and_goes_on_then(world, start):
    chat = await start(tokens_per_day=5)
    world.say("one two three four five")
    question = asks("count")
    turn = (await end_of(await chat.ask(question))).turn
    midnight = (world.now // DAY_S + 1) * DAY_S
    refused = {"limit_tokens": 5, "renews_at": midnight}
    for way in (
        lambda: chat.ask(asks("more")),
        lambda: chat.ask(asks("more", ELSEWHERE_IN_HOME)),
        lambda: chat.ask(asks("more", IN_AWAY)),
        lambda: chat.ask(asks("more", IN_DM)),
        lambda: chat.edit(replace(question, text="count again")),
        lambda: chat.regenerate(turn.id, visitor=ada()),
        lambda: chat.regenerate(turn.id),
        lambda: chat.summarize(IN_HOME, ada()),
    ):
        with pytest.raises(TokensUsedUp) as told:
            await way()
        assert told.value.fields == refused
    with pytest.raises(TokensUsedUp):
        chat.check_quota(ada(), IN_HOME)
    await end_of(await chat.ask(asks("more", user_id=BEN)))
    await world.stop()
    chat = await start(tokens_per_day=5)
    with pytest.raises(TokensUsedUp):
        await chat.ask(asks("more"))
    world.now = midnight - 1
    with pytest.raises(TokensUsedUp):
        await chat.ask(asks("more"))
    world.now = midnight
    assert (await end_of(await chat.ask(asks("more")))).error is None
    days = await world.history.fetch("SELECT DISTINCT day FROM spending", {})
    assert [row["day"] for row in days] == [midnight // DAY_S]


async def test_a_clock_that_is_put_back_gives_nothing_back(world, start):
    chat = await start(tokens_per_day=1)
    await end_of(await chat.ask(asks("hi")))
    world.now -= 2 * DAY_S
    with pytest.raises(TokensUsedUp):
        await chat.ask(asks("more"))


async def test_a_servers_quota_counts_what_is_done_there_and_no_more(world, start):
    chat = await start()
    await chat.quotas.choose(HOME, EVERYBODY, Rule(tokens_per_day=3))
    await end_of(await chat.ask(asks("hi", IN_DM)))
    await end_of(await chat.ask(asks("hi", IN_AWAY)))
    assert spent(chat, ada(AWAY)) == (4, 2)
    await end_of(await chat.ask(asks("hi")))
    await end_of(await chat.ask(asks("hi")))
    for key in (IN_HOME, ELSEWHERE_IN_HOME):
        with pytest.raises(TokensUsedUpHere) as refused:
            await chat.ask(asks("hi", key))
        assert refused.value.fields["limit_tokens"] == 3
    for key in (IN_AWAY, IN_DM):
        await end_of(await chat.ask(asks("hi", key)))


async def test_of_many_questions_at_once_only_as_many_are_taken_as_are_sure_to_fit_and_one(world, start, tokenizer):
    longest = 50 + len(tokenizer.encode("hi"))
    chat = await start(tokens_per_day=2 * longest + 1, is_guarded=False)
    world.say(" ".join(["word"] * 60))
    places = [ConversationKey(100 + number, ADA, HOME) for number in range(20)]
    asking = [chat.ask(asks("hi", key)) for key in places]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    taken = [one for one in outcomes if not isinstance(one, BaseException)]
    assert len(taken) == 3
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} == {TokensPromised}
    for answer in taken:
        await end_of(answer)
    assert spent(chat)[0] == 3 * longest
    with pytest.raises(TokensUsedUp):
        await chat.ask(asks("hi"))


async def test_what_was_promised_and_not_used_is_free_again(world, start):
    chat = await start(tokens_per_day=20)
    world.say("a", Hang())
    answer = await chat.ask(asks("hi"))
    await until(answer, lambda s: s.phase is Phase.ANSWERING)
    with pytest.raises(TokensPromised) as refused:
        await chat.ask(asks("hi", IN_DM))
    assert 0 < refused.value.fields["left_tokens"] < 20
    answer.stop()
    await end_of(answer)
    world.say("fine")
    assert (await end_of(await chat.ask(asks("hi", IN_DM)))).error is None


@pytest.mark.parametrize("waits", [False, True])
async def test_an_edit_is_let_in_by_what_was_promised_to_the_answer_that_it_ends(world, start, waits):
    chat = await start(tokens_per_day=30, info=replace(INFO, slots=1))
    world.say("a", Hang())
    if waits:
        bens = await chat.ask(asks("hi", ConversationKey(10, BEN, HOME), user_id=BEN))
        await until(bens, lambda s: s.phase is Phase.ANSWERING)
    earlier, question = asks("one", IN_DM), asks("hi")
    answer = await chat.ask(question)
    if not waits:
        await until(answer, lambda s: s.text == "a")
    for asking in (chat.ask(earlier), chat.ask(asks("more", IN_AWAY))):
        with pytest.raises(TokensPromised):
            await asking
    world.say("fine")
    assert await chat.edit(replace(question, text="hello")) is Taken.JOINED
    if waits:
        bens.stop()
    end = await end_of(answer)
    assert (end.turn.asked, end.text) == ("hello", "fine")


async def test_an_edit_of_another_question_is_refused_while_all_is_promised_to_an_answer_on_its_way(world, start):
    chat = await start(tokens_per_day=30)
    earlier = asks("one", IN_DM)
    await end_of(await chat.ask(earlier))
    world.say("a", Hang())
    answer = await chat.ask(asks("hi"))
    await until(answer, lambda s: s.text == "a")
    with pytest.raises(TokensPromised):
        await chat.edit(replace(earlier, text="two"))
    answer.stop()


async def test_a_process_that_is_killed_loses_no_charge_of_what_it_had_written_down(world, start, tokenizer, tmp_path):
    chat = await start()
    goes_on = threading.Event()

    def play(_request):
        yield Say(tokenizer.encode("some"))
        while not goes_on.is_set():
            yield Say(())
        yield Say(tokenizer.encode("words"))
        yield Hang()

    world.script = play
    answer = await chat.ask(asks("hi there"))
    await until(answer, lambda s: s.text == "some")
    world.monotonic += 10  # so that the next token writes the text down
    goes_on.set()
    async with asyncio.timeout(10):
        while (written := await chat.turn(answer.turn_id)).answer != "some words":
            await asyncio.sleep(0.001)
    await world.kill(tmp_path / "killed.sqlite3")
    world.say("and an end")
    chat = await start()
    [resumed] = start.resumed
    turn = (await end_of(resumed)).turn
    assert turn.answer_ids[: len(written.answer_ids)] == written.answer_ids
    cost = len(tokenizer.encode("hi there")) + len(turn.answer_ids)
    assert spent(chat) == (cost, cost)


async def test_a_question_is_charged_in_the_moment_in_which_it_is_begun(world, start, tokenizer, tmp_path):
    chat = await start()
    world.say(Hang())
    await until(await chat.ask(asks("hi there")), lambda s: s.phase is Phase.ANSWERING)
    await world.kill(tmp_path / "killed.sqlite3")
    world.say("fine")
    chat = await start()
    [resumed] = start.resumed
    await end_of(resumed)
    cost = len(tokenizer.encode("hi there")) + 1
    assert spent(chat) == (cost, cost)


async def test_an_answer_that_a_restart_interrupts_is_charged_once(world, start, tokenizer):
    chat = await start()
    world.say("some words", Hang())
    answer = await chat.ask(asks("hi there"))
    await until(answer, lambda s: s.text == "some words")
    await chat.drain(0)
    await world.stop()
    world.say("and an end")
    chat = await start()
    [resumed] = start.resumed
    await end_of(resumed)
    turn = await chat.turn(answer.turn_id)
    assert turn.answer.startswith("some words")
    cost = len(tokenizer.encode("hi there")) + len(turn.answer_ids)
    assert spent(chat) == (cost, cost)


# Questions a minute and cooldown


async def test_each_server_and_all_places_together_have_their_own_minute(world, start):
    chat = await start(per_user_per_minute=3)
    await chat.quotas.choose(HOME, EVERYBODY, Rule(per_minute=1))
    await end_of(await chat.ask(asks("one")))
    world.monotonic = 20
    with pytest.raises(TooManyQuestions) as refused:
        await chat.ask(asks("two", ELSEWHERE_IN_HOME))
    assert refused.value.fields == {"per_minute": 1, "retry_after_s": 40}
    await end_of(await chat.ask(asks("two", IN_AWAY)))
    await end_of(await chat.ask(asks("three", IN_DM)))
    with pytest.raises(TooManyQuestions) as refused:
        await chat.ask(asks("four", IN_DM))
    assert refused.value.fields == {"per_minute": 3, "retry_after_s": 40}
    world.monotonic = 60
    await end_of(await chat.ask(asks("four")))


async def test_a_cooldown_counts_from_the_last_question_wherever_it_was_asked(world, start):
    chat = await start(cooldown_s=30)
    question = asks("one")
    turn = (await end_of(await chat.ask(question))).turn
    world.monotonic = 10.5
    for way in (
        lambda: chat.ask(asks("two", IN_DM)),
        lambda: chat.edit(replace(question, text="eins")),
        lambda: chat.regenerate(turn.id),
        lambda: chat.summarize(IN_HOME, ada()),
    ):
        with pytest.raises(CooldownRuns) as refused:
            await way()
        assert refused.value.fields == {"cooldown_s": 30, "retry_after_s": 20}
    world.monotonic = 30
    await end_of(await chat.ask(asks("two", IN_DM)))


async def test_quick_lines_that_join_a_question_that_waits_are_one_question(world, start):
    chat = await start(cooldown_s=30, per_user_per_minute=2)
    oldest = await chat.ask(asks("zero"))
    await end_of(oldest)
    world.monotonic = 60
    world.say("a", Hang())
    first = await chat.ask(asks("one"))
    await until(first, lambda s: s.phase is Phase.ANSWERING)
    world.monotonic = 90
    second = await chat.ask(asks("two"))
    chat.check_quota(ada(), IN_HOME)
    for line in ("and", "one", "more"):
        assert await chat.ask(asks(line)) is Taken.JOINED
    assert (await chat.turn(second.turn_id)).question == "two\nand\none\nmore"
    with pytest.raises(QuotaReached):
        await chat.ask(asks("elsewhere", ELSEWHERE_IN_HOME))
    with pytest.raises(QuotaReached):  # it would follow an older one: a question of its own
        await chat.ask(asks("aside"), parent_id=oldest.turn_id)
    first.stop()
    await end_of(first)


async def test_a_line_that_no_longer_fits_to_the_question_that_waits_is_a_question_of_its_own(world, start):
    chat = await start(cooldown_s=30)
    world.say("a", Hang())
    first = await chat.ask(asks("one"))
    await until(first, lambda s: s.phase is Phase.ANSWERING)
    world.monotonic = 30
    await chat.ask(asks("word " * 180))
    with pytest.raises(CooldownRuns):
        await chat.ask(asks("word " * 180))


async def test_the_store_begins_no_turn_for_what_may_only_join(world, start):
    chat = await start()
    with pytest.raises(NothingToJoin):
        await world.history.accept(asks("hi"), may_begin=False)
    assert (await chat.history(IN_HOME, 9)).turns == []


async def test_a_restart_gives_no_questions_back(world, start):
    limits = {"per_user_per_minute": 2, "cooldown_s": 600}
    chat = await start(**{**limits, "cooldown_s": 0})
    for text in ("one", "two"):
        await end_of(await chat.ask(asks(text)))
    await world.stop()
    world.now += 30
    chat = await start(**limits)
    with pytest.raises(CooldownRuns) as refused:
        await chat.ask(asks("three"))
    assert refused.value.fields["retry_after_s"] == 570
    [everywhere, here] = chat.quotas.standing(ada())
    assert (everywhere.left_questions, everywhere.minute_renews_in_s, here.left_questions) == (0, 30, None)


async def test_a_pause_of_minutes_holds_while_others_ask_also_one_for_a_role(world, start):
    chat = await start(cooldown_s=300)
    await chat.quotas.choose(HOME, Subject("role", HELPERS), Rule(cooldown_s=900))
    await end_of(await chat.ask(asks("one", IN_HOME, HELPERS)))
    for later_s, somebody, key, left_s in ((290, BEN, IN_DM, 10), (100, BEN + 1, IN_HOME, 510)):
        world.monotonic += later_s
        await end_of(await chat.ask(asks("meanwhile", ConversationKey(40, somebody), user_id=somebody)))
        with pytest.raises(CooldownRuns) as refused:
            await chat.ask(asks("two", key, HELPERS))
        assert refused.value.fields["retry_after_s"] == left_s


# Whom what holds for


@pytest.mark.parametrize(
    ("roles", "limits"),
    [
        ((), Limits(5, 10, 100)),
        ((99,), Limits(5, 10, 100)),
        ((HELPERS,), Limits(2, 10, 50)),
        ((CROWD,), Limits(20, 30, 100)),
        ((HELPERS, CROWD), Limits(2, 30, 50)),
        ((HELPERS, 73), Limits()),
    ],
)
async def test_of_several_roles_the_most_generous_holds_for_each_limit(start, roles, limits):
    chat = await start()
    await chat.quotas.choose(HOME, EVERYBODY, Rule(5, 10, 100))
    await chat.quotas.choose(HOME, Subject("role", HELPERS), Rule(cooldown_s=2, tokens_per_day=50))
    await chat.quotas.choose(HOME, Subject("role", CROWD), Rule(cooldown_s=20, per_minute=30))
    await chat.quotas.choose(HOME, Subject("role", 73), Rule(is_unlimited=True))
    assert chat.quotas.limits_of(ada(HOME, *roles), HOME) == limits
    assert chat.quotas.limits_of(ada(AWAY, *roles), AWAY) == Limits()
    assert chat.quotas.limits_of(ada(HOME, *roles), EVERYWHERE) == Limits(None, 1000, None)


async def test_what_is_chosen_for_a_person_goes_before_their_roles(start):
    chat = await start(cooldown_s=3, tokens_per_day=7)
    await chat.quotas.choose(HOME, Subject("role", HELPERS), Rule(is_unlimited=True))
    await chat.quotas.choose(HOME, Subject("user", ADA), Rule(tokens_per_day=9))
    assert chat.quotas.limits_of(ada(HOME, HELPERS), HOME) == Limits(None, None, 9)
    await chat.quotas.choose(None, Subject("user", ADA), Rule(cooldown_s=0, per_minute=4))
    assert chat.quotas.limits_of(ada(), EVERYWHERE) == Limits(None, 4, 7)
    await chat.quotas.choose(None, Subject("user", ADA), Rule(is_unlimited=True))
    assert chat.quotas.limits_of(ada(), EVERYWHERE) == Limits()
    await chat.quotas.choose(None, Subject("user", ADA), None)
    assert chat.quotas.limits_of(ada(), EVERYWHERE) == Limits(3, 1000, 7)


async def test_owners_have_no_limits_anywhere(world, start):
    chat = await start(tokens_per_day=1, cooldown_s=60, unlimited_user_ids=frozenset({ADA}))
    await chat.quotas.choose(HOME, EVERYBODY, Rule(60, 1, 1))
    for text in ("one", "two", "three"):
        assert (await end_of(await chat.ask(asks(text)))).error is None
    assert chat.quotas.limits_of(ada(), HOME) == Limits()


async def test_what_is_chosen_adds_to_what_was_and_survives_a_restart_until_it_is_taken_away(world, start):
    chat = await start()
    helpers = Subject("role", HELPERS)
    assert await chat.quotas.choose(HOME, EVERYBODY, Rule(cooldown_s=5))
    assert await chat.quotas.choose(HOME, EVERYBODY, Rule(tokens_per_day=100))
    assert not await chat.quotas.choose(HOME, EVERYBODY, Rule(tokens_per_day=100))
    assert await chat.quotas.choose(HOME, helpers, Rule(per_minute=3))
    assert await chat.quotas.choose(HOME, helpers, Rule(is_unlimited=True))
    await world.stop()
    chat = await start()
    assert chat.quotas.rules(HOME) == {
        EVERYBODY: Rule(cooldown_s=5, tokens_per_day=100),
        helpers: Rule(is_unlimited=True),
    }
    assert chat.quotas.rules(None) == {}
    assert await chat.quotas.choose(HOME, helpers, Rule(per_minute=4))
    assert chat.quotas.rules(HOME)[helpers] == Rule(per_minute=4, is_unlimited=False)
    assert await chat.quotas.choose(HOME, EVERYBODY, None)
    assert not await chat.quotas.choose(HOME, EVERYBODY, None)
    assert list(chat.quotas.rules(HOME)) == [helpers]


# Grants


async def test_of_what_two_admins_choose_in_the_same_moment_nothing_is_lost(world, start):
    chat = await start()
    ben, crowd = Subject("user", BEN), Subject("role", CROWD)
    await asyncio.gather(
        chat.quotas.choose(HOME, ben, Rule(per_minute=3)),
        chat.quotas.choose(HOME, crowd, Rule(tokens_per_day=500)),
        chat.quotas.choose(HOME, ben, Rule(cooldown_s=7)),
    )
    chosen = {ben: Rule(cooldown_s=7, per_minute=3), crowd: Rule(tokens_per_day=500)}
    assert chat.quotas.rules(HOME) == chosen
    await world.stop()
    assert (await start()).quotas.rules(HOME) == chosen


async def test_a_grant_is_for_today_and_for_one_place(world, start):
    chat = await start(tokens_per_day=2)
    await end_of(await chat.ask(asks("hi")))
    with pytest.raises(TokensUsedUp):
        await chat.ask(asks("hi"))
    assert await chat.quotas.grant(HOME, ADA, 100) == 100  # of no use: it is everywhere that nothing is left
    with pytest.raises(TokensUsedUp):
        await chat.ask(asks("hi"))
    grants = [chat.quotas.grant(None, ADA, 2) for _ in range(2)]
    assert sorted(await asyncio.gather(*grants)) == [2, 4]
    await world.stop()
    chat = await start(tokens_per_day=2)
    [everywhere, here] = chat.quotas.standing(ada())
    assert (everywhere.granted_tokens, everywhere.left_tokens, here.granted_tokens) == (4, 4, 100)
    for _ in range(2):
        await end_of(await chat.ask(asks("hi")))
    with pytest.raises(TokensUsedUp) as refused:
        await chat.ask(asks("hi"))
    assert refused.value.fields["limit_tokens"] == 6
    world.now += DAY_S
    [everywhere, here] = chat.quotas.standing(ada())
    assert (everywhere.granted_tokens, everywhere.left_tokens, here.granted_tokens) == (0, 2, 0)


async def test_what_is_left_is_told_as_it_is(world, start):
    chat = await start(per_user_per_minute=5, cooldown_s=30, tokens_per_day=100)
    await chat.quotas.choose(HOME, EVERYBODY, Rule(tokens_per_day=3))
    await end_of(await chat.ask(asks("hi")))
    world.monotonic = 10
    [everywhere, here] = chat.quotas.standing(ada())
    assert (everywhere.place_id, everywhere.limits) == (EVERYWHERE, Limits(30, 5, 100))
    assert (everywhere.spent_tokens, everywhere.left_tokens, everywhere.left_questions) == (2, 98, 4)
    assert (everywhere.cooldown_left_s, everywhere.minute_renews_in_s) == (20, 50)
    assert (here.place_id, here.limits, here.left_tokens) == (HOME, Limits(tokens_per_day=3), 1)
    assert (here.left_questions, here.cooldown_left_s) == (None, 0)
    assert [standing.place_id for standing in chat.quotas.standing(ada(None))] == [EVERYWHERE]
