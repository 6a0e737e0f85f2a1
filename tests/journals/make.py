#!/usr/bin/python3
"""Writes golden data directories with this version of the server, each with its digest.

    make.py VERSION      into tests/journals/VERSION/NAME/{data/, digest}; nothing there is replaced

Every later version must start on a copy of each and have the digest that stands beside it. Run it
once for a version whose format is new; what is committed is never written again.
"""
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import read  # noqa: E402
from kit.people import Rest, User  # noqa: E402
from kit.server import Server, run  # noqa: E402
from kit.socket import DELIVERED, READ, SEND, T_SENT  # noqa: E402

NOT_KEPT = shutil.ignore_patterns("lock", "control", "*.tmp")
OPTIONS = {"--segment-size": "64k", "--snapshot-after": "0"}


class Story:
    """People who do all that a journal can tell: every record type, refusals, every state."""

    def __init__(self, server):
        self.rest = Rest(server)
        self.anna, self.bert, self.cleo = (User(self.rest, name) for name in ("anna", "bert", "Cléo"))
        self.sockets = [user.connect() for user in (self.anna, self.bert, self.cleo)]
        self.group = self.anna.group(self.bert, self.cleo, name="all of us")
        self.pair = self.bert.group(self.anna, name="two")
        self.empty = self.cleo.group(name="alone")
        self.cleo.leaves(self.empty)
        self.messages = []

    def talk(self, count, size=20):
        for i in range(count):
            socket = self.sockets[i % 3]
            socket.rpc(SEND, {"group_id": self.group, "data": f"message {i} " + "x" * size,
                              "client_id": f"client-{len(self.messages)}"})
            while (event := socket.recv()).type != T_SENT:
                pass
            self.messages.append(event.body["message_id"])
        self.sockets[1].ok(DELIVERED, {"message_id": self.messages[0]})
        self.sockets[2].ok(READ, {"message_id": self.messages[-1]})

    def go(self):
        """Cléo leaves and comes back, Bert is removed."""
        self.cleo.leaves(self.group)
        self.cleo.joins(self.group)
        self.anna.leaves(self.group, self.bert)
        self.anna.device(device_id="another", platform="ios", build=4294967295)


def snapshot(server):
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 0, done.stderr


def write_clean(server):
    story = Story(server)
    story.talk(9)
    story.go()


def write_rolled(server):
    story = Story(server)
    story.talk(60, 3000)
    story.go()


def write_snapshot(server):
    story = Story(server)
    story.talk(30, 3000)
    story.go()
    snapshot(server)
    story.cleo.group(story.anna, name="later")


def write_compacted(server):
    story = Story(server)
    for _ in range(3):
        story.talk(30, 3000)
        snapshot(server)
    story.go()


def tear(data):
    """The newest record as a crash may leave it: its second half never reached the disk."""
    last = read.read(data).records[-1]
    path = data / "journal" / last.file
    content = bytearray(path.read_bytes())
    half = (last.offset + last.end) // 2
    content[half:last.end] = bytes(last.end - half)
    path.write_bytes(content)


STORIES = {"clean": write_clean, "killed": write_clean, "torn": write_clean, "rolled": write_rolled,
           "snapshot": write_snapshot, "compacted": write_compacted}


def digest_of(data, work):
    """What a start on a copy of it makes."""
    shutil.copytree(data, work, ignore=NOT_KEPT)
    server = Server(work, OPTIONS).start()
    digest = server.digest()
    server.stop()
    return digest


def make(name, target):
    with tempfile.TemporaryDirectory() as work:
        server = Server(Path(work) / "data", OPTIONS).start()
        STORIES[name](server)
        digest = server.digest()
        server.close_clients()
        server.stop(signal.SIGKILL if name in ("killed", "torn") else signal.SIGTERM)
        if name == "torn":
            tear(server.data)
            before, digest = digest, digest_of(server.data, Path(work) / "torn")
            assert digest[0] == before[0] - 1
        target.mkdir(parents=True)
        shutil.copytree(server.data, target / "data", ignore=NOT_KEPT)
        (target / "digest").write_text(f"{digest[0]} {digest[1]}\n")


def main():
    version, = sys.argv[1:]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(__doc__)
    for name in STORIES:
        make(name, HERE / version / name)
        print(name, (HERE / version / name / "digest").read_text().strip())


if __name__ == "__main__":
    main()
