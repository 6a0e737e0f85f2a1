"""Method 20 and ?after=: what a user missed, once, in order, in the bytes in which it was told."""
import json

import pytest

from kit import raw
from kit.checks import NOBODY
from kit.socket import (DELIVERED, EVENTS, INFO, READ, SEND, T_DELIVERED, T_GROUP, T_INFO,
                        T_JOINED, T_LEFT, T_MESSAGE, T_READ, T_REPLY, T_SENT, T_SYNCED, TYPING,
                        TYPING_ENDS)


def raws(events):
    return [event.raw for event in events]


def in_order(events):
    return sorted(events, key=lambda event: (event.cursor, event.type))


def kinds(events):
    return [event.type for event in events]


class Story:
    """The seed's walk: two users with two devices each say hello, acknowledge, type, part and meet
    again. `live` has what each user's devices were told, once each and in order."""

    def __init__(self, people):
        self.user1, self.user2 = people(count=2)
        first = [self.user1.connect(), self.user1.connect()]
        second = [self.user2.connect(), self.user2.connect()]
        self.group = group = self.user1.group(self.user2)
        told1, told2 = [first[0].expect(T_GROUP)], [second[0].expect(T_GROUP)]
        for text in ("Hello, how are you?", "ж \u0001 \"quoted\""):
            told1.append(first[0].send_message(group, text))
            message = second[0].expect(T_MESSAGE)
            told2.append(message)
        # One that is acknowledged is enough here: of marks that moved twice only the last is told.
        for method in (DELIVERED, READ):
            second[0].ok(method, {"message_id": told2[1].body["message_id"]})
            told1.append(first[0].recv())
        second[0].ok(TYPING, {"group_id": group})
        second[0].ok(TYPING_ENDS, {"group_id": group})
        self.user1.leaves(group)
        self.user1.joins(group)
        told2 += second[0].fence()
        told2.append(second[0].send_message(group, "fine"))
        told1 += first[0].fence()[2:]
        told2 += second[0].fence()
        # What only the second devices are told: one's own messages as 20.
        told1 += [e for e in first[1].fence() if e.type == T_MESSAGE and e.raw not in raws(told1)]
        own2 = [e for e in second[1].fence() if e.type == T_MESSAGE and e.raw not in raws(told2)]
        self.live1 = in_order(told1)
        self.live2 = in_order(told2 + own2)
        self.epoch = first[0].info()["epoch"]


@pytest.fixture
def story(people):
    return Story(people)


def check_story(story):
    assert raws(story.user1.connect().everything()) == raws(story.live1)
    assert raws(story.user2.connect().everything()) == raws(story.live2)


def test_the_seeds_call_gives_everything_in_the_bytes_of_then(story):
    assert kinds(story.live1) == [
        T_GROUP, T_MESSAGE, T_SENT, T_MESSAGE, T_SENT, T_DELIVERED, T_READ, T_LEFT, T_JOINED,
        T_MESSAGE]
    assert kinds(story.live2) == [T_GROUP, T_MESSAGE, T_MESSAGE, T_LEFT, T_JOINED, T_MESSAGE,
                                  T_SENT]
    check_story(story)


def test_the_same_bytes_after_a_restart(story, server):
    server.restart()
    check_story(story)


def test_own_messages_come_as_20_and_21_with_one_cursor(people):
    user1, = people(count=1)
    group = user1.group()
    sent = user1.connect().send_message(group, "x")
    events = user1.connect().everything()
    assert kinds(events) == [T_GROUP, T_MESSAGE, T_SENT]
    assert events[1].cursor == events[2].cursor == sent.cursor
    assert events[2].raw == sent.raw


def test_the_envelopes_timestamp_selects_nothing(story):
    socket = story.user1.connect()
    for timestamp in (0, 1, 4_000_000_000_000):
        assert raws(socket.events({}, timestamp=timestamp)) == raws(story.live1)
    # As the seed's client says it: no body, no id, no reply.
    socket.send_text(json.dumps({"method": EVENTS, "timestamp": 1532785517921}))
    assert raws(socket.take(len(story.live1))) == raws(story.live1)
    socket.silent()


def test_nothing_is_nothing(people):
    user1, = people(count=1)
    socket = user1.connect()
    assert socket.everything() == []
    socket.rpc(EVENTS, {"after": 0})
    synced = socket.expect(T_SYNCED, more=False, reset=False)
    assert synced.body["epoch"] == socket.info()["epoch"]


def test_a_reply_comes_after_the_events(story):
    socket = story.user1.connect()
    assert socket.call(EVENTS, {})["ok"] is True
    assert raws(socket.waiting) == raws(story.live1)


def test_events_after_a_cursor(story):
    everything = story.live2
    for after in sorted({0} | {event.cursor for event in everything}):
        socket = story.user2.connect()
        expected = [event.raw for event in everything if event.cursor > after]
        socket.rpc(EVENTS, {"after": after})
        events = []
        while (event := socket.recv()).type != T_SYNCED:
            events.append(event)
        got = [e.raw for e in events if e.type not in (T_DELIVERED, T_READ)]
        assert got == expected
        assert event.body["more"] is False and event.body["reset"] is False
        assert event.body["epoch"] == story.epoch
        assert event.body["cursor"] >= everything[-1].cursor
        socket.silent()


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 1000])
def test_pages_join_without_a_seam(story, limit):
    whole = raws(story.user1.connect().catch_up(0))
    socket = story.user1.connect()
    assert raws(socket.catch_up(0, limit=limit)) == whole
    socket.rpc(EVENTS, {"after": 0, "limit": limit})
    page = []
    while (event := socket.recv()).type != T_SYNCED:
        page.append(event)
    assert page and raws(page) == whole[:len(page)]
    assert event.body["more"] is (len(page) < len(whole))
    # What one change tells is never cut in two, so it is changes that are counted.
    assert len({e.cursor for e in page}) == min(limit, len({e.cursor for e in story.live1}))
    assert len(page) == len(whole) or event.body["cursor"] < socket.catch_up(
        event.body["cursor"])[0].cursor


def test_events_after_a_time(story):
    times = sorted({event["timestamp"] for event in story.live1})
    for moment in [0, times[0] - 1, *times, times[-1] + 10_000]:
        socket = story.user1.connect()
        events = socket.events({"timestamp": moment})
        assert raws(events) == [e.raw for e in story.live1 if e["timestamp"] > moment]


@pytest.mark.parametrize("body", [
    {"after": -1}, {"after": "x"}, {"after": 1.5}, {"after": [], "limit": 1},
    {"after": 0, "limit": 0}, {"after": 0, "limit": -1}, {"after": 0, "limit": "x"},
    {"after": 0, "epoch": 1}, {"after": 0, "epoch": "x"}, {"timestamp": "x"},
    {"timestamp": 1.5},
])
def test_selections_that_are_not_valid(people, body):
    user1, = people(count=1)
    user1.group()
    socket = user1.connect()
    socket.refused(EVENTS, body, 400, "invalid_field")
    socket.silent()


def test_the_epoch_says_whether_a_cursor_means_anything(story):
    socket = story.user1.connect()
    after = story.live1[1].cursor
    events = socket.events({"after": after, "epoch": story.epoch})
    assert len([e for e in events if e.type == T_MESSAGE]) == 2
    assert events[-1].type == T_SYNCED and events[-1].body["reset"] is False
    event, = socket.events({"after": after, "epoch": NOBODY})
    assert event.type == T_SYNCED and event.body["reset"] is True
    assert event.body["epoch"] == story.epoch


def test_a_cursor_from_the_future_is_not_taken_in_silence(story):
    """As of a server that was set back to an older copy of its directory."""
    socket = story.user1.connect()
    event, = socket.events({"after": socket.info()["cursor"] + 1000})
    assert event.type == T_SYNCED and event.body["reset"] is True


def test_after_in_the_url(story):
    device = story.user2.device()
    after = story.live2[2].cursor
    whole = [e.raw for e in story.user2.connect().catch_up(after)]
    socket = device.connect(after=after)
    events = socket.take(len(whole))
    assert raws(events) == whole
    synced = socket.expect(T_SYNCED, more=False, reset=False, epoch=story.epoch)
    assert synced.body["cursor"] >= events[-1].cursor
    socket.silent()
    # It is live now.
    story.user1.connect().send_message(story.group, "live")
    socket.expect(T_MESSAGE, data="live")


def test_limit_and_epoch_in_the_url(story):
    device = story.user2.device()
    after = story.live2[2].cursor
    socket = device.connect(after=f"{after}&limit=1&epoch={story.epoch}")
    first = socket.recv()
    assert first.raw == story.user2.connect().catch_up(after)[0].raw
    assert socket.expect(T_SYNCED, more=True, reset=False).body["cursor"] >= first.cursor
    socket = device.connect(after=f"{after}&epoch={NOBODY}")
    socket.expect(T_SYNCED, reset=True, epoch=story.epoch)


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=", "after=1.5",
                                   "after=99999999999999999999999",
                                   "after=0&limit=0", "after=0&limit=x", "after=0&epoch=x"])
def test_queries_that_are_not_valid(server, people, query):
    user1, = people(count=1)
    connection = raw.Connection(server)
    connection.send(raw.request("GET", f"{user1.device().path}?{query}", server, headers=[
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]))
    assert connection.answer().status == 400


def test_messages_of_the_time_of_membership(people):
    user1, user2, user3, user4 = people(count=4)
    group = user1.group()
    socket = user1.connect()
    socket.send_message(group, "before")
    user1.joins(group, user2)
    socket.fence()
    socket.send_message(group, "here 1")
    user2.leaves(group)
    socket.fence()
    socket.send_message(group, "away")
    user1.joins(group, user3)
    user3.leaves(group)
    user2.joins(group)
    socket.fence()
    socket.send_message(group, "here 2")
    user1.joins(group, user4)
    user1.leaves(group, user2)
    socket.fence()
    socket.send_message(group, "after")

    def told(user):
        return [(e.type, e.body.get("data", e.body.get("user_id")))
                for e in user.connect().everything()]

    expected = [(T_JOINED, user2.id), (T_MESSAGE, "here 1"), (T_LEFT, user2.id),
                (T_JOINED, user2.id), (T_MESSAGE, "here 2"), (T_JOINED, user4.id),
                (T_LEFT, user2.id)]
    assert told(user2) == expected
    assert told(user3) == [(T_JOINED, user3.id), (T_LEFT, user3.id)]
    assert [(e.type, e.body.get("data", e.body.get("user_id")))
            for e in user2.connect().catch_up(0, limit=2)] == expected


def test_many_groups_are_one_stream(people):
    users = people(count=3)
    groups = [users[i % 3].group(*users) for i in range(6)]
    sockets = [user.connect() for user in users]
    for i in range(60):
        socket = sockets[i % 3]
        socket.ok(SEND, {"group_id": groups[i * 7 % 6], "data": str(i)})
    for user in users:
        events = user.connect().everything()
        assert [e.cursor for e in events] == sorted(e.cursor for e in events)
        texts = [e.body["data"] for e in events if e.type == T_MESSAGE]
        assert texts == [str(i) for i in range(60)]
        assert len([e for e in events if e.type == T_SENT]) == 20
        assert raws(user.connect().catch_up(0, limit=7)) == raws(events)


# ---- receipts -----------------------------------------------------------------------------------


@pytest.fixture
def receipts(people):
    """Three messages of user 1; user 2 acknowledges in steps, user 3 at once."""
    users = people(count=3)
    group = users[0].group(*users[1:])
    author, two, three = (user.connect() for user in users)
    ids = [author.send_message(group, str(i)).body["message_id"] for i in range(3)]
    cursor = author.info()["cursor"]
    two.ok(DELIVERED, {"message_id": ids[0]})
    two.ok(DELIVERED, {"message_id": ids[1]})
    two.ok(READ, {"message_id": ids[0]})
    two.ok(READ, {"message_id": ids[1]})
    three.ok(DELIVERED, {"message_id": ids[2]})
    return users, group, ids, cursor, author.fence()


def receipts_of(events):
    return [(e.type, e.body["message_id"], e.body["user_id"], e.body["seq"])
            for e in events if e.type in (T_DELIVERED, T_READ)]


def test_the_seeds_call_gives_each_own_message_its_newest_receipts(receipts):
    users, _, ids, _, live = receipts
    events = users[0].connect().everything()
    assert [e.cursor for e in events] == sorted(e.cursor for e in events)
    assert sorted(receipts_of(events)) == sorted(
        [(T_DELIVERED, ids[i], users[2].id, i + 1) for i in range(3)] +
        [(T_READ, ids[i], users[1].id, i + 1) for i in range(2)])
    # What stands in both is the same bytes.
    assert {e.raw for e in events} >= {e.raw for e in live[-2:]}
    assert receipts_of(users[1].connect().everything()) == []


def test_after_a_cursor_each_member_has_its_newest(receipts):
    users, group, ids, cursor, live = receipts
    socket = users[0].connect()
    events = socket.catch_up(cursor)
    assert receipts_of(events) == [
        (T_DELIVERED, ids[1], users[1].id, 2), (T_READ, ids[1], users[1].id, 2),
        (T_DELIVERED, ids[2], users[2].id, 3)]
    assert raws(events) == raws([live[1], live[3], live[4]])
    assert {e.body["group_id"] for e in events} == {group}
    for limit in (1, 2, 3):
        assert raws(users[0].connect().catch_up(cursor, limit=limit)) == raws(events)
    # Told up to here, nothing is told again.
    assert users[0].connect().catch_up(events[0].cursor)[0].raw == events[1].raw
    assert users[0].connect().catch_up(events[-1].cursor) == []


def test_resuming_tells_ones_own_positions_too(receipts):
    """What another device of the reader's has read."""
    users, _, ids, cursor, _ = receipts
    assert receipts_of(users[1].connect().catch_up(cursor)) == [
        (T_DELIVERED, ids[1], users[1].id, 2), (T_READ, ids[1], users[1].id, 2)]
    assert receipts_of(users[2].connect().catch_up(cursor)) == [
        (T_DELIVERED, ids[2], users[2].id, 3)]


def test_a_message_that_was_read_at_once(people):
    """One change moves both marks. Resuming, 23 says it all, as it did live: two events of one
    cursor could be cut apart. The seed's call gives what was delivered and what was read."""
    user1, user2 = people(count=2)
    group = user1.group(user2)
    author, reader = user1.connect(), user2.connect()
    sent = author.send_message(group, "x")
    reader.ok(READ, {"message_id": sent.body["message_id"]})
    live = author.expect(T_READ, seq=1)
    assert raws(user1.connect().catch_up(sent.cursor)) == [live.raw]
    events = user1.connect().everything()
    assert kinds(events) == [T_GROUP, T_MESSAGE, T_SENT, T_DELIVERED, T_READ]
    assert events[-1].raw == live.raw and events[-2].cursor == live.cursor


def test_receipts_outlive_the_server(receipts, server):
    users, _, _, cursor, _ = receipts
    whole = raws(users[0].connect().everything())
    since = raws(users[0].connect().catch_up(cursor))
    server.restart()
    assert raws(users[0].connect().everything()) == whole
    assert raws(users[0].connect().catch_up(cursor)) == since


# ---- live again ---------------------------------------------------------------------------------


def test_a_socket_is_live_before_it_asks(people):
    """The seed's client connects, and may be told something before its call is read."""
    user1, user2 = people(count=2)
    socket = user2.connect()
    group = user1.group(user2)
    socket.expect(T_GROUP, group_id=group)


def test_nothing_durable_comes_between_two_pages(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    sender = user1.connect()
    for i in range(4):
        sender.send_message(group, str(i))
    socket, other = user2.connect(), user2.connect()
    socket.rpc(EVENTS, {"after": 0, "limit": 2})
    page = socket.take(2)
    synced = socket.expect(T_SYNCED, more=True)
    sender.send_message(group, "meanwhile")
    other.expect(T_MESSAGE, data="meanwhile")
    socket.silent()

    page += socket.catch_up(synced.body["cursor"], limit=2)
    texts = [e.body["data"] for e in page if e.type == T_MESSAGE]
    assert texts == ["0", "1", "2", "3", "meanwhile"]
    sender.send_message(group, "live")
    socket.expect(T_MESSAGE, data="live")
    socket.silent()


def large_history(user, group, count, size):
    socket = user.connect()
    for i in range(count):
        socket.send_message(group, str(i) + "x" * size)


def test_a_second_call_while_one_is_being_answered(server, people):
    """The answer is larger than all buffers on its way, so it is not out when the second call is
    read. Who reads slowly gets it all the same."""
    user1, user2 = people(count=2)
    group = user1.group(user2)
    large_history(user1, group, 24, 700_000)
    call = json.dumps({"method": EVENTS, "body": {}}).encode()
    done = json.dumps({"method": INFO, "id": "end"}).encode()
    connection = raw.Connection(server, receive_buffer=4096)
    connection.upgrade(user2.device().path)
    connection.send(raw.frame(raw.TEXT, call) * 2)

    seen, errors = [], []
    while len(seen) < 24:
        event = json.loads(connection.text())
        if event["type"] == T_MESSAGE:
            seen.append(event["body"]["seq"])
        elif event["type"] == T_REPLY:
            errors.append((event["body"]["status"], event["body"]["code"]))
    connection.send(raw.frame(raw.TEXT, done))
    while (event := json.loads(connection.text()))["type"] != T_INFO:
        if event["type"] == T_REPLY:
            errors.append((event["body"]["status"], event["body"]["code"]))
    assert seen == list(range(1, 25))
    assert errors == [(409, "sync_in_progress")]


def test_who_goes_away_in_the_middle_of_an_answer(server, people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    large_history(user1, group, 8, 700_000)
    device = user2.device()
    for _ in range(3):
        connection = raw.Connection(server, receive_buffer=4096)
        connection.upgrade(device.path)
        connection.send(raw.frame(raw.TEXT, json.dumps({"method": EVENTS}).encode()))
        connection.read(10)
        connection.close()
    assert len([e for e in device.connect().everything() if e.type == T_MESSAGE]) == 8
