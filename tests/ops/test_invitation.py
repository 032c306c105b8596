"""The links that invite the bot, and what is told of them."""

import base64
from urllib.parse import parse_qs, urlsplit

import discord
import pytest

from bot.errors import TokenMalformed
from bot.ops.invitation import (
    NEEDED,
    PERMISSIONS,
    application_id_of,
    install_url,
    invitation,
    invite_url,
    name_of,
    names_of,
    purpose_of,
)


def token_of(application_id, tail=".GabcDE.abcdefghijklmnopqrstuvwxyz0123456789ABCD"):
    return base64.urlsafe_b64encode(str(application_id).encode()).decode().rstrip("=") + tail


def the_same_as(ours, theirs):
    ours, theirs = urlsplit(ours), urlsplit(theirs)
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, "discord.com", "/oauth2/authorize")
    return parse_qs(ours.query) == parse_qs(theirs.query)


def test_every_permission_is_called_what_discord_py_calls_it_and_no_other_is_asked_for():
    assert discord.Permissions(**dict.fromkeys(NEEDED, True)).value == PERMISSIONS
    for permission, bit in NEEDED.items():
        assert discord.Permissions(**{permission: True}).value == bit


def test_every_permission_has_a_name_and_a_purpose():
    assert len({name_of(permission) for permission in NEEDED}) == len(NEEDED)
    assert len({purpose_of(permission) for permission in NEEDED}) == len(NEEDED)
    assert names_of(["send_messages", "attach_files"]) == "Send Messages, Attach Files"


def test_the_links_are_those_that_discord_py_would_make():
    asked = {"permissions": discord.Permissions(PERMISSIONS), "scopes": ("bot", "applications.commands")}
    assert the_same_as(invite_url(1234), discord.utils.oauth_url(1234, **asked))
    chosen = discord.utils.oauth_url(1234, **asked, guild=discord.Object(5678), disable_guild_select=True)
    assert the_same_as(invite_url(1234, 5678), chosen)
    alone = discord.utils.oauth_url(1234, scopes=["applications.commands"]) + "&integration_type=1"
    assert the_same_as(install_url(1234), alone)


@pytest.mark.parametrize("application_id", [1, 1234, 80351110224678912, 1440123456789012345])
def test_a_token_tells_its_application_whatever_padding_it_lacks(application_id):
    assert application_id_of(token_of(application_id)) == application_id


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1440123456789012345",  # the application id
        "0123456789abcdef" * 4,  # the public key
        token_of(1234, ""),
        token_of(1234, ".one-part-too-few"),
        token_of(1234, ".a.b.c"),
        token_of("no-number", ".a.b"),
        token_of("0", ".a.b"),
        token_of("-5", ".a.b"),
        token_of("²", ".a.b"),
        token_of(2**63, ".a.b"),
        token_of("9" * 5000, ".a.b"),
        ".a.b",
        "A.a.b",
        "ä.a.b",
        "////.a.b",
    ],
)
def test_what_is_no_token_is_said_so_without_showing_it(token):
    with pytest.raises(TokenMalformed) as caught:
        application_id_of(token)
    assert "three parts" in str(caught.value)
    assert len(token) < 3 or token not in str(caught.value)


def test_an_invitation_names_links_permissions_and_what_each_is_for():
    told = invitation(1234)
    assert invite_url(1234) in told
    assert install_url(1234) in told
    for permission in NEEDED:
        assert f"{name_of(permission)} " in told
        assert purpose_of(permission) in told
    assert "PHIBOT_ALLOWED_GUILD_IDS" not in told


def test_an_invitation_says_which_servers_are_left_again():
    told = invitation(1234, guild_id=7, allowed=frozenset({9, 8}))
    assert invite_url(1234, 7) in told
    assert "leaves every server again but 8, 9." in told
    assert "The server 7 is not among them" in told
    assert "not among them" not in invitation(1234, guild_id=8, allowed=frozenset({9, 8}))
