"""Options, exit codes and the data directory."""
import os
import re
import shutil
import signal
import socket

import pytest

from kit.people import Rest, User
from kit.server import ROOT, Server, run

DEFINITIONS = re.findall(r'^OPTION\((\w+),\s*(\w+),\s*"([^"]+)",\s*"([^"]*)"',
                         (ROOT / "src/config.def").read_text(), re.MULTILINE)


def mode(path):
    return os.stat(path).st_mode & 0o777


def listing(directory):
    """Every file below the directory with its content and mode."""
    return {str(path.relative_to(directory)): (mode(path), path.read_bytes())
            for path in sorted(directory.rglob("*")) if path.is_file()}


def usage_error(arguments, *words, env=None, cwd=None):
    done = run(arguments, env=env, cwd=cwd)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr


def test_help_names_every_option():
    done = run(["--help"])
    assert done.returncode == 0 and done.stderr == ""
    assert len(DEFINITIONS) > 30
    for _, _, flag, default in DEFINITIONS:
        assert f"--{flag}" in done.stdout
        assert default in done.stdout


def test_version():
    done = run(["--version"])
    assert done.returncode == 0
    assert re.fullmatch(r"groups-chat \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("wrong, near", [
    ("--listn", "--listen"), ("--passwordcost", "--password-cost"), ("--send-rat", "--send-rate"),
    ("--Data", "--data"), ("--fsyncs=off", "--fsync"),
])
def test_an_unknown_flag_names_the_nearest(wrong, near):
    usage_error([wrong, "x"], wrong.split("=")[0], near)


@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["-x"], ["--data"], ["--data", "a", "--data", "b"], ["--send-rate", "x"],
    ["--send-rate", "-1"], ["--send-rate", "1000001"], ["--send-rate", ""], ["--fsync", "never"],
    ["--segment-size", "1k"], ["--segment-size", "64x"], ["--body-max", "99999999999999999999"],
    ["--password-cost=minimal"], ["--listen", ""], ["--config", "/nowhere/at/all"],
    ["--json-depth-max", "1"], ["--public-url", "chat.example"], ["--public-url", "ftp://x"],
    ["--public-url", "https://"],
])
def test_options_that_are_not_valid(tmp_path, arguments):
    usage_error(arguments, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999",
                                   "256.1.1.1:80", ":"])
def test_addresses_that_are_none(tmp_path, value):
    done = run(["--listen", value, "--data", str(tmp_path / "data")])
    assert done.returncode in (1, 2)
    assert done.stderr.strip() and done.stdout == ""


def test_sizes_have_units(new_server):
    server = new_server(message_max="2k")
    assert User(Rest(server)).connect().info()["max_message"] == 2048


def test_flag_then_environment_then_file_then_default(new_server, tmp_path):
    file = tmp_path / "chat.conf"
    file.write_text("; a comment\nping-interval = 3\nmessage-max = 3k\nsend-rate = 7\n")
    env = {"GROUPS_CHAT_MESSAGE_MAX": "2k", "GROUPS_CHAT_SEND_RATE": "8"}
    server = new_server(env=env, config=file, send_rate=0)
    info = User(Rest(server)).connect().info()
    assert info["ping_ms"] == 3_000
    assert info["max_message"] == 2048


def test_the_file_may_be_named_in_the_environment(new_server, tmp_path):
    file = tmp_path / "chat.conf"
    file.write_text("ping-interval = 9\n")
    server = new_server(env={"GROUPS_CHAT_CONFIG": str(file)})
    assert User(Rest(server)).connect().info()["ping_ms"] == 9_000


@pytest.mark.parametrize("name, near", [("GROUPS_CHAT_LISTN", "GROUPS_CHAT_LISTEN"),
                                        ("GROUPS_CHAT_SENDRATE", "GROUPS_CHAT_SEND_RATE")])
def test_an_unknown_name_in_the_environment(tmp_path, name, near):
    usage_error(["--data", str(tmp_path / "data")], name, near, env={name: "x"})


def test_a_bad_value_in_the_environment(tmp_path):
    usage_error(["--data", str(tmp_path / "data")], env={"GROUPS_CHAT_SEND_RATE": "many"})


@pytest.mark.parametrize("text, word", [
    ("ping-intervall = 3\n", "ping-interval"), ("ping-interval = soon\n", "ping-interval"),
    ("ping-interval\n", ""),
])
def test_a_file_that_is_not_valid(tmp_path, text, word):
    file = tmp_path / "chat.conf"
    file.write_text(text)
    usage_error(["--config", str(file), "--data", str(tmp_path / "data")], word)


# ---- starting and ending ------------------------------------------------------------------------


def test_what_is_said_at_the_start(server):
    assert server.port > 0
    lines = server.out.lines
    assert re.fullmatch(r"groups-chat \d+\.\d+\.\d+ listening on http://127\.0\.0\.1:\d+", lines[0])
    server.digest()
    assert lines[1] == f"data directory: {server.data.resolve()}"


def test_a_relative_directory_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some").mkdir()
    server = Server("some/../data").start()
    try:
        server.digest()
        assert server.out.lines[1] == f"data directory: {tmp_path.resolve() / 'data'}"
    finally:
        server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_end(server, number):
    server.stop(number)
    server.start()


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = run(["--listen", f"127.0.0.1:{port}", "--data", str(tmp_path / "data")])
    assert done.returncode == 1
    assert str(port) in done.stderr and done.stdout == ""


def test_a_server_listens_on_the_same_port_at_once_again(new_server, people):
    """Connections of the one before that are still fading away do not hold the port."""
    people(count=1)[0].connect().info()
    with socket.socket() as finder:
        finder.bind(("127.0.0.5", 0))  # an address from which no other test connects
        port = finder.getsockname()[1]
    server = new_server(name="again", listen=f"127.0.0.5:{port}")
    socket_ = User(Rest(server)).connect()
    socket_.info()
    server.stop()
    server.start()
    assert server.port == port


def test_ipv6(new_server):
    if not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    server = new_server(listen="[::1]:0")
    assert server.host == "[::1]"
    assert User(Rest(server)).connect().info()["user_id"]


def test_a_second_server_on_the_directory(server):
    before = listing(server.data)
    done = run(server.arguments())
    assert done.returncode == 1
    assert str(server.data) in done.stderr and done.stdout == ""
    assert listing(server.data) == before
    User(Rest(server))


def test_nobody_else_may_read_the_data(new_server):
    previous = os.umask(0)
    try:
        server = new_server()
    finally:
        os.umask(previous)
    User(Rest(server))
    assert mode(server.data) == 0o700
    for path in server.data.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_a_key_that_others_may_read(server):
    server.stop()
    os.chmod(server.data / "key", 0o644)
    done = run(server.arguments())
    assert done.returncode == 1 and "key" in done.stderr
    os.chmod(server.data / "key", 0o600)
    server.start()


def test_a_key_that_is_missing_beside_a_journal(server):
    """A new one would end every token in silence."""
    User(Rest(server))
    server.stop()
    key = server.data / "key"
    content = key.read_bytes()
    key.unlink()
    before = listing(server.data)
    done = run(server.arguments())
    assert done.returncode == 1
    assert str(key) in done.stderr and done.stdout == ""
    assert listing(server.data) == before
    key.write_bytes(content)
    os.chmod(key, 0o600)
    server.start()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_the_wrong_size(server, content):
    server.stop()
    key = server.data / "key"
    right = key.read_bytes()
    key.write_bytes(content)
    done = run(server.arguments())
    assert done.returncode == 1 and "key" in done.stderr
    assert key.read_bytes() == content
    key.write_bytes(right)
    server.start()


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    done = run(["--listen", "127.0.0.1:0", "--data", str(tmp_path / "file" / "data")])
    assert done.returncode == 1
    assert "file" in done.stderr and done.stdout == ""
    done = run(["--listen", "127.0.0.1:0", "--data", str(tmp_path / "file")])
    assert done.returncode == 1


def test_a_copy_of_the_directory_is_a_backup(server, new_server):
    user1 = User(Rest(server), "user1")
    group = user1.group()
    user1.connect().send_message(group, "kept")
    digest = server.digest()
    copy = server.data.parent / "copy"
    shutil.copytree(server.data, copy, ignore=shutil.ignore_patterns("control"))
    other = new_server(name="copy")
    assert other.digest() == digest
    rest = Rest(other)
    assert rest.call("POST", "/login", user1.account()).status_code == 200


@pytest.mark.parametrize("fsync", ["always", "1s", "off"])
def test_every_way_of_syncing_outlives_the_process(new_server, fsync):
    server = new_server(fsync=fsync)
    user1 = User(Rest(server))
    group = user1.group()
    socket_ = user1.connect()
    for i in range(20):
        socket_.send_message(group, str(i))
    server.restart(signal.SIGKILL)
    assert [e.body["data"] for e in user1.connect().everything() if e.type == 20] == [
        str(i) for i in range(20)]
