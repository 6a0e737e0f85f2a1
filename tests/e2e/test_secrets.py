"""No secret gets out. The kit looks for every password, token, messaging URL and key in all that any
server of any test writes (kit/secrets.py); here, that this search finds what is put there, and that a
server that crashes leaves no memory behind."""
import os
import resource
import signal
import uuid

import pytest

from kit import raw
from kit.app import App, AppUser, key_file, token as app_token
from kit.metrics import Metrics
from kit.people import User
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


class Bait:
    """A server with all the secrets that there are; `of` has each by its name."""

    def __init__(self, new_server, directory):
        signing = key_file(directory / "signing")
        key = key_file(directory / "api")
        self.server = new_server(api_key_file=directory / "api", admin_listen="127.0.0.1:0",
                                 app_token_key_file=directory / "signing")
        app = self.server.keep(App(self.server, key))
        anna = User(app.rest, "anna")
        old, new = anna.password, "what replaces it"
        first = anna.token
        anna.token = anna.ok(200, "PATCH", "/users/me", {"password": new,
                                                         "current_password": old})["token"]
        second = anna.token
        anna.token = anna.ok(200, "POST", "/token", {})["token"]
        of_app = app_token(signing, AppUser(app, "7").id)
        app.rest.ok(200, "GET", "/users/me", token=of_app)
        hook = app.ok(201, "POST", "/admin/hooks", {"url": "http://127.0.0.1:1/"})["secret"]
        self.anna = anna
        self.device = anna.device()
        self.of = {
            "password": old, "new password": new, "token": first, "token of a password": second,
            "renewed token": anna.token, "token that the app signed": of_app,
            "url": self.device.path[1:], "secret of a hook": hook, "key of the app": key,
            "key of its tokens": signing}


@pytest.fixture
def bait(new_server, tmp_path):
    return Bait(new_server, tmp_path)


def test_all_of_them_are_known_while_the_server_runs(bait):
    for what, secret in bait.of.items():
        assert secret.encode() in bait.server.secrets.known, what
        is_handed_out = "token" in what.split() or what in ("url", "secret of a hook")
        assert (secret.encode() in bait.server.secrets.never) != is_handed_out, what


def test_the_page_of_metrics_has_none_of_them(bait):
    """Nor who has them. The kit looks for all of them in each page."""
    server = bait.server
    metrics = server.keep(Metrics(server))
    group = bait.anna.group(name="a name of theirs")
    bait.device.connect().ok(SEND, {"group_id": group, "data": "a text of theirs"})
    text = metrics.page().text
    for word in *bait.of.values(), bait.anna.id, bait.anna.name, group, "of theirs":
        assert word not in text
    server.secrets.learn_token("groups_chat_users")
    found("an answer", metrics.call)
    server.secrets.known.pop(b"groups_chat_users")


@pytest.mark.parametrize("what", [
    "password", "new password", "token", "token of a password", "renewed token",
    "token that the app signed", "url", "secret of a hook", "key of the app", "key of its tokens"])
def test_a_secret_in_a_message_is_found_in_the_files_and_in_the_dump(bait, what):
    """What people write to each other is theirs: it is in the journal. Here it is the bait."""
    server = bait.server
    socket = bait.device.connect()
    socket.ok(SEND, {"group_id": bait.anna.group(), "data": bait.of[what]})
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


def test_a_secret_that_is_handed_to_nobody_is_found_in_whatever_is_handed_out(server, anna):
    """In good answers and events too."""
    group = anna.group()
    device = anna.device()
    socket, plain = device.connect(), raw.Connection(server).upgrade(device.path)
    anna.ok(201, "POST", f"/groups/{group}/messages", {"data": "eight and more"})
    server.secrets.learn_password("eight and more")
    found("an event", socket.recv)
    found("an event", plain.text)
    path = f"/groups/{group}/messages"
    found("an answer", anna.call, "GET", path)
    plain = raw.Connection(server)
    plain.send(raw.request("GET", path, server, headers=[f"Authorization: Bearer {anna.token}"]))
    found("an answer", plain.answer)
    server.secrets.known.pop(b"eight and more")


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
    assert server.wait() == -signal.SIGABRT
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
