"""A server that goes on from a backup: what it tells is not what the one before told at the same
cursors, so whoever was told anything begins anew. Everything else is as it was."""
import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from kit.app import App, key_file
from kit.people import Rest, User
from kit.receiver import Hook, Receiver
from kit.server import Server, run
from kit.socket import EVENTS, T_GROUP, T_MESSAGE, T_SYNCED

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "journals"))

import read  # noqa: E402


def tool(*words):
    done = run([*map(str, words), "--json"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def go_back(server, backup):
    """The server of then goes on in place of this one."""
    server.close_clients()
    server.stop(signal.SIGKILL)
    shutil.rmtree(server.data)
    said = tool("restore", backup, server.data)
    server.start()
    return said


class Past:
    """A backup, what was told before and behind it, and the server that goes on from there."""

    def __init__(self, directory):
        self.server = Server(directory / "data").start()
        self.rest = Rest(self.server)
        self.anna, self.bert = User(self.rest), User(self.rest)
        self.group = self.anna.group(self.bert)
        self.device = self.anna.device()
        self.socket = self.device.connect()
        self.epoch = self.socket.info()["epoch"]
        self.early = self.say("one")
        self.said = tool("backup", self.server.data, directory / "backup")
        self.late = [self.say(f"forgotten {i}") for i in range(5)][-1]
        self.back = go_back(self.server, directory / "backup")
        # What the cursors of then mean now.
        self.now = [self.say(f"new {i}") for i in range(8)]

    def say(self, text):
        return self.bert.ok(201, "POST", f"/groups/{self.group}/messages", {"data": text})["cursor"]


@pytest.fixture(scope="module", name="past")
def make_past(tmp_path_factory):
    made = Past(tmp_path_factory.mktemp("past"))
    try:
        yield made
        made.server.check_replay(signal.SIGKILL)
    finally:
        made.server.abandon()


def test_it_has_another_epoch(past):
    epoch = past.device.connect().info()["epoch"]
    assert epoch == past.back["epoch"] != past.epoch
    assert past.back["last_seq"] == past.said["last_seq"] + 1 == past.now[0] - 1
    newest = [record for record in read.read(past.server.data).records
              if record.seq == past.back["last_seq"]]
    assert read.decode(newest[0])["epoch"] == epoch
    assert "epoch" not in past.said
    assert past.anna.ok(200, "GET", "/sync")["epoch"] == epoch


def cursors(past):
    """Of before the backup, of its end, of the new record, of behind it."""
    last = past.said["last_seq"]
    assert past.early == last < past.late <= past.now[-1]
    return {0, past.early - 1, last, last + 1, past.late}


@pytest.mark.parametrize("way", ["url", "rpc", "rest"])
def test_whoever_was_told_something_begins_anew(past, way):
    for after in cursors(past):
        if way == "url":
            socket = past.device.connect(f"{after}&epoch={past.epoch}")
            synced = socket.expect(T_SYNCED, reset=True, more=False).body
        elif way == "rpc":
            socket = past.device.connect()
            socket.rpc(EVENTS, {"after": after, "epoch": past.epoch})
            synced = socket.expect(T_SYNCED, reset=True, more=False).body
        else:
            synced = past.anna.ok(200, "GET", f"/events?after={after}&epoch={past.epoch}&wait=0")
            assert synced["reset"] is True and synced["events"] == []
        assert synced["epoch"] == past.back["epoch"]
        # And goes on from there as ever.
        cursor = past.say("go on")
        if way != "rest":
            assert socket.expect(T_MESSAGE, data="go on").cursor == cursor
        answer = past.anna.ok(200, "GET", f"/events?after={synced['cursor']}&wait=0"
                              f"&epoch={synced['epoch']}")
        assert answer["reset"] is False
        assert [event["cursor"] for event in answer["events"]] == [cursor]


def test_everything_else_is_as_it_was(past):
    """The tokens and the messaging URL are those of before; what was forgotten is not there."""
    row, = past.anna.ok(200, "GET", "/sync")["groups"]
    assert row["id"] == past.group
    past.anna.login()
    events = [event for event in past.device.connect().everything() if event.type in (T_GROUP, T_MESSAGE)]
    assert [event.type for event in events[:2]] == [T_GROUP, T_MESSAGE]
    texts = [event.body["data"] for event in events[1:]]
    assert texts[:9] == ["one", *(f"new {i}" for i in range(8))]
    assert [event.cursor for event in events[1:10]] == [past.early, *past.now]


def test_it_stays(past, tmp_path):
    """Over a crash, and in a snapshot; a backup of it has it too, and what is restored from that has
    another one."""
    epoch = past.back["epoch"]
    past.server.restart(signal.SIGKILL)
    assert past.device.connect().info()["epoch"] == epoch
    for how in signal.SIGTERM, signal.SIGKILL:
        past.say("to have something new")
        tool("snapshot", "--data", past.server.data)
        past.server.restart(how)
        assert past.device.connect().info()["epoch"] == epoch
    snapshots = read.read(past.server.data).snapshots
    assert all({"epoch": epoch} in [{"epoch": element.get("epoch")} for _, element in
                                    read.elements(snapshot)] for snapshot in snapshots)
    said = tool("backup", past.server.data, tmp_path / "backup")
    assert said["snapshots"] == len(snapshots) > 0
    again = tool("restore", tmp_path / "backup", tmp_path / "again")
    assert again["epoch"] not in (epoch, past.epoch)
    assert tool("journal", "verify", tmp_path / "again")["last_seq"] == said["last_seq"] + 1


def test_no_room_in_the_last_segment(new_server, tmp_path):
    """Then the record begins another one, of the size of those before."""
    server = new_server(segment_size="64k", snapshot_after="0")
    user = User(Rest(server))
    group = user.group()

    def end(text):
        user.ok(201, "POST", f"/groups/{group}/messages", {"data": text})
        segment = read.read(server.data).segments[-1]
        return segment.records[-1].end, (server.data / "journal" / segment.name).stat().st_size

    before, size = end("x")
    overhead = end("x")[0] - before - 1
    used = before + overhead + 1
    while size - used > 16 * 1024:
        used, size = end("x" * 8000)
    used, size = end("x" * (size - used - overhead - 40))
    assert size - used == 40
    server.stop()
    count = len(list(server.data.glob("journal/*.log")))
    tool("backup", server.data, tmp_path / "backup")
    server.start()
    tool("restore", tmp_path / "backup", tmp_path / "back")
    segments = read.read(tmp_path / "back").segments
    assert len(segments) == count + 1 and len(segments[-1].records) == 1
    assert (tmp_path / "back" / "journal" / segments[-1].name).stat().st_size == 64 * 1024
    assert not list((tmp_path / "back").glob("journal/*.tmp"))
    assert new_server(name="back").digest()[0] == server.digest()[0] + 1


def test_a_hook_goes_on(tmp_path):
    """Its receiver is told the epoch, and what it has not been told by this one; no name of a request
    comes again for something else."""
    key_file(tmp_path / "api-key")
    server = Server(tmp_path / "data", {"--api-key-file": tmp_path / "api-key",
                                        "--admin-listen": "127.0.0.1:0"}).start()
    receiver = Receiver()
    app = App(server)
    try:
        user = User(app.rest)
        group = user.group()
        hook = Hook(app, receiver.url(), types=[20])

        def say(text):
            return user.ok(201, "POST", f"/groups/{group}/messages", {"data": text})["cursor"]

        receiver.wait_cursor(say("one"))
        tool("backup", server.data, tmp_path / "backup")
        for i in range(3):
            receiver.wait_cursor(say(f"forgotten {i}"))
        first = list(receiver.requests)
        said = go_back(server, tmp_path / "backup")
        for i in range(3):
            last = say(f"new {i}")
        receiver.wait(lambda: any(last in request.cursors for request in receiver.requests[len(first):]))
        later = receiver.requests[len(first):]
        for request in later:
            request.check(hook)
        assert {request.json["epoch"] for request in later} == {said["epoch"]}
        assert not {request.id for request in later} & {request.id for request in first}
        texts = [event["body"]["data"] for request in later for event in request.events]
        assert list(dict.fromkeys(texts))[-3:] == [f"new {i}" for i in range(3)]
        assert "forgotten 0" not in texts
        hook.delete()
        receiver.close()
        app.close()
        server.check_replay(signal.SIGTERM)
    finally:
        receiver.close()
        server.abandon()
