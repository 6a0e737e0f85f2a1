"""What a group is called, who may come by themselves, what they see of its past, and its end."""
import pytest

from kit.checks import NOBODY
from kit.people import Rest, User, assert_error
from kit.server import run
from kit.socket import (DELIVERED, HISTORY, READ, SEND, T_CHANGED, T_DELETED, T_GROUP, T_JOINED, T_LEFT,
                        T_MESSAGE, T_READ, T_ROLE, T_SENT, TYPING)

OPTIONS = {"send_rate": 0}


@pytest.fixture
def users(shared_rest):
    return [User(shared_rest) for _ in range(4)]


def make(user, *others, **settings):
    return user.ok(201, "POST", "/groups", {"name": "g", "user_ids": [o.id for o in others],
                                            **settings})["id"]


def change(user, group, **settings):
    return user.call("PATCH", f"/groups/{group}", settings)


def changes(user, group, **settings):
    answer = change(user, group, **settings)
    assert (answer.status_code, answer.json()) == (200, {})


def shown(user, group):
    body = user.ok(200, "GET", f"/groups/{group}")
    return body["name"], body["join"], body["history"]


def talk(socket, group, count):
    """So many messages, each of them answered."""
    for _ in range(count):
        socket.rpc(SEND, {"group_id": group, "data": "x" * 1000})
    sent = 0
    while sent < count:
        sent += socket.recv().type == T_SENT


def texts(user, group, **query):
    fields = "&".join(f"{name}={value}" for name, value in query.items())
    page = user.ok(200, "GET", f"/groups/{group}/messages?{fields}")
    return [message["data"] for message in page["messages"]]


# ---- settings


def test_settings_are_changed_and_told(users):
    owner, admin, member, stranger = users
    group = make(owner, admin, member)
    assert shown(member, group) == ("g", "members", "joined")
    assert owner.call("PATCH", f"/groups/{group}/members/{admin.id}",
                      {"role": "admin"}).status_code == 200
    sockets = [user.connect() for user in (owner, member, member)]
    outside = stranger.connect()
    changes(owner, group, name="another")
    events = [socket.expect(T_CHANGED, group_id=group, name="another", join="members",
                            history="joined", by=owner.id) for socket in sockets]
    assert len({event.raw for event in events}) == 1
    assert set(events[0].body) == {"group_id", "name", "join", "history", "retention_days", "by"}
    changes(admin, group, join="open")
    changes(admin, group, history="all", name=None)
    assert shown(member, group) == ("another", "open", "all")
    for socket in sockets:
        socket.expect(T_CHANGED, name="another", join="open", history="joined", by=admin.id)
        socket.expect(T_CHANGED, name="another", join="open", history="all", by=admin.id)
    # What changes nothing is told to nobody.
    changes(owner, group)
    changes(owner, group, name="another", history="all")
    for socket in sockets:
        socket.silent()
    outside.silent()
    listed = member.ok(200, "GET", "/groups")["groups"][0]
    assert (listed["name"], listed["kind"], listed["join"]) == ("another", "group", "open")
    assert member.ok(200, "GET", "/sync")["groups"][0]["history"] == "all"


@pytest.mark.parametrize("body", [
    {"name": ""}, {"name": "x" * 129}, {"name": 1}, {"name": "a\u0000"}, {"name": ["x"]},
    {"join": "all"}, {"join": 1}, {"join": ""}, {"history": "open"}, {"history": False},
    {"history": "joined", "join": "Open"},
])
def test_settings_that_there_are_not(users, body):
    owner = users[0]
    group = make(owner)
    assert_error(change(owner, group, **body), 400, "invalid_field")
    assert shown(owner, group) == ("g", "members", "joined")
    answer = owner.call("POST", "/groups", {"name": "g", "user_ids": [], **body})
    assert_error(answer, 400, "invalid_field")


def test_who_may_not_change_them(users):
    owner, member, gone, stranger = users
    group = make(owner, member, gone)
    gone.leaves(group)
    assert_error(change(member, group, name="x"), 403, "forbidden")
    assert_error(change(gone, group, name="x"), 403, "not_a_member")
    assert_error(change(stranger, group, name="x"), 404, "group_not_found")
    assert_error(change(owner, NOBODY, name="x"), 404, "group_not_found")
    assert shown(owner, group) == ("g", "members", "joined")


def test_a_group_that_is_made_with_settings(users):
    owner, member = users[:2]
    socket = member.connect()
    start = socket.info()["cursor"]
    group = make(owner, member, join="open", history="all")
    made = socket.expect(T_GROUP, group_id=group, name="g", join="open", history="all")
    assert made.body["kind"] == "group"
    assert shown(member, group) == ("g", "open", "all")
    for i in range(30):
        changes(owner, group, name=f"name {i}", join=("members", "open")[i % 2])
    last = socket.fence()[-1]
    # Who was away is told how it was made, and how it is; not how it came to be so.
    seen = [e.raw for e in member.connect().catch_up(start)]
    assert seen == [made.raw, last.raw]


# ---- open groups


def test_anybody_comes_to_an_open_group(users):
    owner, guest, other, _ = users
    group = make(owner, join="open")
    socket = owner.connect()
    door = guest.ok(200, "GET", f"/groups/{group}")
    assert set(door) == {"id", "name", "kind", "created_at", "member_count", "join", "history"}
    assert (door["id"], door["name"], door["member_count"]) == (group, "g", 1)
    for path in ("members", "receipts", "messages"):
        assert_error(guest.call("GET", f"/groups/{group}/{path}"), 404, "group_not_found")
    assert_error(guest.join(group, other), 404, "group_not_found")
    guest.joins(group)
    socket.expect(T_JOINED, user_id=guest.id, by=guest.id)
    assert guest.ok(200, "GET", f"/groups/{group}")["role"] == "member"
    guest.leaves(group)
    assert "role" not in guest.ok(200, "GET", f"/groups/{group}")
    guest.joins(group)
    owner.leaves(group, guest)
    # Who was removed stays out, until a member adds them.
    assert_error(guest.join(group), 403, "forbidden")
    assert_error(guest.call("GET", f"/groups/{group}"), 403, "not_a_member")
    owner.joins(group, guest)
    changes(owner, group, join="members")
    assert_error(other.join(group), 404, "group_not_found")
    assert_error(other.call("GET", f"/groups/{group}"), 404, "group_not_found")


# ---- history


def test_a_newcomer_sees_the_past_where_it_is_for_all(users):
    owner, late, gone, _ = users
    group = make(owner, gone, history="all")
    socket = owner.connect()
    for text in ("one", "two"):
        message = socket.send_message(group, text).body["message_id"]
    gone.leaves(group)
    owner.joins(group, late)
    socket.fence()
    inbox = late.ok(200, "GET", "/sync")["groups"][0]
    assert (inbox["unread"], inbox["last_seq"], inbox["last_message"]["data"]) == (0, 2, "two")
    socket.send_message(group, "three")
    assert texts(late, group) == ["one", "two", "three"]
    assert texts(late, group, before_seq=3) == ["one", "two"]
    assert texts(late, group, around_seq=1, limit=1) == ["one"]
    assert late.ok(200, "GET", f"/messages/{message}")["data"] == "two"
    hearer = late.connect()
    assert len(hearer.ok(HISTORY, {"group_id": group})["messages"]) == 3
    # Unread is what came since.
    assert late.ok(200, "GET", f"/groups/{group}")["unread"] == 1
    hearer.ok(READ, {"group_id": group, "seq": 2})
    assert late.ok(200, "GET", f"/groups/{group}")["unread"] == 1
    hearer.ok(READ, {"group_id": group, "seq": 3})
    assert late.ok(200, "GET", f"/groups/{group}")["unread"] == 0
    assert [e.body["seq"] for e in socket.fence() if e.type == T_READ] == [2, 3]
    # Who has left sees what there was until then.
    assert texts(gone, group) == ["one", "two"]
    # The events are those of one's own time, whatever the history is.
    assert [e.body["data"] for e in late.connect().everything() if e.type == T_MESSAGE] == ["three"]
    changes(owner, group, history="joined")
    assert texts(late, group) == ["three"]
    assert_error(late.call("GET", f"/messages/{message}"), 404, "message_not_found")
    changes(owner, group, history="all")
    assert texts(late, group) == ["one", "two", "three"]


def test_the_time_between_is_seen_too(users):
    owner, member = users[:2]
    group = make(owner, member, history="all")
    socket = owner.connect()
    socket.send_message(group, "one")
    member.leaves(group)
    socket.fence()
    socket.send_message(group, "two")
    assert texts(member, group) == ["one"]
    member.joins(group)
    assert texts(member, group) == ["one", "two"]
    assert member.ok(200, "GET", f"/groups/{group}")["unread"] == 1


# ---- the end


def test_a_deleted_group_is_not_there(users):
    owner, member, gone, stranger = users
    group, other = make(owner, member, gone), make(owner, member)
    gone.leaves(group)
    sockets = [user.connect() for user in (owner, member, member)]
    outside = [user.connect() for user in (gone, stranger)]
    message = sockets[0].send_message(group, "x", client_id="again").body["message_id"]
    for socket in sockets:
        socket.fence()
    for by, error in ((member, (403, "forbidden")), (gone, (403, "not_a_member")),
                      (stranger, (404, "group_not_found"))):
        assert_error(by.call("DELETE", f"/groups/{group}"), *error)
    assert owner.ok(200, "DELETE", f"/groups/{group}") == {}
    events = [socket.expect(T_DELETED, group_id=group, by=owner.id) for socket in sockets]
    assert len({event.raw for event in events}) == 1 and set(events[0].body) == {"group_id", "by"}
    for socket in outside:
        socket.silent()
    for user in users:
        for path in ("", "/members", "/receipts", "/messages"):
            assert_error(user.call("GET", f"/groups/{group}{path}"), 404, "group_not_found")
        assert_error(user.call("GET", f"/messages/{message}"), 404, "message_not_found")
        for method, path, body in (
                ("PATCH", "", {"name": "x"}), ("DELETE", "", None),
                ("PATCH", f"/members/{member.id}", {"role": "admin"}),
                ("PUT", "/join", {"user_id": user.id}), ("PUT", "/left", {"user_id": user.id}),
                ("POST", "/messages", {"data": "x"})):
            assert_error(user.call(method, f"/groups/{group}{path}", body), 404, "group_not_found")
        assert group not in [g["id"] for g in user.ok(200, "GET", "/groups")["groups"]]
        assert group not in [g["id"] for g in user.ok(200, "GET", "/sync")["groups"]]
    socket = sockets[1]
    for method, body, code in (
            (SEND, {"group_id": group, "data": "x"}, "group_not_found"),
            (TYPING, {"group_id": group}, "group_not_found"),
            (HISTORY, {"group_id": group}, "group_not_found"),
            (READ, {"message_id": message}, "message_not_found"),
            (DELIVERED, {"group_id": group, "seq": 1}, "message_not_found")):
        socket.refused(method, body, 404, code)
    # One may go on from it in the list of one's groups.
    page = member.ok(200, "GET", f"/groups?after={group}")
    assert [g["id"] for g in page["groups"]] == [other]
    # Its client_ids are free again.
    assert owner.connect().send_message(other, "y", client_id="again").body["seq"] == 1


def test_who_was_away_learns_of_the_end(users):
    owner, member, gone, late = users
    watch = member.connect()
    start = watch.info()["cursor"]
    group = make(owner, member, gone, late)
    socket = owner.connect()
    socket.send_message(group, "x")
    before = socket.info()["cursor"]
    gone.leaves(group)
    owner.ok(200, "DELETE", f"/groups/{group}")
    end = watch.fence()[-1]
    assert end.type == T_DELETED
    for after in (start, before):
        assert [e.raw for e in member.connect().catch_up(after)] == [end.raw]
    assert [e.raw for e in late.connect().everything()] == [end.raw]
    # Who had gone before is told it too, as nothing says that any more.
    for after in (start, before):
        assert [e.raw for e in gone.connect().catch_up(after)] == [end.raw]
    assert member.connect().catch_up(end.cursor) == []


def test_a_group_that_ends_while_somebody_catches_up(users):
    owner, member = users[:2]
    socket = owner.connect()
    start = socket.info()["cursor"]
    group = make(owner, member)
    talk(socket, group, 600)
    device = member.device()
    away = device.connect()
    away.rpc(20, {"after": start, "limit": 10})
    first = away.take(11)
    owner.ok(200, "DELETE", f"/groups/{group}")
    rest = away.catch_up(first[-1].body["cursor"])
    assert [e.type for e in rest] == [T_DELETED]
    for _ in range(5):
        group = make(owner, member)
        talk(socket, group, 300)
        after = socket.info()["cursor"] - 301
        reader = device.connect(after=after)
        owner.ok(200, "DELETE", f"/groups/{group}")
        seen = []
        while not seen or seen[-1].type != T_DELETED:
            event = reader.recv()
            seen += [event] if event.type != 12 else []
        cursors = [e.cursor for e in seen]
        assert cursors == sorted(set(cursors)) and seen[-1].body["group_id"] == group
        reader.close()


def test_a_group_that_ends_makes_room(new_server):
    rest = Rest(new_server(user_groups_max=2))
    owner, member = User(rest), User(rest)
    groups = [owner.group(member) for _ in range(2)]
    answer = owner.call("POST", "/groups", {"name": "g", "user_ids": []})
    assert_error(answer, 409, "too_many_groups")
    owner.ok(200, "DELETE", f"/groups/{groups[0]}")
    third = owner.group(member)
    assert [g["id"] for g in member.ok(200, "GET", "/groups")["groups"]] == [groups[1], third]
    assert_error(member.call("POST", "/groups", {"name": "g", "user_ids": []}),
                 409, "too_many_groups")


def test_all_of_it_after_a_snapshot(new_server):
    server = new_server(snapshot_after=0)
    rest = Rest(server)
    owner, admin, member = (User(rest) for _ in range(3))
    socket = member.connect()
    start = socket.info()["cursor"]
    kept = make(owner, admin, member, join="open", history="all")
    gone = make(owner, member)
    changes(owner, kept, name="renamed")
    for who, role in ((admin, "admin"), (member, "admin"), (member, "member"), (admin, "owner")):
        by = owner
        assert by.call("PATCH", f"/groups/{kept}/members/{who.id}",
                       {"role": role}).status_code == 200
    admin.leaves(kept)
    secret = "words that nobody is to find"
    owner.connect().send_message(gone, secret)
    owner.ok(200, "DELETE", f"/groups/{gone}")
    live = {event.raw for event in socket.fence() if event.type != T_MESSAGE}
    seen = [event.raw for event in member.connect().catch_up(start)]
    for _ in range(2):
        done = run(["snapshot", "--data", str(server.data)])
        assert done.returncode == 0, done.stderr
    before = server.digest()
    server.restart(9)
    assert server.digest() == before
    assert [event.raw for event in member.connect().catch_up(start)] == seen
    assert set(seen) <= live
    assert [e.type for e in member.connect().catch_up(start)] == [
        T_GROUP, T_CHANGED, T_ROLE, T_LEFT, T_DELETED]
    assert member.ok(200, "GET", f"/groups/{kept}")["owner_id"] == owner.id
    # Two snapshots on, the disk has forgotten it too.
    for path in (server.data / "journal").glob("*.snap"):
        assert secret.encode() not in path.read_bytes()
