"""Owners, admins and members: who makes whom what, who may remove whom, and whose the group is when
its owner goes. What was missed says the same as what was told."""
import pytest

from kit.checks import NOBODY
from kit.people import User, assert_error
from kit.socket import T_GROUP, T_JOINED, T_LEFT, T_ROLE


@pytest.fixture
def users(shared_rest):
    return [User(shared_rest) for _ in range(4)]


def give(by, group, who, role):
    return by.call("PATCH", f"/groups/{group}/members/{who.id}", {"role": role})


def gives(by, group, who, role):
    answer = give(by, group, who, role)
    assert (answer.status_code, answer.json()) == (200, {})


def roles(user, group):
    page = user.ok(200, "GET", f"/groups/{group}/members")
    return {member["user_id"]: member["role"] for member in page["members"]}


def told(events, owner, *members):
    """Who has which role for a client that keeps what it was told, and nothing else."""
    has = {member.id: "member" for member in members} | {owner.id: "owner"}
    for event in events:
        user = event.body.get("user_id")
        if event.type == T_JOINED:
            has[user] = "member"
        elif event.type == T_LEFT:
            has.pop(user)
            if "owner_id" in event.body:
                has[event.body["owner_id"]] = "owner"
        elif event.type == T_ROLE:
            if event.body["role"] == "owner":
                has[event.body["by"]] = "admin"
            has[user] = event.body["role"]
    return has


def test_an_admin_is_made_and_unmade(users):
    owner, admin, member, stranger = users
    group = owner.group(admin, member)
    sockets = [user.connect() for user in (owner, admin, member, member)]
    outside = stranger.connect()
    gives(owner, group, admin, "admin")
    events = [socket.expect(T_ROLE, group_id=group, user_id=admin.id, role="admin", by=owner.id)
              for socket in sockets]
    assert len({event.raw for event in events}) == 1 and events[0].cursor > 0
    assert roles(member, group) == {owner.id: "owner", admin.id: "admin", member.id: "member"}
    for path in ("/groups", "/sync"):
        assert admin.ok(200, "GET", path)["groups"][0]["role"] == "admin"
    assert admin.ok(200, "GET", f"/groups/{group}")["role"] == "admin"
    gives(owner, group, admin, "admin")  # as before
    gives(admin, group, admin, "member")
    for socket in sockets:
        socket.expect(T_ROLE, user_id=admin.id, role="member", by=admin.id)
        socket.silent()
    outside.silent()
    assert roles(member, group)[admin.id] == "member"


def test_a_group_is_handed_over(users):
    owner, heir, member, _ = users
    group = owner.group(heir, member)
    socket = member.connect()
    gives(owner, group, heir, "owner")
    socket.expect(T_ROLE, user_id=heir.id, role="owner", by=owner.id)
    socket.silent()
    assert roles(member, group) == {owner.id: "admin", heir.id: "owner", member.id: "member"}
    assert member.ok(200, "GET", f"/groups/{group}")["owner_id"] == heir.id
    assert_error(give(owner, group, owner, "owner"), 403, "forbidden")
    assert_error(give(heir, group, heir, "member"), 403, "forbidden")
    gives(heir, group, owner, "owner")
    assert roles(member, group)[heir.id] == "admin"


def test_who_may_remove_whom(users):
    owner, one, two, member = users
    group = owner.group(one, two, member)
    for admin in (one, two):
        gives(owner, group, admin, "admin")
    for who in (owner, two):
        assert_error(one.left(group, who), 403, "forbidden")
    for who in (owner, one, two):
        assert_error(member.left(group, who), 403, "forbidden")
    socket = two.connect()
    one.leaves(group, member)
    assert "owner_id" not in socket.expect(T_LEFT, user_id=member.id, by=one.id).body
    assert_error(member.join(group), 403, "forbidden")
    owner.leaves(group, one)
    one_again = owner.join(group, one)
    assert one_again.status_code == 200
    assert roles(owner, group) == {owner.id: "owner", one.id: "member", two.id: "admin"}


def test_an_admin_follows_the_owner_and_else_the_eldest(users):
    owner, eldest, admin, later = users
    group = owner.group(eldest, admin)
    owner.joins(group, later)
    gives(owner, group, later, "admin")
    gives(owner, group, admin, "admin")
    socket = eldest.connect()
    owner.leaves(group)
    event = socket.expect(T_LEFT, user_id=owner.id, owner_id=admin.id)
    assert roles(eldest, group) == {eldest.id: "member", admin.id: "owner", later.id: "admin"}
    gives(admin, group, later, "member")
    socket.expect(T_ROLE, user_id=later.id, role="member")
    admin.leaves(group)
    socket.expect(T_LEFT, user_id=admin.id, owner_id=eldest.id)
    later.leaves(group)
    assert "owner_id" not in socket.expect(T_LEFT, user_id=later.id).body
    eldest.leaves(group)
    assert "owner_id" not in socket.expect(T_LEFT, user_id=eldest.id).body
    # The same bytes for who was away.
    assert event.raw in [e.raw for e in eldest.connect().catch_up(event.cursor - 1)]


@pytest.mark.parametrize("body", [{}, {"role": None}, {"role": 1}, {"role": "king"}, {"role": ""},
                                  {"role": "Admin"}, {"role": ["admin"]}])
def test_roles_that_there_are_not(users, body):
    owner, member = users[:2]
    group = owner.group(member)
    answer = owner.call("PATCH", f"/groups/{group}/members/{member.id}", body)
    assert_error(answer, 400, "invalid_field")


def test_people_and_groups_that_are_not_there(users):
    owner, member, gone, stranger = users
    group = owner.group(member, gone)
    gone.leaves(group)
    for who in (NOBODY, stranger.id, gone.id):
        answer = owner.call("PATCH", f"/groups/{group}/members/{who}", {"role": "admin"})
        assert_error(answer, 404, "user_not_found")
    for by in (owner, stranger):
        answer = by.call("PATCH", f"/groups/{NOBODY}/members/{member.id}", {"role": "admin"})
        assert_error(answer, 404, "group_not_found")
    assert_error(give(stranger, group, member, "admin"), 404, "group_not_found")
    assert_error(give(gone, group, member, "admin"), 403, "not_a_member")
    answer = owner.call("PATCH", f"/groups/{group}/members/x", {"role": "admin"})
    assert_error(answer, 404, "not_found")


def test_who_was_away_knows_what_who_was_there_knows(users):
    """From each cursor, with all the changes of roles that there may be in one group."""
    owner, one, two, three = users
    watch = one.connect()
    start = watch.info()["cursor"]
    group = owner.group(one, two, three)
    gives(owner, group, one, "admin")
    gives(owner, group, two, "owner")
    gives(two, group, three, "admin")
    gives(two, group, three, "member")
    for _ in range(20):
        gives(two, group, three, "admin")
        gives(three, group, three, "member")
    gives(two, group, one, "owner")
    gives(one, group, two, "member")
    owner.leaves(group)
    two.joins(group, owner)
    one.leaves(group, three)
    live = watch.fence()
    have = roles(one, group)
    assert told(live, owner, one, two, three) == have
    for cut in range(len(live)):
        seen = one.connect().catch_up(live[cut].cursor)
        assert told([*live[:cut + 1], *seen], owner, one, two, three) == have
        assert all(event.raw in [e.raw for e in live] or event.type == T_ROLE for event in seen)
    seen = one.connect().catch_up(start)
    assert told(seen, owner, one, two, three) == have
    # A state and not its history.
    assert len([e for e in live if e.type == T_ROLE]) == 46
    assert len([e for e in seen if e.type == T_ROLE]) <= 4
    assert [e.type for e in seen if e.type == T_GROUP] == [T_GROUP]
