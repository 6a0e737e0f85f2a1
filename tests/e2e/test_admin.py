"""The app's own server: its key, its listener, and what it may do for its users."""
import os
import socket

import pytest

from kit import raw
from kit.app import App, AppUser, key_file
from kit.checks import NOBODY
from kit.people import DEVICE, Rest, User, assert_error
from kit.server import Server, run
from kit.socket import SEND, T_MESSAGE
from kit.threads import Task


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    directory = tmp_path_factory.mktemp("admin")
    key = key_file(directory / "api-key")
    server = Server(directory / "data", {"--api-key-file": str(directory / "api-key"),
                                         "--admin-listen": "127.0.0.1:0"})
    try:
        made = App(server.start(), key)
        yield made
        made.close()
        server.check_replay(9)
    finally:
        server.abandon()


def test_the_key_is_looked_for(app):
    app.server.learn_keys()
    assert app.key.encode() in app.server.secrets.known


# ---- users -----------------------------------------------------------------------------------------


def test_a_user_under_the_apps_own_id(app):
    user_id = app.put("customer:7", username="Frieda")
    assert app.put("customer:7", 200) == user_id
    assert app.put("customer:7", 200, username="Frieda") == user_id
    shown = app.ok(200, "GET", "/admin/users/customer:7")
    assert shown.pop("created_at") > 0
    assert shown == {"id": user_id, "external_id": "customer:7", "username": "Frieda"}
    assert_error(app.call("GET", "/admin/users/customer:8"), 404, "user_not_found")


def test_another_name(app):
    user_id = app.put("renamed", username="Before")
    asker = AppUser(app, "asker")
    assert asker.ok(200, "GET", "/users?username=before")["id"] == user_id
    assert app.put("renamed", 200, username="BEFORE") == user_id
    assert app.put("renamed", 200, username="After") == user_id
    assert asker.ok(200, "GET", "/users?username=after")["username"] == "After"
    assert_error(asker.call("GET", "/users?username=before"), 404, "user_not_found")
    # What others see has no id of the app.
    assert set(asker.ok(200, "GET", f"/users/{user_id}")) == {"id", "username"}
    other = app.put("other", username="Before")
    assert_error(app.call("PUT", "/admin/users/renamed", {"username": "bEfore"}), 409, "username_taken")
    assert_error(app.call("PUT", "/admin/users/third", {"username": "bEfore"}), 409, "username_taken")
    assert_error(app.call("GET", "/admin/users/third"), 404, "user_not_found")
    assert app.put("other", 200) == other


def test_who_has_no_name_gets_one(app):
    user_id = app.put("nameless")
    shown = app.ok(200, "GET", "/admin/users/nameless")
    assert shown["username"] == user_id.replace("-", "")


@pytest.mark.parametrize("external_id", ["a" * 64, "A-z._~:@09", "0"])
def test_ids_that_are_taken(app, external_id):
    assert app.put(external_id) == app.put(external_id, 200)


@pytest.mark.parametrize("external_id", ["a" * 65, "a%20b", "a+b", "%C3%A4", "a!b", "a/b"])
def test_ids_that_are_not(app, external_id):
    assert_error(app.call("PUT", f"/admin/users/{external_id}", {}), 404, "not_found")


@pytest.mark.parametrize("body", [{"username": 7}, {"username": ""}, {"username": "a b"},
                                  {"username": "x" * 33}], ids=repr)
def test_names_that_are_not(app, body):
    assert_error(app.call("PUT", "/admin/users/bad-name", body), 400, "invalid_field")
    assert_error(app.call("GET", "/admin/users/bad-name"), 404, "user_not_found")


def test_all_at_once_make_one(app):
    """Who came second is told to come again, and then finds who is there."""
    answers = []

    def put():
        mine = App(app.server, app.key)
        answers.append(mine.call("PUT", "/admin/users/crowded", {}))
        mine.close()

    for task in [Task(put) for _ in range(8)]:
        task.join()
    user_id = app.put("crowded", 200)
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == 1
    for answer in answers:
        if answer.status_code == 503:
            assert_error(answer, 503, "busy")
        else:
            assert answer.json()["id"] == user_id


def test_nobody_logs_in_as_an_app_user(app):
    app.put("no-password", username="locked")
    for password in "", " ", "0000", "a password of theirs":
        answer = app.rest.call("POST", "/login", {"username": "locked", "password": password})
        if password:
            assert_error(answer, 401, "bad_credentials")
        else:
            assert_error(answer, 400, "invalid_field")


# ---- acting for them ---------------------------------------------------------------------------------


def test_a_session_and_a_token(app):
    anna = AppUser(app, "anna", username="anna")
    assert anna.ok(200, "GET", "/users/me")["id"] == anna.id
    answer = app.ok(201, "POST", f"/admin/users/{anna.id}/sessions", DEVICE)
    assert set(answer) == {"id", "created_at", "messaging_url"}
    # The URL leads to where users come in, not to where the app does.
    assert answer["messaging_url"].startswith(f"ws://{app.server.address}/")
    socket_ = anna.device_of_app({**DEVICE, "device_id": "1"}).connect()
    assert socket_.info()["user_id"] == anna.id
    assert len(anna.ok(200, "GET", "/sessions")["sessions"]) == 2
    assert_error(app.call("POST", f"/admin/users/{anna.id}/sessions", {}), 400, "invalid_field")


def test_somebody_who_registered(app):
    """The app may act for everybody, not only for those whom it has made."""
    berta = User(app.rest, "berta")
    token = app.ok(200, "POST", f"/admin/users/{berta.id}/token")["token"]
    assert app.rest.ok(200, "GET", "/users/me", token=token)["id"] == berta.id


def test_a_message_as_a_user(app):
    carla, dora = AppUser(app, "carla"), AppUser(app, "dora")
    group = carla.group(dora)
    heard = dora.connect()
    path = f"/admin/groups/{group}/messages"
    body = {"user_id": carla.id, "data": "from the app", "client_id": "order-7"}
    first = app.ok(201, "POST", path, body)
    event = heard.expect(T_MESSAGE)
    assert (event.body["user_id"], event.body["data"], event.body["seq"]) == (carla.id, "from the app", 1)
    assert app.ok(200, "POST", path, body) == {**first, "duplicate": True}
    assert_error(app.call("POST", path, {**body, "data": "other"}), 409, "client_id_reused")
    # It is hers, and what she sends under that id is the same message.
    assert carla.ok(200, "POST", f"/groups/{group}/messages", {"data": "from the app", "client_id": "order-7"})[
        "message_id"] == first["message_id"]


def test_the_rights_are_the_users(app):
    emma, frida, gerda = (AppUser(app, name) for name in ("emma", "frida", "gerda"))
    group = emma.group(frida)
    path = f"/admin/groups/{group}/messages"
    assert_error(app.call("POST", path, {"user_id": gerda.id, "data": "x"}), 404, "group_not_found")
    frida.leaves(group)
    assert_error(app.call("POST", path, {"user_id": frida.id, "data": "x"}), 403, "not_a_member")
    assert_error(app.call("POST", path, {"user_id": NOBODY, "data": "x"}), 404, "user_not_found")
    assert_error(app.call("POST", path, {"data": "x"}), 400, "invalid_field")
    assert_error(app.call("POST", path, {"user_id": emma.id}), 400, "invalid_field")
    assert_error(app.call("POST", f"/admin/groups/{NOBODY}/messages", {"user_id": emma.id, "data": "x"}),
                 404, "group_not_found")


# ---- the two doors -----------------------------------------------------------------------------------

ADMIN = [("PUT", "/admin/users/x"), ("GET", "/admin/users/x"),
         ("POST", f"/admin/users/{NOBODY}/sessions"), ("POST", f"/admin/users/{NOBODY}/token"),
         ("POST", f"/admin/groups/{NOBODY}/messages")]
PUBLIC = [("POST", "/users"), ("POST", "/login"), ("GET", "/users/me"), ("GET", "/sync"),
          ("GET", f"/{NOBODY}"), ("POST", f"/groups/{NOBODY}/messages")]


@pytest.mark.parametrize("route", ADMIN, ids=lambda route: " ".join(route))
def test_without_the_key(app, route):
    anna = AppUser(app, "doorstep") if route[0] == "PUT" else None
    wrong = [None, "", "x" * 43, app.key[:-1], app.key + "x", app.key.swapcase()]
    for key in [*wrong, *([anna.token] if anna else [])]:
        headers = {"authorization": None} if key is None else None
        answer = app.call(*route, {}, key, headers)
        assert_error(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    # In the public one there is no such route, whoever asks.
    for token in None, app.key:
        assert_error(app.rest.call(*route, {}, token), 404, "not_found")
    assert_error(app.rest.call("OPTIONS", route[1]), 404, "not_found")


@pytest.mark.parametrize("route", PUBLIC, ids=lambda route: " ".join(route))
def test_the_apps_door_has_no_other_routes(app, route):
    assert_error(app.call(*route, {}), 404, "not_found")
    answer = app.rest.call(*route, {}, app.key)
    assert answer.status_code >= 400
    if answer.status_code == 401:
        assert_error(answer, 401, "bad_credentials" if route[1] == "/login" else "unauthorized")


def test_no_socket_opens_at_the_apps_door(app):
    anna = AppUser(app, "no-socket")
    path = anna.device().path
    host, port = app.server.app_address.split(":")
    with socket.create_connection((host, int(port)), 10) as plain:
        plain.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                      .encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 404 ")


def test_methods(app):
    answer = app.call("PATCH", "/admin/users/x", {})
    assert_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "PUT, GET, HEAD, DELETE, OPTIONS"


def test_what_the_key_saves(new_server, tmp_path):
    """Who has the key is not held to the rate of an address, who guesses is."""
    key = key_file(tmp_path / "key-of-app")
    server = new_server(api_key_file=tmp_path / "key-of-app", admin_listen="127.0.0.1:0",
                        address_rate=1, address_burst=5)
    mine = server.keep(App(server, key))
    for number in range(20):
        mine.put(f"u{number}")
    codes = {mine.call("PUT", "/admin/users/x", {}, "guess").json()["code"] for _ in range(20)}
    assert codes == {"unauthorized", "too_many_requests"}
    mine.put("still")


def test_a_public_url(new_server, tmp_path):
    key = key_file(tmp_path / "key-of-app")
    server = new_server(api_key_file=tmp_path / "key-of-app", admin_listen="127.0.0.1:0",
                        public_url="https://chat.example")
    mine = server.keep(App(server, key))
    answer = mine.ok(201, "POST", f"/admin/users/{mine.put('a')}/sessions", DEVICE)
    assert answer["messaging_url"].startswith("wss://chat.example/")


# ---- after a restart, and from a snapshot ------------------------------------------------------------


@pytest.mark.parametrize("snapshot", [False, True], ids=["journal", "snapshot"])
def test_all_of_it_is_still_there(new_server, tmp_path, snapshot):
    key = key_file(tmp_path / "key-of-app")
    server = new_server(api_key_file=tmp_path / "key-of-app", admin_listen="127.0.0.1:0")
    mine = server.keep(App(server, key))
    ids = [mine.put(f"u{number}", username=f"name{number}") for number in range(5)]
    mine.put("u3", 200, username="renamed")
    if snapshot:
        assert run(["snapshot", "--data", str(server.data)]).returncode == 0
        mine.put("u9")
    server.restart(9)
    mine = server.keep(App(server, key))
    assert [mine.put(f"u{number}", 200) for number in range(5)] == ids
    assert mine.ok(200, "GET", "/admin/users/u3")["username"] == "renamed"
    assert_error(mine.call("PUT", "/admin/users/u4", {"username": "Renamed"}), 409, "username_taken")
    assert mine.put("u10", username="name3")


# ---- the file ----------------------------------------------------------------------------------------


def refused(tmp_path, path, *more, flag="--api-key-file"):
    done = run(["--data", str(tmp_path / "other"), "--listen", "127.0.0.1:0", flag, str(path), *more])
    assert done.returncode != 0 and done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("flag", ["--api-key-file", "--app-token-key-file"])
def test_files_that_are_refused(tmp_path, flag):
    path = tmp_path / "api-key"
    assert "is not there" in refused(tmp_path, path, flag=flag)
    secret = key_file(path)
    for mode in 0o640, 0o604, 0o660:
        path.chmod(mode)
        text = refused(tmp_path, path, flag=flag)
        assert "open to other users" in text and secret not in text
    path.chmod(0o600)
    for content in "", "x" * 31, " " * 40, "\n" + "x" * 31 + "\n" * 9, "x" * 1025, "x" * 5000:
        path.write_text(content)
        assert "must hold 32 to 1024 bytes" in refused(tmp_path, path, flag=flag)
    assert "is not a regular file" in refused(tmp_path, tmp_path, flag=flag)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    assert "is not a regular file" in refused(tmp_path, fifo, flag=flag)


@pytest.mark.parametrize("content", ["two words" + "x" * 32, "\u00e4" * 32, "x" * 32 + "\0"], ids=ascii)
def test_a_key_that_no_header_can_hold(tmp_path, content):
    path = tmp_path / "api-key"
    path.touch(0o600)
    path.write_text(content)
    assert "visible ASCII" in refused(tmp_path, path)


def test_a_taken_port(new_server, tmp_path):
    server = new_server()
    key_file(tmp_path / "api-key")
    assert "cannot listen on" in refused(tmp_path, tmp_path / "api-key", "--admin-listen", server.address)


def test_without_a_key_there_are_no_routes(server, rest):
    for method, path in ADMIN:
        assert_error(rest.call(method, path, {}), 404, "not_found")
    assert "for the app" not in server.out.text()
