"""Lines typed in the terminal, read by the options that commands registered."""

import pytest

from bot.playground.commanding import UnknownCommandError
from bot.playground.model import Command
from bot.playground.typed import Typed, UsageError, parse

TEXT, NUMBER, YES_NO, A_FILE = 3, 4, 5, 11
QUESTION = {"name": "question", "type": TEXT, "required": True}
COMMANDS = [
    Command(1, 1, {"name": "ask", "options": [QUESTION, {"name": "file", "type": A_FILE}]}),
    Command(
        2,
        1,
        {
            "name": "reset",
            "options": [
                {
                    "name": "where",
                    "type": TEXT,
                    "choices": [
                        {"name": "this channel", "value": "here"},
                        {"name": "this", "value": "it"},
                        {"name": "everywhere", "value": "all"},
                    ],
                }
            ],
        },
    ),
    Command(
        3,
        1,
        {
            "name": "admin",
            "options": [
                {
                    "name": "limit",
                    "type": 1,
                    "options": [
                        {"name": "count", "type": NUMBER, "required": True, "min_value": 1, "max_value": 1000},
                        {"name": "hard", "type": YES_NO},
                        {"name": "why", "type": TEXT},
                    ],
                }
            ],
        },
    ),
]


@pytest.mark.parametrize(
    ("line", "name", "options"),
    [
        ("/ask what is  a token?", "ask", {"question": "what is  a token?"}),
        ("/reset", "reset", {}),
        ("/reset Everywhere", "reset", {"where": "all"}),
        ("/RESET", "reset", {}),
        ("/Admin LIMIT 3", "admin limit", {"count": 3}),
        ("/reset this channel", "reset", {"where": "here"}),
        ("/reset this", "reset", {"where": "it"}),
        ("/admin limit 3", "admin limit", {"count": 3}),
        ("/admin limit 3 yes because I say so", "admin limit", {"count": 3, "hard": True, "why": "because I say so"}),
        ("/ask question:what is a token?", "ask", {"question": "what is a token?"}),
        ("/ask what is this question: a test?", "ask", {"question": "what is this question: a test?"}),
        ("/reset where:this channel", "reset", {"where": "here"}),
        ("/admin limit why: it is late count:3", "admin limit", {"count": 3, "why": "it is late"}),
        ("/admin limit count:3 hard:no", "admin limit", {"count": 3, "hard": False}),
    ],
)
def test_options_are_read_from_the_line(line, name, options) -> None:
    assert parse(line, COMMANDS) == Typed(name, options)


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("/ask", "/ask <question>"),
        ("/reset there", "/reset [this channel|this|everywhere]"),
        ("/reset everywhere now", "/reset [this channel|this|everywhere]"),
        ("/admin", "/admin limit"),
        ("/admin limit many", "/admin limit <count> [hard] [why]"),
        ("/admin limit 1001", "/admin limit <count> [hard] [why]"),
        ("/admin limit count:0", "/admin limit <count> [hard] [why]"),
        ("/admin limit hard:yes", "/admin limit <count> [hard] [why]"),
        ("/admin limit count: hard:yes", "/admin limit <count> [hard] [why]"),
        ("/admin limit count:3 count:4", "/admin limit <count> [hard] [why]"),
        ("/admin limit count:3 4", "/admin limit <count> [hard] [why]"),
    ],
)
def test_a_line_that_does_not_fit_is_answered_with_the_usage(line, usage) -> None:
    with pytest.raises(UsageError) as error:
        parse(line, COMMANDS)
    assert str(error.value) == usage


def test_an_unknown_command_is_named() -> None:
    with pytest.raises(UnknownCommandError, match="nothing"):
        parse("/nothing", COMMANDS)
