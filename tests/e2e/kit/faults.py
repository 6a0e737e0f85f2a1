"""Makes the system calls of a running server fail: builds faults.c, and writes the rules that it
reads. The server's environment comes from Faults.environment()."""
import errno
import mmap
import os
import struct
import subprocess
from pathlib import Path

from .server import BINARY

RULE = struct.Struct("=16s48siiii")
RULES = 8


def build(directory, name="faults"):
    """The library of a .c file beside this one, built into this directory; its path."""
    library = Path(directory) / f"{name}.so"
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-O1", "-shared",
                    "-fPIC", "-o", library, Path(__file__).with_name(f"{name}.c"), "-ldl"],
                   check=True)
    return library


def sanitizer():
    """The runtime that must come first where the binary has one, or nothing."""
    if b"__asan_init" not in BINARY.read_bytes():
        return []
    done = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, text=True,
                          capture_output=True)
    return [done.stdout.strip()]


class Faults:
    def __init__(self, shim, directory):
        self.shim = shim
        self.path = Path(directory) / "faults"
        self.path.write_bytes(bytes(RULE.size * RULES))
        with open(self.path, "r+b") as file:
            self.rules = mmap.mmap(file.fileno(), 0)
        self.used = 0

    def environment(self):
        return {"LD_PRELOAD": " ".join([*sanitizer(), str(self.shim)]),
                "FAULTS": str(self.path)}

    def fail(self, call, error, name="", skip=0, times=-1):
        """From now on, calls of this kind on files whose path holds `name` fail. Returns the rule's
        number. An error of 0 makes writes short."""
        number, self.used = self.used, self.used + 1
        assert number < RULES
        packed = RULE.pack(b"", name.encode(), error, skip, times, 0)
        self.rules[number * RULE.size:(number + 1) * RULE.size] = packed
        # The name of the call comes last: it is what makes the rule one.
        at = number * RULE.size
        self.rules[at:at + 16] = call.encode().ljust(16, b"\0")
        return number

    def hits(self, number):
        return RULE.unpack_from(self.rules, number * RULE.size)[5]

    def end(self):
        """No call fails any more."""
        for number in range(self.used):
            at = number * RULE.size
            self.rules[at:at + 16] = bytes(16)
        self.used = 0


ERRORS = {name: getattr(errno, name) for name in
          ("EIO", "ENOSPC", "EDQUOT", "EINTR", "EMFILE", "EROFS", "EACCES")}


def descriptors(process):
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))
