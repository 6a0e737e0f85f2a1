"""docs/openapi.yaml and docs/asyncapi.yaml: what the server may say. Every answer and event that a
test gets through the kit is held to them."""
import functools
import re

import yaml
from jsonschema import Draft202012Validator

from .server import ROOT

try:
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader

T_REPLY = 11


class NotDescribed(AssertionError):
    """The server said what the contract does not hold."""


@functools.lru_cache(None)
def document(name):
    return yaml.load((ROOT / "docs" / name).read_text(), Loader)


def find(name, pointer):
    """(the file's name, the value) where a reference of the file `name` leads."""
    path, _, fragment = pointer.partition("#")
    if path:
        name = path.removeprefix("./")
    value = document(name)
    for part in fragment.split("/")[1:]:
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return resolved(name, value)


def resolved(name, value):
    return find(name, value["$ref"]) if isinstance(value, dict) and "$ref" in value else (name, value)


def expanded(name, value):
    """The schema without references."""
    name, value = resolved(name, value)
    if isinstance(value, dict):
        return {key: expanded(name, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [expanded(name, inner) for inner in value]
    return value


def merged(schema):
    """What allOf says of an object, as one schema."""
    whole = {key: value for key, value in schema.items() if key != "allOf"}
    for part in map(merged, schema.get("allOf", [])):
        assert set(part) <= {"type", "description", "properties", "required"}, part
        whole["type"] = "object"
        whole["properties"] = {**whole.get("properties", {}), **part.get("properties", {})}
        whole["required"] = whole.get("required", []) + part.get("required", [])
    return whole


def strict(schema):
    """The schema as a server must keep to it: it says nothing that is not written there, though a
    client must let it pass. Where nothing is composed, no additional property is no unevaluated
    one, and that is quicker to ask."""
    schema = merged(schema)
    for key in "oneOf", "anyOf":
        if key in schema:
            assert "properties" not in schema, schema
            schema[key] = [strict(part) for part in schema[key]]
    if "items" in schema:
        schema["items"] = strict(schema["items"])
    if schema.get("additionalProperties") is True:
        return schema # what somebody else wrote
    if schema.get("type") == "object" or "properties" in schema:
        schema["properties"] = {name: strict(part) for name, part in schema["properties"].items()}
        schema["additionalProperties"] = False
    return schema


def validator(name, schema):
    whole = strict(expanded(name, schema))
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole)


def check(what, schema, value):
    """The value is what the schema says, or the test fails with what it says otherwise."""
    for error in schema.iter_errors(value):
        raise NotDescribed(f"{what}: {'/'.join(map(str, error.absolute_path))}: {error.message}")


# ---- errors ---------------------------------------------------------------------------------------

@functools.lru_cache(None)
def statuses():
    """The status of each code that a client may meet; those of the operator stand behind them."""
    text = (ROOT / "src/base/err.def").read_text().split("/* The operator's side")[0]
    found = {name: int(status) for name, status in re.findall(r"^ERR\((\w+), +(\d+),", text, re.M)}
    assert len(found) == text.count("\nERR(") > 20
    return found


def check_error(what, status, body):
    """The code is one of this status."""
    if statuses().get(body["code"]) != status:
        raise NotDescribed(f"{what}: {body['code']} with {status}")


# ---- REST -----------------------------------------------------------------------------------------

METHODS = ("get", "post", "put", "patch", "delete")


class Operation:
    """A method of a path: its parameters, its body, and what may be answered."""

    def __init__(self, method, path, item):
        self.method, self.path, self.item = method, path, item
        self.described = item[method.lower()]
        self.pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))

    @functools.cached_property
    def parameters(self):
        both = self.item.get("parameters", []) + self.described.get("parameters", [])
        return [expanded("openapi.yaml", one) for one in both]

    @functools.cached_property
    def body(self):
        """The schema of the request's body; None where there is none."""
        if "requestBody" not in self.described:
            return None
        body = expanded("openapi.yaml", self.described["requestBody"])
        return body["content"]["application/json"]["schema"]

    @functools.cached_property
    def responses(self):
        return {status: Response(*resolved("openapi.yaml", response))
                for status, response in self.described["responses"].items()}

    @property
    def open(self):
        return self.described.get("security") == []


class Response:
    def __init__(self, name, response):
        self.content = {kind: validator(name, media["schema"])
                        for kind, media in response.get("content", {}).items()}
        self.headers = {header.lower(): expanded(name, said)
                        for header, said in response.get("headers", {}).items()}

    def check(self, what, headers, text, parse):
        for header, said in self.headers.items():
            if header in headers:
                check(f"{what}, {header}", Draft202012Validator(said["schema"]), headers[header])
            elif said.get("required"):
                raise NotDescribed(f"{what}: no {header}")
        if not self.content and not text:
            return
        kind = headers.get("content-type")
        if kind not in self.content:
            raise NotDescribed(f"{what}: {kind}")
        if text and kind == "application/json":
            check(f"{what}: {text[:500]}", self.content[kind], parse())


@functools.lru_cache(None)
def operations():
    """Every one of openapi.yaml; what is written out stands before a template."""
    found = [Operation(method.upper(), path, item)
             for path, item in document("openapi.yaml")["paths"].items()
             for method in METHODS if method in item]
    return sorted(found, key=lambda operation: ["{" in part for part in operation.path.split("/")])


@functools.lru_cache(None)
def anything():
    """What an undescribed path or method is answered."""
    return Response("openapi.yaml", document("openapi.yaml")["components"]["responses"]["Refused"])


@functools.lru_cache(4096)
def operation(method, path):
    for one in operations():
        if one.method == method and one.pattern.fullmatch(path):
            return one
    return None


def check_answer(method, path, status, headers, text, parse):
    """An answer is one that openapi.yaml describes. `parse` gives the JSON of its body."""
    # Which of the headers an answer needs depends on its status; the contract says so in words.
    for needs, header in ((405, "allow"), (429, "retry-after"), (503, "retry-after")):
        if status == needs and header not in headers:
            raise NotDescribed(f"{method} {path} is answered {status} without {header}")
    described = operation("GET" if method == "HEAD" else method, path.partition("?")[0])
    what = f"{method} {path} is answered {status}"
    if described is None:
        if method == "OPTIONS" and status == 204:
            return
        if status < 400:
            raise NotDescribed(f"{what}, and is not described")
        response = anything()
    else:
        response = described.responses.get(str(status))
        if response is None and status < 400:
            raise NotDescribed(f"{what}: not that")
        response = response or described.responses["default"]
    response.check(what, headers, text, parse)
    if status >= 400 and text:
        check_error(what, status, parse())


# ---- WebSocket ------------------------------------------------------------------------------------

def payloads():
    """(name, payload) of every message of asyncapi.yaml."""
    for name, message in document("asyncapi.yaml")["components"]["messages"].items():
        yield name, expanded("asyncapi.yaml", message["payload"])


@functools.lru_cache(None)
def rpcs():
    """Each method's name and payload."""
    return {payload["properties"]["method"]["const"]: (name, payload)
            for name, payload in payloads() if "method" in payload["properties"]}


@functools.lru_cache(None)
def events():
    """Each type's schema, but that of the replies."""
    return {payload["properties"]["type"]["const"]: validator("asyncapi.yaml", payload)
            for name, payload in payloads()
            if payload["properties"].get("type", {"const": T_REPLY})["const"] != T_REPLY}


@functools.lru_cache(None)
def replies(method):
    """The schemas of what may be replied to an RPC: (done, refused)."""
    operation = document("asyncapi.yaml")["operations"][rpcs()[method][0]]
    found = [find("asyncapi.yaml", one["$ref"])[1]["payload"]
             for one in operation["reply"]["messages"]]
    assert len(found) == 2
    return tuple(validator("asyncapi.yaml", one) for one in found)


@functools.lru_cache(None)
def refusal():
    message = document("asyncapi.yaml")["components"]["messages"]["refused"]
    return validator("asyncapi.yaml", message["payload"])


def check_event(event, method=None):
    """An event is one that asyncapi.yaml describes; a reply that of its RPC's method, where that is
    known."""
    kind = event.get("type")
    if kind != T_REPLY:
        if kind not in events():
            raise NotDescribed(f"no event has the type {kind}: {event}")
        check(f"event {kind}: {event}", events()[kind], event)
        return
    done = event.get("body", {}).get("ok") is True
    if not done or method in rpcs():
        schema = replies(method)[0] if done else refusal()
        check(f"the reply to method {method}: {event}", schema, event)
        if not done:
            check_error(f"a reply: {event}", event["body"]["status"], event["body"])
        return
    for known in rpcs():
        if replies(known)[0].is_valid(event):
            return
    raise NotDescribed(f"no RPC is replied to so: {event}")
