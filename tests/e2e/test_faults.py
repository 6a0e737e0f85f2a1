"""A server below which the disk fails: what clients are told, that reading goes on, that a full disk
recovers, that a failed sync does not, and that what was acknowledged is there after a kill."""
import re
import resource
import signal
import time

import pytest

from kit.faults import ERRORS, Faults, build, descriptors
from kit.people import User, assert_error
from kit.server import PATIENCE, run
from kit.socket import SEND, T_MESSAGE

KILO = "k" * 1000


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return build(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def faults(shim, tmp_path):
    return Faults(shim, tmp_path)


@pytest.fixture
def server(new_server, faults):
    return new_server(env=faults.environment(), segment_size="64k", snapshot_after="0",
                      send_rate="0")


class Chat:
    """Anna writes to a group; what was acknowledged is kept."""

    def __init__(self, server, people):
        self.server = server
        self.anna, self.bert = people("anna", "bert")
        self.group = self.anna.group(self.bert)
        self.socket = self.anna.connect()
        self.acknowledged = []
        self.count = 0

    def send(self):
        """The reply: ok, or the refusal."""
        self.count += 1
        text = f"{self.count} {KILO}"
        reply = self.socket.call(SEND, {"group_id": self.group, "data": text,
                                        "client_id": f"c{self.count}"})
        if reply["ok"]:
            self.acknowledged.append(text)
        return reply

    def send_all(self, count):
        for _ in range(count):
            reply = self.send()
            assert reply["ok"], reply

    def until_refused(self):
        """Sends until a change is refused; the refusal."""
        for _ in range(2000):
            reply = self.send()
            if not reply["ok"]:
                return reply
        raise AssertionError("nothing was refused")

    def until_taken(self):
        """Sends until a change is taken again."""
        deadline = time.monotonic() + PATIENCE
        while not self.send()["ok"]:
            assert time.monotonic() < deadline, "there is room, and no change is taken"

    def ready(self):
        """What /readyz says while the server serves."""
        return self.anna.rest.ok(200, "GET", "/readyz")

    def reads_go_on(self):
        """Logins, sockets, messages of the past: all that changes nothing."""
        assert self.anna.login()
        assert self.texts() == self.acknowledged

    def texts(self):
        events = self.anna_again().everything()
        return [e.body["data"] for e in events if e.type == T_MESSAGE]

    def anna_again(self):
        """The device of the first hour, once more: a new one would be a change."""
        return self.server.keep(type(self.socket)(self.socket.url))

    def after_a_kill(self, also=()):
        """All that was acknowledged, in order, and nothing else but, at the end, some of what had
        no answer or was refused by a journal that failed."""
        self.server.close_clients()
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.socket.url = self.server.ws("/" + self.socket.url.rsplit("/", 1)[1])
        texts = self.texts()
        assert texts[:len(self.acknowledged)] == self.acknowledged
        more = texts[len(self.acknowledged):]
        assert more == list(also)[:len(more)], more
        self.acknowledged = texts
        self.socket = self.anna_again()
        self.send_all(3)


@pytest.fixture
def chat(server, people):
    return Chat(server, people)


def refusal(reply, code):
    assert (reply["status"], reply["code"]) == (503, code), reply


def said(server, pattern):
    found = server.err.wait(re.compile(pattern))
    assert found, server.err.text()
    return found


# ---- no room ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"])
def test_no_room_for_a_write(chat, server, faults, error):
    chat.send_all(5)
    rule = faults.fail("pwrite", ERRORS[error], name=".log")
    refusal(chat.send(), "disk_full")
    assert_error(chat.anna.call("POST", "/groups", {"name": "g", "user_ids": []}), 503, "disk_full")
    assert chat.ready() == {"ready": True, "refuses": "disk_full"}
    assert faults.hits(rule) >= 1
    said(server, r"write of journal/\d+\.log failed: .*; changes are refused until there is room")
    chat.reads_go_on()
    faults.end()
    # Asking makes it look; nobody has to try in vain.
    deadline = time.monotonic() + PATIENCE
    while chat.ready() != {"ready": True}:
        assert time.monotonic() < deadline
    said(server, "there is room again; changes are taken")
    assert chat.send()["ok"]
    chat.send_all(3)
    chat.after_a_kill()


@pytest.mark.parametrize("call", ["create", "fallocate", "pwrite", "fsync"])
def test_no_room_for_the_next_segment(chat, server, faults, call):
    """The current one is filled to its end, then changes are refused."""
    chat.send_all(5)
    rule = faults.fail(call, ERRORS["ENOSPC"], name="next.tmp")
    refusal(chat.until_refused(), "disk_full")
    assert faults.hits(rule) >= 1
    said(server, r"journal/next\.tmp failed: No space left on device; changes are refused")
    chat.reads_go_on()
    faults.end()
    chat.until_taken()
    chat.send_all(100)
    assert len(list((server.data / "journal").glob("*.log"))) >= 3
    chat.after_a_kill()


def test_a_full_disk_and_a_kill(chat, faults):
    """What was refused is not there afterwards, whatever of it had been written."""
    chat.send_all(5)
    short = faults.fail("pwrite", 0, name=".log", times=1)
    faults.fail("pwrite", ERRORS["ENOSPC"], name=".log", times=1)
    refusal(chat.send(), "disk_full")
    assert faults.hits(short) == 1
    chat.reads_go_on()
    faults.end()
    chat.after_a_kill()


def test_a_manifest_that_cannot_be_written(chat, server, faults):
    rule = faults.fail("create", ERRORS["ENOSPC"], name="manifest.tmp")
    refusal(chat.until_refused(), "disk_full")
    assert faults.hits(rule) >= 1
    chat.reads_go_on()
    faults.end()
    chat.until_taken()
    chat.send_all(3)
    chat.after_a_kill()


# ---- what goes on as if nothing had been ------------------------------------------------------------


@pytest.mark.parametrize("call, error", [
    ("pwrite", "EINTR"), ("fdatasync", "EINTR"), ("fsync", "EINTR"), ("renameat", "EINTR"),
    ("openat", "EINTR"), ("fallocate", "EINTR")])
def test_interrupted_calls_go_on(chat, faults, call, error):
    rule = faults.fail(call, ERRORS[error], times=3)
    chat.send_all(150)
    assert faults.hits(rule) == 3
    chat.after_a_kill()


def test_short_writes_go_on(chat, faults):
    rule = faults.fail("pwrite", 0)
    chat.send_all(150)
    assert faults.hits(rule) > 100
    faults.end()
    chat.after_a_kill()


@pytest.mark.parametrize("error", [95, 38, 22])
def test_no_fallocate(chat, faults, error):
    """EOPNOTSUPP, ENOSYS, EINVAL: the file system allocates nothing ahead."""
    rule = faults.fail("fallocate", error)
    chat.send_all(150)
    assert faults.hits(rule) >= 1
    chat.after_a_kill()


# ---- a sync that fails ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_failed_sync_is_final(chat, server, faults, error):
    chat.send_all(5)
    rule = faults.fail("fdatasync", ERRORS[error], name=".log", times=1)
    refusal(chat.send(), "read_only")
    lost = f"{chat.count} {KILO}"
    assert faults.hits(rule) == 1
    said(server, r"fdatasync of journal/\d+\.log failed: .*; what is on disk is not known, so no "
                 "more changes are taken until a restart")
    faults.end()
    for _ in range(20):
        refusal(chat.send(), "read_only")
    assert_error(chat.anna.call("POST", "/groups", {"name": "g", "user_ids": []}), 503, "read_only")
    assert_error(chat.bert.call("PUT", f"/groups/{chat.group}/left", {"user_id": chat.bert.id}),
                 503, "read_only")
    for method in "GET", "HEAD":
        answer = chat.anna.rest.call(method, "/readyz")
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    assert_error(chat.anna.rest.call("GET", "/readyz"), 503, "read_only")
    assert chat.anna.rest.ok(200, "GET", "/healthz") == {"alive": True}
    chat.reads_go_on()
    chat.after_a_kill(also=[lost])


def test_a_directory_that_cannot_be_synced(chat, server, faults):
    """Nobody knows whether the next segment has its name."""
    rule = faults.fail("fsync", ERRORS["EIO"], name="/journal/$", times=1)
    refusal(chat.until_refused(), "read_only")
    assert faults.hits(rule) == 1
    said(server, r"fsync of journal/\. failed: Input/output error; what is on disk is not known")
    faults.end()
    refusal(chat.send(), "read_only")
    chat.reads_go_on()
    chat.after_a_kill()


def test_a_rename_that_fails(chat, server, faults):
    rule = faults.fail("renameat", ERRORS["EIO"], name=".log")
    refusal(chat.until_refused(), "disk_full")
    assert faults.hits(rule) >= 1
    said(server, r"rename of journal/\d+\.log failed: Input/output error; changes are refused")
    chat.reads_go_on()
    faults.end()
    chat.until_taken()
    chat.after_a_kill()


# ---- descriptors and rights -------------------------------------------------------------------------


def test_no_descriptors(chat, server):
    """Without any to open the next segment with, changes wait for one; those who are there stay."""
    chat.send_all(5)
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE,
                     (descriptors(server.process), limits[1]))
    refusal(chat.until_refused(), "disk_full")
    said(server, r"open of journal/next\.tmp failed: Too many open files")
    assert [e for e in chat.socket.events(timestamp=1532785517921) if e.type == T_MESSAGE]
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
    chat.until_taken()
    chat.reads_go_on()
    chat.after_a_kill()


@pytest.mark.parametrize("error", ["EROFS", "EACCES"])
def test_a_directory_that_turned_read_only(chat, server, faults, error):
    """No file can be made or renamed there; the open segment still takes what it has room for."""
    chat.send_all(5)
    faults.fail("create", ERRORS[error])
    faults.fail("renameat", ERRORS[error])
    chat.send_all(5)
    refusal(chat.until_refused(), "disk_full")
    said(server, r"journal/next\.tmp failed: (Read-only file system|Permission denied)")
    chat.reads_go_on()
    faults.end()
    chat.until_taken()
    chat.send_all(3)
    chat.after_a_kill()


# ---- snapshots --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, error", [
    ("create", "ENOSPC"), ("pwrite", "ENOSPC"), ("pwrite", "EIO"), ("fsync", "EIO"),
    ("openat", "EMFILE")])
def test_a_snapshot_that_fails_harms_nothing(chat, server, faults, call, error):
    chat.send_all(100)
    rule = faults.fail(call, ERRORS[error], name="snapshot.tmp")
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert faults.hits(rule) >= 1
    assert not list((server.data / "journal").glob("*.snap"))
    chat.send_all(3)
    faults.end()
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 0, done.stderr
    assert len(list((server.data / "journal").glob("*.snap"))) == 1
    chat.after_a_kill()


# ---- starting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, name", [
    ("openat", ".log"), ("fdatasync", ".log"), ("fsync", "/journal/$"), ("openat", "manifest")])
def test_a_start_that_fails_says_why(chat, server, faults, call, name):
    """It opens no port, exits with 1, which is not damage, and the next start has all."""
    chat.send_all(5)
    server.close_clients()
    server.stop(signal.SIGKILL)
    rule = faults.fail(call, ERRORS["EIO"], name=name)
    with pytest.raises(AssertionError, match="exit 1\n(.|\n)*journal/(.|\n)*Input/output error"):
        server.start()
    assert faults.hits(rule) >= 1
    faults.end()
    server.start()
    chat.after_a_kill()
