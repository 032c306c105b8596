"""A conversation as a page: messages of the loopback Discord drawn about as a client shows them.

Knows the messages' data and nothing of how they came about. What a client hides or shows to one person only is the
caller's choice.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt

from bot.playground.components import BUTTON
from bot.playground.model import Message

_MARKDOWN = MarkdownIt("commonmark", {"breaks": True, "html": False}).disable(["html_inline", "html_block", "image"])
_MENTION = re.compile(r"<@!?(\d+)>")
_SMALL = re.compile(r"^-# (.*)$", re.MULTILINE)
_QUOTE_END = re.compile(r"^(> .*\n)(?!> )", re.MULTILINE)  # in Discord a quote ends with its line

_BUTTON_STYLES = {1: "primary", 3: "success", 4: "danger"}

STYLE = """
* { box-sizing: border-box; margin: 0 }
body { background: #313338; color: #dbdee1; font: 16px/1.4 "DejaVu Sans", sans-serif; width: 760px; padding: 14px 18px }
.message { display: grid; grid-template-columns: 52px 1fr; margin-top: 14px }
.message:first-child { margin-top: 0 }
.avatar { width: 40px; height: 40px; border-radius: 50%; color: white; font-weight: bold;
  text-align: center; line-height: 40px }
.replied, .used, .private { grid-column: 2; color: #a3a6aa; font-size: 13px; margin-bottom: 3px;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.private { margin: 4px 0 0 }
.name { font-weight: bold; color: #f2f3f5 }
.app { background: #5865f2; color: white; font-size: 10px; border-radius: 3px; padding: 1px 4px;
  margin-left: 5px; vertical-align: 2px }
.edited { color: #949ba4; font-size: 11px }
.text { overflow-wrap: anywhere }
.text p, .text pre, .text ul, .text ol { margin: 2px 0 }
.text ul, .text ol { padding-left: 22px }
.text blockquote { border-left: 4px solid #4e5058; padding-left: 10px }
.text code { background: #2b2d31; border-radius: 3px; padding: 1px 4px; font: 14px "DejaVu Sans Mono", monospace }
.text pre code { display: block; padding: 8px; border: 1px solid #1e1f22; white-space: pre-wrap }
.mention { background: #3c4270; color: #c9cdfb; border-radius: 3px; padding: 0 2px }
small { color: #949ba4; font-size: 13px }
.file { background: #2b2d31; border: 1px solid #1e1f22; border-radius: 8px; padding: 8px 12px; margin-top: 4px;
  width: fit-content }
.buttons { display: flex; gap: 8px; margin-top: 6px }
.button { background: #4e5058; color: white; font-size: 14px; border-radius: 4px; padding: 4px 14px }
.button.primary { background: #5865f2 } .button.danger { background: #da373c } .button.success { background: #248046 }
.button.off { opacity: .5 }
.select { background: #1e1f22; color: #949ba4; border-radius: 4px; padding: 8px 12px; width: 400px }
.select span { float: right }
"""


def page(messages: Sequence[Message], names: Mapping[int, str]) -> str:
    """Return the HTML of messages, oldest first; `names` are the people's, by user id."""
    by_id = {message.id: message for message in messages}
    drawn = "".join(_message(message, by_id, names) for message in messages)
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{drawn}"


def _message(message: Message, by_id: Mapping[int, Message], names: Mapping[int, str]) -> str:
    name = message.author.name
    hue = sum(map(ord, name)) * 37 % 360
    colour = "#5865f2" if message.author.bot else f"hsl({hue} 45% 45%)"
    app = "<span class=app>APP</span>" if message.author.bot else ""
    edited = " <span class=edited>(edited)</span>" if message.edited_at and not message.author.bot else ""
    return (
        f"<div class=message>{_above(message, by_id, names)}"
        f'<div class=avatar style="background:{colour}">{html.escape(name[0].upper())}</div>'
        f"<div><span class=name>{html.escape(name)}</span>{app}"
        f"<div class=text>{_text(message.content, names)}{edited}</div>"
        f"{_files(message)}{_components(message)}{_below(message)}</div></div>"
    )


def _above(message: Message, by_id: Mapping[int, Message], names: Mapping[int, str]) -> str:
    """Draw what stands above a message: which one it replies to, or the command that it answers."""
    if message.interaction is not None:
        command = html.escape(str(message.interaction.data.get("name", "")))
        return f"<div class=used>{html.escape(message.interaction.user.name)} used <b>{command}</b></div>" * bool(
            command
        )
    replied_to = by_id.get(message.replies_to or 0)
    if replied_to is None:
        return ""
    gist = _MENTION.sub(lambda found: "@" + names.get(int(found[1]), "?"), replied_to.content.split("\n")[0])
    return f"<div class=replied>↱ <b>{html.escape(replied_to.author.name)}</b> {html.escape(gist)}</div>"


def _text(content: str, names: Mapping[int, str]) -> str:
    apart = _QUOTE_END.sub(r"\1\n", content)
    drawn = _MARKDOWN.render(_SMALL.sub(r"\n[[small]]\1[[/small]]", apart))
    drawn = drawn.replace("[[small]]", "<small>").replace("[[/small]]", "</small>")
    return re.sub(
        r"&lt;@!?(\d+)&gt;",
        lambda found: f"<span class=mention>@{html.escape(names.get(int(found[1]), '?'))}</span>",
        drawn,
    )


def _files(message: Message) -> str:
    return "".join(
        f"<div class=file>📄 {html.escape(file.filename)} <small>{_size(len(file.content))}</small></div>"
        for file in message.attachments
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes} bytes" if size_bytes < 1000 else f"{size_bytes / 1000:.1f} KB"


def _components(message: Message) -> str:
    rows = [row.get("components", []) for row in message.components]
    return "".join(f"<div class=buttons>{''.join(map(_component, row))}</div>" for row in rows if row)


def _component(component: Mapping[str, Any]) -> str:
    if component["type"] == BUTTON:
        return _button(component)
    chosen = [option["label"] for option in component.get("options") or [] if option.get("default")]
    is_one_of = component.get("max_values", 1) == 1  # of several, what is chosen stands in the text above it
    shown = chosen[0] if chosen and is_one_of else component.get("placeholder") or ""
    return f"<div class=select>{html.escape(str(shown))} <span>⌄</span></div>"


def _button(button: Mapping[str, object]) -> str:
    emoji = button.get("emoji")
    words = [str(emoji["name"])] if isinstance(emoji, Mapping) else []
    words += [str(button["label"])] if button.get("label") else []
    kind = _BUTTON_STYLES.get(int(str(button.get("style", 2))), "")
    off = " off" if button.get("disabled") else ""
    return f'<span class="button {kind}{off}">{html.escape(" ".join(words))}</span>'


def _below(message: Message) -> str:
    return "<div class=private>👁 Only you can see this</div>" if message.visible_to is not None else ""
