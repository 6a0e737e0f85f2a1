"""What make makes anew."""
import os
import subprocess

from kit.server import ROOT

OBJECT = "obj/src/main.o"


def make(build, *words):
    """Compiles one file in a tree of its own; its object's bytes, and whether it was compiled."""
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    done = subprocess.run(["make", "-C", ROOT, f"BUILD={build}", *words, f"{build}/{OBJECT}"],
                          env=env, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return (build / OBJECT).read_bytes(), "CC src/main.c" in done.stdout


def test_another_version_is_compiled(tmp_path):
    first, compiled = make(tmp_path, "VERSION=7.7.7")
    assert compiled and b"7.7.7" in first
    assert make(tmp_path, "VERSION=7.7.7") == (first, False)
    second, compiled = make(tmp_path, "VERSION=7.7.8")
    assert compiled and b"7.7.8" in second and b"7.7.7" not in second
    assert make(tmp_path, "VERSION=7.7.8") == (second, False)
    # As are other flags.
    assert make(tmp_path, "VERSION=7.7.8", "CFLAGS=-O0 -g")[1]
