"""People, their devices and groups, over REST."""
import itertools

import requests

from . import contract
from .secrets import HASH
from .socket import Socket
from .server import PATIENCE

NUMBERS = itertools.count(1)

DEVICE = {"device_id": "0000", "platform": "web", "model": "chrome", "build": 1, "name": "pc"}


class Rest:
    """REST calls to a server, wherever it listens just now."""

    def __init__(self, server):
        self.server = server
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self):
        self.http.close()

    def call(self, method, path, body=None, token=None, headers=None):
        fields = dict(headers or {})
        if token:
            fields.setdefault("authorization", f"bearer {token}")
        answer = self.http.request(method, self.server.http(path), json=body, headers=fields,
                                   timeout=PATIENCE)
        contract.check_answer(method, path, answer.status_code, answer.headers, answer.text,
                              answer.json)
        self.learn(body, answer, token)
        return answer

    def learn(self, body, answer, token=None):
        """An answer that hands out something is learnt from, any other holds no secret. A token that
        was taken is one, whoever has signed it."""
        secrets = self.server.secrets
        if isinstance(body, dict):
            secrets.learn_password(body.get("password"))
            secrets.learn_password(body.get("current_password"))
        if answer.ok:
            secrets.check_handed("an answer", f"{answer.headers}\n{answer.text}")
            if token:
                secrets.learn_token(token)
            is_json = answer.headers.get("content-type") == "application/json"
            secrets.learn_answer(answer.json() if is_json and answer.content else None)
        else:
            secrets.check("an answer", f"{answer.headers}\n{answer.text}", [HASH])

    def ok(self, status, method, path, body=None, token=None):
        answer = self.call(method, path, body, token)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.json() if answer.content else None


def assert_error(answer, status, code):
    """An answer that refuses, in the one form that every refusal has."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["code"] == code, body
    assert isinstance(body["error"], str) and body["error"], body
    return body


class User:
    """Somebody who has registered and logged in."""

    def __init__(self, rest, name=None, password="a secret of theirs"):
        self.rest = rest
        self.server = rest.server
        self.name = name or f"user{next(NUMBERS)}"
        self.email = f"{self.name}@example.com"
        self.password = password
        self.id = rest.ok(201, "POST", "/users", self.account())["id"]
        self.token = self.login()

    def account(self):
        return {"username": self.name, "email": self.email, "password": self.password}

    def login(self):
        return self.rest.ok(200, "POST", "/login", self.account())["token"]

    def call(self, method, path, body=None):
        return self.rest.call(method, path, body, self.token)

    def ok(self, status, method, path, body=None):
        return self.rest.ok(status, method, path, body, self.token)

    def device(self, **fields):
        return Device(self, self.ok(201, "POST", "/sessions", {**DEVICE, **fields}))

    def connect(self):
        """A new device, connected."""
        return self.device().connect()

    def group(self, *others, name="group_1"):
        """A new group with these people; its id."""
        return self.ok(201, "POST", "/groups",
                       {"name": name, "user_ids": [other.id for other in others]})["id"]

    def join(self, group, who=None):
        return self.call("PUT", f"/groups/{group}/join", {"user_id": (who or self).id})

    def left(self, group, who=None):
        return self.call("PUT", f"/groups/{group}/left", {"user_id": (who or self).id})

    def joins(self, group, who=None):
        answer = self.join(group, who)
        assert answer.status_code == 200, answer.text

    def leaves(self, group, who=None):
        answer = self.left(group, who)
        assert answer.status_code == 200, answer.text


class Device:
    """A session: its messaging URL stays, wherever the server listens."""

    def __init__(self, user, session):
        self.user = user
        self.id = session["id"]
        self.path = "/" + session["messaging_url"].rsplit("/", 1)[1]

    def connect(self, after=None, **options):
        server = self.user.server
        query = "" if after is None else f"?after={after}"
        return server.keep(Socket(server.ws(self.path + query), server.secrets, **options))
