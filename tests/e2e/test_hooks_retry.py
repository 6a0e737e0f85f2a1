"""When a webhook that was not taken is tried again, and what the receiver may say about that."""
import email.utils
import re
import time

import pytest

from kit.hooked import lasting

LONG = 3000  # seconds: nobody would see the end of it


@pytest.fixture(scope="module", name="shared")
def make_shared(tmp_path_factory):
    options = {"--hook-pause-max": 3600 * 1000}
    with lasting(tmp_path_factory.mktemp("hooks"), options) as made:
        yield made


@pytest.fixture(name="world")
def make_world(shared):
    yield shared
    shared.clear()


def date(seconds, form):
    """So many seconds from now. The names of days and months are those of the C locale."""
    if form == "fixdate":
        return email.utils.formatdate(time.time() + seconds, usegmt=True)
    return time.strftime(form, time.gmtime(time.time() + seconds))


def pauses(world, *answers):
    """The seconds between the request that was answered so and the one behind it, of each."""
    receiver = world.receiver()
    receiver.script.extend(answers)
    world.hook(receiver.url(), types=[20])
    receiver.wait_cursor(world.say("hello"))
    times = [request.at for request in receiver.requests]
    assert len(times) == len(answers) + 1
    return [later - before for before, later in zip(times, times[1:])]


def left(hook):
    """Its status, and the seconds until it is tried again."""
    status = hook.wait_status(lambda status: "next_try_at" in status)
    return status, status["next_try_at"] / 1000 - time.time()


def test_seconds(world):
    """Otherwise the first pause is ten milliseconds."""
    assert pauses(world, (503, "1"))[0] > 0.9


FORMS = ["fixdate", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]


@pytest.mark.parametrize("form", [None, *FORMS])
@pytest.mark.parametrize("status", [429, 503])
def test_later(world, status, form):
    receiver = world.receiver()
    receiver.script.append((status, date(LONG, form) if form else str(LONG)))
    hook = world.hook(receiver.url(), types=[20])
    world.say("hello")
    said, seconds = left(hook)
    assert (said["last_status"], said["failures"]) == (status, 1)
    assert LONG - 600 < seconds <= LONG + 1


def test_what_says_nothing(world):
    """Each of these would take very long if it counted; a date that is over is no pause but the
    shortest."""
    long = str(LONG)
    over, cut = date(-LONG, "fixdate"), date(LONG, "fixdate")[5:]
    for answers in ([(500, long), (404, long), (413, long)], [(503, long, long), (503, long + " s")],
                    [(503, "-" + long), (429, long + ".5"), (503, "")], [(503, "soon"), (503, cut)],
                    [(503, over), (503, "0")], [("http://127.0.0.1:1/", long)]):
        pauses(world, *answers)


@pytest.mark.parametrize("said", ["3601", "9" * 40, date(86400 * 365, "fixdate")],
                         ids=["one", "many", "date"])
def test_no_longer_than_the_longest_pause(world, said):
    receiver = world.receiver()
    receiver.script.append((503, said))
    hook = world.hook(receiver.url(), types=[20])
    world.say("hello")
    status, seconds = left(hook)
    assert status["last_status"] == 503 and status["failures"] == 1
    assert 3000 < seconds <= 3601


def test_gone(world):
    """It is asked again all the same, but not soon: only whoever made the hook takes it away. What it
    is to be told waits for it."""
    receiver = world.receiver()
    receiver.script.append(410)
    hook = world.hook(receiver.url(), types=[20])
    world.say("hello")
    status, seconds = left(hook)
    assert status["last_status"] == 410 and status["failures"] == 1 and status["behind"] > 0
    assert 2600 < seconds <= 3601
    assert world.server.err.wait(re.compile(f"hook {hook.id}: .* the answer was 410: .*delete the hook"))


def test_what_the_log_says(world):
    """One line where it begins to fail, one where that is over; no URL, and no line for each try."""
    receiver = world.receiver()
    receiver.script.extend([500] * 5)
    hook = world.hook(receiver.url("/a-secret-path"), types=[20])
    receiver.wait_cursor(world.say("hello"))
    hook.wait_status(lambda status: status["behind"] == 0)
    assert world.server.err.wait(re.compile(f"hook {hook.id}: it is delivered again"))
    lines = [line for line in world.server.err.lines if hook.id in line]
    assert len(lines) == 2 and "nothing is delivered" in lines[0] and "was 500" in lines[0]
    assert not any("a-secret-path" in line for line in world.server.err.lines)
