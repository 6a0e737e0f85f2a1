"""Webhooks over TLS: whom the server trusts, and that nobody else is told anything."""
import os
import re
import signal
from pathlib import Path

import pytest

from kit.authority import Authority
from kit.hooked import World
from kit.server import run

SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")


class Trust:
    """Two authorities, and a world that trusts the first only."""

    def __init__(self, directory):
        self.ours, self.other = (Authority(directory, name) for name in ("ours", "other"))
        bundle = directory / "bundle.pem"
        bundle.write_text(f"what follows is ours\n{self.ours.file.read_text()}")
        self.world = World(directory, {"--hook-ca-file": bundle})


@pytest.fixture(scope="module", name="trust")
def make_trust(tmp_path_factory):
    made = Trust(tmp_path_factory.mktemp("tls"))
    try:
        yield made
        made.world.end(signal.SIGTERM)
    finally:
        made.world.server.abandon()


@pytest.fixture(name="world")
def make_world(trust):
    yield trust.world
    trust.world.clear()


def test_one_that_is_trusted(trust, world):
    receiver = world.receiver(tls=trust.ours.context("good"))
    hook = world.hook(receiver.url(), types=[20])
    cursors = [world.say(f"text {i}") for i in range(5)]
    receiver.wait_cursor(cursors[-1])
    assert receiver.cursors() == cursors
    for request in receiver.requests:
        request.check(hook)
    assert "last_error" not in hook.status()


def fails(world, receiver, why):
    """It is tried again and again, the log says why, and the receiver is told nothing."""
    lines = len(world.server.err.lines)
    hook = world.hook(receiver.url().replace("http:", "https:"), types=[20])
    world.say("a text that nobody else may read")
    assert hook.wait_status(lambda status: status["failures"] > 2)["last_error"] == "tls"
    line = world.server.err.wait(re.compile(f"hook {hook.id}: nothing is delivered, .*TLS: (.*)"), lines)
    assert re.search(why, line.group(1)), line.group(0)
    assert not receiver.requests
    return hook


@pytest.mark.parametrize("name,words,why", [
    ("stranger", {}, "local issuer|self.signed"),
    ("elsewhere", {"alternatives": "DNS:elsewhere.example,IP:127.0.0.2"}, "127.0.0.1"),
    ("expired", {"days": -1}, "expired"),
])
def test_one_that_is_not(trust, world, name, words, why):
    authority = trust.other if name == "stranger" else trust.ours
    fails(world, world.receiver(tls=authority.context(name, **words)), why)


def test_one_that_speaks_no_tls(world):
    fails(world, world.receiver(), ".")


def test_it_is_told_once_it_can_be(trust, world):
    """The same URL, behind which the right certificate is shown later."""
    context = trust.other.context("at-first")
    receiver = world.receiver(tls=context)
    hook = fails(world, receiver, "issuer|self.signed")
    trust.ours.context("later")
    directory = trust.ours.directory
    context.load_cert_chain(directory / "later.pem", directory / "later.key")
    hook.wait_status(lambda status: status["behind"] == 0)
    assert world.server.err.wait(re.compile(f"hook {hook.id}: it is delivered again"))
    assert receiver.taken()[-1]["body"]["data"] == "a text that nobody else may read"


def bytes_read(server):
    """So far, of files."""
    return int(re.search(r"rchar: (\d+)", Path(f"/proc/{server.process.pid}/io").read_text()).group(1))


def test_without_the_file_the_system_is_asked(trust, tmp_path):
    """Whom it trusts is not read anew for each handshake: that would hold the loop for long."""
    world = World(tmp_path)
    try:
        hook = fails(world, world.receiver(tls=trust.ours.context("private")), "issuer|self.signed")
        before, tries = bytes_read(world.server), hook.status()["failures"]
        later = hook.wait_status(lambda status: status["failures"] > tries + 9)
        assert later["last_error"] == "tls"
        assert bytes_read(world.server) - before < 5 * SYSTEM.stat().st_size
        world.end(signal.SIGKILL)
    finally:
        world.server.abandon()


def test_what_is_no_certificate_within(tmp_path):
    """What looks like one is for the library to refuse, which takes nobody's word then."""
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nMIIBszCCAVmg\n-----END CERTIFICATE-----\n")
    ours = Authority(tmp_path, "ours")
    world = World(tmp_path, {"--hook-ca-file": file})
    try:
        fails(world, world.receiver(tls=ours.context("good")), ".")
        world.end(signal.SIGTERM)
    finally:
        world.server.abandon()


BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("content,why", [
    (None, "is not there"), (b"", "holds no certificate"), (b"no certificate", "holds no certificate"),
    (BEGIN, "not whole"), (BEGIN + b"MIIB", "not whole"), (BEGIN + END, "not whole"),
    (BEGIN + b"MI!B\n" + END, "not whole"), (BEGIN + b"AAAA\n" + END, "not whole"),
    (BEGIN + b"MIIB\n" + END + BEGIN + b"MIIB\n", "not whole"),
    (BEGIN + b"MIIB\n" + END + b"\0", "not text"), (b"x" * (4 << 20) + b"x", "4 MiB"),
    ("directory", "not a regular file"), ("fifo", "not a regular file"),
], ids=range(13))
def test_a_file_that_is_refused(tmp_path, content, why):
    """Before anything else is done."""
    file = tmp_path / "ca.pem"
    if content == "directory":
        file.mkdir()
    elif content == "fifo":
        os.mkfifo(file)
    elif content is not None:
        file.write_bytes(content)
    done = run(["--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", "--hook-ca-file", str(file)])
    assert done.returncode == 1
    assert f"--hook-ca-file: {file} {why}"[:60] in done.stderr and why in done.stderr
    assert "listening" not in done.stdout
    assert not (tmp_path / "data" / "journal").exists()
