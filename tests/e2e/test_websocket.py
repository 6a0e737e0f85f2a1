"""WebSocket as RFC 6455 has it, byte by byte, and who may be connected how often."""
import json
import signal

import pytest

from kit import raw
from kit.people import Rest, User
from kit.raw import BINARY, CLOSE, PING, PONG, TEXT
from kit.socket import (SEND, T_GOING, T_GROUP, T_INFO, T_MESSAGE, T_REPLY, T_SENT, Closed)

INFO = b'{"method":10,"body":{}}'


@pytest.fixture
def device(people):
    user1, = people(count=1)
    return user1.device()


@pytest.fixture
def connection(server, device):
    return raw.Connection(server).upgrade(device.path)


def alive(connection):
    connection.send(raw.frame(TEXT, INFO))
    assert json.loads(connection.text())["type"] == T_INFO


# ---- handshake ----------------------------------------------------------------------------------

HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


def shake(server, path, method="GET", **changes):
    fields = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    connection = raw.Connection(server)
    connection.send(raw.request(method, path, server, headers=[
        f"{name}: {value}" for name, value in fields.items() if value is not None]))
    return connection


def test_the_handshake_of_the_rfc(server, device):
    connection = shake(server, device.path)
    head = connection.read_until(b"\r\n\r\n").lower()
    assert head.startswith(b"http/1.1 101 ")
    assert b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n" in head
    assert b"sec-websocket-extensions" not in head and b"sec-websocket-protocol" not in head
    alive(connection)


@pytest.mark.parametrize("changes", [
    {"Upgrade": "WebSocket"}, {"Connection": "keep-alive, Upgrade"}, {"Connection": "upgrade"},
    {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"},
    {"Sec_WebSocket_Protocol": "chat"}, {"Origin": "http://elsewhere.example"},
])
def test_handshakes_that_are_fine(server, device, changes):
    connection = shake(server, device.path, **changes)
    head = connection.read_until(b"\r\n\r\n").lower()
    assert head.startswith(b"http/1.1 101 "), head
    assert b"sec-websocket-extensions" not in head and b"sec-websocket-protocol" not in head
    alive(connection)


@pytest.mark.parametrize("changes", [
    {"Sec_WebSocket_Key": None}, {"Sec_WebSocket_Key": ""}, {"Sec_WebSocket_Key": "x"},
    {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"}, {"Sec_WebSocket_Key": "AAAA"},
    {"Connection": "keep-alive"}, {"Connection": None},
])
def test_handshakes_that_are_not(server, device, changes):
    answer = shake(server, device.path, **changes).answer()
    assert answer.status == 400 or answer.status == 426 and "Connection" in changes
    assert json.loads(answer.body)["code"] in ("bad_upgrade", "upgrade_required")


@pytest.mark.parametrize("version", ["8", "14", "x", None])
def test_other_versions(server, device, version):
    answer = shake(server, device.path, Sec_WebSocket_Version=version).answer()
    # RFC 6455, 4.4 and 4.2.1: another version is told which one; none at all is no handshake.
    assert answer.status == 426 or answer.status == 400 and version is None
    assert answer.status == 400 or answer.headers["sec-websocket-version"] == "13"


def test_a_handshake_is_a_get(server, device):
    assert shake(server, device.path, method="POST").answer().status in (400, 405)


def test_a_frame_in_the_packet_of_the_handshake(server, device):
    connection = raw.Connection(server)
    connection.upgrade(device.path, tail=raw.frame(TEXT, INFO) + raw.frame(PING, b"x"))
    assert json.loads(connection.text())["type"] == T_INFO
    assert connection.frame() == (True, PONG, b"x")


def test_a_handshake_after_other_requests(server, device):
    connection = raw.Connection(server)
    connection.send(raw.request("GET", "/nothing", server))
    assert connection.answer().status == 404
    alive(connection.upgrade(device.path))


# ---- frames -------------------------------------------------------------------------------------


def test_one_byte_at_a_time(connection):
    connection.send_bytewise(raw.frame(TEXT, INFO) + raw.frame(PING, b"ping") +
                             raw.frame(TEXT, INFO, form=7))
    assert json.loads(connection.text())["type"] == T_INFO
    assert connection.frame() == (True, PONG, b"ping")
    assert json.loads(connection.text())["type"] == T_INFO


def test_a_hundred_frames_in_one_packet(connection):
    connection.send(raw.frame(TEXT, INFO) * 100)
    for _ in range(100):
        assert json.loads(connection.text())["type"] == T_INFO


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
def test_masks(connection, mask):
    connection.send(raw.frame(TEXT, INFO, mask=mask))
    assert json.loads(connection.text())["type"] == T_INFO


@pytest.mark.parametrize("size", [124, 125, 126, 127, 65_535, 65_536, 100_000])
def test_lengths(connection, size):
    connection.send(raw.frame(TEXT, INFO + b" " * (size - len(INFO))))
    assert json.loads(connection.text())["type"] == T_INFO


def test_a_message_in_fragments(connection):
    for size in (1, 2, 5, 10, len(INFO) - 1):
        pieces = [INFO[i:i + size] for i in range(0, len(INFO), size)]
        for i, piece in enumerate(pieces):
            connection.send(raw.frame(TEXT if i == 0 else 0, piece, final=i == len(pieces) - 1))
            connection.send(raw.frame(PING, b"%d" % i))
        for i in range(len(pieces) - 1):
            assert connection.frame() == (True, PONG, b"%d" % i)
        seen = {connection.frame()[1], connection.frame()[1]}
        assert seen == {TEXT, PONG}


def test_empty_fragments(connection):
    connection.send(raw.frame(TEXT, b"", final=False) + raw.frame(0, INFO, final=False) +
                    raw.frame(0, b"", final=False) + raw.frame(0, b""))
    assert json.loads(connection.text())["type"] == T_INFO


def test_a_character_may_be_cut_in_two(connection):
    text = '{"method":10,"id":"ж👩","body":{}}'.encode()
    for cut in range(1, len(text)):
        connection.send(raw.frame(TEXT, text[:cut], final=False) + raw.frame(0, text[cut:]))
        assert json.loads(connection.text())["type"] == T_INFO
        assert json.loads(connection.text())["id"] == "ж👩"


@pytest.mark.parametrize("payload", [b"", b"x", b"\xff\x00", b"p" * 125])
def test_pings_are_answered(connection, payload):
    connection.send(raw.frame(PING, payload))
    assert connection.frame() == (True, PONG, payload)


def test_pongs_that_nobody_asked_for(connection):
    connection.send(raw.frame(PONG, b"x") * 3 + raw.frame(PONG))
    alive(connection)


ORDINARY = raw.frame(TEXT, INFO)


@pytest.mark.parametrize("data, code", [
    (raw.frame(TEXT, INFO, mask=None), 1002),
    (raw.frame(PING, b"x", mask=None), 1002),
    (raw.frame(TEXT, INFO, reserved=4), 1002),
    (raw.frame(TEXT, INFO, reserved=2), 1002),
    (raw.frame(TEXT, INFO, reserved=1), 1002),
    (raw.frame(PING, b"x", reserved=4), 1002),
    *[(raw.frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    (raw.frame(0, INFO), 1002),
    (raw.frame(TEXT, INFO, final=False) + raw.frame(TEXT, INFO), 1002),
    (raw.frame(PING, b"x", final=False), 1002),
    (raw.frame(PING, b"x" * 126), 1002),
    (raw.frame(PONG, b"x" * 126), 1002),
    (raw.frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
    (raw.frame(TEXT, INFO, form=16), 1002),
    (raw.frame(TEXT, INFO, form=64), 1002),
    (raw.frame(TEXT, INFO + b" " * 200, form=64), 1002),
    (b"\x81\xff\x80\0\0\0\0\0\0\0\1\1\1\1", 1002),
    (raw.frame(BINARY, INFO), 1003),
    (raw.frame(BINARY, b"", final=False), 1003),
    (raw.frame(TEXT, b'{"method":10,"id":"\xff"}'), 1007),
    (raw.frame(TEXT, b"\xc0\x80"), 1007),
    (raw.frame(TEXT, b"\xed\xa0\x80"), 1007),
    (raw.frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    (raw.frame(TEXT, b"x\xe2\x82"), 1007),
    (raw.frame(TEXT, b"x\xe2\x82", final=False) + raw.frame(0, b"x"), 1007),
    (raw.frame(TEXT, b"\xff", final=False), 1007),
    (b"\x81\xff\0\0\0\0\0\x10\0\1\1\1\1\1", 1009),
    (b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\1\1\1", 1009),
    (raw.frame(TEXT, b" " * 600_000, final=False) + b"\x80\xff\0\0\0\0\0\x08\0\0\1\1\1\1", 1009),
])
def test_frames_that_end_the_connection(connection, data, code):
    """The first answer is to an ordinary frame before, and nothing behind is read."""
    connection.send(ORDINARY + data + ORDINARY)
    assert json.loads(connection.text())["type"] == T_INFO
    final, opcode, payload = connection.frame()
    assert (final, opcode, payload[:2]) == (True, CLOSE, code.to_bytes(2, "big")), payload
    connection.send(raw.close_frame(code))
    assert connection.at_end() == b""


@pytest.mark.parametrize("payload, code", [
    (b"", None), (b"\x03\xe8", 1000), (b"\x03\xe8bye", 1000), (b"\x03\xe9", 1001),
    (b"\x03\xe8" + "ж".encode() * 61, 1000), (b"\x0b\xb8", 3000), (b"\x0f\xa0", 4000),
    (b"\x13\x87", 4999), (b"\x03\xeb", 1003), (b"\x03\xf3", 1011),
])
def test_closing_is_answered_in_kind(connection, payload, code):
    connection.send(raw.frame(CLOSE, payload))
    final, opcode, answer = connection.frame()
    assert (final, opcode) == (True, CLOSE)
    assert answer[:2] in ([b"", b"\x03\xe8"] if code is None else [code.to_bytes(2, "big")])
    assert connection.at_end() == b""


@pytest.mark.parametrize("payload, code", [
    (b"\x03", 1002), (b"\x03\xe7", 1002), (b"\x00\x00", 1002), (b"\x03\xec", 1002),
    (b"\x03\xed", 1002), (b"\x03\xee", 1002), (b"\x03\xf7", 1002), (b"\x07\xcf", 1002),
    (b"\x13\x88", 1002), (b"\xff\xff", 1002), (b"\x03\xe8\xff", 1007), (b"\x03\xe8\xc0\x80", 1007),
])
def test_closings_that_are_not_valid(connection, payload, code):
    connection.send(raw.frame(CLOSE, payload))
    assert connection.close_code() == code


def test_a_close_reason_byte_by_byte(connection):
    connection.send_bytewise(raw.close_frame(1000, "жжж".encode()))
    assert connection.close_code() == 1000


def test_nothing_is_read_behind_a_close(server, people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    other = user2.connect()
    connection = raw.Connection(server).upgrade(user1.device().path)
    send = json.dumps({"method": SEND, "body": {"group_id": group, "data": "x"}}).encode()
    connection.send(raw.frame(TEXT, send) + raw.close_frame(1000) + raw.frame(TEXT, send))
    connection.close_code()
    other.expect(T_MESSAGE, seq=1)
    other.silent()


def test_who_ends_without_a_close_frame(server, device):
    """Half-open, in the middle of a frame or not: the server ends its side too."""
    for left in (b"", raw.frame(TEXT, INFO)[:-1], raw.frame(TEXT, INFO, final=False)):
        connection = raw.Connection(server).upgrade(device.path)
        alive(connection)
        connection.send(left)
        connection.end_sending()
        connection.at_end()
    assert device.connect().info()["session_id"] == device.id


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
        assert all(event.type == T_GOING for event in events)
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
