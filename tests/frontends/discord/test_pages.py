from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.core.context import ContextMap, TurnTokens
from bot.core.messages import Receipt, Sampling, Turn, TurnState, Usage
from bot.frontends.discord.pages import BAR_CELLS, bar, context_page, details_page
from bot.texts import text

TURN = Turn(1, 1, None, 3, "why?", TurnState.DONE, 0.0, answer="because", asked="why?")
RECEIPT = Receipt("Phi-3", None, "GPU.0", "genai", Sampling(do_sample=True, temperature=0.7, top_p=0.9, seed=42), 5)
counts = st.lists(st.integers(0, 4096), min_size=7, max_size=7).filter(any)


@given(counts)
def test_a_bar_is_as_long_as_a_phone_is_wide_and_shows_every_part_there_is(tokens):
    cells = bar(tokens)
    assert len(cells) == BAR_CELLS
    assert len(set(cells)) == sum(count > 0 for count in tokens)


@given(counts)
def test_a_bar_keeps_the_parts_order_and_gives_more_tokens_no_fewer_cells(tokens):
    cells, signs = bar(tokens), dict.fromkeys(bar([1] * 7))
    assert sorted(cells, key=list(signs).index) == list(cells)
    lengths = [cells.count(sign) for sign in signs]
    for count, length in zip(tokens, lengths, strict=True):
        for other, its_length in zip(tokens, lengths, strict=True):
            assert count <= other or length >= its_length - 1


def test_a_bar_is_true_to_scale():
    assert bar([0, 0, 1024, 0, 0, 1024, 2048]) == "▒" * 5 + "░" * 5 + "·" * 10


def test_the_context_page_adds_up_and_leaves_out_what_is_not_there():
    turns = (
        TurnTokens(TURN, question_tokens=10, excerpt_tokens=0, answer_tokens=30),
        TurnTokens(replace(TURN, pinned=True), question_tokens=20, excerpt_tokens=40, answer_tokens=50),
        TurnTokens(TURN, question_tokens=1, excerpt_tokens=70, answer_tokens=2),
    )
    filled = ContextMap(1000, 12, 0, turns, 0, 250, 515, 250)
    page = context_page(filled, "en").splitlines()
    assert page[0] == text("context.head", used_tokens=235, window_tokens=1000)
    assert page[2:] == [
        f"`█` {text('context.system', tokens=12)}",
        f"`▒` {text('context.conversation', tokens=43)}",
        f"`▞` {text('context.attachments', tokens=70)}",
        f"`▄` {text('context.pinned', tokens=110)}",
        f"`░` {text('context.room', tokens=250)}",
        f"`·` {text('context.free', tokens=515)}",
        text("context.pins", limit_tokens=250),
    ]
    summed_up = replace(filled, dropped_turns=3, summary=TURN, summary_tokens=20, free_tokens=495)
    assert text("context.summarized", count=3) in context_page(summed_up, "en")
    assert text("context.dropped", count=3) in context_page(replace(filled, dropped_turns=3), "en")
    assert "pinned" not in context_page(ContextMap(1000, 12, 0, (), 0, 250, 738, 250), "en")


def test_the_details_of_a_sampled_answer_hold_all_that_its_receipt_does():
    usage = Usage(200, 41, dropped_turns=2, first_token_s=0.5, total_s=4.5, discarded_tokens=9)
    receipt = replace(RECEIPT, revision="abc", has_summary=True)
    page = details_page(replace(TURN, usage=usage, receipt=receipt, version=2, versions=3), "en")
    assert page.splitlines() == [
        text("details.head"),
        text("details.model_revision", model="Phi-3", revision="abc"),
        text("details.device", device="GPU.0", engine="genai"),
        text("details.sampled", seed=42, temperature=0.7, top_p=0.9),
        text("details.tokens", tokens_in=200, tokens_out=41),
        text("details.discarded", tokens=9),
        text("details.turns_used", count=5),
        text("details.has_summary"),
        text("details.turns_dropped", count=2),
        text("details.first_token", first_token_s="0.50"),
        text("details.speed", tokens_per_s="10.0"),
        text("details.version", version=2, versions=3),
        text("details.batch"),
    ]


def test_the_details_of_an_answer_that_was_not_measured_leave_out_what_is_not_known():
    page = details_page(TURN, "en")
    assert text("details.unknown") in page
    assert "tokens a second" not in page
    assert text("details.model", model="Phi-3") in details_page(replace(TURN, receipt=RECEIPT), "en")
    at_once = Usage(5, 1, first_token_s=0.1, total_s=0.1)
    assert "tokens a second" not in details_page(replace(TURN, usage=at_once), "en")
