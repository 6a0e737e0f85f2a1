"""Blocks: from whom one wants to hear nothing, and what they still may do."""
import pytest

from kit.checks import NOBODY
from kit.people import Rest, User, assert_error
from kit.socket import REACT, SEND, UPDATE


@pytest.fixture(name="pair")
def make_pair(shared_rest):
    return User(shared_rest), User(shared_rest)


def block(user, other, method="PUT"):
    assert user.ok(200, method, f"/users/me/blocks/{other.id}") == {}


def blocked(user):
    return user.ok(200, "GET", "/users/me/blocks")["user_ids"]


def direct(user, other):
    return user.call("POST", "/groups", {"kind": "direct", "user_ids": [other.id]})


def test_the_list(shared_rest, pair):
    anna, bert = pair
    others = [User(shared_rest) for _ in range(3)]
    assert blocked(anna) == []
    for other in (others[2], bert, others[0], bert):
        block(anna, other)
    assert sorted(blocked(anna)) == sorted([bert.id, others[0].id, others[2].id])
    assert blocked(bert) == []
    for _ in range(2):
        block(anna, others[2], "DELETE")
    block(anna, others[1], "DELETE")
    assert sorted(blocked(anna)) == sorted([bert.id, others[0].id])


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_whom_one_cannot_block(pair, method):
    anna, _ = pair
    assert_error(anna.call(method, f"/users/me/blocks/{NOBODY}"), 404, "user_not_found")
    assert_error(anna.call(method, "/users/me/blocks/x"), 404, "not_found")
    assert_error(anna.call(method, f"/users/me/blocks/{anna.id}"), 400, "invalid_field")


def test_a_direct_group(pair):
    anna, bert = pair
    group = direct(bert, anna).json()["id"]
    said = bert.ok(201, "POST", f"/groups/{group}/messages", {"data": "before"})["message_id"]
    phone, watcher = bert.connect(), anna.connect()
    block(anna, bert)
    assert_error(bert.call("POST", f"/groups/{group}/messages", {"data": "x"}), 403, "blocked")
    assert_error(bert.call("PATCH", f"/messages/{said}", {"data": "x"}), 403, "blocked")
    assert_error(bert.call("PUT", f"/messages/{said}/reactions", {"emoji": "+"}), 403, "blocked")
    assert_error(direct(bert, anna), 403, "blocked")
    phone.refused(SEND, {"group_id": group, "data": "x"}, 403, "blocked")
    phone.refused(UPDATE, {"message_id": said, "data": "x"}, 403, "blocked")
    phone.refused(REACT, {"message_id": said, "emoji": "+"}, 403, "blocked")
    watcher.silent()
    # One who blocks may write all the same, and the other may take back what they said.
    anna.ok(201, "POST", f"/groups/{group}/messages", {"data": "goodbye"})
    assert direct(anna, bert).status_code == 200
    bert.ok(200, "DELETE", f"/messages/{said}")
    block(anna, bert, "DELETE")
    phone.ok(SEND, {"group_id": group, "data": "x"})


def test_who_was_blocked_before_the_first_word(pair):
    anna, bert = pair
    block(anna, bert)
    assert_error(direct(bert, anna), 403, "blocked")
    group = anna.group(bert)
    bert.ok(201, "POST", f"/groups/{group}/messages", {"data": "to all"})


def test_the_limit(new_server):
    server = new_server(user_blocks_max=2)
    rest = Rest(server)
    anna, *others = [User(rest) for _ in range(4)]
    for other in others[:2]:
        block(anna, other)
    assert_error(anna.call("PUT", f"/users/me/blocks/{others[2].id}"), 409, "too_many_blocks")
    server.restart(9)
    assert sorted(blocked(anna)) == sorted(other.id for other in others[:2])
    others[0].ok(200, "DELETE", "/users/me", {"current_password": others[0].password})
    assert blocked(anna) == [others[1].id]
    block(anna, others[2])
    rest.close()
