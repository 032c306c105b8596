"""What the admin reads at the start."""

from urllib.parse import parse_qs, urlsplit

import discord

from bot.ops.banner import PERMISSIONS, invite_url


def test_the_invitation_asks_for_the_permissions_it_names_and_no_others():
    needed = discord.Permissions(
        view_channel=True,
        send_messages=True,
        attach_files=True,
        create_public_threads=True,
        send_messages_in_threads=True,
        read_message_history=True,
    )
    assert needed.value == PERMISSIONS


def test_the_invitation_is_the_one_that_discord_py_would_make():
    ours = urlsplit(invite_url(1234))
    theirs = urlsplit(
        discord.utils.oauth_url(
            1234, permissions=discord.Permissions(PERMISSIONS), scopes=("bot", "applications.commands")
        )
    )
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, "discord.com", "/oauth2/authorize")
    assert parse_qs(ours.query) == parse_qs(theirs.query)
