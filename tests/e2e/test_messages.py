"""Sending, receipts and typing, live."""
import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kit.checks import is_now_ms, is_uuid
from kit.people import Rest, User
from kit.socket import (DELIVERED, READ, SEND, T_DELIVERED, T_GROUP, T_MESSAGE, T_READ, T_REPLY,
                        T_SENT, T_TYPING, T_TYPING_ENDS, T_UNREAD, TYPING, TYPING_ENDS)


@pytest.fixture
def trio(people):
    """Three users in one group, and a stranger."""
    users = people(count=4)
    return users, users[0].group(users[1], users[2])


def test_a_message_goes_to_every_other_socket_of_every_member(trio):
    (user1, user2, user3, stranger), group = trio
    sender, second_device = user1.connect(), user1.connect()
    others = [second_device, user2.connect(), user2.connect(), user3.connect()]
    outside = stranger.connect()
    sender.rpc(SEND, {"group_id": group, "data": "Hello, how are you?"})

    sent = sender.expect(T_SENT, group_id=group, seq=1)
    assert is_uuid(sent.body["message_id"]) and is_now_ms(sent["timestamp"])
    assert set(sent) == {"type", "timestamp", "cursor", "body"}
    events = [socket.expect(T_MESSAGE, group_id=group, user_id=user1.id, seq=1,
                            message_id=sent.body["message_id"], data="Hello, how are you?")
              for socket in others]
    assert len({event.raw for event in events}) == 1
    assert events[0]["timestamp"] == sent["timestamp"]
    assert events[0].cursor == sent.cursor
    assert set(events[0]) == {"type", "timestamp", "cursor", "body"}
    for socket in [sender, outside] + others:
        socket.silent()


def test_two_sockets_on_one_url_are_two_sockets(trio):
    (user1, user2, _, _), group = trio
    device = user1.device()
    app, debugger, other = device.connect(), device.connect(), user2.connect()
    app.send_message(group, "hello")
    debugger.expect(T_MESSAGE, data="hello")
    other.expect(T_MESSAGE, data="hello")
    app.silent()


def test_a_reply_comes_after_its_event(trio):
    (user1, _, _, _), group = trio
    socket = user1.connect()
    for ident in ("x", 7, -1, 2 ** 53 - 1, "ж" * 20, ""):
        socket.rpc(SEND, {"group_id": group, "data": "hello"}, id=ident)
        sent = socket.expect(T_SENT)
        reply = socket.expect(T_REPLY, ok=True)
        assert reply["id"] == ident and type(reply["id"]) is type(ident)
        assert reply.body == {"ok": True, "message_id": sent.body["message_id"],
                              "group_id": group, "seq": sent.body["seq"],
                              "timestamp": sent["timestamp"], "cursor": sent.cursor}


@pytest.mark.parametrize("ident", [True, 1.5, [], {}])
def test_ids_that_are_none(trio, ident):
    (user1, _, _, _), group = trio
    socket = user1.connect()
    socket.rpc(SEND, {"group_id": group, "data": "hello"}, id=ident)
    error = socket.expect(T_REPLY, ok=False, status=400, code="invalid_field")
    assert "id" not in error
    socket.silent()


@pytest.mark.parametrize("body", [
    {}, {"data": None}, {"data": 1}, {"data": ["x"]}, {"data": {"x": 1}},
    {"data": "x", "group_id": None}, {"data": "x", "group_id": "x"}, {"data": "x", "group_id": 1},
    {"data": "x", "client_id": 1}, {"data": "x", "client_id": "x" * 65},
    {"data": "x", "client_id": ""},
])
def test_sends_that_are_not_valid(trio, body):
    (user1, user2, _, _), group = trio
    socket, other = user1.connect(), user2.connect()
    socket.refused(SEND, {"group_id": group, **body}, 400, "invalid_field")
    socket.silent()
    other.silent()


@pytest.mark.parametrize("text, code", [
    ("", "invalid_json"), ("x", "invalid_json"), ("{", "invalid_json"),
    ('{"a":1}}', "invalid_json"),
    ("[]", None), ("1", None), ("null", None), ("{}", None), ('{"method":"40"}', None),
    ('{"method":40}', None), ('{"method":40,"body":[]}', None), ('{"method":40,"body":null}', None),
    ('{"method":1.5}', None), ('{"method":99}', "unknown_method"),
    ('{"method":-1}', "unknown_method"), ('{"method":70,"body":{}}', "unknown_method"),
    ("[" * 5000, "invalid_json"),
])
def test_no_rpc_is_dropped_in_silence(people, text, code):
    user1, = people(count=1)
    socket = user1.connect()
    socket.send_text(text)
    error = socket.expect(T_REPLY, ok=False, status=400)
    assert error.body["code"] == code or code is None
    assert error.body["error"] and "id" not in error
    socket.silent()


def test_an_error_says_to_what(people):
    user1, = people(count=1)
    socket = user1.connect()
    socket.send_text('{"method":99,"id":"x","body":{}}')
    error = socket.expect(T_REPLY, ok=False, method=99, status=400, code="unknown_method")
    assert error["id"] == "x" and is_now_ms(error["timestamp"])


def test_unknown_fields_are_ignored(trio):
    (user1, user2, _, _), group = trio
    socket, other = user1.connect(), user2.connect()
    socket.send_text(json.dumps({"method": SEND, "x": [1], "timestamp": 5,
                                 "body": {"group_id": group, "data": "x", "more": {"a": None}}}))
    socket.expect(T_SENT)
    assert "more" not in other.expect(T_MESSAGE, data="x").body


@pytest.mark.parametrize("data", [
    "", " ", "\n\t\r", "\"quoted\" \\ / \\u0041", "\u0000", "a\u0000b", "\u001f\u007f\u0080",
    "\u2028\u2029", "\ufeff", "\ufffe\uffff", "👩‍👩‍👧‍👦", "\U0010ffff", "Ａé\u0301", "</script>",
    "x" * 70_000,
])
def test_data_comes_back_as_it_was(trio, data):
    (user1, user2, _, _), group = trio
    socket, other = user1.connect(), user2.connect()
    socket.send_message(group, data)
    assert other.expect(T_MESSAGE).body["data"] == data
    assert user2.connect().everything()[-1].body["data"] == data


def test_any_text_comes_back_as_it_was(trio):
    (user1, user2, _, _), group = trio
    socket, other = user1.connect(), user2.connect()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))
    @given(st.text(max_size=200), st.booleans())
    def check(data, ascii_only):
        socket.send_text(json.dumps({"method": SEND, "body": {"group_id": group, "data": data}},
                                    ensure_ascii=ascii_only))
        socket.expect(T_SENT)
        assert other.expect(T_MESSAGE).body["data"] == data

    check()


def test_a_message_as_large_as_may_be(trio):
    (user1, user2, _, _), group = trio
    socket, other = user1.connect(), user2.connect()
    frame = len(json.dumps({"method": SEND, "body": {"group_id": group, "data": ""}}))
    data = "x" * (1024 * 1024 - frame)
    socket.send_message(group, data)
    assert other.expect(T_MESSAGE).body["data"] == data

    socket.rpc(SEND, {"group_id": group, "data": data + "x"})
    assert socket.expect_close(1009) == []
    other.silent()


def test_data_that_grows_when_it_is_escaped(trio):
    """A control character is one byte in memory and six on the wire: what fits coming in must come
    out again."""
    (user1, user2, _, _), group = trio
    socket, other = user1.connect(), user2.connect()
    data = "\u007f\u0001" * 80_000
    socket.send_message(group, data)
    assert other.expect(T_MESSAGE).body["data"] == data


def test_sending_has_a_rate(new_server):
    rest = Rest(new_server(send_rate=1, send_burst=5))
    user1, user2 = User(rest), User(rest)
    group = user1.group(user2)
    socket, second, other = user1.connect(), user1.connect(), user2.connect()
    for i in range(5):
        socket.send_message(group, str(i))
    second.take(5)
    other.take(5)
    replies = [socket.call(SEND, {"group_id": group, "data": "more"}) for _ in range(10)]
    limited = [reply for reply in replies if not reply["ok"]]
    assert len(limited) >= 5
    for reply in limited:
        assert (reply["status"], reply["code"]) == (429, "too_many_requests")
        assert reply["retry_after"] >= 1
    taken = len(replies) - len(limited)
    assert len([e for e in other.fence() if e.type == T_MESSAGE]) == taken
    # It is the user who is limited, not the socket; others go on.
    assert len([r for r in [second.call(SEND, {"group_id": group, "data": "x"})
                            for _ in range(10)] if not r["ok"]]) >= 5
    other.fence()
    other.send_message(group, "mine")


# ---- receipts -----------------------------------------------------------------------------------


def test_delivered_and_read_are_told_to_the_author_and_the_readers_devices(trio):
    (user1, user2, user3, _), group = trio
    authors = [user1.connect(), user1.connect()]
    reader, reader_second, third = user2.connect(), user2.connect(), user3.connect()
    message = authors[0].send_message(group, "hello").body["message_id"]
    for socket in (authors[1], reader, reader_second, third):
        socket.expect(T_MESSAGE)

    for method, kind in ((DELIVERED, T_DELIVERED), (READ, T_READ)):
        reader.rpc(method, {"message_id": message})
        events = [socket.expect(kind, message_id=message, group_id=group, user_id=user2.id, seq=1)
                  for socket in authors + [reader_second]]
        assert len({event.raw for event in events}) == 1
        assert is_now_ms(events[0]["timestamp"]) and events[0].cursor
        if kind == T_READ:
            reader_second.expect(T_UNREAD, group_id=group, read_seq=1, unread=0)
        reader.silent()
        third.silent()
    for socket in authors + [reader_second]:
        socket.silent()


def test_read_implies_delivered(trio):
    (user1, user2, _, _), group = trio
    author, reader = user1.connect(), user2.connect()
    message = author.send_message(group, "hello").body["message_id"]
    reader.ok(READ, {"message_id": message})
    author.expect(T_READ, message_id=message)
    author.silent()
    cursor = author.info()["cursor"]
    reader.ok(DELIVERED, {"message_id": message})
    author.expect(T_DELIVERED, message_id=message)
    assert author.info()["cursor"] == cursor


def test_acknowledging_a_message_acknowledges_all_before_it(trio):
    (user1, user2, user3, _), group = trio
    one, two, reader = user1.connect(), user2.connect(), user3.connect()
    mine = [one.send_message(group, f"mine {i}").body["message_id"] for i in range(3)]
    two.take(3)
    theirs = [two.send_message(group, f"theirs {i}").body["message_id"] for i in range(2)]
    one.take(2)
    last = one.send_message(group, "last").body["message_id"]
    two.recv()
    reader.take(6)

    reader.ok(DELIVERED, {"message_id": theirs[0]})
    one.expect(T_DELIVERED, message_id=mine[2], seq=3, user_id=user3.id)
    two.expect(T_DELIVERED, message_id=theirs[0], seq=4, user_id=user3.id)
    # A message below the mark tells its author once more and changes nothing.
    cursor = one.info()["cursor"]
    reader.ok(DELIVERED, {"message_id": mine[0]})
    one.expect(T_DELIVERED, message_id=mine[0], seq=1, user_id=user3.id)
    two.silent()
    assert one.info()["cursor"] == cursor

    reader.ok(READ, {"group_id": group, "seq": 6})
    one.expect(T_READ, message_id=last, seq=6)
    two.expect(T_READ, message_id=theirs[1], seq=5)
    for socket in (one, two, reader):
        socket.silent()


@pytest.mark.parametrize("body", [{}, {"message_id": 1}, {"message_id": "x"}, {"message_id": None},
                                  {"seq": 1}, {"group": True}, {"group": True, "seq": "1"},
                                  {"group": True, "seq": 1.5}])
def test_acknowledgements_that_are_not_valid(trio, body):
    (user1, user2, _, _), group = trio
    author, reader = user1.connect(), user2.connect()
    author.send_message(group, "hello")
    if body.pop("group", False):
        body["group_id"] = group
    for method in (DELIVERED, READ):
        reader.fence()
        reader.refused(method, body, 400, "invalid_field")
    author.silent()


@pytest.mark.parametrize("seq", [0, -1, 2, 2 ** 31, 2 ** 32 + 1, 2 ** 62])
def test_places_where_there_is_no_message(trio, seq):
    (user1, user2, _, _), group = trio
    author, reader = user1.connect(), user2.connect()
    author.send_message(group, "hello")
    for method in (DELIVERED, READ):
        reply = reader.call(method, {"group_id": group, "seq": seq})
        assert reply["ok"] is False and reply["status"] in (400, 404), reply
    author.silent()


# ---- typing -------------------------------------------------------------------------------------


def test_typing_is_told_to_the_other_members(trio):
    (user1, user2, user3, stranger), group = trio
    typist, own_second = user2.connect(), user2.connect()
    others = [user1.connect(), user1.connect(), user3.connect()]
    outside = stranger.connect()
    for method, kind in ((TYPING, T_TYPING), (TYPING_ENDS, T_TYPING_ENDS)):
        typist.ok(method, {"group_id": group})
        for socket in others:
            event = socket.expect(kind, group_id=group, user_id=user2.id)
            assert is_now_ms(event["timestamp"])
            assert "cursor" not in event
    for socket in [typist, own_second, outside] + others:
        socket.silent()


def test_typing_is_never_stored(trio):
    (user1, user2, _, _), group = trio
    typist, other = user2.connect(), user1.connect()
    cursor = typist.info()["cursor"]
    typist.ok(TYPING, {"group_id": group})
    typist.ok(TYPING_ENDS, {"group_id": group})
    assert typist.info()["cursor"] == cursor
    assert [e.type for e in other.fence()] == [T_TYPING, T_TYPING_ENDS]
    assert [e.type for e in user1.connect().everything()] == [T_GROUP]


@pytest.mark.parametrize("body", [{}, {"group_id": 1}, {"group_id": "x"}, {"group_id": None}])
def test_typing_that_is_not_valid(people, body):
    user1, = people(count=1)
    socket = user1.connect()
    for method in (TYPING, TYPING_ENDS):
        socket.refused(method, body, 400, "invalid_field")
