"""What an answer looks like at each moment: from a snapshot to the messages that show it.

Decides nothing of when or where they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.core.chat import Phase, Snapshot
from bot.core.messages import Fault, Finish, Turn, TurnState
from bot.errors import WordFiltered
from bot.frontends.discord.attachments import notes_of
from bot.frontends.discord.split import LIMIT_CHARS, Splitter, sayable, split
from bot.texts import RUNNING_MARK, text

_ROOM_CHARS: Final = LIMIT_CHARS - len(RUNNING_MARK)
_LEAST_ROOM_CHARS: Final = 200  # of text above notes, however many there are
_MAYBE_FENCE = re.compile(r"[ \t]*+(?:`++|~~++)[^`\n]*+")


def placeholder(snapshot: Snapshot, locale: str) -> str:
    """Return what stands in the answer's message in place of text: where in line, how far loading is, that it grows."""
    loading = snapshot.loading
    if snapshot.phase is Phase.ANSWERING:
        return text("answer.writing", locale) + RUNNING_MARK
    if loading is None:
        key = {0: "answer.next", 1: "answer.waiting_one"}.get(snapshot.ahead, "answer.waiting")
        if snapshot.wait_s is None:
            return text(key, locale, ahead=snapshot.ahead) + RUNNING_MARK
        return text(f"{key}_s", locale, ahead=snapshot.ahead, wait_s=max(1, round(snapshot.wait_s))) + RUNNING_MARK
    fields = {"stage": text(loading.stage, locale), "elapsed_s": round(loading.elapsed_s)}
    if loading.last_time_s is None:
        return text("loading.wait", locale, **fields) + RUNNING_MARK
    return text("loading.wait_last", locale, **fields, last_time_s=round(loading.last_time_s)) + RUNNING_MARK


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an answer that has ended looks like: its messages, and the text of the file below the last of them."""

    contents: list[str]
    file: str | None = None


class Growing:
    """An answer of which more is to come, drawn each time that it has grown."""

    def __init__(self) -> None:
        self._splitter = Splitter(_ROOM_CHARS)

    def messages(self, answer: str, most: int | None = None) -> list[str]:
        """Return the messages of the answer so far, the first `most`: the last one, and only it, ends with the mark.

        The room for the mark is kept free in all of them, so that a full one is already what the final answer has.
        """
        found = [str(chunk) for chunk in self._splitter.chunks(_without_half_a_fence(answer))[:most]]
        if found:
            found[-1] += RUNNING_MARK
        return found


def _without_half_a_fence(answer: str) -> str:
    """Return the answer without a last line that may become a code block's: it would show as text for a moment."""
    before, _, last_line = answer.rpartition("\n")
    return before if _MAYBE_FENCE.fullmatch(last_line) else answer


def ended(
    snapshot: Snapshot,
    locale: str,
    file_notes: Sequence[str] = (),
    *,
    most: int | None = None,
    with_file: bool = True,
    is_out_of_time: bool = False,
) -> Drawn:
    """Return how an answer that has ended looks: its text, and a small line for every end that is not normal.

    Of one that was forgotten nothing stays. `file_notes`: what is known of why files of the question were not read.
    What does not fit in `most` messages is told, and is in the file, unless there is to be none. `is_out_of_time`: the
    answer was stopped because its place closes.
    """
    turn = snapshot.turn
    if turn and turn.state is TurnState.FORGOTTEN:
        return Drawn([])
    found = split(snapshot.text, _ROOM_CHARS)
    notes = _notes(turn, locale) if turn else []
    if turn and not isinstance(snapshot.error, WordFiltered):  # that file could be read
        notes += notes_of(turn, locale, told=file_notes)
    if is_out_of_time:
        notes = [
            text("answer.out_of_time", locale),
            *(note for note in notes if note != text("answer.stopped", locale)),
        ]
    if snapshot.error is not None:
        notes.insert(0, snapshot.error.user_message(locale))
    elif turn and turn.state is TurnState.FAILED:
        notes.insert(0, text("error.engine", locale))
    elif not found and turn and turn.state is TurnState.DONE:
        found = [text("answer.empty", locale)]
    contents = _with_notes(found, "\n".join(notes))
    if most is None or len(contents) <= most:
        return Drawn(contents)
    notes.insert(0, text("answer.as_file" if with_file else "answer.not_all", locale))
    return Drawn(_clipped(found[:most], "\n".join(notes)), sayable(snapshot.text) if with_file else None)


def _clipped(found: list[str], notes: str) -> list[str]:
    """Return the messages with the notes in the last of them, which loses what has no room above them."""
    room = max(_LEAST_ROOM_CHARS, LIMIT_CHARS - 1 - len(notes))
    last = split(found[-1], room)[0]
    return [*found[:-1], f"{last}\n{notes}"[:LIMIT_CHARS]]


def _notes(turn: Turn, locale: str) -> list[str]:
    notes = []
    if turn.state is TurnState.STOPPED:
        notes.append(text("answer.stopped", locale))
    elif turn.state is TurnState.INTERRUPTED:
        notes.append(text("answer.interrupted", locale))
    elif turn.finish is Finish.LENGTH:
        notes.append(text("answer.length", locale, tokens=turn.usage.completion_tokens))
    elif turn.finish is Finish.GUARD:
        notes.append(text(f"guard.{turn.usage.fault or Fault.LOOP}", locale))
    summarized = turn.receipt.newly_summarized_turns if turn.receipt else 0
    if summarized and turn.state is not TurnState.INTERRUPTED:
        key = "answer.summarized_one" if summarized == 1 else "answer.summarized"
        notes.append(text(key, locale, count=summarized))
    dropped = turn.usage.dropped_turns
    if dropped and turn.state is not TurnState.INTERRUPTED:
        key = "answer.dropped_one" if dropped == 1 else "answer.dropped"
        notes.append(text(key, locale, count=dropped))
    return notes


def _with_notes(found: list[str], notes: str) -> list[str]:
    if not notes:
        return found
    if found and len(found[-1]) + 1 + len(notes) <= LIMIT_CHARS:
        return [*found[:-1], f"{found[-1]}\n{notes}"]
    return [*found, notes]
