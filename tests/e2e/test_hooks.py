"""The app's webhooks: what its own server is told, signed, in order, at least once; and what happens
where it does not listen."""
import json
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from kit.checks import NOBODY
from kit.faults import build, sanitizer
from kit.hooked import World, lasting
from kit.people import User, assert_error
from kit.receiver import CLOSE
from kit.server import PATIENCE, run
from kit.socket import (DELETE, DELIVERED, READ, REACT, SEND, UPDATE, T_MESSAGE)
from kit.threads import Task

from test_poll import Waiting


@pytest.fixture(scope="module", name="shared")
def make_shared(tmp_path_factory):
    options = {"--hooks-max": 4, "--hook-batch": 5, "--hook-offline-max": 3}
    with lasting(tmp_path_factory.mktemp("hooks"), options) as made:
        yield made


@pytest.fixture(name="world")
def make_world(shared):
    yield shared
    shared.clear()


@pytest.fixture(name="new_world")
def make_new_world(tmp_path):
    """A world with other options, or one that is restarted."""
    worlds = []

    def make(options=None, env=None):
        worlds.append(World(tmp_path, options, env))
        return worlds[-1]

    yield make
    for world in worlds:
        try:
            world.end(signal.SIGTERM)
        finally:
            world.server.abandon()


# ---- what is told ----------------------------------------------------------------------------------


def test_it_is_signed(world):
    receiver = world.receiver()
    hook = world.hook(receiver.url("/a/b?c=d"))
    assert hook.made["types"] == []
    receiver.wait_cursor(world.say("hello"))
    request = receiver.requests[0]
    assert request.path == "/a/b?c=d"
    request.check(hook)
    event, = request.events
    assert event["body"]["data"] == "hello"
    assert event["body"]["group_id"] == world.group
    assert request.json["epoch"] == world.user1.connect().info()["epoch"]


@pytest.mark.parametrize("secret", ["s", "a secret of the app's own", "whsec_" + "QUJD" * 8,
                                    "x" * 255, "not \u00e4scii \U0001f511", "with \0 in it"])
def test_secrets_of_the_app(world, secret):
    receiver = world.receiver()
    hook = world.hook(receiver.url(), secret=secret)
    assert "secret" not in hook.made and "secret" not in hook.status()
    receiver.wait_cursor(world.say("hello"))
    receiver.requests[0].check(hook)


def everything(world):
    """Each kind of durable event happens once; gives a socket that sees them, each time that one
    has."""
    one, two, other = world.user1, world.user2, User(world.rest)
    socket = one.connect()
    group = one.group(two)
    yield socket
    author = two.connect()
    sent = author.ok(SEND, {"group_id": group, "data": "text", "meta": {"a": 1}})["message_id"]
    yield socket
    for rpc, by, more in ((DELIVERED, socket, {}), (READ, socket, {}), (REACT, author, {"emoji": "+"}),
                          (UPDATE, author, {"data": "new text"}), (DELETE, author, {})):
        by.ok(rpc, {"message_id": sent, **more})
        yield socket
    one.joins(group, other)
    yield socket
    one.ok(200, "PATCH", f"/groups/{group}/members/{two.id}", {"role": "admin"})
    yield socket
    one.ok(200, "PATCH", f"/groups/{group}", {"name": "another"})
    yield socket
    other.leaves(group)
    yield socket
    one.ok(200, "DELETE", f"/groups/{group}")
    yield socket


ALL = [20, 22, 23, 24, 25, 26, 70, 71, 72, 73, 74, 75]


def test_every_event_as_a_client_sees_it(world):
    receiver = world.receiver()
    hook = world.hook(receiver.url())
    for socket in everything(world):
        hook.wait_status(lambda status: status["behind"] == 0)
    seen = {}
    while not seen or max(event["type"] for event in seen.values()) < 75:
        event = socket.recv()
        if "cursor" in event:
            seen[event.cursor] = event
    for request in receiver.requests:
        request.check(hook)
    told = receiver.taken()
    assert sorted(event["type"] for event in told) == ALL
    for event in told:
        assert (event.pop("offline", None) is not None) == (event["type"] in (20, 24, 25, 26))
    # A socket is not told what it has marked itself.
    assert [event["type"] for event in told if event["cursor"] not in seen] == [22, 23]
    assert [event for event in told if event["cursor"] in seen] == [seen[cursor]
                                                                    for cursor in sorted(seen)]


def test_types(world):
    receiver = world.receiver()
    hooks = [world.hook(receiver.url("/0"), types=[20, 75]),
             world.hook(receiver.url("/1"), types=["group_deleted", "member_added", 72]),
             world.hook(receiver.url("/2"), types=["message_read", 70, "message_delivered"])]
    assert [hook.made["types"] for hook in hooks] == [[20, 75], [72, 75], [22, 23, 70]]
    for _ in everything(world):
        for hook in hooks:
            assert hook.wait_status(lambda status: status["behind"] == 0)["failures"] == 0
    for path, types in ("/0", [20, 75]), ("/1", [72, 75]), ("/2", [70, 22, 23]):
        assert [event["type"] for event in receiver.taken(path)] == types


def test_order_and_batches(world):
    receiver = world.receiver()
    gate = receiver.hold()
    hook = world.hook(receiver.url(), types=[20])
    cursors = [world.say("first")]
    receiver.wait_requests(1)
    cursors += [world.say(f"text {i}") for i in range(22)]
    assert len(receiver.requests) == 1
    assert hook.status()["behind"] >= 22
    gate.set()
    receiver.wait_cursor(cursors[-1])
    assert receiver.cursors() == cursors
    assert [len(request.events) for request in receiver.requests] == [1, 5, 5, 5, 5, 2]
    assert len({request.id for request in receiver.requests}) == 6
    for request in receiver.requests:
        request.check(hook)
    status = hook.wait_status(lambda status: status["behind"] == 0)
    assert status["cursor"] >= cursors[-1]


def test_from_an_earlier_cursor(world):
    cursors = [world.say(f"before {i}") for i in range(12)]
    receiver = world.receiver()
    world.hook(receiver.url(), types=["message_posted"], after=cursors[3])
    later = world.say("later")
    receiver.wait_cursor(later)
    assert receiver.cursors() == cursors[4:] + [later]
    # One that is later than now begins now.
    world.hook(receiver.url("/now"), types=["message_posted"], after=2 ** 63 - 1)
    receiver.wait_cursor(cursor := world.say("now"), "/now")
    assert receiver.cursors("/now") == [cursor]


def test_who_is_offline(world):
    users = [User(world.rest) for _ in range(6)]
    author, socket, poller, away1, away2, away3 = users
    group = author.group(*users[1:])
    sockets = [socket.connect()]
    receiver = world.receiver()
    world.hook(receiver.url(), types=[20, 24])

    def offline(data):
        cursor = author.ok(201, "POST", f"/groups/{group}/messages", {"data": data})["cursor"]
        receiver.wait_cursor(cursor)
        return receiver.taken()[-1]

    waiting = Waiting(poller, after=poller.ok(200, "GET", "/events")["cursor"])
    event = offline("one")
    assert event["offline"] == [away1.id, away2.id, away3.id]
    assert "offline_more" not in event
    assert waiting.answer()["events"][-1]["body"]["data"] == "one"
    event = offline("two")
    assert event["offline"] == [poller.id, away1.id, away2.id] and event["offline_more"] is True
    away1.leaves(group)
    sockets.append(away2.connect())
    event = offline("three")
    assert event["offline"] == [poller.id, away3.id] and "offline_more" not in event
    for one in sockets:
        one.fence()


# ---- where it is not taken -------------------------------------------------------------------------


def test_it_is_tried_again(world):
    """Whatever it is that is not taken comes again, and nothing comes before it."""
    elsewhere = world.receiver()
    receiver = world.receiver()
    refused = [500, 503, 404, 410, 300, 304, elsewhere.url("/elsewhere"), CLOSE]
    receiver.script.extend(refused)
    hook = world.hook(receiver.url(), types=[20])
    first = world.say("first")
    receiver.wait_requests(2)
    later = [world.say(f"later {i}") for i in range(7)]
    receiver.wait_cursor(later[-1])
    assert receiver.cursors() == [first, *later]
    tries = receiver.requests[:len(refused) + 1]
    assert [one.cursors for one in tries] == [[first]] * len(tries)
    assert len({one.id for one in tries}) == 1
    assert [one.status for one in tries] == [302 if isinstance(one, str) and one != CLOSE else one
                                             for one in refused] + [200]
    for one in receiver.requests:
        one.check(hook)
    assert not elsewhere.requests
    status = hook.wait_status(lambda status: status["behind"] == 0)
    assert status["failures"] == 0 and "last_error" not in status and "next_try_at" not in status


@pytest.mark.parametrize("action,error,code", [
    (500, "status", 500), (410, "status", 410), ("http://127.0.0.1:1/", "redirect", 302),
    (CLOSE, "broken", None)])
def test_how_it_fares(world, action, error, code):
    receiver = world.receiver()
    receiver.script.extend([action] * 1000)
    hook = world.hook(receiver.url())
    assert hook.status()["failures"] == 0
    world.say("hello")
    status = hook.wait_status(lambda status: status["failures"] > 1)
    assert status["last_error"] == error and status.get("last_status") == code
    assert status["behind"] > 0
    hook.wait_status(lambda status: "next_try_at" in status)


def test_nobody_is_there(world):
    receiver = world.receiver()
    url = receiver.url()
    receiver.close()
    hook = world.hook(url)
    world.say("hello")
    status = hook.wait_status(lambda status: status["failures"] > 0)
    assert status["last_error"] == "no_connection" and "last_status" not in status


def test_one_that_hangs_is_in_nobodys_way(world):
    slow, quick = world.receiver(), world.receiver()
    gate = slow.hold()
    world.hook(slow.url(), types=[20])
    world.hook(quick.url(), types=[20])
    socket = world.user2.connect()
    cursors = [world.say("first")]
    socket.expect(T_MESSAGE, data="first")
    slow.wait_requests(1)
    for i in range(20):
        cursors.append(world.say(f"text {i}"))
        socket.expect(T_MESSAGE, data=f"text {i}")
    quick.wait_cursor(cursors[-1])
    assert quick.cursors() == cursors
    assert len(slow.requests) == 1
    gate.set()
    slow.wait_cursor(cursors[-1])
    assert slow.cursors() == cursors


def test_a_deleted_one_is_told_no_more(world):
    receiver, other = world.receiver(), world.receiver()
    receiver.hold()
    hook = world.hook(receiver.url(), types=[20])
    world.hook(other.url(), types=[20])
    world.say("one")
    receiver.wait_requests(1)
    assert world.app.call("DELETE", f"/admin/hooks/{hook.id}").status_code == 204
    assert hook.status() is None
    assert_error(world.app.call("DELETE", f"/admin/hooks/{hook.id}"), 404, "hook_not_found")
    for i in range(12):
        cursor = world.say(f"later {i}")
    other.wait_cursor(cursor)
    assert len(receiver.requests) == 1


def test_a_long_answer_is_not_read(world):
    """What is behind the status and some 64 KiB interests nobody."""
    receiver = world.receiver()
    hook = world.hook(receiver.url(), types=[20])

    def answer(handler, request):
        with receiver.changed:
            receiver.requests.append(request)
            request.status = 200
            receiver.changed.notify_all()
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass

    receiver.take = answer
    cursors = [world.say(f"text {i}") for i in range(3)]
    receiver.wait_cursor(cursors[-1])
    assert sorted(set(receiver.cursors())) == cursors
    hook.wait_status(lambda status: status["behind"] == 0)
    assert receiver.cursors() == cursors


# ---- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [
    {}, {"url": None}, {"url": 7}, {"url": ""}, {"url": "example.com/hook"},
    {"url": "ftp://h/"}, {"url": "file:///etc/passwd"}, {"url": "http://"},
    {"url": "http://user@h/"}, {"url": "http://user:password@h/"}, {"url": "http://h/#x"},
    {"url": "http://h/a b"}, {"url": "http://h/\r\nx: y"}, {"url": "http://h/\u00e4"},
    {"url": "http://h:0/"}, {"url": "http://h:65536/"}, {"url": "http://h/" + "x" * 2048},
    {"types": []}, {"types": "20"}, {"types": {}}, {"types": [0]}, {"types": [21]}, {"types": [1]},
    {"types": [40]}, {"types": [20, "no such event"]}, {"types": ["session_ended"]},
    {"types": [20.5]}, {"types": [None]}, {"types": [276]}, {"types": [-20]},
    {"secret": ""}, {"secret": 7}, {"secret": "x" * 256}, {"secret": "whsec_"},
    {"secret": "whsec_!"}, {"after": -1}, {"after": "1"}, {"after": 1.5}, {"after": 2 ** 63},
], ids=repr)
def test_what_is_no_hook(world, body):
    if body and "url" not in body:
        body = {"url": "http://127.0.0.1:1/", **body}
    assert_error(world.app.call("POST", "/admin/hooks", body), 400, "invalid_field")
    assert world.app.ok(200, "GET", "/admin/hooks") == {"hooks": []}


def test_the_longest_url(world):
    url = "http://127.0.0.1:1/"
    assert world.hook(url + "x" * (2048 - len(url))).status()["url"].endswith("x")


def test_as_many_as_there_may_be(world):
    hooks = [world.hook("http://127.0.0.1:1/") for _ in range(4)]
    assert_error(world.app.call("POST", "/admin/hooks", {"url": "http://127.0.0.1:1/"}), 409,
                 "too_many_hooks")
    listed = world.app.ok(200, "GET", "/admin/hooks")["hooks"]
    assert [one["hook_id"] for one in listed] == [hook.id for hook in hooks]
    hooks[1].delete()
    world.hook("http://127.0.0.1:1/")


def test_what_is_not_there(world):
    assert_error(world.app.call("DELETE", f"/admin/hooks/{NOBODY}"), 404, "hook_not_found")
    assert_error(world.app.call("DELETE", "/admin/hooks/x"), 404, "not_found")
    assert_error(world.app.call("GET", f"/admin/hooks/{NOBODY}"), 405, "method_not_allowed")
    assert_error(world.app.call("POST", "/admin/hooks", {"url": "http://h/"}, key="x" * 43), 401,
                 "unauthorized")
    # Where users come in there is nothing of the kind.
    assert world.rest.call("GET", "/admin/hooks", token=world.app.key).status_code == 404


# ---- over a restart --------------------------------------------------------------------------------


def test_at_least_once_over_a_crash(new_world):
    """Killed in the middle, again and again: what came is in order, and all of it; it goes back a
    little, never forth."""
    world = new_world({"--hook-batch": 7})
    receiver = world.receiver()
    hook = world.hook(receiver.url(), types=[20])
    cursors = []
    for turn in range(4):
        cursors += [world.say(f"text {turn}.{i}") for i in range(60)]
        receiver.wait(lambda t=turn: len(set(receiver.cursors())) >= 40 * (t + 1))
        world.server.restart(signal.SIGKILL)
    receiver.wait_cursor(cursors[-1])
    newest = 0
    for request in receiver.requests:
        if request.status != 200:
            continue
        request.check(hook)
        # It says the next ones, and whatever of those before.
        places = [cursors.index(cursor) for cursor in request.cursors]
        assert places == list(range(places[0], places[-1] + 1)) and places[0] <= newest
        newest = max(newest, places[-1] + 1)
    assert newest == len(cursors)


def test_progress_is_in_the_journal(new_world):
    """About once a second, so that a crash repeats little, and the journal holds little of it."""
    world = new_world()
    receiver = world.receiver()
    started = time.monotonic()
    world.hook(receiver.url(), types=[20])
    cursors = [world.say(f"text {i}") for i in range(40)]
    receiver.wait_cursor(cursors[-1])
    deadline = time.monotonic() + PATIENCE

    def written():
        """(how far the newest one says, how many there are)"""
        dump = run(["journal", "dump", str(world.server.data), "--json"]).stdout.splitlines()
        found = [json.loads(line) for line in dump if '"hook_progress"' in line]
        return found[-1]["fields"]["cursor"] if found else 0, len(found)

    while written()[0] < cursors[-1]:
        assert time.monotonic() < deadline
    assert written()[1] <= time.monotonic() - started + 2
    world.server.restart(signal.SIGKILL)
    cursors.append(world.say("the last"))
    receiver.wait_cursor(cursors[-1])
    assert receiver.cursors() == cursors


def test_nothing_twice_over_an_orderly_stop(new_world):
    world = new_world()
    receiver = world.receiver()
    hook = world.hook(receiver.url(), types=[20])
    cursors = []
    for turn in range(3):
        cursors += [world.say(f"text {turn}.{i}") for i in range(20)]
        receiver.wait_cursor(cursors[-1])
        assert hook.wait_status(lambda status: status["behind"] == 0)["cursor"] >= cursors[-1]
        world.server.restart(signal.SIGTERM)
    assert hook.status()["cursor"] >= cursors[-1]
    cursors.append(world.say("the last"))
    receiver.wait_cursor(cursors[-1])
    assert receiver.cursors() == cursors


def test_it_goes_on_behind_a_snapshot(new_world):
    """What expired, was renamed or is gone meanwhile is passed over; the rest is there."""
    world = new_world()
    receiver = world.receiver()
    receiver.script.extend([500] * 100000)
    hook = world.hook(receiver.url(), secret="a secret of the app's own")
    gone = world.user1.group(world.user2)
    world.user1.ok(201, "POST", f"/groups/{gone}/messages", {"data": "gone"})
    for name in "first", "second":
        world.user1.ok(200, "PATCH", f"/groups/{world.group}", {"name": name})
    cursors = [world.say(f"text {i}") for i in range(3)]
    world.user1.ok(200, "DELETE", f"/groups/{gone}")
    receiver.wait_requests(2)
    assert run(["snapshot", "--data", str(world.server.data)]).returncode == 0
    world.server.restart(signal.SIGKILL)
    with receiver.changed:
        seen = len(receiver.requests)
        receiver.script.clear()
    last = world.say("the last")
    receiver.wait_cursor(last)
    for request in receiver.requests[seen:]:
        request.check(hook)
    told = receiver.taken()
    assert [event["type"] for event in told] == [71, 20, 20, 20, 75, 20]
    assert told[0]["body"]["name"] == "second"
    assert [event["cursor"] for event in told[1:4] + told[5:]] == [*cursors, last]


# ---- time, threads and secrets ---------------------------------------------------------------------


def test_no_answer_in_time(new_world):
    world = new_world({"--hook-timeout": 1})
    receiver = world.receiver()
    receiver.hold()
    hook = world.hook(receiver.url(), types=[20])
    cursors = [world.say("hello")]
    status = hook.wait_status(lambda status: status["failures"] > 0)
    assert status["last_error"] == "timeout" and "last_status" not in status
    cursors.append(world.say("hello again"))
    receiver.wait_cursor(cursors[-1])
    assert sorted(set(receiver.cursors())) == cursors
    assert receiver.requests[0].cursors == receiver.requests[1].cursors == cursors[:1]
    assert receiver.requests[0].id == receiver.requests[1].id


def masks(server):
    """The signals that each thread but the first blocks."""
    found = []
    for path in Path(f"/proc/{server.process.pid}/task").iterdir():
        try:
            text = (path / "status").read_text()
        except OSError:
            continue  # it has ended since
        if path.name != str(server.process.pid):
            found.append(int(text.split("SigBlk:")[1].split()[0], 16))
    return found


def test_a_machine_without_the_library(new_world, tmp_path):
    """Everything else works; when the library is there, the hook tells what it had to keep."""
    world = new_world(env={
        "LD_PRELOAD": " ".join([*sanitizer(), str(build(tmp_path, "nolib"))]), "NOLIB": "libcurl"})
    receiver = world.receiver()
    hook = world.hook(receiver.url(), types=[20])
    assert world.server.err.wait(re.compile("hooks wait, since libcurl"))
    cursor = world.say("hello")
    status = hook.status()
    assert status["last_error"] == "no_library" and status["behind"] > 0
    world.server.env.pop("NOLIB")
    world.server.restart(signal.SIGTERM)
    receiver.wait_cursor(cursor)
    assert "last_error" not in hook.status()


def test_a_name_that_nobody_finds(new_world, tmp_path):
    """Looking a name up takes as long as it takes, and nobody waits for it: neither for an answer,
    nor when time is up, nor at the end."""
    hanging = tmp_path / "hanging"
    hanging.touch()
    world = new_world({"--hook-timeout": 1}, {
        "LD_PRELOAD": " ".join([*sanitizer(), str(build(tmp_path, "names"))]),
        "HANGING_NAMES": str(hanging)})
    before = len(masks(world.server))
    hook = world.hook("http://somewhere.example/", types=[20])
    socket = world.user2.connect()
    world.say("hello")
    socket.expect(T_MESSAGE, data="hello")
    status = hook.wait_status(lambda status: status["failures"] > 1)
    assert status["last_error"] == "timeout"
    # Those who look names up take no signal that the loop waits for.
    wanted = sum(1 << number - 1 for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1))
    deadline = time.monotonic() + PATIENCE
    while len(taken := masks(world.server)) <= before:  # there is one more with each try
        assert time.monotonic() < deadline
    assert all(mask & wanted == wanted for mask in taken)
    world.server.restart(signal.SIGTERM)
    world.say("hello again")
    hanging.unlink()
    hook.wait_status(lambda status: status.get("last_error") == "no_name")


def test_a_secret_is_nowhere(new_world):
    world = new_world()
    receiver = world.receiver()
    secrets = ["a secret of the app's own", "whsec_" + "c2VjcmV0" * 4]
    hooks = [world.hook(receiver.url(), secret=secret) for secret in secrets]
    hooks.append(world.hook(receiver.url()))
    secrets.append(hooks[-1].secret)
    broken = world.hook("http://127.0.0.1:1/", secret="another one of theirs")
    receiver.wait_cursor(world.say("hello"))
    broken.wait_status(lambda status: status["failures"] > 0)
    for request in receiver.requests:
        assert not any(secret.encode() in request.body for secret in secrets)
    listed = world.app.call("GET", "/admin/hooks").text
    server = world.server
    server.close_clients()
    server.stop()
    dump = run(["journal", "dump", str(server.data), "--texts", "--json"])
    assert dump.returncode == 0 and dump.stdout.count('"hook_create"') == 4
    for secret in [*secrets, "another one of theirs"]:
        for text in listed, dump.stdout, server.err.text(), server.out.text():
            assert secret not in text and secret.removeprefix("whsec_") not in text
    server.start()


def test_many_at_once(world):
    """Hooks that come and go while messages do: each gets what came in its time."""
    receiver = world.receiver()
    steady = world.hook(receiver.url("/steady"), types=[20])
    stop = threading.Event()
    cursors = []

    def talk():
        while not stop.is_set():
            cursors.append(world.say("text", world.user2))

    talking = Task(talk)
    try:
        for i in range(8):
            hook = world.hook(receiver.url(f"/{i}"), types=[20])
            receiver.wait(lambda p=f"/{i}": len(receiver.taken(p)) >= 3)
            hook.delete()
    finally:
        stop.set()
        talking.join()
    receiver.wait_cursor(cursors[-1], "/steady")
    assert receiver.cursors("/steady") == cursors
    for i in range(8):
        got = receiver.cursors(f"/{i}")
        start = cursors.index(got[0])
        assert got == cursors[start:start + len(got)]
    assert steady.wait_status(lambda status: status["behind"] == 0)["cursor"] >= cursors[-1]
