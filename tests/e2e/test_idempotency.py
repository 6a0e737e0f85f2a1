"""client_id: a send that is repeated is one message."""
import signal

import pytest

from kit.socket import SEND, T_MESSAGE, T_SENT


@pytest.fixture
def pair(people):
    user1, user2 = people(count=2)
    return user1, user2, user1.group(user2)


def first_answer(reply):
    return {name: reply[name] for name in ("message_id", "group_id", "seq", "timestamp", "cursor",
                                           "client_id")}


def test_the_same_again_is_the_first_answer(pair):
    user1, user2, group = pair
    socket, second, other = user1.connect(), user1.connect(), user2.connect()
    body = {"group_id": group, "data": "once", "client_id": "c1"}
    first = socket.ok(SEND, body)
    assert "duplicate" not in first and first["client_id"] == "c1"
    sent = socket.expect(T_SENT, client_id="c1", message_id=first["message_id"])
    other.expect(T_MESSAGE, data="once")
    second.expect(T_MESSAGE, data="once")

    again = socket.ok(SEND, body)
    assert again["duplicate"] is True
    assert first_answer(again) == first_answer(first)
    repeated = [e for e in socket.fence() if e.type == T_SENT]
    assert all(e.body["duplicate"] is True for e in repeated)

    # Without an id there is no reply, so the 21 comes again and says what it is.
    for device in (socket, second):
        device.rpc(SEND, body)
        event = device.expect(T_SENT, duplicate=True)
        assert event.body == {**sent.body, "duplicate": True}
        assert (event["timestamp"], event.cursor) == (sent["timestamp"], sent.cursor)
    for device in (socket, second, other):
        device.silent()
    events = user1.connect().everything()
    assert [e.type for e in events if e.type in (T_MESSAGE, T_SENT)] == [T_MESSAGE, T_SENT]
    assert events[-1].raw == sent.raw


def test_nothing_new_is_stored(pair):
    user1, _, group = pair
    socket = user1.connect()
    body = {"group_id": group, "data": "once", "client_id": "c1"}
    cursor = socket.ok(SEND, body)["cursor"]
    for _ in range(5):
        socket.ok(SEND, body)
    assert [e.type for e in socket.fence() if "duplicate" not in e.body] == [T_SENT]
    assert socket.info()["cursor"] == cursor
    socket.ok(SEND, {**body, "client_id": "c2"})
    assert [e.body["seq"] for e in socket.fence()] == [2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_restart(pair, server, number):
    user1, user2, group = pair
    body = {"group_id": group, "data": "once", "client_id": "c1"}
    first = user1.connect().ok(SEND, body)
    server.restart(number)
    other = user2.connect()
    again = user1.connect().ok(SEND, body)
    assert again["duplicate"] is True
    assert first_answer(again) == first_answer(first)
    other.silent()


def test_other_content_under_the_same_name(pair):
    user1, user2, group = pair
    socket, other = user1.connect(), user2.connect()
    elsewhere = user1.group(user2)
    socket.ok(SEND, {"group_id": group, "data": "once", "client_id": "c1"})
    other.fence()
    socket.fence()
    for change in ({"data": "twice"}, {"group_id": elsewhere}, {"data": ""}):
        socket.refused(SEND, {"group_id": group, "data": "once", "client_id": "c1", **change},
                       409, "client_id_reused")
    socket.silent()
    other.silent()


def test_every_user_has_names_of_their_own(pair):
    user1, user2, group = pair
    sockets = [user1.connect(), user2.connect()]
    body = {"group_id": group, "data": "same", "client_id": "c1"}
    replies = [socket.ok(SEND, body) for socket in sockets]
    assert [reply["seq"] for reply in replies] == [1, 2]
    assert not any("duplicate" in reply for reply in replies)


@pytest.mark.parametrize("client_id", ["x", "x" * 64, "ж" * 32, " ", "\u0000", "a\"b\\"])
def test_names_that_are_fine(pair, client_id):
    user1, _, group = pair
    socket = user1.connect()
    body = {"group_id": group, "data": "once", "client_id": client_id}
    assert socket.ok(SEND, body)["client_id"] == client_id
    assert socket.ok(SEND, body)["duplicate"] is True


@pytest.mark.parametrize("client_id", ["x" * 65, "ж" * 33, "", 5, [], True])
def test_names_that_are_not(pair, client_id):
    user1, user2, group = pair
    socket, other = user1.connect(), user2.connect()
    socket.refused(SEND, {"group_id": group, "data": "x", "client_id": client_id},
                   400, "invalid_field")
    socket.silent()
    other.silent()


def test_without_a_name_every_send_is_a_message(pair):
    user1, _, group = pair
    socket = user1.connect()
    assert [socket.ok(SEND, {"group_id": group, "data": "x"})["seq"] for _ in range(3)] == [1, 2, 3]
    assert all("client_id" not in e.body for e in socket.fence())


def test_many_devices_repeat_at_once(pair):
    """The repeats meet the first one on its way to the disk, too."""
    user1, user2, group = pair
    sockets = [user1.connect() for _ in range(8)]
    other = user2.connect()
    for i in range(20):
        body = {"group_id": group, "data": "once", "client_id": f"c{i}"}
        for socket in sockets:
            socket.rpc(SEND, body)
        bodies = []
        for socket in sockets:
            event = socket.recv()
            if event.type == T_MESSAGE:
                event = socket.recv()
            assert event.type == T_SENT
            bodies.append(event.body)
        assert {body["message_id"] for body in bodies} == {bodies[0]["message_id"]}
        assert {body["seq"] for body in bodies} == {i + 1}
        assert sorted(body.get("duplicate", False) for body in bodies) == [False] + [True] * 7
        for socket in sockets:
            socket.silent()
    assert [e.body["seq"] for e in other.fence()] == list(range(1, 21))


def test_many_repeats_in_one_packet_of_one_device(pair):
    user1, user2, group = pair
    socket, other = user1.connect(), user2.connect()
    body = {"group_id": group, "data": "once", "client_id": "c1"}
    for _ in range(50):
        socket.rpc(SEND, body)
    events = socket.take(50)
    assert len({e.body["message_id"] for e in events}) == 1
    assert sorted(e.body.get("duplicate", False) for e in events) == [False] + [True] * 49
    assert len(other.fence()) == 1


def test_a_repeat_by_somebody_who_has_left(pair):
    """The message was sent; that its author has left since does not undo it."""
    user1, _, group = pair
    socket = user1.connect()
    body = {"group_id": group, "data": "once", "client_id": "c1"}
    first = socket.ok(SEND, body)
    user1.leaves(group)
    assert first_answer(socket.ok(SEND, body)) == first_answer(first)
    socket.refused(SEND, {**body, "client_id": "c2"}, 403, "not_a_member")
