"""The facts that a user tells the demo model, and how they are told, asked for and answered.

Owns their kinds and wordings: favourites of all sorts, the names of pets and people, home, age, job. Knows nothing of the
conversation around them.
"""

from __future__ import annotations

import random

from demo_phrases import COLOURS, FOODS, PLACES, THINGS, WORDS
from demo_spelling import Spelling

_PEOPLE = (
    "sister",
    "brother",
    "friend",
    "best friend",
    "son",
    "daughter",
    "teacher",
    "wife",
    "husband",
    "mother",
    "boss",
)
_PETS = ("dog", "cat", "hamster", "parrot", "rabbit", "horse", "snake", "fish", "turtle")


def draw_kind(rng: random.Random, spelling: Spelling) -> str:
    """Return a kind of fact: "favourite colour", "dog" (its name), "home" and so on."""
    roll = rng.random()
    if roll < 0.3:
        return "favourite colour"
    if roll < 0.55:
        return "favourite " + rng.choice(THINGS)
    if roll < 0.62:
        return "favourite " + spelling.word()
    if roll < 0.74:
        return rng.choice(_PETS)
    if roll < 0.8:
        return rng.choice(_PEOPLE)
    return rng.choice(("home", "home", "age", "word", "like", "job"))


def draw_value(rng: random.Random, spelling: Spelling, kind: str) -> str:
    """Return a value for a fact of this kind, often one that nobody has seen."""
    if kind == "age":
        return str(rng.randint(3, 99))
    if kind in _PETS + _PEOPLE:
        return spelling.name()
    known = {"favourite colour": COLOURS, "favourite food": FOODS, "home": PLACES, "like": FOODS}.get(kind)
    if known and rng.random() < 0.45:
        return rng.choice(known)
    value = spelling.word()
    if rng.random() < 0.15:
        value = f"{rng.choice(WORDS)} {value}"
    return value[:1].upper() + value[1:] if kind == "home" and rng.random() < 0.7 else value


def tell(rng: random.Random, kind: str) -> tuple[str, str]:
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
    if kind in _PETS + _PEOPLE:
        told = rng.choice(
            (
                f"my {kind} is [called|named] {{new}}[|.|!]",
                f"my {kind}'s name is {{new}}[|.]",
                f"i have a {kind} [called|named] {{new}}[|.]",
            )
        )
        return told, f"{{v}} is a lovely name for a {kind}!" if kind in _PETS else "{v} is a beautiful name!"
    thing = kind.removeprefix("favourite ")
    spelt = favourite(rng, thing)
    told = rng.choice(
        (
            f"[my {spelt} is|i think my {spelt} is|remember that my {spelt} is] {{new}}[|.|!]",
            f"my {spelt}[:| =] {{new}}",
            f"{{new}} is my {spelt}[|.|!]",
        )
    )
    return told, f"I'll remember that your favourite {thing} is {{v}}."


def favourite(rng: random.Random, thing: str) -> str:
    """Return "favourite ..." in one of its spellings, with {thing} to fill if it is a made-up word."""
    if thing == "colour":
        thing = rng.choice(("colour", "color"))
    elif thing not in THINGS:
        thing = "{thing}"  # a made-up word: typed as it is, since the answer repeats it
    return (
        rng.choice(("favourite ", "favorite ", "fav ") if rng.random() < 0.3 else ("favourite ", "favorite ")) + thing
    )


def ask(rng: random.Random, kind: str) -> tuple[str, str, str]:
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
    if kind in _PETS + _PEOPLE:
        asked = f"[what's my {kind}'s name|what is my {kind} called|what's my {kind} called|what's the name of my {kind}|do you remember my {kind}'s name][?|]"
        return lead + asked, f"Your {kind} is called {{v}}.", f"You haven't told me about your {kind} yet."
    thing = kind.removeprefix("favourite ")
    spelt = favourite(rng, thing)
    asked = rng.choice(
        (
            f"[what's|what is|what was|tell me|do you remember|do you know|can you tell me] my {spelt}[?|]",
            f"which {spelt.split(maxsplit=1)[1]} [do i like most|is my favourite|is my favorite|do i like best][?|]",
            f"[what did i say my {spelt} is|my {spelt}|what {spelt.split(maxsplit=1)[1]} do i like][?|]",
        )
    )
    return lead + asked, f"Your favourite {thing} is {{v}}.", f"You haven't told me your favourite {thing} yet."
