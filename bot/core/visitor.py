"""Who is at the door, and where: what permissions, quotas and choices are decided on. Knows ids and names only."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.messages import Place, Question, Turn


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person at one place, as the frontend sees them now. Names are for sentences and personas, never for decisions.

    `channel_ids`: the channel, the one that it hangs under if it is a thread, and their category; the narrowest first.
    """

    user_id: int
    guild_id: int | None = None  # None: a direct message
    channel_ids: tuple[int, ...] = ()
    role_ids: frozenset[int] = frozenset()
    is_admin: bool = False  # may manage this server, or is an owner
    is_owner: bool = False  # of the bot: an admin everywhere
    is_age_restricted: bool = False  # the channel is
    user_name: str = ""
    server_name: str = ""
    channel_name: str = ""
    locale: str = ""

    @property
    def channel_id(self) -> int:
        """The channel or thread itself; 0 where none is known."""
        return self.channel_ids[0] if self.channel_ids else 0


def place_of(visitor: Visitor) -> Place:
    """Return what of a visitor is kept with each of their questions."""
    return Place(visitor.channel_ids, visitor.user_name, visitor.server_name, visitor.channel_name)


def visitor_of_question(question: Question) -> Visitor:
    """Return who asks, or what is known of them where the frontend told no more than ids."""
    if question.visitor is not None:
        return question.visitor
    key = question.key
    return Visitor(question.user_id, key.guild_id, (key.channel_id,), user_name=question.author_name)


def visitor_of_turn(turn: Turn) -> Visitor:
    """Return who asked a turn, as far as the store knows: what the process does by itself counts as theirs."""
    if turn.key is None:
        return Visitor(turn.user_id)
    place = turn.place or Place()
    return Visitor(
        turn.user_id,
        turn.key.guild_id,
        place.channel_ids or (turn.key.channel_id,),
        user_name=place.user_name,
        server_name=place.server_name,
        channel_name=place.channel_name,
    )
