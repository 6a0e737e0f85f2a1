"""What a server does with a journal that is not as it left it."""
import re
import signal
import struct

import pytest

from kit.people import Rest, User
from kit.server import run
from kit.socket import T_MESSAGE

from test_options import listing

HEADER = struct.Struct("<IHHQ8s")  # length, type, back, seq, check: docs/journal-format.md
CHAIN = 16
REPLAYED = re.compile("replayed")  # the last thing that a start says


def records(content):
    """(offset, end) of each record of a segment."""
    at, found = struct.unpack_from("<I", content, 12)[0], []
    while True:
        length, kind, _, seq, _ = HEADER.unpack_from(content, at)
        if kind == 0 or seq == 0:
            return found
        end = at + HEADER.size + length + CHAIN
        found.append((at, end))
        at = end


class Journal:
    """A directory with a few dozen records in one segment, and the server that was killed: so
    nothing behind the last record says that it was complete."""

    def __init__(self, server, messages=30, size=20):
        self.server = server
        self.user = User(Rest(server), "user1")
        self.group = self.user.group()
        socket = self.user.connect()
        self.cursors = [socket.send_message(self.group, f"message {i} " + "x" * size).cursor
                        for i in range(messages)]
        self.digest = server.digest()
        server.close_clients()
        server.stop(signal.SIGKILL)
        self.segments = sorted((server.data / "journal").glob("*.log"))
        self.choose(self.segments[-1])

    def choose(self, file):
        """The segment that the test is about."""
        self.file = file
        self.bytes = file.read_bytes()
        self.records = records(self.bytes)
        self.used = self.records[-1][1]

    def write(self, content):
        self.file.write_bytes(content)

    def flip(self, at, bit=0):
        content = bytearray(self.bytes)
        content[at] ^= 1 << bit
        self.write(content)

    def cut(self, kept):
        """The file as it was when no more than this had reached the disk."""
        self.write(self.bytes[:kept] + bytes(len(self.bytes) - kept))

    def mend(self):
        self.write(self.bytes)
        self.server.start()
        assert self.server.digest() == self.digest

    def refuses(self, file=None):
        """The server opens no port, names file and offset, and changes nothing."""
        before = listing(self.server.data)
        done = run(self.server.arguments())
        assert done.returncode == 3, (done.returncode, done.stderr)
        assert done.stdout == ""
        assert str(file or self.file.name) in done.stderr, done.stderr
        assert listing(self.server.data) == before
        return done.stderr

    def message_count(self):
        return len([e for e in self.user.connect().everything() if e.type == T_MESSAGE])


@pytest.fixture
def journal(new_server):
    return Journal(new_server())


def test_a_flipped_bit_in_the_middle(journal):
    start, end = journal.records[len(journal.records) // 2]
    for at in (start, start + 6, start + 20, start + HEADER.size, end - CHAIN, end - 1):
        journal.flip(at)
        said = journal.refuses()
        assert f"offset {start}" in said, said
    journal.mend()


def test_flipped_bits_everywhere(journal):
    """From the first byte of the segment to the last record but one: header, lengths, checksums and
    payloads alike. None is taken for a torn tail, none goes unseen."""
    last = journal.records[-1][0]
    for i in range(60):
        journal.flip(i * last // 60, bit=i % 8)
        journal.refuses()
    journal.mend()


def test_a_record_that_was_cut_out(journal):
    start, end = journal.records[10]
    journal.write(journal.bytes[:start] + journal.bytes[end:] + bytes(end - start))
    journal.refuses()
    journal.mend()


def test_a_record_that_stands_there_twice(journal):
    start, end = journal.records[10]
    size = len(journal.bytes)
    journal.write((journal.bytes[:end] + journal.bytes[start:])[:size])
    journal.refuses()
    journal.mend()


def test_two_records_that_changed_places(journal):
    (start, middle), (_, end) = journal.records[10:12]
    whole = journal.bytes
    journal.write(whole[:start] + whole[middle:end] + whole[start:middle] + whole[end:])
    journal.refuses()
    journal.mend()


def test_a_sector_of_zeros_in_the_middle(journal):
    start = journal.records[5][0] // 512 * 512 + 512
    assert start + 512 < journal.records[-1][0]
    journal.write(journal.bytes[:start] + bytes(512) + journal.bytes[start + 512:])
    journal.refuses()
    journal.mend()


def test_a_torn_tail_is_cut_and_said_once(journal):
    """Every way in which the last record may be half there, as after a power failure."""
    start, end = journal.records[-1]
    for kept in sorted({start + 1, start + HEADER.size, end - 1, *range(start + 1, end, 9)}):
        journal.cut(kept)
        if journal.file.read_bytes() == journal.bytes:
            continue  # the rest of the record is zeros anyway
        before = set(listing(journal.server.data))
        server = journal.server.start()
        cursor, _ = server.digest()
        assert cursor == journal.cursors[-2]
        assert server.err.wait(REPLAYED), server.err.text()
        said = server.err.text()
        assert journal.file.name in said and f"offset {start}" in said, said
        copies = set(listing(server.data)) - before
        assert copies, "no copy of what was cut is kept"
        server.stop()
        server.start()
        assert server.err.wait(REPLAYED), server.err.text()
        assert journal.file.name not in server.err.text()
        assert server.digest()[0] == cursor
        server.stop()
        for name in copies:
            (server.data / name).unlink()
    journal.mend()


def test_a_tail_of_two_records(journal):
    """The last two went to the disk in pieces: the first of them is torn, the second is whole. They
    may have been one batch, so this is what a crash can leave only where nothing says otherwise."""
    (start, _), (second, _) = journal.records[-2:]
    _, _, back, _, _ = HEADER.unpack_from(journal.bytes, second)
    assert back == 0  # each was acknowledged before the next was sent
    journal.flip(start + HEADER.size)
    journal.refuses()
    journal.mend()


def test_the_last_record_of_a_clean_end_cannot_be_torn(journal):
    """The mark behind it says that all was on disk."""
    journal.server.start()
    journal.server.stop()
    journal.choose(journal.file)
    for at in (journal.records[-1][0], journal.used - 1):
        journal.flip(at)
        journal.refuses()
    journal.mend()


def test_what_was_cut_is_numbered_anew(journal):
    journal.cut(journal.used - 20)
    journal.server.start()
    assert journal.message_count() == 29
    device = journal.user.device()
    sent = device.connect().send_message(journal.group, "instead")
    assert sent.body["seq"] == 30
    journal.server.restart()
    events = [e for e in device.connect().everything() if e.type == T_MESSAGE]
    assert len(events) == 30 and events[-1].body["data"] == "instead"


def test_a_file_that_ends_early(journal):
    """A copy that was cut short: a crash does not do that to a file that was made in full."""
    for size in (journal.used, journal.used - 1, 100, 0):
        journal.write(journal.bytes[:size])
        journal.refuses()
    journal.mend()


@pytest.fixture
def segments(new_server):
    """A journal of several segments."""
    journal = Journal(new_server(segment_size="64k"), messages=40, size=8_000)
    assert len(journal.segments) >= 4
    return journal


def test_segments(segments):
    segments.server.start()
    assert segments.server.digest() == segments.digest
    assert segments.message_count() == 40


@pytest.mark.parametrize("which", [0, 1, 2, -1])
def test_a_segment_that_is_missing(segments, which):
    gone = segments.segments[which]
    kept = gone.read_bytes()
    gone.unlink()
    before = listing(segments.server.data)
    done = run(segments.server.arguments())
    assert done.returncode == 3 and done.stdout == "", done.stderr
    assert listing(segments.server.data) == before
    gone.write_bytes(kept)
    gone.chmod(0o600)
    segments.server.start()
    assert segments.server.digest() == segments.digest


def test_damage_in_a_segment_that_is_not_the_last(segments):
    """Its last record too: there is no torn tail where something follows."""
    segments.choose(segments.segments[1])
    for at in (10, segments.used // 2, segments.records[-1][0], segments.used - 1):
        segments.flip(at)
        segments.refuses()
    segments.cut(segments.used - 10)
    segments.refuses()
    segments.mend()


def test_segments_that_changed_places(segments):
    one, two = segments.segments[1:3]
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    segments.refuses(file=one.name)
    one.write_bytes(contents[0])
    two.write_bytes(contents[1])
    segments.server.start()


def test_a_segment_of_another_journal(segments, new_server):
    other = Journal(new_server(name="other", segment_size="64k"), messages=40, size=8_000)
    file = segments.segments[1]
    kept = file.read_bytes()
    file.write_bytes((other.server.data / "journal" / other.segments[1].name).read_bytes())
    segments.refuses(file=file.name)
    file.write_bytes(kept)
    segments.server.start()
    assert segments.server.digest() == segments.digest
