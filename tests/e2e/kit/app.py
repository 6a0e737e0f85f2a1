"""The app's own server: its key, and its calls on its own listener."""
import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path

import requests

from . import contract
from .people import Device, Rest, User
from .server import PATIENCE


def key_file(path):
    """A new key in a file as an operator makes it; its text."""
    text = secrets.token_urlsafe(32)
    path.touch(0o600)
    path.write_text(text + "\n")
    return text


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(key, header, claims):
    """A JWT of these two, which are dicts, or bytes as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode()
             for part in (header, claims)]
    text = b".".join(encode(part) for part in parts)
    mac = hmac.new(key.encode(), text, hashlib.sha256).digest()
    return (text + b"." + encode(mac)).decode()


def token(key, sub, seconds=3600, **more):
    return sign(key, {"typ": "JWT", "alg": "HS256"},
                {"sub": sub, "exp": int(time.time()) + seconds, **more})


class App:
    """Calls with the app's key, at its door."""

    def __init__(self, server, key=None, rest=None):
        self.server = server
        self.key = key or Path(server.options["--api-key-file"]).read_text().strip()
        self.rest = rest or Rest(server)
        self.http = requests.Session()
        self.http.trust_env = False

    def close(self):
        self.rest.close()
        self.http.close()

    def call(self, method, path, body=None, key=None, headers=None):
        fields = {"authorization": f"Bearer {self.key if key is None else key}", **(headers or {})}
        answer = self.http.request(method, f"http://{self.server.app_address}{path}", json=body,
                                   headers={k: v for k, v in fields.items() if v is not None},
                                   timeout=PATIENCE)
        contract.check_answer(method, path, answer.status_code, answer.headers, answer.text,
                              answer.json)
        self.rest.learn(body, answer)
        return answer

    def ok(self, status, method, path, body=None):
        answer = self.call(method, path, body)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.json()

    def put(self, external_id, status=201, **body):
        return self.ok(status, "PUT", f"/admin/users/{external_id}", body)["id"]


class AppUser(User):
    """Somebody whom the app has made, with a token that it has asked for."""

    def __init__(self, app, external_id, **body):  # pylint: disable=super-init-not-called
        self.app = app
        self.rest = app.rest
        self.server = app.server
        self.id = app.put(external_id, **body)
        self.token = app.ok(200, "POST", f"/admin/users/{self.id}/token")["token"]

    def device_of_app(self, fields):
        return Device(self, self.app.ok(201, "POST", f"/admin/users/{self.id}/sessions", fields))
