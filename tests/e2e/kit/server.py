"""A server process on a data directory: start, wait for what it says, digest, stop, start again."""
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from .secrets import HASH, Secrets

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("GROUPS_CHAT_BIN", "build/groups-chat"))
if not BINARY.is_absolute():
    BINARY = ROOT / BINARY

# How long anything may take before a test gives up; a sanitizer build may ask for more.
PATIENCE = float(os.environ.get("GROUPS_CHAT_TEST_PATIENCE", "60"))

# GCC 12's ThreadSanitizer holds signals back until the next call that it watches, and about once in
# a hundred starts loses the first. There SIGUSR1 may be sent again; elsewhere once is enough.
SIGNAL_PATIENCE = [PATIENCE]
if BINARY.exists() and b"__tsan_init" in BINARY.read_bytes():
    SIGNAL_PATIENCE = [2, 2, PATIENCE]

# Tests that are not about these run without them.
QUIET = {
    "--listen": "127.0.0.1:0",
    "--password-cost": "min",
    "--register-rate": "0",
    "--rpc-rate": "0",
    "--user-rate": "0",
    "--address-rate": "0",
    "--login-fail-address": "0",
    "--presence-group-max": "0",
}

SANITIZER = re.compile(r"(Address|Leak|Thread)Sanitizer|runtime error:|a contract was broken")
LISTENING = re.compile(r"^groups-chat \S+ listening on http://(\S+):(\d+)$")
APP_LISTENING = re.compile(r"^for (?:the app's own server|metrics): listening on http://(\S+)$")
DIGEST = re.compile(r"^digest (\d+) ([0-9a-f]{64})$")


def clean_environment(extra=None):
    """The environment without the options that the person who runs the tests may have set."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GROUPS_CHAT_")}
    env.update(extra or {})
    return env


def run(arguments, env=None, cwd=None):
    """Runs the binary to its end: for options, refusals and tools."""
    done = subprocess.run([BINARY, *arguments], env=clean_environment(env), cwd=cwd, text=True,
                          capture_output=True, timeout=PATIENCE, errors="replace")
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


class Lines:
    """The lines of a pipe, as they come; waiting for one of them has a deadline."""

    def __init__(self, pipe):
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._pump, args=(pipe,), daemon=True)
        self.thread.start()

    def _pump(self, pipe):
        with pipe:
            for line in pipe:
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def find(self, pattern, start=0):
        for line in self.lines[start:]:
            found = pattern.search(line)
            if found:
                return found
        return None

    def wait(self, pattern, start=0, patience=PATIENCE):
        """The match in the first line from number `start` on; None where the pipe ends first."""
        with self.changed:
            self.changed.wait_for(lambda: self.find(pattern, start) or self.ended, patience)
            return self.find(pattern, start)

    def text(self):
        return "\n".join(self.lines)


class Server:
    """One server at a time on one directory. `options` are flags and values, over QUIET; a list
    gives its flag more than once."""

    def __init__(self, data, options=None, env=None, quiet=True):
        self.data = Path(data)
        self.options = dict(QUIET if quiet else {})
        self.options.update(options or {})
        self.env = env
        self.through = []  # a command that becomes the server, as prlimit does
        self.process = None
        self.out = None
        self.err = None
        self.host = None
        self.port = None
        self.address = None
        self.app_address = None  # with --api-key-file or --admin-listen
        self.closeables = []
        self.secrets = Secrets()

    def arguments(self):
        words = ["--data", str(self.data)]
        for flag, value in self.options.items():
            for one in value if isinstance(value, list) else [value]:
                words += [flag, str(one)]
        return words

    def start(self, patience=PATIENCE):
        """Waits until it serves: a long journal is replayed before, and may need more patience."""
        self.launch()
        return self.wait_listening(patience)

    def launch(self):
        """Starts it, and waits for nothing."""
        assert self.process is None, "started twice"
        self.process = subprocess.Popen(
            [*self.through, BINARY, *self.arguments()], env=clean_environment(self.env), text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    def wait_listening(self, patience=PATIENCE):
        """Until it says that it serves, which it does not before it has read its journal."""
        listening = self.out.wait(LISTENING, patience=patience)
        if not listening:
            code = self.process.wait(PATIENCE)
            self.err.thread.join(PATIENCE)
            self.process = None
            raise AssertionError(f"the server did not start: exit {code}\n{self.err.text()}")
        self.host, self.port = listening.group(1), int(listening.group(2))
        self.address = f"{self.host}:{self.port}"
        self.learn_keys()
        if "--api-key-file" in self.options or "--admin-listen" in self.options:
            self.app_address = self.out.wait(APP_LISTENING).group(1)
        return self

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Waits for the end; the exit code. Whatever a sanitizer said is a failure."""
        code = self.process.wait(PATIENCE)
        self.out.thread.join(PATIENCE)
        self.err.thread.join(PATIENCE)
        self.process = None
        assert not SANITIZER.search(self.err.text()), self.err.text()
        self.check_lines()
        return code

    def learn_keys(self):
        self.secrets.learn_key(self.data / "key", "the signing key")
        for flag, value in self.options.items():
            if flag.endswith("-key-file"):
                self.secrets.learn_key(Path(value), f"the key of {flag}", text=True)

    def check_lines(self):
        """No line that it has written holds a secret."""
        self.learn_keys()
        for name, lines in ("stderr", self.err), ("stdout", self.out):
            self.secrets.check(name, lines.text(), [HASH])

    def check_files(self):
        """Neither do its files, nor what the tools print of them."""
        self.learn_keys()
        self.secrets.check_files(self.data)
        for options in [], ["--texts", "--json"]:
            dump = run(["journal", "dump", str(self.data), *options])
            assert dump.returncode in (0, 3), dump.stderr
            self.secrets.check("the dump", dump.stdout + dump.stderr, [HASH])

    def stop(self, number=signal.SIGTERM):
        """Ends it with this signal and checks that it ended as that signal asks."""
        assert self.process.poll() is None, f"the server is dead:\n{self.err.text()}"
        self.send_signal(number)
        code = self.wait()
        expected = -signal.SIGKILL if number == signal.SIGKILL else 0
        assert code == expected, f"exit {code} instead of {expected}\n{self.err.text()}"

    def restart(self, number=signal.SIGTERM):
        self.close_clients()
        self.stop(number)
        return self.start()

    def digest(self):
        """(cursor, digest) of the model as of now."""
        seen = len(self.out.lines)
        for patience in SIGNAL_PATIENCE:
            self.send_signal(signal.SIGUSR1)
            found = self.out.wait(DIGEST, seen, patience)
            if found:
                return int(found.group(1)), found.group(2)
        raise AssertionError(f"no digest\n{self.out.text()}\n{self.err.text()}")

    def check_replay(self, number):
        """The rule of the house: what a restart replays is exactly what was there."""
        self.close_clients()
        before = self.digest()
        self.stop(number)
        self.start()
        assert self.digest() == before
        self.stop()
        self.check_files()

    def abandon(self):
        """Ends it without a question, where a test has failed already."""
        self.close_clients()
        if self.process:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None

    def keep(self, closeable):
        """Something to close before the server stops."""
        self.closeables.append(closeable)
        return closeable

    def close_clients(self):
        while self.closeables:
            self.closeables.pop().close()

    def http(self, path):
        return f"http://{self.address}{path}"

    def ws(self, path):
        return f"ws://{self.address}{path}"
