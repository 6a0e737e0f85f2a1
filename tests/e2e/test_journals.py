"""Golden directories: what earlier versions wrote, this one starts on, with the digest that they had.
And an independent reader (tests/journals/read.py), which knows docs/journal-format.md only."""
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from kit.people import DEVICE, Rest, User
from kit.server import run
from kit.socket import T_MESSAGE, Socket

JOURNALS = Path(__file__).resolve().parents[1] / "journals"
sys.path.insert(0, str(JOURNALS))

import read  # noqa: E402

GOLDEN = sorted(path.parent for path in JOURNALS.glob("*/*/digest"))
NAMES = [f"{path.parent.name}-{path.name}" for path in GOLDEN]


def golden(name):
    return max(path for path in GOLDEN if path.name == name)


def digest_of(path):
    cursor, digest = (path / "digest").read_text().split()
    return int(cursor), digest


def copy(path, to):
    """As the server left it: what keeps files does not keep who may read them."""
    shutil.copytree(path / "data", to)
    to.chmod(0o700)
    (to / "journal").chmod(0o700)
    for file in to.rglob("*"):
        if file.is_file():
            file.chmod(0o600)
    return to


def test_there_are_some():
    assert {path.name for path in GOLDEN} >= {"clean", "killed", "torn", "rolled", "snapshot",
                                              "compacted", "restored"}


def test_each_type_is_in_one():
    """Of records and of snapshots, all that there were when the newest of them was written. Types 2 and 5
    no server writes any more."""
    journals = [read.read(path / "data") for path in GOLDEN]
    records = {record.type for journal in journals for record in journal.records}
    saved = {kind for journal in journals for snapshot in journal.snapshots
             for kind, _ in snapshot.records}
    assert records >= {*range(1, 14), *range(20, 26), *range(30, 36), *range(40, 46), 49, 50, 51}
    assert saved >= {*range(1, 12), *range(15, 23), *range(25, 33)}


@pytest.mark.parametrize("path", GOLDEN, ids=NAMES)
def test_same_digest(new_server, tmp_path, path):
    copy(path, tmp_path / "data")
    server = new_server("data")
    assert server.digest() == digest_of(path)
    server.restart(signal.SIGKILL)
    assert server.digest() == digest_of(path)


@pytest.mark.parametrize("path", GOLDEN, ids=NAMES)
def test_it_goes_on(new_server, tmp_path, path):
    """People of then log in, and write what comes behind; the teardown restarts."""
    copy(path, tmp_path / "data")
    server = new_server("data")
    rest = Rest(server)
    account = {"username": "anna", "password": "0000"}
    token = rest.ok(200, "POST", "/login", account)["token"]
    session = rest.ok(201, "POST", "/sessions", DEVICE, token)
    socket = server.keep(Socket(server.ws("/" + session["messaging_url"].rsplit("/", 1)[1])))
    events = socket.everything()
    messages = [event for event in events if event.type == T_MESSAGE]
    assert [event.body["data"].split()[:2] for event in messages[:2]] == [["message", "0"],
                                                                          ["message", "1"]]
    socket.send_message(messages[0].body["group_id"], "a new one")
    User(rest, "newcomer").group()
    assert server.digest()[0] == digest_of(path)[0] + 4
    rest.close()


@pytest.mark.parametrize("path", GOLDEN, ids=NAMES)
def test_independent_reader(path):
    journal = read.read(path / "data")
    assert not journal.bad_snapshots
    assert journal.next_seq - 1 == digest_of(path)[0]
    assert (journal.torn is not None) == (path.name == "torn")
    for record in journal.records:
        read.decode(record)
    assert bool(journal.snapshots) == (path.name in ("snapshot", "compacted", "restored"))
    assert (journal.segments[0].number > 1) == (path.name == "compacted")


def check_snapshots(journal):
    """A message in a snapshot is the one of its record, but for the text of one that was deleted."""
    posts = {record.seq: read.decode(record) for record in journal.records if record.type == 6}
    compared = 0
    for snapshot in journal.snapshots:
        for name, element in read.elements(snapshot):
            if name == "message" and element["seq"] in posts:
                post = posts[element["seq"]]
                assert all(element[key] == post[key] for key in ("id", "client_id", "time"))
                assert element["data"] in (post["data"], "")
                compared += 1
    return compared


@pytest.mark.parametrize("name", ["snapshot", "compacted"])
def test_snapshot_says_what_the_journal_says(name):
    assert check_snapshots(read.read(golden(name) / "data")) > 10


# ---- the reader finds what is wrong ----------------------------------------------------------------


def worked_example():
    """The files of the worked example in docs/journal-format.md, as {magic: bytes}."""
    text = (JOURNALS.parents[1] / "docs" / "journal-format.md").read_text()
    files = {}
    for block in re.findall(r"```\n(00000000  .*?)```", text, re.DOTALL):
        content = bytearray()
        for line in block.splitlines():
            offset, rest = line.split("  ", 1)
            content += bytes(int(offset, 16) - len(content))
            if "…" not in rest:
                content += bytes.fromhex(rest.split("|")[0])
        files[bytes(content[3:6])] = content
    return files


def test_worked_example(tmp_path):
    """The document is not only complete, its example is one."""
    files = worked_example()
    assert set(files) == {b"SEG", b"MAN", b"SNP"}
    size = struct.unpack_from("<Q", files[b"SEG"], 48)[0]
    files[b"SEG"] += bytes(size - len(files[b"SEG"]))
    for magic, name in [(b"SEG", f"{1:020}.log"), (b"MAN", "manifest"), (b"SNP", f"{2:020}.snap")]:
        (tmp_path / name).write_bytes(files[magic])
    journal = read.read(tmp_path)
    assert [(r.type, r.payload) for r in journal.records] == [(1, b"hello"), (2, b""), (1, b"bye")]
    assert journal.segments[0].clean and not journal.bad_snapshots
    assert journal.snapshots[0].records == [(1, b"state"), (7, b"")]


def flip(path, at, bit=0):
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["clean", "compacted"])
def test_reader_finds_a_flipped_bit(tmp_path, name):
    """In each part of each file. After a clean close the mark says what was complete: there is
    nothing that could be taken for a torn tail but the mark itself, and then nothing is lost."""
    data = copy(golden(name), tmp_path / "data")
    whole = read.read(data)
    count = len(whole.records)
    used = {segment.name: segment.records[-1].end for segment in whole.segments}
    for file in sorted((data / "journal").iterdir()):
        size = used.get(file.name, file.stat().st_size)
        places = set(range(0, size, max(1, size // 60))) | set(range(0, 128)) | {size - 1}
        for at in sorted(place for place in places if place < size):
            flip(file, at, at % 8)
            try:
                journal = read.read(data)
                found = [damage.file for damage in journal.bad_snapshots]
            except read.Damage as damage:
                found = [damage.file]
            flip(file, at, at % 8)
            assert found == [file.name], (file.name, at, found)
    last = data / "journal" / whole.segments[-1].name
    for at in range(used[last.name], used[last.name] + 40):
        flip(last, at)
        journal = read.read(data)
        assert journal.torn and len(journal.records) == count
        flip(last, at)
    assert read.read(data).torn is None


def refused(data):
    with pytest.raises(read.Damage) as caught:
        read.read(data)
    return caught.value


def test_reader_finds_what_is_missing_or_moved(tmp_path):
    data = copy(golden("rolled"), tmp_path / "data")
    logs = sorted((data / "journal").glob("*.log"))
    for file in [*logs, data / "journal" / "manifest"]:
        content = file.read_bytes()
        file.unlink()
        refused(data)
        file.write_bytes(content)
    contents = [file.read_bytes() for file in logs[:2]]
    logs[0].write_bytes(contents[1])
    assert refused(data).file == logs[0].name
    logs[0].write_bytes(contents[0])
    stranger = golden("killed") / "data" / "journal" / logs[0].name
    logs[0].write_bytes(stranger.read_bytes())
    refused(data)
    logs[0].write_bytes(contents[0])
    read.read(data)


def test_leftovers_of_a_deletion(new_server, tmp_path):
    """Power that goes while segments are deleted takes any of them: what is left before a gap is not
    needed. The server says the same."""
    server = new_server(segment_size="64k", snapshot_after="0")
    rest = Rest(server)
    user = User(rest)
    group, socket = user.group(), user.connect()
    old = tmp_path / "old"
    old.mkdir()
    for part in range(3):
        for i in range(60):
            socket.send_message(group, f"part {part} message {i} " + "x" * 3000)
        for file in (server.data / "journal").glob("*.log"):
            if part == 0:
                shutil.copy(file, old)
        done = run(["snapshot", "--data", str(server.data)])
        assert done.returncode == 0, done.stderr
    digest = server.digest()
    server.close_clients()
    rest.close()
    server.stop()
    first = sorted(old.iterdir())[0]
    assert not (server.data / "journal" / first.name).exists()
    shutil.copy(first, server.data / "journal")
    journal = read.read(server.data)
    assert journal.segments[0].number > 1 and journal.next_seq - 1 == digest[0]
    server.start()
    assert server.digest() == digest


def test_reader_as_a_program(tmp_path):
    def call(what, data):
        return subprocess.run([sys.executable, JOURNALS / "read.py", what, data], text=True,
                              capture_output=True, timeout=60,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    data = copy(golden("compacted"), tmp_path / "data")
    assert call("verify", data).returncode == 0
    lines = call("dump", data).stdout.splitlines()
    assert len(lines) == len(read.read(data).records)
    assert "argon2" not in "".join(lines)
    assert '"element": "message"' in call("snapshots", data).stdout
    assert call("verify", tmp_path / "nowhere").returncode == 1
    log = min((data / "journal").glob("*.log"))
    flip(log, 5000)
    done = call("verify", data)
    assert done.returncode == 3 and log.name in done.stderr


# ---- a directory of today --------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["closed", "killed"])
def test_reader_on_a_fresh_directory(new_server, end):
    server = new_server(segment_size="64k", snapshot_after="0")
    rest = Rest(server)
    user = User(rest)
    group, socket = user.group(), user.connect()
    for part in range(3):
        for i in range(30):
            socket.send_message(group, f"part {part} message {i} " + "ü" * 1000)
        if part > 0:
            done = run(["snapshot", "--data", str(server.data)])
            assert done.returncode == 0, done.stderr
    socket.send_message(group, "the last")
    cursor = server.digest()[0]
    server.close_clients()
    rest.close()
    server.stop(end)
    journal = read.read(server.data)
    assert journal.next_seq - 1 == cursor and not journal.torn and not journal.bad_snapshots
    assert journal.segments[-1].clean == (end == signal.SIGTERM)
    assert len(journal.snapshots) == 2 and check_snapshots(journal) > 0
    assert read.decode(journal.records[-1])["data"] == "the last"
    server.start()
