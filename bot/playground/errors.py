"""Discord's JSON errors, one class, and a constructor for each that this server answers with.

Owns the pairs of HTTP status and JSON code. Knows neither sockets nor state.
Source: Discord's API documentation, "Opcodes and Status Codes".
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """One error answer: HTTP status, JSON code, message, and the tree of field errors of 50035."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> dict[str, Any]:
        """Return the JSON body that Discord sends for this error."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


def unauthorized() -> ApiError:
    """401: the Authorization header names no application."""
    return ApiError(401, 0, "401: Unauthorized")


def not_found() -> ApiError:
    """404 with code 0: Discord has no such route."""
    return ApiError(404, 0, "404: Not Found")


def unknown_channel() -> ApiError:
    """404/10003."""
    return ApiError(404, 10003, "Unknown Channel")


def unknown_guild() -> ApiError:
    """404/10004."""
    return ApiError(404, 10004, "Unknown Guild")


def invalid_guild() -> ApiError:
    """400/50055: one's own guild cannot be left."""
    return ApiError(400, 50055, "Invalid Guild")


def unknown_member() -> ApiError:
    """404/10007."""
    return ApiError(404, 10007, "Unknown Member")


def unknown_message() -> ApiError:
    """404/10008."""
    return ApiError(404, 10008, "Unknown Message")


def unknown_user() -> ApiError:
    """404/10013."""
    return ApiError(404, 10013, "Unknown User")


def unknown_webhook() -> ApiError:
    """404/10015: no interaction has this token, or it was never acknowledged."""
    return ApiError(404, 10015, "Unknown Webhook")


def unknown_interaction() -> ApiError:
    """404/10062: not acknowledged within 3 s, or never existed."""
    return ApiError(404, 10062, "Unknown interaction")


def unknown_command() -> ApiError:
    """404/10063."""
    return ApiError(404, 10063, "Unknown application command")


def already_acknowledged() -> ApiError:
    """400/40060."""
    return ApiError(400, 40060, "Interaction has already been acknowledged.")


def too_many_followups() -> ApiError:
    """400/40094: an application that only its user installed may send five."""
    return ApiError(400, 40094, "This interaction has reached the maximum number of follow-up messages")


def missing_access() -> ApiError:
    """403/50001: the channel or guild cannot be seen."""
    return ApiError(403, 50001, "Missing Access")


def not_your_message() -> ApiError:
    """403/50005."""
    return ApiError(403, 50005, "Cannot edit a message authored by another user")


def empty_message() -> ApiError:
    """400/50006."""
    return ApiError(400, 50006, "Cannot send an empty message")


def dms_closed() -> ApiError:
    """403/50007."""
    return ApiError(403, 50007, "Cannot send messages to this user")


def missing_permissions() -> ApiError:
    """403/50013."""
    return ApiError(403, 50013, "Missing Permissions")


def bulk_delete_count() -> ApiError:
    """400/50016."""
    return ApiError(
        400, 50016, "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100."
    )


def invalid_webhook_token() -> ApiError:
    """401/50027: the interaction's 15 minutes are over."""
    return ApiError(401, 50027, "Invalid Webhook Token")


def bulk_delete_too_old() -> ApiError:
    """400/50034."""
    return ApiError(400, 50034, "You can only bulk delete messages that are under 14 days old.")


def invalid_json() -> ApiError:
    """400/50109."""
    return ApiError(400, 50109, "The request body contains invalid JSON.")


def cannot_reply_without_history() -> ApiError:
    """400/160002."""
    return ApiError(400, 160002, "You cannot reply without permission to read message history.")


def thread_exists() -> ApiError:
    """400/160004."""
    return ApiError(400, 160004, "A thread has already been created for this message")


def wrong_channel_type() -> ApiError:
    """400/50024."""
    return ApiError(400, 50024, "Cannot execute action on this channel type")


def thread_archived() -> ApiError:
    """400/50083."""
    return ApiError(400, 50083, "Thread is archived")


def thread_locked() -> ApiError:
    """400/160005."""
    return ApiError(400, 160005, "This thread is locked")


def too_large() -> ApiError:
    """413/40005: a file over the limit."""
    return ApiError(413, 40005, "Request entity too large")


def invalid_form(path: str, code: str, message: str) -> ApiError:
    """400/50035 with one field error at a dotted path, such as `embeds.0.title`."""
    tree: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for key in reversed(path.split(".")):
        tree = {key: tree}
    return ApiError(400, 50035, "Invalid Form Body", tree)


def too_long(path: str, limit_chars: int) -> ApiError:
    """400/50035 BASE_TYPE_MAX_LENGTH."""
    return invalid_form(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit_chars} or fewer in length.")


def not_a_snowflake(path: str, value: object) -> ApiError:
    """400/50035 NUMBER_TYPE_COERCE."""
    return invalid_form(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
