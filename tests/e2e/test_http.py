"""HTTP as it should not be sent, and as it may be."""
import json
import subprocess
import time

import pytest

from kit import raw
from kit.checks import NOBODY
from kit.people import Rest, User, assert_error
from kit.server import PATIENCE

LOGIN = b'{"username":"nobody","password":"0000"}'


def talk(server, data):
    connection = raw.Connection(server)
    connection.send(data)
    return connection.answer()


def refused(server, data, status, code=None):
    """The request is answered in this way and the connection ends; the server lives."""
    connection = raw.Connection(server)
    connection.send(data)
    answer = connection.answer()
    assert answer.status == status, (answer.status, answer.body)
    assert json.loads(answer.body)["code"] == code or code is None
    assert connection.at_end() == b""
    assert answer.headers["connection"] == "close"


def login_request(server, *headers):
    return raw.request("POST", "/login", server, LOGIN, headers)


# ---- curl ---------------------------------------------------------------------------------------


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "-i", "--noproxy", "*", *arguments], capture_output=True,
                          text=True, timeout=PATIENCE, check=True)
    head, body = done.stdout.split("\n\n", 1)
    return int(head.split()[1]), head.lower(), body


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2"])
def test_curl(server, version):
    url = server.http("/users")
    body = json.dumps({"username": "user1", "email": "u@example.com", "password": "0000"})
    status, head, answer = curl(version, "-X", "POST", url, "-H", "content-type: application/json",
                                "-d", body)
    assert status == 201 and list(json.loads(answer)) == ["id"]
    assert "content-type: application/json" in head
    assert curl(version, "-X", "PUT", url)[0] == 405


def test_curl_with_a_large_body_waits_to_be_told_to_go_on(server):
    body = json.dumps({"username": "user1", "password": "0000", "more": "x" * 900_000})
    done = subprocess.run(
        ["curl", "-sS", "-v", "--noproxy", "*", "--expect100-timeout", "60", server.http("/login"),
         "-H", "content-type: application/json", "-H", "expect: 100-continue", "-d", "@-"],
        input=body, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "100 Continue" in done.stderr
    assert json.loads(done.stdout)["code"] == "bad_credentials"


def test_curl_uses_one_connection_for_many_requests(server):
    done = subprocess.run(["curl", "-sS", "-v", "--noproxy", "*", *[server.http("/nothing")] * 5],
                          capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stderr.count("Re-using existing connection") == 4
    assert done.stdout.count('"not_found"') == 5


# ---- pieces and packets -------------------------------------------------------------------------


def test_one_byte_at_a_time(server):
    connection = raw.Connection(server)
    connection.send_bytewise(login_request(server))
    assert connection.answer().status == 401


def test_any_two_pieces(new_server):
    server = new_server(login_fail_account=0)
    request = login_request(server)
    connection = raw.Connection(server)
    for cut in range(1, len(request)):
        connection.send(request[:cut])
        connection.send(request[cut:])
        assert connection.answer().status == 401


def test_two_requests_in_one_packet_are_answered_in_order(server):
    connection = raw.Connection(server)
    connection.send(login_request(server) + raw.request("GET", "/nothing", server) +
                    login_request(server) + raw.request("PUT", "/users", server))
    assert [connection.answer().status for _ in range(4)] == [401, 404, 401, 405]


def test_a_hundred_requests_in_one_packet(server):
    connection = raw.Connection(server)
    connection.send(b"".join(raw.request("GET", f"/nothing{i}", server) for i in range(100)))
    for _ in range(100):
        assert connection.answer().status == 404


def test_empty_lines_before_a_request(server):
    assert talk(server, b"\r\n" + login_request(server)).status == 401


def test_a_body_in_chunks(server):
    request = (b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
               b"Transfer-Encoding: chunked\r\n\r\n")
    for size in range(1, 9):
        for i in range(0, len(LOGIN), size):
            piece = LOGIN[i:i + size]
            request += b"%x\r\n%s\r\n" % (len(piece), piece)
        request += b"0\r\n\r\n"
        connection = raw.Connection(server)
        connection.send_bytewise(request) if size == 3 else connection.send(request)
        answer = connection.answer()
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "bad_credentials")
        request = request[:request.index(b"\r\n\r\n") + 4]


def test_half_open(server):
    """Who has said everything and ends their side still gets the answer."""
    connection = raw.Connection(server)
    connection.send(login_request(server))
    connection.end_sending()
    assert connection.answer().status == 401
    assert connection.at_end() == b""


def test_who_goes_away_in_the_middle(server, rest):
    for data in (b"P", b"POST /users HTTP/1.1\r\n", login_request(server)[:-5],
                 login_request(server)):
        for _ in range(5):
            connection = raw.Connection(server)
            connection.send(data)
            connection.close()
    assert rest.call("GET", "/nothing").status_code == 404


# ---- versions and connections -------------------------------------------------------------------


def test_http_1_0_closes(server):
    connection = raw.Connection(server)
    connection.send(b"GET /nothing HTTP/1.0\r\nHost: x\r\n\r\n")
    assert connection.answer().status == 404
    assert connection.at_end() == b""


def test_http_1_0_stays_when_asked(server):
    connection = raw.Connection(server)
    for _ in range(3):
        connection.send(b"GET /nothing HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        answer = connection.answer()
        assert answer.status == 404 and answer.headers["connection"].lower() == "keep-alive"


def test_connection_close(server):
    connection = raw.Connection(server)
    connection.send(raw.request("GET", "/nothing", server, headers=["Connection: close"]))
    answer = connection.answer()
    assert answer.status == 404 and answer.headers["connection"].lower() == "close"
    assert connection.at_end() == b""


@pytest.mark.parametrize("line, status", [
    (b"GET / HTTP/2.0", 505), (b"GET / HTTP/0.9", 505), (b"GET / HTTP/9.9", 505),
    (b"GET /", 400), (b"GET / HTTP/1.1 ", 400), (b"GET / HTTP/1.1x", 400), (b"GET / http/1.1", 400),
    (b"G\x00T / HTTP/1.1", 400), (b"GET  / HTTP/1.1", 400), (b" GET / HTTP/1.1", 400),
    (b"GET /\x01 HTTP/1.1", 400), (b"GET /\xff HTTP/1.1", 400), (b"nonsense", 400),
])
def test_request_lines_that_are_none(server, line, status):
    refused(server, line + b"\r\nHost: x\r\n\r\n", status)


HEAD = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x/../y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x@y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX y: z\r\n\r\n",
    HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    HEAD + b"Content-Length: +2\r\n\r\n{}",
    HEAD + b"Content-Length: -2\r\n\r\n{}",
    HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2 x\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n",
])
def test_heads_that_are_not_valid(server, head):
    connection = raw.Connection(server)
    connection.send(head)
    answer = connection.answer()
    # A body that is announced as larger than any may be refused for that.
    assert answer.status in ((400, 413) if b"9999" in head else (501, 400) if b"gzip" in head
                             or b"identity" in head else (400,)), answer.body
    assert connection.at_end() == b""


def test_what_stands_behind_a_bad_request_is_never_read(server):
    """Else one connection's bytes become another's request."""
    connection = raw.Connection(server)
    connection.send(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
                    raw.request("GET", "/nothing", server) * 3)
    assert connection.answer().status == 400
    assert connection.at_end() == b""


# ---- sizes --------------------------------------------------------------------------------------


def test_a_body_as_large_as_may_be(new_server):
    server = new_server(body_max=1024)
    body = LOGIN[:-1] + b',"x":"' + b"x" * (1024 - len(LOGIN) - 7) + b'"}'
    assert len(body) == 1024
    assert talk(server, raw.request("POST", "/login", server, body)).status == 401
    refused(server, raw.request("POST", "/login", server, body + b" "), 413, "too_large")


def test_a_body_in_chunks_that_is_too_large(new_server):
    server = new_server(body_max=1024)
    chunk = b"200\r\n" + b" " * 512 + b"\r\n"
    refused(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3, 413, "too_large")
    refused(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413, "too_large")
    many = b"1\r\n \r\n" * 1025 + b"0\r\n\r\n"
    refused(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + many, 413, "too_large")


def test_a_body_that_is_announced_as_too_large_is_not_waited_for(new_server):
    server = new_server(body_max=1024)
    refused(server, HEAD + b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", 413)


def test_a_head_that_is_too_large(new_server):
    server = new_server(head_max=2048)
    fine = raw.request("GET", "/nothing", server, headers=["X: " + "x" * 1500])
    assert talk(server, fine).status == 404
    refused(server, raw.request("GET", "/", server, headers=["X: " + "x" * 2048]),
            431, "head_too_large")
    # No end in sight.
    refused(server, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 2100, 431, "head_too_large")


def test_too_many_fields(new_server):
    server = new_server(header_count_max=10)
    fields = [f"X-{i}: y" for i in range(9)]
    assert talk(server, raw.request("GET", "/nothing", server, headers=fields)).status == 404
    refused(server, raw.request("GET", "/nothing", server, headers=fields + ["X-10: y"]),
            431, "head_too_large")


def test_a_path_that_is_too_long(server):
    answer = talk(server, raw.request("GET", "/" + "x" * 15_000, server))
    assert answer.status in (404, 414)


def test_trailers_have_a_limit(server):
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    connection = raw.Connection(server)
    connection.send(head + b"X: y\r\n" * 5000 + b"\r\n")
    assert connection.answer().status in (400, 431)
    assert connection.at_end() == b""


# ---- methods, paths and types -------------------------------------------------------------------

ROUTES = [("/users", ["GET", "HEAD", "POST"]), ("/login", ["POST"]),
          ("/users/me", ["DELETE", "GET", "HEAD", "PATCH"]),
          ("/sessions", ["DELETE", "GET", "HEAD", "POST"]), ("/groups", ["GET", "HEAD", "POST"]),
          (f"/groups/{NOBODY}/messages", ["GET", "HEAD", "POST"]), ("/sync", ["GET", "HEAD"]),
          (f"/groups/{NOBODY}/join", ["PUT"]), (f"/groups/{NOBODY}/left", ["PUT"])]


def allowed(answer):
    return sorted(word.strip() for word in answer.headers["allow"].split(","))


@pytest.mark.parametrize("path, methods", ROUTES)
def test_methods_that_a_path_does_not_take(server, rest, path, methods):
    for other in {"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} - set(methods):
        answer = rest.call(other, path)
        assert_error(answer, 405, "method_not_allowed")
        assert allowed(answer) == sorted(methods + ["OPTIONS"])


@pytest.mark.parametrize("path, methods", ROUTES)
def test_options_of_a_path(rest, path, methods):
    answer = rest.call("OPTIONS", path)
    assert answer.status_code == 204 and answer.content == b""
    assert allowed(answer) == sorted(methods + ["OPTIONS"])


@pytest.mark.parametrize("path", [
    "/nothing", "/users/", "/users/x/y/z", "//users", "/USERS", "/login", "/groups/x",
    f"/groups/{NOBODY}/joins", f"/groups/{NOBODY}/join/", "/login?x/y/../z", "/%75sers",
    "/../etc/passwd", "/" + NOBODY,
])
def test_paths(server, path):
    answer = talk(server, raw.request("GET", path, server))
    assert answer.status == (405 if path in ("/login", "/login?x/y/../z") else 404)


def test_a_query_does_not_hide_a_path(server):
    assert talk(server, raw.request("POST", "/login?a=b", server, LOGIN)).status == 401


def test_head_has_no_body(server):
    connection = raw.Connection(server)
    connection.send(raw.request("HEAD", "/nothing", server))
    assert connection.answer(head=True).status == 404
    connection.send(raw.request("GET", "/nothing", server))
    assert connection.answer().status == 404


@pytest.mark.parametrize("kind, status", [
    ("application/json", 401), ("application/json; charset=utf-8", 401),
    ("Application/JSON", 401), ("application/json;charset=UTF-8", 401),
    ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/jsonx", 415),
    ("application", 415), ("text/json", 415),
])
def test_content_types(server, kind, status):
    answer = talk(server, f"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                  f"Content-Length: {len(LOGIN)}\r\n\r\n".encode() + LOGIN)
    assert answer.status == status
    if status == 415:
        assert json.loads(answer.body)["code"] == "unsupported_media_type"


def test_an_expectation_that_nobody_can_meet(server):
    refused(server, login_request(server, "Expect: tea"), 417, "expectation_failed")


def test_the_form_of_every_error(server):
    for data in (raw.request("GET", "/nothing", server), raw.request("GET", "/users", server),
                 raw.request("POST", "/login", server, b"x"), b"x\r\n\r\n"):
        answer = talk(server, data)
        assert answer.headers["content-type"] == "application/json"
        body = json.loads(answer.body)
        assert set(body) == {"error", "code"}
        assert all(isinstance(text, str) and text for text in body.values())


# ---- time ---------------------------------------------------------------------------------------


def test_a_head_that_does_not_come(new_server):
    server = new_server(head_timeout=1)
    for data in (b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"):
        connection = raw.Connection(server)
        connection.send(data)
        assert connection.answer().status == 408
        assert connection.at_end() == b""


def test_a_head_that_comes_in_drops(new_server):
    """Every byte is in time, the whole is not."""
    server = new_server(head_timeout=1)
    connection = raw.Connection(server)
    connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    began = time.monotonic()
    connection.socket.settimeout(0.1)
    while time.monotonic() - began < PATIENCE:
        try:
            connection.send(b"x")
            if not connection._more() or b"\r\n\r\n" in connection.left:
                break
        except TimeoutError:
            pass
        except (ConnectionResetError, BrokenPipeError):
            break
    assert time.monotonic() - began < PATIENCE
    assert connection.left.startswith(b"HTTP/1.1 408 ") or connection.left == b""


def test_a_body_that_does_not_come(new_server):
    server = new_server(body_timeout=1)
    connection = raw.Connection(server)
    connection.send(login_request(server)[:-1])
    answer = connection.answer()
    assert (answer.status, json.loads(answer.body)["code"]) == (408, "request_timeout")
    assert connection.at_end() == b""


def test_a_connection_that_rests(new_server):
    server = new_server(idle_timeout=1, head_timeout=1)
    fresh, used = raw.Connection(server), raw.Connection(server)
    used.send(raw.request("GET", "/nothing", server))
    assert used.answer().status == 404
    assert used.at_end() == b""
    assert fresh.at_end() == b""


def test_more_connections_than_may_be(new_server):
    server = new_server(connections_max=16)
    held = []
    for _ in range(16):
        connection = raw.Connection(server)
        connection.send(raw.request("GET", "/nothing", server))
        assert connection.answer().status == 404
        held.append(connection)
    extra = raw.Connection(server)
    held[0].close()
    extra.send(raw.request("GET", "/nothing", server))
    # Either it waited for room or it was told to go; then there is room for the next.
    try:
        assert extra.answer().status in (404, 503)
    except (EOFError, ConnectionResetError, BrokenPipeError):
        pass
    extra.close()
    deadline = time.monotonic() + PATIENCE
    while True:
        another = raw.Connection(server)
        try:
            another.send(raw.request("GET", "/nothing", server))
            if another.answer().status == 404:
                break
        except (EOFError, ConnectionResetError, BrokenPipeError):
            pass
        another.close()
        assert time.monotonic() < deadline
    held[1].send(raw.request("GET", "/nothing", server))
    assert held[1].answer().status == 404


def test_requests_on_the_way_are_finished_when_the_server_ends(new_server):
    server = new_server(password_cost="high")
    rest = Rest(server)
    User(rest, "user1", password="0000")
    connection = raw.Connection(server)
    # The 401 of the first shows that the second, in the same packet, has been read.
    connection.send(raw.request("POST", "/sessions", server, b"{}") + raw.request(
        "POST", "/login", server, b'{"username":"user1","password":"0000"}'))
    assert connection.answer().status == 401
    connection.server.send_signal(15)
    assert connection.answer().status in (200, 503)
    connection.close()
    assert server.wait() == 0
    server.start()
