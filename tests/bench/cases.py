"""What the benchmark measures: a class a kind of case, each with our figure and the floor's."""

import json
import os
import signal
import socket
import statistics
import subprocess
import time

import people
from processes import CORES, LOAD_CORE, SERVER_CORE, child_setup, values

def cpu_per_delivery(figures):
    return figures["cpu_ns"] / figures["deliveries"]


def sends_per_second(figures):
    return figures["sends"] / figures["wall_ns"] * 1e9


def fdatasync_us(where, count=400):
    """The median of writing and syncing 4 KiB of a preallocated file in an idle process."""
    block, size, took = b"x" * 4096, 4 << 20, []
    path = where / "sync-probe"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        os.pwrite(fd, bytes(size), 0)
        os.fsync(fd)
        for i in range(count):
            start = time.perf_counter_ns()
            os.pwrite(fd, block, i * len(block) % size)
            os.fdatasync(fd)
            took.append((time.perf_counter_ns() - start) / 1000)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(took)


def used_bytes(path):
    """Bytes of a file without the zeros that it ends with."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while size > 0:
            start = max(0, size - (1 << 20))
            file.seek(start)
            chunk = file.read(size - start).rstrip(b"\0")
            if chunk:
                return start + len(chunk)
            size = start
    return 0


def journal_files(data):
    return sorted((data / "journal").glob("*.log"))


def journal_bytes(data):
    return sum(used_bytes(f) for f in journal_files(data))


class Case:
    """One line of the table. `better` is "low" or "high"; must and goal bound the ratio (or, where
    there is no floor, the figure itself)."""

    def __init__(self, name, what, unit, better, must, goal):
        self.name, self.what, self.unit, self.better = name, what, unit, better
        self.must, self.goal = must, goal

    def verdict(self, value):
        if self.must is None:
            return ""
        ok = (lambda bound: value <= bound) if self.better == "low" else (lambda b: value >= b)
        return "goal" if ok(self.goal) else "ok" if ok(self.must) else "MISS"

    def compared(self, ours, floor):
        """A result from a figure a round of each."""
        ratios = [o / f for o, f in zip(ours, floor)]
        return {
            "ours": statistics.median(ours),
            "floor": statistics.median(floor),
            "value": statistics.median(ours) / statistics.median(floor),
            "low": min(ratios),
            "high": max(ratios),
        }


class Traffic(Case):
    """Groups × members, K messages in flight a group: CPU a delivery, or sends a second."""

    def __init__(self, name, groups, members, in_flight, figure, **case):
        super().__init__(name, **case)
        self.groups, self.members, self.in_flight, self.figure = groups, members, in_flight, figure
        self.durable = figure is sends_per_second

    def run(self, bench):
        data = bench.fresh_dir()
        load = ["--in-flight", self.in_flight]
        with bench.ours(data) as ours:
            with people.Rest(ours.port) as rest:
                plan = bench.plan(people.plan_groups(rest, self.groups, self.members))
            before = journal_bytes(data)
            # Once through with every text checked, which also tells how large things are.
            probe = bench.load(ours, plan, *load, "--messages", 4096, "--verify", warm_up=0)
            sizes = ["--event", int(probe["event_len"]), "--ack", int(probe["ack_len"])]
            if self.durable:
                record = (journal_bytes(data) - before) / probe["sent_in_all"]
                sizes += ["--journal", bench.tmp / "floor-journal", "--record", int(record)]
            floor_plan = bench.plan(people.plan_floor(self.groups, self.members))
            with bench.floor(*sizes) as floor:
                return self.rounds(bench, (floor, floor_plan), (ours, plan), load)

    def rounds(self, bench, floor, ours, load):
        runs = {"floor": [], "ours": []}
        for _ in range(bench.options.rounds):
            runs["floor"].append(bench.load(*floor, *load))
            runs["ours"].append(bench.load(*ours, *load, "--verify"))
        result = self.compared(
            [self.figure(r) for r in runs["ours"]], [self.figure(r) for r in runs["floor"]]
        )
        result["runs"] = runs
        busy = {who: max(r["load_cpu_ns"] / r["wall_ns"] for r in runs[who]) for who in runs}
        if self.durable and max(busy.values()) > 0.95:
            result["note"] = (
                f"the load generator was {busy['ours']:.0%} busy with ours, {busy['floor']:.0%} "
                "with the floor: more might have been possible"
            )
        return result


class Latency(Case):
    """A fixed number of deliveries a second, whether answered or not."""

    def __init__(self, name, groups, members, rate, **case):
        super().__init__(name, **case)
        self.groups, self.members = groups, members
        self.sends = rate // (members - 1)

    def run(self, bench):
        data = bench.fresh_dir()
        load = ["--rate", self.sends]
        with bench.ours(data) as ours:
            with people.Rest(ours.port) as rest:
                plan = bench.plan(people.plan_groups(rest, self.groups, self.members))
            probe = bench.load(ours, plan, *load, "--verify", seconds=1, warm_up=0)
            sizes = ["--event", int(probe["event_len"]), "--ack", int(probe["ack_len"])]
            floor_plan = bench.plan(people.plan_floor(self.groups, self.members))
            with bench.floor(*sizes) as floor:
                runs = {"floor": [], "ours": [], "fdatasync": []}
                for _ in range(bench.options.rounds):
                    runs["fdatasync"].append(fdatasync_us(bench.tmp))
                    runs["floor"].append(bench.load(floor, floor_plan, *load))
                    runs["ours"].append(bench.load(ours, plan, *load, "--verify"))
        return self.result(runs)

    def result(self, runs):
        ours = [r["p50_us"] for r in runs["ours"]]
        floor = [r["p50_us"] for r in runs["floor"]]
        sync = statistics.median(runs["fdatasync"])
        excess = [(o - f) / sync for o, f in zip(ours, floor)]
        p99 = [statistics.median(r["p99_us"] for r in runs[who]) for who in ("ours", "floor")]
        return {
            "ours": statistics.median(ours),
            "floor": statistics.median(floor),
            "value": (statistics.median(ours) - statistics.median(floor)) / sync,
            "low": min(excess),
            "high": max(excess),
            "note": f"in fdatasyncs of {sync:.0f} us; p99 {p99[0]:.0f} and {p99[1]:.0f} us",
            "runs": runs,
        }


class Unkind(Case):
    """What those who behave notice of others who do not: the same rate with and without them. They
    have the load generator's core, but only while it wants nothing: so what is measured is what the
    server does for them first, and not what the generator waits for its core. The server has both:
    its loop may be busy with them, and its disk thread then goes to the other as it does elsewhere."""

    def __init__(self, name, groups, members, rate, **case):
        super().__init__(name, **case)
        self.groups, self.members = groups, members
        self.sends = rate // (members - 1)

    def run(self, bench):
        runs = {"alone": [], "beside": []}
        data = bench.fresh_dir()
        with bench.ours(data, cores=CORES) as ours:
            with people.Rest(ours.port) as rest:
                lines = people.plan_groups(rest, self.groups, self.members)
            plan, path = bench.plan(lines), lines[-1].split()[0]
            for _ in range(bench.options.rounds):
                runs["alone"].append(self.measure(bench, ours, plan, data))
                with bench.unkind(ours, path):
                    runs["beside"].append(self.measure(bench, ours, plan, data))
        beside, alone = ([r["p50_us"] for r in runs[who]] for who in ("beside", "alone"))
        result = self.compared(beside, alone)
        p99 = [statistics.median(r["p99_us"] for r in runs[who]) for who in ("beside", "alone")]
        took = [statistics.median(r["turns"]["wall_us"]["p999"] for r in runs[who])
                for who in ("beside", "alone")]
        result["note"] = (
            f"the floor is ours alone; p99 {p99[0]:.0f} and {p99[1]:.0f} us, of the server's turns "
            f"p99.9 {took[0]:.0f} and {took[1]:.0f} us"
        )
        result["runs"] = runs
        return result

    def measure(self, bench, server, plan, data):
        turns(data)
        figures = bench.load(server, plan, "--rate", self.sends, "--verify")
        return {**figures, "turns": turns(data)}


class Resting(Case):
    """Memory of connections that say nothing, their sessions included."""

    def __init__(self, name, count, **case):
        super().__init__(name, **case)
        self.count = count

    def run(self, bench):
        data = bench.fresh_dir()
        users = -(-self.count // people.SESSIONS_OF_A_USER)
        with bench.ours(data) as server:
            with people.Rest(server.port) as rest:
                tokens = [token for _, token in people.make_users(rest, users)]
                before = server.pss()
                each = [tokens[i % users] for i in range(self.count)]
                paths = people.make_sessions(rest, each)
            ours = self.per_connection(bench, server, before, people.plan_resting(paths))
        with bench.floor() as server:
            plan = people.plan_floor(1, self.count)
            floor = self.per_connection(bench, server, server.pss(), plan)
        return {"ours": ours, "floor": floor, "value": ours, "low": ours, "high": ours}

    def per_connection(self, bench, server, before, lines):
        with bench.resting(server, bench.plan(lines)):
            return (server.pss() - before) / self.count


class Replay(Case):
    """Start-up on a journal, against reading and hashing the same bytes."""

    GROUPS, MEMBERS = 100, 2

    def __init__(self, name, messages, **case):
        super().__init__(name, **case)
        self.messages = messages

    def run(self, bench):
        data = bench.fresh_dir()
        records = self.fill(bench, data)
        empty, ours, floor = [], [], []
        for i in range(bench.options.rounds):
            with bench.ours(bench.tmp / f"empty-{i}") as server:
                empty.append(server.start_s)
        for _ in range(bench.options.rounds):
            hashed = subprocess.run(
                [bench.bin / "bench/hashread", *self.files(data)],
                check=True,
                capture_output=True,
                text=True,
                preexec_fn=child_setup(SERVER_CORE),
            )
            floor.append(records / values(hashed.stdout)["ns"] * 1e9)
            with bench.ours(data) as server:
                ours.append(records / max(1e-9, server.start_s - statistics.median(empty)))
                server.stop(signal.SIGKILL)  # so that the next start finds the same bytes
        result = self.compared(ours, floor)
        size = sum(used_bytes(f) for f in self.files(data))
        result["note"] = f"{records} records, {size / records:.0f} bytes each"
        return result

    def fill(self, bench, data):
        """Writes the journal; returns its records. The server is killed, not ended: what it wrote
        is all that a start has to go by, whatever an orderly end may tidy up."""
        messages = min(self.messages, 30000) if bench.options.quick else self.messages
        with bench.ours(data, fsync="off") as server:
            with people.Rest(server.port) as rest:
                plan = bench.plan(people.plan_groups(rest, self.GROUPS, self.MEMBERS))
            load = ["--in-flight", 64, "--messages", messages, "--verify"]
            figures = bench.load(server, plan, *load, seconds=600, warm_up=0)
            self.filled(data)
            server.stop(signal.SIGKILL)
        users = self.GROUPS * self.MEMBERS
        return int(figures["sent_in_all"]) + users + users + self.GROUPS

    def filled(self, data):
        """Called when all is there and the server still runs."""

    def files(self, data):
        """What a start reads."""
        return journal_files(data)


def snapshot_files(data):
    return sorted((data / "journal").glob("*.snap"))


def ask(data, command):
    """What the server of a data directory answers through its control socket, behind "ok"."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(600)
        control.connect(os.path.relpath(data / "control"))
        control.sendall(command + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            more = control.recv(512)
            if not more:
                break
            answer += more
    if not answer.startswith(b"ok"):
        raise RuntimeError(f"{command.decode()}: {answer.decode(errors='replace')}")
    return answer[2:].strip()


def take_snapshot(data):
    """Returns when a snapshot is on disk."""
    ask(data, b"snapshot")


def turns(data):
    """How long the turns of the loop took since this was asked before."""
    return json.loads(ask(data, b"turns"))


class Load(Replay):
    """The same start from a snapshot."""

    def filled(self, data):
        take_snapshot(data)

    def files(self, data):
        # Behind the snapshot a start goes on in the newest segment, which it checks from its first
        # record on.
        return [*snapshot_files(data), journal_files(data)[-1]]


class Start(Case):
    """Seconds until the server is ready, with so many messages in a snapshot."""

    def __init__(self, name, messages, **case):
        super().__init__(name, **case)
        self.messages = messages

    def run(self, bench):
        data = bench.fresh_dir()
        fill = Load("", self.messages, what="", unit="", better="low", must=None, goal=None)
        records = fill.fill(bench, data)
        with bench.ours(data) as server:
            ours, memory = server.start_s, server.pss()
        result = {"ours": ours, "floor": ours, "value": ours, "low": ours, "high": ours}
        size = sum(f.stat().st_size for f in snapshot_files(data))
        result["note"] = (
            f"{records} records, {size / records:.0f} bytes each in the snapshot, "
            f"{memory / records:.0f} in memory"
        )
        return result


class Turn(Case):
    """How long the loop's turns become, p99.9, while people write, snapshots are written, segments
    roll and are deleted and a table grows, beyond those of a server that only answers pings.

    The server measures its turns itself. What counts is the processor time of its thread: three
    processes are busy then (the server, the child that writes, the load generator), and where there
    are two cores the wall's clock holds what the scheduler gave to the others. Both are told; a turn
    that forks is told apart. And a witness says what the machine adds to a process that only
    counts."""

    RATE = 2000
    AHEAD = 10000  # messages before the table of messages grows
    SEGMENT = 1 << 20

    def __init__(self, name, messages, **case):
        super().__init__(name, **case)
        self.messages = messages

    def before_growth(self):
        """So many messages, or somewhat more: the next table of 2^n slots grows at 5/8 of them
        (base/map), AHEAD messages later."""
        full = 40960
        while full < self.messages:
            full *= 2
        return full - self.AHEAD

    def run(self, bench):
        data = bench.fresh_dir()
        messages = self.before_growth()
        fill = Replay("", messages, what="", unit="", better="low", must=None, goal=None)
        records = fill.fill(bench, data)
        # No snapshot of its own accord; and the child that writes one has a core to go to, as it
        # has where a server is not pinned.
        more = ("--snapshot-after", "0", "--segment-size", self.SEGMENT)
        with bench.ours(data, more=more, cores=CORES) as server:
            with people.Rest(server.port) as rest:
                plan = bench.plan(people.plan_groups(rest, 1, 2, "turn"))
                send = bench.plan(people.plan_groups(rest, 10, 2, "turn-load"))
            seconds = bench.options.seconds * 2
            turns(data)
            pings_idle = bench.pings(server, plan, lambda: time.sleep(seconds))
            idle = turns(data)
            took = []

            def busy():
                with bench.traffic(server, send, self.RATE):
                    began = time.monotonic()
                    while len(took) < 2 or time.monotonic() - began < 2 * self.AHEAD / self.RATE:
                        start = time.monotonic()
                        take_snapshot(data)
                        took.append(time.monotonic() - start)

            before = len(journal_files(data))
            beside = {}
            pings = bench.pings(server, plan, lambda: beside.update(bench.witness(busy)))
            said = turns(data)
            deleted = before - len(journal_files(data))
        value = (said["cpu_us"]["p999"] - idle["cpu_us"]["p999"]) / 1000
        result = {"ours": said["cpu_us"]["p999"], "floor": idle["cpu_us"]["p999"], "value": value,
                  "low": value, "high": value,
                  "runs": {"idle": idle, "busy": said, "pings": [pings_idle, pings],
                           "witness": beside}}
        result["note"] = (
            f"in ms; {records} records, {said['turns']} turns, {len(took)} snapshots of up to "
            f"{max(took):.1f} s, {deleted} segments fewer; the longest turn by processor time "
            f"{said['cpu_us']['max'] / 1000:.2f} ms (idle {idle['cpu_us']['max'] / 1000:.2f}); by the "
            f"wall p99.9 {said['wall_us']['p999']} us (idle {idle['wall_us']['p999']}), the longest "
            f"{said['wall_us']['max'] / 1000:.2f} ms; the longest fork {said['fork_us'] / 1000:.1f} "
            f"ms; beside it a process that counts for {beside['work_us'] / 1000:.1f} ms took up to "
            f"{beside['cpu_max_us'] / 1000:.2f} ms of processor time, {beside['wall_max_us'] / 1000:.2f} "
            f"by the wall; pings p99.9 {pings['p999_apart_us']:.0f} us (idle {pings_idle['p999_us']:.0f})"
        )
        return result


class JournalAlone(Case):
    """Records a second through log/ alone, in batches."""

    def __init__(self, name, batch, **case):
        super().__init__(name, **case)
        self.batch = batch

    def run(self, bench):
        ours, floor = [], []
        for _ in range(bench.options.rounds):
            where = bench.fresh_dir()
            where.mkdir()
            floor.append(self.rate(bench, "--floor", where / "floor"))
            ours.append(self.rate(bench, "--dir", where))
        return self.compared(ours, floor)

    def rate(self, bench, how, where):
        args = [bench.bin / "bench/journal", how, where, "--batch", self.batch]
        done = subprocess.run(
            [str(a) for a in [*args, "--seconds", bench.options.seconds]],
            check=True,
            capture_output=True,
            text=True,
            preexec_fn=child_setup(SERVER_CORE),
        )
        figures = values(done.stdout)
        return figures["records"] / figures["ns"] * 1e9


class DiskBytes(Case):
    """Bytes of journal a message beyond its text."""

    TEXT, MESSAGES = 100, 20000

    def run(self, bench):
        data = bench.fresh_dir()
        with bench.ours(data) as server:
            with people.Rest(server.port) as rest:
                plan = bench.plan(people.plan_groups(rest, 100, 2))
            before = journal_bytes(data)
            load = ["--in-flight", 8, "--messages", self.MESSAGES]
            figures = bench.load(server, plan, *load, seconds=60, warm_up=0)
            value = (journal_bytes(data) - before) / figures["sent_in_all"] - self.TEXT
        return {"ours": value, "floor": value, "value": value, "low": value, "high": value}


class StateBytes(Case):
    """What a part of the state takes in memory: what a start has with it beyond a start without it,
    over how many of it there are. `of` is one of the PARTS.

    Messages go round the groups: as many as make tables of 2^n slots neither full nor just grown.
    All have a client_id, so all indexes count; texts and client_ids themselves do not."""

    USERS = GROUPS = 100_000
    MEMBERS = 10
    MESSAGES = 1_000_000
    # Each with the state that it is measured against.
    PARTS = {
        "user": ({"users": USERS}, {}),
        "membership": ({"users": USERS, "groups": GROUPS, "members": MEMBERS},
                       {"users": USERS, "groups": GROUPS, "members": 1}),
        "group": ({"users": USERS, "groups": GROUPS, "members": 1}, {"users": USERS}),
        "message": ({"users": USERS, "groups": GROUPS, "members": MEMBERS, "messages": MESSAGES},
                    {"users": USERS, "groups": GROUPS, "members": MEMBERS}),
    }

    def __init__(self, name, of, **case):
        super().__init__(name, **case)
        self.of = of

    def run(self, bench):
        bench.fresh_dir()
        (more, text), (less, _) = (self.memory(bench, part) for part in self.PARTS[self.of])
        count = {
            "user": self.USERS,
            "membership": self.GROUPS * (self.MEMBERS - 1),
            "group": self.GROUPS,
            "message": self.MESSAGES,
        }[self.of]
        value = (more - less - text) / count
        if self.of == "group":
            # Its one member is no part of it.
            value -= StateBytes("", "membership", what="", unit="", better="low", must=None,
                                goal=None).run(bench)["value"]
        return {"ours": value, "floor": value, "value": value, "low": value, "high": value}

    def memory(self, bench, state):
        """Bytes of a server with that state, and of the texts in it."""
        data = bench.fresh_dir()
        data.mkdir()
        args = [f"--{name}={count}" for name, count in state.items()]
        done = subprocess.run(
            [str(bench.bin / "bench/state"), "--dir", str(data), *args],
            check=True,
            capture_output=True,
            text=True,
            preexec_fn=child_setup(LOAD_CORE),
        )
        key = data / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
        with bench.ours(data) as server:
            return server.pss(), values(done.stdout)["text"]
