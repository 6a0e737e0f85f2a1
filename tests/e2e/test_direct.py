"""The one direct group of two people."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.checks import NOBODY, is_uuid
from kit.people import Rest, User, assert_error
from kit.server import run
from kit.socket import T_GROUP, T_JOINED, T_LEFT, T_MESSAGE


@pytest.fixture
def users(shared_rest):
    return [User(shared_rest) for _ in range(3)]


def ask(user, other, **fields):
    return user.call("POST", "/groups", {"kind": "direct", "user_ids": [other.id], **fields})


def direct(user, other):
    answer = ask(user, other)
    assert answer.status_code in (200, 201), answer.text
    assert list(answer.json()) == ["id"]
    return answer.json()["id"]


def test_it_is_made_once(users):
    one, two, three = users
    sockets = [one.connect(), two.connect(), two.connect()]
    outside = three.connect()
    answer = ask(one, two)
    assert answer.status_code == 201 and is_uuid(answer.json()["id"])
    group = answer.json()["id"]
    events = [socket.expect(T_GROUP, group_id=group, name="", owner_id=one.id, join="members",
                            history="joined") for socket in sockets]
    assert len({event.raw for event in events}) == 1
    assert events[0].body["kind"] == "direct"
    assert sorted(events[0].body["user_ids"]) == sorted([one.id, two.id])
    for by, other in ((one, two), (two, one)):
        again = ask(by, other, name="a name")
        assert (again.status_code, again.json()) == (200, {"id": group})
    again = one.call("POST", "/groups",
                     {"kind": "direct", "user_ids": [one.id, one.id, two.id, two.id]})
    assert (again.status_code, again.json()) == (200, {"id": group})
    for socket in sockets + [outside]:
        socket.silent()
    for user in (one, two):
        shown = user.ok(200, "GET", f"/groups/{group}")
        assert (shown["kind"], shown["name"], shown["member_count"]) == ("direct", "", 2)
        assert user.ok(200, "GET", "/sync")["groups"][0]["kind"] == "direct"
    sockets[0].send_message(group, "hello")
    sockets[1].expect(T_MESSAGE, data="hello")
    # Another pair has another, and the two may have as many other groups as they like.
    assert direct(one, three) != group
    assert one.group(two) != group
    assert direct(two, one) == group


@pytest.mark.parametrize("fields", [
    {"user_ids": []}, {"user_ids": None}, {"user_ids": "x"}, {"user_ids": ["x"]},
    {"join": "open"}, {"join": "members"}, {"history": "all"}, {"kind": "Direct"}, {"kind": 1},
    {"kind": ""}, {"kind": ["direct"]}, "oneself", "two others",
])
def test_what_is_no_direct_group(users, fields):
    one, two, three = users
    if fields == "oneself":
        fields = {"user_ids": [one.id]}
    elif fields == "two others":
        fields = {"user_ids": [two.id, three.id]}
    socket = two.connect()
    assert_error(ask(one, two, **fields), 400, "invalid_field")
    socket.silent()


def test_with_somebody_who_is_nobody(users):
    answer = users[0].call("POST", "/groups", {"kind": "direct", "user_ids": [NOBODY]})
    assert_error(answer, 404, "user_not_found")


def test_kind_group_is_a_group(users):
    group = users[0].ok(201, "POST", "/groups", {"kind": "group", "name": "g", "user_ids": []})
    assert users[0].ok(200, "GET", f"/groups/{group['id']}")["kind"] == "group"


def test_nobody_else_and_no_changes(users):
    one, two, three = users
    group = direct(one, two)
    for answer in (one.join(group, three), one.left(group, two), two.left(group, one),
                   one.call("PATCH", f"/groups/{group}", {"name": "x"}),
                   one.call("PATCH", f"/groups/{group}/members/{two.id}", {"role": "admin"}),
                   one.call("PATCH", f"/groups/{group}/members/{two.id}", {"role": "owner"}),
                   one.call("DELETE", f"/groups/{group}")):
        assert_error(answer, 403, "forbidden")
    for answer in (three.join(group), three.call("GET", f"/groups/{group}"),
                   three.call("DELETE", f"/groups/{group}")):
        assert_error(answer, 404, "group_not_found")


def test_who_left_comes_back_when_it_is_asked_for(users):
    one, two, _ = users
    group = direct(one, two)
    socket, other = one.connect(), two.connect()
    start = socket.info()["cursor"]
    socket.send_message(group, "before")
    two.leaves(group)
    other.fence()
    socket.expect(T_LEFT, user_id=two.id, by=two.id)
    socket.send_message(group, "unheard")
    other.silent()
    assert_error(two.join(group), 403, "forbidden")
    assert_error(one.join(group, two), 403, "forbidden")
    assert two.ok(200, "GET", "/groups")["groups"] == []
    assert direct(one, two) == group
    for each in (socket, other):
        each.expect(T_JOINED, group_id=group, user_id=two.id, by=one.id)
    # Both away: who asks comes back first, then the other.
    one.leaves(group)
    two.leaves(group)
    socket.fence()
    other.fence()
    assert direct(two, one) == group
    assert [e.body["user_id"] for e in other.fence()] == [two.id, one.id]
    assert [e.body["user_id"] for e in socket.fence()] == [one.id]
    assert [e.type for e in two.connect().catch_up(start)] == [
        T_MESSAGE, T_LEFT, T_JOINED, T_LEFT, T_LEFT, T_JOINED, T_JOINED]


def test_both_ask_at_once(users):
    one, two, _ = users
    with ThreadPoolExecutor(16) as pool:
        for _ in range(3):
            pair = [User(one.rest) for _ in range(2)]
            clients = [Rest(one.server) for _ in range(16)]
            answers = list(pool.map(
                lambda i: clients[i].call("POST", "/groups",
                                          {"kind": "direct", "user_ids": [pair[i % 2].id]},
                                          pair[1 - i % 2].token), range(16)))
            assert sorted(a.status_code for a in answers) == [200] * 15 + [201]
            assert len({a.json()["id"] for a in answers}) == 1
            for client in clients:
                client.close()


def test_as_many_groups_as_one_may_be_in(new_server):
    rest = Rest(new_server(user_groups_max=1))
    one, two, three = (User(rest) for _ in range(3))
    group = direct(one, two)
    assert direct(two, one) == group
    assert_error(ask(three, one), 409, "too_many_groups")
    assert_error(ask(one, three), 409, "too_many_groups")
    two.leaves(group)
    other = direct(three, two)
    assert_error(ask(one, two), 409, "too_many_groups")
    two.leaves(other)
    assert direct(one, two) == group


def test_it_is_the_same_after_a_snapshot(new_server):
    server = new_server(snapshot_after=0)
    rest = Rest(server)
    one, two = User(rest), User(rest)
    group = direct(one, two)
    two.leaves(group)
    assert run(["snapshot", "--data", str(server.data)]).returncode == 0
    before = server.digest()
    server.restart(9)
    assert server.digest() == before
    assert direct(two, one) == group
    assert ask(one, two).status_code == 200
