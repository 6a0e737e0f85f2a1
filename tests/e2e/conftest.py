"""Fixtures of the end-to-end tests. Every test of them ends with a restart of its server on the
same directory and a comparison of digests."""
import itertools
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from kit.app import key_file  # noqa: E402
from kit.chat import Chat  # noqa: E402
from kit.people import Rest, User  # noqa: E402
from kit.server import BINARY, Server  # noqa: E402

ENDINGS = itertools.cycle([signal.SIGTERM, signal.SIGKILL])


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there; run make first", returncode=2)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets a fixture know whether its test has failed."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


@pytest.fixture
def new_server(request, tmp_path):
    """Makes servers: new_server(name="data", env={}, **options), option names with underscores."""
    servers = []

    def make(name="data", env=None, start=True, quiet=True, **options):
        flags = {"--" + key.replace("_", "-"): value for key, value in options.items()}
        server = Server(tmp_path / name, flags, env, quiet)
        servers.append(server)
        return server.start() if start else server

    yield make
    if getattr(request.node, "failed", True):
        for server in servers:
            if server.err:
                print(f"---- stderr of {server.data}\n{server.err.text()}")
            server.abandon()
        return
    try:
        for server in servers:
            if server.process:
                server.check_replay(next(ENDINGS))
    finally:
        for server in servers:
            server.abandon()


@pytest.fixture(scope="module")
def shared_server(request, tmp_path_factory):
    """One server for all tests of a module whose cases do not disturb each other. Its options are
    the module's OPTIONS, where it has some, with underscores; api_key_file is a name, and a key is
    made there."""
    directory = tmp_path_factory.mktemp("shared")
    options = {"--" + key.replace("_", "-"): value
               for key, value in getattr(request.module, "OPTIONS", {}).items()}
    if "--api-key-file" in options:
        options["--api-key-file"] = directory / options["--api-key-file"]
        key_file(options["--api-key-file"])
    shared = Server(directory / "data", options)
    try:
        yield shared.start()
        shared.check_replay(next(ENDINGS))
    finally:
        shared.abandon()


@pytest.fixture(scope="module")
def shared_rest(shared_server):
    client = Rest(shared_server)
    yield client
    client.close()


@pytest.fixture(scope="module")
def chat(shared_server, shared_rest):
    """A group on the shared server, with a sender and a hearer; the hearer is told what was sent and
    nothing else."""
    made = Chat(shared_server, shared_rest)
    yield made
    made.heard_nothing_else()


@pytest.fixture
def connection(chat):
    """A connection of the sender's."""
    made = chat.connect()
    yield made
    made.close()


@pytest.fixture
def server(new_server):
    return new_server()


@pytest.fixture
def rest(server):
    client = Rest(server)
    yield client
    client.close()


@pytest.fixture
def people(rest):
    """people(3): three registered users; people("anna"): one of that name."""
    def make(*names, count=None):
        return [User(rest, name) for name in (names or [None] * count)]

    return make


def pytest_make_parametrize_id(config, val, argname):
    """Short names: pytest puts a test's name into the environment, which has a limit."""
    if isinstance(val, (str, bytes)) and len(val) > 40:
        return f"{argname}-of-{len(val)}"
    return None
