"""GET /events: what happened after a cursor, and the wait for it."""
import json
import random
import signal
import time

import pytest

from kit import raw
from kit.checks import NOBODY
from kit.people import Rest, User, assert_error
from kit.server import PATIENCE
from kit.socket import (DELIVERED, READ, SEND, TYPING, T_DELIVERED, T_GROUP, T_JOINED, T_MESSAGE,
                        T_READ, T_SENT)
from kit.threads import Task

LONG = min(int(PATIENCE), 60)  # seconds that no test waits for


def poll(user, after=None, wait=0, **query):
    if after is not None:
        query["after"] = after
    text = "&".join(f"{name}={value}" for name, value in {**query, "wait": wait}.items())
    return user.ok(200, "GET", f"/events?{text}")


def now(user):
    answer = poll(user)
    assert answer["events"] == [] and not answer["more"] and not answer["reset"]
    return answer["cursor"]


def types(answer):
    return [event["type"] for event in answer["events"]]


class Waiting:
    """A request that waits, on a connection of its own."""

    def __init__(self, user, after, wait=LONG, **query):
        more = "".join(f"&{name}={value}" for name, value in query.items())
        self.connection = raw.Connection(user.server)
        self.connection.send(raw.request(
            "GET", f"/events?after={after}&wait={wait}{more}", user.server,
            headers=[f"Authorization: bearer {user.token}"]))
        # The first of these may be answered in the turn that accepts the connection; the second not
        # before the turn that reads what it sent.
        for _ in range(2):
            user.ok(200, "GET", "/users/me")

    def answer(self):
        answer = self.connection.answer()
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def gives_up(self):
        self.connection.close()


@pytest.fixture(name="pair")
def make_pair(people):
    user1, user2 = people(count=2)
    return user1, user2, user1.group(user2)


def test_where_to_begin(people):
    user, = people(count=1)
    answer = poll(user)
    info = user.connect().info()
    assert answer == {"events": [], "cursor": info["cursor"] - 1, "epoch": info["epoch"],
                      "more": False, "reset": False}
    assert poll(user, answer["cursor"]) == {**answer, "cursor": info["cursor"]}


def test_a_poll_gives_what_a_socket_gets(pair):
    """The same objects in the same order, of every kind."""
    user1, user2, group = pair
    other = User(user1.rest)
    socket = user2.connect()
    sent = [socket.ok(SEND, {"group_id": group, "data": f"text {n} é"}) for n in range(3)]
    reader = user1.connect()
    reader.ok(READ, {"message_id": sent[1]["message_id"]})
    reader.ok(DELIVERED, {"message_id": sent[2]["message_id"]})
    user1.joins(group, other)
    user1.leaves(group, other)
    for user in (user1, user2, other):
        answer = poll(user, 0, limit=1000)
        events = [json.loads(event.raw) for event in user.device().connect().catch_up(0)]
        assert answer["events"] == events and not answer["more"]
    assert {T_GROUP, T_MESSAGE, T_SENT, T_DELIVERED, T_READ, T_JOINED} <= set(types(poll(user2, 0)))


def test_an_event_ends_the_wait(pair):
    user1, user2, group = pair
    start = now(user2)
    waiting = Waiting(user2, start)
    sent = user1.ok(201, "POST", f"/groups/{group}/messages", {"data": "at last"})
    answer = waiting.answer()
    event, = answer["events"]
    assert (event["type"], event["cursor"], event["body"]["data"]) == (
        T_MESSAGE, sent["cursor"], "at last")
    assert answer["cursor"] == sent["cursor"] and not answer["more"]
    # One's own, from elsewhere, are events too.
    waiting = Waiting(user1, sent["cursor"])
    user1.ok(201, "POST", f"/groups/{group}/messages", {"data": "mine"})
    assert types(waiting.answer()) == [T_MESSAGE, T_SENT]


def test_what_does_not_stay_does_not_end_the_wait(pair):
    user1, user2, group = pair
    waiting = Waiting(user2, now(user2))
    socket = user1.connect()
    for _ in range(5):
        socket.ok(TYPING, {"group_id": group})
    socket.ok(SEND, {"group_id": group, "data": "typed"})
    assert types(waiting.answer()) == [T_MESSAGE]


def test_what_others_do_does_not_end_the_wait(pair, people):
    user1, user2, group = pair
    stranger, = people(count=1)
    waiting = Waiting(stranger, now(stranger), wait=1)
    for n in range(20):
        user1.ok(201, "POST", f"/groups/{group}/messages", {"data": str(n)})
    answer = waiting.answer()
    assert answer["events"] == [] and answer["cursor"] > 20


def test_the_wait_ends_with_its_time(pair):
    user = pair[0]
    start = now(user)
    answer = Waiting(user, start, wait=1).answer()
    assert (answer["events"], answer["more"], answer["reset"]) == ([], False, False)
    assert answer["cursor"] >= start


def test_pages(pair):
    """Any limit gives everything once, never half of a change."""
    user1, user2, group = pair
    socket = user1.connect()
    for n in range(40):
        socket.ok(SEND, {"group_id": group, "data": str(n)})
    everything = poll(user1, 0, limit=1000)["events"]
    assert len([e for e in everything if e["type"] == T_MESSAGE]) == 40
    for limit in (1, 2, 7, 39, 40, 41, 1000):
        after, seen, more = 0, [], True
        while more:
            answer = poll(user1, after, wait=LONG, limit=limit)
            seen += answer["events"]
            more, after = answer["more"], answer["cursor"]
        assert seen == everything


def test_reset(pair):
    user = pair[0]
    cursor, epoch = now(user), poll(user)["epoch"]
    assert poll(user, cursor, epoch=epoch, wait=0)["reset"] is False
    for after, query in ((cursor + 1000, {}), (0, {"epoch": NOBODY})):
        answer = poll(user, after, wait=LONG, **query)
        assert answer == {"events": [], "cursor": cursor, "epoch": epoch, "more": False,
                          "reset": True}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=", "after=1e3", "limit=0",
                                   "limit=1001", "wait=61", "wait=-1", "epoch=x",
                                   "after=99999999999999999999"])
def test_fields_that_are_refused(pair, query):
    assert_error(pair[0].call("GET", f"/events?{query}"), 400, "invalid_field")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["all", "more"])
def test_so_many_wait_and_no_more(new_server, sent):
    rest = Rest(new_server(polls_max=2, user_rate=0, address_rate=0, poll_wait_max=3600))
    user1, user2 = User(rest), User(rest)
    waiting = [Waiting(user1, now(user1), wait=3600) for _ in range(2)]
    answer = user2.call("GET", f"/events?after={now(user2)}&wait={LONG}")
    assert_error(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) >= 1
    # A client that goes away makes room, long before its wait is over, whatever it sent before.
    waiting[0].connection.send(sent)
    waiting[0].gives_up()
    end = time.monotonic() + PATIENCE
    while user2.call("GET", f"/events?after={now(user2)}&wait=1").status_code == 503:
        assert time.monotonic() < end
    user2.group(user1)
    assert types(waiting[1].answer()) == [T_GROUP]


def test_the_oldest_of_a_user_gives_way(new_server):
    rest = Rest(new_server(session_sockets_max=2))
    user, other = User(rest), User(rest)
    start = now(user)
    waiting = [Waiting(user, start) for _ in range(3)]
    assert waiting[0].answer()["events"] == []
    other.group(user)
    assert [types(w.answer()) for w in waiting[1:]] == [[T_GROUP], [T_GROUP]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_server_while_some_wait(pair, number):
    user1, user2, group = pair
    start = now(user2)
    waiting = Waiting(user2, start)
    user1.server.send_signal(number)
    if number == signal.SIGTERM:
        assert waiting.answer()["events"] == []
    user1.server.wait()
    user1.server.start()
    user1.ok(201, "POST", f"/groups/{group}/messages", {"data": "after"})
    assert types(poll(user2, start, wait=LONG)) == [T_MESSAGE]


def test_nothing_is_missed_and_nothing_comes_twice(new_server):
    """One polls, from cursor to cursor, while others write as fast as they can."""
    rest = Rest(new_server(user_rate=0, address_rate=0, rpc_rate=0, send_rate=0))
    reader, writers = User(rest), [User(rest) for _ in range(2)]
    groups = [writer.group(reader) for writer in writers]
    after = now(reader)

    def write(writer, group):
        socket = writer.connect()
        for n in range(400):
            socket.ok(SEND, {"group_id": group, "data": str(n)})

    writing = [Task(write, *pair) for pair in zip(writers, groups)]
    seen, limits = {group: [] for group in groups}, random.Random(5)
    while any(len(texts) < 400 for texts in seen.values()):
        answer = poll(reader, after, wait=LONG, limit=limits.choice([1, 2, 3, 100]))
        assert answer["events"] and answer["cursor"] > after
        after = answer["cursor"]
        for event in answer["events"]:
            seen[event["body"]["group_id"]].append(event["body"]["data"])
    for task in writing:
        task.join()
    assert all(texts == [str(n) for n in range(400)] for texts in seen.values())
