"""Clients that follow what happens, break off anywhere, and go on from the cursor that they hold: by
?after=, by method 20, and by GET /events. Each keeps a mirror and checks that nothing comes twice."""
import itertools
import json
import uuid

from . import raw
from .mirror import Mirror
from .socket import (EVENTS, INFO, SEND, T_DELIVERED, T_INFO, T_MESSAGE, T_READ, T_REPLY, T_SENT,
                     T_SYNCED)

NUMBERS = itertools.count(1)


class Follower:
    """What all have in common: a cursor, and what was made of the events up to it."""

    def __init__(self, user):
        self.user = user
        self.mirror = Mirror(user)
        self.cursor = 0
        self.epoch = user.ok(200, "GET", "/sync?limit=1")["epoch"]  # of the cursor
        self.trace = []  # for whoever looks into a failure

    def take(self, event):
        """An event in its order. What is told again, live, has the cursor of then, and that is not
        one to hold: a 21 that says `duplicate`, and a receipt that moved nothing."""
        kind, cursor = event["type"], event.get("cursor")
        self.trace.append(event)
        if cursor is None or (kind == T_SENT and event["body"].get("duplicate")):
            return
        behind_its_20 = kind == T_SENT and cursor == self.cursor
        again = kind in (T_DELIVERED, T_READ) and cursor <= self.cursor
        assert cursor > self.cursor or behind_its_20 or again, (self.cursor, event)
        self.cursor = max(self.cursor, cursor)
        self.mirror.apply(event)

    def reach(self, cursor):
        """Everything up to there was told."""
        assert cursor >= self.cursor, (self.cursor, cursor)
        self.cursor = cursor

    def begin(self):
        """What `reset` asks for."""
        self.trace.append("begins anew")
        self.cursor = self.mirror.begin()

    def named(self, stranger):
        """The epoch that it says beside its cursor: its own, or nobody's."""
        return str(uuid.uuid4()) if stranger else self.epoch

    def drop(self):
        pass


class Poller(Follower):
    """One without a socket. Its answers may get lost on their way."""

    def follow(self, count=None, limit=None, lost=False, stranger=False):
        """So many answers; None: to the end."""
        query = f"&limit={limit}" if limit else ""
        for _ in itertools.count() if count is None else range(count):
            epoch = self.named(stranger)
            answer = self.user.ok(200, "GET",
                                  f"/events?after={self.cursor}&epoch={epoch}&wait=0{query}")
            if lost:
                return
            assert answer["reset"] != (epoch == answer["epoch"])
            self.epoch, stranger = answer["epoch"], False
            if answer["reset"]:
                assert not answer["events"] and not answer["more"]
                self.begin()
                continue
            for event in answer["events"]:
                self.take(event)
            self.reach(answer["cursor"])
            if not answer["events"]:
                return


class Streamer(Follower):
    """One with a socket, that says where it goes on in its URL. It sends too, under client_ids: what
    was not acknowledged it sends again as soon as it is connected, whatever comes first."""

    def __init__(self, user):
        super().__init__(user)
        self.device = user.device()
        self.connection = None
        self.asked = None  # the epoch that it said last
        self.lives = self.paused = False
        self.floor = 0  # since a reset: what was known from elsewhere
        self.outbox = {}  # client_id: (group, data)

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None
        self.lives = self.paused = False
        self.floor = 0

    def rpc(self, method, body, **envelope):
        self.connection.send(raw.frame(raw.TEXT, json.dumps(
            {"method": method, "body": body, **envelope}).encode()))

    def connect(self, limit, stranger):
        self.asked = self.named(stranger)
        query = f"?after={self.cursor}&epoch={self.asked}"
        query += f"&limit={limit}" if limit else ""
        self.connection = raw.Connection(self.user.server).upgrade(self.device.path + query)

    def ask_on(self, limit):
        self.asked = self.epoch
        self.rpc(EVENTS, {"after": self.cursor, "epoch": self.epoch,
                          **({"limit": limit} if limit else {})})

    def say(self, group, data):
        client_id = f"said-{next(NUMBERS)}"
        self.outbox[client_id] = (group, data)
        if self.connection:
            self.send(client_id)

    def send(self, client_id):
        group, data = self.outbox[client_id]
        self.rpc(SEND, {"group_id": group, "data": data, "client_id": client_id}, id=client_id)

    # ---- what comes -----------------------------------------------------------------------------

    def next(self):
        while True:
            _, opcode, payload = self.connection.frame()
            if opcode == raw.TEXT:
                return json.loads(payload)
            assert opcode == raw.PING, (opcode, payload)

    def told(self, event):
        if event["cursor"] > self.floor:
            self.take(event)

    def answered(self, event):
        """A message of one's own was refused; or it was taken, and a socket that is behind is told the
        rest in its order, as long as the group is there."""
        body = event["body"]
        assert body["ok"] or body["method"] == SEND, event
        self.outbox.pop(event.get("id"), None)

    def sent(self, event):
        """A message of one's own: the text is known to whoever has sent it."""
        body = event["body"]
        group, data = self.outbox.pop(body.get("client_id"), (None, None))
        if group and not body.get("duplicate") and event["cursor"] > self.cursor:
            place = {name: body[name] for name in ("message_id", "group_id", "seq")}
            self.told({**event, "type": T_MESSAGE,
                       "body": {**place, "user_id": self.user.id, "data": data}})
        if not body.get("duplicate"):
            self.told(event)

    def synced(self, body):
        assert body["reset"] != (self.asked == body["epoch"])
        self.epoch = body["epoch"]
        if body["reset"]:
            assert not body["more"]
            self.begin()
            self.floor = self.cursor
        else:
            self.reach(max(body["cursor"], self.floor))
        self.lives, self.paused = not body["more"], body["more"]

    def handle(self, event):
        kind = event["type"]
        if kind == T_SYNCED:
            self.synced(event["body"])
        elif kind == T_REPLY:
            self.answered(event)
        elif kind == T_SENT:
            self.sent(event)
        elif "cursor" in event:
            self.told(event)

    # ---- following ------------------------------------------------------------------------------

    def follow(self, count=None, limit=None, lost=False, stranger=False):
        """So many frames, or all that there are now; None: all, and until one's own messages are
        acknowledged. `lost`: then it breaks off."""
        if stranger:
            self.drop()
        if not self.connection:
            self.connect(limit, stranger)
            for client_id in self.outbox:
                self.send(client_id)
        fenced = False
        while count is None or count > 0:
            if self.paused:
                self.paused = False
                self.ask_on(limit)
            if self.lives and not fenced and not (count is None and self.outbox):
                fenced = True
                self.rpc(INFO, {})
            event = self.next()
            if event["type"] == T_INFO:
                break
            self.handle(event)
            count = count and count - 1
        if lost:
            self.drop()
        elif fenced and event["type"] != T_INFO:
            self.drop()


class Caller(Streamer):
    """One with a socket that asks by method 20. It lives before it has asked, so it keeps what comes
    until the 12 says up to where everything was told."""

    def __init__(self, user):
        super().__init__(user)
        self.kept = {}
        self.asking = False

    def connect(self, limit, stranger):
        self.connection = raw.Connection(self.user.server).upgrade(self.device.path)
        self.kept, self.asking = {}, True
        self.asked = self.named(stranger)
        self.rpc(EVENTS, {"after": self.cursor, "epoch": self.asked,
                          **({"limit": limit} if limit else {})})

    def drop(self):
        super().drop()
        self.kept, self.asking = {}, False

    def ask_on(self, limit):
        self.asking = True
        super().ask_on(limit)

    def synced(self, body):
        """What was told before the question comes again with the answer, as it is by then."""
        kept, self.kept, self.asking = self.kept, {}, False
        for (cursor, kind), event in sorted(kept.items()):
            if body["reset"]:
                if kind == T_SENT:
                    self.outbox.pop(event["body"].get("client_id"), None)
            elif cursor <= body["cursor"]:
                super().handle(event)
        super().synced(body)

    def handle(self, event):
        durable = "cursor" in event and not event["body"].get("duplicate")
        if not self.asking or not durable:
            super().handle(event)
        elif event["cursor"] > self.cursor:
            self.kept[event["cursor"], event["type"]] = event
