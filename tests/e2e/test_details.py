"""What a message says beside its text: a reply, mentions, the app's own JSON."""
import json

import pytest

from kit.checks import NOBODY
from kit.people import Rest, User, assert_error
from kit.socket import DELETE, READ, SEND, T_MESSAGE, UPDATE


@pytest.fixture(name="three")
def make_three(people):
    users = people(count=3)
    return *users, users[0].group(*users[1:])


def post(user, group, **body):
    return user.ok(201, "POST", f"/groups/{group}/messages", {"data": "x", **body})["message_id"]


def entry(user, group):
    return user.ok(200, "GET", f"/groups/{group}")


def details(shown):
    return {key: shown[key] for key in ("reply_to", "mentions", "meta") if key in shown}


@pytest.mark.parametrize("over", ["rpc", "rest"])
def test_it_is_handed_on(three, over):
    """Live, on catch-up, in history, alone and as the last message, and through an edit."""
    user1, user2, user3, group = three
    reader = user2.connect()
    first = post(user1, group)
    assert details(reader.expect(T_MESSAGE, message_id=first).body) == {}
    said = {"reply_to": first, "mentions": [user3.id, user2.id],
            "meta": {"kind": "é", "n": [1, {"deep": None}]}}
    body = {"group_id": group, "data": "look", **said}
    message = (user1.connect().ok(SEND, body)["message_id"] if over == "rpc" else
               post(user1, group, **{**body, "data": "look"}))
    live = reader.expect(T_MESSAGE, message_id=message)
    assert details(live.body) == said and live.body["data"] == "look"
    assert live.raw in [event.raw for event in user2.device().connect().catch_up(0)]
    path = f"/groups/{group}"
    page = user2.ok(200, "GET", f"{path}/messages")["messages"]
    assert [details(m) for m in page] == [{}, said]
    alone = user3.ok(200, "GET", f"/messages/{message}")
    assert details(alone) == said
    assert user2.ok(200, "GET", "/sync")["groups"][0]["last_message"] == page[1]
    user1.connect().ok(UPDATE, {"message_id": message, "data": "look again"})
    again = user3.ok(200, "GET", f"/messages/{message}")
    assert details(again) == said and again["data"] == "look again"
    user1.connect().ok(DELETE, {"message_id": message})
    assert details(user3.ok(200, "GET", f"/messages/{message}")) == {}


def test_meta_is_kept_byte_for_byte(three):
    user1, user2, _, group = three
    reader, author = user2.connect(), user1.connect()
    meta = '{ "b":1.50, "a" : "\\u00e9\\/", "big":123456789012345678901234567890 }'
    author.send_text(f'{{"method":40,"body":{{"group_id":"{group}","data":"x","meta":{meta}}}}}')
    assert meta in reader.expect(T_MESSAGE).raw
    largest = {"x": "y" * (4096 - len(json.dumps({"x": ""})))}
    post(user1, group, meta=largest)
    assert reader.expect(T_MESSAGE).body["meta"] == largest


@pytest.mark.parametrize("field,value", [
    ("meta", []), ("meta", "{}"), ("meta", 1), ("meta", {"x": "y" * 4096}),
    ("reply_to", "x"), ("reply_to", 1), ("reply_to", NOBODY), ("reply_to", "elsewhere"),
    ("reply_to", "before"),
    ("mentions", {}), ("mentions", "x"), ("mentions", [1]), ("mentions", ["x"]),
    ("mentions", [NOBODY]), ("mentions", ["stranger"]), ("mentions", ["self"] * 65),
])
def test_what_is_refused(people, field, value):
    owner, late, stranger = people(count=3)
    group, other = owner.group(), owner.group(late)
    names = {"elsewhere": post(owner, other), "before": post(owner, group),
             "stranger": stranger.id, "self": late.id}
    owner.joins(group, late)
    value = [names.get(item, item) for item in value] if isinstance(value, list) else value
    value = names.get(value, value) if isinstance(value, str) else value
    answer = late.call("POST", f"/groups/{group}/messages", {"data": "x", field: value})
    assert_error(answer, 400, "invalid_field")
    assert field in answer.json()["error"]
    late.connect().refused(SEND, {"group_id": group, "data": "x", field: value}, 400,
                           "invalid_field")
    assert entry(owner, group)["last_seq"] == 1


def test_nothing_said_is_nothing(three):
    """null and an empty list are as if they were not there; unknown fields too."""
    user1, user2, _, group = three
    message = post(user1, group, reply_to=None, mentions=[], meta=None, other=[1])
    assert details(user2.ok(200, "GET", f"/messages/{message}")) == {}
    message = post(user1, group, mentions=[user2.id, user2.id.upper(), user2.id], meta={})
    assert details(user2.ok(200, "GET", f"/messages/{message}")) == {
        "mentions": [user2.id], "meta": {}}


def test_a_repeat_says_the_same(three):
    user1, user2, user3, group = three
    first = post(user1, group)
    said = {"data": "x", "client_id": "c", "reply_to": first, "mentions": [user2.id, user3.id],
            "meta": {"a": 1}}
    path = f"/groups/{group}/messages"
    message = user1.ok(201, "POST", path, said)["message_id"]
    again = user1.ok(200, "POST", path, said)
    assert again["message_id"] == message and again["duplicate"]
    for change in ({"reply_to": message}, {"reply_to": None}, {"mentions": [user3.id, user2.id]},
                   {"mentions": []}, {"meta": {"a": 2}}, {"meta": None}):
        assert_error(user1.call("POST", path, {**said, **change}), 409, "client_id_reused")
    assert_error(user1.call("POST", path, {"data": "x", "client_id": "c"}), 409,
                 "client_id_reused")


def test_mentions_are_counted(three):
    """Those above the read mark: not one's own, not what was deleted."""
    user1, user2, user3, group = three
    ids = [post(user1, group, mentions=[user1.id, user2.id]) for _ in range(4)]
    post(user1, group)

    def counts(user):
        listed, = user.ok(200, "GET", "/groups")["groups"]
        synced, = user.ok(200, "GET", "/sync")["groups"]
        shown = entry(user, group)
        assert listed["mentions"] == synced["mentions"] == shown["mentions"]
        return shown["mentions"], shown["unread"]

    assert [counts(user) for user in (user1, user2, user3)] == [(0, 0), (4, 5), (0, 5)]
    user2.connect().ok(READ, {"message_id": ids[0]})
    assert counts(user2) == (3, 4)
    user1.ok(200, "DELETE", f"/messages/{ids[2]}")
    assert counts(user2) == (2, 3)
    user2.leaves(group)
    assert_error(user1.call("POST", f"/groups/{group}/messages",
                            {"data": "x", "mentions": [user2.id]}), 400, "invalid_field")
    user1.joins(group, user2)
    assert counts(user2) == (2, 3)
    user2.connect().ok(READ, {"message_id": ids[3]})
    assert counts(user2)[0] == 0


def test_the_settings(new_server):
    rest = Rest(new_server(mentions_max=1, meta_max=10))
    user1, user2 = User(rest), User(rest)
    group = user1.group(user2)
    post(user1, group, mentions=[user2.id], meta={"a": 12})
    for body in ({"mentions": [user1.id, user2.id]}, {"meta": {"a": 123456}}):
        assert_error(user1.call("POST", f"/groups/{group}/messages", {"data": "x", **body}), 400,
                     "invalid_field")
