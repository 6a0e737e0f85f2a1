"""Sockets over their life: who may be connected how often, silence, slowness and the end. What
stands on the wire is in test_websocket_handshake, _frames and _close."""
import json
import signal

import pytest

from kit import raw
from kit.people import Rest, User
from kit.raw import CLOSE, PING, PONG, TEXT
from kit.socket import (SEND, T_GOING, T_GROUP, T_INFO, T_MESSAGE, T_REPLY, T_SENT, Closed)

INFO = b'{"method":10,"body":{}}'


@pytest.fixture
def device(people):
    user1, = people(count=1)
    return user1.device()


def alive(connection):
    connection.send(raw.frame(TEXT, INFO))
    assert json.loads(connection.text())["type"] == T_INFO


def test_many_pings_whose_answers_nobody_reads(server, device):
    """Their answers may not pile up without an end."""
    connection = raw.Connection(server, receive_buffer=4096).upgrade(device.path)
    connection.socket.settimeout(2)
    burst = raw.frame(PING, b"p" * 125) * 4000
    try:
        for _ in range(40):
            connection.send(burst)
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    socket = device.connect()
    assert socket.info()["session_id"] == device.id


# ---- sockets on a URL ---------------------------------------------------------------------------


def test_nine_sockets_on_a_url(device):
    sockets = [device.connect() for _ in range(8)]
    for socket in sockets:
        socket.info()
    ninth = device.connect()
    assert sockets[0].expect_close(4009) == []
    for socket in sockets[1:] + [ninth]:
        socket.silent()
    tenth = device.connect()
    assert sockets[1].expect_close(4009) == []
    # One that closes by itself makes room.
    sockets[2].close()
    with pytest.raises(Closed):
        sockets[2].recv()
    device.connect().silent()
    for socket in sockets[3:] + [ninth, tenth]:
        socket.silent()


def test_the_number_of_sockets_is_a_setting(new_server):
    device = User(Rest(new_server(session_sockets_max=1))).device()
    first = device.connect()
    first.info()
    second = device.connect()
    assert first.expect_close(4009) == []
    second.silent()


# ---- silence, slowness and the end --------------------------------------------------------------


def test_silence_is_pinged_and_then_closed(new_server):
    server = new_server(ping_interval=1)
    device = User(Rest(server)).device()
    mute = raw.Connection(server).upgrade(device.path)
    talker = device.connect()
    assert mute.frame()[:2] == (True, PING)
    # No pong: the connection ends, perhaps with a close frame; the one that answers stays.
    mute.at_end()
    talker.silent()


def test_pongs_keep_a_connection(new_server):
    server = new_server(ping_interval=1)
    connection = raw.Connection(server).upgrade(User(Rest(server)).device().path)
    for _ in range(3):
        final, opcode, payload = connection.frame()
        assert (final, opcode) == (True, PING)
        connection.send(raw.frame(PONG, payload))
    alive(connection)


def test_a_slow_reader_is_closed_and_misses_nothing(new_server):
    server = new_server(send_queue_max="64k")
    user1, user2 = (User(Rest(server)) for _ in range(2))
    group = user1.group(user2)
    sender, device = user1.connect(), user2.device()
    slow = raw.Connection(server, receive_buffer=4096).upgrade(device.path)
    quick = user2.connect()

    # More than any buffer of the kernel's takes: those between the two here are a few MiB.
    count, size = 400, 50_000
    for i in range(count):
        sender.send_message(group, f"{i} " + "x" * size)
        assert quick.expect(T_MESSAGE).body["seq"] == i + 1

    seen, cursor, code = [], 0, None
    try:
        while code is None:
            _, opcode, payload = slow.frame()
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
            else:
                event = json.loads(payload)
                cursor = event["cursor"]
                seen.append(event["body"]["seq"])
    except EOFError:
        pass
    assert code in (1013, None)
    assert seen == list(range(1, len(seen) + 1)) and len(seen) < count
    rest = device.connect(after=cursor).take(count - len(seen))
    assert [e.body["seq"] for e in rest if e.type == T_MESSAGE] == list(
        range(len(seen) + 1, count + 1))
    sender.silent()


def test_a_slow_reader_who_reads_again_is_told_why(new_server):
    """What is queued beyond the limit goes, but the close frame is still sent."""
    server = new_server(send_queue_max="64k")
    user1, user2 = (User(Rest(server)) for _ in range(2))
    group = user1.group(user2)
    sender, device = user1.connect(), user2.device()
    slow = raw.Connection(server, receive_buffer=4096).upgrade(device.path)
    for i in range(400):
        sender.send_message(group, "x" * 50_000)
    while (frame := slow.frame())[1] != CLOSE:
        pass
    assert frame[2][:2] == (1013).to_bytes(2, "big")
    slow.send(raw.close_frame(1013))
    assert slow.at_end() == b""


def test_the_end_of_the_server_closes_with_1001(server, people):
    user1, user2 = people(count=2)
    sockets = [user1.connect(), user1.connect(), user2.connect()]
    for socket in sockets:
        socket.info()
    server.send_signal(signal.SIGTERM)
    for socket in sockets:
        events = socket.expect_close(1001)
        assert [(event.type, event.body) for event in events] == [(T_GOING, {"retry_after": 1})]
    assert server.wait() == 0
    server.start()
    assert user1.connect().info()["user_id"] == user1.id


def test_what_was_sent_before_the_end_is_answered_or_not_done(server, people):
    """SIGTERM among messages: what got a 21 is there afterwards."""
    user1, user2 = people(count=2)
    group = user1.group(user2)
    socket = user1.connect()
    for i in range(200):
        socket.rpc(SEND, {"group_id": group, "data": str(i)})
    sent = [socket.expect(T_SENT).body["seq"] for _ in range(50)]
    server.send_signal(signal.SIGTERM)
    events = socket.expect_close(1001)
    sent += [event.body["seq"] for event in events if event.type == T_SENT]
    refused = [event for event in events if event.type == T_REPLY]
    assert all(event.body["code"] == "shutting_down" for event in refused)
    assert server.wait() == 0
    server.start()
    stored = [e.body["seq"] for e in user2.connect().everything() if e.type == T_MESSAGE]
    assert sent == stored[:len(sent)]


def test_a_group_event_reaches_sockets_of_all_kinds(server, people):
    """A raw socket and the library see the same text."""
    user1, = people(count=1)
    device = user1.device()
    plain, other = raw.Connection(server).upgrade(device.path), device.connect()
    alive(plain)
    group = user1.group()
    assert plain.text().decode() == other.expect(T_GROUP, group_id=group).raw
