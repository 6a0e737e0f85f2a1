"""Every REST route and every RPC, asked by everybody: who may, who may not, and what they are told.

The tables below name each line of route.def and rpc.def; one that is missing here fails. The columns:

    nobody    without a token, or without a messaging URL
    forger    with a token that another key has signed, or a URL that nobody was given
    ended     a member whose session was ended. The token is the user's and goes on; the URL does not
    stranger  a user who was never in the group
    former    a user who has left it
    member    a member
    owner     the member who may remove others

The routes of the app's own server have a table of their own, and a listener of their own: there the
asker "app" may, and everybody else may not; with the app's key no route of a user opens.
"""
import base64
import hashlib
import hmac
import itertools
import json
import re
import time

import pytest

from kit import raw
from kit.app import App, key_file
from kit.checks import NOBODY
from kit.people import DEVICE, Rest, User
from kit.server import ROOT, Server
from kit.socket import (DELETE, DELIVERED, EVENTS, HISTORY, INFO, REACT, READ, SEND, TYPING,
                        TYPING_ENDS, T_MESSAGE, UPDATE)

ASKERS = ("nobody", "forger", "ended", "stranger", "former", "member", "owner")
WHO_HAS_A_USER = ASKERS[2:]
WHO_HAS_A_SOCKET = ASKERS[3:]

NAMES = (f"fresh{number}" for number in itertools.count(1))

NO_TOKEN = (401, "unauthorized")
NO_URL = (404, "not_found")
HIDDEN = (404, "group_not_found")
NO_MEMBER = (403, "not_a_member")
FORBIDDEN = (403, "forbidden")
NO_MESSAGE = (404, "message_not_found")


def row(*answers):
    assert len(answers) == len(ASKERS)
    return dict(zip(ASKERS, answers))


# The body that each request has, made from a scene, and the answer to each asker. A number is the
# status of what may be done; "ok" the same for an RPC.
ROUTES = {
    ("POST", "/users"): (
        lambda scene: {"username": next(NAMES), "password": "0000"},
        row(201, 201, 201, 201, 201, 201, 201)),
    ("POST", "/login"): (
        lambda scene: {"username": scene.witness.name, "password": scene.witness.password},
        row(200, 200, 200, 200, 200, 200, 200)),
    ("POST", "/sessions"): (
        lambda scene: DEVICE,
        row(NO_TOKEN, NO_TOKEN, 201, 201, 201, 201, 201)),
    ("POST", "/groups"): (
        lambda scene: {"name": "g", "user_ids": []},
        row(NO_TOKEN, NO_TOKEN, 201, 201, 201, 201, 201)),
    ("PUT", "/groups/:id/join"): (
        lambda scene: {"user_id": scene.outsider.id},
        row(NO_TOKEN, NO_TOKEN, 200, HIDDEN, FORBIDDEN, 200, 200)),
    ("PUT", "/groups/:id/left"): (
        lambda scene: {"user_id": scene.other.id},
        row(NO_TOKEN, NO_TOKEN, FORBIDDEN, HIDDEN, FORBIDDEN, FORBIDDEN, 200)),
    ("PATCH", "/groups/:id/members/:user_id"): (
        lambda scene: {"role": "admin"},
        row(NO_TOKEN, NO_TOKEN, FORBIDDEN, HIDDEN, NO_MEMBER, FORBIDDEN, 200)),
    ("PATCH", "/groups/:id"): (
        lambda scene: {"name": "another", "join": "open", "history": "all"},
        row(NO_TOKEN, NO_TOKEN, FORBIDDEN, HIDDEN, NO_MEMBER, FORBIDDEN, 200)),
    ("DELETE", "/groups/:id"): (
        None, row(NO_TOKEN, NO_TOKEN, FORBIDDEN, HIDDEN, NO_MEMBER, FORBIDDEN, 200)),
    ("PUT", "/groups/:id/retention"): (
        lambda scene: {"days": 30},
        row(NO_TOKEN, NO_TOKEN, FORBIDDEN, HIDDEN, NO_MEMBER, FORBIDDEN, 200)),
    ("GET", "/users"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("GET", "/users/me"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("PATCH", "/users/me"): (
        lambda scene: {"display_name": next(NAMES)},
        row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    # Without a password; with one it is in test_erase.py.
    ("DELETE", "/users/me"): (None, row(NO_TOKEN, NO_TOKEN, *[(400, "invalid_field")] * 5)),
    ("GET", "/users/me/blocks"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("PUT", "/users/me/blocks/:user_id"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("DELETE", "/users/me/blocks/:user_id"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("POST", "/token"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("GET", "/users/:id"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("DELETE", "/sessions"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    # A session that is not theirs; ending one's own is in test_inbox.py.
    ("DELETE", "/sessions/:id"): (
        None, row(NO_TOKEN, NO_TOKEN, *[(404, "session_not_found")] * 5)),
    ("GET", "/sessions"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("GET", "/events"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("GET", "/sync"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("GET", "/groups"): (None, row(NO_TOKEN, NO_TOKEN, 200, 200, 200, 200, 200)),
    ("GET", "/groups/:id"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, HIDDEN, NO_MEMBER, 200, 200)),
    ("GET", "/groups/:id/members"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, HIDDEN, NO_MEMBER, 200, 200)),
    ("GET", "/groups/:id/receipts"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, HIDDEN, NO_MEMBER, 200, 200)),
    ("GET", "/groups/:id/messages"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, HIDDEN, 200, 200, 200)),
    ("POST", "/groups/:id/messages"): (
        lambda scene: {"data": "x"},
        row(NO_TOKEN, NO_TOKEN, 201, HIDDEN, NO_MEMBER, 201, 201)),
    ("GET", "/messages/:id"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, NO_MESSAGE, 200, 200, 200)),
    ("GET", "/openapi.yaml"): (None, row(200, 200, 200, 200, 200, 200, 200)),
    ("GET", "/asyncapi.yaml"): (None, row(200, 200, 200, 200, 200, 200, 200)),
    ("GET", "/healthz"): (None, row(200, 200, 200, 200, 200, 200, 200)),
    ("GET", "/readyz"): (None, row(200, 200, 200, 200, 200, 200, 200)),
    ("PATCH", "/messages/:id"): (
        lambda scene: {"data": "y"},
        row(NO_TOKEN, NO_TOKEN, FORBIDDEN, NO_MESSAGE, NO_MEMBER, FORBIDDEN, FORBIDDEN)),
    ("DELETE", "/messages/:id"): (
        None, row(NO_TOKEN, NO_TOKEN, FORBIDDEN, NO_MESSAGE, NO_MEMBER, FORBIDDEN, 200)),
    ("PUT", "/messages/:id/reactions"): (
        lambda scene: {"emoji": "+"},
        row(NO_TOKEN, NO_TOKEN, 200, NO_MESSAGE, NO_MEMBER, 200, 200)),
    # Taking back what is not there is no change, for those who might.
    ("DELETE", "/messages/:id/reactions"): (
        None, row(NO_TOKEN, NO_TOKEN, 200, NO_MESSAGE, NO_MEMBER, 200, 200)),
    # The handshake of a messaging URL: each asker's own.
    ("GET", "/:id"): (
        None,
        row(NO_URL, NO_URL, NO_URL, 101, 101, 101, 101)),
}

# What the app's own server may do, at its own door: the body, and the answer to its key.
APP_ROUTES = {
    ("PUT", "/admin/users/:external_id"): (lambda scene: {}, 201),
    ("GET", "/admin/users/:external_id"): (None, 200),
    # Of somebody who is not there: what an end leaves to do goes on behind the answer.
    ("DELETE", "/admin/users/:external_id"): (None, 404),
    ("POST", "/admin/users/:id/sessions"): (lambda scene: DEVICE, 201),
    ("POST", "/admin/users/:id/token"): (None, 200),
    ("POST", "/admin/hooks"): (lambda scene: {"url": "http://127.0.0.1:1/"}, 201),
    ("GET", "/admin/hooks"): (None, 200),
    # Of one that is not there: the id of the path is somebody's.
    ("DELETE", "/admin/hooks/:id"): (None, 404),
    ("PATCH", "/admin/hooks/:id"): (lambda scene: {"types": None}, 404),
    ("POST", "/admin/groups/:id/messages"): (
        lambda scene: {"user_id": scene.owner.id, "data": "x"}, 201),
}

# At both doors.
AT_EVERY_DOOR = ("/healthz", "/readyz")

# At the app's door for everybody, and not at the public one.
AT_APP_DOOR = [("GET", "/metrics")]

RPCS = {
    INFO: (lambda scene: {}, row(NO_URL, NO_URL, NO_URL, "ok", "ok", "ok", "ok")),
    EVENTS: (lambda scene: {}, row(NO_URL, NO_URL, NO_URL, "ok", "ok", "ok", "ok")),
    HISTORY: (lambda scene: {"group_id": scene.group},
              row(NO_URL, NO_URL, NO_URL, HIDDEN, "ok", "ok", "ok")),
    SEND: (lambda scene: {"group_id": scene.group, "data": "x"},
           row(NO_URL, NO_URL, NO_URL, HIDDEN, NO_MEMBER, "ok", "ok")),
    DELIVERED: (lambda scene: {"message_id": scene.message},
                row(NO_URL, NO_URL, NO_URL, (404, "message_not_found"), NO_MEMBER, "ok", "ok")),
    READ: (lambda scene: {"message_id": scene.message},
           row(NO_URL, NO_URL, NO_URL, (404, "message_not_found"), NO_MEMBER, "ok", "ok")),
    UPDATE: (lambda scene: {"message_id": scene.message, "data": "y"},
             row(NO_URL, NO_URL, NO_URL, NO_MESSAGE, NO_MEMBER, FORBIDDEN, FORBIDDEN)),
    DELETE: (lambda scene: {"message_id": scene.message},
             row(NO_URL, NO_URL, NO_URL, NO_MESSAGE, NO_MEMBER, FORBIDDEN, "ok")),
    REACT: (lambda scene: {"message_id": scene.message, "emoji": "+"},
            row(NO_URL, NO_URL, NO_URL, NO_MESSAGE, NO_MEMBER, "ok", "ok")),
    TYPING: (lambda scene: {"group_id": scene.group},
             row(NO_URL, NO_URL, NO_URL, HIDDEN, NO_MEMBER, "ok", "ok")),
    TYPING_ENDS: (lambda scene: {"group_id": scene.group},
                  row(NO_URL, NO_URL, NO_URL, HIDDEN, NO_MEMBER, "ok", "ok")),
}

# Of a group's messages, those that each asker gets with method 20: "before" was sent while the
# former member was one.
SEEN = {"stranger": [], "former": ["before"], "member": ["before", "after"],
        "owner": ["before", "after"]}


def test_every_route_and_every_rpc_is_in_the_tables():
    routes = re.findall(r'^ROUTE\((\w+),\s*"([^"]+)",[^,]+,\s*([^)]+)\)',
                        (ROOT / "src/api/route.def").read_text(), re.MULTILINE)
    assert ({(method, path) for method, path, _ in routes}
            == set(ROUTES) | set(APP_ROUTES) | set(AT_APP_DOOR))
    for method, path, needs in routes:
        assert ("AT_EVERY_DOOR" in needs) == (path in AT_EVERY_DOOR)
        assert ("AT_APP_DOOR" in needs) == ((method, path) in AT_APP_DOOR)
        assert ("NEEDS_APP" in needs) == ((method, path) in APP_ROUTES) == path.startswith("/admin/")
    rpcs = re.findall(r"^RPC\((\d+),", (ROOT / "src/api/rpc.def").read_text(), re.MULTILINE)
    assert {int(number) for number in rpcs} == set(RPCS)
    # And no line has another form, which would not have been found.
    for name, count in (("route", len(routes)), ("rpc", len(rpcs))):
        lines = (ROOT / f"src/api/{name}.def").read_text().splitlines()
        assert len([line for line in lines if line.startswith(name.upper() + "(")]) == count > 5
    for method, path, needs in routes:
        for asker in ("nobody", "forger") if (method, path) in ROUTES else ():
            refused = ROUTES[method, path][1][asker] == NO_TOKEN
            assert refused == ("NEEDS_AUTH" in needs), (method, path)


def forged(user):
    """What the server would sign, signed with another key."""
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = json.dumps({"user_id": user.id, "exp": int(time.time()) + 3600},
                        separators=(",", ":")).encode()
    text = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(claims)
    return (text + b"." + encode(hmac.new(bytes(32), text, hashlib.sha256).digest())).decode()


class World:
    """People who stay; each question gets a group of its own. A user has one session at most."""

    def __init__(self, directory):
        key = key_file(directory.parent / "api-key")
        self.server = Server(directory, {"--user-sessions-max": "1", "--send-rate": "0",
                                         "--api-key-file": str(directory.parent / "api-key"),
                                         "--admin-listen": "127.0.0.1:0"}).start()
        self.app = App(self.server, key)
        self.app.put("known", username="known")
        self.rest = Rest(self.server)
        for name in (*WHO_HAS_A_USER, "witness", "other", "outsider"):
            setattr(self, name, User(self.rest, name))
        self.ended_device = self.ended.device()
        self.ended.device()
        self.socket = self.witness.connect()
        self.scene()
        self.socket.fence()

    def scene(self):
        """A new group with two messages, between which the former member has left."""
        self.group = self.owner.group(self.witness, self.member, self.former, self.other,
                                      self.ended)
        sent = self.socket.ok(SEND, {"group_id": self.group, "data": "before"})
        self.message = sent["message_id"]
        self.former.leaves(self.group)
        self.socket.ok(SEND, {"group_id": self.group, "data": "after"})
        self.socket.fence()
        self.cursor = self.socket.info()["cursor"]
        return self

    def token(self, asker):
        if asker == "nobody":
            return None
        return forged(self.owner) if asker == "forger" else getattr(self, asker).token

    def path(self, asker):
        """The messaging URL that the asker has, or has not."""
        if asker == "nobody":
            return "/"
        if asker == "forger":
            return f"/{NOBODY}"
        return self.ended_device.path if asker == "ended" else getattr(self, asker).device().path

    def nothing_happened(self):
        self.socket.silent()
        return self.socket.info()["cursor"] == self.cursor


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("rights") / "data")
    yield made
    made.rest.close()
    made.app.close()
    made.server.check_replay(15)
    made.server.abandon()


def shake(world, path):
    """(status, code) of a handshake; the code is None where it went well."""
    connection = raw.Connection(world.server)
    connection.send(raw.request("GET", path, world.server, headers=[
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]))
    head = connection.read_until(b"\r\n\r\n").decode()
    status = int(head.split(" ")[1])
    if status == 101:
        connection.close()
        return 101
    length = int(re.search(r"content-length: (\d+)", head, re.IGNORECASE).group(1))
    return status, json.loads(connection.read(length))["code"]


QUERIES = {"/users": "?username=witness", "/messages/:id/reactions": "?emoji=%2B"}


def fill(world, path):
    """The path with the id of something that is there, and with what else it needs."""
    things = {"users": world.other.id, "sessions": NOBODY, "messages": world.message,
              "groups": world.group}
    return path.replace(":id", things.get(path.split("/")[1], "")).replace(
        ":user_id", world.other.id) + QUERIES.get(path, "")


def ask(world, method, path, body, asker):
    if path == "/:id":
        return shake(world, world.path(asker))
    target = fill(world, path)
    answer = world.rest.call(method, target, body, world.token(asker))
    if answer.status_code < 400:
        return answer.status_code
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route))
def test_a_route(world, route, asker):
    make_body, expected = ROUTES[route]
    scene = world.scene()
    body = make_body(scene) if make_body else None
    scene.cursor = scene.socket.info()["cursor"]
    # A socket's own session is made in path(), so that the cursor says nothing there.
    assert ask(world, *route, body, asker) == expected[asker]
    if isinstance(expected[asker], tuple):
        assert scene.nothing_happened()


def fill_for_app(world, method, path):
    """The path with what is there; what is to be made is new."""
    path = path.replace(":external_id", "known" if method == "GET" else next(NAMES))
    return path.replace(":id", world.other.id if "/users/" in path else world.group)


@pytest.mark.parametrize("route", APP_ROUTES, ids=lambda route: " ".join(route))
def test_a_route_of_the_app(world, route):
    make_body, expected = APP_ROUTES[route]
    scene = world.scene()
    body = make_body(scene) if make_body else None
    path = fill_for_app(world, *route)
    for asker in ASKERS:
        token = world.token(asker)
        answer = world.app.call(route[0], path, body, token or "", {} if token else {"authorization": None})
        assert (answer.status_code, answer.json()["code"]) == NO_TOKEN, asker
        answer = world.rest.call(route[0], path, body, token)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), asker
    assert world.rest.call(route[0], path, body, world.app.key).status_code == 404
    assert scene.nothing_happened()
    assert world.app.call(route[0], path, body).status_code == expected


@pytest.mark.parametrize("route", AT_APP_DOOR, ids=" ".join)
def test_a_route_at_the_apps_door(world, route):
    scene = world.scene()
    for token in [*map(world.token, ASKERS), world.app.key]:
        headers = None if token else {"authorization": None}
        assert world.app.call(*route, key=token or "", headers=headers).status_code == 200
        answer = world.rest.call(*route, token=token)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert scene.nothing_happened()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route))
def test_a_users_route_and_the_apps_key(world, route):
    """It opens none of those that ask who one is, and at the app's door there are none at all."""
    make_body, expected = ROUTES[route]
    scene = world.scene()
    body = make_body(scene) if make_body else None
    target = fill(world, route[1])
    scene.cursor = scene.socket.info()["cursor"]
    answer = world.app.call(route[0], target, body)
    if route[1] in AT_EVERY_DOOR:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    if expected["nobody"] == NO_TOKEN:
        answer = world.rest.call(route[0], target, body, world.app.key)
        assert (answer.status_code, answer.json()["code"]) == NO_TOKEN
    assert scene.nothing_happened()


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("method", RPCS)
def test_an_rpc(world, method, asker):
    make_body, expected = RPCS[method]
    scene = world.scene()
    body = make_body(scene)
    if asker not in WHO_HAS_A_SOCKET:
        assert shake(world, scene.path(asker)) == expected[asker]
        assert scene.nothing_happened()
        return
    socket = getattr(scene, asker).connect()
    scene.cursor = socket.info()["cursor"]
    if expected[asker] == "ok":
        socket.ok(method, body)
    else:
        socket.refused(method, body, *expected[asker])
        socket.silent()
        assert scene.nothing_happened()


@pytest.mark.parametrize("asker", SEEN)
def test_what_one_may_read(world, asker):
    scene = world.scene()
    events = getattr(scene, asker).connect().events()
    texts = [e.body["data"] for e in events
             if e.type == T_MESSAGE and e.body["group_id"] == scene.group]
    assert texts == SEEN[asker]
    history = world.rest.call("GET", f"/groups/{scene.group}/messages",
                              token=world.token(asker)).json()
    assert [m["data"] for m in history.get("messages", [])] == SEEN[asker]
    # Nor is it told how much there is that one may not read.
    assert history.get("last_seq", 0) == len(SEEN[asker])
    if asker == "stranger":
        assert scene.group not in "".join(e.raw for e in events)


@pytest.mark.parametrize("method", RPCS)
def test_an_rpc_on_the_socket_of_a_session_that_ends(world, method):
    """The socket is told why; what it still says is not heard."""
    scene = world.scene()
    socket = raw.Connection(world.server).upgrade(scene.ended.device().path)
    scene.cursor = scene.socket.info()["cursor"] + 1
    scene.ended.device()
    rpc = json.dumps({"method": method, "body": RPCS[method][0](scene)}).encode()
    socket.send(raw.frame(raw.TEXT, rpc))
    final, opcode, payload = socket.frame()
    assert (final, opcode, payload[:2]) == (True, raw.CLOSE, (4001).to_bytes(2, "big"))
    socket.send(raw.frame(raw.TEXT, rpc))
    socket.send(raw.close_frame(4001))
    assert socket.at_end() == b""
    assert scene.nothing_happened()
