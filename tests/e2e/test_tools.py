"""The tools on real directories: whole, torn, damaged, and beside a running server."""
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import threading

import pytest

from kit.people import Rest, User
from kit.server import PATIENCE, run
from kit.threads import Task

from test_damage import Journal, records
from test_options import listing

CONTROL_LINE_MAX = 256


def tool(*words, code=0):
    """Runs a tool; its exit code must be this."""
    done = run([str(word) for word in words])
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def say(*words, code=0):
    """The object that a tool prints with --json."""
    return json.loads(tool(*words, "--json", code=code).stdout)


def verify(data, code=0):
    return say("journal", "verify", data, code=code)


@pytest.fixture
def journal(new_server):
    return Journal(new_server())


@pytest.fixture
def segments(new_server):
    """A journal of several segments, without a snapshot."""
    return Journal(new_server(segment_size="64k", snapshot_after=0), messages=40, size=8_000)


@pytest.fixture
def compacted(new_server):
    """A journal whose beginning two snapshots have replaced, with records behind the newest."""
    server = new_server(segment_size="64k", snapshot_after=0)
    user = User(Rest(server), "user1")
    group, device = user.group(), user.connect()
    for stage in range(2):
        for i in range(30):
            device.send_message(group, f"{stage} {i} " + "x" * 6000)
        tool("snapshot", "--data", server.data)
    last = [device.send_message(group, f"behind {i} " + "x" * 6000).cursor for i in range(24)][-1]
    server.group, server.user, server.last, server.before = group, user, last, server.digest()
    server.close_clients()
    server.stop(signal.SIGKILL)
    files = sorted((server.data / "journal").glob("*.log"))
    assert files[0].name != f"{1:020}.log" and len(files) >= 3
    return server


def snapshots(data):
    return sorted((data / "journal").glob("*.snap"))


def flip(path, at, bit=0):
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


# ---- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, near", [
    (["journal", "verfy", "x"], "journal verify"), (["journal", "dmup"], "journal dump"),
    (["verify", "x"], "journal verify"), (["bakcup"], "backup"), (["Snapshot"], "snapshot"),
    (["nonsense"], "is no command"), (["journal", "verify", "--jsn", "x"], "--json"),
    (["journal", "dump", "--form", "1", "x"], "--from"),
    (["journal", "repair", "--dryrun", "x"], "--dry-run"),
    (["journal", "verify"], "needs DIR"), (["backup", "x"], "needs DIR OUT"),
    (["journal", "stat", "x", "y"], "one word too many"),
    (["journal", "dump", "x", "--from", "one"], "--from"),
    (["journal", "dump", "x", "--to", "-1"], "--to"),
    (["journal", "dump", "x", "--to", "99999999999999999999"], "--to"),
    (["journal", "dump", "x", "--type", "message"], "--type"),
    (["journal", "dump", "x", "--texts=1"], "takes no value"),
    (["journal", "dump", "x", "--to", "1", "--to", "2"], "given twice"),
    (["journal", "dump", "x", "--from"], "needs a value"),
    (["snapshot", "--data"], "needs a value"), (["snapshot", "x"], "one word too many"),
])
def test_words_that_are_wrong(words, near):
    done = tool(*words, code=2)
    assert near in done.stderr and done.stdout == ""


TOOLS = ["journal verify", "journal dump", "journal stat", "journal repair", "snapshot", "backup",
         "restore"]


def test_help():
    listed = run(["--help"]).stdout
    for name in TOOLS:
        assert f"  {name}" in listed
        said = tool(*name.split(), "--help").stdout
        assert f"usage: groups-chat {name} " in said and "--json" in said and "Exit codes" in said


@pytest.mark.parametrize("name", ["journal verify", "journal dump", "journal stat",
                                  "journal repair"])
def test_a_directory_that_is_not_there(name, tmp_path):
    assert "cannot find" in tool(*name.split(), tmp_path / "nowhere", code=1).stderr
    assert "there is no journal" in tool(*name.split(), tmp_path, code=1).stderr
    assert list(tmp_path.iterdir()) == []


# ---- verify ----------------------------------------------------------------------------------------


def test_verify_says_what_is_there_and_changes_nothing(journal):
    before = listing(journal.server.data)
    said = verify(journal.server.data)
    assert said["result"] == "fine" and said["records"] == len(journal.records)
    assert said["first_seq"] == 1 and said["last_seq"] == len(journal.records)
    assert said["segments"] == 1 and said["snapshots"] == []
    assert said["bytes"] == journal.used - journal.records[0][0]
    assert verify(journal.server.data / "journal") == said
    text = tool("journal", "verify", journal.server.data).stdout
    assert f"{len(journal.records)}, from 1 to" in text and text.endswith("fine\n")
    assert listing(journal.server.data) == before


def test_verify_of_a_torn_tail_is_fine(journal):
    start, end = journal.records[-1]
    journal.cut(end - 5)
    said = verify(journal.server.data)
    assert said["records"] == len(journal.records) - 1
    assert said["torn_tail"]["file"] == journal.file.name
    assert said["torn_tail"]["offset"] == start


def test_verify_finds_each_flipped_bit(segments):
    """Of the bytes that hold something: each is named by file and offset, and nothing is changed."""
    for file in segments.segments:
        segments.choose(file)
        for i in range(12):
            at = i * segments.used // 12
            if file == segments.segments[-1] and at >= segments.records[-1][0]:
                continue
            segments.flip(at, bit=i % 8)
            said = verify(segments.server.data, code=3)
            assert said["result"] == "damaged" and said["damage"]["file"] == file.name
            starts = [start for start, end in segments.records if start <= at < end]
            assert said["damage"]["offset"] == starts[0] if starts else \
                said["damage"]["offset"] <= at
        segments.write(segments.bytes)
    assert verify(segments.server.data)["result"] == "fine"


def test_verify_finds_files_that_are_missing_or_swapped(segments):
    for gone in segments.segments:
        kept = gone.read_bytes()
        gone.unlink()
        assert verify(segments.server.data, code=3)["damage"]["file"]
        gone.write_bytes(kept)
    one, two = segments.segments[1:3]
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    assert verify(segments.server.data, code=3)["damage"]["file"] == one.name


def test_verify_finds_a_flipped_bit_in_a_snapshot(compacted):
    for path in snapshots(compacted.data):
        kept = path.read_bytes()
        for at in (0, 40, 100, 130, len(kept) // 2, len(kept) - 40, len(kept) - 1):
            flip(path, at)
            said = verify(compacted.data, code=3)
            assert [s["file"] for s in said["snapshots"] if not s["whole"]] == [path.name]
            assert path.name in tool("journal", "verify", compacted.data, code=3).stderr
            path.write_bytes(kept)
    said = verify(compacted.data)
    assert [s["whole"] for s in said["snapshots"]] == [True, True]


def test_verify_beside_a_server_that_writes_and_deletes(new_server):
    server = new_server(segment_size="64k", snapshot_after="64k")
    user = User(Rest(server), "user1")
    group, device = user.group(), user.connect()
    for _ in range(12):
        for _ in range(8):
            device.send_message(group, "x" * 6000)
        said = verify(server.data)
        assert said["result"] == "fine"
    assert said["snapshots"] and said["first_seq"] > 1


# ---- dump and stat ---------------------------------------------------------------------------------


def dump(data, *words):
    lines = tool("journal", "dump", data, "--json", *words).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_dump_prints_every_record_and_no_secret(journal):
    everything = dump(journal.server.data)
    assert [r["seq"] for r in everything] == list(range(1, len(journal.records) + 1))
    names = [r["name"] for r in everything]
    assert names.count("message_post") == 30 and names.count("user_create") == 1
    user = next(r for r in everything if r["name"] == "user_create")["fields"]
    assert user["username"] == "user1" and user["password"] == "(hidden)"
    assert set(user["email"]) == {"bytes"}
    session = next(r for r in everything if r["name"] == "session_open")["fields"]
    assert session["token"] == "(hidden)"
    for words in ([], ["--texts"]):
        text = tool("journal", "dump", journal.server.data, *words).stdout
        assert len(text.splitlines()) == len(everything)
        assert "$argon2" not in text
        assert ("message 7 " in text) == bool(words)
        assert ("@" in text) == bool(words)


def test_dump_of_a_part(journal):
    assert [r["seq"] for r in dump(journal.server.data, "--from", 5, "--to=8")] == [5, 6, 7, 8]
    assert dump(journal.server.data, "--from", 10_000) == []
    messages = dump(journal.server.data, "--type", "message_post", "--texts")
    assert [r["fields"]["data"].split(" x")[0] for r in messages] == \
        [f"message {i}" for i in range(30)]


def test_dump_of_a_damaged_journal_ends_before_the_damage(journal):
    start, _ = journal.records[12]
    journal.flip(start + 30)
    done = tool("journal", "dump", journal.server.data, code=3)
    assert len(done.stdout.splitlines()) == 12 and f"offset {start}" in done.stderr


def test_stat(journal):
    said = say("journal", "stat", journal.server.data)
    types = {t["name"]: t for t in said["types"]}
    assert types["message_post"]["records"] == 30
    assert sum(t["records"] for t in said["types"]) == said["records"] == len(journal.records)
    assert sum(t["bytes"] for t in said["types"]) == said["bytes"] == said["bytes_since_snapshot"]
    assert said["segments"][0]["used"] == journal.used
    assert said["first_time"] <= said["last_time"]
    assert "message_post" in tool("journal", "stat", journal.server.data).stdout


def test_stat_of_a_compacted_journal(compacted):
    said = say("journal", "stat", compacted.data)
    assert len(said["snapshots"]) == 2
    assert said["snapshot_seq"] == said["snapshots"][1]["seq"]
    assert said["records_since_snapshot"] == 24 == compacted.last - said["snapshot_seq"]
    assert said["bytes_since_snapshot"] < said["bytes"]


# ---- snapshots and the control socket ----------------------------------------------------------------


class Control:
    def __init__(self, server):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        here = os.open(server.data, os.O_PATH)
        try:
            self.socket.connect(f"/proc/self/fd/{here}/control")
        finally:
            os.close(here)
        self.lines = self.socket.makefile("r")

    def send(self, content):
        self.socket.sendall(content)

    def ask(self, line):
        self.send(line.encode() + b"\n")
        return self.lines.readline()

    def close(self):
        self.lines.close()
        self.socket.close()


@pytest.fixture
def control(server):
    opened = []

    def make():
        opened.append(Control(server))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_the_control_socket(server, control, people):
    mode = os.stat(server.data / "control").st_mode
    assert stat.S_ISSOCK(mode) and mode & 0o777 == 0o600
    one = control()
    assert one.ask("ping") == "ok\n"
    assert one.ask("hello").startswith("error unknown_command")
    assert one.ask("snapshot") == "ok unchanged\n"
    people("anna")
    cursor = server.digest()[0]
    assert one.ask("snapshot").startswith(f"ok seq={cursor} bytes=")
    one.send(b"ping\nping\nsnapshot\nping\n")
    assert [one.lines.readline() for _ in range(4)] == ["ok\n", "ok\n", "ok unchanged\n", "ok\n"]


def test_a_line_in_pieces_and_one_that_is_too_long(control):
    one = control()
    for piece in (b"p", b"in", b"g", b"\npi"):
        one.send(piece)
    assert one.lines.readline() == "ok\n"
    assert one.ask("ng") == "ok\n"
    one.send(b"x" * CONTROL_LINE_MAX)
    assert one.lines.readline().startswith("error too_large")
    assert one.lines.readline() == ""


def test_nine_clients_are_too_many(control):
    many = [control() for _ in range(8)]
    assert all(one.ask("ping") == "ok\n" for one in many)
    assert control().lines.readline().startswith("error busy")
    many[3].close()
    many.pop(3)
    # What answers this has seen the end that came before it.
    assert many[0].ask("ping") == "ok\n"
    assert control().ask("ping") == "ok\n"


def test_who_says_nothing_is_closed(control):
    """Eight of them, one in the middle of a line: the places are free again after ten seconds."""
    many = [control() for _ in range(8)]
    many[0].send(b"pin")
    assert many[1].ask("ping") == "ok\n"
    for one in many:
        assert one.lines.readline() == ""
    assert control().ask("ping") == "ok\n"


def test_who_ends_its_half_still_gets_the_answer(server, control, people):
    people("anna")
    one = control()
    one.send(b"snapshot\n")
    one.socket.shutdown(socket.SHUT_WR)
    assert one.lines.readline().startswith("ok seq=")
    assert one.lines.readline() == ""


def test_many_who_ask_at_once(server, control, people):
    """Each answer is of a snapshot that holds what was there when it asked."""
    many = [control() for _ in range(8)]
    for i, one in enumerate(many):
        people(f"user{i}")
        one.cursor = server.digest()[0]
        one.send(b"snapshot\n")
    for one in many:
        line = one.lines.readline()
        assert line.startswith("ok"), line
        if line != "ok unchanged\n":
            assert int(line.split("seq=")[1].split()[0]) >= one.cursor


def test_snapshot_tool(server, people):
    people("anna")
    cursor = server.digest()[0]
    assert say("snapshot", "--data", server.data)["seq"] == cursor
    assert say("snapshot", "--data", server.data)["unchanged"] is True
    server.restart()
    assert server.digest()[0] == cursor
    assert server.err.wait(re.compile(f"the snapshot behind record {cursor}"))
    server.stop()
    assert not (server.data / "control").exists()
    assert "no server runs" in tool("snapshot", "--data", server.data, code=1).stderr
    server.start()


CLOCK = ("p50", "p99", "p999", "p9999", "max")


def test_turns(server, control, people):
    """How long the loop's turns took, since it was asked before; a fork is told apart."""
    one = control()
    one.ask("turns")
    for _ in range(20):
        assert one.ask("ping") == "ok\n"
    line = one.ask("turns")
    assert line.startswith("ok {")
    said = json.loads(line[3:])
    # Each answer was a turn of its own, but for the last, which has not ended.
    assert said["turns"] >= 20 and said["forks"] == said["fork_us"] == 0
    for clock in ("wall_us", "cpu_us"):
        values = [said[clock][name] for name in CLOCK]
        assert tuple(said[clock]) == CLOCK and values == sorted(values) and values[-1] > 0
    assert said["cpu_us"]["max"] <= said["wall_us"]["max"]
    people("anna")
    assert one.ask("snapshot").startswith("ok seq=")
    said = json.loads(one.ask("turns")[3:])
    assert said["forks"] == 1 and said["fork_us"] > 0
    assert json.loads(one.ask("turns")[3:])["forks"] == 0


def test_turns_tool(server):
    said = say("turns", "--data", server.data)
    assert said["turns"] > 0 and set(said["cpu_us"]) == set(CLOCK)
    text = tool("turns", "--data", server.data).stdout.splitlines()
    assert [line.split()[0] for line in text] == ["turns", "us", "wall", "processor"]
    say("snapshot", "--data", server.data)
    server.stop()
    assert "no server runs" in tool("turns", "--data", server.data, code=1).stderr
    server.start()


def test_a_socket_that_a_killed_server_left(server):
    server.stop(signal.SIGKILL)
    assert (server.data / "control").exists()
    assert "no server runs" in tool("snapshot", "--data", server.data, code=1).stderr
    server.start()
    assert say("snapshot", "--data", server.data)["result"] == "fine"


def test_a_server_without_a_socket(server):
    """Something else has its name, and cannot be removed: a server is more than its socket."""
    server.stop()
    (server.data / "control").mkdir()
    (server.data / "control" / "file").write_text("mine")
    server.start()
    assert server.err.wait(re.compile("there is no socket .*/control"))
    assert tool("snapshot", "--data", server.data, code=1).stderr
    server.stop()
    assert (server.data / "control" / "file").read_text() == "mine"
    server.start()


def test_a_data_directory_with_a_long_name(new_server):
    server = new_server(name="d" * 120)
    assert say("snapshot", "--data", server.data)["result"] == "fine"


def test_snapshots_by_themselves(new_server):
    server = new_server(segment_size="64k", snapshot_after="64k")
    user = User(Rest(server), "user1")
    group, device = user.group(), user.connect()
    for _ in range(3):
        seen = len(server.err.lines)
        for i in range(25):
            device.send_message(group, f"message {i} " + "x" * 6000)
        assert server.err.wait(re.compile("a snapshot holds the state"), seen)
    say("snapshot", "--data", server.data)
    assert len(snapshots(server.data)) == 2
    assert verify(server.data)["first_seq"] > 1


@pytest.mark.parametrize("value", ["1", "65535", "2t"])
def test_snapshot_after_that_makes_no_sense(value, tmp_path):
    done = run(["--snapshot-after", value, "--data", str(tmp_path / "data")])
    assert done.returncode == 2 and "snapshot-after" in done.stderr


# ---- backup and restore --------------------------------------------------------------------------------


def modes(directory):
    return {path.stat().st_mode & 0o777 for path in directory.rglob("*") if path.is_file()}


def start_on(new_server, data):
    """(cursor, digest) of a server that starts there."""
    server = new_server(name=data.name, start=False)
    assert server.data == data
    server.start()
    return server.digest()


def test_backup_and_restore(segments, new_server, tmp_path):
    data, out, back = segments.server.data, tmp_path / "out", tmp_path / "back"
    before = listing(data)
    said = say("backup", data, out)
    assert said["records"] == said["last_seq"] == segments.digest[0]
    assert listing(data) == before
    assert modes(out) == {0o600} and out.stat().st_mode & 0o777 == 0o700
    assert (out / "key").read_bytes() == (data / "key").read_bytes()
    assert verify(out)["records"] == said["records"]
    assert not (tmp_path / "out.partial").exists()
    kept = listing(out)
    back.mkdir()
    assert say("restore", out, back)["last_seq"] == said["last_seq"] + 1
    assert listing(out) == kept
    assert start_on(new_server, back)[0] == segments.digest[0] + 1
    assert start_on(new_server, out) == segments.digest


def test_backup_of_a_compacted_journal(compacted, new_server, tmp_path):
    said = say("backup", compacted.data, tmp_path / "out")
    assert said["snapshots"] == 2 and said["last_seq"] == compacted.last
    tool("restore", tmp_path / "out", tmp_path / "back")
    assert start_on(new_server, tmp_path / "back")[0] == compacted.before[0] + 1
    assert start_on(new_server, tmp_path / "out") == compacted.before


def test_backup_leaves_a_torn_tail_out(journal, new_server, tmp_path):
    journal.cut(journal.used - 5)
    tool("backup", journal.server.data, tmp_path / "out")
    said = verify(tmp_path / "out")
    assert "torn_tail" not in said and said["records"] == len(journal.records) - 1


def test_backup_beside_a_server_that_writes_and_deletes(new_server, tmp_path):
    """What was acknowledged before a backup began is in it."""
    server = new_server(segment_size="64k", snapshot_after="64k")
    user = User(Rest(server), "user1")
    group, device = user.group(), user.connect()
    for i in range(6):
        for _ in range(20):
            cursor = device.send_message(group, "x" * 5000).cursor
        said = say("backup", server.data, tmp_path / f"out{i}")
        assert said["last_seq"] >= cursor
        assert verify(tmp_path / f"out{i}")["last_seq"] == said["last_seq"]
    digest = server.digest()
    assert say("backup", server.data, tmp_path / "last")["last_seq"] == digest[0]
    assert start_on(new_server, tmp_path / "last") == digest


def in_a_race(*words):
    """What a tool says beside a server that deletes files as fast as it can. A slow one may lose
    that race eight times; then it says so, never that there is damage, and is asked again."""
    for _ in range(50):
        done = run([*map(str, words), "--json"])
        if done.returncode == 0:
            return json.loads(done.stdout)
        assert (done.returncode, json.loads(done.stdout)["result"]) == (1, "failed"), done
    raise AssertionError("it never won")


def test_tools_beside_a_server_under_load(new_server, tmp_path):
    """Three people send all the time, segments and snapshots come and go; nothing is ever found
    damaged, and no backup lacks what was acknowledged before it began."""
    server = new_server(segment_size="64k", snapshot_after="64k", send_rate=0)
    users = [User(Rest(server), f"user{i}") for i in range(3)]
    stop, acknowledged = threading.Event(), [0] * len(users)

    def send(i):
        group, device = users[i].group(), users[i].connect()
        while not stop.is_set():
            acknowledged[i] = device.send_message(group, "x" * (3000 if i else 100)).cursor

    senders = [Task(send, i) for i in range(len(users))]
    try:
        for i in range(12):
            before = max(acknowledged)
            assert in_a_race("journal", "verify", server.data)["result"] == "fine"
            out = tmp_path / f"out{i}"
            assert in_a_race("backup", server.data, out)["last_seq"] >= before
            say("snapshot", "--data", server.data)
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    assert all(acknowledged)


def test_targets_that_are_there(journal, tmp_path):
    data, out = journal.server.data, tmp_path / "out"
    out.mkdir()
    assert "is there already" in tool("backup", data, out, code=1).stderr
    (out / "file").write_text("mine")
    assert "is not empty" in tool("restore", data, out, code=1).stderr
    assert listing(tmp_path / "out").keys() == {"file"}
    (tmp_path / "new.partial").mkdir()
    assert "left unfinished" in tool("backup", data, tmp_path / "new", code=1).stderr
    assert "cannot make" in tool("backup", data, tmp_path / "no" / "where", code=1).stderr


def test_a_damaged_directory_is_not_copied(journal, tmp_path):
    journal.flip(journal.records[3][0] + 3)
    for name in ("backup", "restore"):
        assert journal.file.name in tool(name, journal.server.data, tmp_path / "out", code=3).stderr
        assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


def test_a_backup_needs_the_key(journal, tmp_path):
    (journal.server.data / "key").unlink()
    assert "key" in tool("backup", journal.server.data, tmp_path / "out", code=1).stderr
    assert not (tmp_path / "out").exists()


# ---- repair --------------------------------------------------------------------------------------------


def repair(data, code=0):
    """Looks, repairs, verifies: what repair says."""
    before = listing(data)
    tried = say("journal", "repair", data, "--dry-run", code=3)
    assert tried["steps"] and listing(data) == before
    said = say("journal", "repair", data, code=code)
    assert verify(data)["result"] == "fine"
    again = say("journal", "repair", data)
    assert again["steps"] == [] and again["lost"]["records"] == 0
    return said


def kept_files(data):
    return sorted((data / "journal").glob("*.cut-*"))


def test_repair_of_what_is_whole(journal):
    before = listing(journal.server.data)
    said = say("journal", "repair", journal.server.data)
    assert said["steps"] == [] and said["last_seq"] == len(journal.records)
    assert "nothing to repair" in tool("journal", "repair", journal.server.data).stdout
    after = listing(journal.server.data)
    assert after == before


def test_repair_beside_a_server(server):
    assert "a server holds" in tool("journal", "repair", server.data, code=1).stderr


def test_repair_cuts_and_says_whose(journal):
    start, end = journal.records[20]
    journal.flip(end - 3)
    said = repair(journal.server.data)
    count = len(journal.records)
    assert said["last_seq"] == 20
    lost = said["lost"]
    assert (lost["first_seq"], lost["last_seq"], lost["records"]) == (21, count, count - 20)
    # The header of the damaged record still holds, so it is known what it was.
    assert lost["found"] == count - 20
    assert lost["users"][0]["username"] == "user1"
    assert lost["users"][0]["records"] == lost["groups"][0]["records"] == count - 20
    cut = [path for path in kept_files(journal.server.data) if path.name.startswith("0")]
    flipped = bytearray(journal.bytes[start:journal.used])
    flipped[end - 3 - start] ^= 1
    assert [path.read_bytes() for path in cut] == [bytes(flipped).rstrip(b"\0")]
    journal.server.start()
    assert journal.server.digest()[0] == 20
    assert journal.message_count() == 30 - (count - 20)


def test_repair_in_words(journal):
    start, _ = journal.records[-3]
    journal.flip(start + 24)
    said = tool("journal", "repair", journal.server.data).stdout
    assert f"cut journal/{journal.file.name} at offset {start}" in said
    assert "lost: at least 3 records" in said and "by user 1 (user1): 3 records" in said
    assert f"ends with record {len(journal.records) - 3};" in said
    journal.server.start()


def test_repair_of_a_segment_in_the_middle(segments):
    segments.choose(segments.segments[1])
    start, _ = segments.records[2]
    seq = struct.unpack_from("<Q", segments.bytes, start + 8)[0]
    segments.flip(start + 40)
    said = repair(segments.server.data)
    assert said["last_seq"] == seq - 1
    assert said["lost"]["last_seq"] == segments.digest[0]
    left = sorted((segments.server.data / "journal").glob("*.log"))
    assert left == segments.segments[:2]
    segments.server.start()
    assert segments.server.digest()[0] == seq - 1


@pytest.mark.parametrize("which", [1, 2, -1])
def test_repair_of_a_damaged_header_loses_nothing(segments, which):
    segments.choose(segments.segments[which])
    segments.flip(100)
    said = repair(segments.server.data)
    assert said["lost"]["records"] == 0
    segments.server.start()
    assert segments.server.digest() == segments.digest


@pytest.mark.parametrize("which", [1, -1])
def test_repair_of_a_missing_segment(segments, which):
    gone = segments.segments[which]
    first = int(gone.name[:20])
    gone.unlink()
    said = repair(segments.server.data)
    assert said["last_seq"] == first - 1
    segments.server.start()
    assert segments.server.digest()[0] == first - 1


@pytest.mark.parametrize("length", [100, 4096, 20_000])
def test_repair_of_a_file_that_was_cut_short(segments, length):
    segments.choose(segments.segments[2])
    first = int(segments.file.name[:20])
    segments.write(segments.bytes[:length])
    said = repair(segments.server.data)
    whole = [end for _, end in segments.records if end <= length]
    assert said["last_seq"] == first - 1 + len(whole)
    segments.server.start()
    assert segments.server.digest()[0] == said["last_seq"]


def test_repair_of_a_file_that_is_too_long(segments):
    segments.choose(segments.segments[2])
    segments.write(segments.bytes + b"more")
    assert repair(segments.server.data)["lost"]["records"] == 0
    assert [path.read_bytes() for path in kept_files(segments.server.data)] == [b"more"]
    segments.server.start()
    assert segments.server.digest() == segments.digest


def test_repair_of_segments_that_changed_places(segments):
    one, two = segments.segments[1:3]
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    said = repair(segments.server.data)
    assert said["last_seq"] == int(one.name[:20]) - 1
    assert said["lost"]["last_seq"] == segments.digest[0]
    segments.server.start()


@pytest.mark.parametrize("damage", ["flip", "remove", "empty"])
def test_repair_of_the_manifest_loses_nothing(segments, damage):
    manifest = segments.server.data / "journal" / "manifest"
    if damage == "flip":
        flip(manifest, 20)
    elif damage == "remove":
        manifest.unlink()
    else:
        manifest.write_bytes(b"")
    assert repair(segments.server.data)["lost"]["records"] == 0
    segments.server.start()
    assert segments.server.digest() == segments.digest


def test_repair_refuses_where_nothing_would_remain(journal):
    journal.flip(100)
    before = listing(journal.server.data)
    for words in ([], ["--dry-run"]):
        assert "restore a backup" in tool("journal", "repair", journal.server.data, *words,
                                          code=3).stderr
        assert listing(journal.server.data) == before
    journal.mend()


def test_repair_refuses_where_the_beginning_is_missing(segments):
    segments.segments[0].unlink()
    before = listing(segments.server.data)
    assert "restore a backup" in tool("journal", "repair", segments.server.data, code=3).stderr
    assert listing(segments.server.data) == before


@pytest.mark.parametrize("which", [0, 1])
def test_repair_of_a_damaged_snapshot_loses_nothing(compacted, which):
    """The newest: the one before and the segments behind it hold everything."""
    path = snapshots(compacted.data)[which]
    flip(path, path.stat().st_size // 2)
    said = repair(compacted.data)
    assert said["lost"]["records"] == 0 and not path.exists()
    assert [p.name for p in kept_files(compacted.data)] == [path.name + ".cut-1"]
    compacted.start()
    assert compacted.digest() == compacted.before


def test_repair_refuses_without_any_snapshot(compacted):
    for path in snapshots(compacted.data):
        flip(path, 30)
    before = listing(compacted.data)
    assert "restore a backup" in tool("journal", "repair", compacted.data, code=3).stderr
    assert listing(compacted.data) == before


def test_repair_of_what_a_snapshot_holds_loses_nothing(compacted):
    """Damage in each segment, below and behind the newest snapshot: what is below is in it."""
    base = int(snapshots(compacted.data)[-1].name[:20])
    files = sorted((compacted.data / "journal").glob("*.log"))
    saved = compacted.data.parent / "saved"
    shutil.copytree(compacted.data, saved, ignore=shutil.ignore_patterns("control"))
    for file in files:
        content = file.read_bytes()
        for start, end in records(content)[::4]:
            seq = struct.unpack_from("<Q", content, start + 8)[0]
            flip(file, start + 26)
            said = say("journal", "repair", compacted.data)
            expected = compacted.last if seq <= base else seq - 1
            assert said["last_seq"] == expected, (file.name, seq, base, said)
            assert verify(compacted.data)["result"] == "fine"
            shutil.rmtree(compacted.data)
            shutil.copytree(saved, compacted.data)
    flip(files[0], records(files[0].read_bytes())[0][0] + 26)
    tool("journal", "repair", compacted.data)
    compacted.start()
    assert compacted.digest() == compacted.before


def test_repair_below_a_snapshot_in_the_first_segment(new_server):
    """Segments 2, 3, … follow, and the first cannot be replaced by one that begins later."""
    server = new_server(segment_size="64k", snapshot_after=0)
    user = User(Rest(server), "user1")
    group, device = user.group(), user.connect()
    tool("snapshot", "--data", server.data)
    for i in range(40):
        device.send_message(group, f"message {i} " + "x" * 8000)
    before = server.digest()
    server.close_clients()
    server.stop(signal.SIGKILL)
    flip(server.data / "journal" / f"{1:020}.log", 4096 + 30)
    said = repair(server.data)
    assert said["last_seq"] == before[0] and said["lost"]["records"] == 0
    server.start()
    assert server.digest() == before


def test_repair_of_headers_behind_snapshots(compacted):
    """One segment after the other: nothing is lost where the records prove what the header was."""
    saved = compacted.data.parent / "saved"
    shutil.copytree(compacted.data, saved, ignore=shutil.ignore_patterns("control"))
    for name in sorted(path.name for path in (saved / "journal").glob("*.log")):
        flip(compacted.data / "journal" / name, 60)
        said = say("journal", "repair", compacted.data)
        assert said["last_seq"] == compacted.last and said["lost"]["records"] == 0, (name, said)
        assert verify(compacted.data)["result"] == "fine"
        shutil.rmtree(compacted.data)
        shutil.copytree(saved, compacted.data)
    compacted.start()
    assert compacted.digest() == compacted.before
