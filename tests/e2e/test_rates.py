"""How fast a socket, a user and an address may ask."""
import json
import re

from kit import raw
from kit.checks import NOBODY
from kit.people import Rest, User, assert_error
from kit.socket import INFO, TYPING


def rpcs(count, method=INFO, body=None):
    """Many RPCs in one packet: no time passes between them."""
    return b"".join(raw.frame(raw.TEXT, json.dumps({"method": method, "id": n, "body": body or {}})
                              .encode()) for n in range(count))


def replies(connection, count):
    """The next replies; what else comes is left out."""
    found = []
    while len(found) < count:
        event = json.loads(connection.text())
        if event["type"] == 11:
            found.append(event)
    return found


def test_rpcs_that_come_too_fast_are_refused(new_server):
    server = new_server(rpc_rate=1, rpc_burst=20)
    user = User(Rest(server))
    device = user.device()
    socket = raw.Connection(server).upgrade(device.path)
    other = raw.Connection(server).upgrade(device.path)
    socket.send(rpcs(25))
    answers = replies(socket, 25)
    assert [answer["id"] for answer in answers] == list(range(25))
    assert all(answer["body"]["ok"] for answer in answers[:20])
    refused = [answer["body"] for answer in answers if not answer["body"]["ok"]]
    assert refused and all(
        (body["status"], body["code"]) == (429, "too_many_requests") and body["retry_after"] >= 1
        for body in refused)
    # The socket lives, and the other one has its own bucket.
    socket.send(raw.frame(raw.PING, b"still there"))
    assert socket.frame() == (True, raw.PONG, b"still there")
    other.send(rpcs(20))
    assert all(answer["body"]["ok"] for answer in replies(other, 20))


def test_every_kind_of_rpc_counts(new_server):
    server = new_server(rpc_rate=1, rpc_burst=10)
    user = User(Rest(server))
    group = user.group()
    socket = raw.Connection(server).upgrade(user.device().path)
    # Typing, what has no method, and what is no JSON.
    socket.send(rpcs(4, TYPING, {"group_id": group}) + rpcs(3, 99) +
                raw.frame(raw.TEXT, b"{") * 3 + rpcs(1) + raw.frame(raw.TEXT, b"{"))
    answers = [answer["body"] for answer in replies(socket, 12)]
    assert [body.get("code") for body in answers[:10]] == (
        [None] * 4 + ["unknown_method"] * 3 + ["invalid_json"] * 3)
    assert [body["code"] for body in answers[10:]] == ["too_many_requests"] * 2


def test_who_goes_on_is_closed(new_server):
    server = new_server(rpc_rate=1, rpc_burst=20)
    user = User(Rest(server))
    socket = raw.Connection(server).upgrade(user.device().path)
    socket.send(rpcs(200) + raw.close_frame(1000))  # its half of the handshake, in advance
    assert socket.close_code() == 1008
    # The session is as it was.
    raw.Connection(server).upgrade(user.device().path).close()


def test_requests_of_a_user(new_server):
    server = new_server(user_rate=1, user_burst=3)
    user1, user2 = User(Rest(server)), User(Rest(server))
    request = raw.request("GET", "/users/me", server,
                          headers=[f"Authorization: bearer {user1.token}"])
    connection = raw.Connection(server)
    connection.send(request * 5)
    answers = [connection.answer() for _ in range(5)]
    assert [answer.status for answer in answers[:3]] == [200] * 3
    refused = [answer for answer in answers if answer.status != 200]
    assert refused and all(answer.status == 429 and int(answer.headers["retry-after"]) >= 1 and
                           json.loads(answer.body)["code"] == "too_many_requests"
                           for answer in refused)
    user2.ok(200, "GET", "/users/me")


def test_requests_from_an_address(new_server):
    server = new_server(address_rate=1, address_burst=4)
    request = raw.request("GET", "/nothing", server)
    flood = raw.Connection(server, source="127.0.0.2")
    flood.send(request * 8)
    statuses = [flood.answer().status for _ in range(8)]
    assert statuses[:4] == [404] * 4 and 429 in statuses[4:]
    # Another connection of the address has no bucket of its own, and a handshake is a request.
    again = raw.Connection(server, source="127.0.0.2")
    again.send(raw.request("GET", "/00000000-0000-4000-8000-000000000000", server, headers=[
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]) * 4)
    assert 429 in [again.answer().status for _ in range(4)]
    other = raw.Connection(server, source="127.0.0.3")
    other.send(request)
    assert other.answer().status == 404


def test_behind_a_proxy_each_client_has_its_own(new_server):
    server = new_server(address_rate=1, address_burst=2, trusted_proxy="127.0.0.2")

    def ask(client, count):
        proxy = raw.Connection(server, source="127.0.0.2")
        proxy.send(raw.request("GET", "/nothing", server,
                               headers=[f"X-Forwarded-For: {client}"]) * count)
        return [proxy.answer().status for _ in range(count)]

    assert 429 in ask("192.0.2.1", 5)
    assert ask("192.0.2.2", 2) == [404, 404]


def ask(server, source, request=None):
    """The answer to a new connection's first request."""
    connection = raw.Connection(server, source=source)
    try:
        connection.send(request or raw.request("GET", "/nothing", server))
        return connection.answer()
    finally:
        connection.close()


def test_connections_from_an_address(new_server):
    server = new_server(address_connections_max=3)
    request = raw.request("GET", "/nothing", server)
    many = [raw.Connection(server, source="127.0.0.2") for _ in range(3)]
    for connection in many:
        connection.send(request)
        assert connection.answer().status == 404
    # Whatever is asked is answered once, and the connection ends.
    handshake = raw.request("GET", f"/{NOBODY}", server, headers=["Upgrade: websocket"])
    for asked in request, request * 3, handshake, b"\x16\x03\x01", request[:9]:
        answer = ask(server, "127.0.0.2", asked)
        assert answer.status == 429 and json.loads(answer.body)["code"] == "too_many_requests"
        assert int(answer.headers["retry-after"]) > 0 and answer.headers["connection"] == "close"
    silent = raw.Connection(server, source="127.0.0.2")
    assert silent.at_end().startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert server.err.wait(re.compile("127.0.0.2 has 3 connections"))
    assert server.err.text().count("127.0.0.2 has 3 connections") == 1, "said once a minute"
    assert ask(server, "127.0.0.3").status == 404
    # Who goes makes room, and who is there has not noticed anything.
    many.pop().end_sending()
    while ask(server, "127.0.0.2").status == 429:
        pass
    for connection in many:
        connection.send(request)
        assert connection.answer().status == 404


def test_a_proxy_may_have_more_connections(new_server):
    server = new_server(address_connections_max=2, trusted_proxy="127.0.0.2")
    many = [raw.Connection(server, source="127.0.0.2") for _ in range(8)]
    for connection in many:
        connection.send(raw.request("GET", "/nothing", server))
        assert connection.answer().status == 404


def test_without_rates_nobody_is_refused(new_server):
    server = new_server(rpc_rate=0, user_rate=0, address_rate=0, rpc_burst=1, user_burst=1,
                        address_burst=1)
    user = User(Rest(server))
    socket = raw.Connection(server).upgrade(user.device().path)
    socket.send(rpcs(300))
    assert all(answer["body"]["ok"] for answer in replies(socket, 300))
    for _ in range(20):
        user.ok(200, "GET", "/users/me")
    assert_error(user.call("GET", "/users/x"), 404, "not_found")
