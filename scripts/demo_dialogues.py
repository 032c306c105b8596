"""The conversations that the demo model is trained on: made up, endless, and never contradicting themselves.

Owns what people say to the demo model (carelessly typed, in many wordings) and what it should answer. An answer that
depends on the conversation is worked out from a `Memory` of what was told so far, so that it is right by construction:
the newest value wins, and what was never told is said to be unknown. Knows nothing of tokens, models or training.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from demo_phrases import (
    ANYTHING_ELSE,
    CHAT,
    COLOURS,
    FOODS,
    GOODBYES,
    GREETINGS,
    PLACES,
    SYSTEM_PROMPTS,
    THANKS,
    THINGS,
    TOPICS,
    WORDS,
)
from demo_spelling import Spelling

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"(\{\w+\})")
_PETS = ("dog", "cat", "hamster", "parrot", "rabbit", "horse", "snake", "fish", "turtle")


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


def wording(rng: random.Random, template: str, **values: str) -> str:
    """Type `template` as a person might: pick among its [a|b] alternatives, roughen it, fill in the {values} untouched."""
    while "[" in template:
        template = _ALTERNATIVES.sub(lambda m: rng.choice(m.group(1).split("|")), template, count=1)
    roughen = _typist(rng)
    parts = _SLOT.split(template)
    start = next((i for i, part in enumerate(parts) if part), 0)
    typed = [values[part[1:-1]] if _SLOT.fullmatch(part) else roughen(part, i == start) for i, part in enumerate(parts)]
    return "".join(typed).strip()


def _typist(rng: random.Random) -> Callable[[str, bool], str]:
    style = rng.random()
    if style < 0.34:
        return _tidy
    if style < 0.40:
        return lambda text, first: _tidy(text, first).replace("'", "\u2019")  # as telephones type it
    if style < 0.52:
        return lambda text, _first: text
    if style < 0.55:
        return lambda text, _first: text.upper()
    marks = "?!.,'" if rng.random() < 0.5 else "?!.,"
    typos = rng.random() < 0.12
    return lambda text, _first: _typo(rng, _without(text, marks)) if typos else _without(text, marks)


def _tidy(text: str, first: bool) -> str:
    text = re.sub(r"\bi\b", "I", text)
    return text[:1].upper() + text[1:] if first else text


def _without(text: str, marks: str) -> str:
    return "".join(c for c in text if c not in marks)


def _typo(rng: random.Random, text: str) -> str:
    if len(text) < 5:
        return text
    at = rng.randrange(1, len(text) - 2)
    if not text[at : at + 2].isalpha():
        return text
    swapped = text[at + 1] + text[at]
    return text[:at] + rng.choice((swapped, text[at], text[at + 1], text[at] * 2 + text[at + 1])) + text[at + 2 :]


class Talk:
    """One conversation in the making: draws the next exchange and remembers what was told."""

    def __init__(self, rng: random.Random, spelling: Spelling, focus: float) -> None:
        self._rng = rng
        self._spelling = spelling
        self._focus = focus
        self.memory = Memory()

    def exchange(self) -> Exchange:
        """Return the next exchange; about `focus` of them tell, ask or repeat something, the rest is small talk."""
        rng = self._rng
        made = self._joined() if rng.random() < 0.09 else self._single()
        self.memory.exchanges += 1
        mention = rng.random()
        if mention < 0.06:
            return Exchange(f"@Phibot {made.user}", made.answer, made.task, made.value)
        if mention < 0.08:
            return Exchange(f"@{self._spelling.name()} {made.user}", made.answer, made.task, made.value)
        return made

    def _joined(self) -> Exchange:
        """Several messages that were joined into one turn, answered one after the other."""
        joiner = self._rng.choice(("\n", "\n", "\n", ". ", ", ", " and "))
        parts = [self._single(plain=joiner != "\n") for _ in range(self._rng.choice((2, 2, 3)))]
        user = joiner.join(part.user.rstrip(".,!?") if joiner != "\n" else part.user for part in parts)
        return Exchange(user, " ".join(part.answer for part in parts), "joined", parts[-1].value)

    def _single(self, *, plain: bool = False) -> Exchange:
        rng = self._rng
        if rng.random() < self._focus:
            kinds: tuple[tuple[Callable[[], Exchange], float], ...] = (
                (self._tell_name, 0.22 if self.memory.name is None else 0.06),
                (self._ask_name, 0.2 if self.memory.name else 0.05),
                (self._tell_fact, 0.22),
                (self._ask_fact, 0.27),
                (self._ask_everything, 0.02),
                (self._repeat, 0.0 if plain else 0.2),
            )
        else:
            kinds = (
                (self._greet, 0.16 if self.memory.exchanges else 0.4),
                (self._chat, 0.48),
                (self._cannot, 0.0 if plain else 0.28),
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

    def _fact_kind(self) -> str:
        roll = self._rng.random()
        if roll < 0.3:
            return "favourite colour"
        if roll < 0.55:
            return "favourite " + self._rng.choice(THINGS)
        if roll < 0.62:
            return "favourite " + self._spelling.word()
        if roll < 0.74:
            return self._rng.choice(_PETS)
        return self._rng.choice(("home", "home", "age", "word", "like", "job"))

    def _fact_value(self, kind: str) -> str:
        rng = self._rng
        if kind == "age":
            return str(rng.randint(3, 99))
        if kind in _PETS:
            return self._spelling.name()
        known = {"favourite colour": COLOURS, "favourite food": FOODS, "home": PLACES, "like": FOODS}.get(kind)
        if known and rng.random() < 0.45:
            return rng.choice(known)
        value = self._spelling.word()
        if rng.random() < 0.15:
            value = f"{rng.choice(WORDS)} {value}"
        return value[:1].upper() + value[1:] if kind == "home" and rng.random() < 0.7 else value

    def _tell_fact(self) -> Exchange:
        known = [kind for kind in self.memory.facts if kind != "name"]
        again = known and self._rng.random() < 0.2
        kind = self._rng.choice(known) if again else self._fact_kind()
        value = self._fact_value(kind)
        old = self.memory.facts.get(kind)
        self.memory.facts[kind] = value
        template, answer = _tell_template(self._rng, kind)
        if old is not None:
            template = self._rng.choice(("[actually|no|sorry|wait|no wait], " + template, template))
        task = "colour" if kind == "favourite colour" else "fact"
        return self._told(template, answer.format(v=value), task, new=value, thing=kind.removeprefix("favourite "))

    def _ask_fact(self) -> Exchange:
        known = [kind for kind in self.memory.facts if kind != "name"]
        kind = self._rng.choice(known) if known and self._rng.random() < 0.85 else self._fact_kind()
        value = self.memory.facts.get(kind)
        template, answer, unknown = _ask_template(self._rng, kind)
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
            _ask_template(self._rng, kind)[1].format(v=v) for kind, v in self.memory.facts.items() if kind != "name"
        ]
        known = ([f"Your name is {self.memory.name}."] if self.memory.name else []) + newest[:2]
        return Exchange(
            user, " ".join(known) or "Nothing yet. Tell me your name!", "everything", self.memory.name or ""
        )

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
        task, asked, answer = self._rng.choice(CHAT)
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


def _tell_template(rng: random.Random, kind: str) -> tuple[str, str]:
    """Return (what the user types, what is answered) for telling a fact of this kind, with {new} and {v} to fill."""
    if kind == "age":
        return (
            "[i'm|i am|im] {new} [years old|][|.]" if rng.random() < 0.3 else "[i'm|i am] {new} years old[|.]",
            "{v} is a fine age!",
        )
    if kind == "home":
        return "i [live in|am from|come from|'m from] {new}[|.|!]".replace(
            "i 'm", "i'm"
        ), "{v} sounds like a nice place!"
    if kind == "word":
        return (
            "[please |][remember|keep in mind] [the word|this word|this|the code][:|] {new}[|.]",
            "I'll remember the word {v}.",
        )
    if kind == "like":
        return "i [really |][like|love|enjoy] {new}[|.|!]", "Good to know that you like {v}."
    if kind == "job":
        return "i work as [a |an |]{new}[|.]", "{v} sounds like an interesting job!"
    if kind in _PETS:
        told = rng.choice(
            (
                f"my {kind} is [called|named] {{new}}[|.|!]",
                f"my {kind}'s name is {{new}}[|.]",
                f"i have a {kind} [called|named] {{new}}[|.]",
            )
        )
        return told, f"{{v}} is a lovely name for a {kind}!"
    thing = kind.removeprefix("favourite ")
    spelt = _spelt(rng, thing)
    told = rng.choice(
        (
            f"[my {spelt} is|i think my {spelt} is|remember that my {spelt} is] {{new}}[|.|!]",
            f"my {spelt}[:| =] {{new}}",
            f"{{new}} is my {spelt}[|.|!]",
        )
    )
    return told, f"I'll remember that your favourite {thing} is {{v}}."


def _spelt(rng: random.Random, thing: str) -> str:
    if thing == "colour":
        thing = rng.choice(("colour", "color"))
    elif thing not in THINGS:
        thing = "{thing}"  # a made-up word: typed as it is, since the answer repeats it
    return (
        rng.choice(("favourite ", "favorite ", "fav ") if rng.random() < 0.3 else ("favourite ", "favorite ")) + thing
    )


def _ask_template(rng: random.Random, kind: str) -> tuple[str, str, str]:
    """Return (the question, the answer with {v} to fill, the answer if unknown) for a fact of this kind."""
    lead = "[|||so |and |ok, |now ]"
    if kind == "age":
        return (
            lead + "[how old am i|what's my age|what is my age][?|]",
            "You are {v} years old.",
            "You haven't told me your age yet.",
        )
    if kind == "home":
        asked = "[where do i live|where am i from|where do i come from|what's my city|which city do i live in|do you know where i live][?|]"
        return lead + asked, "You live in {v}.", "You haven't told me where you live yet."
    if kind == "word":
        asked = "[what was the word|what is the word|which word did i tell you|what's the word|what was the code|what's the code][?|]"
        return lead + asked, "The word was {v}.", "You haven't told me a word yet."
    if kind == "like":
        return (
            lead + "[what do i like|what do i love|what did i say i like|do you know what i like][?|]",
            "You like {v}.",
            "You haven't told me what you like yet.",
        )
    if kind == "job":
        return (
            lead + "[what's my job|what is my job|what do i work as|what do i do][?|]",
            "You work as {v}.",
            "You haven't told me your job yet.",
        )
    if kind in _PETS:
        asked = f"[what's my {kind}'s name|what is my {kind} called|what's my {kind} called|what's the name of my {kind}|do you remember my {kind}'s name][?|]"
        return lead + asked, f"Your {kind} is called {{v}}.", f"You haven't told me about your {kind} yet."
    thing = kind.removeprefix("favourite ")
    spelt = _spelt(rng, thing)
    asked = rng.choice(
        (
            f"[what's|what is|what was|tell me|do you remember|do you know|can you tell me] my {spelt}[?|]",
            f"which {spelt.split(maxsplit=1)[1]} [do i like most|is my favourite|is my favorite|do i like best][?|]",
            f"[what did i say my {spelt} is|my {spelt}|what {spelt.split(maxsplit=1)[1]} do i like][?|]",
        )
    )
    return lead + asked, f"Your favourite {thing} is {{v}}.", f"You haven't told me your favourite {thing} yet."


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
