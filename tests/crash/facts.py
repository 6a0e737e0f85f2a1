"""Things that have one value at a time, changed over REST until the server dies: what the last
acknowledged change said is there, or what a later one said whose answer was lost."""
import asyncio

import requests

from kit.people import Rest, User


class Facts:
    def __init__(self):
        self.certain = {}  # key -> the value of the last change that was acknowledged
        self.maybe = {}    # key -> values of changes since, whose answers were lost
        self.changes = 0

    def change(self, key, value, call):
        """`call` makes the change; where it does not return, the change was made or was not."""
        self.maybe.setdefault(key, []).append(value)
        answer = call()
        assert answer.status_code == 200, (key, value, answer.text)
        self.certain[key] = value
        self.maybe[key] = []
        self.changes += 1

    def check(self, key, value):
        possible = [self.certain.get(key), *self.maybe.get(key, [])]
        assert value in possible, (key, value, possible)


class Officer:
    """Gives roles to the members of a group and names to it, edits and deletes what was said there,
    makes other groups and ends them, one call after the other."""

    def __init__(self, ledger, server):
        rest = Rest(server)
        self.ledger = ledger
        self.facts = Facts()
        self.owner = User(rest, "officer")
        self.members = [User(rest, f"private{i}") for i in range(3)]
        self.group = self.owner.group(*self.members)
        self.names = 0
        self.others = []
        self.messages = []
        self.facts.certain["name"] = "group_1"
        for member in self.members:
            self.facts.certain["role", member.id] = "member"

    def acts(self):
        return [self.give_role, self.give_name, self.make_or_end, self.say, self.amend, self.amend]

    async def run(self):
        loop = asyncio.get_running_loop()
        try:
            while True:
                await loop.run_in_executor(None, self.ledger.rng.choice(self.acts()))
                self.ledger.answered()
        except requests.RequestException:
            return

    def give_role(self):
        member = self.ledger.rng.choice(self.members)
        role = self.ledger.rng.choice(["admin", "member"])
        self.facts.change(("role", member.id), role, lambda: self.owner.call(
            "PATCH", f"/groups/{self.group}/members/{member.id}", {"role": role}))

    def give_name(self):
        self.names += 1
        self.facts.change("name", f"name {self.names}", lambda: self.owner.call(
            "PATCH", f"/groups/{self.group}", {"name": f"name {self.names}"}))

    def say(self):
        said = self.owner.ok(201, "POST", f"/groups/{self.group}/messages", {"data": "first"})
        self.facts.certain["text", said["message_id"]] = "first"
        self.messages.append(said["message_id"])

    def amend(self):
        """Another text for the newest message; None: it is deleted, and left alone from then on."""
        if not self.messages:
            return
        self.names += 1
        path = f"/messages/{self.messages[-1]}"
        if self.ledger.rng.random() < 0.2:
            message = self.messages.pop()
            self.facts.change(("text", message), None, lambda: self.owner.call("DELETE", path))
        else:
            text = f"text {self.names}"
            self.facts.change(("text", self.messages[-1]), text,
                              lambda: self.owner.call("PATCH", path, {"data": text}))

    def make_or_end(self):
        if self.others:
            group = self.others.pop()
            self.facts.change(("ended", group), True,
                              lambda: self.owner.call("DELETE", f"/groups/{group}"))
        else:
            group = self.owner.group(self.members[0])
            self.facts.certain["ended", group] = False
            self.others.append(group)

    def check(self):
        """Everything is as it was said to be."""
        assert self.facts.changes > 0
        self.facts.check("name", self.owner.ok(200, "GET", f"/groups/{self.group}")["name"])
        for key in [key for key in self.facts.certain if key[0] == "text"][-100:]:
            message = self.members[0].ok(200, "GET", f"/messages/{key[1]}")
            self.facts.check(key, None if message.get("deleted") else message["data"])
        made = [key[1] for key in self.facts.certain if key[0] == "ended"]
        for group in made[-100:]:
            answer = self.members[0].call("GET", f"/groups/{group}")
            assert answer.status_code in (200, 404)
            self.facts.check(("ended", group), answer.status_code == 404)
        there = self.owner.ok(200, "GET", f"/groups/{self.group}/members")["members"]
        roles = {member["user_id"]: member["role"] for member in there}
        assert roles.pop(self.owner.id) == "owner"
        assert roles.keys() == {member.id for member in self.members}
        for user, role in roles.items():
            self.facts.check(("role", user), role)
