"""User names and e-mail addresses: which there are, and which are the same."""
import itertools
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kit.people import Rest, assert_error

PASSWORD = "0000"
NUMBERS = itertools.count(1)
SETTINGS = settings(max_examples=120, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))

# ---- what the rules say, in Python's words ------------------------------------------------------

REFUSED = {"Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp"}

# The default ignorable characters (DerivedCoreProperties.txt) of the other categories.
IGNORED = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0,
           *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def allowed(name):
    return all(unicodedata.category(c) not in REFUSED for c in name)


def folded(name):
    """NFKC_Casefold, to its fixed point."""
    while True:
        next_name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        next_name = "".join(c for c in next_name if ord(c) not in IGNORED)
        if next_name == name:
            return name
        name = next_name


def is_name(name):
    key = folded(name)
    return (1 <= len(name) <= 32 and allowed(name) and allowed(key) and key != ""
            and len(name.encode()) <= 255 and len(key.encode()) <= 255)


ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
LABEL = r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9\u0080-\U0010ffff-]*[A-Za-z0-9\u0080-\U0010ffff])?"
EMAIL = re.compile(rf"({ATOM}(?:\.{ATOM})*)@({LABEL}(?:\.{LABEL})*)")


def has_email_syntax(email):
    found = EMAIL.fullmatch(email)
    return (found is not None and len(email.encode()) <= 254
            and len(found.group(1).encode()) <= 64
            and all(len(label.encode()) <= 63 for label in found.group(2).split(".")))


def is_email(email):
    key = folded(email)
    return (allowed(email) and allowed(key) and has_email_syntax(email)
            and has_email_syntax(key))


# ---- asking the server --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ask(shared_rest):
    return Asker(shared_rest)


class Asker:
    def __init__(self, rest):
        self.rest = rest

    def register(self, username=None, email=None):
        username = fresh() if username is None else username
        body = {"username": username, "password": PASSWORD}
        if email is not None:
            body["email"] = email
        return self.rest.call("POST", "/users", body)

    def may_register(self, username):
        answer = self.register(username)
        if answer.status_code == 201:
            return True
        assert_error(answer, 400, "invalid_field")
        return False

    def logs_in(self, **who):
        answer = self.rest.call("POST", "/login", {**who, "password": PASSWORD})
        if answer.status_code == 200:
            return True
        # A name that is wrong in itself is nobody's, and said in no other words.
        assert_error(answer, 401, "bad_credentials")
        return False


def fresh():
    return f"n{next(NUMBERS)}."


# ---- names --------------------------------------------------------------------------------------

SAME = [
    ("anna", "ANNA"), ("straße", "STRASSE"), ("straße", "straẞe"), ("σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("ünal", "u\u0308nal"), ("ünal", "Ünal"), ("ünal", "U\u0308NAL"), ("ёж", "е\u0308ж"),
    ("fi", "ﬁ"), ("ffi", "ﬃ"), ("user", "ｕｓｅｒ"), ("user", "ＵＳＥＲ"), ("k", "\u212a"),
    ("å", "\u212b"), ("s", "ſ"), ("2", "²"), ("1", "①"), ("a", "𝐚"), ("a", "ª"), ("ix", "ⅸ"),
    ("km", "㎞"), ("ガ", "ｶﾞ"), ("가", "\u1100\u1161"), ("i\u0307", "İ"), ("bob", "bob\u3164"),
    ("bob", "b\ufe0fob"), ("...", "…"), ("dž", "ǅ"), ("ω", "Ω"), ("ω", "\u2126"),
]

# Documented: letters that look alike are different names.
DIFFERENT = [
    ("a", "а"), ("o", "ο"), ("p", "р"), ("c", "с"), ("l", "1"), ("o", "0"), ("rn", "m"), ("i", "ı"),
    ("n", "ñ"), ("e", "é"), ("-", "‐"), ("-", "−"), ("_", "‗a"), ("a.b", "ab"), ("ss", "s"),
    ("b", "Ь"), ("alice", "аlice"), ("ы", "ьı"), ("'", "’"), ("日", "曰"),
]


@pytest.mark.parametrize("one, other", SAME)
def test_names_that_are_the_same(ask, one, other):
    prefix = fresh()
    assert folded(one) == folded(other)
    assert ask.register(prefix + one).status_code == 201
    assert_error(ask.register(prefix + other), 409, "username_taken")
    assert ask.logs_in(username=prefix + other) and ask.logs_in(username=prefix + one)


@pytest.mark.parametrize("one, other", DIFFERENT)
def test_names_that_only_look_the_same(ask, one, other):
    prefix = fresh()
    assert ask.register(prefix + one).status_code == 201
    assert not ask.logs_in(username=prefix + other)
    ask.register(prefix + other)
    assert ask.logs_in(username=prefix + one)


CHARACTERS = {
    "control": [*range(0x20), *range(0x7F, 0xA0)],
    "format": [0xAD, 0x600, 0x605, 0x61C, 0x6DD, 0x70F, 0x180E, *range(0x200B, 0x2010),
               *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070), 0xFEFF,
               0xFFF9, 0xFFFA, 0xFFFB, 0x110BD, 0x1BCA0, 0x1D173, 0xE0001, 0xE0020, 0xE007F],
    "space": [0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000],
    "private": [0xE000, 0xF8FF, 0xF0000, 0xFFFFD, 0x100000, 0x10FFFD],
    "unassigned": [0x378, 0x530, 0x2FE0, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x1FFFF, 0xE0080,
                   0x10FFFE, 0x10FFFF],
    "folds to a space": [0xA8, 0xAF, 0xB4, 0xB8, 0x2D8, 0x37A, 0x1FBD, 0x2017, 0x203E, 0xFDFA],
}


@pytest.mark.parametrize("kind", CHARACTERS)
def test_characters_that_no_name_holds(ask, kind):
    for code in CHARACTERS[kind]:
        for name in (chr(code), f"a{chr(code)}b", f"{chr(code)}b", f"a{chr(code)}"):
            assert not ask.may_register(name), f"U+{code:04X}"
            assert not ask.logs_in(username=name)


def test_half_a_surrogate_pair_is_no_text(ask):
    for text in (b'{"username":"\\ud800","password":"0000"}',
                 b'{"username":"\\udc00\\ud800","password":"0000"}',
                 b'{"username":"\xed\xa0\x80","password":"0000"}'):
        answer = ask.rest.http.post(ask.rest.server.http("/users"), data=text)
        assert_error(answer, 400, "invalid_json")


def test_names_that_fold_to_nothing(ask):
    for code in IGNORED:
        assert not ask.may_register(chr(code)), f"U+{code:04X}"


def test_lengths_of_names(ask):
    for letter in ("a", "ж", "名", "𝒳"):
        prefix = fresh()
        rest = 32 - len(prefix)
        assert ask.may_register(prefix + letter * rest)
        assert not ask.may_register(prefix + letter * (rest + 1))
    assert not ask.may_register("")
    # 32 characters, which fold to 384 bytes: more than a record holds.
    assert not ask.may_register("㍍" * 32)
    answer = ask.register("㍍" * 32)
    assert "255 bytes" in answer.json()["error"]
    assert ask.may_register("㍍" * 21)


def test_a_name_is_at_most_255_bytes_whatever_the_setting(new_server):
    ask = Asker(Rest(new_server(username_max=256)))
    assert ask.may_register("a" * 255)
    assert not ask.may_register("a" * 256)
    assert ask.may_register("ж" * 127)
    assert not ask.may_register("ж" * 128)


LETTERS = st.characters(blacklist_categories=sorted(REFUSED))
ANY = st.characters(blacklist_categories=("Cs", "Cn"))


@SETTINGS
@given(st.text(LETTERS, min_size=1, max_size=20))
def test_any_letters_are_a_name_in_all_their_forms(ask, text):
    name = fresh() + text
    assert ask.may_register(name) == is_name(name)
    for form in (name.upper(), name.lower(), name.swapcase(), name.casefold(),
                 *(unicodedata.normalize(kind, name) for kind in ("NFC", "NFD", "NFKC", "NFKD"))):
        same = is_name(name) and allowed(form) and folded(form) == folded(name)
        assert ask.logs_in(username=form) == same, (name, form)
    if is_name(name):
        assert_error(ask.register(name), 409, "username_taken")


@SETTINGS
@given(st.text(ANY, max_size=24))
def test_any_characters_are_a_name_where_the_rules_say_so(ask, text):
    name = fresh() + text
    assert ask.may_register(name) == is_name(name)
    assert ask.logs_in(username=name) == is_name(name)


@SETTINGS
@given(st.text(LETTERS, min_size=1, max_size=10), st.text(LETTERS, min_size=1, max_size=10))
def test_two_names_are_one_where_they_fold_alike(ask, one, other):
    prefix = fresh()
    one, other = prefix + one, prefix + other
    assume(is_name(one) and is_name(other))
    assert ask.register(one).status_code == 201
    assert ask.logs_in(username=other) == (folded(one) == folded(other))


# ---- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("email", [
    "{}@b", "{}.name+tag@Example.COM", "{}!#$%&'*+-/=?^_`{{|}}~@example.org", "{}@0.0",
    "{}@d-e.f--g.h", "{}@xn--bcher-kva.example", "{}ü@bücher.example", "{}名@例.jp",
])
def test_addresses_that_are_fine(ask, email):
    email = email.format(f"a{next(NUMBERS)}")
    assert is_email(email)
    assert ask.register(email=email).status_code == 201
    assert ask.logs_in(email=email)
    assert_error(ask.register(email=email.upper()), 409, "email_taken")
    assert ask.logs_in(email=email.swapcase())


@pytest.mark.parametrize("email", [
    "", "a", "@", "a@", "@b", "a@b@c", '"a@b"@c', '"a"@b', ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.",
    "a@b..c", "a@-b", "a@b-", "a@b.-c", "a@b_c", "a@b c", "a b@c", " a@b", "a@b ", "a@[::1]",
    "a@[1.2.3.4]", "a@b:25", "a(x)@b", "A <a@b>", "<a@b>", "a,b@c", "a@b,c@d", "a;b@c", "a:b@c",
    "a\\b@c", "mailto:a@b", "a@b/c", "a@b?c", "a@b\n", "a@b\r\nbcc:c@d", "a\0@b", "a@b\0",
    "a\u200b@b", "a\u202e@b", "a@\u3164", "a\u00a0@b", "a＠b", "a@b＠c", "a＠x@b.c", "a；b@c",
    "a@b＿c", "a@b／c", "x" * 65 + "@b", "a@" + "x" * 64, "a@" + "x." * 126 + "x",
])
def test_addresses_that_are_none(ask, email):
    assert not is_email(email)
    assert_error(ask.register(email=email), 400, "invalid_field")
    assert not ask.logs_in(email=email)


def test_lengths_of_addresses(ask):
    local = "x" * 60 + f"{next(NUMBERS):04}"
    domain = ".".join(["y" * 63, "y" * 63, "y" * 61])
    assert len(local + "@" + domain) == 254
    assert_error(ask.register(email=local + "@" + domain + "y"), 400, "invalid_field")
    assert ask.register(email=local + "@" + domain).status_code == 201
    assert ask.logs_in(email=local.upper() + "@" + domain)
    # In bytes, not in characters.
    assert_error(ask.register(email="ж" * 33 + "@b"), 400, "invalid_field")
    assert ask.register(email="ж" * 32 + "@b").status_code == 201


def test_null_is_no_address(ask):
    name = fresh()
    answer = ask.rest.call("POST", "/users", {"username": name, "email": None, "password": PASSWORD})
    assert answer.status_code == 201


@SETTINGS
@given(st.text(st.sampled_from("aZ09.-_@+! \"(),:;<>[\\]/é＠．\u3164"), max_size=24))
def test_any_text_is_an_address_where_the_rules_say_so(ask, text):
    email = f"a{next(NUMBERS)}" + text
    if text.count("@") == 0:
        email += "@b.example"
    answer = ask.register(email=email)
    if is_email(email):
        assert answer.status_code == 201
        assert ask.logs_in(email=email)
    else:
        assert_error(answer, 400, "invalid_field")


def test_a_name_is_no_address_and_an_address_is_no_name(ask):
    """A name may look like somebody's address; it is looked for among the names only."""
    email = f"{fresh()}x@example.com"
    assert ask.register(email=email).status_code == 201
    assert not ask.logs_in(username=email)
    assert ask.register(email).status_code == 201
    assert ask.logs_in(username=email)
