"""--origin: which web pages may use the server, by CORS and in the WebSocket's handshake."""
import json
import re

import pytest

from kit import raw
from kit.checks import NOBODY
from kit.people import DEVICE, Rest, User, assert_error
from kit.server import ROOT, run

PAGE = "https://chat.example"
OTHER_PAGE = "http://localhost:8080"
STRANGERS = ["https://evil.example", "null", "*", "http://chat.example", "https://chat.example:443",
             "https://chat.example/", "https://Chat.example", "https://chat.example.evil.example",
             "https://a.chat.example", f"{PAGE}, {OTHER_PAGE}", ""]
HANDSHAKE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]


@pytest.fixture
def server(new_server):
    return new_server(origin=[PAGE, OTHER_PAGE])


def ask(server, method, path, body=None, fields=()):
    connection = raw.Connection(server)
    connection.send(raw.request(method, path, server, body, fields))
    return connection.answer(head=method == "HEAD" or method == "OPTIONS")


def shake(server, path, *fields):
    """The answer to a handshake."""
    connection = raw.Connection(server)
    connection.send(raw.request("GET", path, server, headers=[*HANDSHAKE, *fields]))
    head = connection.read_until(b"\r\n\r\n").decode().split("\r\n")
    status = int(head[0].split(" ")[1])
    if status == 101:
        return status, None
    length = next(int(line[15:]) for line in head if line.lower().startswith("content-length:"))
    return status, json.loads(connection.read(length))["code"]


def cors(answer):
    return {name: value for name, value in answer.headers.items()
            if name.startswith("access-control-")}


def assert_readable_by(answer, page):
    assert cors(answer) == {"access-control-allow-origin": page,
                            "access-control-expose-headers": "retry-after"}
    assert answer.headers["vary"] == "origin"


def assert_readable_by_nobody(answer):
    assert cors(answer) == {}
    assert answer.headers["vary"] == "origin"


# ---- the handshake ------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [[], [f"Origin: {PAGE}"], [f"oRIGIN:   {OTHER_PAGE}  "]])
def test_handshakes_that_are_fine(server, rest, fields):
    device = User(rest).device()
    assert shake(server, device.path, *fields) == (101, None)


def test_handshakes_of_other_pages(server, rest):
    device = User(rest).device()
    live = device.connect()
    for origin in STRANGERS:
        assert shake(server, device.path, f"Origin: {origin}") == (403, "forbidden"), origin
        # And it does not tell which URLs there are.
        assert shake(server, f"/{NOBODY}", f"Origin: {origin}") == (403, "forbidden"), origin
    for pair in ([PAGE, STRANGERS[0]], [STRANGERS[0], PAGE], [PAGE, PAGE]):
        fields = [f"Origin: {origin}" for origin in pair]
        assert shake(server, device.path, *fields) == (403, "forbidden"), pair
    live.silent()
    assert shake(server, device.path, f"Origin: {PAGE}") == (101, None)


def test_without_the_option_every_page_may_connect(new_server):
    server = new_server()
    user = User(Rest(server))
    for origin in (PAGE, "null", "https://evil.example"):
        assert shake(server, user.device().path, f"Origin: {origin}") == (101, None)
    answer = ask(server, "POST", "/login", b"{}", [f"Origin: {PAGE}"])
    assert cors(answer) == {} and "vary" not in answer.headers


# ---- REST ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [PAGE, OTHER_PAGE])
def test_a_page_may_read_every_answer(server, page):
    """Those that come later, from a worker or the journal, and all refusals too."""
    origin = [f"Origin: {page}"]
    account = json.dumps({"username": "user1", "password": "0000"}).encode()
    answer = ask(server, "POST", "/users", account, origin)
    assert answer.status == 201
    assert_readable_by(answer, page)
    answer = ask(server, "POST", "/users", account, origin)
    assert answer.status == 409
    assert_readable_by(answer, page)
    answer = ask(server, "POST", "/login", account, origin)
    assert answer.status == 200
    assert_readable_by(answer, page)
    bearer = ["Authorization: bearer " + json.loads(answer.body)["token"]]
    for path, body in (("/sessions", DEVICE), ("/groups", {"name": "g", "user_ids": []})):
        answer = ask(server, "POST", path, json.dumps(body).encode(), origin + bearer)
        assert answer.status == 201
        assert_readable_by(answer, page)
    group = json.loads(answer.body)["id"]
    for verb, user, status in (("join", NOBODY, 404), ("left", NOBODY, 404)):
        answer = ask(server, "PUT", f"/groups/{group}/{verb}",
                     json.dumps({"user_id": user}).encode(), origin + bearer)
        assert answer.status == status
        assert_readable_by(answer, page)
    for method, path, status in (("POST", "/groups", 401), ("GET", "/nowhere", 404),
                                 ("DELETE", "/users", 405), ("HEAD", f"/{NOBODY}", 404)):
        answer = ask(server, method, path, b"{}" if method == "POST" else None, origin)
        assert answer.status == status
        assert_readable_by(answer, page)


def test_the_origin_is_that_of_each_request(server):
    """On one connection, as behind a proxy, requests of several pages do not mix."""
    connection = raw.Connection(server)
    body = b'{"username":"ghost","password":"x"}'
    for origin, page in ((PAGE, PAGE), (None, None), (OTHER_PAGE, OTHER_PAGE),
                         ("https://evil.example", None), (PAGE, PAGE), (None, None)):
        fields = [f"Origin: {origin}"] if origin else []
        connection.send(raw.request("POST", "/login", server, body, fields))
        answer = connection.answer()
        assert answer.status == 401
        if page:
            assert_readable_by(answer, page)
        else:
            assert_readable_by_nobody(answer)
    connection.send(raw.request("POST", "/login", server, body, [f"Origin: {PAGE}"]))
    connection.answer()
    connection.send(b"nonsense\r\n\r\n")
    answer = connection.answer()
    assert answer.status == 400
    assert_readable_by_nobody(answer)


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_pages_may_read_nothing(server, origin):
    for method in ("POST", "OPTIONS"):
        answer = ask(server, method, "/login", b"{}" if method == "POST" else None,
                     [f"Origin: {origin}", "Access-Control-Request-Method: POST"])
        assert_readable_by_nobody(answer)


def methods_by_path():
    """Every path with its methods, in the order of the table."""
    methods = {}
    for method, path, needs in re.findall(r'^ROUTE\((\w+),\s*"([^"]+)",\s*\w+,\s*([^)]+)\)',
                                          (ROOT / "src/api/route.def").read_text(), re.MULTILINE):
        if "APP" in needs:
            continue  # no page has business there: they are on the app's own listener
        methods.setdefault(path, []).extend(["GET", "HEAD"] if method == "GET" else [method])
    return methods


def test_preflights(server):
    paths = methods_by_path()
    assert len(paths) > 6
    for path, methods in paths.items():
        check_preflight(server, re.sub(":[a-z_]+", NOBODY, path), ", ".join([*methods, "OPTIONS"]))


def check_preflight(server, path, methods):
    answer = ask(server, "OPTIONS", path, fields=[
        f"Origin: {PAGE}", "Access-Control-Request-Method: PUT",
        "Access-Control-Request-Headers: authorization,content-type"])
    assert answer.status == 204
    fields = cors(answer)
    assert fields.pop("access-control-allow-methods") == methods == answer.headers["allow"]
    assert fields.pop("access-control-allow-headers") == "authorization, content-type, idempotency-key"
    assert 0 < int(fields.pop("access-control-max-age")) <= 7200
    assert fields == {"access-control-allow-origin": PAGE,
                      "access-control-expose-headers": "retry-after"}


def test_a_preflight_for_what_is_not_there(server):
    answer = ask(server, "OPTIONS", "/nowhere", fields=[f"Origin: {PAGE}",
                                                        "Access-Control-Request-Method: PUT"])
    assert answer.status == 404
    assert "access-control-allow-methods" not in answer.headers


def test_options_that_are_no_preflight(server):
    answer = ask(server, "OPTIONS", "/users", fields=[f"Origin: {PAGE}"])
    assert answer.status == 204
    assert_readable_by(answer, PAGE)


def test_credentials_and_wildcards_are_never_allowed(server, rest):
    user = User(rest)
    for method, path in (("POST", "/users"), ("OPTIONS", "/users"), ("POST", "/sessions")):
        for origin in (PAGE, "*", "null"):
            answer = ask(server, method, path, b"{}" if method == "POST" else None,
                         [f"Origin: {origin}", "Access-Control-Request-Method: POST",
                          f"Authorization: bearer {user.token}", "Cookie: a=b"])
            assert "access-control-allow-credentials" not in answer.headers
            assert "*" not in "".join(cors(answer).values())


@pytest.mark.parametrize("value", ["*", "null", "chat.example", "https://*.chat.example",
                                   "https://chat.example/", "https://Chat.example",
                                   "https://chat.example:443", "https://a,nonsense"])
def test_what_is_no_origin(tmp_path, value):
    done = run(["--data", str(tmp_path / "data"), "--origin", value])
    assert done.returncode == 2 and "--origin" in done.stderr and done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_other_pages_change_nothing(server, rest):
    """A page that may not read may still send: it is nobody without a token."""
    answer = ask(server, "POST", "/groups", b'{"name":"g","user_ids":[]}',
                 ["Origin: https://evil.example", "Cookie: token=x"])
    assert answer.status == 401
    assert_error(rest.call("POST", "/groups", {"name": "g", "user_ids": []}), 401, "unauthorized")
