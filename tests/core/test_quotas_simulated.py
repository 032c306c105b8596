"""Random people at random work, all at once: whatever they do, nobody spends more than the quota and one question."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import replace

import pytest

from bot.core.messages import ConversationKey
from bot.core.quotas import EVERYBODY, Rule
from bot.core.spending import DAY_S, EVERYWHERE
from bot.core.summaries import INSTRUCTION
from bot.core.visitor import Visitor
from bot.engine.echo import Say
from bot.errors import BotError, QuotaReached
from chat_on_disk import ADA, BEN, World, asked

HOME, AWAY = 501, 502
NAMES = {ADA: "Ada", BEN: "Ben"}
LIMITS = {EVERYWHERE: 150, HOME: 70}
LONGEST = 8  # of an answer
ACTIONS = 90

WRITTEN = """
SELECT coalesce(sum(length(answer_ids) / 4 - continued_from
                    + CASE continued_from WHEN 0 THEN length(question_ids) / 4 ELSE 0 END), 0) AS tokens
FROM turns WHERE coalesce(payer_id, user_id) = :user AND created_at >= :since
"""


class Simulation:
    """A world of two people."""

    def __init__(self, world, seed, folder):
        self.world, self.folder = world, folder
        self.random = random.Random(seed)
        self.chat = None
        self.questions, self.turns = [], []
        self.playing = random.Random(seed)  # in the engine's thread
        self.outcomes = Counter()
        self.lost_tokens = 0
        self.has_edited = False  # today
        self.longest_question = len(world.tokenizer.encode(INSTRUCTION))
        world.script = self.play

    def play(self, _request):
        """Answer with a few words, slowly enough that others get in between."""
        [token] = self.world.tokenizer.encode("fine")
        for _ in range(self.playing.choice([1, 3, LONGEST, LONGEST + 5])):
            yield Say((token,), delay_s=0.0003)

    async def start(self):
        limits = {"per_user_per_minute": 10**6, "max_new_tokens": LONGEST, "is_guarded": False}
        self.chat = await self.world.start(tokens_per_day=LIMITS[EVERYWHERE], **limits)
        await self.chat.resume()
        await self.chat.quotas.choose(HOME, EVERYBODY, Rule(tokens_per_day=LIMITS[HOME]))

    # What people do

    def person(self):
        return self.random.choice([ADA, BEN])

    def question(self, user_id, **changed):
        places = [(10, HOME), (11, HOME), (12, HOME), (20, AWAY), (30 + user_id, None)]
        channel_id, guild_id = self.random.choice(places)
        words = f"{NAMES[user_id]} " + "word " * self.random.choice([1, 2, 30])
        self.longest_question = max(self.longest_question, len(self.world.tokenizer.encode(words)))
        key = ConversationKey(channel_id, user_id, guild_id)
        made = replace(asked(words, key, user_id), visitor=Visitor(user_id, guild_id, (channel_id,)))
        return replace(made, **changed)

    async def ask(self):
        user_id = self.person()
        asking = [self.question(user_id) for _ in range(self.random.choice([1, 1, 3, 12]))]
        self.questions += asking
        await asyncio.gather(*(self.counted(self.chat.ask(one)) for one in asking))

    async def edit(self):
        if self.questions:
            self.has_edited = True
            before = self.random.choice(self.questions)
            other = self.question(before.user_id, key=before.key, message_id=before.message_id, visitor=before.visitor)
            await self.counted(self.chat.edit(other))

    async def again(self):
        if self.turns:
            turn = self.random.choice(self.turns)
            way = self.random.choice([self.chat.regenerate, self.chat.go_on])
            await asyncio.gather(*(self.counted(way(turn.id)) for _ in range(3)))

    async def summarize(self):
        if self.questions:
            question = self.random.choice(self.questions)
            await self.counted(self.chat.summarize(question.key, question.visitor))

    async def stop(self):
        if self.questions:
            await self.chat.stop(self.random.choice(self.questions).key)

    async def forget(self):
        if self.questions:
            question = self.random.choice(self.questions)
            await self.chat.forget_messages([question.message_id])

    async def reset(self):
        await self.chat.reset_everywhere(self.person())

    async def grant(self):
        await self.chat.quotas.grant(self.random.choice([None, HOME]), self.person(), 5)

    async def pause(self):
        await asyncio.sleep(self.random.choice([0, 0.001, 0.005]))

    async def counted(self, doing):
        try:
            outcome = await doing
        except BotError as exc:
            self.outcomes["refused" if isinstance(exc, QuotaReached) else "other"] += 1
        else:
            self.outcomes["taken"] += 1
            if hasattr(outcome, "turn"):
                self.turns.append(outcome.turn)

    # What happens to the process

    async def settle(self):
        async with asyncio.timeout(20):
            while self.chat.status().running or self.chat.status().waiting:
                await asyncio.sleep(0.001)
        await self.check_texts()

    async def next_day(self):
        await self.settle()
        self.world.now += DAY_S
        self.lost_tokens, self.has_edited = 0, False

    async def restart(self):
        await self.chat.drain(0)
        await self.world.stop()
        await self.start()

    async def kill(self):
        """Go on from the files as they are at this moment."""
        killed = self.folder / f"{self.world.database.stem}x.sqlite3"
        await self.world.kill(killed)
        with closing(sqlite3.connect(killed)) as connection:  # by what was on the disk then, not by what ran before
            [(broken_off,)] = connection.execute("SELECT count(*) FROM turns WHERE state = 'generating'")
        self.lost_tokens += LONGEST * broken_off  # written, charged, and now generated again
        await self.start()

    # What must hold

    def spent(self, user_id, place_id):
        return self.standing(user_id, place_id).spent_tokens

    def standing(self, user_id, place_id):
        standings = self.chat.quotas.standing(Visitor(user_id, HOME))
        return next(one for one in standings if one.place_id == place_id)

    def check(self):
        for user_id in NAMES:
            for place_id, limit in LIMITS.items():
                standing = self.standing(user_id, place_id)
                most = limit + standing.granted_tokens + self.longest_question + LONGEST + self.lost_tokens
                if self.has_edited:  # what is edited may begin and end just while the edit is written down
                    most += self.longest_question + LONGEST
                assert standing.spent_tokens <= most, (user_id, place_id)

    async def check_texts(self):
        """Check that nothing which was asked and written today, and is still there, is missing in what was spent."""
        today = self.world.now // DAY_S * DAY_S
        for user_id in NAMES:
            [row] = await self.world.history.fetch(WRITTEN, {"user": user_id, "since": today})
            assert self.spent(user_id, EVERYWHERE) >= row["tokens"], user_id


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_people_do_they_spend_no_more_than_the_quota_and_one_question(tmp_path, tokenizer, seed):
    async with AsyncExitStack() as exits:
        world = World(tmp_path / "phibot.sqlite3", tokenizer, exits)
        simulation = Simulation(world, seed, tmp_path)
        await simulation.start()
        often = [simulation.ask] * 6 + [simulation.pause] * 4
        sometimes = [simulation.edit, simulation.again, simulation.summarize, simulation.stop] * 2
        seldom = [simulation.forget, simulation.reset, simulation.grant, simulation.settle]
        hardly = [simulation.next_day, simulation.restart, simulation.kill]
        for number in range(ACTIONS):
            kinds = hardly if number % 18 == 17 else often + sometimes + seldom
            await simulation.random.choice(kinds)()
            simulation.check()
        await simulation.settle()
        simulation.check()
        assert simulation.outcomes["taken"] > 10
        assert simulation.outcomes["refused"] > 10
