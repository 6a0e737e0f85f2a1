"""Requests and RPCs that nobody thought of, made from docs/openapi.yaml and docs/asyncapi.yaml: what
they allow is answered as they say, and what they forbid is refused. The kit holds each answer to
them."""
import itertools
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import contract
from kit.app import App
from kit.generate import NO_UUIDS, Values, is_id
from kit.people import Rest, User
from kit.socket import SEND, T_REPLY

OPTIONS = {"poll_wait_max": 0, "send_rate": 0, "login_fail_account": 0,
           "api_key_file": "api-key", "admin_listen": "127.0.0.1:0"}

EXAMPLES = settings(max_examples=30, derandomize=True, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))

NAMES = (f"generated{number}" for number in itertools.count(1))

# A handshake has tests of its own.
REST = [one for one in contract.operations() if one.path != "/{id}"]


class Plain(Rest):
    """Learns no secrets: a password that is made of zeros stands in many a text."""

    def learn(self, body, answer, token=None):
        super().learn(None, answer, token)


class World:
    """Two people with a group of their own, and a message in it; and somebody else."""

    def __init__(self, server, rest):
        self.server = server
        self.rest = rest
        self.user, self.other, self.third = (User(rest, next(NAMES)) for _ in range(3))
        self.app = App(server, rest=rest)
        self.known = next(NAMES)
        self.app.put(self.known)
        self.hook = self.make_hook()
        self.device = self.user.device()
        self.group = self.user.group(self.other)
        self.message = self.user.ok(201, "POST", f"/groups/{self.group}/messages",
                                    {"data": "one"})["message_id"]

    def make_hook(self):
        """There may be a few only, and what the tests before have made is in the way."""
        for hook in self.app.ok(200, "GET", "/admin/hooks")["hooks"]:
            self.app.call("DELETE", f"/admin/hooks/{hook['hook_id']}")
        return self.app.ok(201, "POST", "/admin/hooks", {"url": "http://127.0.0.1:1/"})["hook_id"]

    def hints(self, path=""):
        """Values that name what is there."""
        users = st.sampled_from([self.third.id, self.other.id, self.user.id])
        group, message = st.just(self.group), st.just(self.message)
        things = {"/groups": group, "/users": users, "/sessions": st.just(self.device.id),
                  "/messages": message, "/admin/users": users, "/admin/groups": group,
                  "/admin/hooks": st.just(self.hook)}
        in_path = [thing for start, thing in things.items() if path.startswith(f"{start}/")]
        found = {
            "user_id": users, "items": users, "group_id": group, "message_id": message,
            "prefix": st.sampled_from(["generated", self.user.name]),
            "username": st.sampled_from([self.user.name, *itertools.islice(NAMES, 9)]),
            "email": st.sampled_from([self.user.email, f"{next(NAMES)}@example.org"]),
            "password": st.just(self.user.password),
            "current_password": st.just(self.user.password), "except": st.just(self.device.id),
            "url": st.just("http://127.0.0.1:1/"), "seq": st.just(1), "external_id": st.just(self.known)}
        if in_path:
            found["id"] = in_path[0]
        if path == "/groups":
            found["after"] = group
        elif path.endswith(("/members", "/receipts")):
            found["after"] = users
        return found


@pytest.fixture(name="rest", scope="module")
def make_rest(shared_server):
    client = Plain(shared_server)
    yield client
    client.close()


def fields(operation, place):
    return [one for one in operation.parameters if one["in"] == place]


def strategies(values, operation):
    """(path, query, body): what each may be."""
    path = {one["name"]: values.allowed(one["schema"], one["name"])
            for one in fields(operation, "path")}
    query = {one["name"]: values.allowed(one["schema"], one["name"])
             for one in fields(operation, "query")}
    needed = {one["name"] for one in fields(operation, "query") if one.get("required")}
    body = st.none() if operation.body is None else values.allowed(operation.body)
    return (st.fixed_dictionaries(path),
            st.fixed_dictionaries({name: one for name, one in query.items() if name in needed},
                                  optional={name: one for name, one in query.items()
                                            if name not in needed}), body)


def ask(world, operation, path, query, body):
    target = operation.path.format(**{name: quote(value, safe="") for name, value in path.items()})
    if query:
        target += "?" + urlencode(query)
    if "servers" in operation.item:  # the other listener
        return world.app.call(operation.method, target, body)
    token = None if operation.open else world.user.token
    return world.rest.call(operation.method, target, body, token)


def of(operation):
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize("operation", REST, ids=of)
def test_a_request_that_is_allowed(shared_server, rest, operation):
    world = World(shared_server, rest)
    answered = set()

    @EXAMPLES
    @given(*strategies(Values(world.hints(operation.path)), operation))
    def run(path, query, body):
        answer = ask(world, operation, path, query, body)
        assert answer.status_code < 500, answer.text
        answered.add(answer.status_code // 100)

    run()
    assert 2 in answered, "nothing was done: World.hints may not name what this one needs"


def wrong_requests(values, operation):
    """Requests of which one part is forbidden."""
    path, query, body = strategies(values, operation)
    found = []
    for name in (one["name"] for one in fields(operation, "path") if is_id(one["schema"])):
        bad_path = st.builds(lambda right, value, name=name: {**right, name: value}, path, NO_UUIDS)
        found.append(st.tuples(bad_path, query, body))
    for one in fields(operation, "query"):
        name, bad = one["name"], wrong_texts(values, one["schema"])
        if one.get("required"):
            found.append(st.tuples(path, st.just({}), body))
        if bad is not None:
            bad_query = st.builds(lambda right, value, name=name: {**right, name: value}, query, bad)
            found.append(st.tuples(path, bad_query, body))
    if operation.body is not None:
        found.append(st.tuples(path, query, values.forbidden(operation.body)))
    return found


def wrong_texts(values, schema):
    """What does not stand for such a value in a query."""
    if schema["type"] == "integer":
        outside = values.forbidden(schema).filter(lambda value: type(value) is int)
        return st.one_of(outside.map(str), st.sampled_from(["", "x", "1.5", "+1", "0x1", "1e1", "١"]))
    return NO_UUIDS if is_id(schema) else None


@pytest.mark.parametrize("operation", [one for one in REST if wrong_requests(Values(), one)], ids=of)
def test_a_request_that_is_forbidden(shared_server, rest, operation):
    world = World(shared_server, rest)

    @EXAMPLES
    @given(st.one_of(wrong_requests(Values(world.hints(operation.path)), operation)))
    def run(request):
        answer = ask(world, operation, *request)
        assert 400 <= answer.status_code < 500, (request, answer.status_code, answer.text)

    run()


# ---- RPCs -----------------------------------------------------------------------------------------

def reply_to(socket, envelope):
    """The reply to what is sent; the kit has seen what came before it."""
    ident, method = envelope.get("id"), envelope.get("method")
    socket.methods = {str(ident): method} if isinstance(method, int) else {}
    socket.send_text(json.dumps(envelope))
    while True:
        event = socket.recv()
        if event.type == T_REPLY:
            return event


@pytest.mark.parametrize("method", contract.rpcs())
def test_an_rpc_that_is_allowed(shared_server, rest, method):
    world = World(shared_server, rest)
    payload = contract.rpcs()[method][1]
    payload = {**payload, "required": [*payload["required"], "id"]}
    socket = world.device.connect()
    answered = set()

    @EXAMPLES
    @given(Values(world.hints()).allowed(payload))
    def run(envelope):
        reply = reply_to(socket, envelope)
        # An id may be too long in bytes, which the contract can only say in words.
        assert reply.get("id") == (None if reply.body.get("code") == "invalid_field" and
                                   len(json.dumps(envelope["id"])) > 128 else envelope["id"])
        assert reply.body.get("status", 0) < 500, reply.raw
        answered.add(reply.body["ok"])

    run()
    assert True in answered, "nothing was done: World.hints may not name what this one needs"
    socket.ok(SEND, {"group_id": world.group, "data": "it goes on"})


@pytest.mark.parametrize("method", contract.rpcs())
def test_an_rpc_that_is_forbidden(shared_server, rest, method):
    world = World(shared_server, rest)
    payload = contract.rpcs()[method][1]
    socket = world.device.connect()

    def another(envelope):
        """One that is no other RPC by its number."""
        number = envelope.get("method") if isinstance(envelope, dict) else None
        return type(number) is not int or number == method or number not in contract.rpcs()

    @EXAMPLES
    @given(Values(world.hints()).forbidden(payload).filter(another))
    def run(envelope):
        if not isinstance(envelope, dict):
            socket.send_text(json.dumps(envelope))
            reply = socket.recv()
        else:
            reply = reply_to(socket, envelope)
        assert reply.body["ok"] is False, (envelope, reply.raw)
        assert 400 <= reply.body["status"] < 500, reply.raw

    run()
    socket.ok(SEND, {"group_id": world.group, "data": "it goes on"})
