#!/usr/bin/python3
"""Writes the scripts that fuzz_server begins with: whole stories, a step after the other.

    fuzz/server_seeds.py DIR

fuzz_server.c says what a step is. The corpus in the repository is what libFuzzer's -merge=1 kept of
these and of what it found from them.
"""
import json
import sys
from pathlib import Path

SEP = b"\x1e"
TURN = b"."
ID, TOKEN, URL, MESSAGE = (b"\x01" + letter for letter in (b"i", b"t", b"u", b"m"))


def nth(what, n):
    return (what + b"%d" % n).decode("latin-1")


def request(client, method, path, body=None, token=None):
    """A request, and turns that answer it."""
    line = f"{method} {path}" + ("" if token is None else f" {nth(TOKEN, token)}")
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
