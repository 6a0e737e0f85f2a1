"""--retention and a group's own days: what goes, what stays, and that numbers and cursors stay right.
The wall clock is moved, not waited for."""
import re
import signal
import time

import pytest

from kit.clock import DAY, Clock
from kit.faults import ERRORS, Faults, build
from kit.people import Rest, User, assert_error
from kit.server import PATIENCE, run
from kit.socket import (DELIVERED, EVENTS, HISTORY, READ, SEND, T_CHANGED, T_GROUP, T_MESSAGE,
                        T_READ, T_SENT, T_SYNCED)

OLD = ["first of the old", "second of the old", "third of the old"]


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def start(new_server, clock):
    """start(**options): a server whose clock can be moved."""
    def make(**options):
        return new_server(env=clock.environment(), send_rate="0", snapshot_after="0",
                          segment_size="64k", **options)

    return make


def eventually(done, what):
    """The server looks twice a second, and there is no event of it."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def page(user, group, query=""):
    return user.ok(200, "GET", f"/groups/{group}/messages{query}")


def begins_at(user, group, seq):
    eventually(lambda: page(user, group)["first_seq"] == seq, f"{seq} is not the first")


def send(user, group, data, **fields):
    return user.ok(201, "POST", f"/groups/{group}/messages", {"data": data, **fields})


def texts(events):
    return [e.body["data"] for e in events if e.type == T_MESSAGE]


def snapshot(server):
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 0, done.stderr


class Talk:
    """Anna and Bert; three messages of Anna's that have expired, and one of each that has not."""

    def __init__(self, server, clock, days=2):
        self.server, self.clock = server, clock
        self.rest = Rest(server)
        self.anna, self.bert = User(self.rest), User(self.rest)
        self.phone = self.bert.device()
        self.group = self.anna.group(self.bert)
        self.old = [send(self.anna, self.group, text, client_id=f"old{i}")
                    for i, text in enumerate(OLD)]
        bert = self.phone.connect()
        bert.ok(READ, {"message_id": self.old[1]["message_id"]})
        bert.close()
        clock.move(days * DAY + 1000)
        self.new = [send(self.anna, self.group, "a new one"),
                    send(self.bert, self.group, "another new one")]
        begins_at(self.anna, self.group, 4)


@pytest.fixture
def talk(start, clock):
    return Talk(start(retention=2), clock)


def test_history_begins_behind_what_is_gone(talk):
    anna, group = talk.anna, talk.group
    history = page(anna, group)
    assert [m["seq"] for m in history["messages"]] == [4, 5]
    assert (history["first_seq"], history["last_seq"]) == (4, 5)
    assert (history["more_before"], history["more_after"]) == (False, False)
    for query in "?after_seq=0", "?after_seq=2", "?around_seq=1", "?before_seq=6&limit=10":
        assert [m["seq"] for m in page(anna, group, query)["messages"]] == [4, 5], query
    assert page(anna, group, "?before_seq=4")["messages"] == []
    assert page(anna, group, "?after_seq=3&limit=1")["more_after"] is True
    assert anna.connect().ok(HISTORY, {"group_id": group, "before_seq": 5})["messages"] == \
        history["messages"][:1]
    for message in talk.old:
        assert_error(anna.call("GET", f"/messages/{message['message_id']}"), 404,
                     "message_not_found")
    # Numbers go on.
    assert send(anna, group, "the next")["seq"] == 6


def test_unread_counts_what_is_there(talk):
    inbox = talk.bert.ok(200, "GET", "/sync")["groups"][0]
    assert (inbox["first_seq"], inbox["last_seq"], inbox["read_seq"]) == (4, 5, 2)
    assert inbox["unread"] == 1
    assert talk.anna.ok(200, "GET", "/sync")["groups"][0]["unread"] == 1
    assert inbox["last_message"]["data"] == "another new one"
    receipts = talk.anna.ok(200, "GET", f"/groups/{talk.group}/receipts")["receipts"]
    assert [r["read_seq"] for r in receipts if r["user_id"] == talk.bert.id] == [2]


def test_receipts_of_what_is_gone(talk):
    bert, anna = talk.phone.connect(), talk.anna.connect()
    for method in DELIVERED, READ:
        bert.refused(method, {"message_id": talk.old[2]["message_id"]}, 404, "message_not_found")
        bert.refused(method, {"group_id": talk.group, "seq": 3}, 404, "message_not_found")
    bert.ok(READ, {"group_id": talk.group, "seq": 5})
    assert anna.expect(T_READ, seq=4, user_id=talk.bert.id)
    assert talk.bert.ok(200, "GET", f"/groups/{talk.group}")["unread"] == 0


def test_catching_up_goes_over_what_is_gone(talk):
    bert = talk.phone.connect()
    assert texts(bert.everything()) == ["a new one", "another new one"]
    bert.close()
    for after in 0, talk.old[0]["cursor"], talk.old[2]["cursor"]:
        socket = talk.phone.connect()
        assert texts(socket.catch_up(after)) == ["a new one", "another new one"]
        socket.close()
    # The author, whose receipts named what is gone.
    anna = talk.anna.connect()
    events = anna.everything()
    assert [e.type for e in events] == [T_GROUP, T_MESSAGE, T_SENT, T_MESSAGE]
    assert [e.body["seq"] for e in events] == [0, 4, 4, 5]
    # Page by page, from the first frame on.
    socket = talk.phone.connect(after=1)
    assert texts(socket.take(3)) == ["a new one", "another new one"]
    assert socket.closed is None


def test_a_client_id_is_free_again_with_its_message(talk):
    again = send(talk.anna, talk.group, "another text", client_id="old0")
    assert again["seq"] == 6 and "duplicate" not in again


def test_who_left_sees_less_too(talk):
    talk.bert.leaves(talk.group)
    send(talk.anna, talk.group, "without Bert")
    history = page(talk.bert, talk.group)
    assert [m["seq"] for m in history["messages"]] == [4, 5]
    assert (history["first_seq"], history["last_seq"]) == (4, 5)
    talk.clock.move(3 * DAY)
    begins_at(talk.anna, talk.group, 7)
    history = page(talk.bert, talk.group)
    assert (history["messages"], history["first_seq"], history["last_seq"]) == ([], 0, 0)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_all_go_and_a_snapshot_knows_it(talk, how):
    """A group without messages, whose numbers go on after a start from a snapshot."""
    talk.clock.move(3 * DAY)
    begins_at(talk.anna, talk.group, 6)
    before = talk.anna.ok(200, "GET", "/sync")["groups"]
    assert before[0]["last_message"] is None and before[0]["unread"] == 0
    snapshot(talk.server)
    digest = talk.server.digest()
    talk.server.restart(how)
    assert talk.server.err.wait(re.compile("loaded the snapshot"))
    assert talk.server.digest() == digest
    assert talk.anna.ok(200, "GET", "/sync")["groups"] == before
    assert send(talk.anna, talk.group, "once more")["seq"] == 6
    begins_at(talk.anna, talk.group, 6)


def test_the_disk_forgets_too(talk):
    """Two snapshots later no file holds the texts."""
    def holds(text):
        return [path.name for path in talk.server.data.rglob("*")
                if path.is_file() and text.encode() in path.read_bytes()]

    assert holds(OLD[0])
    socket = talk.anna.connect()
    for _ in range(3):
        for _ in range(140):
            socket.ok(SEND, {"group_id": talk.group, "data": "f" * 1000})
        snapshot(talk.server)
    assert [holds(text) for text in OLD] == [[], [], []]
    assert holds("another new one")


def test_a_groups_own_days(start, clock):
    """Fewer than the server's count, more do not."""
    server = start(retention=10)
    rest = Rest(server)
    anna, bert = User(rest), User(rest)
    short, usual, long = (anna.group(bert) for _ in range(3))
    url = f"/groups/{short}/retention"
    for days in -1, 36501, "7", 1.5, None:
        assert_error(anna.call("PUT", url, {"days": days}), 400, "invalid_field")
    assert_error(bert.call("PUT", url, {"days": 2}), 403, "forbidden")
    assert_error(User(rest).call("PUT", url, {"days": 2}), 404, "group_not_found")
    cursor = server.digest()[0]
    phone = bert.device()
    socket = phone.connect()
    anna.ok(200, "PUT", url, {"days": 2})
    anna.ok(200, "PUT", url, {"days": 2})
    assert server.digest()[0] == cursor + 2  # the device, and the days once
    told = socket.expect(T_CHANGED, group_id=short, retention_days=2, by=anna.id, join="members")
    socket.silent()
    assert [e.raw for e in phone.connect().catch_up(cursor)] == [told.raw]
    anna.ok(200, "PATCH", f"/groups/{long}/members/{bert.id}", {"role": "admin"})
    bert.ok(200, "PUT", f"/groups/{long}/retention", {"days": 100})
    assert [bert.ok(200, "GET", f"/groups/{g}")["retention_days"] for g in (short, usual, long)] \
        == [2, 0, 100]
    for group in short, usual, long:
        send(anna, group, "old")
    clock.move(3 * DAY)
    begins_at(bert, short, 2)
    assert [page(bert, group)["first_seq"] for group in (usual, long)] == [1, 1]
    clock.move(8 * DAY)
    begins_at(bert, long, 2)
    begins_at(bert, usual, 2)


def test_only_a_groups_own_days(start, clock):
    """The server keeps everything, and so it does again where the group wants no days any more."""
    server = start()
    rest = Rest(server)
    anna = User(rest)
    group, other = anna.group(), anna.group()
    send(anna, group, "old")
    send(anna, other, "old")
    anna.ok(200, "PUT", f"/groups/{group}/retention", {"days": 1})
    clock.move(2 * DAY)
    begins_at(anna, group, 2)
    anna.ok(200, "PUT", f"/groups/{group}/retention", {"days": 0})
    send(anna, group, "new")
    anna.ok(200, "PUT", f"/groups/{other}/retention", {"days": 100})
    clock.move(50 * DAY)
    anna.token = anna.login()
    assert page(anna, group)["first_seq"] == 2
    assert page(anna, other)["first_seq"] == 1


def test_many_go_in_pieces_while_others_write(start, clock):
    """More than one record takes, over several groups, with somebody who reads them meanwhile."""
    server = start(retention=2)
    rest = Rest(server)
    anna, bert = User(rest), User(rest)
    groups = [anna.group(bert) for _ in range(5)]
    socket = anna.connect()
    for number in range(700):
        for group in groups:
            socket.rpc(SEND, {"group_id": group, "data": f"old {number}"})
    socket.fence()
    clock.move(3 * DAY)
    reader, seen, after = bert.connect(), [], 0
    while True:
        reader.rpc(EVENTS, {"after": after, "limit": 100})
        while (event := reader.recv()).type != T_SYNCED:
            seen.append(event)
        after = event.body["cursor"]
        if not event.body["more"]:
            break
        send(anna, groups[0], "new")
    cursors = [e.cursor for e in seen]
    assert cursors == sorted(cursors) and len(set(cursors)) == len(cursors)
    for group in groups[1:]:
        begins_at(bert, group, 701)
    begins_at(bert, groups[0], 701)
    assert [m["seq"] for m in page(bert, groups[0], "?after_seq=0&limit=1")["messages"]] in \
        ([701], [])


def test_the_clock_goes_back(start, clock):
    """Nothing is due then, and nothing comes back."""
    talk = Talk(start(retention=2), clock)
    clock.move(-30 * DAY)
    talk.anna.token = talk.anna.login()
    assert send(talk.anna, talk.group, "written earlier, it seems")["seq"] == 6
    assert page(talk.anna, talk.group)["first_seq"] == 4


@pytest.mark.parametrize("writes", [0, 2])
def test_a_full_disk_holds_it_up(new_server, clock, tmp_path, writes):
    """So many pieces go, then the disk is full: what has not gone is there, and goes once there is
    room."""
    faults = Faults(build(tmp_path), tmp_path)
    env = {**clock.environment(), **faults.environment()}
    env["LD_PRELOAD"] += f" {clock.library}"
    server = new_server(env=env, send_rate="0", snapshot_after="0", retention=2)
    rest = Rest(server)
    anna = User(rest)
    groups = [anna.group(), anna.group()]
    socket = anna.connect()
    for number in range(600):
        socket.rpc(SEND, {"group_id": groups[number % 2], "data": f"number {number}"})
    socket.fence()
    rule = faults.fail("pwrite", ERRORS["ENOSPC"], name=".log", skip=writes)
    clock.move(3 * DAY)
    eventually(lambda: faults.hits(rule) >= 3, "nothing was refused")
    assert server.err.wait(re.compile("changes are refused until there is room"))
    gone = sum(page(anna, group)["first_seq"] - 1 for group in groups)
    assert gone == 128 * writes
    assert_error(anna.call("POST", f"/groups/{groups[0]}/messages", {"data": "x"}), 503, "disk_full")
    faults.end()
    for group in groups:
        eventually(lambda group=group: page(anna, group)["messages"] == [], "not all have gone")
        eventually(lambda group=group: anna.call("POST", f"/groups/{group}/messages",
                                                 {"data": "next"}).status_code == 201, "no room")
        assert page(anna, group)["first_seq"] == 301
    rest.close()
