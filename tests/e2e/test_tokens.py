"""Tokens made by hand: everything but what the server itself would have written is 401, also where it
is signed with the server's own key."""
import base64
import hashlib
import hmac
import json
import os
import time

import pytest

from kit import raw
from kit.checks import NOBODY
from kit.people import Rest, User

HEADER = '{"alg":"HS256","typ":"JWT"}'
SOON = int(time.time()) + 3600
LONG_AGO = 1_000_000_000


def encode(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def flip_unused_bits(text):
    """Other last characters that decode to the same bytes, where the last has unused bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    unused = {2: 4, 3: 2}.get(len(text) % 4, 0)
    at = alphabet.index(text[-1])
    return [text[:-1] + alphabet[at ^ bits] for bits in range(1, 1 << unused)]


class Maker:
    """Makes tokens of a user as the holder of the server's key would."""

    def __init__(self, server):
        self.server = server
        self.rest = Rest(server)
        self.user = User(self.rest, "user1")
        self.key = (server.data / "key").read_bytes()

    def claims(self, expires=SOON, user=None):
        return f'{{"user_id":"{user or self.user.id}","exp":{expires}}}'

    def sign(self, header=HEADER, claims=None, key=None, digest=hashlib.sha256):
        text = encode(header) + "." + encode(self.claims() if claims is None else claims)
        return self.sign_text(text, key, digest)

    def sign_text(self, text, key=None, digest=hashlib.sha256):
        key = self.key if key is None else key
        return text + "." + encode(hmac.new(key, text.encode(), digest).digest())

    def ask(self, fields, path="/groups", body=b"{}"):
        """401, or 400 where somebody is known and only the body is wrong."""
        connection = raw.Connection(self.server)
        lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: x", b"Connection: close",
                 b"Content-Length: %d" % len(body)]
        lines += [field if isinstance(field, bytes) else field.encode() for field in fields]
        connection.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        answer = connection.answer()
        connection.close()
        if answer.status == 401:
            assert json.loads(answer.body)["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"
        return answer.status

    def works(self, token):
        status = self.ask([b"Authorization: Bearer " +
                           (token if isinstance(token, bytes) else token.encode())])
        assert status in (400, 401)
        return status == 400


@pytest.fixture(scope="module")
def maker(shared_server):
    made = Maker(shared_server)
    yield made
    made.rest.close()


def test_what_is_taken(maker):
    assert maker.works(maker.user.token)
    assert maker.works(maker.sign())
    assert maker.works(maker.sign(claims=maker.claims(2 ** 63 - 1)))


HEADERS = [
    # Other algorithms, in any spelling.
    *(f'{{"alg":"{alg}","typ":"JWT"}}' for alg in (
        "none", "None", "NONE", "nOnE", "", "hs256", "Hs256", "HS256 ", " HS256", "HS-256", "HS384",
        "HS512", "HS257", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS1",
        "SHA256", "HMAC", "A128KW", "dir")),
    '{"alg":"HS256\\u0000","typ":"JWT"}', '{"alg":"\\u0048S256","typ":"JWT"}',
    '{"alg":null,"typ":"JWT"}', '{"alg":256,"typ":"JWT"}', '{"alg":["HS256"],"typ":"JWT"}',
    '{"alg":["none","HS256"],"typ":"JWT"}', '{"alg":{"HS256":1},"typ":"JWT"}',
    '{"alg":true,"typ":"JWT"}',
    # Other types.
    *(f'{{"alg":"HS256","typ":{typ}}}' for typ in (
        '"jwt"', '"Jwt"', '"JWE"', '"JOSE"', '"at+jwt"', '"application/jwt"', '""', 'null', '1',
        '[]', '["JWT"]')),
    '{"alg":"HS256"}', '{"typ":"JWT"}',
    # The same said in another way.
    '{"typ":"JWT","alg":"HS256"}', '{"alg": "HS256","typ":"JWT"}', '{"alg":"HS256", "typ":"JWT"}',
    ' {"alg":"HS256","typ":"JWT"}', '{"alg":"HS256","typ":"JWT"} ', '{"alg":"HS256","typ":"JWT"}\n',
    '{"Alg":"HS256","Typ":"JWT"}', '{"ALG":"HS256","TYP":"JWT"}', '\ufeff{"alg":"HS256","typ":"JWT"}',
    '{"\\u0061lg":"HS256","typ":"JWT"}',
    # More members, and members that come twice.
    *(f'{{"alg":"HS256","typ":"JWT",{more}}}' for more in (
        '"kid":"key"', '"kid":"../../key"', '"kid":"/dev/null"', '"cty":"JWT"', '"b64":false',
        '"crit":["exp"]', '"crit":[]', '"jku":"http://127.0.0.1:1/keys"',
        '"x5u":"http://127.0.0.1:1/cert"', '"jwk":{"kty":"oct","k":"AAAA"}', '"x5c":[]',
        '"zip":"DEF"', '"enc":"A128GCM"', '"alg":"HS256"', '"alg":"none"', '"typ":"JWT"', '"x":1')),
    '{"alg":"none","alg":"HS256","typ":"JWT"}', '{"kid":"key","alg":"HS256","typ":"JWT"}',
    # No such object.
    "", "{}", "[]", "null", "1", '"HS256"', '["HS256","JWT"]', '{"alg":"HS256","typ":"JWT"',
    '{"alg":"HS256","typ":"JWT"}}', '{"alg":"HS256","typ":"JWT",}', "{'alg':'HS256','typ':'JWT'}",
    '{"alg":"HS256","typ":"JWT"}{"alg":"HS256","typ":"JWT"}',
]


@pytest.mark.parametrize("header", HEADERS)
def test_headers_that_are_another(maker, header):
    assert not maker.works(maker.sign(header))


@pytest.mark.parametrize("alg, digest", [("HS384", hashlib.sha384), ("HS512", hashlib.sha512),
                                         ("HS256", hashlib.sha384), ("HS256", hashlib.sha512),
                                         ("HS1", hashlib.sha1), ("HS256", hashlib.sha1)])
def test_the_right_key_with_another_hash(maker, alg, digest):
    assert not maker.works(maker.sign(f'{{"alg":"{alg}","typ":"JWT"}}', digest=digest))


@pytest.mark.parametrize("alg, size", [("RS256", 256), ("ES256", 64), ("EdDSA", 64), ("none", 0),
                                       ("none", 32), ("HS256", 0), ("HS256", 32), ("HS256", 1)])
def test_signatures_from_nowhere(maker, alg, size):
    text = encode(f'{{"alg":"{alg}","typ":"JWT"}}') + "." + encode(maker.claims())
    assert not maker.works(text + "." + encode(bytes(size)))
    assert not maker.works(text + "." + encode(b"\xff" * size))
    assert not maker.works(text)


def test_other_keys(maker):
    key = maker.key
    others = [b"", b"\0", bytes(32), bytes(64), b"secret", key.hex().encode(),
              base64.b64encode(key), encode(key).encode(), key[:31], key[::-1], key + b"x",
              hashlib.sha256(key).digest(), maker.user.id.encode(), maker.user.token.encode(),
              encode(HEADER).encode(), b"key"]
    others += [bytes([*key[:at], key[at] ^ 1, *key[at + 1:]]) for at in (0, 15, 31)]
    for other in others:
        # HMAC pads its key with zeros, so those that differ in these only are one (RFC 2104, 2): one
        # key in 256 ends with one.
        is_other = other.rstrip(b"\0") != key.rstrip(b"\0")
        assert maker.works(maker.sign(key=other)) != is_other, other
    assert maker.works(maker.sign(key=key + b"\0"))


def test_the_key_of_another_server(maker, new_server):
    other = Maker(new_server())
    assert other.user.name == maker.user.name
    assert not maker.works(other.user.token)
    assert not maker.works(other.sign(claims=maker.claims()))


def test_signatures_that_are_cut_or_longer(maker):
    text, signature = maker.sign().rsplit(".", 1)
    for length in range(len(signature)):
        assert not maker.works(text + "." + signature[:length])
        assert not maker.works(text + "." + signature[length + 1:])
    mac = hmac.new(maker.key, text.encode(), hashlib.sha256).digest()
    for other in (mac + b"\0", mac + mac, mac[:16], mac[:31], b"\0" + mac, mac.hex().encode(),
                  mac[::-1]):
        assert not maker.works(text + "." + encode(other))
    for tail in ("A", "AA", "AAAA", ".", ".A", ".AAAA", "=", "==", " x", "\t.", ",", ";", "#", "?",
                 "/", "+", "%00", "\\", '"'):
        assert not maker.works(text + "." + signature + tail), tail
    for head in ("A", "AAAA", ".", "=", "Bearer ", "bearer ", ",", '"'):
        assert not maker.works(head + text + "." + signature), head


def test_every_bit_of_a_token(maker):
    """On one connection: the same request, with one bit of the token another each time."""
    token = maker.sign().encode()
    connection = raw.Connection(maker.server)
    for at in range(0, len(token) * 8, 3):
        flipped = bytearray(token)
        flipped[at // 8] ^= 1 << at % 8
        if not 0x21 <= flipped[at // 8] <= 0x7e:
            continue
        connection.send(b"POST /groups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + flipped +
                        b"\r\nContent-Length: 2\r\n\r\n{}")
        assert connection.answer().status == 401, at


def test_other_ways_of_writing_base64(maker):
    for expires in range(SOON, SOON + 1000):
        # One whose signature has both characters that are the URL's alphabet's own.
        token = maker.sign(claims=maker.claims(expires))
        if "-" in token.rsplit(".", 1)[1] and "_" in token.rsplit(".", 1)[1]:
            break
    assert maker.works(token)
    header, claims, signature = token.split(".")
    spellings = [
        (header + "=", claims, signature), (header, claims + "=", signature),
        (header, claims + "==", signature), (header, claims, signature + "="),
        (header, claims, signature + "=="), (header, claims, signature.replace("-", "+")),
        (header, claims, signature.replace("_", "/")),
        (header, claims, signature.replace("-", "+").replace("_", "/")),
        (header, claims, signature.replace("-", "%2D")), (header, claims[:4] + "\t" + claims[4:],
                                                          signature),
        (header, claims, signature[:8] + " " + signature[8:]),
    ]
    spellings += [(header, claims, other) for other in flip_unused_bits(signature)]
    assert len(spellings) == 11 + 3
    for parts in spellings:
        assert not maker.works(".".join(parts)), parts
    # The same where header and claims are signed as they are misspelt.
    for digits in (10, 11, 12):
        claims = encode(maker.claims(int("9" * digits)))
        assert maker.works(maker.sign_text(header + "." + claims))
        for other in (claims + "=", claims + "==", claims + "A", claims + "\t", claims + ".",
                      *flip_unused_bits(claims)):
            if "\t" not in other:
                assert not maker.works(maker.sign_text(header + "." + other)), other
    for other in (header + "=", header + "==", header[:-1], header + "A"):
        assert not maker.works(maker.sign_text(other + "." + claims)), other


CLAIMS = [
    # The time: long ago, now, and what is no time.
    *(f'{{"user_id":"ID","exp":{expires}}}' for expires in (
        0, 1, LONG_AGO, int(time.time()) - 1, -1, -SOON, f"{SOON}.0", f"{SOON}.5", "1e12", "1E12",
        f'"{SOON}"', "null", "true", "[]", f"[{SOON}]", "{}", "", f"+{SOON}", f"0{SOON}",
        f"0x{SOON:x}", 2 ** 63, 2 ** 64 + SOON, 10 ** 40, "NaN", "Infinity", f" {SOON}",
        f"{SOON} ")),
    '{"user_id":"ID"}',
    # The user.
    *(f'{{"user_id":{user},"exp":{SOON}}}' for user in (
        f'"{NOBODY}"', '""', "null", "0", "1", "true", "[]", '["ID"]', "{}", '{"ID":1}', '"ID "',
        '" ID"', '"{ID}"', '"user1"', '"user1@example.com"', '"ID\\u0000"', '"*"', '"urn:uuid:ID"')),
    f'{{"exp":{SOON}}}',
    # More claims, claims that come twice, another order, another spelling.
    *(f'{{"user_id":"ID","exp":{SOON},{more}}}' for more in (
        f'"nbf":{SOON + 3600}', f'"nbf":{LONG_AGO}', f'"iat":{SOON}', f'"iat":{LONG_AGO}',
        '"iss":"groups-chat"', '"aud":"x"', '"sub":"ID"', '"jti":"1"', f'"exp":{SOON}',
        f'"exp":{LONG_AGO}', '"user_id":"ID"', f'"user_id":"{NOBODY}"', '"admin":true', '"x":1')),
    f'{{"exp":{LONG_AGO},"user_id":"ID","exp":{SOON}}}',
    f'{{"user_id":"{NOBODY}","user_id":"ID","exp":{SOON}}}',
    f'{{"nbf":{SOON + 3600},"user_id":"ID","exp":{SOON}}}',
    f'{{"exp":{SOON},"user_id":"ID"}}', f'{{"User_id":"ID","exp":{SOON}}}',
    f'{{"sub":"ID","exp":{SOON}}}', f'{{"userId":"ID","exp":{SOON}}}',
    f'{{"user_id" :"ID","exp":{SOON}}}', f'{{"user_id":"ID", "exp":{SOON}}}',
    f'{{"user_id":"ID","exp":{SOON}}}\n', f' {{"user_id":"ID","exp":{SOON}}}',
    f'\ufeff{{"user_id":"ID","exp":{SOON}}}', f'{{"user_id":"ID","exp":{SOON},}}',
    f'{{"user_id":"ID","exp":{SOON}', f'{{"user_id":"ID","exp":{SOON}}}}}',
    f'{{"user\\u005fid":"ID","exp":{SOON}}}',
    # No such object.
    "", "{}", "[]", "null", '"ID"', f'["ID",{SOON}]', "\0", "\xff",
]


@pytest.mark.parametrize("claims", CLAIMS, ids=range(len(CLAIMS)))
def test_claims_that_are_others(maker, claims):
    assert not maker.works(maker.sign(claims=claims.replace("ID", maker.user.id)))


def test_an_id_in_another_spelling(maker):
    for other in (maker.user.id.upper(), maker.user.id.replace("-", ""), maker.user.id[:-1],
                  maker.user.id + "0", "{" + maker.user.id + "}"):
        assert not maker.works(maker.sign(claims=maker.claims(user=other)))


@pytest.mark.parametrize("size", [100, 1000, 10_000, 15_000])
def test_giant_tokens(maker, size):
    header = encode(HEADER) + "."
    assert not maker.works("A" * size)
    assert not maker.works("." * size)
    assert not maker.works(header + "A" * size)
    assert not maker.works(maker.sign_text(header + "A" * (size - 90)))
    assert not maker.works(maker.sign_text(header + encode('{"user_id":"' + "x" * (size // 2))))
    assert not maker.works(maker.sign_text(header + encode("[" * (size // 2))))
    assert not maker.works("A" * size + "." + maker.user.token)


def test_a_token_that_is_longer_than_a_head(maker):
    assert maker.ask([b"Authorization: Bearer " + b"A" * 20_000]) == 431


@pytest.mark.parametrize("token", [b"\xff" * 40, b"\xc3\xa9" * 20, b"a\xf0\x9f\x98\x80.b.c",
                                   b"..", b".", b"...", b"....", b"a.b.c", b"a.b.c.d.e", b"-._~+/="])
def test_bytes_that_are_no_token(maker, token):
    assert not maker.works(token)


def test_a_token_is_only_taken_where_it_belongs(maker):
    token = maker.user.token
    basic = base64.b64encode(f"user1:{token}".encode()).decode()
    assert maker.ask([f"Authorization: Bearer {token}"]) == 400
    assert maker.ask([f"authorization:bearer    {token}   "]) == 400
    for fields in (
            [], [f"Cookie: token={token}"], [f"Cookie: authorization=bearer {token}"],
            [f"Proxy-Authorization: Bearer {token}"], [f"X-Authorization: Bearer {token}"],
            [f"Authorization-: Bearer {token}"], [f"X-Access-Token: {token}"],
            [f"Sec-WebSocket-Protocol: bearer, {token}"], [f"Authorization: {token}"],
            [f"Authorization: Bearer{token}"], [f"Authorization: Bearer\t{token}"],
            [f"Authorization: Bearer \t{token}"], [f"Authorization: Bearer={token}"],
            [f'Authorization: Bearer "{token}"'], [f"Authorization: Bearer <{token}>"],
            [f"Authorization: Bearer token={token}"], [f"Authorization: Bearer {token},"],
            [f"Authorization: Bearer x, Bearer {token}"], [f"Authorization: Bearer {token} {token}"],
            [f"Authorization: Basic {basic}"], [f"Authorization: Basic {token}"],
            [f"Authorization: Digest {token}"], [f"Authorization: JWT {token}"],
            [f"Authorization: Token {token}"], ["Authorization: Bearer"], ["Authorization: Bearer "],
            ["Authorization:"], [f"Authorization: Bearer {token}"] * 2,
            [f"Authorization: Bearer {token}", "Authorization: Bearer x"],
            ["Authorization: Bearer x", f"Authorization: Bearer {token}"],
            ["Authorization:", f"authorization: Bearer {token}"]):
        assert maker.ask(fields) == 401, fields
    for query in ("access_token", "token", "authorization", "bearer", "jwt"):
        assert maker.ask([], path=f"/groups?{query}={token}") == 401
        assert maker.ask([], body=json.dumps({query: token}).encode()) == 401
    assert maker.ask(["Content-Type: application/x-www-form-urlencoded"],
                     body=f"access_token={token}".encode()) == 401


def test_other_secrets_are_no_tokens(maker):
    device = maker.user.device()
    for secret in (device.id, device.path[1:], maker.user.id, maker.user.password,
                   encode(maker.key), maker.key.hex()):
        assert not maker.works(secret)


def test_random_tokens(maker):
    for _ in range(50):
        parts = [encode(os.urandom(length)) for length in (27, 76, 32)]
        assert not maker.works(".".join(parts))
        assert not maker.works(".".join([encode(HEADER), parts[1], parts[2]]))
        assert not maker.works(maker.sign_text(encode(HEADER) + "." + parts[1]))
