#!/usr/bin/python3
"""Writes the histories that fuzz_model begins with, from the record table itself.

    fuzz/model_seeds.py DIR

fuzz_model.c says how a record is read. The corpus in the repository is what libFuzzer's -merge=1
kept of these and of what it found from them.
"""
import re
import sys
from pathlib import Path

TABLE = Path(__file__).parent.parent / "src/model/record.def"
RECORD = re.compile(r"^RECORD\((\d+), (\w+),((?:\s*F\(\w+, \w+\))*)\)", re.M)
FIELD = re.compile(r"F\((\w+), (\w+)\)")

RECORDS = {name: (int(number), FIELD.findall(fields))
           for number, name, fields in RECORD.findall(TABLE.read_text())}


def encode(kind, value):
    """A field as fuzz_model reads it; what a story does not say is 0 or empty."""
    if kind == "u32s":
        return bytes([len(value or []), *(value or [])])
    if kind.startswith("text") or kind == "secret":
        text = (value or "").encode()
        assert len(text) < 4
        return bytes([len(text)]) + text
    return bytes([value or 0])


def record(what, values):
    number, fields = RECORDS[what]
    assert values.keys() <= {field for _, field in fields}, (what, values)
    byte = number - 1 if number < 10 else number + 62
    return bytes([byte]) + b"".join(encode(kind, values.get(field)) for kind, field in fields)


class Story:
    """One record behind the other; the time is that of the record's place."""

    def __init__(self):
        self.data, self.count = b"", 0

    def __getattr__(self, name):
        def add(**values):
            self.count += 1
            self.data += record(name, {"time": self.count, **values})
            return self
        return add


def people(count=4):
    """Users 1, 2, 3, … of whom the first three are in group 1, owned by 1, and the first has a session."""
    story = Story()
    for n in range(1, count + 1):
        story.user_create(id=n, username=chr(96 + n), username_key=chr(96 + n), password="p")
    story.session_create(id=10, user=1, token=1, sessions_max=4, device_id="d", model="m", name="n")
    return story.group_create(id=20, owner=1, name="g", members=[1, 2, 3])


def talk(story, count=3):
    for n in range(count):
        story.message_post(id=21 + n, group=1, author=1 + n % 3, client_id=str(n), data="hi")
    return story.receipt_mark(group=1, user=2, seq=2, kind=1)


def settings():
    story = talk(people()).group_make(id=25, owner=2, name="o", members=[2], join=1, history=1)
    story.member_add(group=2, user=4, by=4).message_post(id=26, group=2, author=4, data="x")
    story.group_update(group=1, by=1, fields=1, name="new").group_update(group=1, by=1, fields=7, join=1)
    story.member_add(group=1, user=4, by=4).group_update(group=1, by=2, fields=2)
    story.member_role(group=1, user=2, by=1, role=2).member_leave(group=1, user=3, by=2)
    story.group_delete(group=1, by=2).group_delete(group=1, by=1).message_post(id=27, group=1, author=2)
    return story.member_add(group=1, user=3, by=2).group_update(group=1, by=1, fields=1, name="z")


def direct():
    story = people().direct_open(id=25, by=1, user=4).direct_open(id=26, by=4, user=1)
    story.message_post(id=27, group=2, author=4, data="x").receipt_mark(group=2, user=1, seq=1, kind=1)
    story.member_leave(group=2, user=1, by=1).member_leave(group=2, user=4, by=4)
    story.direct_open(id=28, by=4, user=1).direct_open(id=28, by=1, user=4).group_delete(group=2, by=1)
    return story.member_add(group=2, user=3, by=1).direct_open(id=29, by=2, user=2)


def kept():
    story = talk(people(), 6).messages_expire(group=1, up_to=3).group_retention(group=1, by=1, days=2)
    story.group_retention(group=1, by=2, days=1).messages_expire(group=1, up_to=2)
    story.receipt_mark(group=1, user=3, seq=5).message_post(id=28, group=1, author=1, client_id="0")
    return story.messages_expire(group=1, up_to=7).group_retention(group=1, by=1).group_delete(group=1, by=1)


def amended():
    story = talk(people(), 5).message_update(group=1, seq=1, by=1, data="new")
    story.message_update(group=1, seq=1, by=2, data="no").message_update(group=1, seq=1, by=1, data="")
    limits = {"user_max": 2, "message_max": 4, "emojis_max": 2}
    for by, emoji, remove in (2, "x", 0), (3, "x", 0), (2, "y", 0), (2, "z", 0), (2, "x", 1), (1, "x", 0):
        story.message_react(group=1, seq=1, by=by, emoji=emoji, remove=remove, **limits)
    story.message_react(group=1, seq=2, by=3, emoji="x").message_delete(group=1, seq=2, by=1)
    story.message_delete(group=1, seq=3, by=3).message_react(group=1, seq=3, by=1, emoji="x")
    story.receipt_mark(group=1, user=1, seq=4, kind=1).member_leave(group=1, user=2, by=2)
    story.message_delete(group=1, seq=5, by=2).messages_expire(group=1, up_to=2)
    story.message_update(group=1, seq=1, by=1, data="x").message_update(group=1, seq=4, by=1, data="end")
    return story.messages_expire(group=1, up_to=4).message_react(group=1, seq=5, by=1, emoji="y")


STORIES = {
    "amended": amended(),
    "kept": kept(),
    "direct": direct(),
    "talk": talk(people()),
    "roles": talk(talk(people()).member_role(group=1, user=2, by=1, role=2)
                  .member_leave(group=1, user=3, by=2).member_add(group=1, user=4, by=2)
                  .member_role(group=1, user=2, by=1, role=1).member_role(group=1, user=4, by=2, role=2)
                  .member_leave(group=1, user=2, by=2).member_leave(group=1, user=1, by=1)
                  .member_role(group=1, user=4, by=4, role=0)),
    "settings": settings(),
    "app": talk(people().app_user_create(id=30, external_id="7", username="x", username_key="x")
                .app_user_create(id=31, external_id="7", username="y", username_key="y")
                .app_user_rename(user=5, username="Z", username_key="z").user_create(id=32, username="x", username_key="x")
                .app_user_rename(user=5, username="x", username_key="x").member_add(group=1, user=5, by=1)),
}


def main():
    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    for name, story in STORIES.items():
        (where / name).write_bytes(story.data)


if __name__ == "__main__":
    main()
