"""The order in which roles and overwrites count. Source: Discord's documentation, "Permission Overwrites"."""

from bot.playground import Playground
from bot.playground.channels import open_thread
from bot.playground.permissions import NOTHING, Permission

SEND, VIEW, FILES = Permission.SEND_MESSAGES, Permission.VIEW_CHANNEL, Permission.ATTACH_FILES


def furnished():
    playground = Playground()
    guild = playground.add_guild("Home")
    channel = playground.add_channel(guild, "general")
    ada = playground.add_user("Ada")
    playground.join(ada, guild)
    return playground.state, guild, channel, ada


def test_a_members_overwrite_beats_a_roles_and_a_roles_beats_everyones() -> None:
    state, guild, channel, ada = furnished()
    role = state.add_role(guild, "writers")
    guild.members[ada.id].role_ids.add(role.id)
    state.set_overwrite(channel, guild.everyone, deny=SEND)
    assert not state.permissions(channel, ada) & SEND
    state.set_overwrite(channel, role, allow=SEND)
    assert state.permissions(channel, ada) & SEND
    state.set_overwrite(channel, ada, deny=SEND)
    assert not state.permissions(channel, ada) & SEND


def test_one_roles_allow_beats_another_roles_deny() -> None:
    state, guild, channel, ada = furnished()
    for allow, deny in ((NOTHING, SEND), (SEND, NOTHING)):
        role = state.add_role(guild, "some")
        guild.members[ada.id].role_ids.add(role.id)
        state.set_overwrite(channel, role, allow=allow, deny=deny)
    assert state.permissions(channel, ada) & SEND


def test_who_cannot_view_can_do_nothing_and_who_cannot_send_attaches_nothing() -> None:
    state, guild, channel, ada = furnished()
    state.set_overwrite(channel, guild.everyone, deny=SEND)
    assert not state.permissions(channel, ada) & FILES
    state.set_overwrite(channel, guild.everyone, deny=VIEW)
    assert state.permissions(channel, ada) == NOTHING


def test_administrators_and_the_owner_are_above_overwrites() -> None:
    state, guild, channel, ada = furnished()
    state.set_overwrite(channel, guild.everyone, deny=VIEW | SEND)
    assert state.sees(state.users[guild.owner_id], channel)
    role = state.add_role(guild, "admins", Permission.ADMINISTRATOR)
    guild.members[ada.id].role_ids.add(role.id)
    assert state.permissions(channel, ada) & SEND


def test_a_thread_takes_its_parents_overwrites_and_strangers_see_nothing() -> None:
    state, guild, channel, ada = furnished()
    thread = open_thread(state, channel, "aside", ada)
    assert state.sees(ada, thread)
    state.set_overwrite(channel, guild.everyone, deny=VIEW)
    assert not state.sees(ada, thread)
    assert not state.sees(state.add_user("Stranger"), channel)
