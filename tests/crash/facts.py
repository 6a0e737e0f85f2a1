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
    """Gives roles to the members of a group, one call after the other."""

    def __init__(self, ledger, server):
        rest = Rest(server)
        self.ledger = ledger
        self.facts = Facts()
        self.owner = User(rest, "officer")
        self.members = [User(rest, f"private{i}") for i in range(3)]
        self.group = self.owner.group(*self.members)
        for member in self.members:
            self.facts.certain["role", member.id] = "member"

    def acts(self):
        return [self.give_role]

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

    def check(self):
        """Everything is as it was said to be."""
        assert self.facts.changes > 0
        there = self.owner.ok(200, "GET", f"/groups/{self.group}/members")["members"]
        roles = {member["user_id"]: member["role"] for member in there}
        assert roles.pop(self.owner.id) == "owner"
        assert roles.keys() == {member.id for member in self.members}
        for user, role in roles.items():
            self.facts.check(("role", user), role)
