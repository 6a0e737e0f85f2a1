"""--trusted-proxy: whose address counts where a proxy hands requests on."""
import json
import os

import pytest

from kit import raw
from kit.people import Rest, User
from kit.server import run

FAILURES = 3


def failed_login(server, *forwarded, name="ghost", source=None):
    """The status of a login that fails, or is not even tried."""
    connection = raw.Connection(server, source=source)
    fields = [f"X-Forwarded-For: {value}" for value in forwarded]
    body = json.dumps({"username": name, "password": "wrong"}).encode()
    connection.send(raw.request("POST", "/login", server, body, fields))
    return connection.answer().status


def exhaust(server, *forwarded, source=None):
    for _ in range(FAILURES):
        assert failed_login(server, *forwarded, source=source) == 401
    assert failed_login(server, *forwarded, source=source) == 429


@pytest.fixture
def behind(new_server):
    """A server that believes 127.0.0.1, and proxies in 10.0.0.0/8 before that."""
    return new_server(trusted_proxy=["127.0.0.1", "10.0.0.0/8"], login_fail_account=0,
                      login_fail_address=FAILURES)


def test_clients_behind_a_proxy_count_one_by_one(behind):
    exhaust(behind, "203.0.113.1")
    assert failed_login(behind, "203.0.113.2") == 401
    assert failed_login(behind) == 401
    # The same client, however the proxies write it, and whatever it claims to be itself.
    for values in (["203.0.113.1:4711"], ["::ffff:203.0.113.1"], ["[::ffff:203.0.113.1]:1"],
                   ["198.51.100.9, 203.0.113.1"], ["198.51.100.9", "203.0.113.1"],
                   ["203.0.113.1, 10.1.2.3"], ["198.51.100.9, 203.0.113.1", "10.1.2.3,10.0.0.9"]):
        assert failed_login(behind, *values) == 429, values


def test_a_client_that_names_another_address_at_each_attempt(behind):
    for i in range(FAILURES):
        assert failed_login(behind, f"198.51.100.{i}, 203.0.113.1") == 401
    for i in range(5):
        assert failed_login(behind, f"198.51.100.{i}, 203.0.113.1") == 429


def test_who_is_not_trusted_is_not_believed(behind):
    for i in range(FAILURES):
        assert failed_login(behind, f"203.0.113.{i}", source="127.0.0.2") == 401
    assert failed_login(behind, "203.0.113.9", source="127.0.0.2") == 429
    # Nor can it exhaust somebody else.
    assert failed_login(behind, "203.0.113.9") == 401
    assert failed_login(behind, "127.0.0.2") == 429


def test_what_cannot_be_read_counts_for_the_proxy(behind):
    for value in ("unknown", "203.0.113.1, _hidden", "203.0.113.1,"):
        assert failed_login(behind, value) == 401
    for value in ("", "203.0.113.256", "[203.0.113.1]", "for=203.0.113.1", "203.0.113.1;x"):
        assert failed_login(behind, value) == 429, value
    assert failed_login(behind) == 429
    assert failed_login(behind, "203.0.113.1") == 401


def test_a_customer_of_ipv6_is_one_client(behind):
    """64 bits of an address are the customer's own choice."""
    exhaust(behind, "2001:db8:0:1::1")
    assert failed_login(behind, "2001:db8:0:1:ffff:ffff:ffff:ffff") == 429
    assert failed_login(behind, "[2001:db8:0:1::2]:80") == 429
    assert failed_login(behind, "2001:db8:0:2::1") == 401


def test_nobody_is_trusted_unless_told(new_server):
    server = new_server(login_fail_account=0, login_fail_address=FAILURES)
    for i in range(FAILURES):
        assert failed_login(server, f"203.0.113.{i}") == 401
    assert failed_login(server, "203.0.113.9") == 429


def test_registrations_count_by_client_too(new_server):
    server = new_server(trusted_proxy="127.0.0.1", register_rate=2)

    def register(number, client):
        body = json.dumps({"username": f"u{number}", "password": "0000"}).encode()
        connection = raw.Connection(server)
        connection.send(raw.request("POST", "/users", server, body,
                                    [f"X-Forwarded-For: {client}"]))
        return connection.answer().status

    assert [register(i, "203.0.113.1") for i in range(3)] == [201, 201, 429]
    assert register(3, "203.0.113.2") == 201


def test_a_proxy_that_speaks_ipv6(new_server):
    if not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    server = new_server(listen="[::1]:0", trusted_proxy="::1", login_fail_account=0,
                        login_fail_address=FAILURES)
    rest = Rest(server)

    def status(client):
        return rest.call("POST", "/login", {"username": "ghost", "password": "x"},
                         headers={"x-forwarded-for": client}).status_code

    assert [status("203.0.113.1") for _ in range(4)] == [401, 401, 401, 429]
    assert status("2001:db8::1") == 401
    assert User(rest).login()


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "[::1]", "*",
                                   "127.0.0.1 ::1", "127.0.0.1,nonsense"])
def test_what_is_no_address_or_network(tmp_path, value):
    done = run(["--data", str(tmp_path / "data"), "--trusted-proxy", value])
    assert done.returncode == 2 and "--trusted-proxy" in done.stderr and done.stdout == ""
    assert list(tmp_path.iterdir()) == []
