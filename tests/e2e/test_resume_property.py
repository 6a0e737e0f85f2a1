"""Whoever follows what happens, however often the connection or the server breaks, holds what GET /sync,
the histories and the receipts show: random histories, and clients that go on from their cursor.

GROUPS_CHAT_RESUME_EXAMPLES: so many histories instead of a few; they are other ones each time then."""
import json
import os
import shutil
import signal

from hypothesis import HealthCheck, given, note, settings, strategies as st

from kit import raw
from kit.follow import Caller, Poller, Streamer
from kit.mirror import difference, shown
from kit.people import Rest, User
from kit.server import run
from kit.socket import DELETE, DELIVERED, REACT, READ, SEND, T_REPLY, UPDATE
from kit.threads import Task

EXAMPLES = int(os.environ.get("GROUPS_CHAT_RESUME_EXAMPLES", "0"))
SETTINGS = settings(max_examples=EXAMPLES or 30, deadline=None, database=None,
                    derandomize=not EXAMPLES, print_blob=True,
                    suppress_health_check=list(HealthCheck))

EMOJIS = ["+1", "\N{HEAVY BLACK HEART}", "zero\N{ZERO WIDTH JOINER}joined"]
ROLES = ["member", "admin", "owner"]

# What may happen, and how often in comparison. First what an example that fails is made smaller with.
ODDS = {"nothing": 1, "send": 10, "edit": 4, "delete": 3, "react": 6, "deliver": 3, "read": 6, "say": 3,
        "make": 2, "direct": 1, "add": 5, "remove": 2, "leave": 2, "come": 3, "role": 3, "rename": 1,
        "rules": 3, "keep": 1, "end": 1, "block": 1, "show": 1, "erase": 1, "follow": 14, "storm": 2,
        "compact": 1, "restart": 1, "backup": 1, "rollback": 1}
WORDS = [word for word, odds in ODDS.items() for _ in range(odds)]
STEP = st.tuples(st.sampled_from(WORDS), *[st.integers(0, 7)] * 4)


class Hands:
    """Somebody's RPCs, on a connection of their own."""

    def __init__(self, user):
        self.user, self.device, self.connection = user, user.device(), None

    def call(self, method, body):
        """Whether it was taken; whatever else comes is somebody else's business."""
        if not self.connection:
            self.connection = raw.Connection(self.user.server).upgrade(self.device.path)
        self.connection.send(raw.frame(raw.TEXT, json.dumps(
            {"method": method, "id": "call", "body": body}).encode()))
        while True:
            _, opcode, payload = self.connection.frame()
            assert opcode in (raw.TEXT, raw.PING), payload
            event = json.loads(payload) if opcode == raw.TEXT else {"type": None}
            if event["type"] == T_REPLY:
                return event["body"]


class Place:
    """A group, as whoever makes things happen knows it: who is in it, and its messages with their
    authors, in their order."""

    def __init__(self, ident, members):
        self.ident, self.members, self.messages = ident, members, []

    def message(self, number):
        return self.messages[-1 - number % min(len(self.messages), 6)]


class History:
    """Four people, of whom two are followed and one may be erased. What they try is allowed mostly;
    else it has to be refused by rule."""

    def __init__(self, server, rest, scratch):
        self.server, self.scratch = server, scratch
        self.people = [User(rest) for _ in range(4)]
        self.erased, self.copy = False, None
        self.hands = {user: Hands(user) for user in self.people}
        anna, bert = self.people[:2]
        self.followers = [Streamer(anna), Caller(bert), Poller(anna), Streamer(bert)]
        self.places = []
        self.make(0, 7, 0, 0)
        self.make(1, 7, 1, 0)

    def user(self, number):
        """The fourth may be gone."""
        return self.people[number % (3 if self.erased else 4)]

    def place(self, number):
        return self.places[-1 - number % min(len(self.places), 4)]

    def member(self, place, number):
        """One of them; now and then anybody."""
        there = [user for user in place.members if not self.erased or user is not self.people[3]]
        return there[number % len(there)] if there and number < 7 else self.user(number)

    def owner(self, place):
        for user in place.members:
            row = self.rest(user, "GET", f"/groups/{place.ident}") or {}
            if "owner_id" in row:
                return next(one for one in self.people if one.id == row["owner_id"])
        return self.user(0)

    def rest(self, user, method, path, body=None):
        """What it was answered with; None where it was refused."""
        answer = user.call(method, path, body)
        assert answer.status_code < 500, answer.text
        return answer.json() if answer.ok else None

    def rpc(self, user, method, body):
        reply = self.hands[user].call(method, body)
        assert reply["ok"] or reply["status"] < 500, reply
        return reply

    # ---- messages -------------------------------------------------------------------------------

    def send(self, by, where, what, other):
        place = self.place(where)
        author = self.member(place, by)
        body = {"group_id": place.ident, "data": f"{what} " + "long " * (100 if other == 7 else 0)}
        if what in (1, 2) and place.messages:
            body["reply_to"] = place.message(other)[0]
        if what in (2, 3, 4):
            body["mentions"] = [self.member(place, other).id]
        if what == 5:
            body["meta"] = {"a": [1, {}]}
        reply = self.rpc(author, SEND, body)
        if reply["ok"]:
            place.messages.append((reply["message_id"], author))

    def of_message(self, by, where, which, method, **body):
        """`by` below 0: its author."""
        place = self.place(where)
        if place.messages:
            message, author = place.message(which)
            user = author if by < 0 and author.id in self.alive() else self.member(place, abs(by))
            self.rpc(user, method, {"message_id": message, **body})

    def alive(self):
        return [user.id for user in self.people[:3 if self.erased else 4]]

    def edit(self, by, where, which, what):
        self.of_message(by - 6, where, which, UPDATE, data=f"edited {what}")

    def delete(self, by, where, which, _):
        self.of_message(by - 4, where, which, DELETE)

    def react(self, by, where, which, what):
        self.of_message(by, where, which, REACT, emoji=EMOJIS[what % 2],
                        **({"remove": True} if what >= 5 else {}))

    def deliver(self, by, where, which, _):
        self.of_message(by, where, which, DELIVERED)

    def read(self, by, where, which, _):
        self.of_message(by, where, which, READ)

    def say(self, which, where, what, _):
        """One who follows sends, on the socket on which they hear."""
        streamers = self.streamers()
        streamers[which % len(streamers)].say(self.place(where).ident, f"said {what}")

    # ---- groups ---------------------------------------------------------------------------------

    def make(self, by, others, rules, _):
        user = self.user(by)
        there = [self.user(i) for i in range(len(self.alive()))
                 if (others + 8 * (others > 4)) >> i & 1 or self.user(i) is user]
        made = self.rest(user, "POST", "/groups", {
            "name": f"group {rules}", "user_ids": [one.id for one in there],
            **({"history": "all"} if rules & 1 else {}), **({"join": "open"} if rules & 2 else {})})
        self.places.append(Place(made["id"], there))

    def direct(self, by, other, _, __):
        two = [self.user(by), self.user(other)]
        made = self.rest(two[0], "POST", "/groups", {"kind": "direct", "user_ids": [two[1].id]})
        if made:
            known = [place for place in self.places if place.ident == made["id"]]
            self.places = [one for one in self.places if one not in known]
            self.places += known or [Place(made["id"], two)]
            self.places[-1].members = two

    def comes(self, by, place, user):
        if self.rest(by, "PUT", f"/groups/{place.ident}/join", {"user_id": user.id}) is not None:
            place.members.append(user)

    def goes(self, by, place, user):
        if self.rest(by, "PUT", f"/groups/{place.ident}/left", {"user_id": user.id}) is not None:
            place.members = [one for one in place.members if one is not user]

    def absent(self, place, number):
        """One who is not there; anybody where all are."""
        out = [self.user(i) for i in range(len(self.alive())) if self.user(i) not in place.members]
        return out[number % len(out)] if out else self.user(number)

    def add(self, by, where, who, _):
        place = self.place(where)
        if len(place.members) < len(self.alive()):
            self.comes(self.member(place, by), place, self.absent(place, who))
        else:
            self.remove(by, where, who, _)

    def remove(self, by, where, who, _):
        place = self.place(where)
        self.goes(self.owner(place) if by > 1 else self.member(place, by), place,
                  self.member(place, who))

    def leave(self, who, where, _, __):
        place = self.place(where)
        self.goes(self.member(place, who), place, self.member(place, who))

    def come(self, who, where, _, __):
        place = self.place(where)
        self.comes(self.absent(place, who), place, self.absent(place, who))

    def role(self, by, where, who, role):
        place = self.place(where)
        self.rest(self.owner(place) if by > 1 else self.member(place, by), "PATCH",
                  f"/groups/{place.ident}/members/{self.member(place, who).id}",
                  {"role": ROLES[role % 3]})

    def change(self, where, body):
        place = self.place(where)
        self.rest(self.owner(place), "PATCH", f"/groups/{place.ident}", body)

    def rename(self, _, where, what, __):
        self.change(where, {"name": f"renamed {what}"})

    def rules(self, _, where, what, __):
        self.change(where, {"history": "all" if what & 1 else "joined",
                            "join": "open" if what & 2 else "members"})

    def keep(self, _, where, days, __):
        place = self.place(where)
        self.rest(self.owner(place), "PUT", f"/groups/{place.ident}/retention", {"days": days})

    def end(self, sure, where, __, ___):
        place = self.place(where)
        if sure > 3 and self.rest(self.owner(place), "DELETE", f"/groups/{place.ident}") is not None:
            self.places = [one for one in self.places if one is not place]
            self.make(sure, 7, sure, 0)

    # ---- people ---------------------------------------------------------------------------------

    def block(self, who, whom, back, _):
        if self.user(who) is not self.user(whom):
            self.rest(self.user(who), "DELETE" if back > 4 else "PUT",
                      f"/users/me/blocks/{self.user(whom).id}")

    def show(self, who, what, _, __):
        self.rest(self.user(who), "PATCH", "/users/me", {"display_name": f"shown {what}"})

    def erase(self, sure, _, __, ___):
        if sure > 3 and not self.erased:
            self.erased = True
            user = self.people[3]
            user.ok(200, "DELETE", "/users/me", {"current_password": user.password})
            for place in self.places:
                place.members = [one for one in place.members if one is not user]

    # ---- those who follow -----------------------------------------------------------------------

    def streamers(self):
        return [one for one in self.followers if isinstance(one, Streamer)]

    def follow(self, which, count, limit, end):
        """A few events, or all; then it breaks off, or holds on, or comes back as a stranger."""
        follower = self.followers[which % len(self.followers)]
        follower.follow(count=count if count < 7 else None, limit=limit or None, lost=end < 4,
                        stranger=end == 7 and count == 7)

    # ---- the server -----------------------------------------------------------------------------

    def stop(self, number):
        for follower in self.followers:
            follower.drop()
        for hands in self.hands.values():
            hands.connection = None
        self.server.close_clients()
        self.server.stop(number)

    def restart(self, how, _, __, ___):
        self.stop(signal.SIGKILL if how > 1 else signal.SIGTERM)
        self.server.start()

    def tool(self, *arguments):
        done = run([str(argument) for argument in arguments])
        assert done.returncode == 0, done.stderr

    def compact(self, times, _, __, ___):
        """What is behind the older of two snapshots goes."""
        for _ in range(1 + times % 2):
            self.tool("snapshot", "--data", self.server.data)

    def backup(self, _, __, ___, ____):
        """Of any moment before somebody is erased: what is known of that is not kept beside it."""
        if not self.erased:
            self.copy = self.scratch / f"copy-{len(list(self.scratch.iterdir()))}"
            self.tool("backup", self.server.data, self.copy)

    def rollback(self, _, __, ___, ____):
        """The server of then: whoever was told something has to begin anew, whatever happens first."""
        if not self.copy:
            return
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.server.data)
        self.tool("restore", self.copy, self.server.data)
        self.server.start()
        self.erased = False
        for follower in self.streamers():
            follower.outbox.clear()

    # ---- all of it ------------------------------------------------------------------------------

    def nothing(self, *_):
        pass

    def step(self, step):
        getattr(self, step[0])(*step[1:])

    def storm(self, steps):
        """What is no matter of the server itself happens while those who follow come and go."""
        calls = [step for step in steps if step[0] in CALLS]

        def happen():
            for step in calls:
                self.step(step)

        happening = Task(happen)
        for step in steps:
            self.step(("follow", *step[1:]))
        happening.join()

    def happen(self, steps):
        steps = list(steps)
        while steps:
            step, *steps = steps
            if step[0] == "storm":
                many = 6 + 3 * step[1]
                self.storm(steps[:many])
                steps = steps[many:]
            else:
                self.step(step)

    def check(self):
        """Each holds what the server shows to its user."""
        for follower in self.followers:
            while True:
                follower.follow()
                cursor, now = shown(follower.user)
                before = follower.cursor
                follower.follow()
                if follower.cursor == before:
                    break
            assert follower.cursor <= cursor
            found = difference(follower.mirror.view(), now)
            if found:
                note("\n".join(str(event) for event in follower.trace))
            assert not found, f"{type(follower).__name__} of {follower.user.id}: {found}"


CALLS = {"send", "edit", "delete", "react", "deliver", "read", "make", "direct", "add", "remove",
         "leave", "come", "role", "rename", "rules", "end", "keep", "block", "show"}


def test_who_resumes_holds_what_is_shown(new_server, tmp_path):
    server = new_server(send_rate=0, login_fail_account=0, snapshot_after=0, segment_size="64k")
    rest = Rest(server)
    copies = tmp_path / "copies"
    copies.mkdir()

    @SETTINGS
    @given(st.lists(STEP, min_size=30, max_size=120))
    def check(steps):
        history = History(server, rest, copies)
        try:
            history.happen(steps)
            history.check()
        finally:
            for follower in history.followers:
                follower.drop()
            server.close_clients()

    check()
    rest.close()
