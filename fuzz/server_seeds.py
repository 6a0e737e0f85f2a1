#!/usr/bin/python3
"""Writes the scripts that fuzz_server begins with: whole stories, a step after the other.

    fuzz/server_seeds.py DIR

fuzz_server.c says what a step is. The corpus in the repository is what libFuzzer's -merge=1 kept of
these and of what it found from them.
"""
import base64
import hmac
import json
import sys
from pathlib import Path

SEP = b"\x1e"
TURN = b"."
ID, TOKEN, URL, MESSAGE = (b"\x01" + letter for letter in (b"i", b"t", b"u", b"m"))


def nth(what, n):
    return (what + b"%d" % n).decode("latin-1")


def request(client, method, path, body=None, token=None, field=None):
    """A request, and turns that answer it. A field is "name: value"."""
    line = f"{method} {path}" + ("" if token is None else f" {nth(TOKEN, token)}")
    if field is not None:
        line += (" " if token is None else "") + f" {field}"
    text = "" if body is None else plain(body)
    return b"r%d" % client + f"{line}\n{text}".encode("latin-1"), TURN


def plain(body):
    """JSON with the names as they are."""
    return json.dumps(body, separators=(",", ":")).replace("\\u0001", "\x01")


def rpc(client, method, body, **envelope):
    return b"\"%d" % client + plain({"method": method, **envelope, "body": body}).encode(), TURN


def register(client, name):
    account = {"username": name, "email": name + "@x.org", "password": "pw" + name}
    return request(client, "POST", "/users", account) + request(client, "POST", "/login", account)


def session(client, token):
    device = {"device_id": "d", "platform": "web", "model": "m", "build": 1, "name": "n"}
    return request(client, "POST", "/sessions", device, token)


def upgrade(client, url, query=""):
    head = (f"GET /{nth(URL, url)}{query} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    return b">%d" % client + head.encode("latin-1"), TURN


def connect(*clients):
    return tuple(b"c%d" % client for client in clients)


# Ids are seen in this order: the two users, their sessions, the group.
MEET = (connect(0, 1) + register(0, "anna") + register(1, "bert") + session(0, 0) + session(1, 1)
        + request(0, "POST", "/groups", {"name": "g", "user_ids": [nth(ID, 1)]}, 0))
ANNA, BERT, GROUP = nth(ID, 0), nth(ID, 1), nth(ID, 4)
LISTEN = upgrade(0, 0) + upgrade(1, 1)


def send(client, text, **more):
    return rpc(client, 40, {"group_id": GROUP, "data": text, **more})


def members(token, what, user, client=2):
    return request(client, "PUT", f"/groups/{GROUP}/{what}", {"user_id": user}, token)


def role(token, user, what, client=2):
    return request(client, "PATCH", f"/groups/{GROUP}/members/{user}", {"role": what}, token)


def keep(token, days, client=2):
    return request(client, "PUT", f"/groups/{GROUP}/retention", {"days": days}, token)


def react(token, emoji, client=2):
    return request(client, "PUT", f"/messages/{nth(MESSAGE, 0)}/reactions", {"emoji": emoji}, token)


def direct(token, user, client=2):
    return request(client, "POST", "/groups", {"kind": "direct", "user_ids": [user]}, token)


def change(token, client=2, **settings):
    return request(client, "PATCH", f"/groups/{GROUP}", settings, token)


def app(method, path, body=None, key="app"):
    """A request of the app's own server, by its own door."""
    return request(6, method, path, body, None, f"authorization: bearer {key}")


def app_token(**claims):
    """One that the app has signed with the key that fuzz_server.c gives it."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    text = b".".join(part(json.dumps(half).encode()) for half in ({"alg": "HS256"}, claims))
    mac = hmac.new(b"an app's secret, as long as needed", text, "sha256").digest()
    return (text + b"." + part(mac)).decode()


def as_app_user(method, path, body=None, **claims):
    token = app_token(**{"sub": "e1", "exp": 1600001000, **claims})
    return request(2, method, path, body, None, f"authorization: bearer {token}")


def at_once(*steps):
    """All of it in one turn."""
    return tuple(step for step in steps if step != TURN) + (TURN,)


def get(path, token=0, client=2):
    return request(client, "GET", path, None, token)


def gets(*paths, token=0, client=2):
    return sum((get(path, token, client) for path in paths), ())


def post(client, text, token, key=None, **more):
    """A message over REST."""
    return request(client, "POST", f"/groups/{GROUP}/messages", {"data": text, **more}, token,
                   None if key is None else f"idempotency-key: {key}")


STORIES = {
    "story": MEET + LISTEN + rpc(0, 10, {}, id=1) + rpc(1, 20, {}) + send(0, "hello", client_id="a")
    + rpc(1, 41, {"message_id": nth(MESSAGE, 0)}) + rpc(1, 42, {"message_id": nth(MESSAGE, 0)}, id="x")
    + rpc(1, 60, {"group_id": GROUP}) + rpc(1, 61, {"group_id": GROUP})
    + send(0, "hello", client_id="a") + send(1, "hi") + rpc(0, 42, {"group_id": GROUP, "seq": 2})
    + connect(2) + upgrade(2, 1, "?after=3") + rpc(2, 20, {"after": 2, "limit": 2}),
    "catch-up": MEET + LISTEN + sum((send(0, "t" * n) for n in range(1, 12)), ())
    + rpc(1, 20, {}) + rpc(1, 20, {"after": 4, "limit": 3}) + rpc(1, 20, {"timestamp": 1600000000000})
    + rpc(1, 20, {"after": 999}) + rpc(1, 20, {"after": 1, "epoch": ANNA}) + (b"x1", b"c1")
    + upgrade(1, 1, "?after=0&limit=2"),
    "members": MEET + LISTEN + connect(2) + members(1, "left", BERT) + members(1, "join", BERT)
    + members(0, "left", BERT) + members(1, "join", BERT) + send(1, "no") + members(0, "join", BERT)
    + members(0, "left", ANNA) + send(1, "alone") + members(0, "join", ANNA) + rpc(0, 20, {}),
    "deaf": MEET + LISTEN + (b"d1",) + sum((send(0, "z" * 1800) for _ in range(6)), ())
    + (b"w9000",) + sum((send(0, "z" * 1800) for _ in range(8)), ())
    + (b"w30000", TURN, b"d1", TURN, b"w30000", TURN, b"w60000", TURN),
    "full": MEET + LISTEN + (b"f1",) + send(0, "lost") + send(0, "kept") + (b"f2",)
    + (b"\"0" + plain({"method": 40, "body": {"group_id": GROUP, "data": "1"}}).encode(),
       b"\"1" + plain({"method": 40, "body": {"group_id": GROUP, "data": "2"}}).encode(), TURN),
    "snapshot": MEET + LISTEN + (b"s",) + send(0, "behind") + (b"s", b"s")
    + rpc(1, 20, {"after": 3}) + members(1, "left", BERT, 0),
    "stop": MEET + LISTEN + (b"\"0" + plain({"method": 40, "body": {
        "group_id": GROUP, "data": "last"}}).encode(), b"q", TURN, b"w11000", TURN),
    "sessions": connect(0, 1, 2, 3) + register(0, "anna") + session(0, 0) + session(0, 0)
    + upgrade(1, 0) + upgrade(2, 0) + upgrade(3, 0) + session(0, 0) + session(0, 0),
    "refused": connect(0) + request(0, "POST", "/login", {"username": "x", "password": "y"})
    + register(0, "anna") + register(0, "ANNA") + request(0, "GET", "/nothing")
    + request(0, "DELETE", "/users") + request(0, "POST", "/groups", {"name": ""}, 0)
    + request(0, "POST", "/groups", [1], 0) + request(0, "OPTIONS", "*"),
    "slow": connect(0, 1, 2) + (b">0GET / HT", TURN, b"w11000", TURN,
                                b">1POST /users HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{",
                                TURN, b"w16000", TURN, b"w61000", TURN, b"e2", TURN),
    "wrong": connect(0, 1) + (b">0\x16\x03\x01\x02", TURN,
                              b">1GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", TURN),
    "history": MEET + LISTEN + connect(2) + sum((send(n % 2, "t" * n) for n in range(1, 8)), ())
    + gets(*(f"/groups/{GROUP}/messages{query}" for query in (
        "", "?limit=2", "?before_seq=4&limit=2", "?after_seq=2", "?around_seq=3&limit=3",
        "?before_seq=1&after_seq=1", "?limit=0", "?after_seq=99")))
    + rpc(1, 21, {"group_id": GROUP, "limit": 2}) + rpc(1, 21, {"group_id": GROUP, "before_seq": 3})
    + rpc(1, 21, {"group_id": GROUP, "after_seq": 3, "limit": 1}, id="h")
    + rpc(1, 21, {"group_id": GROUP, "around_seq": 4}, id=2) + rpc(1, 21, {"group_id": ANNA})
    + get(f"/messages/{nth(MESSAGE, 2)}", 1) + get(f"/messages/{ANNA}"),
    "away": MEET + LISTEN + connect(2) + send(0, "one") + members(1, "left", BERT) + send(0, "two")
    + members(0, "join", BERT) + send(0, "three") + gets(f"/groups/{GROUP}/messages", "/sync", token=1)
    + get(f"/messages/{nth(MESSAGE, 1)}", 1) + members(0, "left", BERT)
    + gets(f"/groups/{GROUP}/messages", f"/groups/{GROUP}", "/sync", token=1)
    + rpc(1, 21, {"group_id": GROUP}) + get(f"/groups/{GROUP}/members", 1),
    "inbox": MEET + LISTEN + connect(2) + send(0, "one") + send(1, "two")
    + request(2, "POST", "/groups", {"name": "h", "user_ids": []}, 0)
    + rpc(1, 42, {"group_id": GROUP, "seq": 1})
    + gets("/sync", "/sync?limit=1", "/sync?limit=1&before=6", "/groups", "/groups?limit=1",
           f"/groups?limit=1&after={GROUP}", f"/groups/{GROUP}", f"/groups/{GROUP}/members",
           f"/groups/{GROUP}/members?limit=1&after={ANNA}", f"/groups/{GROUP}/receipts",
           f"/groups/{GROUP}/receipts?limit=1&after={BERT}", f"/groups/{ANNA}", "/sync?limit=x"),
    "people": MEET + connect(2) + gets("/users/me", f"/users/{BERT}", f"/users/{GROUP}",
                                       "/users?username=bert", "/users?username=%42ERT",
                                       "/users?username=%ff", "/users?username=a+b", "/users"),
    "devices": MEET + LISTEN + connect(2) + get("/sessions") + session(2, 0)
    + request(2, "DELETE", f"/sessions?except={nth(ID, 2)}", None, 0)
    + request(2, "DELETE", f"/sessions/{nth(ID, 3)}", None, 0)
    + request(2, "DELETE", f"/sessions/{nth(ID, 2)}", None, 0) + get("/sessions")
    + request(2, "DELETE", "/sessions", None, 1) + get("/sessions", 1),
    "rest": MEET + LISTEN + connect(2) + post(2, "hello", 0, "k1") + post(2, "hello", 0, "k1")
    + post(2, "other", 0, "k1") + post(2, "hi", 1, client_id="c", key="ignored")
    + send(1, "hi", client_id="c") + post(2, "", 0) + post(2, "x", 0, "k" * 65),
    "receipts": MEET + LISTEN + connect(2, 3) + register(3, "carl") + members(0, "join", nth(ID, 5))
    + session(3, 2) + upgrade(3, 2) + sum((send(n % 2, "t" * n) for n in range(1, 9)), ())
    + rpc(1, 41, {"group_id": GROUP, "seq": 5}) + rpc(3, 42, {"group_id": GROUP, "seq": 3})
    + rpc(0, 41, {"group_id": GROUP, "seq": 8}) + rpc(3, 41, {"group_id": GROUP, "seq": 7})
    + rpc(1, 42, {"group_id": GROUP, "seq": 4}) + rpc(0, 20, {}) + rpc(1, 20, {})
    + rpc(0, 20, {"after": 15}) + rpc(1, 20, {"after": 0, "limit": 4}) + members(1, "left", BERT)
    + rpc(0, 20, {}) + get(f"/groups/{GROUP}/receipts"),
    "at once": MEET + LISTEN + connect(2, 3) + at_once(*send(0, "x", client_id="c", id=1), *send(
        0, "x", client_id="c", id=2), *send(0, "y", client_id="c"), *send(1, "z"))
    + at_once(*members(0, "left", BERT), *send(1, "gone", id=3), *post(3, "gone", 1))
    + at_once(*members(0, "join", BERT), *members(0, "join", BERT, 3))
    + at_once(*post(2, "x", 0, "k"), *send(0, "x", client_id="k", id=4)),
    "founders": MEET + connect(2) + sum((request(2, "POST", "/groups", {
        "name": "h", "user_ids": who}, 0) for who in (
            [BERT, BERT, ANNA, ANNA, BERT], [ANNA], [GROUP], [BERT] * 7, [7], "x")), ()),
    "kinds": connect(0) + sum((request(0, "POST", "/login", {"username": "x", "password": "y"},
                                       field=f"content-type: {kind}") for kind in (
        "application/json", "Application/JSON ; charset=utf-8", "application/jsonx", "text/plain")), ())
    + request(0, "GET", "/users/me", field="authorization: basic x"),
    "roles": MEET + LISTEN + connect(2, 3) + register(3, "carl") + members(0, "join", nth(ID, 5))
    + role(0, BERT, "admin") + role(1, ANNA, "member") + role(0, BERT, "admin") + role(0, BERT, "x")
    + members(1, "left", nth(ID, 5)) + role(0, nth(ID, 5), "admin") + members(0, "join", nth(ID, 5))
    + role(0, BERT, "owner") + rpc(0, 20, {"after": 5}) + role(1, nth(ID, 5), "admin")
    + members(1, "left", BERT) + gets(f"/groups/{GROUP}/members", f"/groups/{GROUP}")
    + members(0, "left", ANNA) + members(0, "join", ANNA, 3) + rpc(0, 20, {}) + rpc(1, 20, {"after": 7}),
    "polls": MEET + LISTEN + connect(2, 3, 4) + gets("/events", "/events?after=0&limit=2",
                                                     "/events?after=3&limit=1", "/events?after=99",
                                                     f"/events?after=1&epoch={ANNA}&wait=0", token=1)
    + get("/events?after=5", 1) + send(0, "hi") + get("/events?after=6&wait=5", 1, 3)
    + rpc(0, 60, {"group_id": GROUP}) + rpc(0, 41, {"group_id": GROUP, "seq": 1}) + (b"w2000", b"w4000")
    + get("/events?after=6", 1, 2) + get("/events?after=6", 1, 3) + get("/events?after=6", 1, 4)
    + (b"x3", b"w1000", b"x4", b"q", TURN, b"w1000", TURN),
    "settings": MEET + LISTEN + connect(2, 3) + register(3, "carl") + send(0, "one")
    + change(0, name="new") + change(1, name="no") + change(0, name="new") + change(0, name="")
    + request(3, "PUT", f"/groups/{GROUP}/join", {"user_id": nth(ID, 5)}, 2)
    + change(0, join="open", history="all") + change(0, join="x")
    + request(3, "PUT", f"/groups/{GROUP}/join", {"user_id": nth(ID, 5)}, 2)
    + gets(f"/groups/{GROUP}/messages", f"/groups/{GROUP}", token=2) + rpc(1, 20, {"after": 4})
    + request(2, "POST", "/groups", {"name": "o", "user_ids": [], "join": "open", "history": "all"}, 0)
    + rpc(0, 20, {}),
    "deleted": MEET + LISTEN + connect(2, 3) + send(0, "one", client_id="c") + send(1, "two")
    + rpc(1, 42, {"group_id": GROUP, "seq": 1}) + role(0, BERT, "admin")
    + request(2, "DELETE", f"/groups/{GROUP}", None, 1)
    + at_once(*request(2, "DELETE", f"/groups/{GROUP}", None, 0), *send(1, "late", id=1),
              *request(3, "GET", "/events?after=9", None, 1))
    + (b"s",) + send(0, "gone", client_id="c") + change(0, name="x") + get(f"/messages/{nth(MESSAGE, 0)}")
    + gets("/sync", f"/groups/{GROUP}", f"/groups/{GROUP}/messages", token=1)
    + rpc(0, 20, {}) + rpc(1, 20, {"after": 6}) + rpc(1, 42, {"message_id": nth(MESSAGE, 0)}),
    "contracts": connect(0) + request(0, "GET", "/openapi.yaml") + request(0, "HEAD", "/asyncapi.yaml"),
    "amended": MEET + LISTEN + connect(2) + send(0, "one") + send(1, "two", client_id="c")
    + rpc(0, 43, {"message_id": nth(MESSAGE, 0), "data": "first"}, id=1)
    + rpc(1, 43, {"message_id": nth(MESSAGE, 0), "data": "mine"})
    + rpc(1, 45, {"message_id": nth(MESSAGE, 0), "emoji": "+1"}) + react(1, "x") + react(0, "x")
    + rpc(1, 45, {"message_id": nth(MESSAGE, 0), "emoji": "+1", "remove": True})
    + request(2, "DELETE", f"/messages/{nth(MESSAGE, 0)}/reactions?emoji=x", None, 1)
    + get(f"/messages/{nth(MESSAGE, 0)}", 1) + rpc(1, 20, {"after": 6, "limit": 2}) + (b"s",)
    + request(2, "PATCH", f"/messages/{nth(MESSAGE, 1)}", {"data": ""}, 1)
    + request(2, "DELETE", f"/messages/{nth(MESSAGE, 1)}", None, 0)
    + rpc(0, 44, {"message_id": nth(MESSAGE, 1)}, id=2) + rpc(0, 44, {"message_id": nth(MESSAGE, 0)})
    + react(1, "y") + send(1, "two", client_id="c") + rpc(0, 20, {}) + rpc(1, 20, {"after": 5})
    + gets(f"/groups/{GROUP}/messages", "/sync", "/events?after=5", token=1),
    "direct": MEET + LISTEN + connect(2, 3) + direct(0, BERT) + direct(1, ANNA) + direct(0, ANNA)
    + direct(0, GROUP) + request(2, "PUT", f"/groups/{nth(ID, 5)}/left", {"user_id": BERT}, 1)
    + at_once(*direct(0, BERT), *direct(1, ANNA, 3)) + request(
        2, "DELETE", f"/groups/{nth(ID, 5)}", None, 0) + rpc(0, 20, {}) + get("/sync", 1),
    "kept": MEET + LISTEN + connect(2) + sum((send(n % 2, "t" * n, client_id=str(n)) for n in range(1, 5)), ())
    + rpc(1, 42, {"group_id": GROUP, "seq": 2}) + keep(1, 1) + keep(0, 1) + keep(0, 99999) + (b"w50000000",)
    + send(0, "new") + rpc(0, 20, {"after": 5, "limit": 1}) + (b"w50000000", TURN, TURN)
    + gets(f"/groups/{GROUP}/messages", f"/groups/{GROUP}/messages?around_seq=2", "/sync", token=1)
    + rpc(0, 20, {}) + rpc(1, 20, {"after": 5}) + rpc(0, 42, {"group_id": GROUP, "seq": 2})
    + send(1, "t", client_id="1") + (b"s",) + get(f"/messages/{nth(MESSAGE, 0)}") + keep(0, 0)
    + (b"w200000000", TURN, TURN) + get(f"/groups/{GROUP}/messages") + rpc(0, 20, {}),
    "details": MEET + LISTEN + connect(2) + send(0, "one")
    + send(1, "two", reply_to=nth(MESSAGE, 0), mentions=[ANNA, BERT], meta={"a": [1, None]}, id=1)
    + post(2, "three", 0, reply_to=nth(MESSAGE, 1), mentions=[BERT]) + post(2, "no", 0, reply_to=ANNA)
    + send(0, "no", mentions=[GROUP]) + send(0, "no", mentions="x") + send(0, "no", meta=1)
    + gets("/sync", f"/groups/{GROUP}/messages", "/events?after=5", token=1) + rpc(0, 20, {})
    + rpc(1, 42, {"group_id": GROUP, "seq": 3}) + (b"s",) + get("/sync", 1)
    + rpc(0, 44, {"message_id": nth(MESSAGE, 0)}) + get(f"/messages/{nth(MESSAGE, 1)}", 1),
    "app": connect(0, 2, 6) + app("PUT", "/admin/users/e1", {"username": "xena"})
    + app("PUT", "/admin/users/e1", {"username": "yoko"}) + app("PUT", "/admin/users/e1", {})
    + app("PUT", "/admin/users/e2", {"username": "yoko"}) + app("GET", "/admin/users/e1")
    + app("GET", "/admin/users/e9") + app("GET", "/admin/users/e1", key="no") + app("GET", "/users/me")
    + app("POST", f"/admin/users/{nth(ID, 0)}/token") + get("/users/me", 0)
    + app("POST", f"/admin/users/{nth(ID, 0)}/sessions", {"device_id": "d", "platform": "web", "model": "m",
                                                        "build": 1, "name": "n"})
    + as_app_user("GET", "/users/me") + as_app_user("GET", "/users/me", exp=5)
    + as_app_user("GET", "/users/me", sub="e9") + as_app_user("GET", "/users/me", exp=9999999999)
    + as_app_user("POST", "/groups", {"name": "g", "user_ids": []}) + upgrade(0, 0) + (b"s",)
    + sum((app("POST", f"/admin/groups/{nth(ID, n)}/messages", {"user_id": nth(ID, 0), "data": "hi"})
           for n in range(1, 6)), ())
    + request(0, "POST", "/login", {"username": "yoko", "password": "x"}),
    "rates": MEET + LISTEN + connect(2) + sum((get("/users/me") for _ in range(45)), ())
    + sum((rpc(0, 10, {}) for _ in range(45)), ()) + (b"w3000",) + get("/users/me") + rpc(0, 10, {}, id=1)
    + sum((rpc(1, 10, {}) for _ in range(90)), ()),
    "origins": connect(0, 7) + request(0, "POST", "/login", {"username": "x", "password": "y"},
                                       field="origin: https://a.b")
    + request(0, "OPTIONS", "/users", field="origin: https://a.b")
    + request(0, "OPTIONS", "/users", field="origin: https://b.c")
    + (b">0OPTIONS /users HTTP/1.1\r\nHost: h\r\nOrigin: https://a.b\r\n"
       b"Access-Control-Request-Method: PUT\r\n\r\n", TURN)
    + request(7, "GET", "/users/me", field="x-forwarded-for: 1.2.3.4, 10.0.0.7")
    + request(7, "GET", "/users/me", field="forwarded: for=\"[2001:db8::1]\""),
    "frames": MEET + LISTEN + (
        b">0\x89\x80\0\0\0\0", TURN, b">0\x01\x82\0\0\0\0{\"", b">0\x80\x82\0\0\0\0a\"", TURN,
        b">0\x82\x80\0\0\0\0", TURN, b">1\x88\x82\0\0\0\0\x03\xe8", TURN),
    "chunked": connect(0) + (b">0POST /users HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked\r\n"
                             b'\r\n10\r\n{"username":"eve\r\n', TURN,
                             b'>015;a=b\r\n","password":"secret"}\r\n0\r\nx: y\r\n\r\n', TURN),
    "pipelined": connect(0) + (b">0GET / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /a HTTP/1.1\r\nHost: h\r\n"
                               b"\r\nPOST /users HTTP/1.1\r\nHost: h\r\nContent-Length: 37\r\n\r\n"
                               b'{"username":"eve","password":"secret"}GET', TURN, b"e0", TURN),
}


def main():
    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    for name, steps in STORIES.items():
        (where / name).write_bytes(SEP.join(steps))


if __name__ == "__main__":
    main()
