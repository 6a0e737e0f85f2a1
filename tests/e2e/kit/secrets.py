"""What nobody may read in a log, an answer, a dump or a file: passwords, tokens, messaging URLs,
secrets of hooks, the signing key and the keys of the app. The kit learns each where it is handed out,
and looks for all of them wherever a server has written something."""
import base64
import uuid

# Shorter ones stand in other words by chance; the kit's own passwords are longer.
LEN_MIN = 8

# What stands for a password in the journal: it belongs there, and nowhere else.
HASH = b"$argon2"

# A piece of this many zeros is the part of a segment that was not written yet.
PIECE = 256 << 10


class Secrets:
    """The secrets of one data directory."""

    def __init__(self):
        self.known = {}
        self.never = {}  # of these, what a server hands out to nobody: all but tokens and URLs

    def _add(self, name, *forms, never=False):
        for form in forms:
            if len(form) >= LEN_MIN:
                self.known[form] = name
                if never:
                    self.never[form] = name

    def learn_password(self, password):
        if isinstance(password, str):
            self._add("a password", password.encode(errors="surrogatepass"), never=True)

    def learn_token(self, token):
        """The token, and its signature alone: with that anybody makes the rest."""
        self._add("a token", token.encode(), token.rsplit(".", 1)[-1].encode())

    def learn_url(self, url):
        text = url.split("?")[0].rsplit("/", 1)[-1]
        self._add("a messaging URL", text.encode(), uuid.UUID(text).bytes)

    def learn_hook_secret(self, text):
        """Its bytes are in the journal, which has to sign with them; the text is nowhere."""
        self._add("a hook's secret", text.encode(), text.removeprefix("whsec_").encode())

    def learn_key(self, path, name, text=False):
        """A file that holds a key: bytes, or a line of text."""
        if not path.is_file():
            return
        key = path.read_bytes().strip() if text else path.read_bytes()
        self._add(name, key, key.hex().encode(), base64.b64encode(key),
                  base64.urlsafe_b64encode(key).rstrip(b"="), never=True)

    def learn_answer(self, body):
        """What an answer of the REST API hands out."""
        if isinstance(body, dict):
            if isinstance(body.get("token"), str):
                self.learn_token(body["token"])
            if isinstance(body.get("messaging_url"), str):
                self.learn_url(body["messaging_url"])
            if isinstance(body.get("secret"), str):
                self.learn_hook_secret(body["secret"])

    def check(self, where, data, also=()):
        """None of them is in this text or in these bytes."""
        look_for({**self.known, **{word: "a password's hash" for word in also}}, where, data)

    def check_handed(self, where, data):
        """What a server has said to who may hear it: tokens and URLs may be in it, and no more."""
        look_for({**self.never, HASH: "a password's hash"}, where, data)

    def check_files(self, directory):
        """The files of a data directory but for the key, which is one."""
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path != directory / "key":
                self.check(path, written(path))


def look_for(secrets, where, data):
    if isinstance(data, str):
        data = data.encode(errors="surrogateescape")
    for secret, name in secrets.items():
        at = data.find(secret)
        assert at < 0, f"{name} is in {where}: …{data[max(0, at - 60):at + 8]!r}…"


def written(path):
    """A file up to where it is only zeros."""
    pieces = []
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if not piece.strip(b"\0"):
                break
            pieces.append(piece)
    return b"".join(pieces)
