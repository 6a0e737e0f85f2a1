"""Load that is unkind: many who ask for much and give nothing. Whoever behaves notices little, and
memory stays bounded."""
import json
import os
import re
import resource
import select
import socket
import struct
import sys

import pytest

from kit import raw
from kit.people import Rest, User
from kit.server import BINARY, PATIENCE
from kit.socket import T_CHANGED, T_DELETED, T_LEFT, T_MESSAGE, T_ROLE
from kit.threads import Task

# A sanitizer keeps what was freed and shadows what is there: then numbers of bytes say nothing, and
# less of everything must do.
SANITIZED = any(word in BINARY.read_bytes() for word in (b"__asan_init", b"__tsan_init"))

MIB = 1 << 20


def memory(server):
    """Resident bytes of the server, counted page by page: what statm says is gathered from the
    processors, and the more there are, the further it may be behind."""
    with open(f"/proc/{server.process.pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Rss: +(\d+) kB$", file.read(), re.MULTILINE).group(1)) << 10


def assert_grew_by_at_most(server, before, limit):
    grown = memory(server) - before
    assert SANITIZED or grown <= limit, f"{grown} bytes, and {limit} would be fine"


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def cpu_ticks(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def connect(server):
    """A bare TCP connection; the kernel accepts it even where the server does not yet."""
    plain = socket.create_connection((server.host, server.port), PATIENCE)
    server.keep(plain)
    return plain


def lives(connection):
    connection.send(raw.frame(raw.PING, b"?"))
    assert connection.frame() == (True, raw.PONG, b"?")


def until(condition):
    """Waits, for what no event tells; looks again after each little pause."""
    for _ in range(int(PATIENCE * 100)):
        if condition():
            return
        select.select([], [], [], 0.01)
    raise AssertionError("it did not come to pass")


# ---- descriptors --------------------------------------------------------------------------------


def test_out_of_descriptors(new_server):
    """Those who are there stay, nobody is refused, and those who wait get their turn."""
    server = new_server()
    user = User(Rest(server))
    there = raw.Connection(server).upgrade(user.device().path)
    used = descriptors(server)
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 4, hard))
    waiting = [raw.Connection(server) for _ in range(30)]
    request = raw.request("GET", "/nothing", server)
    for connection in waiting:
        connection.send(request)
    until(lambda: "cannot accept connections" in server.err.text())
    lives(there)
    answered = select.select([c.socket for c in waiting], [], [], PATIENCE)[0]
    assert 1 <= len(answered) <= 4
    # It does not spin: a second of waiting costs far less than a second of work.
    before = cpu_ticks(server)
    select.select([], [], [], 1)
    assert cpu_ticks(server) - before < os.sysconf("SC_CLK_TCK") / 2
    # Each that goes makes room for one that waits.
    for connection in waiting:
        assert connection.answer().status == 404
        connection.close()
    lives(there)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    for _ in range(50):
        raw.Connection(server).send(request)
    assert server.err.text().count("cannot accept connections") <= 31


def test_connections_leave_descriptors_for_the_journal(new_server):
    """Whoever opens as many sockets as they can does not keep others from writing."""
    server = new_server(start=False, segment_size=65536, snapshot_after=0, head_timeout=3600)
    server.through = ["prlimit", "--nofile=130:130"]
    server.start()
    assert server.err.wait(re.compile("at most 130 open files: 66 connections"))
    user = User(Rest(server))
    group = user.group()
    sender = user.connect()
    used = descriptors(server)
    waiting = [raw.Connection(server) for _ in range(150)]
    for connection in waiting:
        connection.send(b"GET")
    until(lambda: descriptors(server) >= used + 60)
    segments = server.data / "journal"
    before = len(list(segments.glob("*.log")))
    for number in range(1, 101):
        assert sender.send_message(group, "x" * 5000).body["seq"] == number
    assert len(list(segments.glob("*.log"))) >= before + 5
    assert "Too many open files" not in server.err.text()
    # Those who waited in the kernel get their turn.
    for connection in waiting[:100]:
        connection.close()
    waiting[-1].send(raw.request("GET", "/nothing", server)[3:])
    assert waiting[-1].answer().status == 404


@pytest.fixture
def many_descriptors():
    """As many as this process may have; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard if hard != resource.RLIM_INFINITY else sys.maxsize
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_who_begin_and_do_not_go_on(new_server, many_descriptors):
    """Half a handshake each. They cost little, and what they held is given back."""
    count = min(10_000, many_descriptors - 200)
    if count < 10_000:
        print(f"only {count}: the hard limit of descriptors allows no more")
    assert count > 0
    server = new_server(head_timeout=3600, address_connections_max=0)
    user = User(Rest(server))
    there = raw.Connection(server).upgrade(user.device().path)
    before, used = memory(server), descriptors(server)
    head = raw.request("GET", "/" + "0" * 36, server, headers=["Upgrade: websocket"])[:-30]
    waiting = [connect(server) for _ in range(count)]
    for connection in waiting:
        connection.sendall(head)
    until(lambda: descriptors(server) == used + count)
    lives(there)
    assert_grew_by_at_most(server, before, count * 2048)
    full = memory(server)
    for connection in waiting:
        connection.close()
    until(lambda: descriptors(server) == used)
    # As many again find the memory of those before.
    for _ in range(count):
        connect(server).sendall(head)
    until(lambda: descriptors(server) == used + count)
    lives(there)
    assert_grew_by_at_most(server, full, MIB)


def test_who_comes_and_goes_as_fast_as_it_can(new_server):
    server = new_server()
    user = User(Rest(server))
    there = raw.Connection(server).upgrade(user.device().path)
    request = raw.request("GET", "/nothing", server)
    reset = struct.pack("ii", 1, 0)  # a close that sends RST

    def storm(rounds):
        for number in range(rounds):
            plain = socket.create_connection((server.host, server.port), PATIENCE)
            if number % 4 == 1:
                plain.sendall(request[:20])
            elif number % 4 == 2:
                plain.sendall(request * 3)
            if number % 2:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            plain.close()
            if number % 500 == 0:
                lives(there)

    storm(1000)
    until(lambda: descriptors(server) < 40)
    before, used = memory(server), descriptors(server)
    storm(1000 if SANITIZED else 6000)
    until(lambda: descriptors(server) <= used)
    lives(there)
    assert_grew_by_at_most(server, before, 2 * MIB)


# ---- sizes --------------------------------------------------------------------------------------


def pipeline(server, requests):
    """Requests on one connection; their answers, in order."""
    connection = raw.Connection(server)
    sender = Task(connection.send, b"".join(requests))
    answers = [connection.answer() for _ in requests]
    sender.join()
    connection.close()
    return answers


def register(server, count):
    """The ids of so many new users."""
    def body(number):
        return json.dumps({"username": f"many{number}", "password": "0000"}).encode()

    answers = pipeline(server, [raw.request("POST", "/users", server, body(n))
                                for n in range(count)])
    assert all(answer.status == 201 for answer in answers)
    return [json.loads(answer.body)["id"] for answer in answers]


def test_a_group_of_ten_thousand(new_server):
    count = 1000 if SANITIZED else 10_000
    server = new_server(user_ids_max=count, send_rate=0)
    people = register(server, count - 2)
    owner, other = (User(Rest(server)) for _ in range(2))
    before = memory(server)
    group = owner.ok(201, "POST", "/groups",
                     {"name": "all", "user_ids": [*people, other.id]})["id"]
    assert_grew_by_at_most(server, before, count * 600)
    assert owner.ok(200, "GET", f"/groups/{group}")["member_count"] == count
    seen, after = [], ""
    while True:
        page = owner.ok(200, "GET", f"/groups/{group}/members?limit=1000{after}")
        seen += [one["user_id"] for one in page["members"]]
        if not page["more"]:
            break
        after = f"&after={seen[-1]}"
    assert sorted(seen) == sorted([*people, owner.id, other.id])
    sockets = [other.connect() for _ in range(3)]
    sender = owner.connect()
    for number in range(1, 101):
        assert sender.send_message(group, str(number)).body["seq"] == number
    for listening in sockets:
        assert [listening.expect(T_MESSAGE).body["seq"] for _ in range(100)] == list(range(1, 101))
    other.leaves(group)
    other.joins(group)
    assert owner.ok(200, "GET", f"/groups/{group}")["member_count"] == count
    check_governing(owner, other, people, group)


def check_governing(owner, other, people, group):
    """Settings, roles, a succession and the end of a large group, each told to everybody."""
    start = other.connect().info()["cursor"]
    owner.ok(200, "PATCH", f"/groups/{group}", {"name": "renamed", "join": "open"})
    for one in people[:50]:
        owner.ok(200, "PATCH", f"/groups/{group}/members/{one}", {"role": "admin"})
    owner.leaves(group)
    seen = other.connect().catch_up(start)
    assert [event.type for event in seen] == [T_CHANGED] + [T_ROLE] * 49 + [T_LEFT]
    assert seen[-1].body["owner_id"] == people[0]
    owner.joins(group)
    assert owner.ok(200, "GET", f"/groups/{group}")["owner_id"] == people[0]
    assert owner.call("DELETE", f"/groups/{group}").status_code == 403
    second = owner.ok(201, "POST", "/groups", {"name": "all", "user_ids": [*people, other.id]})
    listening = other.connect()
    owner.ok(200, "DELETE", f"/groups/{second['id']}")
    assert listening.recv().type == T_DELETED
    assert other.ok(200, "GET", "/groups")["groups"][0]["id"] == group


def drain(connection):
    """Reads until the other side ends, and keeps nothing."""
    try:
        while connection.recv(MIB):
            pass
    except OSError:
        pass


def send_many(server, user, group, count):
    """So many messages from one socket, as fast as it goes; returns when all are on disk."""
    connection = raw.Connection(server).upgrade(user.device().path)
    body = {"method": 40, "body": {"group_id": group, "data": "x"}}
    piece = raw.frame(raw.TEXT, json.dumps(body).encode()) * 1000
    acks = Task(drain, connection.socket)
    for _ in range(count // 1000):
        connection.send(piece)
    until(lambda: user.ok(200, "GET", f"/groups/{group}")["last_seq"] == count)
    connection.socket.shutdown(socket.SHUT_RDWR)
    acks.join()


def test_a_backlog_of_a_million_for_one_reader(new_server):
    """It streams as the socket takes it; a reader who does not read costs no more than the pieces
    on their way."""
    count = 50_000 if SANITIZED else 1_000_000
    server = new_server(send_rate=0)
    writer, reader = (User(Rest(server)) for _ in range(2))
    group = writer.group(reader)
    send_many(server, writer, group, count)
    there = raw.Connection(server).upgrade(writer.device().path)
    before = memory(server)

    asked = raw.Connection(server, receive_buffer=65536).upgrade(reader.device().path + "?after=0")
    head = asked.frame()
    for _ in range(20):
        lives(there)
    assert_grew_by_at_most(server, before, 4 * MIB)

    assert json.loads(head[2])["type"] == 70
    seen, tail, mark = 0, asked.left, b'{"type":20,'
    while b'{"type":12,' not in tail:
        piece = asked.socket.recv(MIB)
        assert piece, "ended before the marker"
        data = tail + piece
        seen += data.count(mark)
        # What may be the start of a mark is looked at again with the next piece.
        cut = data.rfind(b'{"type":12,')
        tail = data[cut:] if cut >= 0 else data[-len(mark) + 1:]
    assert seen == count
    assert_grew_by_at_most(server, before, 4 * MIB)
    lives(there)

    # The same again after a restart. (The files are too large to be searched for secrets here.)
    server.close_clients()
    digest = server.digest()
    server.stop()
    server.start(patience=20 * PATIENCE)
    assert server.digest() == digest
    server.stop()


@pytest.mark.parametrize("what", ["frames", "bytes"])
def test_slow_senders_hold_what_they_have_sent_and_no_more(new_server, what):
    """A message that never ends, from many: the announced length is not set aside."""
    count = 20 if SANITIZED else 200
    server = new_server(message_timeout=3600)
    user = User(Rest(server))
    sockets = [raw.Connection(server).upgrade(user.device().path) for _ in range(count // 4)]
    pieces = {"bytes": raw.frame(raw.TEXT, b"x" * (MIB - 100))[:1000],
              "frames": raw.frame(raw.TEXT, b"x" * 10, final=False) +
                        raw.frame(0, b"x" * 10, final=False) * 99}
    before = memory(server)
    for connection in sockets:
        connection.send(pieces[what])
    for _ in range(20):
        user.ok(200, "GET", "/users/me")
    assert_grew_by_at_most(server, before, len(sockets) * 16384 + MIB)
    if what == "frames":
        for connection in sockets:
            lives(connection)
