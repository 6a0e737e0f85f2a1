"""Bytes on a socket: HTTP and WebSocket as no library would send them."""
import base64
import hashlib
import json
import os
import socket
import struct

from . import contract
from .server import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Answer:
    """An HTTP answer; header names are lower case."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    """A TCP connection with a deadline on every read."""

    def __init__(self, server, receive_buffer=None, source=None):
        self.server = server
        self.left = b""
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((server.host, server.port))
        server.keep(self)

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_bytewise(self, data):
        for i in range(len(data)):
            self.socket.sendall(data[i:i + 1])

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        """False where the other side has ended."""
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.left += piece
        return bool(piece)

    def read(self, count):
        while len(self.left) < count:
            if not self._more():
                raise EOFError(f"ended with {self.left!r}")
        data, self.left = self.left[:count], self.left[count:]
        return data

    def read_until(self, mark):
        while mark not in self.left:
            if not self._more():
                raise EOFError(f"ended with {self.left!r}")
        end = self.left.index(mark) + len(mark)
        return self.read(end)

    def at_end(self):
        """Waits for the other side's end; what came before it."""
        while self._more():
            pass
        data, self.left = self.left, b""
        return data

    def answer(self, head=False):
        """Reads one HTTP answer; every answer carries its length."""
        lines = self.read_until(b"\r\n\r\n").decode("ascii").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        headers = {}
        for line in lines[1:-2]:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        status, secrets = int(status), self.server.secrets
        if status < 200:
            return Answer(status, headers, b"")
        body = self.read(0 if head else int(headers["content-length"]))
        look = secrets.check if status >= 400 else secrets.check_handed
        look("an answer", "\r\n".join(lines).encode() + body)
        return Answer(status, headers, body)

    def upgrade(self, path, headers=b"", tail=b""):
        """The WebSocket handshake; `tail` goes out in the same packet."""
        key = base64.b64encode(os.urandom(16))
        self.send(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: " + self.server.address.encode() +
                  b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key +
                  b"\r\nSec-WebSocket-Version: 13\r\n" + headers + b"\r\n" + tail)
        head = self.read_until(b"\r\n\r\n").decode("ascii").split("\r\n")
        assert head[0].startswith("HTTP/1.1 101 "), head
        fields = dict(line.lower().split(": ", 1) for line in head[1:-2])
        assert fields["upgrade"] == "websocket" and fields["connection"] == "upgrade"
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key + guid).digest()).decode()
        assert f"sec-websocket-accept: {accept}" in (h[:22].lower() + h[22:] for h in head)
        return self

    def frame(self):
        """Reads one frame: (final, opcode, payload). The server must not mask."""
        first, second = self.read(2)
        assert first & 0x70 == 0 and second & 0x80 == 0
        length = second & 0x7f
        if length == 126:
            length = struct.unpack("!H", self.read(2))[0]
            assert length > 125
        elif length == 127:
            length = struct.unpack("!Q", self.read(8))[0]
            assert length > 65535
        return bool(first & 0x80), first & 0x0f, self.read(length)

    def text(self):
        """The next text frame's payload."""
        final, opcode, payload = self.frame()
        assert final and opcode == TEXT, (final, opcode, payload[:200])
        contract.check_event(json.loads(payload))
        self.server.secrets.check_handed("an event", payload)
        return payload

    def close_code(self):
        """Reads to the close frame, and on to the end of the connection; the close code."""
        while True:
            _, opcode, payload = self.frame()
            if opcode == CLOSE:
                self.at_end()
                return struct.unpack("!H", payload[:2])[0] if payload else None


def frame(opcode, payload=b"", final=True, mask=b"\x11\x22\x33\x44", reserved=0, form=None):
    """A frame as a client sends it; `mask` None sends it unmasked, `form` forces 7, 16 or 64 bits
    of length."""
    length = len(payload)
    if form is None:
        form = 7 if length < 126 else 16 if length < 65536 else 64
    bit = 0 if mask is None else 0x80
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    if form == 7:
        head += bytes([bit | length])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", length)
    if mask is None:
        return head + payload
    masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return head + mask + masked


def close_frame(code, reason=b""):
    return frame(CLOSE, struct.pack("!H", code) + reason)


def request(method, path, server, body=None, headers=()):
    """The bytes of a plain request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {server.address}", *headers]
    data = b"" if body is None else body
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data
