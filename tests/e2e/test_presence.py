"""Who is there: 42, and what the list of members says."""
import time

import pytest

from kit.people import Rest, User
from kit.server import PATIENCE
from kit.socket import READ, SEND, T_PRESENCE, T_READ, T_UNREAD

OPTIONS = {"presence_group_max": 4, "presence_grace": 0, "send_rate": 0}


@pytest.fixture(name="trio")
def make_trio(shared_rest):
    return [User(shared_rest) for _ in range(3)]


def presence(event):
    assert event.type == T_PRESENCE, event.raw
    assert abs(event.body["last_seen"] - time.time() * 1000) < PATIENCE * 1000
    return event.body["user_id"], event.body["status"]


def said(socket):
    return [presence(event) for event in socket.fence() if event.type == T_PRESENCE]


def shown(user, group):
    """{user id: (online, whether it is known when they were seen)}"""
    members = user.ok(200, "GET", f"/groups/{group}/members")["members"]
    return {m["user_id"]: (m["online"], m["last_seen"] is not None) for m in members
            if "online" in m}


def test_coming_and_going(trio):
    anna, bert, carl = trio
    group = anna.group(bert, carl)
    anna.group(bert)                            # told once all the same
    watcher = bert.connect()
    watcher.silent()                            # nobody is told of themselves
    assert shown(bert, group) == {anna.id: (False, False), bert.id: (True, True),
                                  carl.id: (False, False)}
    phone = anna.connect()
    assert presence(watcher.recv()) == (anna.id, "online")
    tablet = anna.connect()
    phone.close()
    tablet.silent()
    watcher.silent()
    assert shown(bert, group)[anna.id] == (True, True)
    tablet.close()
    assert presence(watcher.recv()) == (anna.id, "offline")
    assert shown(bert, group)[anna.id] == (False, True)
    watcher.silent()


def test_whose_session_ends(trio):
    anna, bert, _ = trio
    anna.group(bert)
    watcher, device = bert.connect(), anna.device()
    device.connect()
    assert presence(watcher.recv()) == (anna.id, "online")
    anna.ok(200, "DELETE", f"/sessions/{device.id}")
    assert presence(watcher.recv()) == (anna.id, "offline")


def test_who_shares_no_small_group(shared_rest, trio):
    anna, bert, carl = trio
    others = [User(shared_rest) for _ in range(3)]
    large = anna.group(bert, *others)           # five
    small = anna.group(carl)
    stranger, far, near = others[0].connect(), bert.connect(), carl.connect()
    left = anna.group(bert)
    bert.leaves(left)
    phone = anna.connect()
    assert presence(near.recv()) == (anna.id, "online")
    phone.close()
    assert presence(near.recv()) == (anna.id, "offline")
    assert said(far) == said(stranger) == []
    assert shown(bert, large) == {}
    assert set(shown(carl, small)) == {anna.id, carl.id}
    # One fewer, and it is small enough.
    others[2].leaves(large)
    anna.connect()
    assert presence(near.recv()) == (anna.id, "online")
    while (event := far.recv()).type != T_PRESENCE:
        pass
    assert presence(event) == (anna.id, "online")
    assert set(shown(bert, large)) == {anna.id, bert.id, others[0].id, others[1].id}


@pytest.mark.parametrize("way", [0, 1])
def test_who_blocks(shared_rest, trio, way):
    anna, bert, carl = trio
    group = anna.group(bert, carl)
    one, other = (anna, bert) if way else (bert, anna)
    one.ok(200, "PUT", f"/users/me/blocks/{other.id}")
    blind, watcher = bert.connect(), carl.connect()
    said(blind)
    phone = anna.connect()
    assert presence(watcher.recv()) == (anna.id, "online")
    assert said(blind) == []
    assert set(shown(bert, group)) == {bert.id, carl.id}
    phone.close()
    assert presence(watcher.recv()) == (anna.id, "offline")
    assert said(blind) == []


def test_who_only_connects_again(new_server):
    rest = Rest(new_server(presence_group_max=64, presence_grace=3600))
    anna, bert = User(rest), User(rest)
    group = anna.group(bert)
    watcher, device = bert.connect(), anna.device()
    for _ in range(5):
        phone = device.connect()
        phone.fence()
        phone.close()
    assert presence(watcher.recv()) == (anna.id, "online")
    watcher.silent()
    assert shown(bert, group)[anna.id] == (True, True)
    rest.close()


def test_many_at_once(new_server):
    """Each of many who come and go together is told of, to each of their friends once."""
    rest = Rest(new_server(presence_group_max=64, presence_grace=0))
    watcher, *people = [User(rest) for _ in range(31)]
    for number in range(40):
        watcher.group(*people[number % 5::5])
    watcher.group(*people)
    ears = watcher.connect()
    devices = [one.device() for one in people]
    for status in ("online", "offline"):
        if status == "online":
            sockets = [device.connect() for device in devices]
        else:
            for socket in sockets:
                socket.close()
        told = [presence(ears.recv()) for _ in people]
        assert sorted(told) == sorted((one.id, status) for one in people)
        assert said(ears) == []
    rest.close()


def test_switched_off(new_server):
    rest = Rest(new_server(presence_group_max=0, presence_grace=0))
    anna, bert = User(rest), User(rest)
    group = anna.group(bert)
    watcher = bert.connect()
    anna.connect().close()
    anna.connect().silent()
    watcher.silent()
    assert shown(bert, group) == {}
    rest.close()


# ---- 29: read elsewhere ---------------------------------------------------------------------------


def read_elsewhere(socket):
    """The body of the 29 behind a 23."""
    read, unread = [event for event in socket.fence() if event.type != T_PRESENCE]
    assert (read.type, unread.type) == (T_READ, T_UNREAD)
    assert "cursor" not in unread.raw
    return unread.body


def test_what_is_unread_after_reading(trio):
    anna, bert, _ = trio
    first, second = anna.group(bert), anna.group(bert)
    writer = anna.connect()
    for group in (first, first, first, second, second):
        writer.ok(SEND, {"group_id": group, "data": "x"})
    phone, tablet = bert.connect(), bert.connect()
    phone.ok(SEND, {"group_id": first, "data": "one's own"})
    ids = [m["message_id"] for m in bert.ok(200, "GET", f"/groups/{first}/messages")["messages"]]
    tablet.fence()
    phone.fence()
    phone.ok(READ, {"group_id": first, "seq": 1})
    assert read_elsewhere(tablet) == {
        "group_id": first, "read_seq": 1, "unread": 2, "total_unread": 4}
    phone.silent()                              # which knows
    # What was deleted counts no more.
    anna.ok(200, "DELETE", f"/messages/{ids[1]}")
    tablet.fence()
    phone.fence()
    phone.ok(READ, {"group_id": second, "seq": 2})
    assert read_elsewhere(tablet) == {
        "group_id": second, "read_seq": 2, "unread": 0, "total_unread": 1}
    tablet.ok(READ, {"message_id": ids[3]})
    assert read_elsewhere(phone) == {
        "group_id": first, "read_seq": 4, "unread": 0, "total_unread": 0}
    # What moves nothing tells nothing.
    phone.ok(READ, {"group_id": first, "seq": 2})
    tablet.silent()
    inbox = {g["id"]: g["unread"] for g in bert.ok(200, "GET", "/sync")["groups"]}
    assert (inbox[first], inbox[second]) == (0, 0)


def test_what_was_before_ones_time_is_not_unread(trio):
    anna, bert, _ = trio
    group = anna.group()
    writer = anna.connect()
    for number in range(3):
        writer.ok(SEND, {"group_id": group, "data": str(number)})
    anna.joins(group, bert)
    for number in range(2):
        writer.ok(SEND, {"group_id": group, "data": str(number)})
    phone, tablet = bert.connect(), bert.connect()
    tablet.fence()
    phone.ok(READ, {"group_id": group, "seq": 4})
    assert read_elsewhere(tablet) == {
        "group_id": group, "read_seq": 4, "unread": 1, "total_unread": 1}
