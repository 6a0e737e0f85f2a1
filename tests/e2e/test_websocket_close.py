"""RFC 6455, 5.5.1 and 7: the closing handshake, in the classes of the Autobahn test suite's 7."""
import pytest

from kit import raw
from kit.chat import chopped, fails, lives
from kit.raw import CLOSE, PING, TEXT, close_frame, frame

OPTIONS = {"send_rate": 0}

HELLO = "Hello, world!"
GREEK = "κόσμε".encode()

# RFC 6455, 7.4, and the registry that it opened: 1012 to 1014 came later.
VALID = [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999]
INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]


def answers_in_kind(connection, code):
    """One close frame with this code, and the end of the connection: nothing else."""
    assert connection.frame() == (True, CLOSE, code.to_bytes(2, "big"))
    assert connection.at_end() == b""


@pytest.mark.parametrize("code", VALID)
@pytest.mark.parametrize("chop", [None, 1])
def test_valid_codes_are_answered_in_kind(connection, code, chop):
    chopped(connection, close_frame(code), chop)
    answers_in_kind(connection, code)


@pytest.mark.parametrize("code", INVALID)
@pytest.mark.parametrize("reason", [b"", b"reason"])
def test_invalid_codes(connection, code, reason):
    connection.send(close_frame(code, reason))
    fails(connection, 1002)


@pytest.mark.parametrize("payload, code", [
    (b"", 1000), (b"\x03", 1002), (b"a", 1002), (b"\x03\xe8", 1000),
    (b"\x03\xe8" + HELLO.encode(), 1000), (b"\x03\xe8" + b"*" * 122, 1000),
    (b"\x03\xe8" + b"*" * 123, 1000), (b"\x03\xe8" + "ж".encode() * 61, 1000),
    (b"\x03\xe8" + b"*" * 124, 1002), (b"\x03\xe8" + b"*" * 125, 1002),
    (b"\x03\xe8" + b"*" * 1000, 1002), (b"*" * 65_536, 1002),
])
@pytest.mark.parametrize("chop", [None, 1])
def test_lengths(connection, payload, code, chop):
    """What is too long is known from the header, so no more of it is sent."""
    chopped(connection, frame(CLOSE, payload)[:6 + 125], chop)
    fails(connection, code)


@pytest.mark.parametrize("reason", [
    b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut short\xe2\x82",
    GREEK + b"\xed\xa0\x80" + b"edited", b"*" * 121 + b"\xe2\x82"])
@pytest.mark.parametrize("chop", [None, 1])
def test_reasons_that_are_not_utf8(connection, reason, chop):
    chopped(connection, close_frame(1000, reason), chop)
    fails(connection, 1007)


def test_an_invalid_code_counts_before_an_invalid_reason(connection):
    connection.send(close_frame(1005, b"\xff"))
    fails(connection, 1002)


@pytest.mark.parametrize("chop", [None, 1])
def test_a_message_and_then_a_close(chat, connection, chop):
    chopped(connection, frame(TEXT, chat.rpc(HELLO)) + close_frame(1000), chop)
    chat.hears(HELLO)
    fails(connection, 1000)


def test_a_long_message_and_then_a_close(chat, connection):
    connection.send(frame(TEXT, chat.rpc(HELLO, 262_144)) + close_frame(1000) + frame(PING))
    chat.hears(HELLO)
    fails(connection, 1000)


@pytest.mark.parametrize("behind", ["close", "ping", "text", "faulty", "much"])
@pytest.mark.parametrize("together", [True, False])
def test_nothing_behind_a_close_is_read(chat, connection, behind, together):
    """The module's end looks whether the text was heard."""
    data = {"close": frame(CLOSE), "ping": frame(PING, b"x"),
            "text": frame(TEXT, chat.rpc("behind the close")), "faulty": b"\xff" * 20,
            "much": frame(TEXT, chat.rpc("behind the close", 60_000)) * 10}[behind]
    connection.send(close_frame(1000) + (data if together else b""))
    assert connection.frame() == (True, CLOSE, b"\x03\xe8")
    if not together:
        try:
            connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert connection.at_end() == b""


def test_a_close_between_fragments(chat, connection):
    text = chat.rpc("never whole")
    connection.send(frame(TEXT, text[:9], final=False) + close_frame(1000) +
                    frame(0, text[9:]))
    answers_in_kind(connection, 1000)


def test_nothing_behind_a_fault_is_read(chat, connection):
    connection.send(frame(3) + frame(TEXT, chat.rpc("behind a fault")) + frame(PING))
    fails(connection, 1002)


@pytest.mark.parametrize("left", ["nothing", "frame", "fragment", "header"])
def test_an_end_without_a_close_frame(chat, left):
    """In the middle of a frame or not, the server ends its side too, and does nothing else."""
    text = chat.rpc("never whole")
    data = {"nothing": b"", "frame": frame(TEXT, text)[:-1], "header": b"\x81",
            "fragment": frame(TEXT, text, final=False)}[left]
    connection = chat.connect()
    lives(connection)
    connection.send(data)
    connection.end_sending()
    assert connection.at_end() == b""


def test_a_client_that_does_not_wait_for_the_answer(chat):
    for _ in range(20):
        connection = chat.connect()
        connection.send(frame(TEXT, chat.rpc(HELLO)) + close_frame(1001))
        connection.close()
        chat.hears(HELLO)


def test_half_a_close_frame_while_the_server_closes(chat):
    """The ninth socket of a session closes the first, whose own close frame is on its way."""
    sockets = [raw.Connection(chat.server).upgrade(chat.device.path) for _ in range(8)]
    for socket in sockets:
        lives(socket)
    sockets[0].send(frame(TEXT, chat.rpc(HELLO)) + close_frame(1000)[:3])
    chat.hears(HELLO)
    ninth = chat.connect()
    fails(sockets[0], 4009)
    lives(ninth)
    for socket in [*sockets, ninth]:
        socket.close()
