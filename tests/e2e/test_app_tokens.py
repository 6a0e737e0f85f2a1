"""Tokens that the app has signed itself, with a key of its own (RFC 7519, HS256). What is read of them,
bit by bit, is in tests/unit/auth/test_app_token.c; here, whom they let in."""
import time

import pytest

from kit.app import App, AppUser, key_file, sign, token
from kit.people import DEVICE, Rest, User, assert_error
from kit.server import Server

DAY = 86400


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    directory = tmp_path_factory.mktemp("app-tokens")
    key = key_file(directory / "api-key")
    signing = key_file(directory / "signing-key")
    server = Server(directory / "data", {
        "--api-key-file": str(directory / "api-key"), "--admin-listen": "127.0.0.1:0",
        "--app-token-key-file": str(directory / "signing-key"), "--app-token-days": "2"})
    try:
        made = App(server.start(), key)
        made.signing = signing
        made.anna = AppUser(made, "customer:7", username="anna")
        made.berta = User(made.rest, "berta")
        yield made
        made.close()
        server.check_replay(9)
    finally:
        server.abandon()


def me(world, bearer):
    world.server.secrets.learn_token(bearer)
    return world.rest.call("GET", "/users/me", token=bearer)


def in_seconds(seconds):
    return int(time.time()) + seconds


def test_by_the_apps_id_and_by_ours(world):
    assert me(world, token(world.signing, "customer:7")).json()["id"] == world.anna.id
    assert me(world, token(world.signing, world.anna.id)).json()["id"] == world.anna.id
    assert me(world, token(world.signing, world.berta.id.upper())).json()["id"] == world.berta.id


def test_all_that_a_token_of_ours_does(world):
    bearer = token(world.signing, "customer:7")
    group = world.rest.ok(201, "POST", "/groups", {"name": "g", "user_ids": [world.berta.id]}, bearer)["id"]
    answer = world.rest.ok(201, "POST", "/sessions", DEVICE, bearer)
    assert answer["messaging_url"].startswith(f"ws://{world.server.address}/")
    world.rest.ok(201, "POST", f"/groups/{group}/messages", {"data": "x"}, bearer)


def test_our_own_are_still_taken(world):
    assert me(world, world.anna.token).json()["id"] == world.anna.id
    assert me(world, world.berta.login()).json()["id"] == world.berta.id


@pytest.mark.parametrize("sub", ["customer:8", "anna", "", "00000000-0000-4000-8000-000000000000",
                                 "CUSTOMER:7", "customer:7 ", "customer:7\0", 7, None, ["customer:7"]], ids=ascii)
def test_nobody_of_that_name(world, sub):
    assert_error(me(world, token(world.signing, sub)), 401, "unauthorized")


@pytest.mark.parametrize("seconds,taken", [(60, True), (2 * DAY - 60, True), (-1, False), (-DAY, False),
                                           (2 * DAY + 60, False), (10 ** 9, False)])
def test_how_long(world, seconds, taken):
    answer = me(world, token(world.signing, "customer:7", seconds))
    assert answer.status_code == (200 if taken else 401)


@pytest.mark.parametrize("claims", [
    {"sub": "customer:7"}, {"exp": "later"}, {"exp": 1.5e9}, {"aud": "somebody"}, {"nbf": 2 ** 40}], ids=ascii)
def test_claims(world, claims):
    whole = {"sub": "customer:7", "exp": in_seconds(60), **claims}
    if claims == {"sub": "customer:7"}:
        del whole["exp"]
    assert_error(me(world, sign(world.signing, {"alg": "HS256"}, whole)), 401, "unauthorized")


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS384"}, {"typ": "JWT"},
                                    {"alg": "HS256", "crit": ["exp"]}, {"alg": "HS256", "typ": "JOSE"}],
                         ids=ascii)
def test_headers(world, header):
    claims = {"sub": "customer:7", "exp": in_seconds(60)}
    assert me(world, sign(world.signing, {"alg": "HS256"}, claims)).status_code == 200
    assert_error(me(world, sign(world.signing, header, claims)), 401, "unauthorized")


def test_other_keys(world):
    """Neither the key to the app's routes signs, nor another, nor none at all."""
    for key in world.key, "x" * 32, "", world.signing + "\n":
        assert_error(me(world, token(key, "customer:7")), 401, "unauthorized")
    # A signature is no token, and what the app signs opens no door of the app.
    bearer = token(world.signing, "customer:7")
    assert_error(me(world, bearer.rsplit(".", 1)[0] + "."), 401, "unauthorized")
    answer = world.call("GET", "/admin/users/customer:7", key=bearer)
    assert_error(answer, 401, "unauthorized")
    assert_error(world.call("GET", "/admin/users/customer:7", key=world.signing), 401, "unauthorized")


def test_where_it_is_not_switched_on(new_server, tmp_path):
    key = key_file(tmp_path / "api-key")
    server = new_server(api_key_file=tmp_path / "api-key", admin_listen="127.0.0.1:0")
    app = server.keep(App(server, key))
    app.put("customer:7")
    for signing in key, "":
        assert_error(me(app, token(signing, "customer:7")), 401, "unauthorized")


def test_without_the_apps_own_routes(new_server, tmp_path):
    """The one does not need the other: the app may know people by our id."""
    signing = key_file(tmp_path / "signing-key")
    server = new_server(app_token_key_file=tmp_path / "signing-key")
    rest = server.keep(Rest(server))
    anna = User(rest, "anna")
    assert rest.ok(200, "GET", "/users/me", token=token(signing, anna.id))["id"] == anna.id
