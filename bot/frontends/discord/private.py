"""A place that one person alone reads: the ephemeral response to an interaction, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import discord
import structlog

from bot.frontends.discord.surface import (
    CALL_TIMEOUT_S,
    KEEP,
    NO_PINGS,
    Expired,
    calling,
    calling_with,
    upload,
    uploads,
)

log = structlog.get_logger(__name__)


class PrivateSurface:
    """The deferred ephemeral response to a command, then ephemeral followups. A `Surface`.

    Nothing is shown any more once the token has expired: what is one person's alone is never posted for all, nor is it
    stopped because of that.
    """

    def __init__(self, interaction: discord.Interaction[discord.Client], timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._interaction = interaction
        self._timeout_s = timeout_s
        self._is_begun = False
        self._is_expired = False

    def room(self) -> int | None:
        """See Surface."""
        return None

    def closes_in_s(self) -> float | None:
        """See Surface: once it is closed nothing is shown, and nothing is stopped."""
        return None

    async def create(
        self,
        content: str,
        *,
        nonce: int,
        reply_to: int | None,
        view: discord.ui.View | None = None,
        file: str | None = None,
    ) -> int:
        """See Surface. Returns the interaction's id, which is no message's, once nothing can be shown."""
        if self._is_expired:
            return self._interaction.id
        try:
            message_id = (await calling_with(file, self._sending(content, view, file), self._timeout_s)).id
        except Expired as exc:
            self._expire(exc)
            return self._interaction.id
        self._is_begun = True
        return message_id

    def _sending(self, content: str, view: discord.ui.View | None, file: str | None) -> Awaitable[discord.Message]:
        more: dict[str, Any] = {"view": KEEP if view is None else view, "allowed_mentions": NO_PINGS}
        if not self._is_begun:
            return self._interaction.edit_original_response(content=content, attachments=uploads(file), **more)
        sending: Awaitable[discord.Message] = self._interaction.followup.send(
            content, wait=True, ephemeral=True, file=upload(file), **more
        )
        return sending

    async def edit(
        self, message_id: int, content: str, *, view: discord.ui.View | None = KEEP, file: str | None = KEEP
    ) -> None:
        """See Surface."""
        if self._is_expired:
            return
        editing = self._interaction.followup.edit_message(
            message_id, content=content, view=view, attachments=uploads(file), allowed_mentions=NO_PINGS
        )
        try:
            await calling_with(file, editing, self._timeout_s)
        except Expired as exc:
            self._expire(exc)

    async def delete(self, message_id: int) -> None:
        """See Surface."""
        if self._is_expired:
            return
        try:
            await calling(self._interaction.followup.delete_message(message_id), self._timeout_s)
        except Expired as exc:
            self._expire(exc)

    async def tell_alone(self, content: str) -> bool:
        """See Surface: here everything is."""
        del content
        return False

    async def type(self) -> None:
        """Do nothing: Discord shows "is thinking" by itself."""

    def _expire(self, exc: Expired) -> None:
        log.info("private_answer_expired", reason=str(exc))
        self._is_expired = True
