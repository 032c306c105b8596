"""Routes about interactions: the callback that acknowledges, and the webhook that answers and edits afterwards.

The times are Discord's: 3 s to acknowledge, a token that lasts 15 minutes. Ephemeral messages live here only: no
other route shows them.
"""

from __future__ import annotations

from typing import Any

from bot.playground import components, errors, posting
from bot.playground.channels import wake_for_post
from bot.playground.model import (
    CallbackType,
    Interaction,
    InteractionType,
    Message,
    MessageFlags,
    MessageType,
    required,
)
from bot.playground.permissions import Permission
from bot.playground.posting import Draft
from bot.playground.rest import commands
from bot.playground.rest.call import INTERACTION, Answer, Call, Routes
from bot.playground.rest.messages import SENDABLE_FLAGS, attachments_of, draft_of

routes = Routes()

ACKNOWLEDGE_WITHIN_S = 3.0
TOKEN_LASTS_S = 15 * 60.0
USER_INSTALLED_FOLLOWUPS = 5  # of an application that is not also in the server


@routes.add(
    "POST",
    "/interactions/{interaction_id}/{token}/callback",
    limit=INTERACTION,
    major="interaction_id",
    by_token=True,
)
async def callback(call: Call) -> Answer:
    """Acknowledge an interaction: with a message, a promise of one, an edit, a modal, or choices."""
    interaction = call.state.interactions.get(call.request.match_info["token"])
    if interaction is None or interaction.id != call.id("interaction_id"):
        raise errors.unknown_interaction()
    if interaction.acknowledged:
        raise errors.already_acknowledged()
    if call.state.clock() - interaction.created_at > ACKNOWLEDGE_WITHIN_S:
        raise errors.unknown_interaction()
    call.application = interaction.application
    kind = _kind(call, interaction)
    form = call.form.get("data") or {}
    interaction.callback = kind  # before the message: whoever sees the event finds it acknowledged
    try:
        _respond(call, interaction, kind, form)
    except errors.ApiError:
        interaction.callback = None
        raise
    call.state.changed()
    if call.request.query.get("with_response") in ("1", "true"):
        return _shown(call, interaction)
    return None


def _kind(call: Call, interaction: Interaction) -> CallbackType:
    """Return the callback's type if it suits the interaction. Raises: ApiError 50035."""
    allowed = {CallbackType.MESSAGE, CallbackType.DEFERRED_MESSAGE}
    if interaction.message is not None:
        allowed |= {CallbackType.DEFERRED_UPDATE, CallbackType.UPDATE_MESSAGE}
    if interaction.type is InteractionType.AUTOCOMPLETE:
        allowed = {CallbackType.AUTOCOMPLETE_RESULT}
    elif interaction.type is not InteractionType.MODAL_SUBMIT:
        allowed.add(CallbackType.MODAL)
    value = call.form.get("type")
    if value not in set(map(int, allowed)):
        named = ", ".join(str(int(kind)) for kind in sorted(allowed))
        raise errors.invalid_form("type", "BASE_TYPE_CHOICES", f"Value must be one of {{{named}}}.")
    return CallbackType(value)


def _respond(call: Call, interaction: Interaction, kind: CallbackType, form: dict[str, Any]) -> None:
    if kind in (CallbackType.MESSAGE, CallbackType.DEFERRED_MESSAGE):
        draft = draft_of(call, form, flags=SENDABLE_FLAGS | MessageFlags.EPHEMERAL)
        interaction.ephemeral = _is_private(call, interaction, draft)
        if kind is CallbackType.MESSAGE:
            draft.type = _message_type(interaction)
            interaction.original = _post(call, interaction, draft)
        else:
            interaction.original = _promise(call, interaction)
    elif kind is CallbackType.UPDATE_MESSAGE:
        interaction.original = _edit(call, required(interaction.message), form)
    elif kind is CallbackType.DEFERRED_UPDATE:
        interaction.original = interaction.message
    elif kind is CallbackType.MODAL:
        components.check_modal(form)
        interaction.modal = form
    else:
        interaction.choices = _choices(form)


def _choices(form: dict[str, Any]) -> list[dict[str, Any]]:
    """Hold what is proposed for an option to Discord's rules. Raises: ApiError 50035 with the path of the field."""
    choices: list[dict[str, Any]] = form.get("choices") or []
    if len(choices) > commands.CHOICES_LIMIT:
        raise errors.too_long("data.choices", commands.CHOICES_LIMIT)
    for number, choice in enumerate(choices):
        for field in ("name", "value"):
            said = choice.get(field)
            if field == "name" or isinstance(said, str):
                commands.check_length(said or "", f"data.choices.{number}.{field}")
    return choices


def _message_type(interaction: Interaction) -> MessageType:
    if interaction.is_context_menu:
        return MessageType.CONTEXT_MENU_COMMAND
    is_command = interaction.type is InteractionType.APPLICATION_COMMAND
    return MessageType.CHAT_INPUT_COMMAND if is_command else MessageType.REPLY


def _is_private(call: Call, interaction: Interaction, draft: Draft) -> bool:
    """Whether only the person sees it: because the bot wants so, or the place has no room for what people install."""
    granted = call.state.permissions(interaction.channel, interaction.user)
    is_foreign = not interaction.is_by_guild and not granted & Permission.USE_EXTERNAL_APPS
    return is_foreign or bool(draft.flags & MessageFlags.EPHEMERAL)


def _post(call: Call, interaction: Interaction, draft: Draft) -> Message:
    ephemeral = _is_private(call, interaction, draft)
    if ephemeral:
        draft.flags |= MessageFlags.EPHEMERAL
    return posting.post(
        call.state,
        interaction.channel,
        interaction.application.user,
        draft,
        interaction=interaction,
        visible_to=interaction.user.id if ephemeral else None,
    )


def _promise(call: Call, interaction: Interaction) -> Message:
    """Post "… is thinking", which the first answer replaces."""
    state = call.state
    wake_for_post(state, interaction.channel, interaction.application.user)
    flags = MessageFlags.LOADING | (MessageFlags.EPHEMERAL if interaction.ephemeral else MessageFlags(0))
    return state.post(
        Message(
            state.snowflake(),
            interaction.channel.id,
            interaction.application.user,
            "",
            state.clock(),
            type=_message_type(interaction),
            guild_id=interaction.channel.guild_id,
            flags=flags,
            interaction=interaction,
            visible_to=interaction.user.id if interaction.ephemeral else None,
        )
    )


def _edit(call: Call, message: Message, form: dict[str, Any]) -> Message:
    return posting.edit(call.state, message, form, attachments_of(call, form, message.attachments))


def _shown(call: Call, interaction: Interaction) -> dict[str, Any]:
    original, kind = interaction.original, required(interaction.callback)
    body: dict[str, Any] = {"id": str(interaction.id), "type": int(interaction.type)}
    answer: dict[str, Any] = {"interaction": body, "resource": {"type": int(kind)}}
    if original is not None:
        body |= {
            "response_message_id": str(original.id),
            "response_message_loading": original.is_loading,
            "response_message_ephemeral": original.visible_to is not None,
        }
        if kind in (CallbackType.MESSAGE, CallbackType.UPDATE_MESSAGE):
            answer["resource"]["message"] = call.show(original)
    return answer


def _webhook(call: Call) -> Interaction:
    """Return the acknowledged interaction whose token is in the path. Raises: ApiError 10015 or 50027."""
    interaction = call.state.interactions.get(call.request.match_info["token"])
    if interaction is None or interaction.application.id != call.id("application_id"):
        raise errors.unknown_webhook()
    if call.state.clock() - interaction.created_at > TOKEN_LASTS_S:
        raise errors.invalid_webhook_token()
    if not interaction.acknowledged:
        raise errors.unknown_webhook()
    call.application = interaction.application
    return interaction


def _answer(call: Call, interaction: Interaction) -> Message:
    """Return the answer that the path names: @original or an id. Raises: ApiError 10008."""
    name = call.request.match_info["message_id"]
    if name == "@original":
        found = interaction.original
    else:
        found = next((message for message in interaction.responses if str(message.id) == name), None)
    if found is None or found.deleted:
        raise errors.unknown_message()
    return found


_HOOK = "/webhooks/{application_id}/{token}"
_HOOK_MESSAGE = _HOOK + "/messages/{message_id}"


@routes.add("POST", _HOOK, limit=INTERACTION, major="token", by_token=True)
async def follow_up(call: Call) -> Answer:
    """Send another answer; the first one after a promise takes the promise's place."""
    interaction = _webhook(call)
    draft = draft_of(call, call.form, flags=SENDABLE_FLAGS | MessageFlags.EPHEMERAL)
    original = interaction.original
    if original is not None and not original.deleted and original.is_loading:
        draft.check()
        return call.show(_edit(call, original, call.form))
    if not interaction.is_by_guild and len(interaction.followups) >= USER_INSTALLED_FOLLOWUPS:
        raise errors.too_many_followups()
    draft.nonce = None
    message = _post(call, interaction, draft)
    interaction.followups.append(message)
    call.state.changed()
    return call.show(message)


@routes.add("GET", _HOOK_MESSAGE, limit=INTERACTION, major="token", by_token=True)
async def get_answer(call: Call) -> Answer:
    """Return an answer."""
    return call.show(_answer(call, _webhook(call)))


@routes.add("PATCH", _HOOK_MESSAGE, limit=INTERACTION, major="token", by_token=True)
async def edit_answer(call: Call) -> Answer:
    """Edit an answer; @original fulfils a promise."""
    return call.show(_edit(call, _answer(call, _webhook(call)), call.form))


@routes.add("DELETE", _HOOK_MESSAGE, limit=INTERACTION, major="token", by_token=True)
async def delete_answer(call: Call) -> None:
    """Delete an answer."""
    call.state.delete(_answer(call, _webhook(call)))
