"""What the frontend tells whoever observes it of the calls it makes, each try for itself, and of its sessions."""

import asyncio

import pytest

from bot.frontends.discord.observer import outcome_of


class Listener:
    """Writes down what it hears."""

    def __init__(self):
        self.calls, self.sessions = [], []
        self.was_told = asyncio.Event()

    def called(self, outcome):
        self.calls.append(outcome)
        self.was_told.set()

    def connected(self, session):
        self.sessions.append(session)
        self.was_told.set()

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                self.was_told.clear()
                await self.was_told.wait()


@pytest.fixture
def listener():
    return Listener()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(101, "ok"), (200, "ok"), (204, "ok"), (400, "refused"), (404, "refused"), (429, "rate_limited"), (500, "failed"),
     (503, "failed")],
)  # fmt: skip
def test_a_status_has_its_word(status, outcome):
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [({"status": 404}, "refused"), ({"status": 429, "retry_after_s": 0.01}, "rate_limited"),
     ({"close_connection": True}, "unanswered"), ({"status": 502}, "failed")],
)  # fmt: skip
async def test_a_call_that_goes_wrong_is_told_with_how(world, listener, fault, outcome):
    await world.start(observer=listener)
    assert set(listener.calls) == {"ok"}
    world.discord.faults.add(path="/messages$", method="POST", **fault)
    await world.ada.say(world.channel, "<@bot> hi")
    await listener.until(lambda: outcome in listener.calls)


async def test_a_new_session_and_one_that_goes_on_are_told_apart(world, listener):
    await world.start(observer=listener)
    assert listener.sessions == ["new"]
    world.discord.gateway.drop()
    await listener.until(lambda: listener.sessions == ["new", "resumed"])
    world.discord.gateway.invalidate(resumable=False)
    await listener.until(lambda: listener.sessions == ["new", "resumed", "new"])
