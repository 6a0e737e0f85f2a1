"""Many users and devices at once, on the library that users have."""
import asyncio
import concurrent.futures
import itertools
import json

from kit.people import DEVICE, Rest, User
from kit.server import PATIENCE
from kit.socket import (DELIVERED, EVENTS, READ, SEND, T_DELIVERED, T_GROUP, T_JOINED, T_LEFT,
                        T_MESSAGE, T_READ, T_SENT, T_SYNCED, connect)


def make_users(rest, count):
    return [User(rest) for _ in range(count)]


async def dial(device, query=""):
    return await connect(device.user.server.ws(device.path + query))


async def recv(connection):
    return json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))


async def read_messages(connection, count):
    """Events until `count` messages, as 20 or 21, have come."""
    events = []
    while count:
        event = await recv(connection)
        if event["type"] in (T_MESSAGE, T_SENT):
            events.append(event)
            count -= 1
    return events


def by_group(events):
    groups = {}
    for event in events:
        groups.setdefault(event["body"]["group_id"], []).append(event["body"]["seq"])
    return groups


def test_everybody_sees_every_message_once_and_in_order(rest):
    """Eight users with two devices each in three groups; every device sends."""
    users = make_users(rest, 8)
    groups = [users[0].group(*users[1:]) for _ in range(3)]
    devices = [user.device() for user in users for _ in range(2)]
    each, total = 45, 45 * 16

    async def one(device):
        connection = await dial(device)
        reading = asyncio.create_task(read_messages(connection, total))
        for i in range(each):
            await connection.send(json.dumps({"method": SEND, "body": {
                "group_id": groups[i % 3], "data": f"{device.id} {i}"}}))
        events = await reading
        await connection.close()
        return events

    async def everybody():
        return await asyncio.gather(*(one(device) for device in devices))

    views = asyncio.run(everybody())
    places = {}
    for device, events in zip(devices, views):
        assert by_group(events) == {group: list(range(1, total // 3 + 1)) for group in groups}
        assert [e["cursor"] for e in events] == sorted(e["cursor"] for e in events)
        assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)
        assert len([e for e in events if e["type"] == T_SENT]) == each
        for event in events:
            place = (event["body"]["group_id"], event["body"]["seq"])
            same = (event["body"]["message_id"], event["cursor"], event["timestamp"])
            assert places.setdefault(place, same) == same
        # One's own come in the order in which they were sent, within each group.
    for group in groups:
        texts = [e["body"]["data"] for e in views[0] + views[1]
                 if e["type"] == T_MESSAGE and e["body"]["group_id"] == group]
        for device in devices[2:]:
            own = list(dict.fromkeys(t for t in texts if t.startswith(device.id)))
            assert own == [f"{device.id} {i}" for i in range(each) if groups[i % 3] == group]


def test_coming_back_at_any_moment_leaves_no_gap_and_tells_nothing_twice(rest):
    """While two users talk, devices come and go: resuming from the last cursor, each sees every
    message exactly once, whether on catch-up or live."""
    users = make_users(rest, 4)
    group = users[0].group(*users[1:])
    total = 600

    async def talk(device, count):
        connection = await dial(device)
        for i in range(count):
            await connection.send(json.dumps({"method": SEND, "body": {
                "group_id": group, "data": str(i)}}))
            while (await recv(connection))["type"] != T_SENT:
                pass
        await connection.close()

    async def come_and_go(device, step):
        """With ?after= the first frame is the first that was missed."""
        seen, cursor = [], 0
        for stay in itertools.cycle([step, 1, 2 * step, 3]):
            connection = await dial(device, f"?after={cursor}")
            for _ in range(stay):
                event = await recv(connection)
                if event["type"] == T_SYNCED:
                    assert event["body"]["more"] is False
                    continue
                assert event["cursor"] > cursor
                cursor = event["cursor"]
                if event["type"] == T_MESSAGE:
                    seen.append(event["body"]["seq"])
                if len(seen) == total:
                    break
            await connection.close()
            if len(seen) == total:
                return seen

    async def page_and_go(device, step):
        """With method 20 a live event may come before the answer to the first call, since a socket
        is live from the start. So a cursor counts from the first 12 on."""
        seen, cursor = [], 0
        while len(seen) < total:
            connection = await dial(device)
            first = more = True
            while more:
                await connection.send(json.dumps({"method": EVENTS, "body": {
                    "after": cursor, "limit": step}}))
                page = {}
                while (event := await recv(connection))["type"] != T_SYNCED:
                    assert first or event["cursor"] not in page
                    page[event["cursor"]] = event
                end, more, first = event["body"]["cursor"], event["body"]["more"], False
                seen += [page[at]["body"]["seq"] for at in sorted(page)
                         if cursor < at <= end and page[at]["type"] == T_MESSAGE]
                cursor = end
            for _ in range(min(step, total - len(seen))):
                event = await recv(connection)
                assert event["type"] == T_MESSAGE and event["cursor"] > cursor
                cursor = event["cursor"]
                seen.append(event["body"]["seq"])
            await connection.close()
        return seen

    async def everybody():
        readers = [come_and_go(users[2].device(), 5), come_and_go(users[3].device(), 40),
                   page_and_go(users[2].device(), 7), page_and_go(users[3].device(), 23)]
        results = await asyncio.gather(*readers, talk(users[0].device(), total // 2),
                                       talk(users[1].device(), total // 2))
        return results[:4]

    for seen in asyncio.run(everybody()):
        assert seen == list(range(1, total + 1))


def test_receipts_of_many_readers(rest):
    """The author is told of everybody's last position, and no mark ever goes back."""
    users = make_users(rest, 6)
    group = users[0].group(*users[1:])
    total = 60

    async def read(device):
        connection = await dial(device)
        for event in await read_messages(connection, total):
            for method in (DELIVERED, READ):
                await connection.send(json.dumps({"method": method, "body": {
                    "message_id": event["body"]["message_id"]}}))
        return connection

    async def write(device):
        connection = await dial(device)
        for i in range(total):
            await connection.send(json.dumps({"method": SEND, "body": {
                "group_id": group, "data": str(i)}}))
        marks, times = {}, 0
        last = {(kind, user.id): total for kind in (T_DELIVERED, T_READ) for user in users[1:]}
        while marks != last:
            event = await recv(connection)
            if event["type"] in (T_DELIVERED, T_READ):
                key = (event["type"], event["body"]["user_id"])
                assert event["body"]["seq"] > marks.get(key, 0)
                marks[key] = event["body"]["seq"]
                times += 1
        assert times == 2 * 5 * total
        await connection.close()

    async def everybody():
        connected = [user.device() for user in users]
        *readers, _ = await asyncio.gather(*(read(device) for device in connected[1:]),
                                           write(connected[0]))
        for connection in readers:
            await connection.close()

    asyncio.run(everybody())


def all_at_once(server, calls):
    """Runs each call(rest) on a thread and a connection of its own; their results in order."""
    def one(call):
        client = Rest(server)
        try:
            return call(client)
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def statuses(answers):
    return sorted(answer.status_code for answer in answers)


def test_members_come_and_go_at_once(server, rest):
    """REST from many threads; what the owner's socket is told adds up to what is the case."""
    users = make_users(rest, 7)
    owner, others = users[0], users[1:]
    group = owner.group()
    socket = owner.connect()

    def churn(user):
        return lambda rest: [rest.call(
            "PUT", f"/groups/{group}/{'left' if i % 2 else 'join'}", {"user_id": user.id},
            (user if i else owner).token).status_code for i in range(12)]

    assert all_at_once(server, [churn(user) for user in others]) == [[200] * 12] * 6
    events = socket.fence()
    assert len(events) == 72
    members = {owner.id}
    for event in events:
        assert event.type == (T_LEFT if event.body["user_id"] in members else T_JOINED)
        members ^= {event.body["user_id"]}
    assert members == {owner.id}
    assert [e.cursor for e in events] == sorted(e.cursor for e in events)


def test_one_seat_and_many_who_want_it(new_server):
    """Requests that are each right alone are decided in the order of the journal."""
    server = new_server(group_members_max=3)
    owner, *others = make_users(Rest(server), 9)
    group = owner.group(others[0])
    answers = all_at_once(server, [
        lambda rest, user=user: rest.call("PUT", f"/groups/{group}/join", {"user_id": user.id},
                                          owner.token) for user in others[1:]])
    assert statuses(answers) == [200] + [409] * 6


def test_one_group_left_and_many_that_are_made(new_server):
    server = new_server(user_groups_max=3)
    owner, *others = make_users(Rest(server), 9)
    owner.group()
    owner.group()
    body = {"name": "g", "user_ids": [owner.id]}
    answers = all_at_once(server, [
        lambda rest, user=user: rest.call("POST", "/groups", body, user.token) for user in others])
    assert statuses(answers) == [201] + [409] * 7


def test_many_devices_at_once_for_few_sessions(new_server):
    server = new_server(user_sessions_max=2)
    user, = make_users(Rest(server), 1)
    answers = all_at_once(server, [
        lambda rest: rest.call("POST", "/sessions", DEVICE, user.token) for _ in range(8)])
    assert statuses(answers) == [201] * 8
    paths = ["/" + answer.json()["messaging_url"].rsplit("/", 1)[1] for answer in answers]
    assert sorted(user.rest.call("GET", path).status_code for path in paths) == (
        [404] * 6 + [426] * 2)


def test_many_groups_at_once(server, rest):
    users = make_users(rest, 5)
    socket = users[4].connect()

    def make(user):
        return lambda rest: [rest.ok(201, "POST", "/groups", {
            "name": f"g{i}", "user_ids": [users[4].id]}, user.token)["id"] for i in range(25)]

    made = [group for groups in all_at_once(server, [make(user) for user in users[:4]])
            for group in groups]
    events = socket.take(100)
    assert {e.type for e in events} == {T_GROUP}
    assert sorted(e.body["group_id"] for e in events) == sorted(made)
    socket.silent()
