"""What happens in the directories that make.py writes: people who do all that a journal can tell."""
import http.server
import threading
import time

import read
from kit.app import App, AppUser
from kit.clock import DAY
from kit.people import User
from kit.server import PATIENCE
from kit.socket import DELIVERED, READ, SEND, T_SENT

PASSWORD = "0000"


class Story:
    """Of every record type that a server of now writes, and of every state that a snapshot has. In the
    end nothing is on its way, and nothing that is there would expire one day: a start changes
    nothing, whenever it is."""

    def __init__(self, server, clock):
        self.server, self.clock = server, clock
        self.app = App(server)
        self.rest = self.app.rest
        self.anna, self.bert, self.cleo = (self.user(name) for name in ("anna", "bert", "Cléo"))
        self.sockets = [user.connect() for user in (self.anna, self.bert, self.cleo)]
        self.group = self.anna.group(self.bert, self.cleo, name="all of us")
        self.pair = self.bert.group(self.anna, name="two")
        self.empty = self.cleo.group(name="alone")
        self.cleo.leaves(self.empty)
        self.messages = []

    def user(self, name):
        return User(self.rest, name, password=PASSWORD)

    def talk(self, count, size=20):
        for i in range(count):
            socket = self.sockets[i % 3]
            socket.rpc(SEND, {"group_id": self.group, "data": f"message {i} " + "x" * size,
                              "client_id": f"client-{len(self.messages)}"})
            while (event := socket.recv()).type != T_SENT:
                pass
            self.messages.append(event.body["message_id"])
        self.sockets[1].ok(DELIVERED, {"message_id": self.messages[0]})
        self.sockets[2].ok(READ, {"message_id": self.messages[-1]})

    def go(self):
        """Cléo leaves and comes back, Bert is removed."""
        self.cleo.leaves(self.group)
        self.cleo.joins(self.group)
        self.anna.leaves(self.group, self.bert)
        self.anna.device(device_id="another", platform="ios", build=4294967295)

    # ---- what came later ------------------------------------------------------------------------

    def more(self):
        self.dora, self.emil = self.user("dora"), self.user("emil")
        self.house = self.anna.ok(201, "POST", "/groups", {
            "name": "open house", "join": "open", "history": "all",
            "user_ids": [one.id for one in (self.bert, self.cleo, self.dora)]})["id"]
        self.of_roles()
        self.of_messages()
        self.of_profiles()
        self.of_two()
        self.of_the_app()
        self.of_age()
        self.of_somebody_who_goes()
        self.of_hooks()

    @staticmethod
    def post(user, group, data, **fields):
        return user.ok(201, "POST", f"/groups/{group}/messages", {"data": data, **fields})

    def role(self, by, user, role):
        by.ok(200, "PATCH", f"/groups/{self.house}/members/{user.id}", {"role": role})

    def of_roles(self):
        """Admins, a group that is handed over and one that passes on, one that ends."""
        self.role(self.anna, self.dora, "admin")
        self.role(self.anna, self.bert, "owner")
        self.emil.joins(self.house)
        self.bert.leaves(self.house)  # which is Dora's then: Anna, an admin too, came behind her
        self.anna.ok(200, "PATCH", f"/groups/{self.house}", {"name": "our house"})
        self.role(self.dora, self.cleo, "admin")
        self.role(self.dora, self.cleo, "member")
        ended = self.anna.group(self.bert, name="ended")
        self.post(self.anna, ended, "of what is no more")
        self.bert.leaves(ended)
        self.anna.ok(200, "DELETE", f"/groups/{ended}")

    def of_messages(self):
        first = self.post(self.dora, self.house, "a question", mentions=[self.anna.id, self.emil.id],
                          meta={"kind": "question", "n": [1, None]})["message_id"]
        second = self.post(self.emil, self.house, "an answer", reply_to=first, client_id="e1")
        third = self.post(self.cleo, self.house, "a mistake", reply_to=first)["message_id"]
        for text in "another answer", "the answer":
            self.emil.ok(200, "PATCH", f"/messages/{second['message_id']}", {"data": text})
        for user, emoji in ((self.anna, "+1"), (self.dora, "+1"), (self.dora, "\U0001F600")):
            user.ok(200, "PUT", f"/messages/{second['message_id']}/reactions", {"emoji": emoji})
        self.dora.ok(200, "DELETE", f"/messages/{second['message_id']}/reactions?emoji=%2B1")
        self.anna.ok(200, "PUT", f"/messages/{first}/reactions", {"emoji": "?"})
        self.dora.ok(200, "DELETE", f"/messages/{third}")

    def of_profiles(self):
        """Names, a new password, sessions that end, people who block others."""
        self.dora.ok(200, "PATCH", "/users/me", {"display_name": "Dora the first"})
        self.dora.ok(200, "PATCH", "/users/me", {"email": None, "current_password": PASSWORD})
        devices = [self.emil.device(device_id=str(n)) for n in range(3)]
        self.emil.ok(200, "DELETE", f"/sessions/{devices[0].id}")
        self.emil.ok(200, "DELETE", f"/sessions?except={devices[1].id}")
        self.emil.token = self.emil.ok(200, "PATCH", "/users/me", {
            "password": "1111", "current_password": PASSWORD, "display_name": "Emil \U0001F600"})["token"]
        self.emil.device(device_id="of the new password")
        for whom in self.emil, self.cleo:
            self.dora.ok(200, "PUT", f"/users/me/blocks/{whom.id}")
        self.dora.ok(200, "DELETE", f"/users/me/blocks/{self.cleo.id}")

    def of_two(self):
        body = {"kind": "direct", "user_ids": [self.dora.id]}
        direct = self.anna.ok(201, "POST", "/groups", body)["id"]
        self.post(self.anna, direct, "for you only")
        self.dora.leaves(direct)
        assert self.anna.ok(200, "POST", "/groups", body)["id"] == direct

    def of_the_app(self):
        frieda = AppUser(self.app, "user:7", username="frieda")
        self.app.put("user:7", status=200, username="Frieda")
        AppUser(self.app, "user:8").group(frieda, self.anna, name="of the app")

    def of_age(self):
        """One group of which all has expired, and one that keeps what is left for ever."""
        short = self.anna.group(self.bert, name="short")
        longer = self.bert.group(self.anna, name="longer")
        for group in short, longer:
            for n in range(3):
                self.post(self.bert, group, f"old {n}", client_id=f"{group[:8]}-{n}")
        self.clock.move(2 * DAY)
        kept = self.post(self.anna, longer, "new")["seq"]
        for user, group, first in (self.anna, short, 4), (self.bert, longer, kept):
            user.ok(200, "PUT", f"/groups/{group}/retention", {"days": 1})
            eventually(lambda u=user, g=group, f=first:
                       u.ok(200, "GET", f"/groups/{g}")["first_seq"] == f)
        self.bert.ok(200, "PUT", f"/groups/{longer}/retention", {"days": 0})

    def of_somebody_who_goes(self):
        """The last that the server does for that is to say that they are erased."""
        gone = self.user("gone")
        gone.joins(self.house)
        for n in range(3):
            self.post(gone, self.house, f"of somebody {n}")
        gone.ok(200, "DELETE", "/users/me", {"current_password": PASSWORD})
        eventually(lambda: self.has_record("user_erased"))

    def has_record(self, name):
        return any(read.FIELDS[record.type][0] == name
                   for record in read.read(self.server.data).records)

    def of_hooks(self):
        """One that has got on and is deleted, and one that nobody answers, today or later."""
        with Receiver() as url:
            hook = self.app.ok(201, "POST", "/admin/hooks", {"url": url, "types": [20, 72]})["hook_id"]
            self.post(self.dora, self.house, "for the app")
            eventually(lambda: self.has_record("hook_progress"))
            answer = self.app.call("DELETE", f"/admin/hooks/{hook}")
            assert answer.status_code == 204, answer.text
        body = {"url": "http://127.0.0.1:1/", "secret": "a secret"}
        hook = self.app.ok(201, "POST", "/admin/hooks", body)["hook_id"]
        self.app.ok(200, "PATCH", f"/admin/hooks/{hook}", {"types": [20], "secret": "another secret"})


class Receiver:
    """Takes all that it is sent; its URL."""

    def __enter__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def eventually(done):
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
