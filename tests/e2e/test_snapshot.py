"""Snapshots of a server that goes on meanwhile: the next start is the same server, for its clients
too, with less to read; and what nothing needs any more is gone from the disk."""
import re
import signal
import threading

import pytest

from kit.people import Rest, User
from kit.server import run
from kit.socket import DELIVERED, READ, SEND, T_MESSAGE, T_SENT
from kit.threads import Task

WRITTEN = re.compile(r"a snapshot holds the state behind record (\d+)")
LOADED = re.compile(r"loaded the snapshot behind record (\d+)")
REPLAYED = re.compile(r"replayed (\d+) records")


@pytest.fixture
def server(new_server):
    """A snapshot only when asked."""
    return new_server(segment_size="64k", snapshot_after="0", send_rate="0")


def snapshot(server):
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 0, done.stderr


def files(server, ending):
    return sorted(path for path in (server.data / "journal").iterdir()
                  if path.name.endswith(ending))


def number(path):
    return int(path.name[:20])


def loaded(server):
    """(record of the snapshot or None, records replayed behind it) of the newest start."""
    replayed = server.err.wait(REPLAYED)
    found = server.err.find(LOADED)
    return found and int(found.group(1)), int(replayed.group(1))


def send(socket, group, data, **fields):
    """Sends, and drops what others sent until it is acknowledged; the cursor."""
    socket.rpc(SEND, {"group_id": group, "data": data, **fields})
    while (event := socket.recv()).type != T_SENT:
        pass
    return event.cursor


def fill(socket, group, kilobytes):
    for _ in range(kilobytes):
        send(socket, group, "filling " + "f" * 1000)


# ---- what a start makes of it ----------------------------------------------------------------------


def test_start_from_a_snapshot(server, people):
    anna, bert = people("anna", "bert")
    group, socket = anna.group(bert), anna.connect()
    for i in range(20):
        send(socket, group, f"message {i}")
    before = server.digest()
    snapshot(server)
    assert server.digest() == before
    for i in range(5):
        send(socket, group, f"later {i}")
    after = server.digest()
    server.restart(signal.SIGKILL)
    assert server.digest() == after
    assert loaded(server) == (before[0], after[0] - before[0])
    texts = [e.body["data"] for e in bert.connect().everything() if e.type == T_MESSAGE]
    assert texts == [f"message {i}" for i in range(20)] + [f"later {i}" for i in range(5)]


def test_same_client_id_behind_a_snapshot(server, people):
    """The promise of a client_id outlives the record that it came with."""
    anna, = people("anna")
    group, socket = anna.group(), anna.connect()
    first = socket.send_message(group, "once", client_id="one")
    for _ in range(2):
        fill(socket, group, 70)
        snapshot(server)
    server.restart(signal.SIGKILL)
    again = anna.connect()
    repeated = again.send_message(group, "once", client_id="one")
    assert repeated.cursor == first.cursor and repeated.body["duplicate"] is True
    assert repeated.body["message_id"] == first.body["message_id"]


def busy_history(server, people):
    """People who come, go, write and read, with snapshots in between; all cursors of a start."""
    anna, bert, cleo = people("anna", "bert", "cleo")
    group, pair = anna.group(bert, cleo), bert.group(anna)
    sockets = [user.connect() for user in (anna, bert, cleo)]
    for part in range(4):
        last = None
        for i in range(24):
            socket = sockets[i % 3]
            where = pair if i % 3 == 1 and i % 4 == 0 else group
            socket.rpc(SEND, {"group_id": where, "data": f"{part}.{i} " + "x" * 1500})
            while (event := socket.recv()).type != T_SENT:
                pass
            last = event if where == group else last
            if i % 8 == 7:
                sockets[(i + 1) % 3].ok(DELIVERED if i == 7 else READ,
                                        {"group_id": group, "seq": last.body["seq"]})
        if part == 1:
            cleo.leaves(group)
            cleo.joins(group)
        if part == 2:
            anna.leaves(pair)
        snapshot(server)
    anna.joins(pair)
    return [anna, bert, cleo]


def told_from(devices, cursors):
    """What each device is told, from the beginning and after each cursor."""
    told = {}
    for device in devices:
        socket = device.connect()
        told[device.user.name] = [event.raw for event in socket.everything()]
        for cursor in cursors:
            told[device.user.name, cursor] = [event.raw for event in socket.catch_up(cursor)]
        socket.close()
    return told


def test_every_cursor_survives(server, people):
    """What a client is told that resumes from a cursor, before the snapshots, between them or after
    them, is the same as from the server that has seen it all."""
    devices = [user.device() for user in busy_history(server, people)]
    last = server.digest()[0]
    cursors = range(0, last + 1, 3)
    before = told_from(devices, cursors)
    assert all(before[device.user.name, 0] for device in devices)
    server.restart(signal.SIGKILL)
    seq, replayed = loaded(server)
    assert seq + replayed == last and replayed < 10
    assert told_from(devices, cursors) == before


# ---- while people talk -----------------------------------------------------------------------------


def talk(user, group, name, stop):
    """Sends until told to stop; how many were acknowledged."""
    socket, count = user.connect(), 0
    while not stop.is_set():
        send(socket, group, f"{name} {count} " + "y" * 500)
        count += 1
    return count


class Talk:
    """One who talks until told to stop; how often that was."""

    def __init__(self, *arguments):
        self.count, self.stopping = None, threading.Event()
        self.task = Task(talk, *arguments, self.stopping)

    def stop(self):
        self.stopping.set()

    def join(self):
        self.count = self.task.join()


def check_texts(events, talkers):
    """Each acknowledged message once, in the order in which its sender sent it; dense numbers."""
    messages = [event for event in events if event.type == T_MESSAGE]
    assert [event.body["seq"] for event in messages] == list(range(1, len(messages) + 1))
    for name, talker in enumerate(talkers):
        texts = [event.body["data"].split()[1] for event in messages
                 if event.body["data"].startswith(f"{name} ")]
        assert texts == [str(i) for i in range(talker.count)]


def test_while_traffic_runs(server, people):
    """Nobody sees a gap, nobody sees anything twice, and a start afterwards is the same."""
    reader, *talking = people("reader", "t0", "t1")
    group = reader.group(*talking)
    live = reader.connect()
    talkers = [Talk(user, group, name) for name, user in enumerate(talking)]
    heard, newest = [], 0
    for _ in range(6):
        # A snapshot is of something new: wait until somebody was heard who spoke behind the last.
        while not heard or heard[-1].cursor <= newest:
            heard.append(live.recv())
        snapshot(server)
        newest = max(number(path) for path in files(server, ".snap"))
    for talker in talkers:
        talker.stop()
    for talker in talkers:
        talker.join()
    check_texts(heard + live.fence(), talkers)
    server.restart(signal.SIGKILL)
    assert loaded(server)[0] is not None
    check_texts(reader.connect().catch_up(0), talkers)


def test_by_itself(new_server):
    """--snapshot-after: again and again, while people write."""
    server = new_server(segment_size="64k", snapshot_after="64k", send_rate="0")
    rest = Rest(server)
    user = User(rest)
    group, socket = user.group(), user.connect()
    seen, seqs = 0, []
    while len(seqs) < 4:
        fill(socket, group, 8)
        found = server.err.find(WRITTEN, seen)
        if found:
            seqs.append(int(found.group(1)))
            seen = 1 + next(i for i, line in enumerate(server.err.lines)
                            if WRITTEN.search(line) and i >= seen)
    assert seqs == sorted(seqs)
    cursor = server.digest()
    server.restart(signal.SIGKILL)
    assert server.digest() == cursor
    assert loaded(server)[0] >= seqs[-1]
    rest.close()


# ---- what is on the disk ---------------------------------------------------------------------------


def test_old_segments_go(server, people):
    anna, = people("anna")
    group, socket = anna.group(), anna.connect()
    fill(socket, group, 150)
    snapshot(server)
    first = number(files(server, ".snap")[-1])
    assert number(files(server, ".log")[0]) == 1        # the only snapshot is not trusted alone
    fill(socket, group, 150)
    snapshot(server)
    assert [number(path) for path in files(server, ".snap")][0] == first
    segments = [number(path) for path in files(server, ".log")]
    # The oldest that is left holds the record behind the older snapshot; nothing below is there.
    assert segments[0] > 1 and segments[0] <= first + 1
    assert all(start > first + 1 for start in segments[1:])
    fill(socket, group, 150)
    snapshot(server)
    assert len(files(server, ".snap")) == 2
    assert number(files(server, ".snap")[0]) > first
    assert number(files(server, ".log")[0]) > segments[0]
    assert not files(server, ".tmp") or [p.name for p in files(server, ".tmp")] == ["next.tmp"]
    server.restart(signal.SIGKILL)
    texts = [e for e in anna.connect().everything() if e.type == T_MESSAGE]
    assert len(texts) == 450


def contains(server, text):
    """The files of the data directory that hold these bytes."""
    return [path.name for path in server.data.rglob("*")
            if path.is_file() and text in path.read_bytes()]


def test_what_ended_is_gone_from_the_disk(new_server):
    """A device whose place another took, a text that was deleted and one that was edited leave
    nothing once the segments of their records are gone. A message that nobody took back stays, in
    the snapshots."""
    server = new_server(segment_size="64k", snapshot_after="0", send_rate="0",
                        user_sessions_max="2")
    rest = Rest(server)
    anna = User(rest, "anna")
    group = anna.group()
    anna.device(name="a name that nobody shall know")
    socket = anna.connect()
    send(socket, group, "a text that stays")
    ids = [socket.ok(SEND, {"group_id": group, "data": text})["message_id"]
           for text in ("a text that is deleted", "a text that is replaced")]
    assert contains(server, b"a name that nobody shall know")
    assert contains(server, b"a text that is deleted")
    assert contains(server, b"a text that is replaced")
    anna.device(name="the third")
    anna.ok(200, "DELETE", f"/messages/{ids[0]}")
    anna.ok(200, "PATCH", f"/messages/{ids[1]}", {"data": "another"})
    for _ in range(3):
        fill(socket, group, 140)
        snapshot(server)
    for gone in (b"a name that nobody shall know", b"a text that is deleted",
                 b"a text that is replaced"):
        assert contains(server, gone) == []
    snapshots = [path.name for path in files(server, ".snap")]
    assert sorted(contains(server, b"a text that stays")) == snapshots
    server.restart(signal.SIGKILL)
    texts = [e.body["data"] for e in anna.connect().everything() if e.type == T_MESSAGE]
    assert texts[0] == "a text that stays"
    rest.close()


# ---- damage ----------------------------------------------------------------------------------------


def two_snapshots(server, people):
    anna, = people("anna")
    group, socket = anna.group(), anna.connect()
    for _ in range(2):
        fill(socket, group, 100)
        snapshot(server)
    send(socket, group, "the last")
    digest = server.digest()
    server.close_clients()
    server.stop(signal.SIGKILL)
    return digest, files(server, ".snap")


def flip(path, part):
    content = bytearray(path.read_bytes())
    content[int((len(content) - 1) * part)] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_damaged_snapshot_is_passed_over(server, people, part):
    digest, (older, newer) = two_snapshots(server, people)
    flip(newer, part)
    server.start()
    assert server.digest() == digest
    assert loaded(server)[0] == number(older)
    said = server.err.wait(re.compile("a snapshot was passed over"))
    assert said and newer.name in said.string


def test_no_snapshot_left(server, people):
    """Both are damaged, and the segments below them are gone: nothing to start from. It says so,
    and changes nothing."""
    digest, snapshots = two_snapshots(server, people)
    whole = {path: path.read_bytes() for path in snapshots}
    for path in snapshots:
        flip(path, 0.5)
    before = {path: path.read_bytes() for path in (server.data / "journal").iterdir()}
    done = run(server.arguments())
    assert done.returncode == 3 and done.stdout == ""
    assert any(path.name in done.stderr for path in snapshots) or ".log" in done.stderr
    assert {path: path.read_bytes() for path in (server.data / "journal").iterdir()} == before
    for path, content in whole.items():
        path.write_bytes(content)
    server.start()
    assert server.digest() == digest
