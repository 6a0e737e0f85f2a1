#!/usr/bin/python3
"""Prints which lines the tests have run, and which not.

    tests/check/coverage.py OBJECTS [LEAST]

OBJECTS is the tree of objects that gcc has built with --coverage, with what runs of them have left
(.gcda files). A table a room, then every line that was never run; ends with 1 where a room has less
than LEAST per cent.
"""

import collections
import json
import subprocess
import sys
from pathlib import Path

ROOMS = {"log/": "log", "src/model/": "model", "src/net/": "net", "src/auth/": "auth",
         "src/base/": "base"}


def room_of(path):
    return next((room for start, room in ROOMS.items() if path.startswith(start)), None)


def reports(objects):
    """What gcov says of each object, one after the other."""
    notes = [str(path.resolve()) for path in sorted(objects.rglob("*.gcno"))
             if room_of(str(path.relative_to(objects)))]
    done = subprocess.run(["gcov", "--json-format", "--stdout", *notes], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def count(objects):
    """How often each line of each file was run: the sum over all that it was compiled into."""
    files = collections.defaultdict(collections.Counter)
    for report in reports(objects):
        for file in report["files"]:
            if room_of(file["file"]):
                for line in file["lines"]:
                    files[file["file"]][line["line_number"]] += line["count"]
    return files


def ranges(numbers):
    """3-5 7: the numbers of lines, in order."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def main():
    objects = Path(sys.argv[1])
    least = float(sys.argv[2]) if len(sys.argv) > 2 else 0
    files = count(objects)
    rooms = collections.defaultdict(lambda: [0, 0])
    for name, lines in files.items():
        rooms[room_of(name)][0] += len(lines)
        rooms[room_of(name)][1] += sum(count > 0 for count in lines.values())
    print("room      lines    run  per cent")
    for room in ROOMS.values():
        total, run = rooms[room]
        print(f"{room:8} {total:6} {run:6}  {100 * run / max(total, 1):8.2f}")
    print("\nnever run:")
    for name, lines in sorted(files.items()):
        missing = sorted(number for number, count in lines.items() if count == 0)
        if missing:
            print(f"  {name}: {ranges(missing)}")
    return any(100 * run < least * total or total == 0 for total, run in rooms.values())


if __name__ == "__main__":
    sys.exit(main())
