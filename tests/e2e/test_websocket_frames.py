"""RFC 6455, 5: frames and messages, in the classes of the Autobahn test suite (1 framing, 2 pings,
3 reserved bits, 4 opcodes, 5 fragments, 6 UTF-8, 9 and 10 sizes). That suite wants every message
echoed. Here the hearer of a group is told it, and the connection answers a ping; where the suite
wants a failure, the close code is looked at. Compression (12, 13) is never agreed upon here."""
import itertools
import json

import pytest

from kit import raw
from kit.chat import chopped, fails, lives
from kit.checks import is_utf8
from kit.people import Rest, User
from kit.raw import BINARY, CLOSE, PING, PONG, TEXT, frame
from kit.socket import T_REPLY, T_SENT

OPTIONS = {"send_rate": 0}

MESSAGE_MAX = 1024 * 1024
FRAGMENTS_MAX = 1024
CONTINUATION = 0
HELLO = "Hello, world!"


def fragments(text, size):
    """The frames of one message, each with `size` bytes of it."""
    pieces = [text[i:i + size] for i in range(0, len(text), size)] or [b""]
    return [frame(TEXT if i == 0 else CONTINUATION, piece, final=i == len(pieces) - 1)
            for i, piece in enumerate(pieces)]


# ---- 1: framing ---------------------------------------------------------------------------------

SIZES = [125, 126, 127, 128, 65_535, 65_536]


@pytest.mark.parametrize("chop", [None, 997, 1])
@pytest.mark.parametrize("size", SIZES)
def test_every_length(chat, connection, size, chop):
    if chop == 1 and size > 1000:
        chop = 13
    chopped(connection, frame(TEXT, chat.rpc(HELLO, size)), chop)
    chat.hears(HELLO)
    lives(connection)


@pytest.mark.parametrize("form", [7, 16, 64])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_only_the_shortest_length(chat, connection, size, form):
    """RFC 6455, 5.2. What a length of 7 bits cannot say is not tried."""
    if form == 7 and size > 125 or form == 16 and size > 65_535:
        return
    shortest = 7 if size < 126 else 16 if size < 65_536 else 64
    connection.send(frame(TEXT, b" " * size, form=form))
    if form == shortest:
        assert json.loads(connection.text())["body"]["code"] == "invalid_json"
        lives(connection)
    else:
        fails(connection, 1002)


@pytest.mark.parametrize("length", [1 << 63, (1 << 63) | 5, (1 << 64) - 1])
def test_the_highest_bit_of_a_length(connection, length):
    connection.send(b"\x81\xff" + length.to_bytes(8, "big") + b"\1\2\3\4Hello")
    fails(connection, 1002)


def test_an_empty_message(connection):
    for data in (frame(TEXT), b"".join(fragments(b"", 1)),
                 frame(TEXT, final=False) + frame(CONTINUATION, final=False) +
                 frame(CONTINUATION)):
        connection.send(data)
        reply = json.loads(connection.text())
        assert (reply["type"], reply["body"]["code"]) == (T_REPLY, "invalid_json")
    lives(connection)


@pytest.mark.parametrize("size", [0, *SIZES])
def test_binary_frames(chat, size):
    for chop in (None, 997):
        connection = chat.connect()
        connection.send(frame(TEXT, chat.rpc(HELLO)))
        chat.hears(HELLO)
        head = frame(BINARY, b"\xfe" * size)[:10]
        chopped(connection, head, chop)
        fails(connection, 1003)
        connection.close()


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
def test_masks(chat, connection, mask):
    connection.send(frame(TEXT, chat.rpc(HELLO), mask=mask))
    chat.hears(HELLO)
    lives(connection)


@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("chop", [None, 1])
def test_frames_without_a_mask(chat, connection, opcode, chop):
    """RFC 6455, 5.1: the server must close; it says 1002."""
    chopped(connection, frame(opcode, chat.rpc(HELLO)[:120], mask=None)[:2], chop)
    fails(connection, 1002)


def test_many_frames_in_one_packet(chat, connection):
    connection.send(b"".join(frame(TEXT, chat.rpc(str(i))) for i in range(100)))
    for i in range(100):
        chat.hears(str(i))
    lives(connection)


# ---- 2: pings and pongs -------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", HELLO.encode(), b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
                                     b"\xfe" * 125])
@pytest.mark.parametrize("chop", [None, 1])
def test_pings_are_answered(connection, payload, chop):
    chopped(connection, frame(PING, payload), chop)
    assert connection.frame() == (True, PONG, payload)
    lives(connection)


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("data", [126, 127, 1000, 65_536])
def test_control_frames_that_are_too_long(connection, opcode, data):
    connection.send(frame(opcode, b"\x03\xe8" + b"x" * (data - 2)))
    fails(connection, 1002)


def test_pongs_that_nobody_asked_for(connection):
    for data in (frame(PONG), frame(PONG, b"unasked"), frame(PONG, b"\xff" * 125) * 50):
        connection.send(data)
        lives(connection)


@pytest.mark.parametrize("chop", [None, 1])
def test_ten_pings(connection, chop):
    chopped(connection, b"".join(frame(PING, b"payload-%d" % i) for i in range(10)), chop)
    for i in range(10):
        assert connection.frame() == (True, PONG, b"payload-%d" % i)
    lives(connection)


def test_a_thousand_pings(connection):
    """RFC 6455, 5.5.3: the answer to the newest is enough, and it does come."""
    connection.send(b"".join(frame(PING, b"%d" % i) for i in range(1000)))
    seen = []
    while not seen or seen[-1] != 999:
        final, opcode, payload = connection.frame()
        assert (final, opcode) == (True, PONG)
        seen.append(int(payload))
    assert seen == sorted(set(seen)) and seen[:63] == list(range(63))
    lives(connection)


# ---- 3 and 4: reserved bits and opcodes ---------------------------------------------------------


def then_fails(chat, data, code, chop=None):
    """An ordinary message, then `data`, which ends the connection, then a ping that is not read."""
    connection = chat.connect()
    chopped(connection, frame(TEXT, chat.rpc(HELLO)) + data + frame(PING), chop)
    chat.hears(HELLO)
    fails(connection, code)
    connection.close()


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("chop", [None, 1])
def test_reserved_bits(chat, bits, chop):
    for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
        then_fails(chat, frame(opcode, HELLO.encode(), reserved=bits), 1002, chop)
    then_fails(chat, frame(TEXT, b"[", final=False) +
               frame(CONTINUATION, b"]", reserved=bits), 1002, chop)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("chop", [None, 1])
def test_reserved_opcodes(chat, opcode, chop):
    for payload in (b"", b"reserved opcode payload"):
        for final in (True, False):
            then_fails(chat, frame(opcode, payload, final=final), 1002, chop)


# ---- 5: fragments -------------------------------------------------------------------------------

FIRST = frame(TEXT, b"fragment1", final=False)
MIDDLE = frame(CONTINUATION, b"fragment2", final=False)
LAST = frame(CONTINUATION, b"fragment3")


@pytest.mark.parametrize("chop", [None, 1])
@pytest.mark.parametrize("data", [
    frame(PING, b"fragment1", final=False) + LAST,
    frame(PONG, b"fragment1", final=False) + LAST,
    frame(CLOSE, b"\x03\xe8", final=False),
    FIRST + frame(PING, b"x", final=False),
    LAST, LAST + FIRST, MIDDLE, MIDDLE + frame(TEXT, b"x"),
    FIRST + LAST + MIDDLE, FIRST + LAST + LAST,
    FIRST + FIRST, FIRST + frame(TEXT, b"fragment2"), FIRST + MIDDLE + FIRST,
    FIRST + frame(BINARY, b"fragment2"), FIRST + frame(BINARY, b"x", final=False),
], ids=range(15))
def test_fragments_out_of_place(chat, data, chop):
    then_fails(chat, data, 1002, chop)


@pytest.mark.parametrize("chop", [None, 1, "frames"])
@pytest.mark.parametrize("between", [[], [frame(PING, b"x")], [frame(PONG, b"x")],
                                     [frame(PING, b"a"), frame(PONG), frame(PING, b"b")]],
                         ids=["none", "ping", "pong", "several"])
def test_control_frames_between_fragments(chat, connection, between, chop):
    for size in (1, 7, 60):
        frames = []
        for one in fragments(chat.rpc("Hëllo"), size):
            frames += [one, *between]
        frames = frames[:len(frames) - len(between)]
        if chop == "frames":
            for one in frames:
                connection.send(one)
        else:
            chopped(connection, b"".join(frames), chop)
        chat.hears("Hëllo")
        lives_after(connection, {b"x", b"a", b"b"})


def lives_after(connection, payloads):
    """As lives(), but pongs with these payloads may come before."""
    connection.send(frame(PING, b"last"))
    while True:
        final, opcode, payload = connection.frame()
        assert final and opcode in (TEXT, PONG)
        if opcode == PONG and payload == b"last":
            return
        assert opcode == TEXT or payload in payloads


def test_a_ping_is_answered_before_the_message_ends(chat, connection):
    text = chat.rpc(HELLO)
    connection.send(frame(TEXT, text[:9], final=False) + frame(CONTINUATION, b"", final=False) +
                    frame(PING, b"pongme 1!"))
    assert connection.frame() == (True, PONG, b"pongme 1!")
    connection.send(frame(CONTINUATION, text[9:20], final=False) + frame(PING, b"pongme 2!"))
    assert connection.frame() == (True, PONG, b"pongme 2!")
    connection.send(frame(CONTINUATION, text[20:]))
    assert json.loads(connection.text())["type"] == T_SENT
    chat.hears(HELLO)


# ---- 6: UTF-8 -----------------------------------------------------------------------------------

GREEK = "κόσμε".encode()

VALID = [
    b"hello\x24world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld",
    b"hello\xf0\xa4\xad\xa2world", GREEK, "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    # The first and the last of each length, and those beside what is left out.
    b"\x20", b"\x7f", b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd",
    # Non-characters and specials are text (RFC 3629).
    *[chr(code).encode() for code in range(0xFFF9, 0x10000)],
    *[chr(plane << 16 | low).encode() for plane in range(1, 17) for low in (0xFFFE, 0xFFFF)],
]

INVALID = [
    # Beyond U+10FFFF, and the forms of five and six bytes.
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf7\xbf\xbf\xbf", b"\xf8\x88\x80\x80\x80",
    b"\xfb\xbf\xbf\xbf\xbf", b"\xfc\x84\x80\x80\x80\x80", b"\xfd\xbf\xbf\xbf\xbf\xbf",
    # Continuations without a start.
    *[(b"\x80\xbf" * 3)[:n] for n in range(1, 7)], b"\xbf", bytes(range(0x80, 0xc0)),
    # Starts without a continuation.
    *[b" ".join(bytes([c]) for c in range(low, high)) + b" " for low, high in
      [(0xc0, 0xe0), (0xe0, 0xf0), (0xf0, 0xf8), (0xf8, 0xfc), (0xfc, 0xfe)]],
    # The last byte is missing.
    b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xf1\x80\x80",
    b"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf\xf7\xbf\xbf",
    # Bytes that never occur.
    b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
    # Longer than needed.
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
    b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xe0\x80\x80",
    b"\xf0\x80\x80\x80",
    # Surrogates, alone and in pairs.
    *[code.to_bytes(2, "big").decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
      for code in (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)],
    b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf",
]


def test_valid_utf8(chat, connection):
    """Whole, and cut into two frames at every byte."""
    for sequence in VALID:
        data = sequence.decode()
        text = chat.rpc(data)
        at = text.index(sequence)
        connection.send(frame(TEXT, text))
        chat.hears(data)
        for cut in range(at + 1, at + len(sequence)):
            connection.send(frame(TEXT, text[:cut], final=False) + frame(PING) +
                            frame(CONTINUATION, text[cut:]))
            chat.hears(data)
        connection.send(b"".join(fragments(text, 1)))
        chat.hears(data)
    connection.send_bytewise(frame(TEXT, text))
    chat.hears(data)
    lives_after(connection, {b""})


def test_a_raw_nul_is_text_but_not_json(connection):
    connection.send(frame(TEXT, b'{"method":10,"x":"\x00"}'))
    assert json.loads(connection.text())["body"]["code"] == "invalid_json"
    lives(connection)


@pytest.mark.parametrize("sequence", INVALID, ids=[s[:8].hex() for s in INVALID])
def test_invalid_utf8(chat, sequence):
    """In one frame, in two, byte by byte on the wire, and alone."""
    text = b'{"method":10,"x":"' + sequence + b'"}'
    middle = text.index(sequence) + 1
    for data, chop in [(frame(TEXT, text), None), (frame(TEXT, text), 1),
                       (frame(TEXT, sequence), None), (b"".join(fragments(text, 1)), None),
                       (frame(TEXT, text[:middle], final=False) +
                        frame(CONTINUATION, text[middle:]), None)]:
        connection = chat.connect()
        chopped(connection, data, chop)
        fails(connection, 1007)
        connection.close()


def bad_at(sequence):
    """How many bytes it takes to know that nothing behind them can make this UTF-8; None: it is
    cut short only. Python's own incremental decoder is late with surrogates."""
    ends = [bytes(end) for n in range(4)
            for end in itertools.product(b"\x80\x90\xa0", repeat=n)]
    for length in range(1, len(sequence) + 1):
        if not any(is_utf8(sequence[:length] + end) for end in ends):
            return length
    return None


@pytest.mark.parametrize("sequence", [s for s in INVALID if bad_at(s)],
                         ids=[s[:8].hex() for s in INVALID if bad_at(s)])
def test_invalid_utf8_fails_with_its_first_fragment(chat, sequence):
    """The fragment that ends in the byte which spoils it is the last that is waited for."""
    spoilt = bad_at(sequence)
    for before in (b"", GREEK):
        connection = chat.connect()
        connection.send(frame(TEXT, before + sequence[:spoilt - 1], final=False))
        lives(connection)
        connection.send(frame(CONTINUATION, sequence[spoilt - 1:spoilt], final=False))
        fails(connection, 1007)
        connection.close()


def test_invalid_utf8_inside_a_frame_fails_when_the_frame_is_whole(chat, connection):
    """The suite's 6.4.3 and 6.4.4 call this not strict: a frame is judged once it is there."""
    data = frame(TEXT, GREEK + b"\xf4\x90\x80\x80" + b"edited")
    connection.send(data[:-4])
    connection.send(data[-4:])
    fails(connection, 1007)


# ---- 9 and 10: sizes ----------------------------------------------------------------------------


@pytest.mark.parametrize("size, chop", [(65_536, None), (262_144, None), (MESSAGE_MAX - 1, None),
                                        (MESSAGE_MAX, None), (MESSAGE_MAX, 64_000),
                                        (MESSAGE_MAX, 256), (262_144, 64)])
def test_long_messages(chat, connection, size, chop):
    chopped(connection, frame(TEXT, chat.rpc(HELLO, size)), chop)
    chat.hears(HELLO)
    lives(connection)


@pytest.mark.parametrize("size, each", [(65_536, 1300), (65_536, 64), (MESSAGE_MAX, 1024),
                                        (MESSAGE_MAX, 4096), (MESSAGE_MAX, 65_536),
                                        (MESSAGE_MAX, 262_144), (MESSAGE_MAX, MESSAGE_MAX)])
def test_long_messages_in_fragments(chat, connection, size, each):
    connection.send(b"".join(fragments(chat.rpc(HELLO, size), each)))
    chat.hears(HELLO)
    lives(connection)


@pytest.mark.parametrize("size", [MESSAGE_MAX + 1, 4 << 20, 16 << 20, 1 << 40, (1 << 63) - 1])
def test_messages_that_are_too_long(connection, size):
    """The header alone decides; nothing of the payload is waited for."""
    connection.send(b"\x81\xff" + size.to_bytes(8, "big") + b"\1\2\3\4")
    fails(connection, 1009)


def test_fragments_that_are_too_long_together(chat, connection):
    connection.send(frame(TEXT, chat.rpc(HELLO, MESSAGE_MAX), final=False) +
                    frame(CONTINUATION, b"", final=False))
    lives(connection)
    connection.send(frame(CONTINUATION, b" "))
    fails(connection, 1009)


def test_too_many_fragments(chat, connection):
    """Empty ones count too."""
    text = chat.rpc(HELLO)
    empty = frame(CONTINUATION, final=False)
    connection.send(frame(TEXT, text, final=False) + empty * (FRAGMENTS_MAX - 2) +
                    frame(CONTINUATION))
    chat.hears(HELLO)
    lives(connection)
    connection.send(frame(TEXT, text, final=False) + empty * FRAGMENTS_MAX)
    fails(connection, 1009)


# ---- deadlines ----------------------------------------------------------------------------------


BEGUN = {"byte": b"\x81", "ping": b"\x89\x84\1\2\3\4x",
         "fragment": frame(TEXT, b"[1,", final=False),
         "fragment-and-byte": frame(TEXT, b"[1,", final=False) + b"\x80"}


def test_what_does_not_end_in_time(new_server):
    """Closed with 1008. Who only rests is left alone, and a message in many pieces is well, as
    long as it ends in time."""
    server = new_server(message_timeout=1, ping_interval=3600)
    user = User(Rest(server))
    resting, *late = [raw.Connection(server).upgrade(user.device().path)
                      for _ in range(1 + len(BEGUN))]
    for connection, begun in zip(late, BEGUN.values()):
        lives(connection)
        connection.send(begun)
    for connection in late:
        fails(connection, 1008)
    lives(resting)
