"""POST /sessions and the messaging URL."""
import json

import pytest

from kit import raw
from kit.checks import NOBODY, is_now_ms, is_uuid
from kit.people import DEVICE, Rest, User, assert_error


@pytest.fixture
def user1(rest):
    return User(rest, "user1")


def test_what_a_session_is(server, user1):
    session = user1.ok(201, "POST", "/sessions", DEVICE)
    assert set(session) == {"id", "created_at", "messaging_url"}
    assert is_uuid(session["id"])
    assert is_now_ms(session["created_at"])
    base, path = session["messaging_url"].rsplit("/", 1)
    assert base == f"ws://{server.address}"
    assert is_uuid(path) and path != session["id"]


def test_every_session_has_its_own_url(user1):
    sessions = [user1.ok(201, "POST", "/sessions", DEVICE) for _ in range(5)]
    assert len({s["id"] for s in sessions}) == 5
    assert len({s["messaging_url"] for s in sessions}) == 5


@pytest.mark.parametrize("platform", ["web", "ios", "android", "live"])
def test_platforms(user1, platform):
    socket = user1.device(platform=platform).connect()
    assert socket.info()["user_id"] == user1.id


@pytest.mark.parametrize("fields", [
    {"platform": "windows"}, {"platform": "WEB"}, {"platform": ""}, {"platform": 0},
    {"build": 0}, {"build": -1}, {"build": 1.5}, {"build": "1"}, {"build": None},
    {"build": 10 ** 30}, {"build": True},
    {"name": "x" * 129}, {"name": 1}, {"model": "x" * 129}, {"model": []},
    {"device_id": None}, {"device_id": {}},
])
def test_fields_that_are_not_valid(user1, fields):
    assert_error(user1.call("POST", "/sessions", {**DEVICE, **fields}), 400, "invalid_field")


@pytest.mark.parametrize("field", sorted(DEVICE))
def test_a_missing_field(user1, field):
    body = {name: value for name, value in DEVICE.items() if name != field}
    assert_error(user1.call("POST", "/sessions", body), 400, "invalid_field")


def test_names_are_counted_in_characters(user1):
    user1.device(name="ж" * 128, model="名" * 128)


def test_without_a_token(rest):
    assert_error(rest.call("POST", "/sessions", DEVICE), 401, "unauthorized")


def post_session(server, user, host):
    body = json.dumps(DEVICE).encode()
    connection = raw.Connection(server)
    connection.send(
        b"POST /sessions HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer " +
        user.token.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body) + body)
    answer = connection.answer()
    assert answer.status == 201, answer.body
    return json.loads(answer.body)["messaging_url"]


@pytest.mark.parametrize("host", [b"chat.example", b"chat.example:8080", b"[::1]:3000"])
def test_the_host_of_the_url_is_the_requests(server, user1, host):
    assert post_session(server, user1, host).startswith(f"ws://{host.decode()}/")


@pytest.mark.parametrize("public, expected", [
    ("https://chat.example", "wss://chat.example/"),
    ("https://chat.example/", "wss://chat.example/"),
    ("http://chat.example:8080", "ws://chat.example:8080/"),
    ("https://example.com/chat", "wss://example.com/chat/"),
])
def test_a_public_url(new_server, public, expected):
    server = new_server(public_url=public)
    url = post_session(server, User(Rest(server)), b"inner:1")
    assert url.startswith(expected) and is_uuid(url[len(expected):]), url


def test_a_messaging_url_without_an_upgrade(rest, user1):
    device = user1.device()
    assert_error(rest.call("GET", device.path), 426, "upgrade_required")
    assert device.connect().info()["session_id"] == device.id


@pytest.mark.parametrize("path", [f"/{NOBODY}", "/x", "/" + "0" * 36, f"/{NOBODY}/", "//"])
def test_urls_that_nobody_was_given(server, path):
    connection = raw.Connection(server)
    connection.send(raw.request("GET", path, server, headers=[
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]))
    answer = connection.answer()
    assert answer.status == 404
    assert json.loads(answer.body)["code"] == "not_found"


def test_a_session_id_is_no_messaging_url(rest, user1):
    assert rest.call("GET", "/" + user1.device().id).status_code == 404


def test_urls_outlive_the_server(server, user1):
    devices = [user1.device(name=f"pc{i}") for i in range(3)]
    server.restart()
    for device in devices:
        assert device.connect().info()["session_id"] == device.id


def test_one_session_too_many_ends_the_longest_unused(new_server):
    server = new_server(user_sessions_max=3)
    user1 = User(Rest(server))
    devices = [user1.device() for _ in range(3)]
    socket = devices[0].connect()
    socket.info()
    devices.append(user1.device())

    # The oldest is in use, so the second gives way.
    socket.silent()
    assert user1.rest.call("GET", devices[1].path).status_code == 404
    for device in (devices[0], devices[2], devices[3]):
        assert device.connect().info()["session_id"] == device.id


def test_a_session_that_ends_closes_its_sockets(new_server):
    server = new_server(user_sessions_max=1)
    user1 = User(Rest(server))
    first = user1.device()
    sockets = [first.connect(), first.connect()]
    second = user1.device()
    for socket in sockets:
        assert socket.expect_close(4001) == []
    assert second.connect().info()["session_id"] == second.id
    assert user1.rest.call("GET", first.path).status_code == 404


def test_sessions_of_others_do_not_count(new_server):
    server = new_server(user_sessions_max=1)
    rest = Rest(server)
    sockets = [User(rest).connect() for _ in range(3)]
    for socket in sockets:
        socket.silent()
