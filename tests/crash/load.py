"""Clients that keep a server busy until it dies, and the ledger of what they know for certain."""
import asyncio
import json

import requests
import websockets

from kit.people import DEVICE, User
from kit.server import PATIENCE
from kit.socket import (READ, SEND, T_GROUP, T_MESSAGE, T_READ, T_REPLY, T_SENT, T_SYNCED,
                        connect)

GONE = (websockets.ConnectionClosed, websockets.InvalidHandshake, OSError)


class Ledger:
    """What was acknowledged or seen, so must be there for ever; and when the server is to die."""

    def __init__(self, rng):
        self.rng = rng
        self.messages = {}     # (group, seq) -> (message_id, cursor, timestamp, data or None)
        self.marks = {}        # (group, user) -> the greatest seq whose reading was acknowledged
        self.users = []
        self.sessions = []     # Device
        self.groups = {}       # id -> user ids
        self.answers = 0
        self.deadly = None
        self.kill = None

    def arm(self, kill):
        """From now on: dies some answers later, at no particular moment."""
        self.deadly = self.answers + self.rng.randint(1, 600)
        self.kill = kill

    def answered(self):
        self.answers += 1
        if self.kill and self.answers >= self.deadly:
            asyncio.get_running_loop().call_later(self.rng.random() * 0.03, self.kill)
            self.kill = None

    def message(self, event, data=None):
        """A message that anybody was told of: always the same, whoever is told, and when."""
        body = event["body"]
        place = (body["group_id"], body["seq"])
        known = self.messages.get(place)
        fields = (body["message_id"], event["cursor"], event["timestamp"])
        assert known is None or known[:3] == fields, (known, event)
        data = body.get("data", data)
        assert known is None or None in (known[3], data) or known[3] == data, (known, event)
        if known is None or known[3] is None:
            self.messages[place] = (*fields, data)
        self.answered()


class Client:
    """A device that resumes from its cursor each time the server is back."""

    def __init__(self, ledger, device):
        self.ledger = ledger
        self.device = device
        self.cursor = 0
        self.epoch = None
        self.connection = None

    async def run(self):
        """Until the server dies."""
        url = self.device.user.server.ws(f"{self.device.path}?after={self.cursor}")
        try:
            self.connection = await connect(url)
            await self.connected()
            while True:
                text = await asyncio.wait_for(self.connection.recv(), PATIENCE)
                await self.told(json.loads(text))
        except GONE:
            return

    async def connected(self):
        pass

    async def call(self, method, body, **envelope):
        await self.connection.send(json.dumps({"method": method, "body": body, **envelope}))

    async def told(self, event):
        """Durable events come in order, and never one that was told before."""
        if event["type"] == T_SYNCED:
            assert event["body"]["reset"] is False and event["body"]["more"] is False, event
            assert self.epoch in (None, event["body"]["epoch"]), event
            self.epoch = event["body"]["epoch"]
            assert event["body"]["cursor"] >= self.cursor, (self.cursor, event)
            self.cursor = event["body"]["cursor"]
        elif "cursor" in event and "duplicate" not in event["body"]:
            assert event["cursor"] >= self.cursor, (self.cursor, event)
            self.cursor = event["cursor"]


class Sender(Client):
    """Sends without waiting, each message under a name of its own; what was not acknowledged when
    the server died is sent again under the same name."""

    OPEN = 16

    def __init__(self, ledger, device, groups):
        super().__init__(ledger, device)
        self.groups = groups
        self.sent = 0
        self.open = {}

    async def connected(self):
        for body in self.open.values():
            await self.call(SEND, body)
        await self.fill()

    async def fill(self):
        while len(self.open) < self.OPEN:
            self.sent += 1
            name = f"{self.device.id[:8]}-{self.sent}"
            size = self.ledger.rng.choice([0, 10, 100, 5000])
            body = {"group_id": self.ledger.rng.choice(self.groups), "client_id": name,
                    "data": f"{name} " + "x" * size}
            self.open[name] = body
            await self.call(SEND, body)

    async def told(self, event):
        await super().told(event)
        if event["type"] == T_MESSAGE:
            self.ledger.message(event)
        elif event["type"] == T_SENT:
            body = self.open.pop(event["body"]["client_id"], None)
            self.ledger.message(event, body and body["data"])
            await self.fill()
        else:
            assert event["type"] != T_REPLY, event


class Reader(Client):
    """Sees each message of each group once and in order, and says what it has read."""

    def __init__(self, ledger, device):
        super().__init__(ledger, device)
        self.seen = {}
        self.reading = {}

    async def told(self, event):
        if event["type"] == T_REPLY:
            assert event["body"]["ok"] is True, event
            group, seq = self.reading.pop(event["id"])
            key = (group, self.device.user.id)
            self.ledger.marks[key] = max(seq, self.ledger.marks.get(key, 0))
            self.ledger.answered()
            return
        if event["type"] in (T_MESSAGE, T_GROUP):
            assert event["cursor"] > self.cursor, (self.cursor, event)
        await super().told(event)
        if event["type"] != T_MESSAGE:
            return
        group, seq = event["body"]["group_id"], event["body"]["seq"]
        assert seq == self.seen.get(group, 0) + 1, (self.seen, event)
        self.seen[group] = seq
        self.ledger.message(event)
        if self.ledger.rng.random() < 0.2:
            self.reading[event["cursor"]] = (group, seq)
            await self.call(READ, {"message_id": event["body"]["message_id"]}, id=event["cursor"])


class Clerk:
    """REST: accounts, devices, groups, coming and going, one call after the other."""

    def __init__(self, ledger, rest, owner, guest, group):
        self.ledger = ledger
        self.rest = rest
        self.owner = owner
        self.guest = guest
        self.group = group
        self.inside = False
        self.certain = True
        self.names = 0
        self.lost = []

    async def run(self):
        acts = [self.register, self.device, self.make_group, self.come_or_go, self.come_or_go]
        loop = asyncio.get_running_loop()
        try:
            while True:
                await loop.run_in_executor(None, self.ledger.rng.choice(acts))
                self.ledger.answered()
        except requests.RequestException:
            return

    def register(self):
        self.names += 1
        name = f"clerk{self.names}"
        self.lost.append(name)
        self.ledger.users.append(User(self.rest, name))
        self.lost.pop()

    def device(self):
        user = self.ledger.rng.choice(self.ledger.users)
        self.ledger.sessions.append(user.device(**DEVICE))

    def make_group(self):
        members = self.ledger.rng.sample(self.ledger.users, min(3, len(self.ledger.users)))
        group = self.owner.group(*members)
        self.ledger.groups[group] = sorted({self.owner.id} | {user.id for user in members})

    def come_or_go(self):
        """Also a call whose answer was lost has happened or has not."""
        was_certain, self.certain = self.certain, False
        if self.inside:
            answer = self.guest.left(self.group)
            expected = {200} if was_certain else {200, 404}
        else:
            answer = self.owner.join(self.group, self.guest)
            expected = {200} if was_certain else {200, 409}
        assert answer.status_code in expected, answer.text
        self.inside = not self.inside
        self.certain = True


def marks_told(events, group):
    """The greatest place of each reader in what an author is told of a group."""
    marks = {}
    for event in events:
        if event["type"] == T_READ and event["body"]["group_id"] == group:
            user = event["body"]["user_id"]
            marks[user] = max(marks.get(user, 0), event["body"]["seq"])
    return marks
