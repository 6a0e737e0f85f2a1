"""--memory-max: the server refuses what needs more memory, and goes on with everything else."""
import re
import signal
from pathlib import Path

import pytest

from kit.clock import DAY, Clock
from kit.people import DEVICE, Rest, User, assert_error
from kit.server import BINARY
from kit.socket import DELIVERED, READ, SEND, T_REPLY

MIB = 1 << 20
ROOM = 40 * MIB  # that the flood may fill
SLACK = 16 * MIB  # docs/operations.md
TEXT = "x" * 20000
SAID = re.compile("as many as --memory-max allows")

# With a sanitizer the memory is its own: shadow, and what is freed and kept to be watched.
SANITIZED = any(word in BINARY.read_bytes() for word in (b"__asan_init", b"__tsan_init"))
pytestmark = pytest.mark.skipif(SANITIZED, reason="the memory is the sanitizer's")


def resident(server):
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) << 10


class Full:
    """A server that was filled up to its limit."""

    def __init__(self, new_server, env=None):
        self.server = new_server(env=env, send_rate=0, user_sessions_max=1)
        self.rest = Rest(self.server)
        self.anna, self.bert, self.cleo = (User(self.rest) for _ in range(3))
        self.group = self.anna.group(self.bert, self.cleo)
        self.limit = resident(self.server) + ROOM
        self.restart(self.limit)
        self.phone = self.anna.device()
        self.fill()

    def restart(self, limit, how=signal.SIGTERM):
        self.server.options["--memory-max"] = limit
        self.server.restart(how)

    def fill(self):
        """Sends until the first refusal, several at once; the most memory that was seen."""
        socket, most, self.sent = self.phone.connect(), 0, 0
        for _ in range(4 * ROOM // len(TEXT) // 50):
            for _ in range(50):
                socket.rpc(SEND, {"group_id": self.group, "data": TEXT}, id=1)
            replies = []
            while len(replies) < 50:
                event = socket.recv()
                if event.type == T_REPLY:
                    replies.append(event.body)
            most = max(most, resident(self.server))
            self.sent += sum(r["ok"] for r in replies)
            refused = [r for r in replies if not r["ok"]]
            if refused:
                assert {(r["status"], r["code"]) for r in refused} == {(503, "memory_full")}
                break
        else:
            raise AssertionError("nothing was refused")
        socket.close()
        assert most < self.limit + SLACK
        assert self.sent * len(TEXT) > ROOM / 4


@pytest.fixture
def full(new_server):
    return Full(new_server)


def test_what_grows_is_refused_and_the_rest_goes_on(full):
    anna, bert, server = full.anna, full.bert, full.server
    refused = [
        anna.call("POST", f"/groups/{full.group}/messages", {"data": "one more"}),
        anna.call("POST", "/groups", {"name": "one more", "user_ids": []}),
        bert.call("POST", "/sessions", DEVICE),
        full.rest.call("POST", "/users", {"username": "onemore", "password": "0000"}),
    ]
    for answer in refused:
        assert_error(answer, 503, "memory_full")
        assert int(answer.headers["retry-after"]) > 0
    assert server.err.wait(SAID)
    ready = full.rest.ok(200, "GET", "/readyz")
    assert ready == {"ready": True, "refuses": "memory_full"}

    # Reading, logging in, a device in place of another, and receipts.
    bert.login()
    sync = anna.ok(200, "GET", "/sync")
    last = sync["groups"][0]["last_message"]
    assert last["seq"] == full.sent
    assert len(anna.ok(200, "GET", f"/groups/{full.group}/messages?limit=5")["messages"]) == 5
    phone = anna.device(device_id="another")
    author = phone.connect()
    author.ok(DELIVERED, {"message_id": last["message_id"]})
    author.ok(READ, {"message_id": last["message_id"]})
    # Leaving goes on; coming back is growth.
    full.cleo.leaves(full.group)
    assert_error(full.cleo.join(full.group), 503, "memory_full")
    anna.ok(200, "DELETE", f"/sessions/{phone.id}")


def test_a_repeat_is_answered_when_it_is_full(full):
    """It changes nothing."""
    anna = full.anna
    full.restart(0)
    body = {"data": "hello", "client_id": "one"}
    first = anna.ok(201, "POST", f"/groups/{full.group}/messages", body)
    full.restart(full.limit // 2)
    again = anna.ok(200, "POST", f"/groups/{full.group}/messages", body)
    assert again == {**first, "duplicate": True}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_start_beyond_the_limit_serves_and_a_larger_limit_goes_on(full, how):
    anna, url = full.anna, f"/groups/{full.group}/messages"
    full.restart(full.limit // 2, how)
    assert full.server.err.wait(SAID)
    assert_error(anna.call("POST", url, {"data": "one more"}), 503, "memory_full")
    assert anna.ok(200, "GET", url)["last_seq"] == full.sent
    full.restart(2 * full.limit, how)
    assert anna.ok(201, "POST", url, {"data": "one more"})["seq"] == full.sent + 1


def test_what_retention_takes_is_room_again(new_server, tmp_path):
    """The process keeps the memory, for the messages that come."""
    clock = Clock(tmp_path)
    full = Full(new_server, clock.environment())
    anna, url = full.anna, f"/groups/{full.group}/messages"
    anna.ok(200, "PUT", f"/groups/{full.group}/retention", {"days": 1})
    assert_error(anna.call("POST", url, {"data": "one more"}), 503, "memory_full")
    clock.move(2 * DAY)
    assert full.server.err.wait(re.compile("below --memory-max again"))
    before = full.sent
    full.phone = anna.device()
    full.fill()
    # As many as before, or nearly: and memory has not grown beyond the limit.
    assert full.sent > before / 2
    assert anna.ok(200, "GET", url)["first_seq"] == before + 1
