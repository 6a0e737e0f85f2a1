"""What many tests ask of ids and times."""
import re
import time

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

# Well formed, and nobody's.
NOBODY = "00000000-0000-4000-8000-000000000000"


def is_uuid(text):
    return isinstance(text, str) and UUID4.fullmatch(text) is not None


def is_now_ms(value):
    """A time of the last minutes: the clock of the test and of the server are the same."""
    return type(value) is int and abs(value - time.time() * 1000) < 300_000


def is_utf8(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
