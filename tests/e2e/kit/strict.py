"""JSON as RFC 8259 has it, and nothing that Python's own reader takes beside it."""
import json


def _constant(word):
    raise ValueError(f"{word} is no JSON")


def _members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f"a key twice: {[key for key, _ in pairs]}")
    return members


def loads(text):
    """The value of a JSON text in UTF-8, as bytes. ValueError where it is none, or has a key twice,
    a lone surrogate or a word like NaN."""
    value = json.loads(text.decode("utf-8"), parse_constant=_constant, object_pairs_hook=_members)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # a surrogate cannot be encoded
    return value
