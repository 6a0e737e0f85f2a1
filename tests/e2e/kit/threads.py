"""What a test does beside itself: its end has a deadline, and its failure is the test's."""
import threading

from .server import PATIENCE


class Task(threading.Thread):
    """Runs `function` at once in a thread of its own, which holds up nobody's end."""

    def __init__(self, function, *arguments):
        super().__init__(name=getattr(function, "__name__", None), daemon=True)
        self.function, self.arguments = function, arguments
        self.returned, self.failed = None, None
        self.start()

    def run(self):
        try:
            self.returned = self.function(*self.arguments)
        except BaseException as error:  # pylint: disable=broad-except
            self.failed = error  # told to whoever joins

    def join(self, timeout=PATIENCE):
        """Waits for its end: what the function gave, or raised."""
        super().join(timeout)
        assert not self.is_alive(), f"{self.name} has not ended after {timeout} s"
        if self.failed:
            raise self.failed
        return self.returned


def meeting(count):
    """Where so many threads wait for each other, and not for ever."""
    return threading.Barrier(count, timeout=PATIENCE)
