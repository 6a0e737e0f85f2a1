"""Starts and ends what the benchmark measures: servers on one core, the generator on another."""

import contextlib
import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[1 % len(CORES)]
START_TIMEOUT_S = 120
SERVER_OPTIONS = [
    ("--listen", "127.0.0.1:0"),
    ("--password-cost", "min"),
    ("--password-queue", "65536"),
    ("--register-rate", "0"),
    ("--send-rate", "0"),
    ("--rpc-rate", "0"),
    ("--user-rate", "0"),
    ("--address-rate", "0"),
    ("--address-connections-max", "0"),
    ("--ping-interval", "3600"),
]


class Failed(Exception):
    """A case that could not be measured."""


def child_setup(*cores, idle=False):
    """What a child does before exec: dies with us, all descriptors, its cores, and, where it is
    idle, only what these leave: whoever else wakes up on its core goes first, at once."""
    libc = ctypes.CDLL(None)

    def run():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        os.sched_setaffinity(0, cores)
        if idle:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    return run


class Server:
    """A server process, ours or the floor; ready when the constructor returns."""

    def __init__(self, args, log, cores=(SERVER_CORE,)):
        self.log = log
        with open(log, "ab") as err:
            started = time.monotonic()
            self.process = subprocess.Popen(
                [str(a) for a in args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                preexec_fn=child_setup(*cores),
            )
        try:
            self.port = self._ready(started + START_TIMEOUT_S)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        self.start_s = time.monotonic() - started
        self.pid = self.process.pid

    def _ready(self, until):
        text = b""
        while b"http://" not in text or b"\n" not in text.split(b"http://", 1)[1]:
            left = max(0, until - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed(f"{self.process.args[0]} did not say that it listens")
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                tail = Path(self.log).read_text(errors="replace")[-500:]
                raise Failed(f"{self.process.args[0]} ended before it was ready: {tail}")
            text += more
        url = text.split(b"http://", 1)[1].split()[0].rstrip(b"/")
        return int(url.rsplit(b":", 1)[1])

    def pss(self):
        """Bytes of its memory, once two looks in a row agree (or after three seconds)."""
        last, until = -1, time.monotonic() + 3
        while True:
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    now = int(line.split()[1]) * 1024
            if now == last or time.monotonic() > until:
                return now
            last = now
            time.sleep(0.2)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Disturbance:
    """How much of the two cores went to others than this process and its children, which are on no
    other core and must have ended when share() is asked."""

    def __init__(self):
        os.sched_setaffinity(0, {LOAD_CORE})
        self.start = self._read()

    def _read(self):
        busy = 0
        for line in Path("/proc/stat").read_text().splitlines():
            fields = line.split()
            if fields[0] in (f"cpu{SERVER_CORE}", f"cpu{LOAD_CORE}"):
                user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[1:9])
                busy += user + nice + system + irq + softirq + steal
        used = os.times()
        return time.monotonic(), busy / os.sysconf("SC_CLK_TCK") - sum(used[:4])

    def share(self):
        now, others = self._read()
        cores = len({SERVER_CORE, LOAD_CORE})
        return max(0.0, (others - self.start[1]) / (now - self.start[0]) / cores)


def values(text):
    """Lines of "name value" as a dict."""
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


class Bench:
    """What all cases share: binaries, a place on the disk, how long to measure."""

    def __init__(self, options):
        self.options = options
        self.bin = Path(options.build)
        self.server = options.server or self.bin / "groups-chat"
        for left in (self.bin / "bench").glob("run-*"):  # by a run that was killed
            if not Path("/proc", left.name[4:]).exists():
                shutil.rmtree(left, ignore_errors=True)
        self.tmp = self.bin / "bench" / f"run-{os.getpid()}"
        self.tmp.mkdir(parents=True, exist_ok=True)
        self.log = self.bin / "bench" / "servers.log"
        self.log.write_bytes(b"")
        self.plans = 0

    def close(self):
        shutil.rmtree(self.tmp, ignore_errors=True)

    def fresh_dir(self):
        shutil.rmtree(self.tmp, ignore_errors=True)
        self.tmp.mkdir(parents=True)
        return self.tmp / "data"

    def ours(self, data, fsync=None, more=(), cores=(SERVER_CORE,)):
        args = [self.server, "--data", data, "--fsync", fsync or self.options.fsync]
        for flag, value in SERVER_OPTIONS:
            args += [flag, value]
        return Server([*args, *more, *self.options.server_args.split()], self.log, cores)

    def floor(self, *args):
        return Server([self.bin / "bench/floor", *args], self.log)

    def plan(self, lines):
        self.plans += 1
        path = self.tmp / f"plan-{self.plans}"
        path.write_text("\n".join(lines) + "\n")
        return path

    def load(self, server, plan, *args, seconds=None, warm_up=1):
        """One run of the generator; returns its figures."""
        seconds = self.options.seconds if seconds is None else seconds
        args = ["--plan", plan, "--port", server.port, "--pid", server.pid, *args]
        args += ["--seconds", seconds, "--warm-up", warm_up]
        try:
            done = subprocess.run(
                [str(a) for a in [self.bin / "bench/load", *args]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds + warm_up + 120,
                preexec_fn=child_setup(LOAD_CORE),
            )
        except subprocess.TimeoutExpired as e:
            raise Failed("the load generator did not end") from e
        if done.returncode != 0:
            raise Failed(f"the load generator: {done.stderr.strip()[-500:]}")
        return values(done.stdout)

    @contextlib.contextmanager
    def _beside(self, server, plan, what, says):
        """A generator that runs until its standard input ends."""
        args = [self.bin / "bench/load", what, "--plan", plan, "--port", server.port]
        process = subprocess.Popen(
            [str(a) for a in args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=child_setup(LOAD_CORE),
        )
        try:
            if not select.select([process.stdout], [], [], START_TIMEOUT_S)[0]:
                raise Failed("the connections did not open")
            if not process.stdout.readline().startswith(says):
                raise Failed(f"the load generator: {process.stderr.read().decode()[-500:]}")
            yield process
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()

    def witness(self, during):
        """What the machine adds to the rounds of a process that only counts, while `during` runs."""
        process = subprocess.Popen(
            [self.bin / "bench/witness"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=child_setup(*CORES),
        )
        try:
            during()
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        return values(out)

    @contextlib.contextmanager
    def traffic(self, server, plan, rate):
        """So many messages a second for the time of the with statement."""
        args = [self.bin / "bench/load", "--plan", plan, "--port", server.port, "--pid", server.pid]
        args += ["--rate", rate, "--seconds", 600, "--warm-up", 0]
        process = subprocess.Popen(
            [str(a) for a in args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=child_setup(LOAD_CORE),
        )
        try:
            yield
            if process.poll() is not None:
                raise Failed("the load generator ended early")
        finally:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def unkind(self, server, path):
        """Peers that behave badly, for the time of the with statement."""
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("unkind.py"), str(server.port), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=child_setup(LOAD_CORE, idle=True),
        )
        try:
            if process.stdout.readline() != b"unkind\n":
                raise Failed("the unkind peers did not start")
            yield
            if process.poll() is not None:
                raise Failed("the unkind peers ended early")
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def resting(self, server, plan):
        """Connections that are there for the time of the with statement."""
        return self._beside(server, plan, "--rest", b"resting")

    def pings(self, server, plan, during):
        """The figures of a connection that is pinged while `during` runs."""
        with self._beside(server, plan, "--ping", b"pinging") as process:
            during()
            out, err = process.communicate(timeout=60)
            if process.returncode != 0:
                raise Failed(f"the load generator: {err.decode()[-500:]}")
        return values(out.decode())
