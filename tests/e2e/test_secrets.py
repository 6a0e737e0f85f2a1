"""No secret gets out. The kit looks for every password, token, messaging URL and the signing key in
all that any server of any test writes (kit/secrets.py); here, that this search finds what is put
there, and that a server that crashes leaves no memory behind."""
import os
import resource
import signal
import uuid

import pytest

from kit.people import Rest, User
from kit.secrets import PIECE, Secrets
from kit.socket import SEND


@pytest.fixture
def anna(people):
    return people("anna")[0]


def found(where, check, *arguments):
    """The search must find it there, and must not print it whole."""
    with pytest.raises(AssertionError, match=f"is in .*{where}"):
        check(*arguments)


def test_everything_handed_out_is_known(server, anna):
    device = anna.device()
    key = (server.data / "key").read_bytes()
    server.stop()
    known = server.secrets.known
    for secret in (anna.password.encode(), anna.token.encode(), anna.token.split(".")[2].encode(),
                   device.path[1:].encode(), uuid.UUID(device.path[1:]).bytes, key,
                   key.hex().encode()):
        assert secret in known
    server.start()


@pytest.mark.parametrize("what", ["password", "token", "url"])
def test_a_secret_in_a_message_is_found_in_the_files_and_in_the_dump(new_server, what):
    """What people write to each other is theirs: it is in the journal. Here it is the bait."""
    server = new_server()
    rest = server.keep(Rest(server))
    anna = User(rest, "anna")
    device = anna.device()
    socket = device.connect()
    bait = {"password": anna.password, "token": anna.token, "url": device.path}[what]
    socket.ok(SEND, {"group_id": anna.group(), "data": bait})
    server.close_clients()
    server.stop()
    found(r"\.log", server.check_files)
    server.secrets.check_files = lambda directory: None
    found("the dump", server.check_files)


@pytest.mark.parametrize("stream", ["out", "err"])
def test_a_secret_in_a_line_is_found(server, anna, stream):
    lines = getattr(server, stream)
    lines.lines.append(f"info  somebody came with {anna.token}")
    found("stdout" if stream == "out" else "stderr", server.check_lines)
    lines.lines[-1] = "info  $argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"
    found("stdout" if stream == "out" else "stderr", server.check_lines)
    lines.lines.pop()


def test_a_secret_in_an_answer_is_found(server, rest, anna):
    server.secrets.learn_token("not_found")
    found("an answer", rest.call, "GET", "/nothing")
    server.secrets.known.pop(b"not_found")


def test_a_secret_behind_others_in_a_file_is_found(tmp_path):
    secrets = Secrets()
    secrets.learn_password("a long password")
    (tmp_path / "key").write_bytes(b"a long password")
    secrets.check_files(tmp_path)
    (tmp_path / "file").write_bytes(b"\1" * PIECE + b"a long password" + b"\0" * PIECE)
    found("file", secrets.check_files, tmp_path)


# ---- a crash ---------------------------------------------------------------------------------------


def core_limit(server):
    """The soft limit of core files, as the system knows it."""
    return resource.prlimit(server.process.pid, resource.RLIMIT_CORE)[0]


def end_by_abort(server):
    """Was a core left behind?"""
    server.process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(server.process.pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT
    server.process.returncode = -signal.SIGABRT
    server.process = None
    return os.WCOREDUMP(status)


def test_a_crash_leaves_no_core(server, people):
    people("anna")
    assert core_limit(server) <= 1
    assert not end_by_abort(server)
    server.start()


def test_an_operator_may_want_a_core(new_server):
    before = resource.getrlimit(resource.RLIMIT_CORE)[0]
    # Sanitizers forbid core files themselves, where they are not told.
    env = {name: "disable_coredump=0" for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")}
    assert core_limit(new_server(core_files="on", env=env)) == before
