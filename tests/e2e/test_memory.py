"""Each allocation on the way of a request fails, one after the other. The documented end: one line
on stderr, exit code 1, and the next start has all that was acknowledged. Where a library may go on
without (a password's hash), the request is refused with 503 and the server goes on."""
import itertools
import re

import pytest
import requests
import websockets

from kit.faults import build
from kit.memory import Memory
from kit.people import DEVICE, Rest
from kit.server import BINARY
from kit.socket import DELIVERED, SEND, T_GROUP, T_MESSAGE, Closed, Socket

LINE = re.compile(r"^out of memory: \d+ bytes could not be had$")
GONE = (requests.RequestException, websockets.WebSocketException, Closed, OSError)
PASSWORD = "theirs and theirs alone"

# Sanitizers have allocators of their own, before which no library can stand.
SANITIZED = any(name in BINARY.read_bytes() for name in (b"__asan_init", b"__tsan_init"))


class Refused(Exception):
    """The server has no memory for this, and says so."""


class Story:
    """What two people do once, with a name that nobody had before; what was acknowledged."""

    def __init__(self, server, rest, number):
        self.server = server
        self.rest = rest
        self.name = f"user{number}"
        self.account = {"username": self.name, "password": PASSWORD}
        self.token = self.path = self.user = self.group = self.message = None

    def call(self, status, path, body, token=None):
        answer = self.rest.call("POST", path, body, token)
        if answer.status_code == 503:
            raise Refused(answer.text)
        assert answer.status_code == status, answer.text
        return answer.json()

    def socket(self, path):
        return self.server.keep(Socket(self.server.ws(path), self.server.secrets))

    def tell(self):
        self.user = self.call(201, "/users", self.account)["id"]
        self.token = self.call(200, "/login", self.account)["token"]
        url = self.call(201, "/sessions", DEVICE, self.token)["messaging_url"]
        self.path = "/" + url.rsplit("/", 1)[1]
        self.group = self.call(201, "/groups", {"name": "g", "user_ids": []}, self.token)["id"]
        socket = self.socket(self.path)
        sent = socket.ok(SEND, {"group_id": self.group, "data": "m" * 2000, "client_id": "c"})
        self.message = sent["message_id"]
        socket.ok(DELIVERED, {"message_id": self.message})
        socket.events()

    def check(self):
        """All that was acknowledged is there."""
        if self.user is None:
            return
        answer = self.rest.call("POST", "/login", self.account)
        assert answer.status_code == 200, answer.text
        if self.token is None:
            return
        if self.path is None:
            assert self.rest.call("POST", "/sessions", DEVICE, self.token).status_code == 201
            return
        events = self.socket(self.path).everything()
        groups = [e.body["group_id"] for e in events if e.type == T_GROUP]
        messages = [e.body["message_id"] for e in events if e.type == T_MESSAGE]
        assert self.group is None or groups == [self.group]
        assert self.message is None or messages == [self.message]


def ended(server):
    """It has ended as it must, if it has ended; else False."""
    if server.process.poll() is None:
        return False
    server.close_clients()
    assert server.wait() == 1, server.err.text()
    lines = [line for line in server.err.lines if LINE.match(line)]
    assert len(lines) == 1 and lines[0] == server.err.lines[-1], server.err.text()
    return True


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has an allocator of its own")
def test_each_allocation_fails_once(new_server, tmp_path):
    memory = Memory(build(tmp_path, "memory"), tmp_path)
    server = new_server(env=memory.environment(), password_threads=1)
    rest = Rest(server)
    deaths = refusals = 0
    for nth in itertools.count(1):
        story = Story(server, rest, nth)
        memory.fail(nth)
        try:
            story.tell()
        except Refused:
            refusals += 1
        except GONE:
            server.process.wait(30)
        over = not memory.failed()
        memory.fail(0)
        if over:
            break
        if ended(server):
            deaths += 1
            server.start()
        story.check()
        server.close_clients()
        rest.close()
    assert deaths > 20 and refusals > 0
