#!/usr/bin/env python3
"""Measures groups-chat against the floor, in one run, and prints both and the ratio.

Server and load generator have a core each. A case runs floor, ours, floor, ours, and so on; what is
printed are the medians, the ratio of the medians, and the smallest and largest ratio of a round.
"must" and "goal" are the bounds that the project has set itself.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from cases import (
    DiskBytes, JournalAlone, Latency, Load, Replay, Resting, Start, StateBytes, Traffic,
    Turn, Unkind, cpu_per_delivery, sends_per_second,
)
from processes import CORES, Bench, Disturbance, Failed

NS = {"unit": "ns CPU a delivery", "better": "low"}
RATE = {"unit": "acknowledged a second", "better": "high"}
BYTES = {"unit": "bytes a connection", "better": "low"}

CASES = [
    Traffic("fan-out-1x1000", 1, 1000, 8, cpu_per_delivery,
            what="fan-out 1 x 1000", must=1.5, goal=1.15, **NS),
    Traffic("fan-out-100x10", 100, 10, 8, cpu_per_delivery,
            what="fan-out 100 x 10", must=1.5, goal=1.15, **NS),
    Traffic("fan-out-10x100", 10, 100, 8, cpu_per_delivery,
            what="fan-out 10 x 100", must=1.5, goal=1.15, **NS),
    Traffic("fan-out-1000x2", 1000, 2, 8, cpu_per_delivery,
            what="fan-out 1000 x 2", must=2.5, goal=1.5, **NS),
    Traffic("one-in-flight-100x10", 100, 10, 1, cpu_per_delivery,
            what="100 x 10, one in flight", must=1.4, goal=1.1, **NS),
    Traffic("durable-64", 100, 2, 64, sends_per_second,
            what="100 pairs, 64 in flight", must=0.15, goal=0.35, **RATE),
    Traffic("durable-1", 100, 2, 1, sends_per_second,
            what="100 pairs, one in flight", must=0.6, goal=0.85, **RATE),
    Latency("latency", 100, 10, 20000,
            what="20,000 deliveries a second", unit="us, p50", better="low", must=3, goal=1),
    Unkind("unkind", 100, 10, 5000,
           what="beside unkind peers", unit="us, p50", better="low", must=2, goal=1.2),
    Resting("resting-5000", 5000,
            what="5,000 at rest", must=1024, goal=320, **BYTES),
    Resting("resting-15000", 15000,
            what="15,000 at rest", must=1024, goal=320, **BYTES),
    Replay("replay", 300000,
           what="start-up", unit="records a second", better="high", must=0.2, goal=0.3),
    Load("snapshot-load", 300000,
         what="start-up, from a snapshot", unit="records a second", better="high",
         must=0.4, goal=0.7),
    JournalAlone("log-100", 100,
                 what="log/ alone, batches of 100", unit="records a second", better="high",
                 must=0.6, goal=0.9),
    JournalAlone("log-1000", 1000,
                 what="log/ alone, batches of 1000", unit="records a second", better="high",
                 must=0.6, goal=0.9),
    DiskBytes("disk-bytes",
              what="journal beyond the text", unit="bytes a message", better="low",
              must=120, goal=80),
    StateBytes("state-message", "message",
               what="a message beyond its text", unit="bytes of memory", better="low",
               must=128, goal=96),
    StateBytes("state-membership", "membership",
               what="a membership", unit="bytes of memory", better="low", must=384, goal=256),
    StateBytes("state-group", "group",
               what="a group without members", unit="bytes of memory", better="low",
               must=768, goal=512),
    StateBytes("state-user", "user",
               what="a user without a session", unit="bytes of memory", better="low",
               must=768, goal=512),
]

# Minutes each and gigabytes of memory: only where they are named.
LARGE = [
    Turn("large-turn", 10_000_000,
         what="10 million, a snapshot", unit="us, p99.9 of turns", better="low", must=2, goal=1),
    Start("large-start", 10_000_000,
          what="10 million, from a snapshot", unit="seconds", better="low", must=15, goal=5),
]


# ---- the table ----------------------------------------------------------------------------------

COLUMNS = "{:<27} {:<22} {:>11} {:>11} {:>8} {:>15} {:>8} {:>8}  {}"


DISTURBED = 0.05  # a share of the cores that others may have before the table says so


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"


def print_head():
    print(COLUMNS.format("", "", "ours", "floor", "ratio", "(of a round)", "must", "goal", ""))


def print_line(case, result):
    sign = "<=" if case.better == "low" else ">="
    alone = isinstance(case, (Resting, DiskBytes, Start, StateBytes))
    ratio = "" if alone else f"{result['value']:.2f}"
    spread = "" if alone else f"{result['low']:.2f} to {result['high']:.2f}"
    bounds = [f"{sign} {bound:,g}" for bound in (case.must, case.goal)]
    print(
        COLUMNS.format(
            case.what, case.unit, number(result["ours"]), number(result["floor"]), ratio, spread,
            *bounds, result["verdict"],
        )
    )
    if "note" in result:
        print(f"{'':<27} ({result['note']})")
    if result["others"] > DISTURBED:
        print(f"{'':<27} (disturbed: others took {result['others']:.0%} of the two cores)")
    sys.stdout.flush()


def machine():
    cpu = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return f"Linux {os.uname().release}, {len(CORES)} cores, {cpu}"


def options_read():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("cases", nargs="*", help="names, or the start of names; none: all")
    p.add_argument("--list", action="store_true", help="print the cases' names")
    p.add_argument("--build", default="build", help="where the binaries are")
    p.add_argument("--server", help="another groups-chat than that of the build")
    p.add_argument("--server-args", default="", help="more options for it")
    p.add_argument("--fsync", default="always", help="its --fsync")
    p.add_argument("--rounds", type=int, default=None, help="of floor and ours each [3]")
    p.add_argument("--seconds", type=int, default=None, help="of measuring a run [3]")
    p.add_argument("--quick", action="store_true", help="one round of one second")
    p.add_argument("--strict", action="store_true", help='exit 1 where a "must" is missed')
    options = p.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def chosen(names):
    picked = set()
    for name in names:
        fitting = {c for c in CASES + LARGE if c.name == name}
        fitting = fitting or {c for c in CASES + LARGE if c.name.startswith(name)}
        if not fitting:
            sys.exit(f"no case starts with {name}; --list prints them")
        picked |= fitting
    return [c for c in CASES + LARGE if c in picked] if names else CASES


def interrupted(signum, _frame):
    raise SystemExit(128 + signum)


def main():
    options = options_read()
    cases = chosen(options.cases)
    if options.list:
        print("\n".join(c.name for c in (cases if options.cases else CASES + LARGE)))
        return 0
    signal.signal(signal.SIGTERM, interrupted)
    bench = Bench(options)
    results, failed, missed = {}, 0, 0
    print(f"{machine()}; --fsync {options.fsync}, {options.rounds} rounds of {options.seconds} s")
    if len(CORES) < 2:
        print("only one core: server and load generator share it, the figures say little")
    print_head()
    try:
        for case in cases:
            disturbance = Disturbance()
            try:
                result = case.run(bench)
            except (Failed, RuntimeError, OSError, subprocess.CalledProcessError) as e:
                print(f"{case.what:<27} FAILED: {e}", flush=True)
                failed += 1
                continue
            result["others"] = disturbance.share()
            result["verdict"] = case.verdict(result["value"])
            missed += result["verdict"] == "MISS"
            results[case.name] = result
            print_line(case, result)
    finally:
        bench.close()
    out = bench.bin / "bench" / "results.json"
    when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    out.write_text(json.dumps({"when": when, "machine": machine(), "cases": results}, indent=1))
    print(f"every run is in {out}")
    return 1 if failed or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
