"""The inbox, groups, members, receipts, people and devices, as REST shows them."""
import json
import random
from urllib.parse import quote

import pytest

from kit import raw
from kit.checks import NOBODY, is_now_ms
from kit.people import DEVICE, assert_error
from kit.socket import DELIVERED, READ, SEND, Closed


def sync(user, query=""):
    return user.ok(200, "GET", f"/sync{query}")


def entry(user, group):
    found, = [g for g in sync(user, "?limit=200")["groups"] if g["id"] == group]
    return found


def test_a_group_in_the_inbox(people):
    user1, user2 = people(count=2)
    group = user1.group(user2, name="the group")
    socket = user2.connect()
    inbox = sync(user1)
    info = socket.info()
    assert (inbox["cursor"], inbox["epoch"], inbox["more"]) == (info["cursor"], info["epoch"], False)
    first, = inbox["groups"]
    assert is_now_ms(first.pop("created_at"))
    assert first == {"id": group, "name": "the group", "kind": "group", "role": "owner",
                     "owner_id": user1.id, "member_count": 2, "retention_days": 0,
                     "first_seq": 1, "last_seq": 0, "read_seq": 0,
                     "delivered_seq": 0, "unread": 0, "mentions": 0,
                     "last_cursor": inbox["cursor"] - 1, "join": "members", "history": "joined", "last_message": None}
    sent = [socket.ok(SEND, {"group_id": group, "data": str(n)}) for n in range(3)]
    first = entry(user1, group)
    assert (first["last_seq"], first["unread"], first["last_cursor"]) == (3, 3, sent[2]["cursor"])
    assert first["last_message"] == user1.ok(200, "GET", f"/messages/{sent[2]['message_id']}")
    assert entry(user2, group)["unread"] == 0, "one's own messages do not count"
    assert entry(user2, group)["role"] == "member"
    reader = user1.connect()
    reader.ok(READ, {"group_id": group, "seq": 2})
    reader.ok(DELIVERED, {"group_id": group, "seq": 3})
    first = entry(user1, group)
    assert (first["read_seq"], first["delivered_seq"], first["unread"]) == (2, 3, 1)
    assert user1.ok(200, "GET", f"/groups/{group}") == {
        name: value for name, value in first.items() if name != "last_message"}


def test_unread_counts_over_a_random_history(people):
    """Against counting by hand: neither one's own messages nor those of other times count."""
    users = people(count=3)
    group = users[0].group(*users[1:])
    sockets = [user.connect() for user in users]
    moves = random.Random(11)
    unread, member = [[], [], []], [True, True, True]
    last = 0
    for _ in range(150):
        who = moves.randrange(3)
        what = moves.random()
        if not member[who]:
            users[who].joins(group)
            member[who] = True
        elif what < 0.1 and who > 0:
            users[who].leaves(group)
            member[who] = False
        elif what < 0.3 and last > 0:
            upto = moves.randint(1, last)
            sockets[who].call(READ, {"group_id": group, "seq": upto})
            # A message of another time cannot be acknowledged, and then nothing changes.
            entry_seq = entry(users[who], group)["read_seq"]
            unread[who] = [seq for seq in unread[who] if seq > entry_seq]
        else:
            last = sockets[who].ok(SEND, {"group_id": group, "data": "x"})["seq"]
            for other in range(3):
                if other != who and member[other]:
                    unread[other].append(last)
        for other in range(3):
            if member[other]:
                assert entry(users[other], group)["unread"] == len(unread[other])


def test_the_inbox_page_by_page(people):
    user1, user2 = people(count=2)
    groups = [user1.group(user2, name=f"group {n}") for n in range(12)]
    gone = user1.group(user2)
    user2.leaves(gone)
    socket = user1.connect()
    order = list(reversed(groups))
    for moved in (3, 7, 0):
        socket.ok(SEND, {"group_id": groups[moved], "data": "x"})
        order.remove(groups[moved])
        order.insert(0, groups[moved])
    for limit in (1, 5, 12, 13):
        seen, query = [], f"?limit={limit}"
        while True:
            inbox = sync(user2, query)
            assert len(inbox["groups"]) <= limit
            seen += inbox["groups"]
            if not inbox["more"]:
                break
            query = f"?limit={limit}&before={seen[-1]['last_cursor']}"
        assert [group["id"] for group in seen] == order
    assert sync(user2, "?before=0") == {**sync(user2), "groups": [], "more": False}


def test_groups_page_by_page(people):
    user1, user2 = people(count=2)
    groups = [user1.group(user2, name=f"group {n}") for n in range(7)]
    user2.leaves(groups.pop(2))
    for limit in (1, 3, 6, 7):
        seen, query = [], f"?limit={limit}"
        while True:
            answer = user2.ok(200, "GET", "/groups" + query)
            seen += [group["id"] for group in answer["groups"]]
            if not answer["more"]:
                break
            query = f"?limit={limit}&after={seen[-1]}"
        assert seen == groups
    assert_error(user2.call("GET", f"/groups?after={NOBODY}"), 404, "group_not_found")


def test_members_and_receipts_page_by_page(people):
    users = people(count=6)
    group = users[0].group(*users[1:])
    users[3].leaves(group)
    there = [user for user in users if user is not users[3]]
    ids = [user.id for user in there]
    for what in ("members", "receipts"):
        for limit in (1, 2, 5, 6):
            seen, query = [], f"?limit={limit}"
            while True:
                answer = users[1].ok(200, "GET", f"/groups/{group}/{what}{query}")
                seen += answer[what]
                if not answer["more"]:
                    break
                query = f"?limit={limit}&after={seen[-1]['user_id']}"
            assert sorted(one["user_id"] for one in seen) == sorted(ids)
        assert_error(users[1].call("GET", f"/groups/{group}/{what}?after={NOBODY}"), 404,
                     "user_not_found")
    roles = {one["user_id"]: (one["username"], one["role"]) for one in
             users[1].ok(200, "GET", f"/groups/{group}/members")["members"]}
    assert roles == {user.id: (user.name, "owner" if user is users[0] else "member")
                     for user in there}


def test_receipts_with_their_times(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    socket = user1.connect()
    for _ in range(3):
        socket.ok(SEND, {"group_id": group, "data": "x"})
    reader = user2.connect()
    reader.ok(READ, {"group_id": group, "seq": 1})
    reader.ok(DELIVERED, {"group_id": group, "seq": 3})
    marks = {one["user_id"]: one for one in
             user1.ok(200, "GET", f"/groups/{group}/receipts")["receipts"]}
    mark = marks[user2.id]
    assert (mark["read_seq"], mark["delivered_seq"]) == (1, 3)
    assert is_now_ms(mark["read_at"]) and mark["delivered_at"] >= mark["read_at"]
    assert marks[user1.id] == {"user_id": user1.id, "delivered_seq": 0, "delivered_at": None,
                               "read_seq": 0, "read_at": None}


@pytest.mark.parametrize("path", [
    "/sync?limit=0", "/sync?limit=201", "/sync?before=x", "/sync?before=-1",
    "/sync?before=99999999999999999999", "/groups?limit=201", "/groups?after=x",
    "/users", "/users?username", "/users?username=%ff",
])
def test_questions_that_are_not_valid(people, path):
    user1, = people(count=1)
    answer = user1.call("GET", path)
    if path == "/users?username":
        assert_error(answer, 404, "user_not_found")
    else:
        assert_error(answer, 400, "invalid_field")


@pytest.mark.parametrize("escape", ["%", "%4", "%4g", "%%41", "%ED%A0%80", "%C0%80"])
def test_names_that_are_not_percent_encoded(people, escape):
    """As no library would send them."""
    user1, = people(count=1)
    connection = raw.Connection(user1.server)
    connection.send(raw.request("GET", f"/users?username={escape}", user1.server,
                                headers=[f"Authorization: bearer {user1.token}"]))
    answer = connection.answer()
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "invalid_field")


def test_people(people):
    user1, user2 = people(count=2)
    me = user1.ok(200, "GET", "/users/me")
    assert is_now_ms(me.pop("created_at"))
    assert me == {"id": user1.id, "username": user1.name, "email": user1.email}
    other = {"id": user2.id, "username": user2.name}
    assert user1.ok(200, "GET", f"/users/{user2.id}") == other
    assert user1.ok(200, "GET", f"/users?username={user2.name.upper()}") == other
    assert_error(user1.call("GET", f"/users/{NOBODY}"), 404, "user_not_found")
    assert_error(user1.call("GET", "/users?username=nobody%20at%20all"), 404, "user_not_found")


def test_a_name_is_found_however_it_is_written(rest):
    from kit.people import User
    person = User(rest, "Жанна+1&ß")
    found = {"id": person.id, "username": "Жанна+1&ß"}
    asker = User(rest)
    for name in ("Жанна+1&ß", "жАННА+1&SS", "ЖАННА+1&ss"):
        assert asker.ok(200, "GET", f"/users?username={quote(name)}") == found
        assert asker.ok(200, "GET", f"/users?a=b&username={quote(name)}&username=x") == found


def test_sessions(people):
    user1, = people(count=1)
    devices = [user1.device(name=f"device {n}", platform=platform)
               for n, platform in enumerate(("web", "ios", "android", "live"))]
    devices[1].connect()
    answer = user1.call("GET", "/sessions")
    assert answer.status_code == 200
    for device in devices:
        assert device.path[1:] not in answer.text, "the URL is a secret"
    listed = answer.json()["sessions"]
    assert [one["id"] for one in listed] == [device.id for device in reversed(devices)]
    for number, one in enumerate(reversed(listed)):
        assert is_now_ms(one.pop("created_at"))
        assert one == {**DEVICE, "id": devices[number].id, "name": f"device {number}",
                       "platform": ("web", "ios", "android", "live")[number],
                       "online": number == 1}


def listed(user):
    return [one["id"] for one in user.ok(200, "GET", "/sessions")["sessions"]]


def assert_ended(device, socket):
    """The open socket is told why, and the URL is nobody's any more."""
    with pytest.raises(Closed) as closed:
        socket.recv()
    assert closed.value.code == 4001
    answer = device.user.rest.call("GET", device.path)
    assert_error(answer, 404, "not_found")


def test_a_session_is_ended(server, people):
    user1, user2 = people(count=2)
    lost, kept = user1.device(), user1.device()
    socket, other = lost.connect(), kept.connect()
    assert_error(user2.call("DELETE", f"/sessions/{lost.id}"), 404, "session_not_found")
    assert user1.ok(200, "DELETE", f"/sessions/{lost.id}") == {}
    assert_ended(lost, socket)
    assert listed(user1) == [kept.id]
    assert_error(user1.call("DELETE", f"/sessions/{lost.id}"), 404, "session_not_found")
    other.info()
    server.restart()
    assert listed(user1) == [kept.id]
    assert_error(user1.rest.call("GET", lost.path), 404, "not_found")
    kept.connect().info()


def test_all_other_sessions_are_ended(people):
    user1, user2 = people(count=2)
    devices = [user1.device() for _ in range(4)]
    sockets = [device.connect() for device in devices]
    outside = user2.connect()
    assert user1.ok(200, "DELETE", f"/sessions?except={devices[2].id}") == {}
    for number in (0, 1, 3):
        assert_ended(devices[number], sockets[number])
    sockets[2].info()
    assert listed(user1) == [devices[2].id]
    assert_error(user1.call("DELETE", "/sessions?except=x"), 400, "invalid_field")
    assert user1.ok(200, "DELETE", "/sessions") == {}
    assert_ended(devices[2], sockets[2])
    assert listed(user1) == []
    outside.info()
    assert len(listed(user2)) == 1
