"""JSON in and out: RFC 8259 case by case over REST and over RPC, and text that comes back as it
was sent. Everything that the server says here is read by a strict reader."""
import ast
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kit import raw, strict
from kit.checks import is_utf8
from kit.people import User
from kit.raw import CLOSE, TEXT, frame
from kit.socket import (EVENTS, INFO, SEND, T_GROUP, T_INFO, T_MESSAGE, T_REPLY, T_SENT)

OPTIONS = {"send_rate": 0}

# ---- the cases, which the unit tests read too -------------------------------------------------

TABLE = Path(__file__).resolve().parents[1] / "unit" / "base" / "json_cases.def"
LITERAL = r'("(?:[^"\\]|\\.)*")'
LINE = re.compile(rf"^(VALID|INVALID|TAKEN|REFUSED)\({LITERAL}, {LITERAL}\)$")
LINE_TIMES = re.compile(rf"^(VALID|INVALID|TAKEN|REFUSED)_TIMES"
                        rf"\({LITERAL}, {LITERAL}, (\d+), {LITERAL}, (\d+)\)$")


def literal(text):
    return ast.literal_eval("b" + text)


def read_table():
    cases = {}
    for line in TABLE.read_text("ascii").splitlines():
        if not re.match("[A-Z]", line):
            continue
        found = LINE.match(line)
        if found:
            verdict, name, text = found.groups()
            text = literal(text)
        else:
            verdict, name, a, n, b, m = LINE_TIMES.match(line).groups()
            text = literal(a) * int(n) + literal(b) * int(m)
        name = literal(name).decode()
        assert name not in cases
        cases[name] = (verdict in ("VALID", "TAKEN"), text)
    return cases


CASES = read_table()
TAKEN = {name: text for name, (taken, text) in CASES.items() if taken}
REFUSED = {name: text for name, (taken, text) in CASES.items() if not taken}


def test_the_table_is_whole():
    lines = TABLE.read_text("ascii").splitlines()
    assert len(CASES) == sum(line.endswith(")") and "(" in line and line[0].isupper()
                             for line in lines)
    for prefix in ("y_", "n_", "i_"):
        for part in ("array", "object", "number", "string", "structure"):
            wanted = prefix + part
            assert any(name.startswith(wanted) for name in CASES) or wanted == "i_array"


# ---- a server, and what it says -----------------------------------------------------------------


class World:
    """One user with a REST connection and two sockets, as raw bytes."""

    def __init__(self, server, rest):
        self.server = server
        self.user = User(rest)
        self.other = User(rest)
        self.group = self.user.group(self.other)
        self.device = self.user.device()
        self.hearing = self.other.device()
        self.http = raw.Connection(server)
        self.socket = self.connect()
        self.hearer = raw.Connection(server).upgrade(self.hearing.path)

    def connect(self):
        return raw.Connection(self.server).upgrade(self.device.path)

    def post(self, path, body, token=None):
        """(status, value) of the answer to a POST of these bytes."""
        headers = [f"Authorization: bearer {token}"] if token else []
        self.http.send(raw.request("POST", path, self.server, body=body, headers=headers))
        answer = self.http.answer()
        return answer.status, strict.loads(answer.body)

    def login_text(self, text):
        """A login's body with `text` as the value of a field that nobody reads."""
        return b'{"x":%s,"username":"%s","password":"%s"}' % (
            text, self.user.name.encode(), self.user.password.encode())

    def login(self, text):
        return self.post("/login", self.login_text(text))

    def say(self, text):
        """What the server says to one text frame."""
        self.socket.send(frame(TEXT, text))
        return strict.loads(self.socket.text())


@pytest.fixture(scope="module")
def world(shared_server, shared_rest):
    return World(shared_server, shared_rest)


# ---- over REST and over RPC ---------------------------------------------------------------------


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_json_is_taken(world, name):
    text = TAKEN[name]
    status, value = world.login(text)
    assert (status, list(value)) == (200, ["token"]), value
    event = world.say(b'{"method":10,"x":' + text + b',"body":{"y":' + text + b"}}")
    assert event["type"] == T_INFO, event


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_is_refused_over_rest(world, name):
    """As the whole body, and inside one that would be fine."""
    for status, value in (world.post("/login", REFUSED[name]), world.login(REFUSED[name])):
        assert (status, value["code"]) == (400, "invalid_json"), value


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_is_refused_over_rpc(world, name):
    """The same; bytes that are no UTF-8 do not even make a text frame."""
    text = REFUSED[name]
    for message in (text, b'{"method":10,"x":' + text + b',"body":{}}'):
        if is_utf8(message):
            reply = world.say(message)
            assert (reply["type"], reply["body"]["ok"]) == (T_REPLY, False), reply
            assert (reply["body"]["status"], reply["body"]["code"]) == (400, "invalid_json")
        else:
            connection = world.connect()
            connection.send(frame(TEXT, message))
            final, opcode, payload = connection.frame()
            assert (final, opcode, payload[:2]) == (True, CLOSE, (1007).to_bytes(2, "big"))
            connection.close()


@pytest.mark.parametrize("name", [name for name in TAKEN if not TAKEN[name].strip().startswith(b"{")
                                  and "object" not in name])
def test_a_request_is_an_object(world, name):
    """Everything else is no request, however valid it is as JSON."""
    status, value = world.post("/login", TAKEN[name])
    assert (status, value["code"]) == (400, "invalid_json"), value
    reply = world.say(TAKEN[name])
    assert (reply["type"], reply["body"]["code"]) == (T_REPLY, "invalid_json"), reply


@pytest.mark.parametrize("count, taken", [(16_384, True), (16_385, False)])
def test_the_number_of_values_is_limited(world, count, taken):
    """--json-token-max, keys and values and the object itself."""
    rest = b"[%s]" % b",".join([b"0"] * (count - 7))
    assert world.login(rest)[0] == (200 if taken else 400)
    rpc = b'{"method":10,"x":[%s]}' % b",".join([b"0"] * (count - 5))
    assert (world.say(rpc)["type"] == T_INFO) == taken


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_limited(world, opening, closing):
    """--json-depth-max, the outermost object counts."""
    for inner, taken in ((31, True), (32, False)):
        text = opening * inner + b"0" + closing * inner
        assert world.login(text)[0] == (200 if taken else 400)
        assert (world.say(b'{"method":10,"x":' + text + b"}")["type"] == T_INFO) == taken


def test_a_key_twice_in_the_fields_that_count(world):
    name = world.user.name.encode()
    for body in (b'{"username":"%s","password":"x","password":"0000"}' % name,
                 b'{"username":"nobody","username":"%s","password":"0000"}' % name,
                 b'{"username":"%s","password":"0000","pass\\u0077ord":"0000"}' % name):
        status, value = world.post("/login", body)
        assert (status, value["code"]) == (400, "invalid_json")
    for text in (b'{"method":60,"method":10}', b'{"method":10,"body":{},"body":{}}',
                 b'{"id":1,"method":10,"id":2}', b'{"method":10,"meth\\u006fd":10}'):
        assert world.say(text)["body"]["code"] == "invalid_json"


def test_integers_are_integers(world):
    """A fraction, an exponent or too many digits is another value than an integer."""
    for number in (b"10.0", b"1e1", b"10e0", b"1E+1", b"100e-1", b'"10"', b"[10]", b"-10",
                   b"18446744073709551626", b"-4294967286", b"1e9999", b"null", b"true"):
        reply = world.say(b'{"method":%s}' % number)
        assert reply["type"] == T_REPLY and reply["body"]["ok"] is False, (number, reply)
        session = b'{"device_id":"0","platform":"web","model":"m","build":%s,"name":"n"}' % number
        status, value = world.post("/sessions", session, world.user.token)
        assert (status, value["code"]) == (400, "invalid_field"), (number, value)


def test_keys_may_be_written_in_escapes(world):
    body = world.login_text(b"1")
    body = body.replace(b"username", b"user\\u006eame").replace(b"password", b"\\u0070assword")
    assert world.post("/login", body)[0] == 200
    assert world.say(b'{"\\u006d\\u0065thod":10}')["type"] == T_INFO


def test_a_key_ends_with_its_last_byte_and_not_at_nul(world):
    body = world.login_text(b"1").replace(b'"x"', b'"username\\u0000"')
    assert world.post("/login", body)[0] == 200
    status, value = world.post("/login", body.replace(b'"password"', b'"password\\u0000"'))
    assert (status, value["code"]) == (400, "invalid_field")


# ---- text comes back as it was sent -------------------------------------------------------------

NUMBERS = itertools.count(1)
SETTINGS = settings(max_examples=150, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))

# Every plane, and what is often broken: controls, quotes, marks, directions, joiners, variants.
CHARACTERS = st.one_of(
    st.characters(blacklist_categories=["Cs"]),
    st.characters(min_codepoint=0, max_codepoint=0x9F),
    st.integers(1, 16).flatmap(lambda plane: st.characters(min_codepoint=plane << 16,
                                                           max_codepoint=(plane << 16) + 0xFFFF)),
    st.sampled_from('"\\/\b\f\n\r\t\0\x1f\x7f\u0085\u2028\u2029\ufeff\ufffe\uffff\ufdd0'
                    "\u0301\u0308\u200d\ufe0f\u200e\u200f\u202e\u2066\u2069אبم👩🏽"
                    "\ud7ff\ue000\U00010000\U0010ffff"))
TEXTS = st.text(CHARACTERS, max_size=60)


@st.composite
def escaped(draw, text):
    """`text` as a JSON string in which any character may stand as itself or as an escape."""
    out = ['"']
    for c in text:
        must = c < " " or c in '"\\'
        if must or draw(st.booleans()):
            units = c.encode("utf-16-be")
            form = draw(st.sampled_from(["\\u%04x", "\\u%04X"]))
            short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n",
                     "\r": "\\r", "\t": "\\t"}.get(c)
            if short and draw(st.booleans()):
                out.append(short)
            else:
                out += [form % int.from_bytes(units[i:i + 2], "big")
                        for i in range(0, len(units), 2)]
        else:
            out.append(c)
    return "".join(out) + '"'


def written(text):
    """The one way in which the server writes a text: only what must be escaped is."""
    return json.dumps(text, ensure_ascii=False).encode()


class Sent:
    """What was sent in this module, in order, for looking at it again afterwards."""

    def __init__(self):
        self.texts = []


@pytest.fixture(scope="module")
def sent(world):
    return Sent()


@SETTINGS
@given(text=TEXTS, data=st.data())
@example(text="", data=None)
@example(text="\0", data=None)
@example(text="a\0b\0", data=None)
@example(text="".join(map(chr, range(256))), data=None)
@example(text="👩‍👩‍👧‍👦🏳️‍🌈🇩🇪 שלום\u202eمرحبا e\u0301\u0302\u0323 \ufeff", data=None)
@example(text="".join(chr(plane << 16 | low) for plane in range(17) for low in (0, 0xFFFF)),
         data=None)
def test_messages_come_back_byte_for_byte(world, sent, text, data):
    """Live, to the sender and to the others; client ids and the ids of RPCs too."""
    client_id = f"{next(NUMBERS)}{text[:8]}"
    form = data.draw(escaped(text)) if data else json.dumps(text)
    ident = written(client_id)
    message = (b'{"method":%d,"id":%s,"body":{"group_id":"%s","data":%s,"client_id":%s}}' % (
        SEND, ident, world.group.encode(), form.encode(), ident))
    world.socket.send(frame(TEXT, message))
    raw_event = world.socket.text()
    event = strict.loads(raw_event)
    assert event["type"] == T_SENT and event["body"]["client_id"] == client_id
    assert b'"client_id":' + ident in raw_event
    raw_reply = world.socket.text()
    assert strict.loads(raw_reply)["id"] == client_id
    assert b'"id":' + ident in raw_reply
    raw_event = world.hearer.text()
    while strict.loads(raw_event)["type"] == T_GROUP:
        raw_event = world.hearer.text()
    assert strict.loads(raw_event)["body"]["data"] == text
    assert b'"data":' + written(text) in raw_event
    sent.texts.append(text)


def messages_of(world):
    """The texts of all messages, as catching up tells them to the others."""
    connection = raw.Connection(world.server).upgrade(world.hearing.path)
    connection.send(frame(TEXT, b'{"method":%d,"id":"end"}' % EVENTS))
    texts = []
    while True:
        raw_event = connection.text()
        event = strict.loads(raw_event)
        if event["type"] == T_REPLY and event["id"] == "end":
            connection.close()
            return texts
        if event["type"] == T_MESSAGE and event["body"]["group_id"] == world.group:
            assert b'"data":' + written(event["body"]["data"]) in raw_event
            texts.append(event["body"]["data"])


def test_messages_come_back_on_catching_up_and_after_a_restart(world, sent):
    assert sent.texts and messages_of(world) == sent.texts
    world.server.restart()
    assert messages_of(world) == sent.texts
    world.http = raw.Connection(world.server)
    world.socket = world.connect()
    world.hearer = raw.Connection(world.server).upgrade(world.hearing.path)


@SETTINGS
@given(name=st.text(CHARACTERS, min_size=1, max_size=128), data=st.data())
def test_names_come_back_byte_for_byte(world, name, data):
    """Names hold no control characters; all else is kept. Nothing is made where it is refused."""
    body = b'{"name":%s,"user_ids":[]}' % data.draw(escaped(name)).encode()
    status, value = world.post("/groups", body, world.user.token)
    if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in name):
        assert (status, value["code"]) == (400, "invalid_field")
        return
    assert status == 201
    raw_event = world.socket.text()
    event = strict.loads(raw_event)
    assert (event["type"], event["body"]["group_id"]) == (T_GROUP, value["id"])
    assert event["body"]["name"] == name
    assert b'"name":' + written(name) in raw_event


# ---- U+0000 -------------------------------------------------------------------------------------


def test_nul_in_a_password_is_a_character(world):
    """Nothing ends at it."""
    name = f"nul{next(NUMBERS)}"

    def post(path, password):
        return world.post(path, json.dumps({"username": name, "password": password}).encode())[0]

    assert post("/users", "a\0b") == 201
    for wrong in ("a", "a\0", "a\0c", "ab", "a\0b\0"):
        assert post("/login", wrong) == 401
    assert post("/login", "a\0b") == 200


def test_nul_is_in_no_name(world):
    for body in ({"username": "a\0b", "password": "0000"},
                 {"username": "ab", "email": "a\0b@example.com", "password": "0000"}):
        status, value = world.post("/users", json.dumps(body).encode())
        assert (status, value["code"]) == (400, "invalid_field")
    for field in ("device_id", "model", "name"):
        body = {"device_id": "0", "platform": "web", "model": "m", "build": 1, "name": "n",
                field: "a\0b"}
        status, value = world.post("/sessions", json.dumps(body).encode(), world.user.token)
        assert (status, value["code"]) == (400, "invalid_field"), field
    status, value = world.post("/groups", b'{"name":"\\u0000","user_ids":[]}', world.user.token)
    assert (status, value["code"]) == (400, "invalid_field")


def test_nul_in_an_id_makes_it_no_id(world):
    ident = world.group + "\0"
    reply = world.say(json.dumps({"method": SEND, "body": {"group_id": ident,
                                                           "data": "x"}}).encode())
    assert reply["body"]["code"] == "invalid_field"
    assert world.say(b'{"method":%d}' % INFO)["type"] == T_INFO
