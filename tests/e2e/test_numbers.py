"""seq, cursor, epoch and timestamps."""
import signal

import pytest

from kit.checks import is_now_ms, is_uuid
from kit.people import Rest, User
from kit.socket import READ, SEND, T_GROUP, T_JOINED, T_MESSAGE, T_READ, T_SENT


def test_what_a_connection_is_told_about_itself(server, people):
    user1, = people(count=1)
    device = user1.device()
    info = device.connect().info()
    assert set(info) == {"session_id", "user_id", "epoch", "cursor", "ping_ms", "max_message",
                         "server_time"}
    assert (info["session_id"], info["user_id"]) == (device.id, user1.id)
    assert is_uuid(info["epoch"]) and is_now_ms(info["server_time"])
    assert (info["ping_ms"], info["max_message"]) == (25_000, 1024 * 1024)
    assert info["cursor"] == server.digest()[0]


def test_the_settings_are_told(new_server):
    server = new_server(ping_interval=7, message_max="64k")
    info = User(Rest(server)).connect().info()
    assert (info["ping_ms"], info["max_message"]) == (7_000, 65_536)


def test_the_server_says_nothing_until_spoken_to(people):
    user1, = people(count=1)
    socket = user1.connect()
    socket.silent()


def test_seq_is_dense_in_each_group(people):
    user1, user2 = people(count=2)
    groups = [user1.group(user2) for _ in range(3)]
    sockets = [user1.connect(), user2.connect()]
    for i in range(30):
        reply = sockets[i % 2].ok(SEND, {"group_id": groups[i % 3], "data": "x"})
        assert reply["seq"] == i // 3 + 1


def test_a_send_that_is_refused_uses_no_number(people):
    user1, user2 = people(count=2)
    group = user1.group()
    socket, stranger = user1.connect(), user2.connect()
    for expected in (1, 2, 3):
        stranger.refused(SEND, {"group_id": group, "data": "x"}, 404, "group_not_found")
        socket.refused(SEND, {"group_id": group}, 400, "invalid_field")
        assert socket.ok(SEND, {"group_id": group, "data": "x"})["seq"] == expected


def test_every_change_has_a_greater_cursor(people):
    user1, user2, user3 = people(count=3)
    socket = user1.connect()
    group = user1.group(user2)
    cursors = [socket.expect(T_GROUP).cursor]
    user1.joins(group, user3)
    cursors.append(socket.expect(T_JOINED).cursor)
    reader = user2.connect()
    for _ in range(3):
        sent = socket.send_message(group, "x")
        cursors.append(sent.cursor)
        reader.ok(READ, {"message_id": sent.body["message_id"]})
        cursors.append(socket.expect(T_READ, seq=sent.body["seq"]).cursor)
    assert cursors == sorted(set(cursors))
    assert socket.info()["cursor"] == cursors[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_numbers_go_on_after_a_restart(server, people, number):
    user1, = people(count=1)
    group = user1.group()
    device = user1.device()
    socket = device.connect()
    sent = socket.send_message(group, "one")
    before = socket.info()
    server.restart(number)
    socket = device.connect()
    after = socket.info()
    assert (after["epoch"], after["cursor"]) == (before["epoch"], before["cursor"])
    again = socket.send_message(group, "two")
    assert again.body["seq"] == sent.body["seq"] + 1
    assert again.cursor > before["cursor"]
    assert again["timestamp"] >= sent["timestamp"]


def test_every_journal_has_its_own_epoch(new_server):
    infos = [User(Rest(new_server(name=name))).connect().info() for name in ("one", "two")]
    assert infos[0]["epoch"] != infos[1]["epoch"]


def test_timestamps_never_go_back(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    sockets = [user1.connect(), user2.connect()]
    for i in range(100):
        sockets[i % 2].rpc(SEND, {"group_id": group, "data": "x"})
    for socket in sockets:
        events = socket.take(100)
        times = [event["timestamp"] for event in events]
        assert times == sorted(times)
        assert {event.type for event in events} == {T_MESSAGE, T_SENT}


def test_cursor_and_digest_are_those_of_the_journal(server, people):
    user1, = people(count=1)
    socket = user1.connect()
    group = user1.group()
    first = server.digest()
    assert server.digest() == first
    socket.expect(T_GROUP, group_id=group)
    sent = socket.send_message(group, "x")
    second = server.digest()
    assert second[0] == sent.cursor and second[1] != first[1]
