"""/admin's rules by Discord's own pickers: loopback Discord, discord.py, the frontend, the real chat and store."""

from bot.core.permissions import MOST_SUBJECTS, Kind, Verdict
from bot.playground.model import ChannelType
from bot.playground.permissions import Permission
from bot.texts import text


async def told(world, person, channel=None):
    """Ask something and return what comes."""
    return (await world.said(await person.say(channel or world.channel, "<@bot> hello")))[0]


async def test_a_blocked_user_and_role_are_refused_until_cleared(world, stack, admin, ben):
    grace = world.discord.person("Grace", world.guild)
    loud = world.give_role(grace, Permission(0), "loud")
    await stack()
    answered = await admin("block", user=ben.user, role=loud)
    assert answered == text("admin.blocked", names=f"<@{ben.user.id}>, <@&{loud.id}>")
    for person in (ben, grace):
        assert await told(world, person) == text("refused.blocked")
    assert await told(world, world.ada) == "hello"
    assert await admin("clear", user=ben.user, role=loud) == text("admin.cleared", count=2)
    for person in (ben, grace):
        assert await told(world, person) == "hello"


async def test_a_blocked_channel_and_category_are_refused_with_their_threads(world, stack, admin):
    category = world.discord.state.add_channel(world.guild, "games", ChannelType.CATEGORY)
    inside = world.discord.state.add_channel(world.guild, "chess", category=category)
    thread = world.ada.open_thread(inside, "endgames")
    other = world.discord.add_channel(world.guild, "other")
    await stack()
    assert await admin("block", channel=category) == text("admin.blocked", names=f"<#{category.id}>")
    for place in (inside, thread):
        assert await told(world, world.ada, place) == text("refused.place_blocked")
    assert await told(world, world.ada, other) == "hello"
    await admin("clear", channel=category)
    await admin("block", channel=thread)
    assert await told(world, world.ada, inside) == "hello"
    asked = await world.ada.say(thread, "<@bot> hello")  # told just before: a sign will do
    await world.discord.until(lambda: text("sign.refused") in asked.reactions)


async def test_allowed_people_and_places_are_the_only_ones_and_admins_are_never_locked_out(world, stack, admin, ben):
    other = world.discord.add_channel(world.guild, "other")
    await stack()
    answered = await admin("allow", user=ben.user, channel=other)
    assert text("admin.allowed_people") in answered
    assert text("admin.allowed_places") in answered
    assert await told(world, ben, other) == "hello"
    assert await told(world, ben) == text("refused.place_not_allowed")
    assert await told(world, world.ada, other) == text("refused.not_allowed")
    assert await admin("block", user=world.ada.user) == text("admin.blocked", names=f"<@{world.ada.user.id}>")
    assert await admin("clear", user=world.ada.user) == text("admin.cleared", count=1)
    await admin("clear", user=ben.user, channel=other)
    assert await told(world, ben) == "hello"


async def test_age_restricted_channels_only(world, stack, admin, ben):
    restricted = world.discord.state.add_channel(world.guild, "late", is_age_restricted=True)
    thread = world.ada.open_thread(restricted, "later")
    await stack()
    assert await admin("age_restricted", only="on") == text("admin.age_restricted_on")
    assert await told(world, ben) == text("refused.age_restricted")
    used = await ben.slash(world.channel, "ask", question="hello")
    assert [one.content for one in await world.discord.answer(used)] == [text("refused.age_restricted")]
    for place in (restricted, thread):
        assert await told(world, ben, place) == "hello"
    assert await told(world, ben, ben.dm()) == "hello"
    await admin("age_restricted", only="off")
    used = await ben.slash(world.channel, "ask", question="hello")
    assert [one.content for one in await world.discord.answer(used)] == ["hello"]


async def test_the_rules_page_shows_all_that_holds_and_who_said_so_also_of_what_is_deleted(world, stack, admin, ben):
    role, doomed = world.give_role(ben, Permission(0), "loud"), world.discord.add_channel(world.guild, "doomed")
    lost = world.discord.state.add_role(world.guild, "lost")
    del world.guild.roles[lost.id]
    await stack()
    assert text("admin.rules_none") in await admin("rules")
    await admin("block", user=ben.user, channel=doomed)
    await admin("allow", role=lost)
    await admin("persona_roles add", role=role)
    await admin("age_restricted", only="on")
    await admin("pause")
    deleting = world.discord.person("Boss", world.guild)
    world.discord.grant(deleting, world.guild, Permission.MANAGE_CHANNELS)
    deleting.delete_channel(doomed)
    page = await admin("rules")
    by = f" {text('admin.by', admin=f'<@{world.ada.user.id}>')}"
    assert page.splitlines() == [
        text("admin.rules_here"),
        text("admin.rules_paused") + by,
        text("admin.rules_age_restricted"),
        text("admin.blocked_users", names=f"<@{ben.user.id}>{by}"),
        text("admin.blocked_channels", names=text("admin.channels_gone", id=doomed.id) + by),
        text("admin.allowed_roles", names=text("admin.roles_gone", id=lost.id) + by),
        text("admin.rules_personas", names=f"<@&{role.id}>{by}"),
        text("admin.rules_more"),
    ]
    assert await admin("clear", deleted=True) == text("admin.cleared", count=2)
    assert str(doomed.id) not in (cleared := await admin("rules"))
    assert str(lost.id) not in cleared
    assert f"<@{ben.user.id}>" in cleared


async def test_an_archived_thread_is_not_taken_for_a_deleted_one(world, stack, admin):
    thread = world.ada.open_thread(world.channel, "old")
    world.give_role(world.ada, Permission.MANAGE_THREADS, "threads")
    await stack()
    await admin("block", channel=thread)
    world.ada.archive(thread)
    assert await admin("clear", deleted=True) == text("admin.cleared_nothing")
    assert world.chat.permissions.listed(world.guild.id, Verdict.BLOCKED, Kind.CHANNEL).keys() == {thread.id}
    world.ada.delete_channel(thread)
    assert await admin("clear", deleted=True) == text("admin.cleared", count=1)


async def test_nothing_is_done_of_what_does_not_fit_into_a_list(world, stack, admin, ben):
    await stack()
    permissions, home = world.chat.permissions, world.guild.id
    for number in range(MOST_SUBJECTS):
        await permissions.decide(home, Verdict.BLOCKED, Kind.ROLE, number + 1, by=1)
    assert await admin("block", user=ben.user, role=world.guild.everyone) == text(
        "refused.rules_full", limit=MOST_SUBJECTS
    )
    assert permissions.listed(home, Verdict.BLOCKED, Kind.USER) == {}


async def test_a_page_of_many_rules_comes_in_several_messages(world, stack, admin):
    people = [world.discord.add_user(f"person {number}") for number in range(90)]
    await stack()
    for person in people:
        await world.chat.permissions.decide(world.guild.id, Verdict.BLOCKED, Kind.USER, person.id, by=world.ada.user.id)
    used = await world.ada.slash(world.channel, "admin rules")
    messages = await world.discord.until(lambda: len(used.responses) == 2 and used.responses)
    page = "\n".join(message.content for message in messages)
    assert all(f"<@{person.id}>" in page for person in people)
    assert {message.visible_to for message in messages} == {world.ada.user.id}


async def test_nothing_chosen_is_asked_for_and_nothing_listed_is_said_so(world, stack, admin, ben):
    await stack()
    for command in ("block", "allow", "clear"):
        assert await admin(command) == text("admin.choose")
    assert await admin("clear", user=ben.user) == text("admin.cleared_nothing")


async def test_owners_decide_for_everywhere_in_a_direct_message(world, stack, ben):
    owner = world.ada
    await stack(rules={"owner_ids": frozenset({owner.user.id})})
    boss = world.discord.person("Boss", world.guild).user
    [told_] = await world.discord.answer(await owner.slash(owner.dm(), "admin allow", user=boss))
    assert told_.content.splitlines()[1:] == [text("admin.allowed_people_everywhere")]
    await world.discord.answer(await owner.slash(owner.dm(), "admin clear", user=boss))
    used = await owner.slash(owner.dm(), "admin block", user=ben.user)
    await world.discord.answer(used)
    assert await told(world, ben) == text("refused.blocked")
    assert (await world.said(await ben.say(ben.dm(), "hello"))) == [text("refused.blocked")]
    [page] = await world.discord.answer(await owner.slash(owner.dm(), "admin rules"))
    assert page.content.startswith(text("admin.rules_everywhere"))
    assert f"<@{ben.user.id}>" in page.content
    world.give_role(owner, Permission.MANAGE_GUILD)
    [here] = await world.discord.answer(await owner.slash(world.channel, "admin rules"))
    assert text("admin.rules_owners") in here.content


async def test_the_rules_survive_a_restart(world, stack, admin, ben):
    await stack()
    await admin("block", user=ben.user)
    await stack()
    assert await told(world, ben) == text("refused.blocked")
