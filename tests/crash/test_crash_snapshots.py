"""kill -9 around snapshots: what was acknowledged is there, once, in order, and the state is the one
that the whole journal makes.

Snapshots delete segments, so each segment gets a second name in an archive before every one of them.
At the end a server replays the archive from record 1, and must have the same digest.
GROUPS_CHAT_CRASH_SECONDS, GROUPS_CHAT_CRASH_SEED as in test_crash.py.
"""
import asyncio
import os
import shutil
import signal
import time

import pytest

from kit.server import Server, run

from test_crash import SEED, Town

SECONDS = float(os.environ.get("GROUPS_CHAT_CRASH_SECONDS", "40")) / 4
ROUNDS_MAX = 100


class Archive:
    """The segments that there ever were: the same files under second names, so that what is written
    to them later is here too."""

    def __init__(self, server, directory):
        self.journal = server.data / "journal"
        self.directory = directory
        (directory / "journal").mkdir(parents=True)
        shutil.copy(server.data / "key", directory)

    def keep(self):
        for path in self.journal.glob("*.log"):
            name = self.directory / "journal" / path.name
            if not name.exists():
                os.link(path, name)

    def replayed(self, options):
        """A server on the archive, from record 1 on."""
        self.keep()
        shutil.copy(self.journal / "manifest", self.directory / "journal")
        # The server that wrote them is stopped; a copy, because a start may write.
        copy = self.directory.with_name("replayed")
        shutil.copytree(self.directory, copy)
        return Server(copy, {**options, "--snapshot-after": 0}).start()


class SnapshotTown(Town):
    def __init__(self, server, seed, archive):
        super().__init__(server, seed)
        self.archive = archive
        self.rounds = self.asked = self.done = 0
        self.waits = False      # for a snapshot's end, with dying

    def arm(self):
        """Some deaths come at once, before any snapshot can end where all is slow; every third only
        when one has ended."""
        self.rounds += 1
        self.waits = self.rounds % 3 == 0
        if not self.waits:
            super().arm()

    async def snapshots(self):
        """One after the other until the server is dead, or until one ends with its death."""
        loop = asyncio.get_running_loop()
        while True:
            self.archive.keep()
            self.asked += 1
            ended = await loop.run_in_executor(
                None, run, ["snapshot", "--data", str(self.server.data)])
            if ended.returncode != 0:
                assert not self.waits, ended.stderr
                return
            self.done += 1
            if self.waits:
                self.waits = False
                super().arm()

    async def until_death(self):
        await asyncio.gather(super().until_death(), self.snapshots())


def deleted(server):
    return not (server.data / "journal" / f"{1:020}.log").exists()


@pytest.fixture
def servers(tmp_path):
    made = [Server(tmp_path / "data", {
        "--send-rate": 0, "--user-sessions-max": 65536, "--segment-size": "256k",
        "--snapshot-after": 0}).start()]
    yield made
    for server in made:
        if server.err:
            print(server.err.text())
        server.abandon()


def test_kill_9_around_snapshots(servers, tmp_path):
    print(f"seed {SEED}")
    server = servers[0]
    town = SnapshotTown(server, SEED, Archive(server, tmp_path / "archive"))
    end = time.monotonic() + SECONDS
    while town.rounds < 5 or time.monotonic() < end or (
            not deleted(server) and town.rounds < ROUNDS_MAX):
        town.round()
    town.check()
    print(f"{town.rounds} rounds, {town.done} snapshots of {town.asked}, "
          f"{len(town.ledger.messages)} messages")
    assert town.ledger.messages and town.done > 0
    digest = server.digest()
    server.close_clients()
    server.stop(signal.SIGTERM)
    assert deleted(server), "no segment was ever deleted: the test shows nothing"
    servers.append(town.archive.replayed(server.options))
    assert servers[-1].digest() == digest
    server.start()
    assert server.digest() == digest
    for one in servers:
        one.stop()
