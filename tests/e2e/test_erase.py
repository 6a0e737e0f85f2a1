"""DELETE /users/me: what names somebody goes at once, and what they wrote soon after, for whoever is
there, for whoever comes back, and from the disk."""
import re
import time

import pytest

from kit.app import App, AppUser, key_file
from kit.faults import ERRORS, Faults, build
from kit.people import Rest, User, assert_error
from kit.server import PATIENCE, run
from kit.socket import SEND, T_ERASED, T_LEFT, T_MESSAGE
from kit.threads import Task, meeting

SECRET = "a secret of theirs"
OPTIONS = {"login_fail_account": 0, "send_rate": 0}


def erase(user, status=200):
    answer = user.call("DELETE", "/users/me", {"current_password": user.password})
    assert answer.status_code == status, answer.text


def post(user, group, data):
    return user.ok(201, "POST", f"/groups/{group}/messages", {"data": data})


def history(user, group):
    return user.ok(200, "GET", f"/groups/{group}/messages?limit=200")["messages"]


def wait_for(socket, kind, count):
    """The next so many of this kind; what else comes is passed over."""
    found = []
    while len(found) < count:
        event = socket.recv()
        if event.type == kind:
            found.append(event)
    return found


def test_they_are_no_more(shared_rest):
    anna, bert, carl = (User(shared_rest) for _ in range(3))
    group = anna.group(bert, carl)
    alone = anna.group()
    direct = anna.ok(201, "POST", "/groups", {"kind": "direct", "user_ids": [bert.id]})["id"]
    mine = [post(anna, group, f"number {n}")["message_id"] for n in range(3)]
    post(bert, group, "of another")
    post(anna, direct, "for you only")
    post(anna, alone, "for nobody")
    phone = anna.connect()
    watcher = bert.connect()
    watcher.fence()

    erase(anna)
    phone.expect_close(4001)
    assert_error(anna.call("GET", "/users/me"), 401, "unauthorized")
    assert_error(anna.call("DELETE", "/users/me", {"current_password": SECRET}), 401, "unauthorized")
    assert_error(shared_rest.call("POST", "/login", {"username": anna.name, "password": SECRET}),
                 401, "bad_credentials")
    assert_error(shared_rest.call("POST", "/login", {"email": anna.email, "password": SECRET}),
                 401, "bad_credentials")
    assert_error(bert.call("GET", f"/users/{anna.id}"), 404, "user_not_found")
    assert_error(bert.call("GET", f"/users?username={anna.name}"), 404, "user_not_found")
    assert_error(bert.join(alone, anna), 404, "group_not_found")
    assert_error(bert.join(group, anna), 404, "user_not_found")
    assert_error(bert.call("POST", "/groups", {"name": "g", "user_ids": [anna.id]}),
                 404, "user_not_found")
    assert_error(bert.call("POST", "/groups", {"kind": "direct", "user_ids": [anna.id]}),
                 404, "user_not_found")

    # The others are told of each thing, in the way in which it is always told.
    left = {event.body["group_id"]: event.body for event in wait_for(watcher, T_LEFT, 2)}
    assert set(left) == {group, direct}
    assert all(body["user_id"] == body["by"] == anna.id for body in left.values())
    assert left[group]["owner_id"] == bert.id
    deleted = wait_for(watcher, T_ERASED, 4)
    assert {e.body["message_id"] for e in deleted} > set(mine)
    assert all(e.body["user_id"] == anna.id for e in deleted)
    shown = history(bert, group)
    assert [m.get("deleted", False) for m in shown] == [True, True, True, False]
    assert [m["data"] for m in shown] == ["", "", "", "of another"]
    members = bert.ok(200, "GET", f"/groups/{group}/members")["members"]
    assert {m["user_id"] for m in members} == {bert.id, carl.id}

    # The name is anybody's again, and whoever takes it is somebody else.
    again = User(shared_rest, anna.name)
    assert again.id != anna.id
    assert again.ok(200, "GET", "/groups")["groups"] == []
    # Carl, who was away, learns the same.
    kinds = [e.type for e in carl.connect().events()]
    assert kinds.count(T_ERASED) == 3 and kinds.count(T_LEFT) == 1 and kinds.count(T_MESSAGE) == 4


@pytest.mark.parametrize("body, status, code", [
    (None, 400, "invalid_field"),
    ({}, 400, "invalid_field"),
    ({"current_password": 1}, 400, "invalid_field"),
    ({"current_password": "a guess"}, 401, "bad_credentials"),
    ([], 400, "invalid_json"),
])
def test_it_takes_the_password(shared_rest, body, status, code):
    anna = User(shared_rest)
    assert_error(anna.call("DELETE", "/users/me", body), status, code)
    assert anna.ok(200, "GET", "/users/me")["username"] == anna.name


def test_guesses_are_counted(new_server):
    rest = Rest(new_server(login_fail_account=2))
    anna = User(rest)
    for status in (401, 401, 429):
        answer = anna.call("DELETE", "/users/me", {"current_password": "a guess"})
        assert answer.status_code == status
    rest.close()


def test_users_of_the_app(new_server, tmp_path):
    key_file(tmp_path / "api")
    app = App(new_server(api_key_file=tmp_path / "api", admin_listen="127.0.0.1:0"))
    anna, bert = AppUser(app, "7", username="anna"), AppUser(app, "8")
    assert app.ok(200, "DELETE", "/admin/users/7") == {}
    assert_error(app.call("DELETE", "/admin/users/7"), 404, "user_not_found")
    assert_error(app.call("GET", "/admin/users/7"), 404, "user_not_found")
    assert_error(app.call("POST", f"/admin/users/{anna.id}/token"), 404, "user_not_found")
    assert_error(anna.call("GET", "/users/me"), 401, "unauthorized")
    # They have no password to show.
    assert bert.ok(200, "DELETE", "/users/me") == {}
    assert_error(app.call("GET", "/admin/users/8"), 404, "user_not_found")
    assert app.put("7", username="anna") != anna.id
    app.close()


def contains(server, text):
    return [path.name for path in server.data.rglob("*") if path.is_file()
            and text in path.read_bytes()]


def test_nothing_is_left_on_the_disk(new_server):
    """Behind the second snapshot, as with a message that was deleted."""
    server = new_server(segment_size="64k", snapshot_after="0", send_rate="0")
    rest = Rest(server)
    anna, bert = User(rest, "a-name-to-be-forgotten"), User(rest)
    anna.ok(200, "PATCH", "/users/me", {"display_name": "A Title To Be Forgotten"})
    group = bert.group(anna)
    watcher = bert.connect()
    post(anna, group, "a-text-to-be-forgotten")
    assert contains(server, b"a-name-to-be-forgotten")
    erase(anna)
    wait_for(watcher, T_ERASED, 1)
    for number in range(2):
        post(bert, group, f"{number}" * 70000)      # a segment of its own
        done = run(["snapshot", "--data", str(server.data)])
        assert done.returncode == 0, done.stderr
    post(bert, group, "2" * 70000)
    done = run(["snapshot", "--data", str(server.data)])
    assert done.returncode == 0, done.stderr
    for text in (b"name-to-be-forgotten", b"Title To Be Forgotten", b"text-to-be-forgotten"):
        assert contains(server, text) == []
    rest.close()


@pytest.mark.parametrize("snapshot", [False, True])
def test_it_goes_on_after_a_kill(new_server, snapshot):
    """Thousands of messages: the server dies in their midst, and the next one ends the work."""
    server = new_server(snapshot_after="0", send_rate="0")
    rest = Rest(server)
    anna, bert = User(rest), User(rest)
    groups = [anna.group(bert) for _ in range(3)]
    socket = anna.connect()
    for number in range(1500):
        for group in groups:
            socket.rpc(SEND, {"group_id": group, "data": f"number {number}"})
    socket.fence()
    if snapshot:
        done = run(["snapshot", "--data", str(server.data)])
        assert done.returncode == 0, done.stderr
    watcher = bert.connect()
    watcher.fence()
    erase(anna)
    wait_for(watcher, T_ERASED, 100)
    server.restart(9)
    wait_until_erased(bert, groups)
    rest.close()


def test_out_of_more_groups_than_go_at_once(shared_rest):
    """Some that they had left already, and some in which nothing of theirs is."""
    anna, bert = User(shared_rest), User(shared_rest)
    groups = [bert.group(anna) for _ in range(30)]
    watcher = bert.connect()
    for number, group in enumerate(groups):
        if number % 3 == 0:
            post(anna, group, f"number {number}")
        if number % 5 == 0:
            anna.leaves(group)
    assert [e.type for e in watcher.fence()] == [
        kind for number in range(30)
        for kind in [T_MESSAGE] * (number % 3 == 0) + [T_LEFT] * (number % 5 == 0)]
    erase(anna)
    seen = watcher.take(24 + 10)
    # First all groups, so that nothing new comes, then the messages.
    assert [e.type for e in seen] == [T_LEFT] * 24 + [T_ERASED] * 10
    assert [e.body["group_id"] for e in seen] == [
        *(group for number, group in enumerate(groups) if number % 5),
        *(group for number, group in enumerate(groups) if number % 3 == 0)]


# ---- a disk that refuses ---------------------------------------------------------------------------

MINE = 300   # messages in each of three groups: eight batches


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return build(tmp_path_factory.mktemp("faults"))


class Refused:
    """Anna is to be erased, and below the server the disk can be made to fail; Bert watches."""

    def __init__(self, new_server, faults):
        self.faults = faults
        self.server = new_server(env=faults.environment(), snapshot_after="0", send_rate="0")
        self.rest = Rest(self.server)
        self.anna, self.bert = User(self.rest), User(self.rest)
        self.groups = [self.anna.group(self.bert) for _ in range(3)]
        socket = self.anna.connect()
        for number in range(MINE):
            for group in self.groups:
                socket.rpc(SEND, {"group_id": group, "data": f"number {number}"})
        socket.fence()
        self.phone = self.bert.device()
        self.watcher = self.phone.connect()
        self.begin = self.watcher.info()["cursor"]

    def until(self, rule, count):
        """That the rule was met so often."""
        end = time.monotonic() + PATIENCE
        while self.faults.hits(rule) < count:
            assert time.monotonic() < end, self.faults.hits(rule)
            time.sleep(0.02)

    def is_whole(self, events):
        """Each group was left once, and each message deleted once, whatever was tried again."""
        left = [e.body["group_id"] for e in events if e.type == T_LEFT]
        deleted = [(e.body["group_id"], e.body["seq"]) for e in events if e.type == T_ERASED]
        assert sorted(left) == sorted(self.groups)
        assert sorted(deleted) == sorted((group, seq + 1) for group in self.groups
                                         for seq in range(MINE))

    def check(self):
        wait_until_erased(self.bert, self.groups)
        assert_error(self.bert.call("GET", f"/users/{self.anna.id}"), 404, "user_not_found")
        again = self.phone.connect()
        self.is_whole(again.catch_up(self.begin))


@pytest.fixture
def refused(new_server, shim, tmp_path):
    made = Refused(new_server, Faults(shim, tmp_path))
    yield made
    made.rest.close()


@pytest.mark.parametrize("writes", [1, 2, 3, 5, 8])
def test_a_full_disk_holds_it_up(refused, writes):
    """So many writes pass: the first is what was asked for; the groups and the messages follow. What
    is refused is asked for again while there is no room, and goes once there is."""
    server, bert = refused.server, refused.bert
    rule = refused.faults.fail("pwrite", ERRORS["ENOSPC"], name=".log", skip=writes)
    erase(refused.anna)
    refused.until(rule, 3)
    assert server.err.wait(re.compile("changes are refused until there is room"))
    assert pending(bert, refused.groups)
    assert_error(bert.call("POST", "/groups", {"name": "g", "user_ids": []}), 503, "disk_full")
    # Nobody who is there is told of what did not become durable.
    seen = refused.watcher.fence()
    assert len(seen) == len([e for e in seen if e.type in (T_LEFT, T_ERASED)])
    assert [e.raw for e in refused.phone.connect().catch_up(refused.begin)] == [e.raw for e in seen]
    refused.faults.end()
    seen += refused.watcher.take(3 + 3 * MINE - len(seen))
    refused.is_whole(seen)
    refused.check()


@pytest.mark.parametrize("kill", [15, 9])
def test_a_disk_that_has_failed_ends_it_until_the_next_start(refused, kill):
    """After a sync that failed nothing is written any more; who is there may read, and the next
    start does the rest."""
    server, bert = refused.server, refused.bert
    rule = refused.faults.fail("fdatasync", ERRORS["EIO"], name=".log", skip=3, times=1)
    erase(refused.anna)
    refused.until(rule, 1)
    assert server.err.wait(re.compile("no more changes are taken until a restart"))
    assert pending(bert, refused.groups)
    assert_error(bert.call("POST", "/groups", {"name": "g", "user_ids": []}), 503, "read_only")
    assert_error(refused.rest.call("POST", "/login", refused.anna.account()), 401, "bad_credentials")
    refused.faults.end()
    server.restart(kill)
    refused.check()


def pending(user, groups):
    """Is a message of these groups still there?"""
    for group in groups:
        before, more = "", True
        while more:
            page = user.ok(200, "GET", f"/groups/{group}/messages?limit=200{before}")
            if any("deleted" not in m for m in page["messages"]):
                return True
            more = page["more_before"]
            before = f"&before_seq={page['messages'][0]['seq']}" if page["messages"] else ""
    return False


def wait_until_erased(user, groups):
    until = time.monotonic() + PATIENCE
    while pending(user, groups):
        assert time.monotonic() < until


def test_what_comes_in_at_the_last_moment(shared_server):
    """Whatever they send while they go, nothing of it stays."""
    rest = Rest(shared_server)
    bert = User(rest)
    for _ in range(5):
        anna = User(rest)
        group = bert.group(anna)
        begin = meeting(2)

        def write(anna=anna, group=group, begin=begin):
            client = Rest(shared_server)
            begin.wait()
            for number in range(100):
                answer = client.call("POST", f"/groups/{group}/messages", {"data": f"{number}"},
                                     anna.token)
                if answer.status_code != 201:
                    break
            client.close()

        writer = Task(write)
        begin.wait()
        watcher = bert.connect()
        erase(anna)
        wait_for(watcher, T_LEFT, 1)
        writer.join()
        wait_until_erased(bert, [group])
    rest.close()
