"""A WebSocket client with a blocking face. Beneath it is the `websockets` library, as users have
it; its event loop runs on one thread that all sockets share."""
import asyncio
import collections
import itertools
import json
import queue
import threading

import websockets

from . import contract
from .secrets import HASH, Secrets
from .server import PATIENCE

# RPC methods.
INFO, EVENTS, HISTORY, SEND = 10, 20, 21, 40
DELIVERED, READ, TYPING, TYPING_ENDS = 41, 42, 60, 61
UPDATE, DELETE, REACT = 43, 44, 45

# Types of events.
T_INFO, T_REPLY, T_SYNCED, T_GOING = 10, 11, 12, 13
T_MESSAGE, T_SENT, T_DELIVERED, T_READ = 20, 21, 22, 23
T_UPDATED, T_ERASED, T_REACTED = 24, 25, 26
T_UNREAD = 29
T_TYPING, T_TYPING_ENDS, T_PRESENCE = 40, 41, 42
T_GROUP, T_CHANGED, T_JOINED, T_LEFT, T_ROLE, T_DELETED = 70, 71, 72, 73, 74, 75


class Event(dict):
    """An event as it came; `raw` is its text, for comparing bytes."""

    def __init__(self, raw):
        super().__init__(json.loads(raw))
        self.raw = raw

    @property
    def type(self):
        return self["type"]

    @property
    def body(self):
        return self["body"]

    @property
    def cursor(self):
        return self["cursor"]


class Closed(Exception):
    """The other side closed; `code` as the library saw it."""

    def __init__(self, code, reason):
        super().__init__(f"closed with {code} {reason!r}")
        self.code = code
        self.reason = reason


class Background:
    """An event loop on a thread of its own, made when it is first needed."""

    def __init__(self):
        self.loop = None

    def start(self, coroutine):
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self.loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine):
        return self.start(coroutine).result(PATIENCE)


BACKGROUND = Background()


async def connect(url, **options):
    """A connection of the library. Without limits on its own side: with its max_queue, closing
    waits for ten seconds where more than that many messages have come meanwhile."""
    settings = {"max_size": None, "max_queue": None, "ping_interval": None,
                "open_timeout": PATIENCE}
    settings.update(options)
    return await websockets.connect(url, **settings)


class Socket:
    """One connection. Events that nobody asked for yet wait in the order in which they came. What
    comes must hold none of `secrets`."""

    def __init__(self, url, secrets=None, **options):
        self.url = url
        self.secrets = secrets or Secrets()
        self.ids = itertools.count(1)
        self.methods = {}
        self.incoming = queue.Queue()
        self.waiting = collections.deque()
        self.closed = None
        self.connection = BACKGROUND.run(connect(url, **options))
        self.pump = BACKGROUND.start(self._pump())

    async def _pump(self):
        try:
            async for text in self.connection:
                self.incoming.put(Event(text))
        except websockets.ConnectionClosed:
            pass
        finally:
            await self.connection.wait_closed()
            self.incoming.put(Closed(self.connection.close_code, self.connection.close_reason))

    def close(self):
        BACKGROUND.run(self.connection.close())
        self.pump.result(PATIENCE)

    def send_text(self, text):
        BACKGROUND.run(self.connection.send(text))

    def rpc(self, method, body=None, **envelope):
        """An RPC without waiting for anything."""
        if "id" in envelope:
            self.methods[str(envelope["id"])] = method
        self.send_text(json.dumps({"method": method, **envelope,
                                   "body": {} if body is None else body}))

    def _next(self):
        if self.closed:
            raise self.closed
        item = self.incoming.get(timeout=PATIENCE)
        if isinstance(item, Closed):
            self.closed = item
            self.secrets.check("the reason of a close", item.reason or "", [HASH])
            raise item
        contract.check_event(item, self.methods.get(str(item.get("id"))))
        if item.type == T_REPLY:
            self.secrets.check("a reply", item.raw, [HASH])
        else:
            self.secrets.check_handed("an event", item.raw)
        return item

    def recv(self):
        return self.waiting.popleft() if self.waiting else self._next()

    def expect(self, kind, **fields):
        """The next event, which must be of this type and have these fields in its body."""
        event = self.recv()
        assert event.type == kind, f"wanted {kind} {fields}, got {event.raw}"
        got = {name: event.body.get(name) for name in fields}
        assert got == fields, f"wanted {kind} {fields}, got {event.raw}"
        return event

    def take(self, count):
        return [self.recv() for _ in range(count)]

    def call(self, method, body=None, **envelope):
        """An RPC with an id, and its reply's body. Events that came before it keep waiting."""
        ident = f"call-{next(self.ids)}"
        self.rpc(method, body, id=ident, **envelope)
        while True:
            event = self._next()
            if event.type == T_REPLY and event.get("id") == ident:
                return event.body
            self.waiting.append(event)

    def ok(self, method, body=None, **envelope):
        reply = self.call(method, body, **envelope)
        assert reply["ok"] is True, reply
        return reply

    def refused(self, method, body, status, code, **envelope):
        """The RPC must be refused in this way; the reply's body."""
        reply = self.call(method, body, **envelope)
        assert reply["ok"] is False, reply
        assert (reply["status"], reply["code"]) == (status, code), reply
        assert reply["method"] == method and reply["error"], reply
        return reply

    def fence(self):
        """Everything that came up to now. What was caused before the fence and answered to
        whoever caused it is in the queue of this socket, hence in the list or never coming. One's
        own RPCs count as caused when they are answered."""
        self.ok(INFO)
        events = list(self.waiting)
        self.waiting.clear()
        assert events.pop().type == T_INFO
        return events

    def silent(self):
        """Nothing came that nobody asked for."""
        events = self.fence()
        assert events == [], events

    def info(self):
        self.rpc(INFO)
        return self.expect(T_INFO).body

    def everything(self):
        """The seed's call: every durable event of the user."""
        self.silent()
        return self.events(timestamp=1532785517921)

    def events(self, body=None, **envelope):
        """What method 20 gives with this body, to the end of the answer."""
        self.ok(EVENTS, body, **envelope)
        events = list(self.waiting)
        self.waiting.clear()
        return events

    def catch_up(self, after, **selection):
        """Events after a cursor, page by page, to the moment in which the socket is live."""
        events = []
        while True:
            self.rpc(EVENTS, {"after": after, **selection})
            while True:
                event = self.recv()
                if event.type == T_SYNCED:
                    break
                events.append(event)
            assert event.body["reset"] is False, event.raw
            assert event.body["cursor"] >= after
            after = event.body["cursor"]
            if not event.body["more"]:
                return events

    def expect_close(self, code):
        """The other side closes with this code; events that come before it are returned."""
        events = []
        try:
            while True:
                events.append(self.recv())
        except Closed as closed:
            assert closed.code == code, closed
        return events

    def send_message(self, group, data, **fields):
        """Sends and waits until it is acknowledged; the 21 that says so."""
        self.rpc(SEND, {"group_id": group, "data": data, **fields})
        return self.expect(T_SENT, group_id=group)
