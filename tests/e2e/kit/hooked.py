"""An app with two people, a group of theirs, and hooks: what the tests of webhooks stand on."""
import contextlib
import signal

from .app import App, key_file
from .people import Rest, User
from .receiver import Hook, Receiver
from .server import Server

QUICK = {"--hook-pause-min": 10, "--hook-pause-max": 100}


class World:
    """An app with two people and a group of theirs."""

    def __init__(self, directory, options=None, env=None):
        key_file(directory / "api-key")
        self.server = Server(directory / "data", {
            "--api-key-file": str(directory / "api-key"), "--admin-listen": "127.0.0.1:0",
            **QUICK, **(options or {})}, env)
        self.server.start()
        self.rest = Rest(self.server)
        self.app = App(self.server, rest=self.rest)
        self.user1, self.user2 = User(self.rest), User(self.rest)
        self.group = self.user1.group(self.user2)
        self.receivers, self.hooks = [], []

    def receiver(self, **options):
        self.receivers.append(Receiver(**options))
        return self.receivers[-1]

    def hook(self, url, **fields):
        self.hooks.append(Hook(self.app, url, **fields))
        return self.hooks[-1]

    def say(self, text, user=None):
        """A message, from user1; its cursor."""
        return (user or self.user1).ok(201, "POST", f"/groups/{self.group}/messages",
                                       {"data": text})["cursor"]

    def clear(self):
        """Without hooks nothing moves any more."""
        for hook in self.hooks:
            hook.delete()
        for receiver in self.receivers:
            receiver.close()
        self.receivers, self.hooks = [], []

    def end(self, number):
        self.clear()
        self.app.close()
        self.server.check_replay(number)


@contextlib.contextmanager
def lasting(directory, options):
    """One for all tests of a module; in the end it is killed, and started again."""
    world = World(directory, options)
    try:
        yield world
        world.end(signal.SIGKILL)
    finally:
        world.server.abandon()
