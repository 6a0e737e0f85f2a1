"""What make makes anew, and how it runs tests."""
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


def each(*commands, limit=300):
    done = subprocess.run(["sh", ROOT / "tests/each.sh", *commands], text=True, capture_output=True, timeout=300,
                          env={**os.environ, "LIMIT": str(limit), "JOBS": "2"})
    return done.returncode, done.stdout


def test_each_is_run(tmp_path):
    code, said = each(*(f"touch {tmp_path / name}" for name in "abcde"))
    assert code == 0 and sorted(path.name for path in tmp_path.iterdir()) == list("abcde")
    assert said.count("== touch ") == 5


def test_what_fails_is_named():
    code, said = each("true", "ls /there/is/nothing", "echo well")
    assert code != 0 and "== failed with 2: ls /there/is/nothing" in said
    assert "No such file" in said


def test_what_hangs_is_ended_and_named():
    code, said = each("tail -f /dev/null", limit=1)
    assert code != 0 and "sending signal ABRT to command" in said
    assert "== failed with 124: tail -f /dev/null" in said
