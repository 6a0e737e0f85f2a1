"""What a client knows that was told everything: the groups of one user, made of events by the rules of
docs/protocol.md and, where it says that one has to ask, of REST. `shown` is the same as the server
shows it now; the two must be equal."""
from .socket import (T_CHANGED, T_DELETED, T_DELIVERED, T_ERASED, T_GROUP, T_JOINED, T_LEFT,
                     T_MESSAGE, T_REACTED, T_READ, T_ROLE, T_SENT, T_UPDATED)

SETTINGS = "name", "join", "history", "retention_days"
OF_MESSAGE = "message_id", "group_id", "user_id", "seq"
# What stays of a message that was deleted.
OF_TOMBSTONE = *OF_MESSAGE, "timestamp", "cursor", "client_id"


# ---- asking ---------------------------------------------------------------------------------------


class Gone(Exception):
    """What one asks for is not there for the one who asks."""


def get(user, path):
    answer = user.call("GET", path)
    if answer.status_code in (403, 404):
        raise Gone(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(user, group, name):
    """The rows of /groups/:id/NAME by their user."""
    rows, query = {}, ""
    while True:
        page = get(user, f"/groups/{group}/{name}?limit=3{query}")
        rows.update({row["user_id"]: row for row in page[name]})
        if not page["more"]:
            return rows
        query = f"&after={page[name][-1]['user_id']}"


def read_inbox(user):
    """(cursor, groups) of GET /sync."""
    page = get(user, "/sync?limit=4")
    cursor, groups = page["cursor"], page["groups"]
    while page["more"]:
        page = get(user, f"/sync?limit=4&before={groups[-1]['last_cursor']}")
        groups += page["groups"]
    return cursor, groups


def message_of(row):
    """A message of history as it is kept here, with its reactions by emoji."""
    return {**row, "reactions": {one["emoji"]: (one["count"], one["mine"])
                                 for one in row.get("reactions", [])}}


def read_history(user, group):
    """All messages that the user sees in the group, by number."""
    found, before, more = {}, "", True
    while more:
        page = get(user, f"/groups/{group}/messages?limit=20{before}")
        found.update({row["seq"]: message_of(row) for row in page["messages"]})
        more = page["more_before"]
        before = f"&before_seq={page['messages'][0]['seq']}" if more else ""
    return found


# ---- a group --------------------------------------------------------------------------------------


class Group:
    """One group as its member knows it."""

    def __init__(self, me):
        self.me = me
        self.kind = None
        self.settings = {}
        self.members = {}  # user: role
        self.marks = {}  # of the others: user: [delivered, read]
        self.own = {"delivered": (0, None), "read": (0, None)}  # number and time
        self.messages = {}
        self.last_seq = 0
        # The numbers of the messages that came while one was there: only these can be unread. None:
        # nobody knows any more.
        self.own_times = set()

    def take_receipts(self, row):
        if row["user_id"] == self.me:
            self.own = {name: (row[f"{name}_seq"], row[f"{name}_at"]) for name in self.own}
            return
        marks = self.marks.setdefault(row["user_id"], [0, 0])
        marks[0] = max(marks[0], row["delivered_seq"])
        marks[1] = max(marks[1], row["read_seq"])

    def acknowledge(self, body, time, names):
        for name in names:
            if body["user_id"] != self.me:
                marks = self.marks.setdefault(body["user_id"], [0, 0])
                place = ("delivered", "read").index(name)
                marks[place] = max(marks[place], body["seq"])
            elif body["seq"] > self.own[name][0]:
                self.own[name] = (body["seq"], time)

    def post(self, body, event):
        before = self.messages.get(body["seq"], {})
        self.messages[body["seq"]] = {
            **{name: before[name] for name in ("client_id",) if name in before}, **body,
            "timestamp": event["timestamp"], "cursor": event["cursor"],
            "reactions": before.get("reactions", {})}
        if self.own_times is not None:
            self.own_times.add(body["seq"])

    def update(self, body):
        message = self.messages.get(body["seq"])
        if message and not message.get("deleted"):
            message.update({name: body[name] for name in ("data", "edited_at", "version")})

    def erase(self, body):
        message = self.messages.get(body["seq"])
        if message:
            self.messages[body["seq"]] = {
                **{name: message[name] for name in OF_TOMBSTONE if name in message},
                "data": "", "deleted": True, "reactions": {}}

    def react(self, body):
        message = self.messages.get(body["seq"])
        if not message or message.get("deleted"):
            return
        _, mine = message["reactions"].pop(body["emoji"], (0, False))
        if body["user_id"] == self.me:
            mine = not body["removed"]
        if body["count"] > 0:
            message["reactions"][body["emoji"]] = (body["count"], mine)

    # ---- what it comes to -----------------------------------------------------------------------

    def unread(self):
        """The messages of others above one's mark that are not deleted."""
        return [one for seq, one in self.messages.items()
                if seq > self.own["read"][0] and one["user_id"] != self.me
                and not one.get("deleted")]

    def reach(self, mark):
        """The newest of one's own messages that a mark covers: that is what others' marks tell."""
        return max((seq for seq, one in self.messages.items()
                    if seq <= mark and one["user_id"] == self.me), default=0)

    def receipts(self):
        return {who: tuple(self.reach(mark) for mark in self.marks.get(who, (0, 0)))
                for who in self.members if who != self.me}

    def view(self):
        unread = self.unread()
        owners = [who for who, role in self.members.items() if role == "owner"]
        return {
            "kind": self.kind, "settings": self.settings, "members": self.members,
            "member_count": len(self.members), "role": self.members.get(self.me),
            "owner_id": owners[0] if len(owners) == 1 else owners,
            "last_seq": max([self.last_seq, *self.messages]),
            "own": self.own, "messages": self.messages, "receipts": self.receipts(),
            "last_message": self.messages[max(self.messages)] if self.messages else None,
            "unread": None if self.own_times is None else
                      len([one for one in unread if one["seq"] in self.own_times]),
            "mentions": len([one for one in unread if self.me in one.get("mentions", [])])}


def ask(user, ident):
    """A group as it is now."""
    group = Group(user.id)
    row = get(user, f"/groups/{ident}")
    if "role" not in row:
        raise Gone(ident)
    group.kind = row["kind"]
    group.settings = {name: row[name] for name in SETTINGS}
    group.last_seq = row["last_seq"]
    group.members = {who: one["role"] for who, one in pages(user, ident, "members").items()}
    for one in pages(user, ident, "receipts").values():
        group.take_receipts(one)
    group.messages = read_history(user, ident)
    group.own_times = set(group.messages) if row["history"] == "joined" else None
    if get(user, f"/groups/{ident}").get("history") != row["history"]:
        return ask(user, ident)
    return group


# ---- all of them ----------------------------------------------------------------------------------


class Mirror:
    """The groups of `user`, from nothing on."""

    def __init__(self, user):
        self.user = user
        self.groups = {}
        self.past = {}  # those that one has left, as they were then
        self.complete = True  # since there has been anything

    def begin(self):
        """All anew, by GET /sync; the cursor to go on behind."""
        self.groups, self.past, self.complete = {}, {}, False
        cursor, rows = read_inbox(self.user)
        for row in rows:
            self.find(row["id"])
        return cursor

    def find(self, ident):
        """Asks for a group, which may be later than what was told, and which may be gone: that will
        be told too, and until then there is one of which nothing is known."""
        before = self.past.pop(ident, None)
        if before is None:
            before = Group(self.user.id)
            before.own_times = set() if self.complete else None
        try:
            group = self.groups[ident] = ask(self.user, ident)
        except Gone:
            self.groups[ident] = before
            return
        group.marks = {**before.marks, **group.marks}
        if group.own_times is None:
            group.own_times = before.own_times

    def apply(self, event):
        """`event` is one that stays."""
        kind, body = event["type"], event["body"]
        ident = body["group_id"]
        group = self.groups.get(ident)
        if kind == T_GROUP:
            assert group is None and ident not in self.past, event
            self.made(body)
        elif kind == T_JOINED and body["user_id"] == self.user.id:
            assert group is None, event
            self.find(ident)
        elif kind == T_DELETED:
            self.groups.pop(ident, None)
            self.past.pop(ident, None)
        else:
            assert group is not None, event
            self.happened(group, kind, event)

    def made(self, body):
        group = self.groups[body["group_id"]] = Group(self.user.id)
        group.kind = body["kind"]
        group.settings = {name: body.get(name, 0) for name in SETTINGS}
        group.members = {who: "member" for who in body["user_ids"]}
        group.members[body["owner_id"]] = "owner"

    def happened(self, group, kind, event):
        body = event["body"]
        if kind == T_MESSAGE:
            group.post(body, event)
        elif kind == T_SENT:
            group.messages[body["seq"]].update(
                {name: body[name] for name in ("client_id",) if name in body})
        elif kind in (T_DELIVERED, T_READ):
            names = ("delivered",) if kind == T_DELIVERED else ("delivered", "read")
            group.acknowledge(body, event["timestamp"], names)
        elif kind == T_UPDATED:
            group.update(body)
        elif kind == T_ERASED:
            group.erase(body)
        elif kind == T_REACTED:
            group.react(body)
        elif kind == T_CHANGED:
            self.changed(group, body)
        elif kind == T_JOINED:
            self.came(group, body)
        elif kind == T_LEFT:
            self.left(group, body)
        elif kind == T_ROLE:
            if body["role"] == "owner":
                group.members[body["by"]] = "admin"
            group.members[body["user_id"]] = body["role"]
        else:
            raise AssertionError(f"an event of which nothing is said: {event}")

    def changed(self, group, body):
        """Who sees other messages than before has to read them."""
        before = group.settings.get("history")
        group.settings = {name: body[name] for name in SETTINGS}
        if before != body["history"]:
            try:
                group.messages = read_history(self.user, body["group_id"])
            except Gone:
                pass

    def came(self, group, body):
        """Somebody who has been there before has their marks still."""
        group.members[body["user_id"]] = "member"
        try:
            row = pages(self.user, body["group_id"], "receipts").get(body["user_id"])
        except Gone:
            row = None
        if row:
            group.take_receipts(row)

    def left(self, group, body):
        if body["user_id"] == self.user.id:
            self.past[body["group_id"]] = self.groups.pop(body["group_id"])
            return
        group.members.pop(body["user_id"], None)
        if "owner_id" in body:
            group.members[body["owner_id"]] = "owner"

    def view(self):
        return {ident: group.view() for ident, group in self.groups.items()}


# ---- what the server shows ------------------------------------------------------------------------


def view_of(user, row):
    """One row of GET /sync, and what there is to see of the group elsewhere."""
    group = ask(user, row["id"])
    last = row["last_message"]
    return {
        "kind": row["kind"], "settings": {name: row[name] for name in SETTINGS},
        "members": group.members, "member_count": row["member_count"], "role": row["role"],
        "owner_id": row["owner_id"], "last_seq": row["last_seq"],
        "own": {name: (row[f"{name}_seq"], group.own[name][1]) for name in group.own},
        "messages": group.messages, "receipts": group.receipts(),
        "last_message": last and message_of(last),
        "unread": row["unread"], "mentions": row["mentions"]}


def shown(user):
    """(cursor, view of each group), all as of that cursor: asked again where somebody changes
    something meanwhile."""
    while True:
        try:
            cursor, rows = read_inbox(user)
            views = {row["id"]: view_of(user, row) for row in rows}
        except Gone:
            continue
        if read_inbox(user)[0] == cursor:
            return cursor, views


def difference(held, now):
    """What a client holds and what it is shown, where these differ; None where they do not. What the
    client cannot know is left out: the unread count of a group, where that is None, and the
    client_id of a message that another of the user's devices has sent."""
    if set(held) != set(now):
        return f"held {sorted(held)}\nshown {sorted(now)}"
    for ident, one in held.items():
        other = {**now[ident]}
        if one["unread"] is None:
            other["unread"] = None
        messages = {seq: dict(message) for seq, message in other["messages"].items()}
        for seq, message in messages.items():
            if "client_id" not in one["messages"].get(seq, message):
                message.pop("client_id", None)
        other["messages"] = messages
        if other["last_message"]:
            other["last_message"] = messages[other["last_message"]["seq"]]
        for name, value in one.items():
            if value != other[name]:
                return f"group {ident}, {name}:\nheld  {value}\nshown {other[name]}"
    return None
