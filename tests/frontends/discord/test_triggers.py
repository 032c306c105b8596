import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.frontends.discord.triggers import (
    Extra,
    MessageFacts,
    Rules,
    SeenEvents,
    Trigger,
    instead_of_text,
    question_text,
    why,
)
from bot.texts import text

BOT, ROLE, ADA, GUILD, CHANNEL, PARENT = 1, 2, 3, 10, 20, 21


def message(content="hi", **changes):
    facts = {"guild_id": GUILD, "channel_id": CHANNEL, "our_user_id": BOT, "our_role_id": ROLE}
    return MessageFacts(content, **(facts | changes))


@pytest.mark.parametrize(
    ("facts", "trigger"),
    [
        (message("hi"), None),
        (message("<@1> hi"), Trigger.MENTION),
        (message("hi <@!1>"), Trigger.MENTION),
        (message("<@&2> hi"), Trigger.MENTION),
        (message("<@3> hi"), None),
        (message("<@&9> hi"), None),
        (message("<@1> hi", our_user_id=11, our_role_id=None), None),
        (message("hi", is_reply_to_us=True), Trigger.REPLY),
        (message("hi", guild_id=None), Trigger.DIRECT),
        (message("hi", guild_id=None, is_from_bot=True), None),
        (message("<@1> hi", is_from_bot=True), None),
        (message("<@1> hi", is_ordinary=False), None),
        (message("hi", is_reply_to_us=True, is_from_bot=True), None),
    ],
)
def test_a_person_is_answered_who_mentions_the_bot_replies_to_it_or_writes_to_it(facts, trigger):
    assert why(facts, Rules()) == trigger


def test_free_channels_and_their_threads_need_no_mention():
    rules = Rules(free_channel_ids=frozenset({CHANNEL, PARENT}))
    assert why(message(), rules) is Trigger.CHANNEL
    assert why(message(channel_id=99, parent_channel_id=PARENT), rules) is Trigger.CHANNEL
    assert why(message(channel_id=99), rules) is None
    assert why(message(is_from_bot=True), rules) is None


def test_free_channels_do_not_stop_mentions_elsewhere():
    assert why(message("<@1> hi", channel_id=99), Rules(free_channel_ids=frozenset({CHANNEL}))) is Trigger.MENTION


def test_in_a_free_channel_the_bot_keeps_out_of_what_is_meant_for_others():
    rules = Rules(free_channel_ids=frozenset({CHANNEL}))
    assert why(message("<@3> hi", addresses_others=True), rules) is None
    assert why(message("<@3> and <@1> hi", addresses_others=True), rules) is Trigger.MENTION


def test_allowed_guilds_leave_out_all_others_but_not_dms():
    rules = Rules(guild_ids=frozenset({99}))
    assert why(message("<@1> hi"), rules) is None
    assert why(message("<@1> hi", guild_id=99), rules) is Trigger.MENTION
    assert why(message(guild_id=None), rules) is Trigger.DIRECT


def test_dms_can_be_switched_off():
    assert why(message(guild_id=None), Rules(allow_dms=False)) is None


@pytest.mark.parametrize(
    ("content", "question"),
    [
        ("<@1> hello", "hello"),
        ("<@!1>, hello", "hello"),
        ("<@1>\n<@&2>: hello", "hello"),
        ("hello <@1>", "hello @Phibot"),
        ("<@1> who is <@3>?", "who is @Ada?"),
        ("<@1> who is <@!3>?", "who is @Ada?"),
        ("ask <@&5> in <#6>", "ask @Poets in #general"),
        ("<@77> <@&77> <#77>", "@unknown-user @unknown-role #unknown-channel"),
        ("<:wave:123> <a:party:4>", ":wave: :party:"),
        ("at <t:1700000000:R> say </ask:42>", "at <t:1700000000:R> say /ask"),
        ("  \n", ""),
        ("<@1>", ""),
    ],
)
def test_markup_becomes_what_people_see(content, question):
    names = {"@1": "Phibot", "@3": "Ada", "@&5": "Poets", "#6": "general"}
    assert question_text(message(content, names=names)) == question


@given(st.text(alphabet=st.characters(exclude_characters="<")))
def test_text_without_markup_is_left_alone(content):
    assert question_text(message(content)) == content.strip()


def test_a_forward_is_read_only_when_there_is_nothing_else():
    assert question_text(message("", forwarded="the news")) == "the news"
    assert question_text(message("<@1> why?", forwarded="the news")) == "why?"


@pytest.mark.parametrize("extra", Extra)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_kind_of_message_without_text_has_its_sentence(extra, trigger):
    key = instead_of_text(message("", extras=frozenset({extra})), trigger, content_is_withheld=False)
    assert key is not None
    assert text(key)


def test_a_bare_mention_is_told_how_to_ask():
    assert instead_of_text(message("<@1>"), Trigger.MENTION, content_is_withheld=True) == "empty.mention"


def test_without_the_intent_replies_are_told_why_and_free_channels_are_left_in_peace():
    assert instead_of_text(message(""), Trigger.REPLY, content_is_withheld=True) == "empty.withheld"
    assert instead_of_text(message(""), Trigger.CHANNEL, content_is_withheld=True) is None


def test_a_message_is_new_once_and_memory_is_bounded():
    seen = SeenEvents(capacity=2)
    assert [seen.is_new(number) for number in (1, 1, 2, 1, 3)] == [True, False, True, False, True]
    assert seen.is_new(1)
