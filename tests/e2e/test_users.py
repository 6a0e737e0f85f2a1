"""POST /users."""
import concurrent.futures

import pytest

from kit.checks import is_uuid
from kit.people import Rest, assert_error

USER1 = {"username": "user1", "email": "user1@example.com", "password": "0000"}


def register(rest, **fields):
    return rest.call("POST", "/users", {**USER1, **fields})


def can_log_in(rest, **fields):
    return rest.call("POST", "/login", fields).status_code == 200


def test_register_answers_with_an_id(rest):
    answer = register(rest)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["id"]
    assert is_uuid(answer.json()["id"])


def test_ids_differ(rest):
    ids = {register(rest, username=f"user{i}", email=f"user{i}@example.com").json()["id"]
           for i in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("name", ["user1", "USER1", "uSeR1", "ｕｓｅｒ１"])
def test_a_username_is_taken_in_any_case_and_width(rest, name):
    assert register(rest).status_code == 201
    assert_error(register(rest, username=name, email="other@example.com"), 409, "username_taken")
    # What was refused changed nothing: the address is still free, the first account as it was.
    assert register(rest, username="other", email="other@example.com").status_code == 201
    assert can_log_in(rest, username="user1", password="0000")


@pytest.mark.parametrize("email", ["user1@example.com", "User1@EXAMPLE.com"])
def test_an_address_is_taken_in_any_case(rest, email):
    assert register(rest).status_code == 201
    assert_error(register(rest, username="other", email=email), 409, "email_taken")
    assert not can_log_in(rest, username="other", password="0000")
    assert register(rest, username="other", email="other@example.com").status_code == 201


@pytest.mark.parametrize("name", [
    "", " ", "a b", "a\tb", "a\nb", "a\u0000b", "a\u007fb", "a\u200bb", "a\u202eb", "a\u00a0b",
    "\u3000", "a" * 33, "\ue000", None, 1, True, ["user1"], {"a": 1},
])
def test_usernames_that_are_none(rest, name):
    assert_error(register(rest, username=name), 400, "invalid_field")


@pytest.mark.parametrize("name", ["a", "a" * 32, "ж" * 32, "名前", "user.name-1_x", "Ünal", "0"])
def test_usernames_that_are_fine(rest, name):
    assert register(rest, username=name).status_code == 201
    assert can_log_in(rest, username=name, password="0000")


def test_a_username_is_counted_in_characters(new_server):
    rest = Rest(new_server(username_max=4))
    assert register(rest, username="жжжж").status_code == 201
    assert_error(register(rest, username="жжжжж", email="b@example.com"), 400, "invalid_field")


@pytest.mark.parametrize("email", ["user1", "@example.com", "user1@", "a b@example.com",
                                   "a\nb@example.com", "a" * 250 + "@example.com", 1, []])
def test_addresses_that_are_none(rest, email):
    assert_error(register(rest, email=email), 400, "invalid_field")


@pytest.mark.parametrize("password", ["", "x" * 1025, 1, None, ["0000"]])
def test_passwords_that_are_none(rest, password):
    assert_error(register(rest, password=password), 400, "invalid_field")


@pytest.mark.parametrize("password", ["0", "0000", "x" * 1024, "ж" * 512, " a b ", "\u0000\n\""])
def test_passwords_that_are_fine(rest, password):
    assert register(rest, password=password).status_code == 201
    assert can_log_in(rest, username="user1", password=password)
    assert not can_log_in(rest, username="user1", password=password[:-1] + "y")


def test_a_password_is_compared_to_its_end(rest):
    """Neither cut at a NUL nor at any length."""
    assert register(rest, password="a\u0000b" + "x" * 500).status_code == 201
    for wrong in ("a", "a\u0000", "a\u0000c" + "x" * 500, "a\u0000b" + "x" * 499,
                  "a\u0000b" + "x" * 501):
        assert not can_log_in(rest, username="user1", password=wrong)


def test_the_shortest_password_is_a_setting(new_server):
    rest = Rest(new_server(password_min=8))
    assert_error(register(rest, password="1234567"), 400, "invalid_field")
    assert register(rest, password="12345678").status_code == 201


@pytest.mark.parametrize("field", ["username", "password"])
def test_a_missing_field(rest, field):
    body = {name: value for name, value in USER1.items() if name != field}
    assert_error(rest.call("POST", "/users", body), 400, "invalid_field")
    assert register(rest).status_code == 201


def test_unknown_fields_are_ignored(rest):
    assert register(rest, id="x", role="admin", more={"a": [1, None]}).status_code == 201


@pytest.mark.parametrize("text", [
    b"", b" ", b"{", b"}", b"{}x", b"{'a':1}", b'{"a":1,}', b'{"a" 1}', b'{"a":01}', b'{"a":.5}',
    b'{"a":NaN}', b'{"a":"\x01"}', b'{"a":"\xff"}', b'{"a":"\xc0\x80"}', b'{"a":"\\ud800"}',
    b'{"a":"\\x"}', b'{"a":1,"a":2}', b'\xef\xbb\xbf{}', b"[" * 33 + b"]" * 33,
    b'{"a":' * 40 + b"1" + b"}" * 40, b"[" * 200_000, b"// c\n{}", b"{}\x00",
])
def test_bodies_that_are_not_json(rest, text):
    answer = rest.http.post(rest.server.http("/users"), data=text,
                            headers={"content-type": "application/json"})
    assert_error(answer, 400, "invalid_json")


@pytest.mark.parametrize("text", ["[]", "1", "null", '"user1"', "[{}]", "{}"])
def test_bodies_that_are_json_but_no_account(rest, text):
    answer = rest.http.post(rest.server.http("/users"), data=text,
                            headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid_field", "invalid_json")


def test_one_of_many_at_once_gets_the_name(rest, server):
    def one(number):
        client = Rest(server)
        try:
            return register(client, email=f"user{number}@example.com")
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 15
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"username_taken"}


def test_registering_has_a_rate(new_server):
    rest = Rest(new_server(register_rate=3))
    for i in range(3):
        assert register(rest, username=f"u{i}", email=f"u{i}@example.com").status_code == 201
    answer = register(rest, username="u3", email="u3@example.com")
    assert_error(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert not can_log_in(rest, username="u3", password="0000")


def test_more_password_work_than_the_queue_takes(new_server):
    """Forty registrations at once for one worker and one place to wait: each is answered, and what
    was not taken was not done."""
    server = new_server(password_cost="high", password_threads=1, password_queue=1)

    def one(number):
        client = Rest(server)
        try:
            return number, register(client, username=f"u{number}", email=f"u{number}@example.com")
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(one, range(40)))
    busy = [(number, answer) for number, answer in answers if answer.status_code == 503]
    assert busy and len(busy) < 40
    for _, answer in busy:
        assert_error(answer, 503, "busy")
        assert int(answer.headers["retry-after"]) >= 1
    assert all(a.status_code in (201, 503) for _, a in answers)
    rest = Rest(server)
    number, _ = busy[0]
    assert register(rest, username=f"u{number}", email=f"u{number}@example.com").status_code == 201
