"""docs/openapi.yaml and docs/asyncapi.yaml: that they name all that the server's tables name, and
nothing else. That answers and events are what they say, the kit asks of each that any test gets."""
import re

import pytest

from kit import contract
from kit.server import ROOT

API = ROOT / "src/api"


def lines(path, name):
    """The arguments of each line NAME(…) of a .def file."""
    text = (ROOT / path).read_text()
    found = re.findall(rf"^{name}\((.*)\)(?:\s*/\*.*\*/)?$", text, re.MULTILINE)
    assert len(found) == len(re.findall(rf"^{name}\(", text, re.MULTILINE)) > 5
    return [[word.strip() for word in line.split(",")] for line in found]


def routes():
    return {(method, re.sub(r":(\w+)", r"{\1}", path.strip('"'))): needs
            for method, path, _, needs in lines("src/api/route.def", "ROUTE")}


def test_openapi_names_every_route():
    assert {(one.method, one.path) for one in contract.operations()} == set(routes())


def test_openapi_says_what_a_route_needs():
    for one in contract.operations():
        needs = routes()[one.method, one.path]
        answers = one.described["responses"]
        assert one.open == ("NEEDS_AUTH" not in needs and "NEEDS_APP" not in needs), one.path
        wanted = [{"appKey": []}] if "NEEDS_APP" in needs else None
        assert one.open or one.described.get("security") == wanted, one.path
        takes_json = "S_JSON" in needs                 # NEEDS_JSON, TAKES_JSON
        assert (one.body is not None) == takes_json, one.path
        assert ("415" in answers) == takes_json, one.path
        assert ("401" in answers) == (not one.open or one.path == "/login"), one.path
        assert "default" in answers
        in_path = re.findall(r"\{(\w+)\}", one.path)
        assert in_path == [p["name"] for p in one.parameters if p["in"] == "path"], one.path


def codes(schema):
    return set(schema["properties"]["code"]["enum"])


def test_openapi_names_the_errors_that_there_are():
    known = contract.statuses()
    named = set()
    for one in contract.operations():
        for status, said in one.described["responses"].items():
            said = contract.expanded("openapi.yaml", said)
            for media in said.get("content", {}).values():
                if status.isdigit() and int(status) < 400:
                    continue
                named |= codes(media["schema"])
                for code in codes(media["schema"]):
                    assert status in ("default", str(known[code])), (one.path, code)
    ours = set(contract.document("asyncapi.yaml")["components"]["schemas"]["Code"]["enum"])
    assert named | ours == set(known)


def test_asyncapi_names_the_statuses_of_its_errors():
    schemas = contract.document("asyncapi.yaml")["components"]["schemas"]
    wanted = {contract.statuses()[code] for code in schemas["Code"]["enum"]}
    assert set(schemas["Refusal"]["properties"]["status"]["enum"]) == wanted


def test_asyncapi_names_every_rpc():
    assert set(contract.rpcs()) == {int(method) for method, _ in lines("src/api/rpc.def", "RPC")}


def test_asyncapi_names_every_event():
    durable = {int(kind) for kind, _, who in lines("src/model/event.def", "EVENT")
               if who != "server"}
    written = {contract.T_REPLY}
    for path in API.glob("*.c"):
        text = path.read_text()
        for kind in re.findall(r"\bopen_event\(out, ([^,]+),", text):
            written |= {int(number) for number in re.findall(r"\b\d+\b", kind)}
        for number in re.findall(r'\{\\"type\\":(\d+)', text):
            written.add(int(number))
    described = {payload["properties"]["type"]["const"]
                 for _, payload in contract.payloads() if "type" in payload["properties"]}
    assert {11, 12, 20, 21, 29, 40, 41, 42} <= written
    assert described == durable | written


def test_what_has_a_cursor_is_stored():
    """StoredEvent, which GET /events gives, is every event with a cursor."""
    schemas = contract.document("asyncapi.yaml")["components"]["schemas"]
    stored = {contract.find("asyncapi.yaml", one["$ref"])[1]["properties"]["type"]["const"]
              for one in schemas["StoredEvent"]["oneOf"]}
    with_cursor = {payload["properties"]["type"]["const"] for _, payload in contract.payloads()
                   if "cursor" in payload["properties"]}
    assert stored == with_cursor


def test_asyncapi_hangs_together():
    """Every message is of the channel, every RPC an operation, every event one that is told."""
    whole = contract.document("asyncapi.yaml")
    names = set(whole["components"]["messages"])
    assert set(whole["channels"]["session"]["messages"]) == names
    for name, message in whole["channels"]["session"]["messages"].items():
        assert message["$ref"] == f"#/components/messages/{name}"
    told = {one["$ref"].rsplit("/", 1)[1] for one in whole["operations"]["tell"]["messages"]}
    rpcs = {name for name, _ in contract.rpcs().values()}
    replies = {name for name, payload in contract.payloads()
               if payload["properties"].get("type") == {"const": contract.T_REPLY}}
    assert told | rpcs | replies == names and not told & replies
    assert set(whole["operations"]) == rpcs | {"tell"}


def test_asyncapi_names_every_close_code():
    sent = set()
    numbers = dict(re.findall(r"\b(WS_CLOSE_\w+) = (\d+)", (ROOT / "src/net/ws.h").read_text()))
    for path in (*API.glob("*.c"), *(ROOT / "src/net").glob("*.c"), *(ROOT / "src").glob("*.c")):
        for name in re.findall(r"\bWS_CLOSE_[A-Z_]+\b", path.read_text()):
            sent.add(int(numbers[name]))
    described = contract.document("asyncapi.yaml")["channels"]["session"]["x-close-codes"]
    assert set(described) == sent - {0}


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_the_server_gives_what_it_was_built_with(shared_rest, name):
    text = (ROOT / "docs" / name).read_bytes()
    for method, body in ("GET", text), ("HEAD", b""):
        answer = shared_rest.call(method, f"/{name}")
        assert answer.status_code == 200 and answer.content == body
        assert answer.headers["content-type"] == "application/yaml"
        assert answer.headers["content-length"] == str(len(text))
    assert shared_rest.call("PUT", f"/{name}", {}).status_code == 405


# ---- the kit itself -------------------------------------------------------------------------------

ID = "470dab2c-b491-46e0-8b43-eb8ebc9f2d7b"
JSON = {"content-type": "application/json"}


def asked(method, path, status, body, headers=JSON):
    contract.check_answer(method, path, status, headers, "{}", lambda: body)


def test_the_kit_takes_what_is_described():
    asked("POST", "/users", 201, {"id": ID})
    asked("PUT", f"/groups/{ID}/join", 409, {"error": "x", "code": "group_full"})
    asked("GET", "/nowhere/at/all", 404, {"error": "x", "code": "not_found"})


@pytest.mark.parametrize("question", [
    ("POST", "/users", 201, {"id": ID, "more": 1}),
    ("POST", "/users", 201, {"id": ID.upper()}),
    ("POST", "/users", 201, {}),
    ("POST", "/users", 200, {"id": ID}),
    ("POST", "/users", 201, {"id": ID}, {"content-type": "text/plain"}),
    ("POST", "/users", 409, {"error": "x", "code": "group_full"}),
    ("GET", "/users/me", 401, {"error": "x", "code": "unauthorized"}),
    ("GET", "/nowhere/at/all", 200, {}),
    ("PUT", f"/groups/{ID}/join", 500, {"error": "x", "code": "too_large"}),
    ("PUT", "/users", 405, {"error": "x", "code": "method_not_allowed"}),
    ("POST", "/users", 503, {"error": "x", "code": "busy"}),
    ("GET", "/sync", 200, {"cursor": 1, "epoch": ID, "groups": [{"id": ID}], "more": False}),
])
def test_the_kit_refuses_what_is_not(question):
    with pytest.raises(contract.NotDescribed):
        asked(*question)


@pytest.mark.parametrize("event", [
    {"type": 99, "timestamp": 1, "body": {}},
    {"type": 40, "timestamp": 1, "body": {"group_id": ID}},
    {"type": 40, "timestamp": 1, "body": {"group_id": ID, "user_id": ID, "more": 1}},
    {"type": 40, "timestamp": 1, "cursor": 1, "body": {"group_id": ID, "user_id": ID}},
    {"type": 11, "id": 1, "timestamp": 1, "body": {"ok": True, "more": 1}},
    {"type": 11, "timestamp": 1, "body": {"ok": False, "method": 40, "status": 403,
                                          "code": "no_such_code", "error": "x"}},
    {"type": 11, "timestamp": 1, "body": {"ok": False, "method": 40, "status": 403,
                                          "code": "group_not_found", "error": "x"}},
])
def test_the_kit_refuses_an_event_that_is_not_described(event):
    with pytest.raises(contract.NotDescribed):
        contract.check_event(event)


def test_the_kit_holds_a_reply_to_its_rpc():
    event = {"type": 11, "id": 1, "timestamp": 1, "body": {"ok": True}}
    contract.check_event(event)
    contract.check_event(event, 10)
    with pytest.raises(contract.NotDescribed):
        contract.check_event(event, 40)
