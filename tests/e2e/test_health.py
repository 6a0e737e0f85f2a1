"""GET /healthz and GET /readyz: what a probe is told. That a journal which has failed is not ready, and
a full one is, is in test_faults.py and test_memory_max.py."""
import signal

import pytest

from kit import raw
from kit.people import Rest, User, assert_error

PROBES = {"/healthz": {"alive": True}, "/readyz": {"ready": True}}


@pytest.mark.parametrize("path", PROBES)
def test_a_probe(shared_server, shared_rest, path):
    for headers in {}, {"authorization": "Bearer nonsense"}:
        answer = shared_rest.call("GET", path, headers=headers)
        assert answer.status_code == 200 and answer.json() == PROBES[path]
        head = shared_rest.call("HEAD", path, headers=headers)
        assert head.status_code == 200 and head.content == b""
        assert head.headers["content-length"] == str(len(answer.content))
    assert shared_rest.call("OPTIONS", path).headers["allow"] == "GET, HEAD, OPTIONS"
    assert_error(shared_rest.call("POST", path, {}), 405, "method_not_allowed")
    for more in "/", "/x", "z":
        assert_error(shared_rest.call("GET", path + more), 404, "not_found")
    old = raw.Connection(shared_server)
    old.send(f"GET {path}?verbose HTTP/1.0\r\n\r\n".encode())
    assert old.answer().status == 200


def test_probes_are_counted_against_nobody(new_server):
    """A probe may come from an address that has too many others."""
    server = new_server(address_rate=1, address_burst=2)
    rest = server.keep(Rest(server))
    codes = [rest.call("GET", "/nothing").status_code for _ in range(10)]
    assert 429 in codes
    for _ in range(20):
        for path, body in PROBES.items():
            assert rest.ok(200, "GET", path) == body
    assert 429 in [rest.call("GET", "/nothing").status_code for _ in range(10)]


def test_a_server_that_goes_away_is_not_ready(server, people):
    """Behind a request that waits, on the same connection: that is answered when the server goes."""
    anna, = people("anna")
    waits = raw.Connection(server)
    field = [f"Authorization: Bearer {anna.token}"]
    cursor = anna.ok(200, "GET", "/sync")["cursor"]
    waits.send(raw.request("GET", f"/events?after={cursor}&wait=60", server, headers=field) +
               raw.request("GET", "/readyz", server))
    # What was sent before this was read before this is answered.
    User(anna.rest, "berta")
    server.send_signal(signal.SIGTERM)
    assert waits.answer().status == 200
    answer = waits.answer()
    assert answer.status == 503 and b'"code":"shutting_down"' in answer.body
    assert int(answer.headers["retry-after"]) > 0
    assert server.wait() == 0
    server.start()
