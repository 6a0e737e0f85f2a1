"""POST /login, and what a token is worth."""
import base64
import concurrent.futures
import functools
import hashlib
import hmac
import json
import time

import pytest

from kit import faults, people, raw
from kit.checks import NOBODY
from kit.people import Rest, assert_error

DAY = 24 * 3600

# The tests here try passwords: that of the people in them is the one that each test names.
User = functools.partial(people.User, password="0000")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(server, header, claims):
    """A token as the holder of the server's key would make it."""
    key = (server.data / "key").read_bytes()
    text = encode(header.encode()) + "." + encode(claims.encode())
    return text + "." + encode(hmac.new(key, text.encode(), hashlib.sha256).digest())


def claims_of(user_id, expires):
    return json.dumps({"user_id": user_id, "exp": int(expires)}, separators=(",", ":"))


HEADER = '{"alg":"HS256","typ":"JWT"}'


def login(rest, **fields):
    return rest.call("POST", "/login", fields)


def works(rest, token, scheme="bearer"):
    answer = rest.call("POST", "/groups", {"name": "g", "user_ids": []},
                       headers={"authorization": f"{scheme} {token}".strip()})
    if answer.status_code == 201:
        return True
    assert_error(answer, 401, "unauthorized")
    return False


@pytest.fixture
def user1(rest):
    return User(rest, "user1")


@pytest.mark.parametrize("who", [
    {"username": "user1"},
    {"username": "USER1"},
    {"email": "user1@example.com"},
    {"email": "User1@Example.COM"},
    {"username": "user1", "email": "user1@example.com"},
    {"username": "user1", "email": "somebody@example.com"},
])
def test_who_one_is(rest, user1, who):
    answer = login(rest, password="0000", **who)
    assert answer.status_code == 200
    assert list(answer.json()) == ["token"]
    assert works(rest, answer.json()["token"])


@pytest.mark.parametrize("who", [
    {"username": "user2"},
    {"username": "user2", "email": "user1@example.com"},
    {"email": "user2@example.com"},
    {"username": "user1@example.com"},
    {"email": "user1"},
])
def test_who_one_is_not(rest, user1, who):
    assert_error(login(rest, password="0000", **who), 401, "bad_credentials")


def test_a_wrong_password_and_an_unknown_user_are_told_in_the_same_words(rest, user1):
    wrong = login(rest, username="user1", password="0001")
    unknown = login(rest, username="user2", password="0000")
    assert_error(wrong, 401, "bad_credentials")
    assert wrong.text == unknown.text


@pytest.mark.parametrize("body", [
    {"password": "0000"},
    {"username": "user1"},
    {"username": 1, "password": "0000"},
    {"username": "user1", "password": 0},
    {"email": [], "password": "0000"},
    {"username": "user1", "password": ""},
    {"username": "user1", "password": "x" * 1025},
])
def test_bodies_that_are_no_login(rest, user1, body):
    assert_error(login(rest, **body), 400, "invalid_field")


def test_the_token_is_a_jwt(rest, user1):
    header, claims, signature = user1.token.split(".")
    assert decode(header) == HEADER.encode()
    claims = json.loads(decode(claims))
    assert set(claims) == {"user_id", "exp"}
    assert claims["user_id"] == user1.id
    assert abs(claims["exp"] - time.time() - 14 * DAY) < 600
    assert len(decode(signature)) == 32


def test_the_days_of_a_token_are_a_setting(new_server):
    rest = Rest(new_server(token_days=1))
    claims = json.loads(decode(User(rest).token.split(".")[1]))
    assert abs(claims["exp"] - time.time() - DAY) < 600


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER", "bEaReR"])
def test_the_scheme_in_any_case(rest, user1, scheme):
    assert works(rest, user1.token, scheme)


@pytest.mark.parametrize("scheme", ["basic", "bearers", "", "token"])
def test_another_scheme(rest, user1, scheme):
    assert not works(rest, user1.token, scheme)


def test_no_token_at_all(rest):
    answer = rest.call("POST", "/groups", {"name": "g", "user_ids": []})
    assert_error(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].lower().startswith("bearer")


@pytest.mark.parametrize("spoil", [
    lambda t: "",
    lambda t: "x",
    lambda t: t[:-1],
    lambda t: t + "x",
    lambda t: t + "=",
    lambda t: t + " x",
    lambda t: t.rsplit(".", 1)[0] + ".",
    lambda t: t.rsplit(".", 1)[0],
    lambda t: "." + t,
    lambda t: t.replace(".", "..", 1),
    lambda t: "A" + t[1:],
    lambda t: t[:-10] + ("A" if t[-10] != "A" else "B") + t[-9:],
    lambda t: t[:50] + ("A" if t[50] != "A" else "B") + t[51:],
    lambda t: "x" * 10_000,
])
def test_a_token_that_was_tampered_with(rest, user1, spoil):
    assert not works(rest, spoil(user1.token))
    assert works(rest, user1.token)


def test_every_bit_of_the_signature_counts(rest, user1):
    body, signature = user1.token.rsplit(".", 1)
    bits = decode(signature)
    for at in range(0, 256, 17):
        flipped = bytearray(bits)
        flipped[at // 8] ^= 1 << at % 8
        assert not works(rest, body + "." + encode(bytes(flipped)))


def test_tokens_signed_with_the_right_key(rest, server, user1):
    soon, past = time.time() + 60, time.time() - 60
    assert works(rest, sign(server, HEADER, claims_of(user1.id, soon)))
    refused = [
        (HEADER, claims_of(user1.id, past)),
        (HEADER, claims_of(NOBODY, soon)),
        (HEADER, claims_of("", soon)),
        (HEADER, '{"exp":%d}' % soon),
        (HEADER, '{"user_id":"%s"}' % user1.id),
        (HEADER, "{}"),
        (HEADER, ""),
        ('{"alg":"none","typ":"JWT"}', claims_of(user1.id, soon)),
        ('{"alg":"HS512","typ":"JWT"}', claims_of(user1.id, soon)),
        ("{}", claims_of(user1.id, soon)),
    ]
    for header, claims in refused:
        assert not works(rest, sign(server, header, claims)), (header, claims)


def test_an_unsigned_token(rest, user1):
    text = encode(b'{"alg":"none","typ":"JWT"}') + "." + encode(
        claims_of(user1.id, time.time() + 60).encode())
    assert not works(rest, text + ".")
    assert not works(rest, text)


def test_the_same_work_for_everybody_who_fails(new_server, tmp_path):
    """One check, of the same cost, whether there is such a user or not, and by which name they are
    sought: the time of an answer does not tell who is there."""
    log = tmp_path / "work"
    library = faults.build(tmp_path, "work")
    preload = " ".join([*faults.sanitizer(), str(library)])
    server = new_server(password_cost="normal", env={"LD_PRELOAD": preload, "WORK": str(log)})
    rest = Rest(server)
    User(rest, "user1")

    def work(**who):
        before = log.read_text().splitlines() if log.exists() else []
        assert_error(login(rest, password="1234567", **who), 401, "bad_credentials")
        return log.read_text().splitlines()[len(before):]

    known = work(username="user1")
    assert known == [f"2 {19 << 20} 7"]
    for who in ({"username": "USER1"}, {"email": "user1@example.com"}, {"username": "ghost"},
                {"email": "ghost@example.com"}, {"username": ""}, {"username": "a b"},
                {"email": "none"}, {"username": "\u0000"}, {"username": "x" * 1024}):
        assert work(**who) == known, who
    log.write_text("")


def test_tokens_outlive_the_server(rest, server, user1):
    server.restart()
    assert works(rest, user1.token)
    assert login(rest, username="user1", password="0000").status_code == 200


def test_too_many_failures_for_an_account(new_server):
    """By name or by address, it is one account; other accounts go on."""
    rest = Rest(new_server(login_fail_account=3))
    user1, user2 = User(rest, "user1"), User(rest, "user2")
    for who in ({"username": "user1"}, {"email": user1.email}, {"username": "USER1"}):
        assert_error(login(rest, password="1", **who), 401, "bad_credentials")
    for who in ({"username": "user1"}, {"email": user1.email}):
        answer = login(rest, password="0000", **who)
        assert_error(answer, 429, "too_many_requests")
        assert int(answer.headers["retry-after"]) >= 1
    assert user2.login()
    assert works(rest, user1.token)


def test_logins_that_succeed_are_not_counted(new_server):
    rest = Rest(new_server(login_fail_account=2))
    user1 = User(rest, "user1")
    for _ in range(5):
        assert user1.login()


def test_failures_for_a_name_that_nobody_has_are_counted_too(new_server):
    """Else the 429 would tell which names there are."""
    rest = Rest(new_server(login_fail_account=3))
    for _ in range(3):
        assert_error(login(rest, username="ghost", password="1"), 401, "bad_credentials")
    assert_error(login(rest, username="ghost", password="1"), 429, "too_many_requests")


def test_too_many_failures_from_an_address(new_server):
    server = new_server(login_fail_address=3, login_fail_account=0)
    rest = Rest(server)
    User(rest, "user1")
    for i in range(3):
        assert_error(login(rest, username=f"ghost{i}", password="1"), 401, "bad_credentials")
    assert_error(login(rest, username="user1", password="0000"), 429, "too_many_requests")

    body = json.dumps({"username": "user1", "password": "0000"}).encode()
    elsewhere = raw.Connection(server, source="127.0.0.2")
    elsewhere.send(raw.request("POST", "/login", server, body))
    assert elsewhere.answer().status == 200


def attempts_at_once(server, count, **fields):
    """So many logins, all sent before the first answer is read; the answers, and the seconds that
    they took."""
    body = json.dumps({"username": "user1", **fields}).encode()
    begin = time.monotonic()
    connections = [raw.Connection(server) for _ in range(count)]
    for connection in connections:
        connection.send(raw.request("POST", "/login", server, body))
    answers = [connection.answer() for connection in connections]
    return answers, time.monotonic() - begin


@pytest.mark.parametrize("option", ["login_fail_account", "login_fail_address"])
def test_an_attempt_counts_from_its_beginning(new_server, option):
    """However many wait for a worker at once, no more are tried than may fail."""
    server = new_server(password_cost="high", password_threads=1, **{option: 3})
    User(Rest(server), "user1")
    answers, seconds = attempts_at_once(server, 30, password="wrong")
    tried = [answer for answer in answers if answer.status == 401]
    assert 3 <= len(tried) <= 3 + seconds * 3 / 60 + 1
    for answer in answers:
        assert answer.status in (401, 429)
        if answer.status == 429:
            assert json.loads(answer.body)["code"] == "too_many_requests"
            assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_attempts_that_succeed_are_given_back(new_server):
    server = new_server(login_fail_account=3, login_fail_address=3)
    rest = Rest(server)
    user1 = User(rest, "user1")
    answers, _ = attempts_at_once(server, 12, password="0000")
    assert {answer.status for answer in answers} <= {200, 429}
    assert [answer.status for answer in answers].count(200) >= 3
    for _ in range(5):
        assert user1.login()
    for _ in range(3):
        assert_error(login(rest, username="user1", password="1"), 401, "bad_credentials")
    assert_error(login(rest, username="user1", password="0000"), 429, "too_many_requests")


def test_attempts_that_nobody_had_time_for_are_given_back(new_server):
    """What is answered 503 says nothing about a password. A check takes so long that more come
    meanwhile, also where the clients get little of the processor."""
    server = new_server(password_threads=1, password_queue=1, password_cost="high",
                        login_fail_account=4, login_fail_address=4)
    rest = Rest(server)
    User(rest, "user1")
    answers, _ = attempts_at_once(server, 30, password="0000")
    assert {answer.status for answer in answers} == {200, 503}
    for _ in range(4):
        assert_error(login(rest, username="user1", password="1"), 401, "bad_credentials")


def test_who_fails_at_one_account_does_not_shut_out_another(new_server):
    server = new_server(login_fail_account=2, login_fail_address=0)
    rest = Rest(server)
    user2 = User(rest, "user2")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        names = [f"ghost{i % 4}" for i in range(40)]
        codes = list(pool.map(lambda name: raw_login(server, name), names))
    assert codes.count(401) >= 8 and set(codes) == {401, 429}
    assert user2.login()


def raw_login(server, name):
    connection = raw.Connection(server)
    connection.send(raw.request("POST", "/login", server, json.dumps(
        {"username": name, "password": "wrong"}).encode()))
    return connection.answer().status
