"""History by numbers, one message by its id, and sending over REST."""
import random

import pytest

from kit.checks import NOBODY, is_now_ms, is_uuid
from kit.people import Rest, User, assert_error
from kit.socket import HISTORY, READ, SEND, T_MESSAGE


def post(user, group, data, **fields):
    return user.ok(201, "POST", f"/groups/{group}/messages", {"data": data, **fields})


def page(user, group, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return user.ok(200, "GET", f"/groups/{group}/messages" + (f"?{text}" if text else ""))


def numbers(answer):
    return [message["seq"] for message in answer["messages"]]


def test_a_message_over_rest_is_one_as_any_other(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    own, other = user1.connect(), user2.connect()
    sent = post(user1, group, "hello")
    assert set(sent) == {"message_id", "seq", "timestamp", "cursor"}
    assert is_uuid(sent["message_id"]) and sent["seq"] == 1 and is_now_ms(sent["timestamp"])
    for socket in (own, other):
        event = socket.expect(T_MESSAGE, message_id=sent["message_id"], group_id=group,
                              user_id=user1.id, seq=1, data="hello")
        assert (event.cursor, event["timestamp"]) == (sent["cursor"], sent["timestamp"])
    message = user2.ok(200, "GET", f"/messages/{sent['message_id']}")
    assert message == {"message_id": sent["message_id"], "group_id": group, "user_id": user1.id,
                       "seq": 1, "data": "hello", "timestamp": sent["timestamp"],
                       "cursor": sent["cursor"]}
    assert page(user2, group)["messages"] == [message]


def test_a_send_that_is_repeated_over_rest_happens_once(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    socket = user2.connect()
    path = f"/groups/{group}/messages"
    first = post(user1, group, "x", client_id="one")
    key = user1.rest.call("POST", path, {"data": "y"}, user1.token, {"idempotency-key": "two"})
    assert key.status_code == 201
    for again, before in (
            (user1.call("POST", path, {"data": "x", "client_id": "one"}), first),
            (user1.rest.call("POST", path, {"data": "x"}, user1.token,
                             {"idempotency-key": "one"}), first),
            (user1.rest.call("POST", path, {"data": "y"}, user1.token,
                             {"idempotency-key": "two"}), key.json())):
        assert again.status_code == 200
        assert again.json() == {**before, "duplicate": True}
    # Over the socket it is the same name.
    assert user1.connect().call(SEND, {"group_id": group, "data": "x", "client_id": "one"}) == {
        "ok": True, "message_id": first["message_id"], "group_id": group, "seq": 1,
        "client_id": "one", "duplicate": True, "timestamp": first["timestamp"],
        "cursor": first["cursor"]}
    assert_error(user1.call("POST", path, {"data": "z", "client_id": "one"}), 409,
                 "client_id_reused")
    assert [socket.expect(T_MESSAGE).body["data"] for _ in range(2)] == ["x", "y"]
    socket.silent()
    # The author sees the client_id again, nobody else does.
    assert [m.get("client_id") for m in page(user1, group)["messages"]] == ["one", "two"]
    assert [m.get("client_id") for m in page(user2, group)["messages"]] == [None, None]


@pytest.mark.parametrize("body, headers", [
    ({}, {}), ({"data": 1}, {}), ({"data": None}, {}), ({"data": "x", "client_id": ""}, {}),
    ({"data": "x", "client_id": "c" * 65}, {}), ({"data": "x", "client_id": 1}, {}),
    ({"data": "x"}, {"idempotency-key": ""}), ({"data": "x"}, {"idempotency-key": "k" * 65}),
])
def test_sends_over_rest_that_are_not_valid(people, body, headers):
    user1, = people(count=1)
    group = user1.group()
    answer = user1.rest.call("POST", f"/groups/{group}/messages", body, user1.token, headers)
    assert_error(answer, 400, "invalid_field")
    assert page(user1, group)["messages"] == []


def test_a_send_over_rest_counts_against_the_rate(new_server):
    user1 = User(Rest(new_server(send_rate=1, send_burst=2)))
    group = user1.group()
    post(user1, group, "1")
    post(user1, group, "2")
    answer = user1.call("POST", f"/groups/{group}/messages", {"data": "3"})
    assert_error(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1


def test_every_page(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    socket = user1.connect()
    for number in range(1, 120):
        socket.rpc(SEND, {"group_id": group, "data": str(number)})
    socket.ok(SEND, {"group_id": group, "data": "120"})
    everything = list(range(1, 121))
    newest = page(user2, group)
    assert numbers(newest) == everything[-50:]
    assert (newest["last_seq"], newest["more_before"], newest["more_after"]) == (120, True, False)
    assert [m["data"] for m in newest["messages"]] == [str(n) for n in everything[-50:]]
    reading = user2.connect()
    for query, wanted in (
            ({"limit": 200}, everything), ({"limit": 1}, [120]),
            ({"before_seq": 10, "limit": 4}, [6, 7, 8, 9]), ({"before_seq": 3}, [1, 2]),
            ({"before_seq": 1}, []), ({"before_seq": 0}, []),
            ({"before_seq": 4294967295, "limit": 2}, [119, 120]),
            ({"after_seq": 0, "limit": 3}, [1, 2, 3]), ({"after_seq": 118}, [119, 120]),
            ({"after_seq": 120}, []), ({"after_seq": 4294967295}, []),
            ({"around_seq": 60, "limit": 4}, [59, 60, 61, 62]),
            ({"around_seq": 60, "limit": 5}, [58, 59, 60, 61, 62]),
            ({"around_seq": 1, "limit": 4}, [1, 2, 3, 4]),
            ({"around_seq": 120, "limit": 4}, [119, 120]),
            ({"around_seq": 4294967295, "limit": 2}, [120])):
        answer = page(user2, group, **query)
        assert numbers(answer) == wanted, query
        if wanted:
            assert answer["more_before"] == (wanted[0] > 1), query
            assert answer["more_after"] == (wanted[-1] < 120), query
        assert reading.ok(HISTORY, {"group_id": group, **query}) == {"ok": True, **answer}


@pytest.mark.parametrize("query", [
    {"limit": 0}, {"limit": 201}, {"limit": "x"}, {"limit": ""}, {"limit": -1},
    {"before_seq": -1}, {"before_seq": "1x"}, {"after_seq": 4294967296}, {"around_seq": "0x1"},
    {"before_seq": 1, "after_seq": 1}, {"around_seq": 1, "before_seq": 1},
])
def test_pages_that_are_not_valid(people, query):
    user1, = people(count=1)
    group = user1.group()
    text = "&".join(f"{name}={value}" for name, value in query.items())
    assert_error(user1.call("GET", f"/groups/{group}/messages?{text}"), 400, "invalid_field")
    user1.connect().refused(HISTORY, {"group_id": group, **query}, 400, "invalid_field")


def test_only_the_times_of_membership(people):
    user1, user2 = people(count=2)
    group = user1.group()
    ids, seen = {}, []
    member = False
    moves = random.Random(5)
    for number in range(1, 61):
        ids[number] = post(user1, group, str(number))["message_id"]
        if member:
            seen.append(number)
        if moves.random() < 0.3:
            (user1.leaves if member else user1.joins)(group, user2)
            member = not member
    if not seen:
        raise AssertionError("the seed gives no time of membership")
    assert numbers(page(user2, group, limit=200)) == seen
    for number in range(0, 62):
        assert numbers(page(user2, group, after_seq=number, limit=200)) == [
            n for n in seen if n > number]
        assert numbers(page(user2, group, before_seq=number, limit=3)) == [
            n for n in seen if n < number][-3:]
    for number, ident in ids.items():
        answer = user2.call("GET", f"/messages/{ident}")
        if number in seen:
            assert answer.json()["seq"] == number
        else:
            assert_error(answer, 404, "message_not_found")
    assert_error(user1.call("GET", f"/messages/{NOBODY}"), 404, "message_not_found")


def test_a_page_of_large_messages_ends_early(people):
    user1, = people(count=1)
    group = user1.group()
    socket = user1.connect()
    text = "\U0001F600" * 75000  # 300 kB
    for _ in range(10):
        socket.ok(SEND, {"group_id": group, "data": text})
    newest = page(user1, group)
    assert numbers(newest) == [7, 8, 9, 10] and newest["more_before"]
    oldest = page(user1, group, after_seq=0)
    assert numbers(oldest) == [1, 2, 3, 4] and oldest["more_after"]
    assert oldest["messages"][0]["data"] == text


def test_history_is_the_same_after_a_restart(server, people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    for number in range(5):
        post(user1 if number % 2 else user2, group, f"text {number}", client_id=str(number))
    user2.connect().ok(READ, {"group_id": group, "seq": 3})
    paths = (f"/groups/{group}/messages", "/sync", "/groups", f"/groups/{group}",
             f"/groups/{group}/members", f"/groups/{group}/receipts", "/users/me")
    before = [user2.ok(200, "GET", path) for path in paths]
    server.restart()
    assert [user2.ok(200, "GET", path) for path in paths] == before
