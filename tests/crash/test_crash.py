"""kill -9 under load, again and again: what was acknowledged or seen is there, once, in order.

GROUPS_CHAT_CRASH_SECONDS is how long [40]; GROUPS_CHAT_CRASH_SEED repeats a run's choices.
"""
import asyncio
import os
import random
import signal
import time

import pytest

from kit.people import Rest, User, assert_error
from kit.server import Server
from kit.socket import INFO, T_GROUP, T_MESSAGE, T_SENT

from facts import Officer
from load import Clerk, Ledger, Reader, Sender, marks_told

SECONDS = float(os.environ.get("GROUPS_CHAT_CRASH_SECONDS", "40"))
SEED = int(os.environ.get("GROUPS_CHAT_CRASH_SEED", random.randrange(10 ** 9)))


class Town:
    """The people of one run and what they know."""

    def __init__(self, server, seed):
        self.server = server
        self.rest = Rest(server)
        self.ledger = Ledger(random.Random(seed))
        self.senders = [User(self.rest, f"sender{i}") for i in range(3)]
        self.readers = [User(self.rest, f"reader{i}") for i in range(2)]
        self.owner, self.guest = User(self.rest, "owner"), User(self.rest, "guest")
        everybody = [*self.senders, *self.readers]
        self.groups = [self.owner.group(*everybody) for _ in range(3)]
        self.ledger.users += [self.owner, *everybody]
        self.clients = [Sender(self.ledger, self.device(user), self.groups)
                        for user in [*self.senders, self.senders[0]]]
        self.clients += [Reader(self.ledger, self.device(user)) for user in self.readers]
        self.clerk = Clerk(self.ledger, self.rest, self.owner, self.guest, self.owner.group())
        self.officer = Officer(self.ledger, server)

    def device(self, user):
        device = user.device()
        self.ledger.sessions.append(device)
        return device

    def arm(self):
        self.ledger.arm(self.server.process.kill)

    async def until_death(self):
        self.arm()
        await asyncio.gather(self.clerk.run(), self.officer.run(),
                             *(client.run() for client in self.clients))

    def round(self):
        """Load, death, and two starts that come to the same."""
        asyncio.run(self.until_death())
        assert self.server.wait() == -signal.SIGKILL
        # Whatever the setting, what the death of the process alone may cost is nothing.
        self.server.options["--fsync"] = self.ledger.rng.choice(["always", "1s", "off"])
        self.server.start()
        digest = self.server.digest()
        self.server.restart(self.ledger.rng.choice([signal.SIGTERM, signal.SIGKILL]))
        assert self.server.digest() == digest

    # ---- what must be there at the end ----------------------------------------------------------

    def check_messages(self, events):
        """`events`: everything that a reader is told who was there all the time."""
        stored = {}
        for event in events:
            if event.type == T_MESSAGE:
                place = (event.body["group_id"], event.body["seq"])
                assert place not in stored, event.raw
                stored[place] = (event.body["message_id"], event.cursor, event["timestamp"],
                                 event.body["data"])
        for place, fields in self.ledger.messages.items():
            assert place in stored, (place, fields)
            assert stored[place][:3] == fields[:3] and fields[3] in (None, stored[place][3])
        for group in self.groups:
            places = [seq for at, seq in stored if at == group]
            assert places == list(range(1, len(places) + 1))
        values = list(stored.values())
        assert len({fields[0] for fields in values}) == len(values)
        # Every text has a name of its own, so what was sent twice is not stored twice.
        assert len({fields[3] for fields in values}) == len(values)

    def check_own(self, events):
        """An author's own messages come as 20 and 21, in pairs."""
        sent = [e for e in events if e.type == T_SENT]
        ids = {e.body["message_id"] for e in sent}
        own = [e for e in events if e.type == T_MESSAGE and e.body["message_id"] in ids]
        assert sent and [(e.cursor, e.body["seq"]) for e in sent] == [
            (e.cursor, e.body["seq"]) for e in own]

    def check_marks(self, author):
        """What a reader was told to have read, the authors are told of. An author is told places of
        own messages, so the comparison is up to the author's last before the mark."""
        events = author.connect().catch_up(0)
        for (group, user), mark in self.ledger.marks.items():
            own = [e.body["seq"] for e in events if e.type == T_SENT and
                   e.body["group_id"] == group and e.body["seq"] <= mark]
            if own:
                assert marks_told(events, group).get(user, 0) >= own[-1], (group, user, mark)

    def check_people(self):
        for user in self.ledger.users:
            assert_error(user.call("POST", "/sessions", {}), 400, "invalid_field")
        for user in self.ledger.rng.sample(self.ledger.users, min(20, len(self.ledger.users))):
            user.login()
        for name in self.clerk.lost:
            answer = self.rest.call("POST", "/users", {
                "username": name, "email": f"{name}@example.com", "password": "0000"})
            assert answer.status_code in (201, 409)

    def check_sessions(self):
        for device in self.ledger.rng.sample(self.ledger.sessions,
                                             min(100, len(self.ledger.sessions))):
            socket = device.connect()
            assert socket.info()["session_id"] == device.id
            socket.close()

    def check_groups(self, events):
        told = {e.body["group_id"]: sorted(e.body["user_ids"]) for e in events if e.type == T_GROUP}
        assert told.items() >= self.ledger.groups.items()

    def check(self):
        everything = [user.connect().everything() for user in (self.readers[0], self.readers[1],
                                                               self.senders[0], self.owner)]
        for events in everything:
            self.check_messages(events)
            assert [e.cursor for e in events] == sorted(e.cursor for e in events)
        self.check_own(everything[2])
        self.check_marks(self.senders[0])
        self.check_groups(everything[3])
        self.check_people()
        self.check_sessions()
        self.officer.check()


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data", {
        "--send-rate": 0, "--user-sessions-max": 65536, "--segment-size": "1m"}).start()
    yield server
    if server.err:
        print(server.err.text())
    server.abandon()


def test_kill_9_under_load(server):
    print(f"seed {SEED}")
    town = Town(server, SEED)
    end = time.monotonic() + SECONDS
    rounds = 0
    while rounds < 3 or time.monotonic() < end:
        town.round()
        rounds += 1
    town.check()
    acknowledged = len(town.ledger.messages)
    print(f"{rounds} rounds, {acknowledged} messages, {len(town.ledger.users)} users, "
          f"{len(town.ledger.sessions)} sessions, {len(town.ledger.groups)} groups")
    assert acknowledged > 0 and town.ledger.marks
    town.senders[0].connect().ok(INFO)
    server.check_replay(signal.SIGTERM)
