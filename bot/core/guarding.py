"""What generation does about the guard: how an answer is watched, cut back, and tried once more.

Owns the second try's sampling and which ids a cut leaves. The faults themselves are `bot.core.guard`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.core.guard import Guard
from bot.core.messages import Fault, Sampling, Turn
from bot.core.phi3 import Phi3Tokenizer
from bot.core.prompt import Prompt

SECOND_TRY = Sampling(do_sample=True, temperature=0.8, top_p=0.95)
"""Greedy decoding is what loops most (Holtzman et al. 2020, arXiv:1904.09751); a little chance leaves the rut, and more
would make a small model ramble. Takes the place of the first try's values, whatever they were."""

ENDED_WELL = frozenset({Fault.SELF_DIALOGUE, Fault.ROLE_MARKER})
"""Faults that leave a whole answer before them when the model ends right after: no second try then."""

_SPEAKER = re.compile(r"([^:\n]{1,48}): (.*)")


def watch(turn: Turn, prompt: Prompt) -> Guard:
    """Return a guard for one try at the turn's answer."""
    turns = [*prompt.turns, turn]
    return Guard(
        question=turn.asked or turn.question,
        questions=[said.question for said in turns],
        answers=[said.answer for said in prompt.turns],
        system_prompt=prompt.system_prompt if prompt.is_secret else "",
        names=sorted({name for said in turns for name in _names(said)}),
    )


def _names(turn: Turn) -> list[str]:
    """Return who asked, as the model was told: only in a shared conversation does it know names."""
    if turn.key is None or turn.key.user_id is not None:
        return []
    words = set(turn.asked.split("\n"))
    lines = map(_SPEAKER.fullmatch, turn.question.split("\n"))
    return [line[1] for line in lines if line and line[2] in words]


def second_try(sampling: Sampling) -> Sampling:
    """Return the second try's sampling: repeatable: the first one's seed plus one, or 1 for a greedy one."""
    return replace(SECOND_TRY, seed=((sampling.seed or 0) + 1) % 2**31)


def sound_ids(tokenizer: Phi3Tokenizer, ids: Sequence[int], keep_chars: int) -> tuple[int, ...]:
    """Return the first ids `(n,)` whose text is at most `keep_chars` long, ending with a whole character."""
    decoder = tokenizer.decoder()
    chars = count = 0
    for position, token in enumerate(ids, start=1):
        text = decoder.push((token,))
        chars += len(text)
        if chars > keep_chars:
            break
        if text:
            count = position
    return tuple(ids[:count])
