"""PATCH /users/me and POST /token: what people change of themselves, and which tokens are worth
something then."""
import concurrent.futures
import itertools

import pytest

from kit import raw
from kit.app import App, key_file, token as app_token
from kit.people import Rest, User, assert_error
from kit.socket import EVENTS, SEND, T_MESSAGE
from kit.threads import meeting

OPTIONS = {"login_fail_account": 0, "send_rate": 0}

NEW = "another secret of theirs"
NAMES = (f"someone{number}" for number in itertools.count(1))


@pytest.fixture(name="anna")
def make_anna(shared_rest):
    return User(shared_rest, next(NAMES))


def patch(user, status=200, query="", **fields):
    return user.ok(status, "PATCH", f"/users/me{query}", fields)


def refused(user, status, code, **fields):
    return assert_error(user.call("PATCH", "/users/me", fields), status, code)


def new_password(user, password=NEW, query=""):
    """Changes it; the token of before."""
    before = user.token
    user.token = patch(user, password=password, current_password=user.password, query=query)["token"]
    user.password = password
    return before


def is_good(rest, token):
    answer = rest.call("GET", "/users/me", token=token)
    if answer.status_code == 200:
        return True
    assert_error(answer, 401, "unauthorized")
    return False


def login(rest, user, password):
    return rest.call("POST", "/login", {"username": user.name, "password": password})


# ---- the name that is shown -----------------------------------------------------------------------

def test_a_display_name(shared_rest, anna):
    bert = User(shared_rest, next(NAMES))
    group = anna.group(bert)
    assert "display_name" not in anna.ok(200, "GET", "/users/me")
    for name in ("Anna Ångström", "x", "名" * 128, "👩‍👩‍👧 \"Anna\" \\ ", "  "):
        assert patch(anna, display_name=name) == {}
        assert bert.ok(200, "GET", f"/users/{anna.id}") == {
            "id": anna.id, "username": anna.name, "display_name": name}
        assert bert.ok(200, "GET", f"/users?username={anna.name}")["display_name"] == name
        assert anna.ok(200, "GET", "/users/me")["display_name"] == name
        members = bert.ok(200, "GET", f"/groups/{group}/members")["members"]
        assert [m.get("display_name") for m in members if m["user_id"] == anna.id] == [name]
        assert [m.get("display_name") for m in members if m["user_id"] == bert.id] == [None]
    assert patch(anna, display_name=None) == {}
    assert "display_name" not in bert.ok(200, "GET", f"/users/{anna.id}")


@pytest.mark.parametrize("name", ["", "x" * 129, "a\x00b", "a\nb", 7, ["x"], {}])
def test_names_that_are_none(anna, name):
    refused(anna, 400, "invalid_field", display_name=name)
    assert "display_name" not in anna.ok(200, "GET", "/users/me")


def test_what_changes_nothing(shared_server, anna):
    patch(anna, display_name="Anna")
    cursor = anna.connect().info()["cursor"]
    assert patch(anna) == {}
    assert patch(anna, display_name="Anna", unknown=1, username="other") == {}
    assert patch(anna, email=anna.email, current_password=anna.password) == {}
    assert anna.ok(200, "GET", "/users/me")["username"] == anna.name
    assert shared_server.digest()[0] == cursor


# ---- address and password -------------------------------------------------------------------------

def test_another_address(shared_rest, anna):
    bert = User(shared_rest, next(NAMES))
    old, new = anna.email, f"{next(NAMES)}@example.org"
    refused(anna, 400, "invalid_field", email=new)
    refused(anna, 401, "bad_credentials", email=new, current_password="no")
    refused(anna, 409, "email_taken", email=bert.email.upper(), current_password=anna.password)
    refused(anna, 400, "invalid_field", email="no address", current_password=anna.password)
    assert anna.ok(200, "GET", "/users/me")["email"] == old
    assert patch(anna, email=new, current_password=anna.password) == {}
    assert anna.ok(200, "GET", "/users/me")["email"] == new
    assert is_good(shared_rest, anna.token)
    for address, status in ((new, 200), (old, 401)):
        assert shared_rest.call("POST", "/login", {"email": address, "password": anna.password}
                                ).status_code == status
    # What was given up is anybody's, what was taken away is none.
    patch(bert, email=old, current_password=bert.password)
    patch(anna, email=None, current_password=anna.password)
    assert anna.ok(200, "GET", "/users/me")["email"] == ""


def test_a_new_password(shared_rest, anna):
    before = new_password(anna)
    assert not is_good(shared_rest, before)
    assert is_good(shared_rest, anna.token)
    assert_error(login(shared_rest, anna, "a secret of theirs"), 401, "bad_credentials")
    assert is_good(shared_rest, login(shared_rest, anna, NEW).json()["token"])
    # Within one second, and back again: what was ended stays so.
    second = new_password(anna, "a secret of theirs")
    third = new_password(anna, NEW)
    assert [is_good(shared_rest, token) for token in (before, second, third, anna.token)] == [
        False, False, False, True]


@pytest.mark.parametrize("fields, status, code", [
    ({"password": NEW}, 400, "invalid_field"),
    ({"password": NEW, "current_password": None}, 400, "invalid_field"),
    ({"password": NEW, "current_password": ""}, 400, "invalid_field"),
    ({"password": NEW, "current_password": 5}, 400, "invalid_field"),
    ({"password": NEW, "current_password": NEW}, 401, "bad_credentials"),
    ({"password": "", "current_password": "a secret of theirs"}, 400, "invalid_field"),
    ({"password": "x" * 1025, "current_password": "a secret of theirs"}, 400, "invalid_field"),
], ids=str)
def test_a_password_that_does_not_change(shared_rest, anna, fields, status, code):
    refused(anna, status, code, **fields)
    assert is_good(shared_rest, anna.token)
    assert login(shared_rest, anna, anna.password).status_code == 200


def test_all_at_once(anna):
    email = f"{next(NAMES)}@example.org"
    anna.token = patch(anna, display_name="A", email=email, password=NEW,
                       current_password=anna.password)["token"]
    me = anna.ok(200, "GET", "/users/me")
    assert (me["display_name"], me["email"]) == ("A", email)


def test_sessions_end_at_once(shared_rest, anna):
    kept, lost = anna.device(), anna.device()
    sockets = [device.connect() for device in (kept, lost, lost)]
    bert = User(shared_rest, next(NAMES))
    group = bert.group(anna)
    new_password(anna, query=f"?except={kept.id}")
    for socket in sockets[1:]:
        socket.expect_close(4001)
    assert [s["id"] for s in anna.ok(200, "GET", "/sessions")["sessions"]] == [kept.id]
    bert.ok(201, "POST", f"/groups/{group}/messages", {"data": "still there?"})
    sockets[0].fence()
    sockets[0].ok(EVENTS, {"after": 0})
    # And without an exception none stays.
    new_password(anna, "a third secret")
    sockets[0].expect_close(4001)
    assert anna.ok(200, "GET", "/sessions")["sessions"] == []
    assert_error(anna.call("PATCH", "/users/me?except=x", {}), 400, "invalid_field")


def test_a_poll_ends(shared_server, shared_rest, anna):
    cursor = anna.ok(200, "GET", "/events")["cursor"]
    polls = [raw.Connection(shared_server) for _ in range(3)]
    for poll in polls:
        poll.send(raw.request("GET", f"/events?after={cursor}&wait=60", shared_server,
                              headers=[f"authorization: bearer {anna.token}"]))
    # A fourth one that is answered says that the others have been read: one loop reads them all.
    assert anna.ok(200, "GET", f"/events?after={cursor}&wait=0")["events"] == []
    new_password(anna)
    for poll in polls:
        assert b" 401 " in poll.read_until(b"\r\n")
        poll.close()
    assert is_good(shared_rest, anna.token)


def test_it_stays_after_a_restart(new_server):
    server = new_server(snapshot_after="0")
    rest = Rest(server)
    anna = User(rest)
    patch(anna, display_name="Anna A.")
    before = new_password(anna)
    email = "after@example.com"
    patch(anna, email=email, current_password=anna.password)
    phone = anna.device()
    server.restart(9)
    assert not is_good(rest, before)
    me = anna.ok(200, "GET", "/users/me")
    assert (me["display_name"], me["email"]) == ("Anna A.", email)
    assert_error(login(rest, anna, "a secret of theirs"), 401, "bad_credentials")
    assert login(rest, anna, NEW).status_code == 200
    phone.connect().close()
    rest.close()


# ---- guessing, and races --------------------------------------------------------------------------

def test_guesses_are_counted_as_failed_logins(new_server):
    server = new_server(login_fail_account=3)
    rest = Rest(server)
    anna = User(rest)
    for _ in range(3):
        refused(anna, 401, "bad_credentials", password=NEW, current_password="a guess of mine")
    answer = anna.call("PATCH", "/users/me", {"password": NEW, "current_password": anna.password})
    assert_error(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 0
    assert login(rest, anna, anna.password).status_code == 429
    # What needs no password goes on.
    patch(anna, display_name="Anna")
    rest.close()


def test_right_passwords_are_given_back(new_server):
    rest = Rest(new_server(login_fail_account=2))
    anna = User(rest)
    for number in range(4):
        new_password(anna, f"a secret, number {number}")
    rest.close()


def test_who_came_before_has_nothing_left(new_server):
    """Logins with the old password and sessions with the old token, all under way while it changes."""
    server = new_server(password_threads=2, password_queue=200, send_rate="0")
    rest = Rest(server)
    for _ in range(8):
        anna = User(rest)
        old, before = anna.password, anna.token
        begin = meeting(9)

        def work(what, begin=begin, anna=anna, old=old, before=before):
            client = Rest(server)
            begin.wait()
            found = []
            for _ in range(6):
                if what % 2:
                    answer = login(client, anna, old)
                    found += [answer.json()["token"]] if answer.status_code == 200 else []
                else:
                    client.call("POST", "/sessions", {
                        "device_id": "0", "platform": "web", "model": "m", "build": 1, "name": "n"},
                        before)
            client.close()
            return found

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            works = [pool.submit(work, number) for number in range(8)]
            begin.wait()
            new_password(anna)
            tokens = [token for one in works for token in one.result()]
        assert not any(is_good(rest, token) for token in tokens)
        assert anna.ok(200, "GET", "/sessions")["sessions"] == []
    rest.close()


def test_two_changes_at_once(shared_server, anna):
    """Both know the password; one of them changes it, and the other came with an old token."""
    begin = meeting(2)

    def change(password):
        client = Rest(shared_server)
        begin.wait()
        answer = client.call("PATCH", "/users/me", {
            "password": password, "current_password": "a secret of theirs"}, anna.token)
        client.close()
        return answer

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(change, ["one of two secrets", "two of two secrets"]))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert is_good(anna.rest, winner.json()["token"])


# ---- POST /token ----------------------------------------------------------------------------------

def test_a_token_is_renewed(new_server):
    rest = Rest(new_server(token_days=1))
    anna = User(rest)
    token = anna.ok(200, "POST", "/token")["token"]
    assert is_good(rest, token) and is_good(rest, anna.token)
    again = rest.ok(200, "POST", "/token", token=token)["token"]
    assert is_good(rest, again)
    new_password(anna)
    for old in (token, again):
        assert_error(rest.call("POST", "/token", token=old), 401, "unauthorized")
    assert is_good(rest, anna.ok(200, "POST", "/token")["token"])
    rest.close()


def test_a_token_of_the_app_is_the_apps_to_renew(new_server, tmp_path):
    key = key_file(tmp_path / "tokens")
    key_file(tmp_path / "api")
    server = new_server(app_token_key_file=tmp_path / "tokens", api_key_file=tmp_path / "api",
                        admin_listen="127.0.0.1:0")
    app = App(server)
    anna = User(app.rest)
    token = app_token(key, anna.id)
    server.secrets.learn_token(token)
    assert is_good(app.rest, token)
    assert_error(app.rest.call("POST", "/token", token=token), 403, "forbidden")
    # It is good until it ends, whatever password there is.
    new_password(anna)
    assert is_good(app.rest, token)
    # Who has no password cannot give it.
    made = app.put("7")
    token = app_token(key, "7")
    server.secrets.learn_token(token)
    answer = app.rest.call("PATCH", "/users/me", {"password": NEW, "current_password": NEW}, token)
    assert_error(answer, 401, "bad_credentials")
    assert app.rest.ok(200, "PATCH", "/users/me", {"display_name": "Seven"}, token) == {}
    assert app.rest.ok(200, "GET", f"/users/{made}", token=token)["display_name"] == "Seven"
    app.close()


def test_a_message_of_the_last_moment(shared_rest, anna):
    """A socket that is closed has said what it said: what was answered is there."""
    bert = User(shared_rest, next(NAMES))
    group = anna.group(bert)
    socket = anna.connect()
    sent = socket.ok(SEND, {"group_id": group, "data": "the last"})
    new_password(anna)
    socket.expect_close(4001)
    texts = [e.body["message_id"] for e in bert.connect().events() if e.type == T_MESSAGE]
    assert texts == [sent["message_id"]]
