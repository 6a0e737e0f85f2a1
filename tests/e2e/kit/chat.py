"""One group with a sender and a hearer, for tests of what may stand on the wire: what a sender's
frames mean is seen in what the hearer is told."""
import json

from . import raw
from .people import User
from .raw import CLOSE, PING, PONG, TEXT
from .socket import SEND, T_MESSAGE

PING_OF_LIFE = b"are you there?"


class Chat:
    """Raw connections on one group; `connect` gives a new one of the sender's."""

    def __init__(self, server, rest):
        self.server = server
        self.sender, other = User(rest), User(rest)
        self.device = self.sender.device()
        self.group = self.sender.group(other)
        self.hearer = raw.Connection(server).upgrade(other.device().path)

    def connect(self):
        return raw.Connection(self.server).upgrade(self.device.path)

    def rpc(self, data="", size=None):
        """The bytes of a send; padded with spaces, which JSON allows, to `size`."""
        text = json.dumps({"method": SEND, "body": {"group_id": self.group, "data": data}},
                          ensure_ascii=False).encode()
        assert size is None or size >= len(text)
        return text.ljust(size or 0)

    def hears(self, data):
        """The next message that the hearer is told is this one."""
        event = json.loads(self.hearer.text())
        assert event["type"] == T_MESSAGE
        assert event["body"]["data"] == data

    def heard_nothing_else(self):
        """No message was told but those that were waited for."""
        mark = "nothing came before this"
        connection = self.connect()
        connection.send(raw.frame(TEXT, self.rpc(mark)))
        self.hears(mark)
        connection.close()


def chopped(connection, data, size):
    """Sends `data` in pieces of `size` bytes; None: at once."""
    if size is None:
        connection.send(data)
        return
    for i in range(0, len(data), size):
        connection.send(data[i:i + size])


def next_but_events(connection):
    """The next frame that is not text: (opcode, payload)."""
    while True:
        final, opcode, payload = connection.frame()
        assert final
        if opcode != TEXT:
            return opcode, payload


def lives(connection):
    """The connection answers a ping, and has sent no other control frame before."""
    connection.send(raw.frame(PING, PING_OF_LIFE))
    assert next_but_events(connection) == (PONG, PING_OF_LIFE)


def fails(connection, code):
    """The next control frame closes with this code, and then the connection ends."""
    opcode, payload = next_but_events(connection)
    assert (opcode, payload[:2]) == (CLOSE, code.to_bytes(2, "big")), (opcode, payload)
    connection.end_sending()
    assert connection.at_end() == b""
