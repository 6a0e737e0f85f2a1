"""GET /users?prefix=: people by the beginning of their name."""
import random

import pytest

from kit.people import Rest, User, assert_error

OPTIONS = {"register_rate": 0}


@pytest.fixture(name="asker", scope="module")
def make_asker(shared_rest):
    return User(shared_rest, "the-one-who-asks")


def register(rest, name):
    return rest.ok(201, "POST", "/users", {"username": name, "password": "0000"})["id"]


def find(asker, prefix, more=""):
    return asker.ok(200, "GET", f"/users?prefix={prefix}{more}")


def names(page):
    return [user["username"] for user in page["users"]]


def test_page_by_page(shared_rest, asker):
    numbers = list(range(120))
    random.Random(1).shuffle(numbers)
    ids = {f"page{n:03}": register(shared_rest, f"page{n:03}") for n in numbers}
    page = find(asker, "page")
    assert names(page) == [f"page{n:03}" for n in range(20)] and page["more"]
    assert all(user["id"] == ids[user["username"]] for user in page["users"])
    seen, after = [], ""
    for _ in range(5):
        page = find(asker, "PaGe", f"&limit=25{after}")
        seen += names(page)
        after = f"&after={seen[-1].upper()}"
        assert page["more"] == (len(seen) < 120)
    assert seen == sorted(ids)
    assert find(asker, "page", "&after=page119") == {"users": [], "more": False}
    # What is behind which need not be there, nor begin so.
    assert names(find(asker, "page11", "&after=page115x")) == [f"page11{n}" for n in range(6, 10)]
    assert names(find(asker, "page11", "&after=a")) == [f"page11{n}" for n in range(10)]
    assert names(find(asker, "page11", "&after=pagf")) == []
    assert names(find(asker, "page1", "&limit=1")) == ["page100"]


def test_forms_of_a_name(shared_rest, asker):
    register(shared_rest, "Straße7")
    register(shared_rest, "strassenbahn")
    assert names(find(asker, "STRASSE")) == ["Straße7", "strassenbahn"]
    assert names(find(asker, "stra%C3%9F")) == ["Straße7", "strassenbahn"]
    register(shared_rest, "Ａnders")         # of full width
    assert names(find(asker, "ander")) == ["Ａnders"]


def test_nobody_begins_so(asker):
    assert find(asker, "nobody-begins-so") == {"users": [], "more": False}
    assert find(asker, "the-one-who-asks-for-more") == {"users": [], "more": False}
    assert names(find(asker, "the-one-who-asks")) == ["the-one-who-asks"]


@pytest.mark.parametrize("query", [
    "", "?prefix=", "?prefix=a%20b", "?prefix=%00", "?prefix=a&username=a", "?prefix=a&limit=0",
    "?prefix=a&limit=51", "?prefix=a&limit=x", "?prefix=a&after=", "?prefix=a&after=%20",
    "?prefix=%FF", "?prefix=" + "a" * 300])
def test_what_is_no_beginning(asker, query):
    assert_error(asker.call("GET", f"/users{query}"), 400, "invalid_field")


def test_who_is_no_more_is_not_found(shared_rest, asker):
    going = User(shared_rest, "goes-away")
    register(shared_rest, "goes-away-never")
    assert names(find(asker, "goes-")) == ["goes-away", "goes-away-never"]
    going.ok(200, "DELETE", "/users/me", {"current_password": going.password})
    assert names(find(asker, "goes-")) == ["goes-away-never"]


def test_another_start(new_server):
    server = new_server(register_rate=0)
    rest = Rest(server)
    asker = User(rest, "first")
    for number in range(600):
        register(rest, f"many{number * 7919 % 600:04}")
    before = [names(find(asker, "many05", "&limit=50")), names(find(asker, "many"))]
    server.restart(9)
    assert [names(find(asker, "many05", "&limit=50")), names(find(asker, "many"))] == before
    assert before[0] == [f"many05{n:02}" for n in range(50)]
    rest.close()
