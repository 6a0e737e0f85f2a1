"""While a server reads its journal: what a probe is told, that nobody else gets anything, and that it
serves when it says so. The test gives it the journal piece by piece, so that nothing depends on how
fast it reads."""
import json
import re
import signal

import pytest

from kit import raw
from kit.hold import Hold
from kit.people import Rest, User
from kit.server import LISTENING

READING = re.compile(r"reading the journal; /readyz on port (\d+) says how far it is")
TEXTS = 40
PIECES = 8  # enough for a connection to be taken, heard and answered

HANDSHAKE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]


@pytest.fixture
def hold(tmp_path):
    made = Hold(tmp_path)
    yield made
    made.close()


class Story:
    """A server with many segments, and what they hold."""

    def __init__(self, new_server, **options):
        self.server = new_server(segment_size="64k", snapshot_after="0", send_rate="0", **options)
        self.rest = self.server.keep(Rest(self.server))
        self.anna = User(self.rest)
        self.group = self.anna.group()
        self.device = self.anna.device()
        for _ in range(TEXTS):
            self.anna.ok(201, "POST", f"/groups/{self.group}/messages", {"data": "x" * 40_000})
        self.digest = self.server.digest()
        self.segments = len(list((self.server.data / "journal").glob("*.log")))
        assert self.segments >= TEXTS // 2

    def launch(self, hold):
        """Starts it again; it waits before the first piece."""
        server = self.server
        server.close_clients()
        server.stop()
        server.env = hold.environment()
        server.launch()
        server.env = None
        server.host, server.port = "127.0.0.1", int(server.err.wait(READING).group(1))
        server.address = f"{server.host}:{server.port}"

    def ask(self, hold, *requests):
        """What is answered to each of these, on a connection of its own."""
        asked = []
        for request in requests:
            asked.append(raw.Connection(self.server))
            asked[-1].send(request)
        hold.let(PIECES)
        return asked, [connection.answer() for connection in asked]

    def get(self, path, headers=()):
        return raw.request("GET", path, self.server, headers=headers)


def assert_starting(answer):
    assert answer.status == 503, answer.body
    assert int(answer.headers["retry-after"]) > 0
    body = json.loads(answer.body)
    assert body["code"] == "starting" and body["error"]
    return body


def test_a_server_that_reads_its_journal(new_server, hold):
    story = Story(new_server)
    story.launch(hold)
    server, token = story.server, [f"Authorization: Bearer {story.anna.token}"]
    connections, answers = story.ask(
        hold, story.get("/healthz"), story.get("/readyz"),
        story.get("/users/me", token), story.get("/nothing"),
        story.get(story.device.path, HANDSHAKE), b"nonsense\r\n\r\n",
        raw.request("POST", "/login", server, b'{"username":"x","password":"y"}'),
        raw.request("POST", "/readyz", server, b"{}"))
    alive, ready, *others, bad, login, method = answers
    assert (alive.status, json.loads(alive.body)) == (200, {"alive": True})
    progress = assert_starting(ready)["progress"]
    assert progress["reading"] == "journal" and progress["segments"] == story.segments
    assert 1 <= progress["segment"] <= PIECES
    assert 0 <= progress["bytes"] <= progress["bytes_total"]
    for answer in [*others, login]:
        assert set(assert_starting(answer)) == {"error", "code"}
    assert (bad.status, method.status) == (400, 405)

    # It goes on, and says so; on the same connection too.
    connections[1].send(story.get("/readyz"))
    hold.let(PIECES)
    later = assert_starting(connections[1].answer())["progress"]
    assert later["segment"] > progress["segment"]
    assert later["records"] > progress["records"]
    assert not server.out.find(LISTENING)

    hold.let_all()
    server.wait_listening()
    connections[1].send(story.get("/readyz"))
    assert json.loads(connections[1].answer().body) == {"ready": True}
    assert server.digest() == story.digest
    assert story.anna.ok(200, "GET", "/users/me")["id"] == story.anna.id
    story.device.connect().info()


def test_the_listener_of_the_operator(new_server, hold):
    """Probes are answered there as well; the numbers are not there yet."""
    story = Story(new_server, admin_listen="127.0.0.1:0")
    # Its port is known only when the server serves: the same once more.
    story.server.options["--admin-listen"] = story.server.app_address
    story.launch(hold)
    server = story.server
    public = server.port
    server.port = int(server.options["--admin-listen"].rsplit(":", 1)[1])
    _, (alive, ready, metrics) = story.ask(hold, story.get("/healthz"), story.get("/readyz"),
                                           story.get("/metrics"))
    assert alive.status == 200
    assert "progress" in assert_starting(ready)
    assert_starting(metrics)
    hold.let_all()
    server.wait_listening()
    assert server.port == public


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_while_it_reads(new_server, hold, number):
    """It has nothing to finish; the next start begins anew."""
    story = Story(new_server)
    story.launch(hold)
    story.ask(hold, story.get("/healthz"))
    story.server.send_signal(number)
    assert story.server.wait() == -number
    hold.let_all()
    story.server.start()
    assert story.server.digest() == story.digest


def test_many_connections_while_it_reads(new_server, hold):
    """The limits hold: one more than there may be waits, or is refused."""
    story = Story(new_server)
    story.server.options["--address-connections-max"] = "20"
    story.launch(hold)
    held = [raw.Connection(story.server) for _ in range(20)]
    for connection in held:
        connection.send(b"GET /healthz HTTP/1.1\r\n")
    hold.let(PIECES)
    _, (more,) = story.ask(hold, story.get("/healthz"))
    assert more.status == 429
    for connection in held:
        connection.send(b"Host: x\r\n\r\n")
    hold.let(PIECES)
    assert {connection.answer().status for connection in held} == {200}
    hold.let_all()
    story.server.wait_listening()
