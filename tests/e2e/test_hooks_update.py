"""A hook is changed: where it posts, what, and under which secret; and nothing is lost by that."""
import json
import signal
import threading

import pytest

from kit.checks import NOBODY
from kit.hooked import World, lasting
from kit.people import assert_error
from kit.server import run


@pytest.fixture(scope="module", name="shared")
def make_shared(tmp_path_factory):
    options = {"--hook-batch": 5}
    with lasting(tmp_path_factory.mktemp("hooks"), options) as made:
        yield made


@pytest.fixture(name="world")
def make_world(shared):
    yield shared
    shared.clear()


def test_another_url(world):
    """In the middle of a request that hangs: it is cut, and what it told comes at the new place, as
    what is behind it."""
    one, two = world.receiver(), world.receiver()
    gate = one.hold()
    hook = world.hook(one.url(), types=[20])
    cursors = [world.say(f"text {i}") for i in range(12)]
    one.wait_requests(1)
    answer = hook.update(url=two.url("/new"))
    assert answer == {**{name: hook.made[name] for name in ("hook_id", "types", "created_at")},
                      "url": two.url("/new"), "cursor": answer["cursor"]}
    assert answer["cursor"] < cursors[0]
    two.wait_cursor(cursors[-1])
    gate.set()
    assert two.cursors("/new") == cursors
    assert len(one.requests) == 1
    for request in two.requests:
        request.check(hook)
    status = hook.wait_status(lambda status: status["behind"] == 0)
    assert status["url"] == two.url("/new") and status["failures"] == 0


def test_one_that_rests_is_asked_at_once(tmp_path):
    """Whatever its pause was."""
    world = World(tmp_path, {"--hook-pause-min": 3600000, "--hook-pause-max": 3600000})
    try:
        one, two = world.receiver(), world.receiver()
        one.script.append(500)
        hook = world.hook(one.url(), types=[20])
        cursor = world.say("hello")
        hook.wait_status(lambda status: "next_try_at" in status)
        hook.update(url=two.url())
        two.wait_cursor(cursor)
        status = hook.wait_status(lambda status: status["behind"] == 0)
        assert status["failures"] == 0 and "last_error" not in status
        world.end(signal.SIGTERM)
    finally:
        world.server.abandon()


def test_other_types(world):
    """They are those of what was not taken yet."""
    receiver = world.receiver()
    receiver.script.append(500)
    gate = receiver.hold()
    hook = world.hook(receiver.url(), types=[20, 72])
    extra = world.user1.group()
    first = world.say("first")
    receiver.wait_requests(2)
    for text in "second", "third":
        world.say(text)
    answer = hook.update(types=["message_posted", 70])
    assert answer["types"] == [20, 70] == hook.status()["types"]
    gate.set()
    last = world.say("last")
    receiver.wait_cursor(last)
    told = [event for event in receiver.taken() if event["cursor"] >= first]
    assert sorted({event["body"]["data"] for event in told}) == ["first", "last", "second", "third"]
    assert hook.update(types=None)["types"] == []
    world.user1.ok(200, "PATCH", f"/groups/{extra}", {"name": "told now"})
    receiver.wait(lambda: any(event["type"] == 71 for event in receiver.taken()))


def test_names_differ_where_the_events_do(world):
    """The same first and last event, and one between them that is told by one of the two only."""
    receiver = world.receiver()
    receiver.script.extend([500] * 100000)
    start = world.say("start")
    group = world.user1.group()
    world.user1.ok(201, "POST", f"/groups/{group}/messages", {"data": "one"})
    world.user1.ok(200, "PATCH", f"/groups/{group}", {"name": "between"})
    last = world.user1.ok(201, "POST", f"/groups/{group}/messages", {"data": "two"})["cursor"]
    hook = world.hook(receiver.url(), types=[20], after=start)
    receiver.wait_requests(1)
    with receiver.changed:
        before = len(receiver.requests)
    hook.update(types=[20, 71])
    receiver.wait(lambda: any(len(request.events) == 3 for request in receiver.requests[before:]))
    seen = {len(request.events): request for request in receiver.requests}
    assert seen[2].cursors[0] == seen[3].cursors[0] and seen[2].cursors[-1] == seen[3].cursors[-1] == last
    assert seen[2].id != seen[3].id


@pytest.mark.parametrize("new", ["another one of the app's own", "whsec_" + "QUJD" * 8, None])
def test_another_secret(world, new):
    """Both sign, so that a receiver that knows one of them takes all; over a restart too."""
    receiver = world.receiver()
    hook = world.hook(receiver.url(), types=[20])
    first = hook.secret
    receiver.wait_cursor(world.say("before"))
    receiver.requests[-1].check(hook)
    hook.update(secret=new)
    assert hook.secret != first
    receiver.wait_cursor(world.say("behind"))
    receiver.requests[-1].check(hook, first)
    # Once more the same, as who heard no answer does.
    second = hook.secret
    hook.update(secret=second)
    receiver.wait_cursor(world.say("again"))
    receiver.requests[-1].check(hook, first)
    world.server.restart(signal.SIGKILL)
    receiver.wait_cursor(cursor := world.say("behind a crash"))
    next(request for request in receiver.requests if cursor in request.cursors).check(hook, first)
    assert run(["snapshot", "--data", str(world.server.data)]).returncode == 0
    world.server.restart(signal.SIGTERM)
    receiver.wait_cursor(cursor := world.say("behind a snapshot"))
    next(request for request in receiver.requests if cursor in request.cursors).check(hook, first)
    # Another one ends the first.
    hook.update(secret="a third")
    receiver.wait_cursor(cursor := world.say("the last"))
    next(request for request in receiver.requests if cursor in request.cursors).check(hook, second)


def test_a_secret_that_ends_at_once(tmp_path):
    world = World(tmp_path, {"--hook-secret-hours": 0})
    try:
        receiver = world.receiver()
        hook = world.hook(receiver.url(), types=[20])
        hook.update(secret="another")
        receiver.wait_cursor(world.say("hello"))
        receiver.requests[-1].check(hook)
        world.end(signal.SIGTERM)
    finally:
        world.server.abandon()


def test_secrets_change_while_people_talk(world):
    """Each request is signed by the secret of now or the one before; all of it arrives, in order."""
    receiver = world.receiver()
    hook = world.hook(receiver.url(), types=[20], secret="secret 0")
    cursors = []

    def talk():
        cursors.extend(world.say(f"text {i}") for i in range(60))

    thread = threading.Thread(target=talk)
    thread.start()
    for i in range(1, 10):
        hook.update(secret=f"secret {i}")
    thread.join()
    receiver.wait_cursor(cursors[-1])
    assert list(dict.fromkeys(receiver.cursors())) == cursors
    for request in receiver.requests:
        assert request.signed("secret 0") or any(request.signed(f"secret {i + 1}", f"secret {i}")
                                                 for i in range(9))


@pytest.mark.parametrize("body", [
    {}, {"after": 5}, {"url": None}, {"url": ""}, {"url": 7}, {"url": "ftp://h/"},
    {"url": "http://user@h/"}, {"url": "http://h/" + "x" * 2048}, {"types": []}, {"types": [21]},
    {"types": "20"}, {"secret": ""}, {"secret": 7}, {"secret": "x" * 256}, {"secret": "whsec_!"},
    {"url": "http://h/", "types": [1]}, {"types": [20], "secret": ""},
], ids=repr)
def test_what_is_refused(world, body):
    """All of it, or nothing."""
    hook = world.hook("http://127.0.0.1:1/", types=[20])
    assert_error(world.app.call("PATCH", f"/admin/hooks/{hook.id}", body), 400, "invalid_field")
    assert (hook.status()["url"], hook.status()["types"]) == ("http://127.0.0.1:1/", [20])


def test_what_is_not_there(world):
    assert_error(world.app.call("PATCH", f"/admin/hooks/{NOBODY}", {"types": [20]}), 404, "hook_not_found")
    assert_error(world.app.call("PATCH", "/admin/hooks/x", {"types": [20]}), 404, "not_found")
    hook = world.hook("http://127.0.0.1:1/")
    assert_error(world.app.call("PATCH", f"/admin/hooks/{hook.id}", {"types": [20]}, key="x" * 43), 401,
                 "unauthorized")
    hook.delete()
    assert_error(world.app.call("PATCH", f"/admin/hooks/{hook.id}", {"types": [20]}), 404, "hook_not_found")


def test_no_secret_is_shown(world):
    """Neither the one of now nor the one before: not by the tools, not by the list."""
    hook = world.hook("http://127.0.0.1:1/", secret="the first secret of all")
    hook.update(secret="the second secret of all", url="http://127.0.0.1:1/x")
    dump = run(["journal", "dump", str(world.server.data), "--json", "--texts"])
    assert "hook_update" in dump.stdout and "secret of all" not in dump.stdout
    assert "secret of all" not in json.dumps(hook.status())
