"""The other side of a webhook: an HTTP server that does what its script says and keeps what came."""
import base64
import functools
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
from collections import deque

from . import contract
from .server import PATIENCE

CLOSE = "closes in the middle of the answer"


def key_of(secret):
    """The bytes of a secret as it is written."""
    return base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()


@functools.lru_cache(None)
def described():
    """(the schema of the body, those of the headers), as openapi.yaml has them."""
    post = contract.document("openapi.yaml")["webhooks"]["events"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    return (contract.validator("openapi.yaml", schema),
            {one["name"]: contract.validator("openapi.yaml", one["schema"])
             for one in post["parameters"]})


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.status = None      # of the answer, once it was given
        self.at = time.monotonic()
        self.json = json.loads(body)

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def events(self):
        return self.json["events"]

    @property
    def cursors(self):
        return [event["cursor"] for event in self.events]

    def signed(self, *secrets):
        """By each of them, and nobody else, in this order."""
        text = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        macs = [hmac.new(key_of(secret), text, hashlib.sha256).digest() for secret in secrets]
        return self.headers["webhook-signature"] == " ".join(
            "v1," + base64.b64encode(mac).decode() for mac in macs)

    def check(self, hook, *more):
        """It is what the contract says, and signed: by these secrets of before too."""
        body, headers = described()
        contract.check("a webhook", body, self.json)
        for name, schema in headers.items():
            contract.check(name, schema, self.headers[name])
        assert (self.method, self.headers["content-type"]) == ("POST", "application/json")
        assert self.json["hook_id"] == hook.id
        stamp = self.headers["webhook-timestamp"]
        assert self.signed(hook.secret, *more)
        assert abs(time.time() - int(stamp)) < 10 * PATIENCE
        assert self.cursors == sorted(set(self.cursors))
        for event in self.events:
            contract.check_event({name: value for name, value in event.items()
                                  if not name.startswith("offline")})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.receiver.take(self, Request("POST", self.path, headers, body))

    do_GET = do_PUT = do_HEAD = do_POST


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Whoever is sent away in the middle says so; the tests see it in what came."""


class Receiver:
    """`script`: what is done with the next requests: a status, (a status, Retry-After, …), a URL to
    redirect to, CLOSE, or an Event to wait for before 200; behind its end, 200."""

    def __init__(self, tls=None):
        self.requests = []
        self.script = deque()
        self.changed = threading.Condition()
        self.held = []
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.receiver = self
        self.scheme = "https" if tls else "http"
        if tls:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def url(self, path="/hook"):
        return f"{self.scheme}://127.0.0.1:{self.http.server_address[1]}{path}"

    def close(self):
        for event in self.held:
            event.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(PATIENCE)

    def hold(self):
        """The next request in the script is not answered before this is set."""
        event = threading.Event()
        self.held.append(event)
        self.script.append(event)
        return event

    def take(self, handler, request):
        with self.changed:
            action = self.script.popleft() if self.script else 200
            self.requests.append(request)
            self.changed.notify_all()
        if isinstance(action, threading.Event):
            action.wait(10 * PATIENCE)
            action = 200
        action, *later = action if isinstance(action, tuple) else (action,)
        if action == CLOSE:
            handler.wfile.write(b"HTTP/1.1 200 ")
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            status = CLOSE
        else:
            status = 302 if isinstance(action, str) else action
        with self.changed:
            request.status = status
            self.changed.notify_all()
        if status == CLOSE:
            return
        handler.send_response(status)
        if isinstance(action, str):
            handler.send_header("location", action)
        for value in later:
            handler.send_header("Retry-After", value)
        handler.send_header("content-length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    def wait(self, condition, what=""):
        """Until condition() is true."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), (
                what, [(one.status, one.cursors) for one in self.requests])

    def wait_requests(self, count):
        self.wait(lambda: len(self.requests) >= count, f"{count} requests")

    def taken(self, path=None):
        """The events that were answered 200, in the order in which they came."""
        return [event for one in self.requests if one.status == 200 and path in (None, one.path)
                for event in one.events]

    def cursors(self, path=None):
        return [event["cursor"] for event in self.taken(path)]

    def wait_cursor(self, cursor, path=None):
        """Until that event was taken."""
        self.wait(lambda: cursor in self.cursors(path), f"cursor {cursor}")


class Hook:
    """A hook of the app at a receiver."""

    def __init__(self, app, url, **fields):
        self.app = app
        self.made = app.ok(201, "POST", "/admin/hooks", {"url": url, **fields})
        self.id = self.made["hook_id"]
        self.secret = fields.get("secret") or self.made["secret"]

    def status(self):
        found = [one for one in self.app.ok(200, "GET", "/admin/hooks")["hooks"]
                 if one["hook_id"] == self.id]
        return found[0] if found else None

    def wait_status(self, condition):
        """Asks until the status is so; what it is then."""
        deadline = time.monotonic() + PATIENCE
        while not condition(status := self.status()):
            assert time.monotonic() < deadline, status
        return status

    def update(self, **fields):
        answer = self.app.ok(200, "PATCH", f"/admin/hooks/{self.id}", fields)
        if "secret" in fields:
            assert ("secret" in answer) == (fields["secret"] is None)
            self.secret = fields["secret"] or answer["secret"]
        return answer

    def delete(self):
        answer = self.app.call("DELETE", f"/admin/hooks/{self.id}")
        assert answer.status_code in (204, 404), answer.text
