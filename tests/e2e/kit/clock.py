"""Moves the wall clock of a running server: the other side of clock.c."""
import mmap
import struct
from pathlib import Path

from .faults import build, sanitizer

FIELD = struct.Struct("=q")
DAY = 86400000


class Clock:
    def __init__(self, directory):
        self.library = build(directory, "clock")
        self.path = Path(directory) / "clock"
        self.path.write_bytes(bytes(FIELD.size))
        with open(self.path, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), 0)

    def environment(self):
        return {"LD_PRELOAD": " ".join([*sanitizer(), str(self.library)]), "CLOCK": str(self.path)}

    def move(self, milliseconds):
        """From now on it is so much later; a negative number: earlier."""
        moved, = FIELD.unpack(self.control[:FIELD.size])
        self.control[:FIELD.size] = FIELD.pack(moved + milliseconds)
