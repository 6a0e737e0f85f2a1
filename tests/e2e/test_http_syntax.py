"""HTTP/1.1 by RFC 9110 and 9112, case by case, as bytes on a socket. A stream that is refused has a
request behind it, which must never be answered; one that is taken must leave the connection at the
start of the next request."""
import json
import socket
import struct
import time

import pytest

from kit import raw
from kit.faults import descriptors
from kit.people import User
from kit.server import PATIENCE

NEXT = b"PUT /login HTTP/1.1\r\nHost: x\r\n\r\n"
NEXT_STATUS = 405
POST = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /nothing HTTP/1.1\r\nHost: x\r\n"


def name_of(value):
    return repr(value)[2:-1][:40] if isinstance(value, bytes) else None


def refused(server, data, status, code=None):
    connection = raw.Connection(server)
    connection.send(data + NEXT)
    answer = connection.answer()
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json"
    body = json.loads(answer.body)
    assert set(body) == {"error", "code"}
    assert code is None or body["code"] == code
    assert connection.at_end() == b""
    connection.close()


def taken(server, data, status, head=False):
    """The request gets this answer and the connection goes on; the answer."""
    connection = raw.Connection(server)
    connection.send(data + NEXT)
    answer = connection.answer(head)
    assert answer.status == status, (answer.status, answer.body)
    assert connection.answer().status == NEXT_STATUS
    connection.close()
    return answer


# ---- the request line ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/3.0",
                                     b"HTTP/0.0", b"HTTP/9.9"], ids=name_of)
def test_versions_that_are_not_spoken(shared_server, version):
    refused(shared_server, b"GET / " + version + b"\r\nHost: x\r\n\r\n", 505,
            "version_not_supported")


@pytest.mark.parametrize("line", [
    # Versions (RFC 9112, 2.3) are eight bytes, in upper case.
    b"GET / http/1.1", b"GET / Http/1.1", b"GET / HTTP/1", b"GET / HTTP/1.", b"GET / HTTP/.1",
    b"GET / HTTP/11", b"GET / HTTP/1.1.1", b"GET / HTTP/1.10", b"GET / HTTP/01.1",
    b"GET / HTTP/1,1", b"GET / HTTP/ 1.1", b"GET / HTTP 1.1", b"GET / HTTP/+1.1", b"GET / HTTP/a.b",
    b"GET / HTTPS/1.1", b"GET / ICE/1.0", b"GET / RTSP/1.0", b"GET / HTTP/\xb9.1", b"GET / HTTP/2",
    # Three parts with one space between them (3.1).
    b"GET", b"GET ", b"GET /", b"GET / ", b"GET HTTP/1.1", b"GET  HTTP/1.1", b"/ HTTP/1.1",
    b"HTTP/1.1", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1",
    b"GET\x0b/ HTTP/1.1", b"GET /\x0cHTTP/1.1", b"GET / x HTTP/1.1", b"GET / HTTP/1.1 ",
    b"GET / HTTP/1.1\t", b"GET / HTTP/1.1 x", b" GET / HTTP/1.1", b"\tGET / HTTP/1.1",
    b"GET /\xa0HTTP/1.1", b"GET / HTTP/1.1\x00", b"\x00GET / HTTP/1.1", b"\xef\xbb\xbfGET / HTTP/1.1",
    # Methods are tokens (RFC 9110, 9.1).
    b"G\x00T / HTTP/1.1", b"G\xc9T / HTTP/1.1", b"GE:T / HTTP/1.1", b"GE(T / HTTP/1.1",
    b"GE/T / HTTP/1.1", b'"GET" / HTTP/1.1', b"G\rET / HTTP/1.1", b"G" * 33 + b" / HTTP/1.1",
    # Line ends.
    b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\n", b"GET /\n HTTP/1.1", b"GET /\r HTTP/1.1", b"\n",
    b"\r", b"\r\n\r\nGET / HTTP/1.1", b"\r\n GET / HTTP/1.1", b"\n\r\nGET / HTTP/1.1",
    # Another protocol altogether.
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x", b"\x00\x00\x00\x00", b"\xff" * 8,
], ids=name_of)
def test_request_lines_that_are_none(shared_server, line):
    refused(shared_server, line + b"\r\nHost: x\r\n\r\n", 400, "bad_request")


@pytest.mark.parametrize("method", [b"BREW", b"get", b"Get", b"GETS", b"X", b"GE", b"1", b"M-", b"!#$%",
                                    b"A" * 32], ids=name_of)
def test_methods_that_nobody_knows(shared_server, method):
    """RFC 9110, 9.1: in any case but their own they are others."""
    refused(shared_server, method + b" /login HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented")


@pytest.mark.parametrize("method", [b"TRACE", b"PROPFIND", b"LOCK", b"PATCH", b"DELETE", b"PUT", b"PURGE",
                                    b"SEARCH", b"M-SEARCH", b"GET", b"HEAD"], ids=name_of)
def test_methods_that_a_path_does_not_take(shared_server, method):
    answer = taken(shared_server, method + b" /login HTTP/1.1\r\nHost: x\r\n\r\n", 405,
                   head=method == b"HEAD")
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("target", [b"x:80", b"x", b"/", b"http://x/", b"*"], ids=name_of)
def test_connect(shared_server, target):
    refused(shared_server, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", 501)


def test_options(shared_server):
    answer = taken(shared_server, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204, head=True)
    assert "GET" in answer.headers["allow"] and "content-length" not in answer.headers
    answer = taken(shared_server, b"OPTIONS /login HTTP/1.1\r\nHost: x\r\n\r\n", 204, head=True)
    assert answer.headers["allow"] == "POST, OPTIONS"
    taken(shared_server, b"OPTIONS /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404)
    taken(shared_server, b"OPTIONS /login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET ", 204,
          head=True)


def test_head_is_get_without_a_body(shared_server):
    """RFC 9110, 9.3.2: the same fields."""
    of_get = taken(shared_server, b"GET /users/me HTTP/1.1\r\nHost: x\r\n\r\n", 401)
    of_head = taken(shared_server, b"HEAD /users/me HTTP/1.1\r\nHost: x\r\n\r\n", 401, head=True)
    for headers in (of_get.headers, of_head.headers):
        assert headers.pop("date")
    assert of_head.headers == of_get.headers
    assert int(of_head.headers["content-length"]) == len(of_get.body)


# ---- targets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [
    b"http://x/login", b"HTTP://x/login", b"https://x:443/login", b"http://other:1/login?a=b",
    b"http://[::1]:3000/login", b"/login?", b"/login?a=b&c", b"/login?a=/../b?c", b"/login?%41",
    b"/login?a=%00", b"/login?[x]=1", b"/login?%", b"/login?a=%x1",
], ids=name_of)
def test_targets_of_a_path(shared_server, target):
    taken(shared_server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", 405)


@pytest.mark.parametrize("target", [
    b"*", b"x:80", b"x", b"login", b"?login", b"../login", b"http:/x/login", b"http:x/login",
    b"http:///login", b"http://", b"http://?x", b"http://u@x/login", b"http://u:p@x/login",
    b"http://x:y/login", b"http://x:80:80/login", b"http://x:65536/login", b"http://[::1/login",
    b"http://[]/login", b"http://[x]/login", b"http://x%/login", b"http://%zz/login", b"ftp://x/login",
    b"ws://x/login", b"file:///etc/passwd", b"javascript:x", b"/login#x", b"/login#", b"http://x/#",
    b'/"', b"/<", b"/>", b"/\\", b"/^", b"/`", b"/{", b"/|", b"/}", b"/\x00", b"/\x01", b"/\x1f",
    b"/\x7f", b"/\x80", b"/\xff", b"/caf\xc3\xa9", b"/login?\x00", b"/login?\xe9",
    b"/%", b"/%4", b"/%zz", b"/%4z", b"/%z4", b"/%%41", b"/%u0041", b"/% 41", b"/%-1",
    b"http://x/%", b"/%\xc3\xa9",
], ids=name_of)
def test_targets_that_are_none(shared_server, target):
    refused(shared_server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request")


@pytest.mark.parametrize("target", [
    b"/", b"//", b"//login", b"/login/", b"/./login", b"/x/../login", b"/../login", b"/login/.",
    b"/login/..", b"/%6cogin", b"/logi%6e", b"/login%00", b"/login%2f", b"/%2flogin", b"/%2e%2e/login",
    b"/login%3f", b"/login%20", b"/login;x", b"/login;", b"/LOGIN", b"/Login", b"/login,",
    b"/http://x/login", b"/%c3%a9", b"/%FF", b"/%0d%0aX:%20y", b"http://x", b"http://x?login",
    b"http://x//login", b"/:x@y", b"/[", b"/users/%00", b"/groups/../login", b"/users/me%2f",
], ids=name_of)
def test_paths_mean_themselves(shared_server, target):
    """Nothing is decoded and no dot segment removed, so no guard before the server sees less."""
    taken(shared_server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", 404)


def test_targets_as_long_as_they_may_be(shared_server):
    head = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
    room = 16384 - len(head) + 2
    taken(shared_server, head % (b"x" * room), 404)
    taken(shared_server, head % (b"%41" * (room // 3)), 404)
    taken(shared_server, head % (b"?" + b"x" * (room - 1)), 404)
    taken(shared_server, head % (b"/" * room), 404)
    refused(shared_server, head % (b"x" * (room + 1)), 431, "head_too_large")
    for long in (b"x" * 16384, b"?" + b"x" * 16384, b"/" * 16384, b"x" * 100_000):
        refused(shared_server, head % long, 414, "uri_too_long")


# ---- Host ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [
    b"x", b"X.example:3000", b"127.0.0.1:65535", b"[::1]", b"[::1]:80", b"[2001:DB8::1]",
    b"[::ffff:127.0.0.1]", b"x:", b"a_b-c~d", b"x.", b"%41", b"\t x \t", b"999.999.999.999",
], ids=name_of)
def test_hosts(shared_server, host):
    taken(shared_server, b"GET /nothing HTTP/1.1\r\nHost:" + host + b"\r\n\r\n", 404)


@pytest.mark.parametrize("host", [
    b"", b" ", b":80", b"x:y", b"x:-1", b"x:+1", b"x:65536", b"x:99999", b"x:000080", b"x:80:80", b"x y",
    b"x,y", b"x, y", b"x/", b"/x", b"x/y", b"x?y", b"x#y", b"u@x", b"u:p@x", b"http://x", b"x\\y",
    b"x<y", b'"x"', b"x^y", b"x`y", b"x{y}", b"x|y", b"::1", b"[::1", b"::1]", b"[]", b"[::1]x",
    b"[::1]:x", b"[x]", b"[1.2.3.4]", b"[1:2:3]", b"[::1%25lo]", b"[v1.x]", b"[[::1]]", b"[::1][::1]",
    b"x%", b"x%4", b"x%zz", b"x\x00", b"x\x01", b"x\x7f", b"x\xe9", b"\xff", b"x\ty", b"*\\",
    b"[" + b"0" * 60 + b"::1]",
], ids=name_of)
def test_hosts_that_are_none(shared_server, host):
    if host != b"x,y":  # a comma may stand in a name (RFC 3986, 3.2.2)
        refused(shared_server, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400, "bad_request")
    refused(shared_server, b"GET http://x/ HTTP/1.1\r\nHost: y\r\nHost: " + host + b"\r\n\r\n", 400)
    if b"," not in host:
        refused(shared_server, b"GET http://x/ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400)


@pytest.mark.parametrize("fields", [
    b"", b"X: y\r\n", b"Hosts: x\r\n", b"Host: x\r\nHost: x\r\n", b"Host: x\r\nHost: y\r\n",
    b"Host: x\r\nX: y\r\nHOST: x\r\n", b"Host: x\r\nHost:\r\n", b"Host:\r\nHost: x\r\n",
], ids=name_of)
def test_one_host(shared_server, fields):
    for target in (b"/", b"http://x/", b"*"):
        method = b"OPTIONS " if target == b"*" else b"GET "
        refused(shared_server, method + target + b" HTTP/1.1\r\n" + fields + b"\r\n", 400)


def test_the_target_names_the_host(shared_server, shared_rest):
    """RFC 9112, 3.2.2: it counts before the field."""
    user = User(shared_rest)
    body = b'{"device_id":"0","platform":"web","model":"m","build":1,"name":"n"}'
    for version, field in ((b"1.1", b"Host: field.example\r\n"), (b"1.0", b"")):
        connection = raw.Connection(shared_server)
        connection.send(b"POST http://target.example:81/sessions HTTP/" + version + b"\r\n" + field +
                        b"Authorization: bearer " + user.token.encode() +
                        b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        answer = connection.answer()
        assert answer.status == 201
        url = json.loads(answer.body)["messaging_url"]
        assert url.startswith("ws://target.example:81/")
        connection.close()


# ---- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [
    b"X : y", b"X\t: y", b" X: y", b"\tX: y", b": y", b":", b"X", b"X y: z", b"X;y", b"X=y", b"X(: y",
    b"X@y: z", b"X/y: z", b'"X": y', b"X\\: y", b"X[]: y", b"X{}: y", b"X,Y: z", b"X\x00: y",
    b"\x00: y", b"X\x01: y", b"X\x7f: y", b"X\xe9: y", b"\xc3\xa9: y", b"X\x0b: y",
    b"X: a\x00b", b"X: \x00", b"X: a\x01", b"X: a\x08b", b"X: a\x0bb", b"X: a\x0cb", b"X: a\x1bb",
    b"X: a\x1f", b"X: a\x7fb", b"X: y\rZ: z", b"X: y\nZ: z", b"X: y\n", b"X: y\r", b"X: y\n\rZ: z",
    b"X: y\r\r", b"\nX: y", b"\rX: y", b"X\r\n: y", b"X\n: y", b"X: y\r\n z", b"X: y\r\n\tz", b"X:\r\n y",
    b"X: y\r\n ", b"X: y\r\n \r\nZ: z", b" ", b"\t",
], ids=name_of)
def test_fields_that_are_none(shared_server, field):
    head = b"GET /nothing HTTP/1.1\r\n"
    refused(shared_server, head + b"Host: x\r\n" + field + b"\r\n\r\n", 400, "bad_request")
    refused(shared_server, head + field + b"\r\nHost: x\r\n\r\n", 400, "bad_request")


@pytest.mark.parametrize("field", [
    b"X:", b"X: ", b"X:y", b"X:\t y \t", b"X: :", b"X: a: b", b"X: caf\xe9", b"X: \x80\xff", b"X: \t",
    b"!#$%&'*+-.^_`|~09azAZ: y", b"X: " + b"y" * 8000, b"X" * 8000 + b": y", b"X: y\r\nx: z\r\nX: y",
    b"X: \"a\\\"b\" (c) <d> {e} [f]", b"Transfer_Encoding: chunked",
], ids=name_of)
def test_fields_that_are_fine(shared_server, field):
    taken(shared_server, GET + field + b"\r\n\r\n", 404)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r", b"\n\r\n", b"\r\r\n", b"\rX", b"\x00\r\n"],
                         ids=name_of)
def test_ends_of_a_head_that_are_none(shared_server, end):
    refused(shared_server, GET + end, 400, "bad_request")


@pytest.mark.parametrize("types, status", [
    ([b"application/json", b"application/json"], 415), ([b"application/json", b"text/plain"], 415),
    ([b"text/plain", b"application/json"], 415), ([b""], 415), ([b"application/json"], 400),
])
def test_two_content_types_are_none(shared_server, types, status):
    taken(shared_server, b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" +
          b"".join(b"Content-Type: " + kind + b"\r\n" for kind in types) + b"\r\n{}", status)


# ---- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing, code", [
    (b"Content-Length: 2\r\n\r\n{}", "invalid_field"),
    (b"Content-Length: 0000000000000000002\r\n\r\n{}", "invalid_field"),
    (b"content-length:2  \r\n\r\n{}", "invalid_field"),
    (b"Content-Length: 2\r\n\r\n[]", "invalid_json"),
    (b"Content-Length: 0\r\n\r\n", "invalid_json"),
    (b"\r\n", "invalid_json"),  # neither: there is no body (RFC 9112, 6.3)
    (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "invalid_field"),
    (b"transfer-encoding:CHUNKED\r\n\r\n1\r\n{\r\n1\r\n}\r\n000\r\n\r\n", "invalid_field"),
    (b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n[]\r\n0\r\n\r\n", "invalid_json"),
    (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "invalid_json"),
    (b"Transfer-Encoding: chunked\r\n\r\na\r\n{        }\r\nA\r\n          \r\n0\r\nX: y\r\n\r\n",
     "invalid_field"),
], ids=range(11))
def test_bodies_end_where_they_say(shared_server, framing, code):
    answer = taken(shared_server, POST + framing, 400)
    assert json.loads(answer.body)["code"] == code


def test_a_tab_behind_a_length_is_refused_to_be_safe(shared_server):
    """The RFC would take it (9112, 5), the library does not, and no client sends it."""
    refused(shared_server, POST + b"Content-Length: 2\t\r\n\r\n{}", 400, "bad_request")


@pytest.mark.parametrize("expectation, status", [
    (b"100-continue", 100), (b"100-Continue", 100), (b" 100-CONTINUE\t", 100), (b"", 417),
    (b"100", 417), (b"200-ok", 417), (b"100-continue, x", 417), (b"100-continue;q", 417),
    (b"x\r\nExpect: 100-continue", 417), (b"100-continue\r\nExpect: x", 417),
], ids=name_of)
def test_expectations(shared_server, expectation, status):
    head = POST + b"Expect: " + expectation + b"\r\n"
    for framing, body in ((b"Content-Length: 2\r\n\r\n", b"{}"),
                          (b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n")):
        if status != 100:
            refused(shared_server, head + framing, status, "expectation_failed")
            continue
        connection = raw.Connection(shared_server)
        connection.send(head + framing)
        assert connection.answer().status == 100
        connection.send(body + NEXT)
        assert [connection.answer().status for _ in range(2)] == [400, NEXT_STATUS]
        connection.close()


def test_expectations_that_nobody_waits_for(shared_server):
    """RFC 9110, 10.1.1: a body that is there, none at all, or a client of 1.0."""
    head = POST + b"Expect: 100-continue\r\n"
    taken(shared_server, head + b"Content-Length: 2\r\n\r\n{}", 400)
    taken(shared_server, head + b"Content-Length: 0\r\n\r\n", 400)
    taken(shared_server, head + b"\r\n", 400)
    connection = raw.Connection(shared_server)
    connection.send(head.replace(b"1.1", b"1.0") + b"Content-Length: 2\r\n\r\n")
    connection.send(b"{}")
    assert connection.answer().status == 400
    assert connection.at_end() == b""
    connection.close()
    # Who is refused is not told to go on first.
    refused(shared_server, head + b"Content-Length: 1048577\r\n\r\n", 413, "too_large")
    refused(shared_server, head + b"Content-Length: x\r\n\r\n", 400)


# ---- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version, fields, stays", [
    (b"1.1", b"", True), (b"1.1", b"Connection: keep-alive\r\n", True), (b"1.1", b"Connection:\r\n", True),
    (b"1.1", b"Connection: close\r\n", False), (b"1.1", b"Connection: CLOSE\r\n", False),
    (b"1.1", b"Connection: x, close ,y\r\n", False),
    (b"1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
    (b"1.1", b"Connection: closed\r\n", True), (b"1.1", b"Proxy-Connection: close\r\n", True),
    (b"1.0", b"", False), (b"1.0", b"Connection: keep-alive\r\n", True),
    (b"1.0", b"Connection: Keep-Alive, x\r\n", True), (b"1.0", b"Connection: close\r\n", False),
    (b"1.0", b"Connection: keep-alive, close\r\n", False),
    (b"1.0", b"Proxy-Connection: keep-alive\r\n", False), (b"1.0", b"Keep-Alive: 5\r\n", False),
])
def test_who_stays(shared_server, version, fields, stays):
    connection = raw.Connection(shared_server)
    host = b"" if version == b"1.0" else b"Host: x\r\n"  # of 1.0 it is not asked
    connection.send(b"GET /nothing HTTP/" + version + b"\r\n" + host + fields + b"\r\n" + NEXT)
    answer = connection.answer()
    assert answer.status == 404
    assert answer.headers.get("connection") == \
        (("keep-alive" if version == b"1.0" else None) if stays else "close")
    if stays:
        assert connection.answer().status == NEXT_STATUS
    else:
        assert connection.at_end() == b""
    connection.close()


def test_answers_in_order_behind_a_password(shared_server, shared_rest):
    """What needs nothing waits for what is being hashed before it, in one packet and in drops."""
    user = User(shared_rest)
    right = json.dumps({"username": user.name, "password": user.password}).encode()
    wrong = json.dumps({"username": user.name, "password": "no"}).encode()

    def login(body):
        return raw.request("POST", "/login", shared_server, body)

    stream = (login(right) + GET + b"\r\n" + login(wrong) + NEXT +
              b"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + login(right))
    for bytewise in (False, True):
        connection = raw.Connection(shared_server)
        connection.send_bytewise(stream) if bytewise else connection.send(stream)
        connection.end_sending()  # and who has ended their side still gets all of them
        answers = [connection.answer(head=i == 4) for i in range(6)]
        assert [answer.status for answer in answers] == [200, 404, 401, 405, 404, 200]
        shared_server.secrets.learn_answer(json.loads(answers[0].body))
        shared_server.secrets.learn_answer(json.loads(answers[5].body))
        assert connection.at_end() == b""
        connection.close()


def test_a_fault_behind_a_password_waits_its_turn(shared_server):
    connection = raw.Connection(shared_server)
    body = b'{"username":"nobody at all","password":"x"}'
    connection.send(raw.request("POST", "/login", shared_server, body) + b"GET /\r\n\r\n" + NEXT)
    assert connection.answer().status == 401
    assert connection.answer().status == 400
    assert connection.at_end() == b""
    connection.close()


@pytest.mark.parametrize("part", [
    b"", b"G", b"GET / HTTP/1.1\r\n", GET, GET + b"\r", POST + b"Content-Length: 2\r\n\r\n{",
    POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
], ids=range(7))
def test_half_close_in_the_middle(shared_server, part):
    """What is whole is answered, what is not never becomes a request."""
    connection = raw.Connection(shared_server)
    connection.send(part)
    connection.end_sending()
    assert connection.at_end() == b""
    connection.close()
    connection = raw.Connection(shared_server)
    connection.send(NEXT + part)
    connection.end_sending()
    assert connection.answer().status == NEXT_STATUS
    assert connection.at_end() == b""
    connection.close()


@pytest.mark.parametrize("reset", [False, True])
def test_clients_that_go_before_the_answer(shared_server, reset):
    """At every moment of a login, also while its password is being hashed; nothing is kept."""
    login = raw.request("POST", "/login", shared_server, b'{"username":"nobody","password":"x"}')
    before = descriptors(shared_server.process)
    for data in (login, login * 5, login[:-1], login[:20], NEXT * 50, GET + b"\r\n" + login):
        for _ in range(4):
            connection = raw.Connection(shared_server)
            connection.send(data)
            if reset:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                             struct.pack("ii", 1, 0))
            connection.close()
    deadline = time.monotonic() + PATIENCE
    # The last connection of this loop itself may still be on its way out.
    while descriptors(shared_server.process) > before + 1:
        assert time.monotonic() < deadline
        assert taken(shared_server, NEXT, NEXT_STATUS)


# ---- time ----------------------------------------------------------------------------------------


def test_whatever_does_not_come_is_not_waited_for(new_server):
    """Heads and bodies that end at any place, also behind an answer; who rests is let go."""
    server = new_server(head_timeout=1, body_timeout=1, idle_timeout=1)
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    late = []
    for part in (b"G", b"\r\n", b"\r", b"GET /", b"GET / HTTP/1.1\r", GET[:-1], GET, GET + b"\r",
                 POST + b"Content-Length: 2\r\n\r\n", POST + b"Content-Length: 2\r\n\r\n{", chunked,
                 chunked + b"2", chunked + b"2;x", chunked + b"2\r\n{", chunked + b"2\r\n{}",
                 chunked + b"2\r\n{}\r\n0\r\n", chunked + b"2\r\n{}\r\n0\r\nX: y\r\n",
                 POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"):
        for first in (b"", NEXT):
            connection = raw.Connection(server)
            connection.send(first + part)
            late.append((connection, bool(first), b"Expect" in part))
    resting = raw.Connection(server)
    for connection, first, expects in late:
        if first:
            assert connection.answer().status == NEXT_STATUS
        if expects:
            assert connection.answer().status == 100
        answer = connection.answer()
        assert answer.status == 408, answer.body
        assert json.loads(answer.body)["code"] == "request_timeout"
        assert answer.headers["connection"] == "close"
        assert connection.at_end() == b""
        connection.close()
    assert resting.at_end() == b""
