"""For every right, somebody without it tries; 404 hides what one may not see."""
import pytest

from kit.checks import NOBODY
from kit.people import assert_error
from kit.socket import DELIVERED, READ, SEND, TYPING, TYPING_ENDS


class Scene:
    """A group of an owner and two members; somebody who left it, somebody who was removed, a
    stranger, and one who joins after the first message."""

    def __init__(self, people):
        (self.owner, self.member, self.other, self.gone, self.removed, self.stranger,
         self.late) = people(count=7)
        self.group = self.owner.group(self.member, self.other, self.gone, self.removed)
        self.message = self.owner.connect().send_message(self.group, "first").body["message_id"]
        self.gone.leaves(self.group)
        self.owner.leaves(self.group, self.removed)
        self.owner.joins(self.group, self.late)


@pytest.fixture
def scene(people):
    return Scene(people)


# who asks, the verb, about whom, what comes of it
MEMBERSHIP = [
    ("owner", "join", "stranger", None),
    ("member", "join", "stranger", None),
    ("member", "join", "gone", None),
    ("member", "join", "removed", None),
    ("gone", "join", "gone", None),
    ("gone", "join", "stranger", (403, "forbidden")),
    ("gone", "join", "member", (403, "forbidden")),
    ("removed", "join", "removed", (403, "forbidden")),
    ("removed", "join", "stranger", (403, "forbidden")),
    ("stranger", "join", "stranger", (404, "group_not_found")),
    ("stranger", "join", "gone", (404, "group_not_found")),
    ("stranger", "join", "member", (404, "group_not_found")),
    ("owner", "left", "member", None),
    ("owner", "left", "owner", None),
    ("member", "left", "member", None),
    ("member", "left", "other", (403, "forbidden")),
    ("member", "left", "owner", (403, "forbidden")),
    ("gone", "left", "member", (403, "forbidden")),
    ("gone", "left", "owner", (403, "forbidden")),
    ("removed", "left", "member", (403, "forbidden")),
    ("removed", "left", "removed", (404, "user_not_found")),
    ("stranger", "left", "stranger", (404, "group_not_found")),
    ("stranger", "left", "member", (404, "group_not_found")),
]


@pytest.mark.parametrize("who, verb, whom, refusal", MEMBERSHIP)
def test_joining_and_removing(scene, who, verb, whom, refusal):
    asker, subject = getattr(scene, who), getattr(scene, whom)
    witness = scene.other.connect()
    answer = getattr(asker, verb)(scene.group, subject)
    if refusal:
        assert_error(answer, *refusal)
        witness.silent()
    else:
        assert answer.status_code == 200, answer.text
        event, = witness.fence()
        assert event.body["user_id"] == subject.id and event.body["by"] == asker.id


def test_a_group_that_is_hidden_looks_like_one_that_is_not_there(scene):
    for verb in ("join", "left"):
        hidden = scene.stranger.call("PUT", f"/groups/{scene.group}/{verb}",
                                     {"user_id": scene.stranger.id})
        missing = scene.stranger.call("PUT", f"/groups/{NOBODY}/{verb}",
                                      {"user_id": scene.stranger.id})
        assert hidden.status_code == missing.status_code == 404
        assert hidden.text == missing.text


def test_who_was_removed_may_come_back_when_a_member_says_so(scene):
    scene.member.joins(scene.group, scene.removed)
    scene.removed.leaves(scene.group)
    scene.removed.joins(scene.group)


def test_who_came_back_and_was_removed_may_not_come_back(scene):
    scene.gone.joins(scene.group)
    scene.owner.leaves(scene.group, scene.gone)
    assert_error(scene.gone.join(scene.group), 403, "forbidden")


@pytest.mark.parametrize("verb, path", [("POST", "/sessions"), ("POST", "/groups"),
                                        ("PUT", "/groups/{}/join"), ("PUT", "/groups/{}/left")])
def test_without_a_token(scene, verb, path):
    path = path.format(scene.group)
    body = {"user_id": scene.member.id, "name": "g", "user_ids": []}
    assert_error(scene.owner.rest.call(verb, path, body), 401, "unauthorized")
    bad = scene.owner.rest.call(verb, path, body, token="x.y.z")
    assert_error(bad, 401, "unauthorized")


# Who may send, type or acknowledge, and what the others are told.
SPEAKING = [
    ("gone", (403, "not_a_member"), (403, "not_a_member")),
    ("removed", (403, "not_a_member"), (403, "not_a_member")),
    ("stranger", (404, "group_not_found"), (404, "message_not_found")),
]


@pytest.mark.parametrize("who, about_group, about_message", SPEAKING)
def test_speaking_from_outside(scene, who, about_group, about_message):
    witnesses = [scene.owner.connect(), scene.member.connect()]
    socket = getattr(scene, who).connect()
    cursor = socket.info()["cursor"]
    socket.refused(SEND, {"group_id": scene.group, "data": "x"}, *about_group)
    for method in (TYPING, TYPING_ENDS):
        socket.refused(method, {"group_id": scene.group}, *about_group)
    for method in (DELIVERED, READ):
        socket.refused(method, {"message_id": scene.message}, *about_message)
    socket.silent()
    for witness in witnesses:
        witness.silent()
    assert socket.info()["cursor"] == cursor


def test_acknowledging_by_place_from_outside(scene):
    socket = scene.stranger.connect()
    for method in (DELIVERED, READ):
        socket.refused(method, {"group_id": scene.group, "seq": 1}, 404, "message_not_found")
        socket.refused(method, {"group_id": NOBODY, "seq": 1}, 404, "message_not_found")


def test_a_message_from_before_ones_time_is_not_there(scene):
    witness = scene.owner.connect()
    socket = scene.late.connect()
    for method in (DELIVERED, READ):
        socket.refused(method, {"message_id": scene.message}, 404, "message_not_found")
    witness.silent()


def test_groups_and_messages_that_are_not_there(scene):
    socket = scene.owner.connect()
    socket.refused(SEND, {"group_id": NOBODY, "data": "x"}, 404, "group_not_found")
    for method in (TYPING, TYPING_ENDS):
        socket.refused(method, {"group_id": NOBODY}, 404, "group_not_found")
    for method in (DELIVERED, READ):
        socket.refused(method, {"message_id": NOBODY}, 404, "message_not_found")
        socket.refused(method, {"group_id": scene.group, "seq": 2}, 404, "message_not_found")
    socket.silent()


def test_a_member_speaks_until_leaving_and_again_after_coming_back(scene):
    socket = scene.member.connect()
    socket.send_message(scene.group, "here")
    scene.member.leaves(scene.group)
    socket.fence()
    socket.refused(SEND, {"group_id": scene.group, "data": "x"}, 403, "not_a_member")
    scene.member.joins(scene.group)
    socket.fence()
    assert socket.send_message(scene.group, "again").body["seq"] == 3


def test_the_owner_is_followed_by_the_member_of_longest_standing(people):
    user1, user2, user3, user4 = people(count=4)
    group = user1.group()
    for user in (user2, user3, user4):
        user1.joins(group, user)
    user1.leaves(group)
    assert_error(user3.left(group, user4), 403, "forbidden")
    user2.leaves(group, user4)

    # The first owner comes back as a member like any other.
    user1.joins(group)
    assert_error(user1.left(group, user3), 403, "forbidden")
    user2.leaves(group, user1)


def test_standing_begins_anew_with_every_joining(people):
    user1, user2, user3, user4 = people(count=4)
    group = user1.group()
    for user in (user2, user3, user4):
        user1.joins(group, user)
    user2.leaves(group)
    user2.joins(group)
    user1.leaves(group)
    assert_error(user2.left(group, user4), 403, "forbidden")
    user3.leaves(group, user4)


def test_succession_outlives_the_server(people, server):
    user1, user2, user3 = people(count=3)
    group = user1.group()
    user1.joins(group, user2)
    user1.joins(group, user3)
    user1.leaves(group)
    server.restart()
    assert_error(user3.left(group, user2), 403, "forbidden")
    user2.leaves(group, user3)
