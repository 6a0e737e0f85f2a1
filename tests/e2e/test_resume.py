"""A reader whose socket breaks again and again, at any place between catching up and living, while
others write; and a clock that is set back. No gap, nothing twice, in order."""
import json
import random
import signal
import threading

import pytest

from kit import raw
from kit.clock import Clock
from kit.people import Rest, User
from kit.socket import SEND, T_MESSAGE, T_SYNCED
from kit.threads import Task

RESUMES = 2000


class Writer:
    """Sends until told to stop; keeps what was acknowledged."""

    def __init__(self, user, group):
        self.user, self.group, self.socket = user, group, user.connect()
        self.sent, self.stopping = [], threading.Event()

    def start(self):
        self.task = Task(self.write)

    def write(self):
        while not self.stopping.is_set():
            answer = self.socket.ok(SEND, {"group_id": self.group, "data": str(len(self.sent))})
            self.sent.append((answer["seq"], str(len(self.sent))))
            self.socket.waiting.clear()

    def stop(self):
        self.stopping.set()
        self.task.join()
        return self.sent


class Reader:
    """Goes on from the newest cursor of which all was read; what it got, in that order."""

    def __init__(self, device):
        self.device, self.cursor, self.events = device, 0, []

    def resume(self, moves):
        """A connection that breaks without a word: after some frames, whatever they are, or when it
        lives and some have come since."""
        connection = raw.Connection(self.device.user.server).upgrade(
            f"{self.device.path}?after={self.cursor}")
        must_live, left = moves.random() < 0.5, moves.choice([0, 1, 2, 5, 30])
        lives = False
        while left > 0 or (must_live and not lives):
            event = json.loads(connection.text())
            if event["type"] == T_SYNCED:
                assert not event["body"]["more"] and not event["body"]["reset"]
                assert event["body"]["cursor"] >= self.cursor and not lives
                lives = True
                left = moves.choice([0, 1, 2, 4]) if must_live else left - 1
                continue
            assert event["cursor"] > self.cursor
            self.cursor = event["cursor"]
            self.events.append(event)
            left -= 1
        connection.close()

    def texts(self, group):
        return [(e["body"]["seq"], e["body"]["data"]) for e in self.events
                if e["type"] == T_MESSAGE and e["body"]["group_id"] == group]


def test_a_socket_that_breaks_between_catching_up_and_living(new_server):
    rest = Rest(new_server(send_rate=0, rpc_rate=0, user_rate=0, address_rate=0))
    user, authors = User(rest), [User(rest) for _ in range(2)]
    groups = [author.group(user) for author in authors]
    writers = [Writer(*pair) for pair in zip(authors, groups)]
    reader, moves = Reader(user.device()), random.Random(3)
    for writer in writers:
        writer.start()
    for _ in range(RESUMES):
        reader.resume(moves)
    sent = [writer.stop() for writer in writers]
    for event in user.device().connect().catch_up(reader.cursor):
        reader.events.append(event)
    for group, of_group in zip(groups, sent):
        assert reader.texts(group) == of_group


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_clock_that_is_set_back_an_hour(new_server, tmp_path, end):
    """Times never go back, whatever the clock does; the order is that of the journal. When the
    clock has caught up, it counts again."""
    clock = Clock(tmp_path)
    server = new_server(env=clock.environment())
    rest = Rest(server)
    user, other = User(rest), User(rest)
    group = user.group(other)
    socket, reader = user.connect(), other.connect()
    sent = []

    def send(count):
        for _ in range(count):
            sent.append(socket.ok(SEND, {"group_id": group, "data": str(len(sent))}))

    send(5)
    clock.move(-3600_000)
    send(5)
    server.restart(end)
    socket, reader = user.connect(), other.connect()
    send(5)
    clock.move(+7200_000)
    send(5)
    times = [answer["timestamp"] for answer in sent]
    assert times == sorted(times)
    assert times[14] - times[4] < 3000_000 < times[15] - times[14]
    events = [e for e in other.connect().events() if e.type == T_MESSAGE]
    assert [e.body["data"] for e in events] == [str(n) for n in range(20)]
    assert [e["timestamp"] for e in events] == times
    assert [e.body["seq"] for e in events] == list(range(1, 21))
    # What came since a cursor of the time before, though the clock was back.
    later = [e for e in other.device().connect().catch_up(sent[4]["cursor"])
             if e.type == T_MESSAGE]
    assert [e.body["data"] for e in later] == [str(n) for n in range(5, 20)]
