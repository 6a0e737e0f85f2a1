"""When typing ends by itself, and whom it is kept from."""
import pytest

from kit.people import Rest, User
from kit.socket import SEND, T_LEFT, T_MESSAGE, T_TYPING, T_TYPING_ENDS, TYPING, TYPING_ENDS

OPTIONS = {"typing_timeout": 3600, "send_rate": 0}


@pytest.fixture(name="pair")
def make_pair(shared_rest):
    return User(shared_rest), User(shared_rest)


def kinds(events):
    return [event.type for event in events]


def test_with_a_message(pair):
    anna, bert = pair
    group, other = anna.group(bert), anna.group(bert)
    socket, watcher = anna.connect(), bert.connect()
    for one in (group, other):
        socket.ok(TYPING, {"group_id": one})
    assert kinds(watcher.fence()) == [T_TYPING] * 2
    socket.ok(SEND, {"group_id": group, "data": "there it is"})
    ended, message = watcher.fence()
    assert (ended.type, message.type) == (T_TYPING_ENDS, T_MESSAGE)
    assert ended.body == {"group_id": group, "user_id": anna.id}
    # Over REST too, and only once.
    anna.ok(201, "POST", f"/groups/{other}/messages", {"data": "and here"})
    assert kinds(watcher.fence()) == [T_TYPING_ENDS, T_MESSAGE]
    socket.ok(SEND, {"group_id": group, "data": "again"})
    assert kinds(watcher.fence()) == [T_MESSAGE]


def test_what_others_send_ends_nothing(pair):
    anna, bert = pair
    group = anna.group(bert)
    socket, watcher = anna.connect(), bert.connect()
    socket.ok(TYPING, {"group_id": group})
    watcher.ok(SEND, {"group_id": group, "data": "first"})
    assert T_TYPING_ENDS not in kinds(watcher.fence())
    socket.ok(TYPING_ENDS, {"group_id": group})
    assert kinds(watcher.fence()) == [T_TYPING_ENDS]


def test_with_leaving(pair):
    anna, bert = pair
    group = bert.group(anna)
    socket, watcher = anna.connect(), bert.connect()
    socket.ok(TYPING, {"group_id": group})
    anna.leaves(group)
    assert kinds(watcher.fence()) == [T_TYPING, T_TYPING_ENDS, T_LEFT]
    bert.joins(group, anna)
    socket.ok(TYPING, {"group_id": group})
    bert.leaves(group, anna)
    assert kinds(watcher.fence())[1:] == [T_TYPING, T_TYPING_ENDS, T_LEFT]


def test_with_the_last_socket(pair):
    anna, bert = pair
    groups = [anna.group(bert) for _ in range(3)]
    first, second, watcher = anna.connect(), anna.connect(), bert.connect()
    for group in groups:
        first.ok(TYPING, {"group_id": group})
    first.close()
    second.silent()
    assert kinds(watcher.fence()) == [T_TYPING] * 3
    second.close()
    ended = [watcher.expect(T_TYPING_ENDS, user_id=anna.id).body["group_id"] for _ in groups]
    assert sorted(ended) == sorted(groups)


def test_with_the_session(pair):
    anna, bert = pair
    group = anna.group(bert)
    device, watcher = anna.device(), bert.connect()
    device.connect().ok(TYPING, {"group_id": group})
    watcher.expect(T_TYPING)
    anna.ok(200, "DELETE", f"/sessions/{device.id}")
    watcher.expect(T_TYPING_ENDS, user_id=anna.id)


def test_in_many_groups_at_once(pair):
    anna, bert = pair
    groups = [anna.group(bert) for _ in range(10)]
    socket, watcher = anna.connect(), bert.connect()
    for group in groups[:8] + groups[:1] + groups[8:]:
        socket.ok(TYPING, {"group_id": group})
    events = watcher.fence()
    ended = [event.body["group_id"] for event in events if event.type == T_TYPING_ENDS]
    # The first was renewed, so the second and the third are the oldest.
    assert ended == groups[1:3]
    assert kinds(events).count(T_TYPING) == 11


def test_a_group_that_is_no_more(pair):
    anna, bert = pair
    group = anna.group(bert)
    socket, watcher = anna.connect(), bert.connect()
    socket.ok(TYPING, {"group_id": group})
    anna.ok(200, "DELETE", f"/groups/{group}")
    socket.close()
    assert T_TYPING_ENDS not in kinds(watcher.fence())


def test_who_blocks_sees_nothing(shared_rest, pair):
    anna, bert = pair
    carl = User(shared_rest)
    group = anna.group(bert, carl)
    bert.ok(200, "PUT", f"/users/me/blocks/{anna.id}")
    socket, blind, watcher = anna.connect(), bert.connect(), carl.connect()
    for _ in range(2):
        socket.ok(TYPING, {"group_id": group})
    socket.ok(TYPING_ENDS, {"group_id": group})
    assert kinds(watcher.fence()) == [T_TYPING, T_TYPING, T_TYPING_ENDS]
    blind.silent()
    # It is one way: whoever blocks is seen.
    blind.ok(TYPING, {"group_id": group})
    assert kinds(socket.fence()) == [T_TYPING]


def test_after_a_while(new_server):
    rest = Rest(new_server(typing_timeout=1))
    anna, bert = User(rest), User(rest)
    groups = [anna.group(bert) for _ in range(4)]
    socket, watcher = anna.connect(), bert.connect()
    for group in groups:
        socket.ok(TYPING, {"group_id": group})
    for group in groups:
        watcher.expect(T_TYPING, group_id=group)
    for group in groups:
        watcher.expect(T_TYPING_ENDS, group_id=group, user_id=anna.id)
    watcher.silent()
    rest.close()
