"""Holds a server's reading of its journal: the other side of hold.c."""
import os
from pathlib import Path

from .faults import build, sanitizer


class Hold:
    def __init__(self, directory):
        self.library = build(directory, "hold")
        self.path = Path(directory) / "hold"
        os.mkfifo(self.path)
        self.fd = None

    def environment(self):
        """From now on each piece of the journal waits; for one start."""
        self.fd = os.open(self.path, os.O_RDWR)
        return {"LD_PRELOAD": " ".join([*sanitizer(), str(self.library)]), "HOLD": str(self.path)}

    def let(self, pieces):
        """So many pieces more may be read."""
        os.write(self.fd, b"." * pieces)

    def let_all(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    close = let_all
