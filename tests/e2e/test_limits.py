"""Members of a group, groups of a user, sessions of a user: at each limit, one beyond, all at once,
after a restart, and where the limit is another then."""
import concurrent.futures
import signal

import pytest

from kit.people import DEVICE, Rest, User, assert_error
from kit.socket import SEND, T_MESSAGE


def at_once(calls):
    """All these at the same time, each on a connection of its own; the answers."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: call(), calls))


def statuses(answers):
    return sorted(answer.status_code for answer in answers)


def as_himself(server, user, method, path, body):
    def call():
        client = Rest(server)
        try:
            return client.call(method, path, body, user.token)
        finally:
            client.close()

    return call


def restart_with(server, **options):
    """Starts again with other limits: what is there stays as it is."""
    before = server.digest()
    server.close_clients()
    server.stop(signal.SIGKILL)
    for name, value in options.items():
        server.options["--" + name.replace("_", "-")] = value
    server.start()
    assert server.digest() == before


def create(user, *others):
    return user.call("POST", "/groups", {"name": "g", "user_ids": [u.id for u in others]})


# ---- members of a group -------------------------------------------------------------------------


@pytest.fixture
def four(new_server):
    """A server where a group has four members at most, and six people."""
    server = new_server(group_members_max=4)
    rest = Rest(server)
    return server, [User(rest) for _ in range(6)]


def test_a_group_is_made_with_as_many_as_there_may_be(four):
    server, (anna, bert, cleo, dora, emil, _) = four
    assert create(anna, bert, cleo, dora).status_code == 201
    # The caller counts, named or not; repeats count once.
    assert create(anna, anna, bert, cleo, dora).status_code == 201
    assert create(anna, bert, bert, bert, cleo, dora, anna, dora).status_code == 201
    socket = bert.connect()
    cursor = socket.info()["cursor"]
    for others in ((bert, cleo, dora, emil), (anna, bert, cleo, dora, emil),
                   (bert, bert, cleo, dora, emil)):
        assert_error(create(anna, *others), 409, "group_full")
    socket.silent()
    assert socket.info()["cursor"] == cursor


def test_a_group_grows_to_its_limit(four):
    server, (anna, bert, cleo, dora, emil, _) = four
    group = anna.group()
    for user in (bert, cleo, dora):
        anna.joins(group, user)
    for _ in range(2):
        assert_error(anna.join(group, emil), 409, "group_full")
        # Who is a member is told so first; who may not add anybody is not told how full it is.
        assert_error(anna.join(group, dora), 409, "already_member")
        assert_error(emil.join(group), 404, "group_not_found")
        restart_with(server)
    dora.leaves(group)
    anna.joins(group, emil)
    assert_error(dora.join(group), 409, "group_full")
    restart_with(server)
    assert_error(dora.join(group), 409, "group_full")
    anna.leaves(group, emil)
    dora.joins(group)


def test_as_many_join_at_once_as_there_is_room_for(four):
    server, (anna, *others) = four
    group = anna.group(others[0])
    answers = at_once([as_himself(server, anna, "PUT", f"/groups/{group}/join",
                                  {"user_id": user.id}) for user in others[1:]])
    assert statuses(answers) == [200, 200, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"group_full"}


def test_a_group_that_is_larger_than_a_new_limit(four):
    """Nobody is sent away; nobody comes until there is room."""
    server, (anna, bert, cleo, dora, emil, _) = four
    group = anna.group(bert, cleo, dora)
    restart_with(server, group_members_max=2)
    sockets = [user.connect() for user in (bert, cleo, dora)]
    anna.connect().ok(SEND, {"group_id": group, "data": "all here"})
    for socket in sockets:
        socket.expect(T_MESSAGE, data="all here")
    assert_error(create(anna, bert, cleo), 409, "group_full")
    for user in (dora, cleo):
        assert_error(anna.join(group, emil), 409, "group_full")
        user.leaves(group)
    assert_error(anna.join(group, emil), 409, "group_full")
    bert.leaves(group)
    anna.joins(group, emil)
    restart_with(server, group_members_max=5)
    for user in (bert, cleo, dora):
        anna.joins(group, user)


# ---- groups of a user ---------------------------------------------------------------------------


@pytest.fixture
def three(new_server):
    """A server where a user is in three groups at most, and three people."""
    server = new_server(user_groups_max=3)
    rest = Rest(server)
    return server, [User(rest) for _ in range(3)]


def test_groups_up_to_the_limit(three):
    server, (anna, bert, cleo) = three
    first, _, last = anna.group(), anna.group(bert), bert.group(anna)
    other = cleo.group()
    for _ in range(2):
        assert_error(create(anna), 409, "too_many_groups")
        assert_error(create(cleo, anna), 409, "too_many_groups")
        assert_error(create(cleo, bert, anna), 409, "too_many_groups")
        assert_error(cleo.join(other, anna), 409, "too_many_groups")
        restart_with(server)
    # What was refused took nobody's place: bert is in two groups still.
    assert create(bert).status_code == 201
    assert_error(create(bert), 409, "too_many_groups")
    anna.leaves(first)
    cleo.joins(other, anna)
    assert_error(anna.join(first), 409, "too_many_groups")
    bert.leaves(last, anna)
    anna.joins(first)


def test_as_many_groups_at_once_as_there_may_be(three):
    server, (anna, *_) = three
    anna.group()
    answers = at_once([as_himself(server, anna, "POST", "/groups", {"name": "g", "user_ids": []})
                       for _ in range(6)])
    assert statuses(answers) == [201, 201, 409, 409, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"too_many_groups"}


def test_more_groups_than_a_new_limit(three):
    server, (anna, bert, _) = three
    groups = [anna.group(bert) for _ in range(3)]
    restart_with(server, user_groups_max=1)
    socket = bert.connect()
    for group in groups:
        anna.connect().ok(SEND, {"group_id": group, "data": group})
        socket.expect(T_MESSAGE, data=group)
    for group in groups[:2]:
        assert_error(create(anna), 409, "too_many_groups")
        anna.leaves(group)
    assert_error(create(anna), 409, "too_many_groups")
    anna.leaves(groups[2])
    assert create(anna).status_code == 201


# ---- sessions of a user -------------------------------------------------------------------------


def living(rest, devices):
    """Those whose messaging URL is one still."""
    return [d for d in devices if rest.call("GET", d.path).status_code == 426]


def test_sessions_up_to_the_limit(new_server):
    server = new_server(user_sessions_max=3)
    rest = Rest(server)
    anna, bert = User(rest), User(rest)
    other = bert.device()
    devices = [anna.device() for _ in range(3)]
    assert living(rest, devices) == devices
    restart_with(server)
    assert living(rest, devices) == devices
    for _ in range(4):
        devices.append(anna.device())
        assert living(rest, devices) == devices[-3:]
    restart_with(server)
    assert living(rest, devices) == devices[-3:]
    assert living(rest, [other]) == [other]


def test_as_many_sessions_at_once_as_there_may_be(new_server):
    server = new_server(user_sessions_max=3)
    rest = Rest(server)
    anna = User(rest)
    answers = at_once([as_himself(server, anna, "POST", "/sessions", DEVICE) for _ in range(10)])
    assert statuses(answers) == [201] * 10
    paths = ["/" + answer.json()["messaging_url"].rsplit("/", 1)[1] for answer in answers]
    codes = [rest.call("GET", path).status_code for path in paths]
    assert sorted(codes) == [404] * 7 + [426] * 3


def test_more_sessions_than_a_new_limit(new_server):
    """They stay until another is made; then as many end as are too many, with their sockets."""
    server = new_server(user_sessions_max=4)
    rest = Rest(server)
    anna = User(rest)
    devices = [anna.device() for _ in range(4)]
    restart_with(server, user_sessions_max=2)
    assert living(rest, devices) == devices
    sockets = [device.connect() for device in devices]
    devices.append(anna.device())
    assert len(living(rest, devices)) == 2 and living(rest, devices[-1:]) == devices[-1:]
    alive = {device.id for device in living(rest, devices)}
    for device, socket in zip(devices, sockets):
        if device.id in alive:
            socket.silent()
        else:
            assert socket.expect_close(4001) == []
    restart_with(server, user_sessions_max=5)
    devices += [anna.device() for _ in range(3)]
    assert len(living(rest, devices)) == 5
