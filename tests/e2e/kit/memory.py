"""Lets one allocation of a running server fail: the other side of memory.c."""
import mmap
import struct
from pathlib import Path

FIELD = struct.Struct("=q")


class Memory:
    def __init__(self, library, directory):
        self.library = library
        self.path = Path(directory) / "memory"
        self.path.write_bytes(bytes(2 * FIELD.size))
        with open(self.path, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), 0)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "MEMORY": str(self.path)}

    def fail(self, nth):
        """The nth allocation from now on fails, once; 0: none does."""
        self.control[8:16] = bytes(8)
        self.control[0:8] = FIELD.pack(nth)

    def failed(self):
        return FIELD.unpack(self.control[8:16])[0] > 0
