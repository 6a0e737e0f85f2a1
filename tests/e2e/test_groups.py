"""Groups: made, joined, left."""
import pytest

from kit.checks import NOBODY, is_now_ms, is_uuid
from kit.people import Rest, User, assert_error
from kit.socket import T_GROUP, T_JOINED, T_LEFT, T_MESSAGE


def connect_all(*users):
    return [user.connect() for user in users]


def test_a_group_is_told_to_its_members_and_nobody_else(people):
    user1, user2, user3, stranger = people(count=4)
    sockets = connect_all(user1, user1, user2, user3)
    outside = stranger.connect()
    answer = user1.ok(201, "POST", "/groups",
                      {"name": "group_1", "user_ids": [user2.id, user3.id]})
    assert list(answer) == ["id"] and is_uuid(answer["id"])
    events = [socket.expect(T_GROUP, group_id=answer["id"], name="group_1", owner_id=user1.id)
              for socket in sockets]
    assert len({event.raw for event in events}) == 1
    event = events[0]
    assert sorted(event.body["user_ids"]) == sorted([user1.id, user2.id, user3.id])
    assert is_now_ms(event["timestamp"])
    assert set(event) == {"type", "timestamp", "cursor", "body"}
    for socket in sockets + [outside]:
        socket.silent()


def test_repeats_count_once_and_the_caller_is_a_member(people):
    user1, user2 = people(count=2)
    socket = user2.connect()
    for ids in ([user2.id] * 3, [user1.id, user2.id, user1.id], [user2.id, user1.id]):
        group = user1.ok(201, "POST", "/groups", {"name": "g", "user_ids": ids})["id"]
        event = socket.expect(T_GROUP, group_id=group, owner_id=user1.id)
        assert sorted(event.body["user_ids"]) == sorted([user1.id, user2.id])


def test_a_group_of_one(people):
    user1, = people(count=1)
    socket = user1.connect()
    group = user1.group()
    assert socket.expect(T_GROUP, group_id=group).body["user_ids"] == [user1.id]
    assert socket.send_message(group, "to myself").body["seq"] == 1


@pytest.mark.parametrize("fields", [
    {"name": ""}, {"name": "x" * 129}, {"name": None}, {"name": 1}, {"name": ["g"]},
    {"user_ids": None}, {"user_ids": "x"}, {"user_ids": {}}, {"user_ids": [1]},
    {"user_ids": [None]}, {"user_ids": ["x"]}, {"user_ids": [[]]}, {"user_ids": [""]},
    {"user_ids": [NOBODY[:-1]]}, {"user_ids": [NOBODY + "0"]},
])
def test_groups_that_are_not_valid(people, fields):
    user1, = people(count=1)
    socket = user1.connect()
    answer = user1.call("POST", "/groups", {"name": "g", "user_ids": [], **fields})
    assert_error(answer, 400, "invalid_field")
    socket.silent()


@pytest.mark.parametrize("name", ["x" * 128, "ж" * 128, "a \"b\" \\ /", "<b>", "👩‍👩‍👧", " "])
def test_names_come_back_as_they_were(people, name):
    user1, = people(count=1)
    socket = user1.connect()
    group = user1.group(name=name)
    socket.expect(T_GROUP, group_id=group, name=name)


def test_a_group_with_somebody_who_is_nobody(people):
    user1, user2 = people(count=2)
    sockets = connect_all(user1, user2)
    cursor = sockets[0].info()["cursor"]
    answer = user1.call("POST", "/groups", {"name": "g", "user_ids": [user2.id, NOBODY]})
    assert_error(answer, 404, "user_not_found")
    for socket in sockets:
        socket.silent()
    assert sockets[0].info()["cursor"] == cursor


def test_too_many_ids_in_one_request(new_server):
    rest = Rest(new_server(user_ids_max=3))
    users = [User(rest) for _ in range(5)]
    users[0].group(*users[1:4])
    answer = users[0].call("POST", "/groups",
                           {"name": "g", "user_ids": [u.id for u in users[1:5]]})
    assert_error(answer, 400, "invalid_field")


def test_a_full_group(new_server):
    rest = Rest(new_server(group_members_max=3))
    users = [User(rest) for _ in range(4)]
    answer = users[0].call("POST", "/groups", {"name": "g", "user_ids": [u.id for u in users]})
    assert_error(answer, 409, "group_full")
    group = users[0].group(users[1], users[2])
    assert_error(users[0].join(group, users[3]), 409, "group_full")
    users[2].leaves(group)
    users[0].joins(group, users[3])
    assert_error(users[2].join(group), 409, "group_full")


def test_a_user_in_as_many_groups_as_one_may_be_in(new_server):
    rest = Rest(new_server(user_groups_max=2))
    user1, user2 = User(rest), User(rest)
    first = user1.group(user2)
    user2.group()
    third = user1.group()
    assert_error(user1.call("POST", "/groups", {"name": "g", "user_ids": []}),
                 409, "too_many_groups")
    assert_error(user1.join(third, user2), 409, "too_many_groups")
    user2.leaves(first)
    user1.joins(third, user2)


def test_joining_is_told_to_every_member_and_the_newcomer(people):
    user1, user2, user3, stranger = people(count=4)
    group = user1.group(user2)
    sockets = connect_all(user1, user2, user3, user3)
    outside = stranger.connect()
    user2.joins(group, user3)
    events = [socket.expect(T_JOINED, group_id=group, user_id=user3.id, by=user2.id)
              for socket in sockets]
    assert len({event.raw for event in events}) == 1
    for socket in sockets + [outside]:
        socket.silent()


def test_leaving_is_told_to_those_who_remain_and_the_one_who_left(people):
    user1, user2, user3 = people(count=3)
    group = user1.group(user2, user3)
    sockets = connect_all(user1, user2, user3)
    user2.leaves(group)
    events = [socket.expect(T_LEFT, group_id=group, user_id=user2.id, by=user2.id)
              for socket in sockets]
    assert len({event.raw for event in events}) == 1

    sockets[0].send_message(group, "without user 2")
    user1.leaves(group, user3)
    sockets[1].silent()
    sockets[2].expect(T_MESSAGE, data="without user 2")
    sockets[2].expect(T_LEFT, user_id=user3.id, by=user1.id)


def test_joining_again_changes_nothing(people):
    user1, user2 = people(count=2)
    group = user1.group(user2)
    sockets = connect_all(user1, user2)
    cursor = sockets[0].info()["cursor"]
    assert_error(user1.join(group, user2), 409, "already_member")
    assert_error(user1.join(group), 409, "already_member")
    assert_error(user2.join(group), 409, "already_member")
    for socket in sockets:
        socket.silent()
    assert sockets[0].info()["cursor"] == cursor


def test_removing_somebody_who_is_no_member_changes_nothing(people):
    user1, user2, stranger = people(count=3)
    group = user1.group(user2)
    user2.leaves(group)
    sockets = connect_all(user1, user2, stranger)
    cursor = sockets[0].info()["cursor"]
    assert_error(user1.left(group, stranger), 404, "user_not_found")
    assert_error(user1.left(group, user2), 404, "user_not_found")
    assert_error(user2.left(group), 404, "user_not_found")
    for socket in sockets:
        socket.silent()
    assert sockets[0].info()["cursor"] == cursor


@pytest.mark.parametrize("verb", ["join", "left"])
@pytest.mark.parametrize("path", ["x", NOBODY, "", "..", NOBODY.upper() + "0"])
def test_groups_that_are_not_there(people, verb, path):
    user1, = people(count=1)
    answer = user1.call("PUT", f"/groups/{path}/{verb}", {"user_id": user1.id})
    assert answer.status_code == 404
    assert answer.json()["code"] in ("group_not_found", "not_found")


@pytest.mark.parametrize("verb", ["join", "left"])
@pytest.mark.parametrize("body", [{}, {"user_id": None}, {"user_id": 1}, {"user_id": "x"},
                                  {"user_id": []}])
def test_joining_and_leaving_name_somebody(people, verb, body):
    user1, = people(count=1)
    group = user1.group()
    assert_error(user1.call("PUT", f"/groups/{group}/{verb}", body), 400, "invalid_field")


@pytest.mark.parametrize("verb", ["join", "left"])
def test_joining_and_leaving_name_somebody_who_is_there(people, verb):
    user1, = people(count=1)
    group = user1.group()
    answer = user1.call("PUT", f"/groups/{group}/{verb}", {"user_id": NOBODY})
    assert_error(answer, 404, "user_not_found")


def test_a_group_goes_on_without_anybody(people):
    """Who left last may come back, and is its owner then."""
    user1, user2, user3 = people(count=3)
    group = user1.group(user2)
    socket = user1.connect()
    user1.leaves(group)
    user2.leaves(group)
    socket.expect(T_LEFT, user_id=user1.id)
    socket.silent()
    user1.joins(group)
    user1.joins(group, user3)
    user1.leaves(group, user3)
    assert [e.type for e in socket.fence()] == [T_JOINED, T_JOINED, T_LEFT]
    assert socket.send_message(group, "back").body["seq"] == 1


def test_the_answers_of_join_and_left_are_json(people):
    user1, user2 = people(count=2)
    group = user1.group()
    for answer in (user1.join(group, user2), user1.left(group, user2)):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert isinstance(answer.json(), dict)


def pages(user, group, limit, between=lambda: None):
    """The pages of a group's members, with something that happens behind each."""
    after, more = "", True
    while more:
        page = user.ok(200, "GET", f"/groups/{group}/members?limit={limit}{after}")
        assert 0 < len(page["members"]) <= limit
        yield from page["members"]
        after, more = f"&after={page['members'][-1]['user_id']}", page["more"]
        between()


def test_members_by_page_while_they_come_and_go(people):
    """Who is there all the time is on the pages once, in the order of first joining."""
    users = people(count=12)
    owner, stay, go, late = users[0], users[:6], users[6:9], users[9:]
    group = owner.group(*[user for pair in zip(stay, [*go, owner, owner, owner]) for user in pair])
    owner.ok(200, "PATCH", f"/groups/{group}/members/{stay[1].id}", {"role": "admin"})
    deeds = iter([lambda: go[0].leaves(group), lambda: owner.joins(group, late[0]),
                  lambda: owner.leaves(group, go[1]), lambda: owner.joins(group, late[1]),
                  lambda: go[0].joins(group), lambda: owner.joins(group, late[2])])
    members = list(pages(owner, group, 2, lambda: next(deeds, lambda: None)()))
    seen = [member["user_id"] for member in members]
    assert len(seen) == len(set(seen))
    assert [i for i in seen if i in {user.id for user in stay}] == [user.id for user in stay]
    newcomers = [user.id for user in late]
    assert [i for i in seen if i in newcomers] == newcomers[:len(set(seen) & set(newcomers))]
    for deed in deeds:
        deed()
    assert {member["user_id"]: member["role"] for member in members}[stay[1].id] == "admin"
    # A page goes on behind somebody who has left meanwhile.
    page = owner.ok(200, "GET", f"/groups/{group}/members?limit=1&after={go[1].id}")
    assert len(page["members"]) == 1 and page["more"]
    # Who comes back stands where they stood.
    assert [member["user_id"] for member in pages(owner, group, 1000)] == [
        i for i in [user.id for pair in zip(stay, [*go, None, None, None]) for user in pair if user]
        + [user.id for user in late] if i != go[1].id]
