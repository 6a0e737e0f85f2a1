"""README.md's walk-through and what docs/ has for curl, as they stand there: each shell line is run,
each answer compared."""
import json
import os
import re
import signal
import subprocess

import pytest

from kit.checks import UUID4
from kit.server import PATIENCE, ROOT

BASE = "http://127.0.0.1:3000"
HEADING = "## Walk-through"
MARK = "---- end of a block ----"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
ANY_UUID = re.compile(UUID4.pattern)


def section():
    """The text of the walk-through, from its heading to the next of its rank."""
    text = (ROOT / "README.md").read_text()
    assert f"{HEADING}\n" in text, f"README.md has no section {HEADING!r}"
    return text.split(f"{HEADING}\n", 1)[1].split("\n## ", 1)[0]


def blocks(text):
    """(shell lines, the JSON texts that they are said to print) in order."""
    found = []
    for language, body in FENCE.findall(text):
        if language == "sh":
            found.append((body, ""))
        elif language == "json":
            found[-1] = (found[-1][0], found[-1][1] + body)
    return found


def json_texts(text):
    """The JSON texts in what curl and grep print: one behind the other, with or without line
    ends."""
    decoder, values, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        values.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return values


class Names:
    """Which id of the README is which id of this run: always the same, and never two for one."""

    def __init__(self):
        self.there = {}
        self.here = {}

    def same(self, there, here):
        return (self.there.setdefault(there, here) == here and
                self.here.setdefault(here, there) == there)


def alike(told, got, names):
    """Equal but for ids, tokens and times, which must be of the same kind."""
    if isinstance(told, dict) and isinstance(got, dict):
        return list(told) == list(got) and all(alike(told[k], got[k], names) for k in told)
    if isinstance(told, list) and isinstance(got, list):
        return len(told) == len(got) and all(alike(a, b, names) for a, b in zip(told, got))
    if isinstance(told, str) and isinstance(got, str):
        ids = ANY_UUID.findall(told), ANY_UUID.findall(got)
        if len(ids[0]) == len(ids[1]) and ids[0]:
            return (ANY_UUID.sub("", told) == ANY_UUID.sub("", got) and
                    all(names.same(a, b) for a, b in zip(*ids)))
        return told == got or bool(TOKEN.fullmatch(told) and TOKEN.fullmatch(got))
    if type(told) is int and type(got) is int:
        return told == got or min(told, got) > 10 ** 12
    return told == got


def run_shell(script, directory):
    """(exit code, stdout, stderr) of the script; what it left in the background ends too."""
    env = {**os.environ, "TMPDIR": str(directory), "PATH": "/usr/bin:" + os.environ["PATH"],
           "no_proxy": "*"}
    shell = subprocess.Popen(["bash", "-c", script], env=env, text=True, start_new_session=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = shell.communicate(timeout=2 * PATIENCE)
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return shell.returncode, out, err


def follow(server, tmp_path, found):
    """Runs the blocks in one shell; each prints what is said behind it."""
    script = "set -eu\n" + "".join(f"{lines}\nprintf '\\n%s\\n' '{MARK}'\n" for lines, _ in found)
    script = script.replace(BASE, server.http(""))
    code, out, err = run_shell(script, tmp_path)
    assert code == 0, out + err
    outputs = out.split(f"\n{MARK}\n")
    assert len(outputs) == len(found) + 1 and outputs[-1] == ""
    names = Names()
    for (lines, told), got in zip(found, outputs):
        wanted = json_texts(told.replace(BASE[7:], server.address))
        given = json_texts(got)
        assert len(wanted) == len(given), f"{lines}\nprints\n{got}\nand not\n{told}"
        for one, other in zip(wanted, given):
            assert alike(one, other, names), f"{lines}\nprints\n{got}\nand not\n{told}"


def test_the_walk_through(server, tmp_path):
    found = blocks(section())
    assert len(found) > 5 and sum(bool(told) for _, told in found) > 5
    follow(server, tmp_path, found)


CURL = re.compile(r"\bcurl +(-|http|\"?\$)")
DOCS = [path for path in sorted((ROOT / "docs").glob("*.md")) if CURL.search(path.read_text())]
assert DOCS, "no file of docs/ has a line for curl"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_what_the_docs_have_for_curl(server, tmp_path, path):
    text = path.read_text()
    found = [(lines, told) for lines, told in blocks(text) if CURL.search(lines)]
    # No line stands elsewhere, where nobody would run it.
    assert len(CURL.findall(text)) == sum(len(CURL.findall(lines)) for lines, _ in found) > 0
    follow(server, tmp_path, found)
