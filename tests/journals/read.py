#!/usr/bin/env python3
"""Reads a journal: an independent reader, written from docs/journal-format.md alone.

    read.py verify DIR       says what is there; exit code 3 where it is damaged, naming file and offset
    read.py dump DIR         one line of JSON a record, secrets hidden
    read.py snapshots DIR    one line of JSON an element of each snapshot

DIR is the data directory or the journal in it. It shares no code with the server, so that the
document is complete where this program works.
"""
import argparse
import hashlib
import json
import struct
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

HEADER = struct.Struct("<8sII16sQQQQ16s16s")    # of a segment
RECORD = struct.Struct("<IHHQQ")                # length, type, back, seq, check
MANIFEST = struct.Struct("<8sII16sQQ16s")
SNAPSHOT = struct.Struct("<8sII16sQq16s16s")    # and zeros, and its checksum
SEGMENT_HEADER, CHAIN, NOTHING_CLAIMED = 4096, 16, 65535
SNAPSHOT_HEADER, SNAPSHOT_HASH, PAYLOAD_MAX = 128, 32, 1 << 26
MASK = (1 << 64) - 1


class Damage(Exception):
    """What is wrong, in which file, at which offset."""

    def __init__(self, file, offset, why):
        super().__init__(f"{file}, offset {offset}: {why}")
        self.file, self.offset, self.why = str(file), offset, why


def blake2b(content, size=16):
    return hashlib.blake2b(content, digest_size=size).digest()


def siphash(key, content):
    """SipHash-2-4 (Aumasson, Bernstein 2012), 64 bits."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        a, b, c, d = v
        for _ in range(count):
            a = (a + b) & MASK
            b = ((b << 13 | b >> 51) & MASK) ^ a
            a = (a << 32 | a >> 32) & MASK
            c = (c + d) & MASK
            d = ((d << 16 | d >> 48) & MASK) ^ c
            a = (a + d) & MASK
            d = ((d << 21 | d >> 43) & MASK) ^ a
            c = (c + b) & MASK
            b = ((b << 17 | b >> 47) & MASK) ^ c
            c = (c << 32 | c >> 32) & MASK
        v[:] = a, b, c, d

    whole = len(content) // 8 * 8
    words = list(struct.unpack(f"<{whole // 8}Q", content[:whole]))
    words.append(int.from_bytes(content[whole:], "little") | (len(content) & 255) << 56)
    for word in words:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# ---- segments ----------------------------------------------------------------------------------------


@dataclass
class Record:
    seq: int
    type: int
    payload: bytes
    file: str
    offset: int
    end: int
    chain: bytes    # behind it


@dataclass
class Segment:
    name: str
    epoch: bytes
    number: int
    first: int
    key: bytes
    chain: bytes    # before the first record
    content: bytes = field(repr=False)
    records: list = field(default_factory=list, repr=False)
    clean: bool = False     # ends with a mark


def numbered(name, ending):
    """The 20 digits of a file's name, or None."""
    return int(name[:20]) if len(name) == 20 + len(ending) and name.endswith(ending) \
        and name[:20].isdigit() else None


def read_header(path):
    content = path.read_bytes()
    if len(content) < SEGMENT_HEADER:
        raise Damage(path.name, 0, "shorter than a header")
    magic, version, header, epoch, number, first, size, zero, key, chain = HEADER.unpack_from(content)
    if blake2b(content[:SEGMENT_HEADER - 16]) != content[SEGMENT_HEADER - 16:SEGMENT_HEADER]:
        raise Damage(path.name, SEGMENT_HEADER - 16, "the header's checksum does not hold")
    if magic != b"GCJSEG\r\n" or version != 1 or header != SEGMENT_HEADER:
        raise Damage(path.name, 0, "no segment of version 1")
    if zero or any(content[HEADER.size:SEGMENT_HEADER - 16]):
        raise Damage(path.name, HEADER.size, "the header's rest is not zero")
    if first != numbered(path.name, ".log"):
        raise Damage(path.name, 40, f"begins with record {first}, its name says otherwise")
    if size != len(content):
        raise Damage(path.name, 48, f"has {len(content)} bytes, not {size}")
    return Segment(path.name, epoch, number, first, key, chain, content)


def header_at(segment, at):
    """length, type, back, seq of the record or mark whose header is there, or None."""
    head = segment.content[at:at + RECORD.size]
    if len(head) < RECORD.size:
        return None
    *values, check = RECORD.unpack(head)
    return tuple(values) if siphash(segment.key, head[:16]) == check else None


def record_at(segment, at, seq, chain):
    head = header_at(segment, at)
    if head is None or head[3] != seq or head[1] == 0:
        return None
    end = at + RECORD.size + head[0] + CHAIN
    if end > len(segment.content):
        return None
    value = blake2b(chain + segment.content[at:end - CHAIN])
    if value != segment.content[end - CHAIN:end]:
        return None
    payload = segment.content[at + RECORD.size:end - CHAIN]
    return Record(seq, head[1], payload, segment.name, at, end, value)


def claims_more(segment, at, seq):
    """Is there a header behind that says that record `seq` was on disk?"""
    end = len(segment.content.rstrip(b"\0"))
    for behind in range(at, end):
        head = header_at(segment, behind)
        if head is not None and head[2] != NOTHING_CLAIMED and head[3] - head[2] > seq:
            return True
    return False


def read_records(segment, is_last):
    """Fills segment.records; returns (next seq, chain value, torn tail's offset or None)."""
    at, seq, chain = SEGMENT_HEADER, segment.first, segment.chain
    while True:
        record = record_at(segment, at, seq, chain)
        if record is None:
            break
        segment.records.append(record)
        at, seq, chain = record.end, seq + 1, record.chain
    rest = segment.content[at:]
    head = header_at(segment, at)
    if head is not None and head[:3] == (0, 0, 0) and head[3] == seq:
        segment.clean = True
        rest = rest[RECORD.size:]
    if not any(rest):
        return seq, chain, None
    if not is_last:
        raise Damage(segment.name, at, f"record {seq} is not whole, and another segment follows")
    if claims_more(segment, at, seq):
        raise Damage(segment.name, at, f"record {seq} was on disk once and is not whole")
    return seq, chain, at


# ---- snapshots ---------------------------------------------------------------------------------------


@dataclass
class Snapshot:
    name: str
    epoch: bytes
    seq: int
    time: int
    key: bytes
    chain: bytes
    records: list = field(repr=False)       # (type, payload)


def read_snapshot(path):
    content = path.read_bytes()
    tail = 6 + 8 + 8 + SNAPSHOT_HASH
    if len(content) < SNAPSHOT_HEADER + tail:
        raise Damage(path.name, 0, "too short")
    magic, version, header, epoch, seq, time, key, chain = SNAPSHOT.unpack_from(content)
    if blake2b(content[:SNAPSHOT_HEADER - 16]) != content[SNAPSHOT_HEADER - 16:SNAPSHOT_HEADER]:
        raise Damage(path.name, SNAPSHOT_HEADER - 16, "the header's checksum does not hold")
    if magic != b"GCJSNP\r\n" or version != 1 or header != SNAPSHOT_HEADER:
        raise Damage(path.name, 0, "no snapshot of version 1")
    if any(content[SNAPSHOT.size:SNAPSHOT_HEADER - 16]):
        raise Damage(path.name, SNAPSHOT.size, "the header's rest is not zero")
    if seq != numbered(path.name, ".snap"):
        raise Damage(path.name, 32, f"holds the state behind record {seq}, its name says otherwise")
    end = len(content) - SNAPSHOT_HASH
    if blake2b(content[:end], SNAPSHOT_HASH) != content[end:]:
        raise Damage(path.name, end, "the file's hash does not hold")
    at, records = SNAPSHOT_HEADER, []
    while True:
        if at + 6 > end:
            raise Damage(path.name, at, "there is no end")
        length, kind = struct.unpack_from("<IH", content, at)
        at += 6
        if length > PAYLOAD_MAX or at + length > len(content):
            raise Damage(path.name, at - 6, "a record reaches beyond the end")
        payload = content[at:at + length]
        at += length
        if kind == 0:
            break
        records.append((kind, payload))
    if at != len(content) or payload[:-SNAPSHOT_HASH] != struct.pack("<QQ", len(records), at):
        raise Damage(path.name, at, "the end is not that of this file")
    return Snapshot(path.name, epoch, seq, time, key, chain, records)


# ---- the directory -----------------------------------------------------------------------------------


@dataclass
class Journal:
    segments: list = field(default_factory=list)
    snapshots: list = field(default_factory=list)       # that are whole, the oldest first
    bad_snapshots: list = field(default_factory=list)   # Damage
    torn: tuple = None                                  # (file, offset)
    next_seq: int = 1

    @property
    def records(self):
        return [record for segment in self.segments for record in segment.records]


def read_manifest(directory):
    path = directory / "manifest"
    if not path.exists():
        return None
    content = path.read_bytes()
    if len(content) != MANIFEST.size:
        raise Damage("manifest", 0, "has another size than 64 bytes")
    magic, version, size, epoch, number, first, check = MANIFEST.unpack(content)
    if blake2b(content[:48]) != check:
        raise Damage("manifest", 48, "its checksum does not hold")
    if magic != b"GCJMAN\r\n" or version != 1 or size != MANIFEST.size:
        raise Damage("manifest", 0, "no manifest of version 1")
    return epoch, number, first


def check_manifest(manifest, journal):
    if manifest is None:
        if journal.records or len(journal.segments) > 1 or journal.snapshots:
            raise Damage("manifest", 0, "is missing beside records")
        return
    epoch, number, first = manifest
    if (epoch, number, first) not in [(s.epoch, s.number, s.first) for s in journal.segments]:
        raise Damage("manifest", 32, f"segment {number}, which begins with record {first}, is missing")


def drop_leftovers(journal):
    """A crash while segments below a snapshot were deleted leaves any of them: what is before a gap
    is not needed, where a snapshot holds everything before what is behind it."""
    for at in range(len(journal.segments) - 1, 0, -1):
        before, segment = journal.segments[at - 1:at + 1]
        if segment.number != before.number + 1:
            if any(snapshot.seq + 1 >= segment.first for snapshot in journal.snapshots):
                del journal.segments[:at]
            return


def check_order(journal):
    """Each segment goes on where the one before ends; the first is number 1, or a snapshot covers
    what is not there."""
    if not journal.segments:
        if journal.snapshots:
            raise Damage(journal.snapshots[-1].name, 0, "there is no segment beside it")
        return
    drop_leftovers(journal)
    first = journal.segments[0]
    if first.number == 1:
        if first.first != 1 or first.chain != blake2b(first.epoch):
            raise Damage(first.name, 32, "segment 1 does not begin the chain")
    elif not any(snapshot.seq + 1 >= first.first for snapshot in journal.snapshots):
        raise Damage(first.name, 32, f"records 1 to {first.first - 1} are missing")
    for before, segment in zip(journal.segments, journal.segments[1:]):
        if segment.number != before.number + 1:
            raise Damage(segment.name, 32, f"segment {before.number + 1} is missing")
    for other in journal.segments + journal.snapshots:
        if (other.epoch, other.key) != (first.epoch, first.key):
            raise Damage(other.name, 16, "belongs to another journal")


def read_segments(journal):
    seq, chain = None, None
    behind = {}     # chain value behind record, where a snapshot may ask
    for segment in journal.segments:
        if seq is not None and (segment.first, segment.chain) != (seq, chain):
            raise Damage(segment.name, 40, f"does not go on from record {seq - 1}")
        is_last = segment is journal.segments[-1]
        behind[segment.first - 1] = segment.chain
        seq, chain, torn = read_records(segment, is_last)
        behind.update((record.seq, record.chain) for record in segment.records)
        if torn is not None:
            journal.torn = segment.name, torn
    journal.next_seq = seq or 1
    for snapshot in journal.snapshots:
        if snapshot.seq >= journal.next_seq:
            raise Damage(snapshot.name, 32, f"the journal ends with record {journal.next_seq - 1}")
        if behind.get(snapshot.seq, snapshot.chain) != snapshot.chain:
            raise Damage(snapshot.name, 64, "its chain value is not the journal's")


def read(directory):
    """The journal in `directory`; Damage where it is none."""
    directory = Path(directory)
    if (directory / "journal").is_dir():
        directory = directory / "journal"
    manifest = read_manifest(directory)
    names = sorted(path.name for path in directory.iterdir())
    journal = Journal()
    for name in names:
        if numbered(name, ".snap") is not None:
            try:
                journal.snapshots.append(read_snapshot(directory / name))
            except Damage as damage:
                journal.bad_snapshots.append(damage)
        elif numbered(name, ".log") is not None:
            journal.segments.append(read_header(directory / name))
    check_order(journal)
    read_segments(journal)
    check_manifest(manifest, journal)
    return journal


# ---- what payloads mean ------------------------------------------------------------------------------


class Reader:
    """Takes fields from the front of a payload; ValueError where it ends first."""

    def __init__(self, payload):
        self.left = payload
        self.sums = {}

    def take(self, size):
        if size > len(self.left):
            raise ValueError("the payload ends within a field")
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def time(self):
        return int.from_bytes(self.take(8), "little", signed=True)

    def u8(self):
        return self.number(1)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def uuid(self):
        return str(uuid.UUID(bytes=self.take(16)))

    def hash(self):
        self.take(32)
        return "(hidden)"

    def text8(self):
        return self.take(self.u8()).decode()

    def text(self):
        return self.take(self.u32()).decode()

    def secret(self):
        self.take(self.u8())
        return "(hidden)"

    def u32s(self):
        return [self.u32() for _ in range(self.u32())]

    def v(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                if value > MASK:
                    raise ValueError("a number is too large")
                return value
        raise ValueError("a number does not end")

    def vtext(self):
        return self.take(self.v()).decode()

    def rest(self):
        return self.take(len(self.left)).decode()


FIELDS = {
    1: ("user_create", "time:time id:uuid username:text8 username_key:text8 email:text8 "
                       "email_key:text8 password:secret"),
    2: ("session_create", "time:time id:uuid user:u32 token:hash replaces:uuid sessions_max:u32 "
                          "platform:u8 build:u32 device_id:text model:text name:text"),
    3: ("group_create", "time:time id:uuid owner:u32 groups_max:u32 name:text members:u32s"),
    4: ("member_add", "time:time group:u32 user:u32 by:u32 members_max:u32 groups_max:u32"),
    5: ("member_remove", "time:time group:u32 user:u32 by:u32"),
    6: ("message_post", "time:time id:uuid group:u32 author:u32 client_id:text8 data:text"),
    7: ("receipt_mark", "time:time group:u32 user:u32 seq:u32 kind:u8"),
    8: ("session_end", "time:time user:u32 id:uuid"),
    9: ("sessions_end", "time:time user:u32 except:uuid"),
    10: ("message_update", "time:time group:u32 seq:u32 by:u32 data:text"),
    11: ("message_delete", "time:time group:u32 seq:u32 by:u32"),
    12: ("message_react", "time:time group:u32 seq:u32 by:u32 remove:u8 user_max:u32 "
                          "message_max:u32 emojis_max:u32 emoji:text8"),
    13: ("message_send", "time:time id:uuid group:u32 author:u32 reply_to:u32 mentions:u32s "
                         "client_id:text8 meta:text data:text"),
    20: ("member_role", "time:time group:u32 user:u32 by:u32 role:u8"),
    21: ("group_update", "time:time group:u32 by:u32 fields:u8 join:u8 history:u8 name:text"),
    22: ("group_delete", "time:time group:u32 by:u32"),
    23: ("group_make", "time:time id:uuid owner:u32 groups_max:u32 join:u8 history:u8 name:text "
                       "members:u32s"),
    24: ("member_leave", "time:time group:u32 user:u32 by:u32"),
    25: ("direct_open", "time:time id:uuid by:u32 user:u32 groups_max:u32"),
    30: ("user_update", "time:time user:u32 tokens:u32 except:uuid fields:u8 display_name:text "
                        "email:text8 email_key:text8 password:secret"),
    31: ("session_open", "time:time id:uuid user:u32 tokens:u32 token:hash replaces:uuid "
                         "sessions_max:u32 platform:u8 build:u32 device_id:text model:text name:text"),
    32: ("user_delete", "time:time user:u32 tokens:u32"),
    33: ("message_erase", "time:time group:u32 seq:u32"),
    34: ("user_erased", "time:time user:u32"),
    35: ("user_block", "time:time user:u32 tokens:u32 whom:u32 remove:u8 blocks_max:u32"),
    40: ("app_user_create", "time:time id:uuid external_id:text8 username:text8 username_key:text8"),
    41: ("app_user_rename", "time:time user:u32 username:text8 username_key:text8"),
    42: ("hook_create", "time:time id:uuid hooks_max:u32 after:u64 types:u32s secret:secret url:text"),
    43: ("hook_delete", "time:time id:uuid"),
    44: ("hook_progress", "time:time id:uuid cursor:u64"),
    45: ("hook_update", "time:time id:uuid until:time fields:u8 types:u32s secret:secret url:text"),
    49: ("epoch_renew", "time:time epoch:uuid"),
    50: ("messages_expire", "time:time group:u32 up_to:u32"),
    51: ("group_retention", "time:time group:u32 by:u32 days:u32"),
}


def take_fields(reader, text):
    return {name: getattr(reader, kind)() for name, kind in
            (entry.split(":") for entry in text.split())}


def decode(record):
    """A record as a dict; Damage where it is not of this format."""
    if record.type not in FIELDS:
        raise Damage(record.file, record.offset, f"record {record.seq} has the unknown type {record.type}")
    name, fields = FIELDS[record.type]
    reader = Reader(record.payload)
    try:
        values = take_fields(reader, fields)
    except ValueError as error:
        raise Damage(record.file, record.offset, f"record {record.seq}: {error}") from None
    if reader.left:
        raise Damage(record.file, record.offset, f"record {record.seq} is too long")
    return {"record": record.seq, "type": name, **values}


SAVED = {
    1: ("head", "seq:v time:v users:v sessions:v groups:v members:v messages:v client_ids:v"),
    2: ("user", "id:uuid seq:v time:v username:text8 username_key:text8 email:text8 email_key:text8 "
                "password:secret"),
    3: ("session", "id:uuid token:hash time:v platform:u8 build:v device_id:vtext model:vtext name:rest"),
    4: ("group", "id:uuid seq:v founders:v owner:v members:v active:v changes:v messages:v name:rest"),
    5: ("member", None),
    6: ("active", "place:v"),
    7: ("by_mark", "place:v"),
    8: ("change", "seq:v time:v kind:u8 user:v by:v"),
    9: ("message", "author:v seq:v time:v client_id_len:u8 data_len:v id:uuid"),
    10: ("amendment", "message:v what:u8"),
    11: ("details", "message:v reply_to:v"),
    15: ("extra", "kind:u8 join:u8 history:u8 grants:v successions:v seq:v"),
    16: ("grant", "member:v role:u8 seq:v time:v by:v"),
    17: ("succession", "change:v owner:v"),
    18: ("deleted", "seq:v time:v by:v"),
    19: ("extras", "count:v"),
    20: ("profile", "tokens:v"),
    21: ("erased", "id:uuid cursor:v time:v erasure:u8"),
    22: ("profiles", "count:v"),
    25: ("externals", "count:v"),
    26: ("external", "user:v external_id:text8"),
    27: ("hooks", "count:v"),
    28: ("hook", "id:uuid seq:v time:v position:v"),
    29: ("epoch", "epoch:uuid"),
    30: ("kept", "expired:v days:v last_seq:v"),
    31: ("kept_count", "count:v"),
    32: ("hook_secret", "until:v"),
}


def take_member(reader):
    member = {"user": reader.v(), "state": reader.u8(), "spans": []}
    edge, count = 0, reader.v()
    for i in range(count):
        start = edge + reader.v()
        edge = None if member["state"] == 0 and i == count - 1 else start + reader.v()
        member["spans"].append([start, edge])
    for mark in "delivered", "read":
        upto = reader.v()
        member[mark] = {"upto": upto, "seq": reader.v(), "time": reader.v()} if upto else {"upto": 0}
    return member


def take_element(reader, kind):
    if kind == 5:
        return take_member(reader)
    element = take_fields(reader, SAVED[kind][1])
    if kind == 9:
        element["client_id"] = reader.take(element.pop("client_id_len")).decode()
        element["data"] = reader.take(element.pop("data_len")).decode()
    if kind == 10:
        if element["what"]:
            element.update(take_fields(reader, "seq:v time:v"))
            element.update(take_fields(reader, "version:v" if element["what"] == 1 else "by:v"))
        element["reactions"] = [take_fields(reader, "user:v removed:u8 seq:v time:v emoji:text8")
                                for _ in range(reader.v())]
    if kind == 11:
        element["mentions"] = [reader.v() for _ in range(reader.v())]
        element.update(take_fields(reader, "meta:vtext"))
    if kind == 15 and element["seq"]:
        element.update(take_fields(reader, "time:v by:v first_join:u8 first_history:u8 name:rest"))
    if kind == 20:
        number = 0
        element["blocks"] = [number := number + reader.v() for _ in range(reader.v())]
        element.update(take_fields(reader, "display_name:rest"))
    if kind == 28:
        number = 0
        element["types"] = [number := number + reader.v() for _ in range(reader.v())]
        element.update(take_fields(reader, "secret:secret url:rest"))
    if kind == 32:
        reader.rest()
        element["secret"] = "(hidden)"
    return element


COUNTED = {"user": "users", "session": "sessions", "group": "groups", "member": "members",
           "message": "messages"}


def elements(snapshot):
    """(name, dict) of each element: sums are summed up, counts are compared."""
    def wrong(why):
        return Damage(snapshot.name, 0, f"record {index} of type {kind}: {why}")

    head, seen, sums, before = None, dict.fromkeys(COUNTED, 0), {}, 0
    for index, (kind, payload) in enumerate(snapshot.records):
        if kind not in SAVED or (head is None) != (kind == 1):
            raise wrong("it does not belong there")
        if kind != before:
            sums = {10: {"message": 0}, 11: {"message": 0}, 17: {"change": 0},
                    26: {"user": 0}}.get(kind, {"seq": 0, "time": 0})
        before = kind
        reader = Reader(payload)
        while True:
            try:
                element = take_element(reader, kind)
            except ValueError as error:
                raise wrong(error) from None
            if kind in (8, 9, 10, 11, 16, 17, 26):
                for key in sums:
                    element[key] = sums[key] = sums[key] + element[key]
            name = SAVED[kind][0]
            head = element if kind == 1 else head
            if name in seen:
                seen[name] += 1
            seen["user"] += name == "erased"
            yield name, element
            if not reader.left:
                break
            if kind < 5 or kind in (15, 18, 19, 20, 21, 22, 25, 27, 28):
                raise wrong("it is too long")
    if head is None or head["seq"] != snapshot.seq:
        raise Damage(snapshot.name, 0, "its state is not that of its name")
    for name, plural in COUNTED.items():
        if seen[name] != head[plural]:
            raise Damage(snapshot.name, 0, f"{seen[name]} {plural}, not {head[plural]}")


# ---- the program -------------------------------------------------------------------------------------


def describe(journal):
    yield f"{len(journal.segments)} segments, {len(journal.records)} records, next {journal.next_seq}"
    for snapshot in journal.snapshots:
        yield f"{snapshot.name}: {len(snapshot.records)} records"
    for damage in journal.bad_snapshots:
        yield f"damaged snapshot: {damage}"
    if journal.torn:
        yield "torn tail: %s, offset %d" % journal.torn


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["verify", "dump", "snapshots"])
    parser.add_argument("dir", type=Path)
    arguments = parser.parse_args()
    try:
        journal = read(arguments.dir)
        lines = describe(journal)
        if arguments.what == "dump":
            lines = (json.dumps(decode(record)) for record in journal.records)
        elif arguments.what == "snapshots":
            lines = (json.dumps({"element": name, **element}) for snapshot in journal.snapshots
                     for name, element in elements(snapshot))
        else:
            for record in journal.records:
                decode(record)
            for snapshot in journal.snapshots:
                for _ in elements(snapshot):
                    pass
        for line in lines:
            print(line)
    except Damage as damage:
        print(f"damaged: {damage}", file=sys.stderr)
        return 3
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 3 if journal.bad_snapshots else 0


if __name__ == "__main__":
    sys.exit(main())
