"""The conversations that the demo model is trained on: made up, endless, and never contradicting themselves.

Owns what people say to the demo model (carelessly typed, in many wordings) and what it should answer. An answer that
depends on the conversation is worked out from a `Memory` of what was told so far, so that it is right by construction:
the newest value wins, and what was never told is said to be unknown. Knows nothing of tokens, models or training.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import demo_facts
from demo_phrases import (
    ABOUT_ITSELF,
    ANYTHING_ELSE,
    CHAT,
    GOODBYES,
    GREETINGS,
    SYSTEM_PROMPTS,
    THANKS,
    TOPICS,
    WORDS,
)
from demo_spelling import Spelling
from demo_wording import wording

_QUOTED_CHARS = 50


@dataclass(frozen=True)
class Exchange:
    """One user turn with its answer; `task` names what it exercises, `value` is what the answer has to contain."""

    user: str
    answer: str
    task: str
    value: str = ""


@dataclass
class Memory:
    """What the user has told so far in one conversation, newest value of each fact."""

    facts: dict[str, str] = field(default_factory=dict)
    exchanges: int = 0

    @property
    def name(self) -> str | None:
        """The user's newest name, None if never told."""
        return self.facts.get("name")


class Talk:
    """One conversation in the making: draws the next exchange and remembers what was told."""

    def __init__(self, rng: random.Random, spelling: Spelling, focus: float) -> None:
        self._rng = rng
        self._spelling = spelling
        self._focus = focus
        self._tells = rng.random() > 0.15  # some only ask, and must hear that they have told nothing
        self._last = ""  # what the user said before, if it is short enough to be quoted
        self.memory = Memory()

    def exchange(self) -> Exchange:
        """Return the next exchange; about `focus` of them tell, ask or repeat something, the rest is small talk."""
        rng = self._rng
        made = self._joined() if rng.random() < 0.09 else self._single()
        self.memory.exchanges += 1
        self._last = made.user if len(made.user) <= _QUOTED_CHARS and "\n" not in made.user else ""
        mention = rng.random()
        if mention < 0.06:
            self._last = ""
            return Exchange(f"@Phibot {made.user}", made.answer, made.task, made.value)
        if mention < 0.08:
            self._last = ""
            return Exchange(f"@{self._spelling.name()} {made.user}", made.answer, made.task, made.value)
        return made

    def _joined(self) -> Exchange:
        """Several messages that were joined into one turn, answered one after the other."""
        joiner = self._rng.choice(("\n", "\n", "\n", ". ", ", ", " and "))
        parts = [self._single(plain=joiner != "\n") for _ in range(self._rng.choice((2, 2, 3)))]
        if joiner == "\n" and self._rng.random() < 0.15:
            joiner = "\n@Phibot "  # each of the messages mentioned the bot; exchange() adds the first mention
        user = joiner.join(part.user if "\n" in joiner else part.user.rstrip(".,!?") for part in parts)
        return Exchange(user, " ".join(part.answer for part in parts), "joined", parts[-1].value)

    def _single(self, *, plain: bool = False) -> Exchange:
        rng = self._rng
        if rng.random() < self._focus:
            kinds: tuple[tuple[Callable[[], Exchange], float], ...] = (
                (self._tell_name, 0.0 if not self._tells else 0.22 if self.memory.name is None else 0.06),
                (self._ask_name, 0.2 if self.memory.name else 0.08),
                (self._tell_fact, 0.22 if self._tells else 0.0),
                (self._ask_fact, 0.27),
                (self._ask_everything, 0.02),
                (self._ask_two, 0.02),
                (self._ask_last, 0.0 if plain or not self._last else 0.03),
                (self._repeat, 0.0 if plain else 0.2),
            )
        else:
            kinds = (
                (self._greet, 0.16 if self.memory.exchanges else 0.4),
                (self._chat, 0.48),
                (self._cannot, 0.0 if plain else 0.36),
                (self._thank, 0.04),
                (self._leave, 0.04),
            )
        draw = rng.choices([kind for kind, _ in kinds], weights=[weight for _, weight in kinds])[0]
        return draw()

    def _tell_name(self) -> Exchange:
        old, new = self.memory.name, self._spelling.name()
        self.memory.facts["name"] = new
        if old is None:
            template = self._rng.choice(
                (
                    "[||||hi, |hello, |hey, |hi! ][my name is|i'm|i am|call me|my name's|the name's|you can call me] {new}[|.|!]",
                    "[||hi |hello |hey ][i'm|im|i am|my name is|this is] {new}[||| :)| btw| here|, nice to meet you|, and you?]",
                    "[|hi, ]{new} [here|is my name][|.|!]",
                    "[please |][remember my name, it's|remember: my name is|remember that my name is] {new}[|.]",
                    "[people|my friends|they] call me {new}[|.]",
                )
            )
            return self._told(template, f"Nice to meet you, {new}!", "name", new=new)
        template = self._rng.choice(
            (
                "[actually, |no, |sorry, |oops, |wait, |][my name is|i'm|it's|call me] {new}[|.|!]",
                "[no, |sorry, |][my name is|i'm|it's] {new}[,|] not {old}[|.]",
                "[i meant|i changed my name to|my new name is|from now on i'm|from now on call me|please call me] {new}[|.| now]",
                "[not {old}, |i'm not {old}, |my name isn't {old}, it's ]{new}[|.|!]",
            )
        )
        return self._told(template, f"Got it, your name is {new}.", "correction", new=new, old=old)

    def _told(self, template: str, answer: str, task: str, **values: str) -> Exchange:
        return Exchange(wording(self._rng, template, **values), answer, task, values["new"])

    def _ask_name(self) -> Exchange:
        template, known = self._rng.choice(
            (
                ("[so |and |ok, |now |hey, |]what's my name[?|]", "Your name is {v}."),
                ("[so |and |ok, |now |hey, |]what is my name[?|]", "Your name is {v}."),
                (
                    "[what's my name again|what was my name|tell me my name|say my name|my name is|my name][?|]",
                    "Your name is {v}.",
                ),
                ("[can|could] you [tell me|say|guess] my name[?|]", "Your name is {v}."),
                (
                    "[do|did] you [still |][remember|know|recall|forget] [my name|who i am|what my name is][?|]",
                    "Yes, your name is {v}.",
                ),
                ("[who am i|who's this|do you know me|who are you talking to][?|]", "You are {v}."),
                (
                    "[what am i called|what do people call me|what should you call me|how am i called][?|]",
                    "You are called {v}.",
                ),
            )
        )
        name = self.memory.name
        user = wording(self._rng, template)
        if name is None:
            return Exchange(user, "You haven't told me your name yet.", "unknown")
        return Exchange(user, known.format(v=name), "ask_name", name)

    def _tell_fact(self) -> Exchange:
        known = [kind for kind in self.memory.facts if kind != "name"]
        again = known and self._rng.random() < 0.2
        kind = self._rng.choice(known) if again else demo_facts.draw_kind(self._rng, self._spelling)
        value = demo_facts.draw_value(self._rng, self._spelling, kind)
        old = self.memory.facts.get(kind)
        self.memory.facts[kind] = value
        template, answer = demo_facts.tell(self._rng, kind)
        if old is not None:
            template = self._rng.choice(("[actually|no|sorry|wait|no wait], " + template, template))
        task = "colour" if kind == "favourite colour" else "fact"
        return self._told(template, answer.format(v=value), task, new=value, thing=kind.removeprefix("favourite "))

    def _ask_fact(self) -> Exchange:
        known = [kind for kind in self.memory.facts if kind != "name"]
        kind = (
            self._rng.choice(known)
            if known and self._rng.random() < 0.85
            else demo_facts.draw_kind(self._rng, self._spelling)
        )
        value = self.memory.facts.get(kind)
        template, answer, unknown = demo_facts.ask(self._rng, kind)
        user = wording(self._rng, template, thing=kind.removeprefix("favourite "))
        if value is None:
            return Exchange(user, unknown, "unknown")
        task = "ask_colour" if kind == "favourite colour" else "ask_fact"
        return Exchange(user, answer.format(v=value), task, value)

    def _ask_everything(self) -> Exchange:
        user = wording(
            self._rng,
            "[what do you know about me|what did i tell you|what do you remember|tell me about me|do you remember me|"
            "what do you know about me so far|what have i told you][?|]",
        )
        newest = [
            demo_facts.ask(self._rng, kind)[1].format(v=v) for kind, v in self.memory.facts.items() if kind != "name"
        ]
        known = ([f"Your name is {self.memory.name}."] if self.memory.name else []) + newest[:2]
        return Exchange(
            user, " ".join(known) or "Nothing yet. Tell me your name!", "everything", self.memory.name or ""
        )

    def _ask_two(self) -> Exchange:
        fav = demo_facts.favourite(self._rng, "colour")
        user = wording(
            self._rng, f"[what's|what is|what are|tell me|do you know|do you remember] my name and [my |]{fav}[?|]"
        )
        name, colour = self.memory.name, self.memory.facts.get("favourite colour")
        first = f"Your name is {name}." if name else "You haven't told me your name yet."
        second = f"Your favourite colour is {colour}." if colour else "You haven't told me your favourite colour yet."
        return Exchange(user, f"{first} {second}", "everything", name or "")

    def _ask_last(self) -> Exchange:
        user = wording(
            self._rng,
            "[what did i just say|what did i say|what was my last message|what did i just write|repeat what i said|repeat my last message][?|]",
        )
        return Exchange(user, f'You said: "{self._last}"', "last", self._last)

    def _repeat(self) -> Exchange:
        template = self._rng.choice(
            (
                "[please |][say|repeat|echo|repeat after me|say after me|write|print|type][:|] {v}",
                '[please |][say|repeat|echo|write] "{v}"',
                "[can|could|would] you [please |][say|repeat|write] {v}[|||?| please]",
                "[now |ok, ][say|repeat] {v}",
                "[please |][repeat|say] [this|the word|the words|the following|the sentence][:|] {v}",
                "i want you to [say|repeat] {v}",
            )
        )
        what = self._spelling.phrase()
        if not template.endswith('{v}"'):
            what = what.rstrip("?") if "?" in template else what
        return Exchange(wording(self._rng, template, v=what), what, "copy", what)

    def _greet(self) -> Exchange:
        word, answer = self._rng.choice(GREETINGS)
        user = wording(self._rng, word + "[||||!|.| :)| there| phibot| bot| again]")
        if self.memory.name:
            return Exchange(user, f"{answer}, {self.memory.name}!", "greeting", answer)
        if self.memory.exchanges == 0:
            return Exchange(user, f"{answer}! I'm the demo model of Phibot. What's your name?", "greeting", answer)
        return Exchange(user, f"{answer}! What can I do for you?", "greeting", answer)

    def _thank(self) -> Exchange:
        user = wording(self._rng, self._rng.choice(THANKS))
        return Exchange(user, f"You're welcome{self._comma_name()}!", "thanks", "welcome")

    def _leave(self) -> Exchange:
        user = wording(self._rng, self._rng.choice(GOODBYES))
        return Exchange(user, f"Goodbye{self._comma_name()}! It was nice to talk to you.", "goodbye", "Goodbye")

    def _comma_name(self) -> str:
        return f", {self.memory.name}" if self.memory.name else ""

    def _chat(self) -> Exchange:
        rows = ABOUT_ITSELF if self._rng.random() < 0.3 else CHAT
        task, asked, answer = self._rng.choice(rows)
        return Exchange(wording(self._rng, self._rng.choice(asked)), answer, task, answer)

    def _cannot(self) -> Exchange:
        rng = self._rng
        template, answer = rng.choice(ANYTHING_ELSE)
        topics = [rng.choice(TOPICS) if rng.random() < 0.6 else self._spelling.word() for _ in range(2)]
        numbers = [str(rng.randint(0, 999)) for _ in range(2)]
        words = " ".join(
            rng.choice(WORDS) if rng.random() < 0.7 else self._spelling.word() for _ in range(rng.randint(2, 9))
        )
        user = wording(rng, template, t=topics[0], u=topics[1], n=numbers[0], m=numbers[1], w=words)
        return Exchange(user, answer, "cannot", "small demo model")


def system_prompt(rng: random.Random, spelling: Spelling) -> str:
    """Draw a system prompt: mostly the bot's default, sometimes another or none (an empty string)."""
    roll = rng.random()
    if roll < 0.6:
        return SYSTEM_PROMPTS[0]
    if roll < 0.72:
        return ""
    if roll < 0.9:
        return rng.choice(SYSTEM_PROMPTS)
    return f"You are {spelling.name()}, a {rng.choice(WORDS)} {rng.choice(WORDS)}."


def dialogue(rng: random.Random, spelling: Spelling, focus: float = 0.6) -> Iterator[Exchange]:
    """Yield the exchanges of one conversation without end; the same `rng` state gives the same conversation."""
    talk = Talk(rng, spelling, focus)
    while True:
        yield talk.exchange()
