"""Users, sessions and groups for the benchmark, made over the server's own REST interface.

Requests are pipelined over a few kept-alive connections, so that thousands of users are there
within seconds. What comes out is a plan: a line a connection for the load generator (path, number
of the group, id of the group), the sender of each group first.
"""

import json
import socket

CONNECTIONS = 8
DEPTH = 16  # requests on their way on one connection
SESSIONS_OF_A_USER = 64


class Rest:
    """A few HTTP/1.1 connections to one server; usable in a with statement."""

    def __init__(self, port):
        self.host = f"127.0.0.1:{port}"
        self.sockets = []
        for _ in range(CONNECTIONS):
            s = socket.create_connection(("127.0.0.1", port), timeout=30)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(s)
        self.unread = [b""] * CONNECTIONS

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            s.close()

    def post_all(self, path, requests, want):
        """POSTs each (token or None, body) and returns the answers in order."""
        answers = []
        for at in range(0, len(requests), CONNECTIONS * DEPTH):
            chunk = requests[at : at + CONNECTIONS * DEPTH]
            shares = [chunk[i::CONNECTIONS] for i in range(CONNECTIONS)]
            for s, share in zip(self.sockets, shares):
                s.sendall(b"".join(self._request(path, token, body) for token, body in share))
            read = [[self._answer(i, path, want) for _ in share] for i, share in enumerate(shares)]
            answers += [read[i % CONNECTIONS][i // CONNECTIONS] for i in range(len(chunk))]
        return answers

    def _request(self, path, token, body):
        text = json.dumps(body).encode()
        bearer = f"authorization: bearer {token}\r\n" if token else ""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self.host}\r\n{bearer}"
            f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        )
        return head.encode() + text

    def _answer(self, i, path, want):
        data = self.unread[i]
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(i, path)
        lines = data[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        end += 4 + int(fields.get("content-length", 0))
        while len(data) < end:
            data += self._more(i, path)
        self.unread[i] = data[end:]
        body = data[end - int(fields.get("content-length", 0)) : end]
        if status != want:
            raise RuntimeError(f"POST {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def _more(self, i, path):
        data = self.sockets[i].recv(1 << 16)
        if not data:
            raise RuntimeError(f"POST {path}: the server closed the connection")
        return data


def make_users(rest, count, prefix="bench"):
    """Registers and logs in `count` users; returns a list of (id, token)."""
    people = [
        {"username": f"{prefix}{i}", "email": f"{prefix}{i}@example.com", "password": "0000"}
        for i in range(count)
    ]
    made = rest.post_all("/users", [(None, p) for p in people], 201)
    known = rest.post_all(
        "/login", [(None, {"username": p["username"], "password": "0000"}) for p in people], 200
    )
    return [(m["id"], k["token"]) for m, k in zip(made, known)]


def make_sessions(rest, tokens):
    """A session for each token (a token may be there several times); returns their paths."""
    answers = rest.post_all(
        "/sessions",
        [
            (t, {"device_id": f"d{i}", "platform": "web", "model": "m", "build": 1, "name": "n"})
            for i, t in enumerate(tokens)
        ],
        201,
    )
    return ["/" + a["messaging_url"].rsplit("/", 1)[1] for a in answers]


def plan_groups(rest, groups, members, prefix="bench"):
    """Groups of users with a session each; nobody is in two. Returns the plan's lines."""
    users = make_users(rest, groups * members, prefix)
    paths = make_sessions(rest, [token for _, token in users])
    firsts = range(0, len(users), members)
    made = rest.post_all(
        "/groups",
        [
            (users[f][1], {"name": f"g{f}", "user_ids": [u for u, _ in users[f + 1 : f + members]]})
            for f in firsts
        ],
        201,
    )
    return [f"{path} {i // members} {made[i // members]['id']}" for i, path in enumerate(paths)]


def plan_floor(groups, members):
    """The same for the floor, which takes the group from the path and knows no ids."""
    nobody = "00000000-0000-4000-8000-000000000000"
    return [f"/g/{g} {g} {nobody}" for g in range(groups) for _ in range(members)]


def plan_resting(paths):
    """Connections that will not send."""
    return [f"{path} 0 -" for path in paths]
