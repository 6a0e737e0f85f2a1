"""Another text for a message, its deletion, reactions to it; and what a client holds that was away."""
import collections
import json
import random
from urllib.parse import quote

import pytest

from kit.checks import NOBODY, is_now_ms
from kit.people import Rest, User, assert_error
from kit.socket import (DELETE, REACT, READ, SEND, T_ERASED, T_MESSAGE, T_REACTED, T_SENT,
                        T_UPDATED, UPDATE)

THUMB = "\U0001f44d\U0001f3fd"


@pytest.fixture(name="three")
def make_three(people):
    users = people(count=3)
    return *users, users[0].group(*users[1:])


def get(user, message):
    return user.ok(200, "GET", f"/messages/{message}")


def history(user, group):
    return user.ok(200, "GET", f"/groups/{group}/messages?limit=200")["messages"]


def test_an_edit(three):
    """Everybody is told, over either way; the text is the new one everywhere."""
    user1, user2, user3, group = three
    author, other, reader = user1.connect(), user1.connect(), user2.connect()
    sent = author.ok(SEND, {"group_id": group, "data": "first", "client_id": "c"})
    for socket in (author, other, reader):
        socket.fence()
    author.ok(UPDATE, {"message_id": sent["message_id"], "data": "second é"})
    body = {"message_id": sent["message_id"], "group_id": group, "user_id": user1.id, "seq": 1,
            "data": "second é", "version": 1}
    events = [socket.expect(T_UPDATED) for socket in (author, other, reader)]
    assert len({event.raw for event in events}) == 1
    edited_at = events[0].body.pop("edited_at")
    assert events[0].body == body and is_now_ms(edited_at)
    assert user1.ok(200, "PATCH", f"/messages/{sent['message_id']}", {"data": "third"}) == {}
    assert reader.expect(T_UPDATED).body["version"] == 2
    shown = get(user3, sent["message_id"])
    assert (shown["data"], shown["version"], shown["reactions"]) == ("third", 2, [])
    assert shown["edited_at"] >= edited_at and shown["timestamp"] == sent["timestamp"]
    # The same text again is no change, and a repeat of the send is one.
    author.fence()
    user1.ok(200, "PATCH", f"/messages/{sent['message_id']}", {"data": "third"})
    again = author.ok(SEND, {"group_id": group, "data": "first", "client_id": "c"})
    assert again["message_id"] == sent["message_id"] and again["duplicate"]
    assert [event.type for event in author.fence()] == [T_SENT]
    # Whoever was away gets the text of now, and the edit.
    events = user3.connect().catch_up(0)
    told = [(e.type, e.body["data"], e.body["version"]) for e in events
            if e.type in (T_MESSAGE, T_UPDATED)]
    assert told == [(T_MESSAGE, "third", 2), (T_UPDATED, "third", 2)]


def test_a_deletion(three):
    user1, user2, _, group = three
    author, reader = user1.connect(), user2.connect()
    sent = [author.ok(SEND, {"group_id": group, "data": f"text {n}"}) for n in range(3)]
    ids = [answer["message_id"] for answer in sent]
    user2.ok(200, "PUT", f"/messages/{ids[1]}/reactions", {"emoji": THUMB})
    assert user2.ok(200, "GET", f"/groups/{group}")["unread"] == 3
    reader.fence()
    author.ok(DELETE, {"message_id": ids[1]})
    event = reader.expect(T_ERASED)
    assert event.body == {"message_id": ids[1], "group_id": group, "user_id": user1.id, "seq": 2}
    assert user2.ok(200, "GET", f"/groups/{group}")["unread"] == 2
    shown = get(user2, ids[1])
    assert (shown["data"], shown["deleted"], shown["seq"]) == ("", True, 2)
    assert "reactions" not in shown and "text 1" not in json.dumps(history(user2, group))
    assert [m["seq"] for m in history(user2, group)] == [1, 2, 3]
    # Again is no change; nothing else can be done to it.
    assert user1.ok(200, "DELETE", f"/messages/{ids[1]}") == {}
    reader.silent()
    for method, path, body in (("PATCH", "", {"data": "x"}),
                               ("PUT", "/reactions", {"emoji": "x"}),
                               ("DELETE", "/reactions?emoji=x", None)):
        assert_error(user1.call(method, f"/messages/{ids[1]}{path}", body), 410,
                     "message_deleted")
    author.refused(UPDATE, {"message_id": ids[1], "data": "x"}, 410, "message_deleted")
    # Only the author, the owner and admins may.
    other = user2.connect()
    mine = other.ok(SEND, {"group_id": group, "data": "mine"})["message_id"]
    assert_error(user2.call("DELETE", f"/messages/{ids[0]}"), 403, "forbidden")
    user1.ok(200, "DELETE", f"/messages/{mine}")
    assert get(user2, mine)["deleted"]
    last = user2.ok(200, "GET", "/sync")["groups"][0]["last_message"]
    assert last["message_id"] == mine and last["deleted"]


def test_reactions(three):
    user1, user2, user3, group = three
    socket, reader = user1.connect(), user2.connect()
    message = socket.ok(SEND, {"group_id": group, "data": "x"})["message_id"]
    reader.fence()
    socket.ok(REACT, {"message_id": message, "emoji": THUMB})
    event = reader.expect(T_REACTED)
    assert event.body == {"message_id": message, "group_id": group, "user_id": user1.id, "seq": 1,
                          "emoji": THUMB, "removed": False, "count": 1}
    user2.ok(200, "PUT", f"/messages/{message}/reactions", {"emoji": THUMB})
    user2.ok(200, "PUT", f"/messages/{message}/reactions", {"emoji": THUMB})
    assert [e.body["count"] for e in reader.fence()] == [2]
    socket.ok(REACT, {"message_id": message, "emoji": "+1"})
    assert get(user2, message)["reactions"] == [{"emoji": THUMB, "count": 2, "mine": True},
                                                {"emoji": "+1", "count": 1, "mine": False}]
    assert [r["mine"] for r in get(user3, message)["reactions"]] == [False, False]
    socket.ok(REACT, {"message_id": message, "emoji": THUMB, "remove": True})
    user2.ok(200, "DELETE", f"/messages/{message}/reactions?emoji={quote(THUMB)}")
    events = reader.fence()
    assert [(e.body["removed"], e.body["count"]) for e in events] == [
        (False, 1), (True, 1), (True, 0)]
    assert get(user2, message)["reactions"] == [{"emoji": "+1", "count": 1, "mine": False}]
    assert "version" not in get(user2, message)
    # Who was away hears of those that are there and of those that were taken back.
    told = [e.body for e in user3.connect().catch_up(0) if e.type == T_REACTED]
    assert [(e["emoji"], e["removed"], e["count"]) for e in told] == [
        ("+1", False, 1), (THUMB, True, 0), (THUMB, True, 0)]


@pytest.mark.parametrize("emoji", ["", " ", "a b", "x" * 33, "\n", "\u0085", 5, None])
def test_emojis_that_are_refused(three, emoji):
    user1, *_, group = three
    socket = user1.connect()
    message = socket.ok(SEND, {"group_id": group, "data": "x"})["message_id"]
    answer = user1.call("PUT", f"/messages/{message}/reactions", {"emoji": emoji})
    assert_error(answer, 400, "invalid_field")
    socket.refused(REACT, {"message_id": message, "emoji": emoji}, 400, "invalid_field")
    socket.refused(REACT, {"message_id": message, "emoji": "+", "remove": "yes"}, 400,
                   "invalid_field")
    assert_error(user1.call("DELETE", f"/messages/{message}/reactions"), 400, "invalid_field")


def test_so_many_reactions_and_no_more(new_server):
    rest = Rest(new_server(user_reactions_max=2, message_reactions_max=4, message_emojis_max=3))
    user1, user2 = User(rest), User(rest)
    group = user1.group(user2)
    message = user1.ok(201, "POST", f"/groups/{group}/messages", {"data": "x"})["message_id"]

    def react(user, emoji):
        return user.call("PUT", f"/messages/{message}/reactions", {"emoji": emoji})

    for user, emoji in ((user1, "a"), (user1, "b"), (user2, "c")):
        assert react(user, emoji).status_code == 200
    assert_error(react(user1, "c"), 409, "too_many_reactions")
    assert_error(react(user2, "d"), 409, "too_many_reactions")
    assert react(user2, "a").status_code == 200
    user2.ok(200, "DELETE", f"/messages/{message}/reactions?emoji=a")
    assert_error(react(user2, "b"), 409, "too_many_reactions")
    assert react(user2, "a").status_code == 200


def test_nobody_amends_what_they_may_not_see(people):
    owner, former, late, stranger = people(count=4)
    group = owner.group(former)
    message = owner.ok(201, "POST", f"/groups/{group}/messages", {"data": "x"})["message_id"]
    former.leaves(group)
    owner.joins(group, late)
    socket = late.connect()
    for user, status, code in ((stranger, 404, "message_not_found"),
                               (late, 404, "message_not_found"), (former, 403, "not_a_member")):
        for method, path, body in (("PATCH", "", {"data": "y"}), ("DELETE", "", None),
                                   ("PUT", "/reactions", {"emoji": "y"}),
                                   ("DELETE", "/reactions?emoji=y", None)):
            assert_error(user.call(method, f"/messages/{message}{path}", body), status, code)
    # And what is done to it is not told to who came later.
    owner.ok(200, "PATCH", f"/messages/{message}", {"data": "a secret of before"})
    owner.ok(200, "PUT", f"/messages/{message}/reactions", {"emoji": "y"})
    socket.silent()
    assert [e for e in late.connect().catch_up(0) if e.type in (T_UPDATED, T_REACTED)] == []
    assert_error(owner.call("PATCH", f"/messages/{NOBODY}", {"data": "y"}), 404,
                 "message_not_found")
    assert_error(owner.call("PATCH", f"/messages/{message}", {}), 400, "invalid_field")


# ---- what a client holds that resumes ------------------------------------------------------------

class Client:
    """Somebody's state, made of events alone."""

    def __init__(self, user):
        self.user, self.cursor = user, 0
        self.messages = {}
        self.counts = collections.defaultdict(dict)

    def fold(self, event):
        body = event.body
        if event.type in (T_MESSAGE, T_UPDATED):
            shown = self.messages.setdefault(body["message_id"], {})
            shown.update(data=body["data"], version=body.get("version", 0),
                         deleted=body.get("deleted", False))
        elif event.type == T_ERASED:
            self.messages[body["message_id"]] = {"data": "", "version": 0, "deleted": True}
            self.counts.pop(body["message_id"], None)
        elif event.type == T_REACTED:
            self.counts[body["message_id"]][body["emoji"]] = body["count"]

    def resume(self):
        socket = self.user.device().connect()
        for event in socket.catch_up(self.cursor):
            self.fold(event)
            self.cursor = event["cursor"]
        socket.close()

    def holds(self):
        return {message: {**shown, "counts": {emoji: count for emoji, count
                                              in self.counts[message].items() if count > 0}}
                for message, shown in self.messages.items()}

    def shown(self, groups):
        return {m["message_id"]: {"data": m["data"], "version": m.get("version", 0),
                                  "deleted": m.get("deleted", False),
                                  "counts": {r["emoji"]: r["count"]
                                             for r in m.get("reactions", [])}}
                for group in groups for m in history(self.user, group)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whoever_resumes_holds_what_history_shows(new_server, seed):
    rest = Rest(new_server(send_rate=0, user_rate=0, address_rate=0, rpc_rate=0))
    users, moves = [User(rest) for _ in range(3)], random.Random(seed)
    groups = [users[0].group(*users[1:]), users[1].group(users[2], users[0])]
    sockets = [user.connect() for user in users]
    clients = [Client(user) for user in users]
    sent = []
    for step in range(250):
        who = moves.randrange(3)
        if not sent or moves.random() < 0.2:
            body = {"group_id": moves.choice(groups), "data": f"text {step}"}
            sent.append((who, sockets[who].ok(SEND, body)["message_id"]))
        author, message = moves.choice(sent)
        kind = moves.random()
        if kind < 0.35:
            sockets[author].call(UPDATE, {"message_id": message, "data": f"edit {step}"})
        elif kind < 0.4:
            sockets[author].call(DELETE, {"message_id": message})
        elif kind < 0.8:
            sockets[who].call(REACT, {"message_id": message, "emoji": moves.choice("abc"),
                                      "remove": moves.random() < 0.4})
        elif kind < 0.85:
            sockets[who].call(READ, {"message_id": message})
        if moves.random() < 0.2:
            client = moves.choice(clients)
            client.resume()
            assert client.holds() == client.shown(groups)
    for client in clients:
        client.resume()
        assert client.holds() == client.shown(groups)
        for group in groups:
            marks = client.user.ok(200, "GET", f"/groups/{group}")
            unread = [m for m in history(client.user, group) if m["seq"] > marks["read_seq"]
                      and m["user_id"] != client.user.id and not m.get("deleted")]
            assert marks["unread"] == len(unread)
