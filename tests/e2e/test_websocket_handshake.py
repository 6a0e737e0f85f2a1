"""The opening handshake (RFC 6455, 4), each case as raw bytes."""
import json

import pytest

from kit import raw
from kit.chat import lives
from kit.people import User
from kit.raw import PING, PONG, TEXT
from kit.socket import T_INFO

INFO = b'{"method":10,"body":{}}'
KEY = "dGhlIHNhbXBsZSBub25jZQ=="

FIELDS = {"Upgrade": ["websocket"], "Connection": ["Upgrade"], "Sec-WebSocket-Version": ["13"],
          "Sec-WebSocket-Key": [KEY]}


@pytest.fixture(scope="module")
def device(shared_rest):
    return User(shared_rest).device()


def head(server, path, method="GET", version="1.1", changes=None, more=()):
    """The bytes of a handshake; `changes` gives fields other values, a list of them, or None."""
    lines = [f"{method} {path} HTTP/{version}", f"Host: {server.address}"]
    for name, values in {**FIELDS, **(changes or {})}.items():
        values = [values] if isinstance(values, str) else values or []
        lines += [f"{name}: {value}" for value in values]
    return "\r\n".join([*lines, *more]).encode() + b"\r\n\r\n"


def shake(server, data):
    connection = raw.Connection(server)
    connection.send(data)
    return connection


def opens(server, data):
    """The handshake is answered with 101 and the connection lives; the answer's head."""
    connection = shake(server, data)
    answer = connection.read_until(b"\r\n\r\n").lower()
    assert answer.startswith(b"http/1.1 101 "), answer
    assert b"sec-websocket-extensions" not in answer and b"sec-websocket-protocol" not in answer
    lives(connection)
    connection.close()
    return answer


def is_refused(server, data, status, code):
    """The handshake is answered in this way, and nothing behind it is read as a frame."""
    connection = shake(server, data)
    answer = connection.answer()
    assert answer.status == status, (answer.status, answer.body)
    assert json.loads(answer.body)["code"] == code
    if status == 426:
        assert answer.headers["sec-websocket-version"] == "13"
        assert answer.headers["upgrade"].lower() == "websocket"
        assert "upgrade" in answer.headers["connection"].lower()
    connection.close()
    return answer


def test_the_handshake_of_the_rfc(shared_server, device):
    answer = opens(shared_server, head(shared_server, device.path))
    assert b"upgrade: websocket\r\n" in answer and b"connection: upgrade\r\n" in answer
    assert b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n" in answer


@pytest.mark.parametrize("changes", [
    {"Upgrade": "WebSocket"}, {"Upgrade": "WEBSOCKET"}, {"Upgrade": "h2c, websocket"},
    {"Upgrade": ["h2c", "websocket"]}, {"Upgrade": "websocket,"}, {"Upgrade": " \t websocket "},
    {"Connection": "upgrade"}, {"Connection": "UPGRADE"}, {"Connection": "keep-alive, Upgrade"},
    {"Connection": "keep-alive,upgrade"}, {"Connection": "Upgrade ,\tkeep-alive"},
    {"Connection": ["keep-alive", "Upgrade"]}, {"Connection": ", ,Upgrade"},
    {"Sec-WebSocket-Version": "  13\t"}, {"Sec-WebSocket-Key": f"  {KEY}  "},
    {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="},
    {"Sec-WebSocket-Key": "+/+/+/+/+/+/+/+/+/+/+w=="},
    {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
    {"Sec-WebSocket-Protocol": "chat, superchat"}, {"Origin": "http://elsewhere.example"},
    {"Content-Length": "0"}, {"Accept": "*/*"},
])
def test_handshakes_that_are_fine(shared_server, device, changes):
    opens(shared_server, head(shared_server, device.path, changes=changes))


@pytest.mark.parametrize("key", [
    None, "", "x", "AAAA", KEY[:-1], KEY[:-2], KEY[:-2] + "A=", KEY[:-2] + "AA", KEY + "=",
    KEY[:20], KEY + KEY, KEY[:21] + "R==", KEY[:21] + "===", "=" * 24, KEY[:5] + " " + KEY[6:],
    KEY[:5] + "-" + KEY[6:], KEY[:5] + "_" + KEY[6:], KEY[:5] + "\x80" + KEY[6:],
    [KEY, KEY], [KEY, "AAAAAAAAAAAAAAAAAAAAAA=="], f"{KEY}, {KEY}",
    "dGhlIHNhbXBsZSBub25jZTE3Cg==", "c2hvcnQga2V5",
])
def test_a_key_is_sixteen_bytes_in_base64(shared_server, device, key):
    """RFC 6455, 4.2.1; canonical: the bits that the last letter has to spare are 0."""
    is_refused(shared_server, head(shared_server, device.path,
                                   changes={"Sec-WebSocket-Key": key}), 400, "bad_upgrade")


@pytest.mark.parametrize("version", ["0", "7", "8", "12", "14", "013", "13.0", "x", "", "13, 8",
                                     "13,13", "1 3", "256", "-13"])
def test_other_versions_are_told_which(shared_server, device, version):
    """RFC 6455, 4.4."""
    is_refused(shared_server, head(shared_server, device.path,
                                   changes={"Sec-WebSocket-Version": version}),
               426, "upgrade_required")


@pytest.mark.parametrize("changes", [
    {"Sec-WebSocket-Version": None}, {"Sec-WebSocket-Version": ["13", "13"]},
    {"Sec-WebSocket-Version": ["8", "13"]},
    {"Connection": None}, {"Connection": ""}, {"Connection": "keep-alive"},
    {"Connection": "close"}, {"Connection": "Upgraded"}, {"Connection": "up grade"},
    {"Connection": "keep-alive; Upgrade"}, {"Connection": "\"Upgrade\""},
])
def test_handshakes_that_lack_something(shared_server, device, changes):
    is_refused(shared_server, head(shared_server, device.path, changes=changes),
               400, "bad_upgrade")


@pytest.mark.parametrize("upgrade", [None, "", "h2c", "websockets", "web socket", "websocket/13",
                                     "websocket; q=1", "\"websocket\""])
def test_requests_that_are_no_handshakes(shared_server, device, upgrade):
    """Another protocol's Upgrade is ignored (RFC 9110, 7.8), and this path needs ours."""
    is_refused(shared_server, head(shared_server, device.path, changes={"Upgrade": upgrade}),
               426, "upgrade_required")


def test_a_handshake_of_http_1_0(shared_server, device):
    """RFC 6455, 4.2.1: at least 1.1; in 1.0 there is no Upgrade (RFC 9110, 7.8)."""
    is_refused(shared_server, head(shared_server, device.path, version="1.0"),
               426, "upgrade_required")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_handshake_is_a_get(shared_server, device, method):
    answer = is_refused(shared_server, head(shared_server, device.path, method=method),
                        405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_handshake_is_not_a_question(shared_server, device, method):
    connection = shake(shared_server, head(shared_server, device.path, method=method))
    answer = connection.answer(head=True)  # neither answer has a body
    assert answer.status != 101 and answer.status < 500
    assert "sec-websocket-accept" not in answer.headers
    connection.close()


@pytest.mark.parametrize("more, body", [
    (["Content-Length: 2"], b"{}"), (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    (["Transfer-Encoding: chunked"], b"0\r\n\r\n")], ids=["length", "chunks", "no-chunks"])
def test_a_handshake_has_no_body(shared_server, device, more, body):
    is_refused(shared_server, head(shared_server, device.path, more=more) + body,
               400, "bad_upgrade")


def test_a_handshake_on_another_path(shared_server, device):
    for path, status in [("/login", 405), ("/", 404), ("/x", 404), (device.path + "/", 404),
                         ("/00000000-0000-4000-8000-000000000000", 404)]:
        connection = shake(shared_server, head(shared_server, path))
        assert connection.answer().status == status
        connection.close()


def test_a_refused_handshake_may_be_mended(shared_server, device):
    """The connection stays and reads requests, never frames."""
    connection = shake(shared_server, head(shared_server, device.path,
                                           changes={"Sec-WebSocket-Version": "8"}))
    assert connection.answer().status == 426
    lives(connection.upgrade(device.path))
    connection.close()


@pytest.mark.parametrize("size", [1, 7])
def test_a_handshake_in_pieces(shared_server, device, size):
    connection = raw.Connection(shared_server)
    data = head(shared_server, device.path)
    for i in range(0, len(data), size):
        connection.send(data[i:i + size])
    assert connection.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    lives(connection)
    connection.close()


def test_a_frame_in_the_packet_of_the_handshake(shared_server, device):
    connection = raw.Connection(shared_server)
    connection.upgrade(device.path, tail=raw.frame(TEXT, INFO) + raw.frame(PING, b"x"))
    assert json.loads(connection.text())["type"] == T_INFO
    assert connection.frame() == (True, PONG, b"x")
    connection.close()


def test_half_a_frame_in_the_packet_of_the_handshake(shared_server, device):
    frame = raw.frame(TEXT, INFO)
    for cut in (1, 2, 5, 6, len(frame) - 1):
        connection = raw.Connection(shared_server)
        connection.upgrade(device.path, tail=frame[:cut])
        connection.send(frame[cut:])
        assert json.loads(connection.text())["type"] == T_INFO
        connection.close()


def test_a_fault_in_the_packet_of_the_handshake(shared_server, device):
    connection = raw.Connection(shared_server)
    connection.upgrade(device.path, tail=b"GET / HTTP/1.1\r\n\r\n")
    assert connection.close_code() == 1002


def test_a_handshake_after_other_requests(shared_server, device):
    connection = shake(shared_server, raw.request("GET", "/nothing", shared_server))
    assert connection.answer().status == 404
    lives(connection.upgrade(device.path))
    connection.close()
