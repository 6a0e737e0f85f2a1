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
from kit.app import key_file  # noqa: E402
from kit.clock import Clock  # noqa: E402
from kit.server import Server, run  # noqa: E402
from story import Story  # noqa: E402

NOT_KEPT = shutil.ignore_patterns("lock", "control", "*.tmp")
OPTIONS = {"--segment-size": "64k", "--snapshot-after": "0"}


def snapshot(server):
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 0, done.stderr


def write_clean(_, story):
    story.talk(9)
    story.more()
    story.go()


def write_rolled(_, story):
    story.talk(60, 3000)
    story.more()
    story.go()


def write_snapshot(server, story):
    story.talk(30, 3000)
    story.more()
    story.go()
    snapshot(server)
    story.cleo.group(story.anna, name="later")


def write_compacted(server, story):
    for n in range(3):
        story.talk(30, 3000)
        if n == 0:
            story.more()
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
           "snapshot": write_snapshot, "compacted": write_compacted, "restored": write_clean}


def digest_of(data, work):
    """What a start on a copy of it makes."""
    shutil.copytree(data, work, ignore=NOT_KEPT)
    server = Server(work, OPTIONS).start()
    digest = server.digest()
    server.stop()
    return digest


def restore(data, work):
    """A server that went on from a copy, and its digest then."""
    done = run(["restore", str(data), str(work)])
    assert done.returncode == 0, done.stderr
    server = Server(work, OPTIONS).start()
    snapshot(server)
    digest = server.digest()
    server.stop()
    return server.data, digest


def make(name, target):
    with tempfile.TemporaryDirectory() as work:
        key, clock = Path(work) / "api-key", Clock(work)
        key_file(key)
        server = Server(Path(work) / "data", {**OPTIONS, "--api-key-file": key,
                                              "--admin-listen": "127.0.0.1:0"},
                        clock.environment()).start()
        STORIES[name](server, Story(server, clock))
        digest = server.digest()
        server.close_clients()
        server.stop(signal.SIGKILL if name in ("killed", "torn") else signal.SIGTERM)
        if name == "torn":
            tear(server.data)
            before, digest = digest, digest_of(server.data, Path(work) / "torn")
            assert digest[0] == before[0] - 1
        data = server.data
        if name == "restored":
            data, digest = restore(data, Path(work) / "restored")
        target.mkdir(parents=True)
        shutil.copytree(data, target / "data", ignore=NOT_KEPT)
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
