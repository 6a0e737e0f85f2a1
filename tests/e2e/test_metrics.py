"""GET /metrics: what is counted, that it moves by what was done and by nothing else, who gets it, and
that it names nobody."""
import re
import time

import pytest
import requests

from kit import raw
from kit.app import App, key_file
from kit.faults import descriptors
from kit.metrics import TYPE, Broken, Metrics, Page
from kit.people import Rest, User, assert_error
from kit.receiver import Hook, Receiver
from kit.server import BINARY, PATIENCE, ROOT, run
from kit.socket import SEND, T_MESSAGE, TYPING

OPTIONS = {"admin_listen": "127.0.0.1:0"}
MIB = 1 << 20

# With a sanitizer the memory is its own.
SANITIZED = any(word in BINARY.read_bytes() for word in (b"__asan_init", b"__tsan_init"))


@pytest.fixture(scope="module")
def metrics(shared_server):
    made = Metrics(shared_server)
    yield made
    made.close()


class Moves:
    """What differs between two pages, but for what moves by itself."""

    def __init__(self, metrics):
        self.metrics = metrics
        self.before = metrics.page()

    def of(self, name, **labels):
        return self.metrics.page().get(name, **labels) - self.before.get(name, **labels)

    def wait(self, by, name, **labels):
        """For what the server does behind the answer."""
        deadline = time.monotonic() + PATIENCE
        while self.of(name, **labels) != by:
            assert time.monotonic() < deadline, (name, labels, self.of(name, **labels))

    def are(self, expected):
        """All counters and gauges that moved, and by how much, but for bytes, durations and
        connections, which others end when they like. The page itself is a request, and one that is asked for now is not on it yet."""
        after = self.metrics.page()
        moved = {}
        for (name, labels), value in after.values.items():
            by = value - self.before.values.get((name, labels), 0)
            if "/metrics" in str(labels) or re.search(r"_bytes|_seconds|_loop_|_connections", name):
                continue
            if by:
                moved[name, *sorted(labels)] = by
        assert moved == expected


def request(route, status="2xx"):
    return "groups_chat_requests_total", ("route", route), ("status", status)


# ---- the page ---------------------------------------------------------------------------------------


def test_the_page_is_of_its_format(shared_rest, metrics):
    User(shared_rest).connect()
    page = metrics.page()
    assert len(page.kinds) > 50
    assert set(page.kinds.values()) == {"counter", "gauge", "histogram"}
    version = re.search(r"^VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.M).group(1)
    assert page.get("groups_chat_build_info", version=version) == 1
    assert abs(page.get("process_start_time_seconds") - time.time()) < 86400
    assert page.get("process_cpu_seconds_total") > 0
    # Where it is there it is right: an older kernel does not say it.
    if "process_open_fds" in page.kinds:
        assert page.get("process_open_fds") == descriptors(metrics.server.process)
    assert page.get("process_max_fds") > 0
    assert page.get("groups_chat_loop_turn_duration_seconds_count") > 0
    assert page.get("groups_chat_loop_turn_longest_seconds") > 0


def test_head_and_other_methods(metrics):
    head = metrics.call("HEAD")
    assert head.status_code == 200 and head.headers["content-type"] == TYPE and not head.content
    for method in "POST", "PUT", "DELETE":
        assert_error(metrics.call(method), 405, "method_not_allowed")
    assert metrics.call("OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"


def test_it_is_not_at_the_public_door(shared_rest, server):
    for rest in shared_rest, server.keep(Rest(server)):
        for method in "GET", "HEAD", "OPTIONS":
            assert rest.call(method, "/metrics").status_code == 404
    assert "for metrics" not in server.out.text()


def test_without_a_key_of_the_app_there_is_nothing_else(metrics):
    assert "for metrics: listening on" in metrics.server.out.text()
    for key in "", "x" * 43, "0" * 64:
        headers = {"authorization": f"Bearer {key}"}
        assert_error(metrics.call("GET", "/admin/hooks", headers), 401, "unauthorized")
    assert_error(metrics.call("GET", "/users/me"), 404, "not_found")


def test_with_a_key_of_the_app(new_server, tmp_path):
    """A scraper may have the key or not; without it its address has a rate, as everybody's."""
    key = key_file(tmp_path / "api")
    server = new_server(api_key_file=tmp_path / "api", admin_listen="127.0.0.1:0", address_rate=1,
                        address_burst=2)
    metrics = server.keep(Metrics(server))
    for _ in range(10):
        assert metrics.call(headers={"authorization": f"Bearer {key}"}).status_code == 200
    codes = [metrics.call().status_code for _ in range(10)]
    assert set(codes) == {200, 429}
    page = Page(metrics.call(headers={"authorization": f"Bearer {key}"}).text)
    assert page.get("groups_chat_throttled_total", rate="address") == codes.count(429)


def test_the_listener_has_a_default_only_with_a_key(tmp_path):
    done = run(["--data", str(tmp_path / "data"), "--admin-listen", "nowhere"])
    assert done.returncode == 1 and "cannot listen on nowhere" in done.stderr


# ---- what is counted --------------------------------------------------------------------------------


def test_a_scrape_counts_itself_and_nothing_else(metrics):
    moves = Moves(metrics)
    moves.are({})
    assert moves.of("groups_chat_requests_total", route="GET /metrics", status="2xx") == 2
    assert moves.of("groups_chat_received_bytes_total") > 0
    assert moves.of("groups_chat_sent_bytes_total") > len(moves.before.text)


def test_requests_are_counted_by_route_and_status(shared_server, shared_rest, metrics):
    shared_rest.call("GET", "/nothing")
    moves = Moves(metrics)
    anna = User(shared_rest)
    for _ in range(3):
        anna.ok(200, "GET", "/users/me")
    assert_error(shared_rest.call("GET", "/users/me"), 401, "unauthorized")
    assert_error(shared_rest.call("GET", "/nothing"), 404, "not_found")
    assert_error(shared_rest.call("PUT", "/users", {}), 405, "method_not_allowed")
    shared_rest.ok(200, "GET", "/healthz")
    moves.are({
        request("POST /users"): 1, request("POST /login"): 1, request("GET /users/me"): 3,
        request("GET /users/me", "4xx"): 1, request("none", "4xx"): 2, request("GET /healthz"): 1,
        ("groups_chat_users",): 1, ("groups_chat_password_jobs_done_total",): 2,
        ("groups_chat_journal_records_total",): 1, ("groups_chat_journal_batches_total",): 1})
    assert moves.of("groups_chat_journal_sync_duration_seconds_count") == 1
    assert moves.of("groups_chat_journal_sync_duration_seconds_sum") > 0
    assert moves.of("groups_chat_journal_bytes_total") > 0
    bad = raw.Connection(shared_server)
    bad.send(b"nonsense\r\n\r\n")
    assert bad.answer().status == 400
    moves.wait(3, "groups_chat_requests_total", route="none", status="4xx")


def test_the_time_of_requests_is_without_polls(shared_rest, metrics):
    anna = User(shared_rest)
    cursor = anna.ok(200, "GET", "/sync")["cursor"]
    moves = Moves(metrics)
    anna.ok(200, "GET", f"/events?after={cursor}&wait=1")
    assert moves.of("groups_chat_requests_total", route="GET /events", status="2xx") == 1
    # Those of the three pages since.
    assert moves.of("groups_chat_request_duration_seconds_count") == 2
    anna.login()
    assert moves.of("groups_chat_request_duration_seconds_count") == 4


def test_messages_and_events_are_counted(shared_rest, metrics):
    anna, berta, carla = (User(shared_rest) for _ in range(3))
    group = anna.group(berta, carla)
    sockets = [user.connect() for user in (anna, berta, carla)]
    for socket in sockets:
        socket.fence()
    moves = Moves(metrics)
    for number in range(5):
        sockets[0].ok(SEND, {"group_id": group, "data": str(number)})
    for socket in sockets[1:]:
        for number in range(5):
            assert socket.expect(T_MESSAGE).body["data"] == str(number)
    after = metrics.page()
    # To each of the others 20, to the sender 21 and the reply.
    assert (after.get("groups_chat_websocket_texts_sent_total")
            - moves.before.get("groups_chat_websocket_texts_sent_total")) == 5 * 4
    anna.ok(201, "POST", f"/groups/{group}/messages", {"data": "by REST"})
    assert moves.of("groups_chat_messages_sent_total") == 6
    assert moves.of("groups_chat_messages") == 6
    assert moves.of("groups_chat_rpcs_total", method=str(SEND)) == 5
    assert moves.of("groups_chat_journal_records_total") == 6
    sockets[0].refused(TYPING, {"group_id": anna.id}, 404, "group_not_found")
    assert moves.of("groups_chat_rpcs_total", method=str(TYPING)) == 1
    assert moves.of("groups_chat_rpcs_refused_total", code="group_not_found") == 1
    sockets[0].call(99)
    assert moves.of("groups_chat_rpcs_total", method="other") == 1
    assert moves.of("groups_chat_rpcs_refused_total", code="unknown_method") == 1


def test_connections_are_counted(new_server):
    """On a server of its own: those of other tests end when they like."""
    server = new_server(**OPTIONS)
    rest, metrics = server.keep(Rest(server)), server.keep(Metrics(server))
    device = User(rest).device()
    moves = Moves(metrics)
    plain = raw.Connection(server)
    plain.send(raw.request("GET", "/healthz", server))
    assert plain.answer().status == 200
    socket = raw.Connection(server).upgrade(device.path)
    assert moves.of("groups_chat_connections_accepted_total") == 2
    assert moves.of("groups_chat_connections", kind="http") == 1
    assert moves.of("groups_chat_connections", kind="websocket") == 1
    assert moves.of("groups_chat_websockets_opened_total") == 1
    assert moves.of("groups_chat_requests_total", route="GET /:id", status="1xx") == 1
    plain.close()
    socket.send(b"\xff" * 20)  # no frame
    moves.wait(2, "groups_chat_connections_closed_total")
    assert moves.of("groups_chat_connections_cut_total", reason="bad_frame") == 1
    for kind in "http", "websocket":
        assert moves.of("groups_chat_connections", kind=kind) == 0


def test_things_are_counted(shared_rest, metrics):
    moves = Moves(metrics)
    anna, berta = User(shared_rest), User(shared_rest)
    group = anna.group(berta)
    berta.leaves(group)
    anna.device()
    expected = {"users": 2, "groups": 1, "memberships": 2, "sessions": 1, "messages": 0, "hooks": 0}
    assert {thing: moves.of(f"groups_chat_{thing}") for thing in expected} == expected
    anna.ok(200, "DELETE", "/sessions")
    anna.ok(200, "DELETE", f"/groups/{group}")
    assert moves.of("groups_chat_sessions") == moves.of("groups_chat_groups") == 0


def test_what_is_throttled(new_server):
    """Each rate has its own count, which is that of the answers with 429."""
    server = new_server(**OPTIONS, login_fail_account=1, send_rate=1, send_burst=1, rpc_rate=1,
                        rpc_burst=3, user_rate=1, user_burst=40, register_rate=2)
    rest, metrics = server.keep(Rest(server)), server.keep(Metrics(server))
    anna = User(rest)
    group, socket = anna.group(), anna.connect()
    refused = {"address": 0}

    def ask(rate, times, method, path, body=None, token=None):
        codes = [rest.call(method, path, body, token).status_code for _ in range(times)]
        refused[rate] = codes.count(429)
        assert refused[rate] > 0, rate

    ask("login", 5, "POST", "/login", {"username": anna.name, "password": "wrong"})
    ask("register", 5, "POST", "/users", {"username": "berta", "password": "0000"})
    ask("send", 10, "POST", f"/groups/{group}/messages", {"data": "x"}, anna.token)
    ask("user", 100, "GET", "/users/me", None, anna.token)
    replies = [socket.call(TYPING, {"group_id": group}) for _ in range(5)]
    refused["rpc"] = sum(not reply["ok"] for reply in replies)
    assert refused["rpc"] > 0
    page = metrics.page()
    assert {rate: page.get("groups_chat_throttled_total", rate=rate) for rate in refused} == refused
    assert (page.get("groups_chat_rpcs_refused_total", code="too_many_requests")
            == refused["rpc"])


def test_a_snapshot_is_counted(shared_server, shared_rest, metrics):
    User(shared_rest)
    before = metrics.page()
    assert before.get("groups_chat_snapshot_pending_bytes") > 0
    done = run(["snapshot", "--data", str(shared_server.data)])
    assert done.returncode == 0, done.stderr
    after = metrics.page()
    assert after.get("groups_chat_snapshots_total") == before.get("groups_chat_snapshots_total") + 1
    assert after.get("groups_chat_snapshots_failed_total") == 0
    assert after.get("groups_chat_snapshot_running") == 0
    assert after.get("groups_chat_snapshot_pending_bytes") == 0
    assert after.get("groups_chat_snapshot_last_size_bytes") > 0
    assert abs(after.get("groups_chat_snapshot_last_time_seconds") - time.time()) < 3600
    # What was committed before it counts on.
    assert (after.get("groups_chat_journal_bytes_total")
            == before.get("groups_chat_journal_bytes_total"))


def test_hooks_are_counted(new_server, tmp_path):
    key_file(tmp_path / "api")
    server = new_server(api_key_file=tmp_path / "api", **OPTIONS)
    app, metrics = server.keep(App(server)), server.keep(Metrics(server))
    receiver = server.keep(Receiver())
    moves = Moves(metrics)
    hook = Hook(app, receiver.url())
    anna = User(app.rest)
    group = anna.group()
    sent = anna.ok(201, "POST", f"/groups/{group}/messages", {"data": "x"})
    receiver.wait_cursor(sent["cursor"])
    moves.wait(2, "groups_chat_hook_events_total")
    page = metrics.page()
    assert page.get("groups_chat_hooks") == 1
    assert 1 <= page.get("groups_chat_hook_requests_total", result="taken") <= 2
    assert page.get("groups_chat_hook_requests_total", result="failed") == 0
    hook.delete()
    app.ok(201, "POST", "/admin/hooks", {"url": "http://127.0.0.1:1/"})
    anna.ok(201, "POST", f"/groups/{group}/messages", {"data": "y"})
    moves.wait(1, "groups_chat_hooks_failing")
    assert moves.of("groups_chat_hook_requests_total", result="failed") >= 1
    assert moves.of("groups_chat_hooks_behind_records") >= 1


# ---- what is not ------------------------------------------------------------------------------------


def test_it_names_nobody(shared_server, shared_rest, metrics):
    """Whatever people do, the page has the same words."""
    anna = User(shared_rest, "zaphodbeeblebrox")
    group = anna.group(name="heart of gold")
    device = anna.device(device_id="towel42", name="magrathea")
    device.connect().ok(SEND, {"group_id": group, "data": "slartibartfast"})
    anna.ok(200, "GET", f"/groups/{group}/members")
    assert_error(shared_rest.call("GET", "/vogsphere?ford=prefect"), 404, "not_found")
    raw_one = raw.Connection(shared_server)
    raw_one.send(raw.request("BREW", "/marvin", shared_server))
    raw_one.answer()
    page = metrics.page()
    for word in (anna.id, anna.name, anna.email, anna.token, group, "heart of gold", "towel42",
                 "magrathea", "slartibartfast", "vogsphere", "prefect", "BREW", "marvin",
                 device.path[1:], str(shared_server.data)):
        assert word not in page.text
    routes = set(re.findall(r'^ROUTE\((\w+),\s*"([^"]+)"',
                            (ROOT / "src/api/route.def").read_text(), re.M))
    for name in page.kinds:
        for label in page.labels(name):
            is_route = label == "none" or tuple(label.split(" ")) in routes
            assert is_route or re.fullmatch(r"[a-z_]+|[0-9]+|[1-5]xx|[0-9]+\.[0-9]+\.[0-9]+",
                                            label), label


@pytest.mark.skipif(SANITIZED, reason="the memory is the sanitizer's")
def test_ten_thousand_scrapes_leave_nothing(shared_server, metrics):
    host, port = shared_server.app_address.split(":")
    plain = requests.Session()
    plain.trust_env = False
    before = after = None
    for number in range(10_000):
        answer = plain.get(f"http://{host}:{port}/metrics", timeout=PATIENCE)
        assert answer.status_code == 200
        if number == 1000:
            before = metrics.page()
    plain.close()
    after = metrics.page()
    assert (after.get("process_resident_memory_bytes")
            < before.get("process_resident_memory_bytes") + MIB)
    assert after.get("groups_chat_requests_waiting") == 0
    assert descriptors(shared_server.process) < 64


# ---- the kit itself ---------------------------------------------------------------------------------

GOOD = "# HELP groups_chat_x Words.\n# TYPE groups_chat_x gauge\n"
SUM = "groups_chat_x_seconds_sum 1.5\n"
HISTOGRAM = ("# HELP groups_chat_x_seconds Words.\n# TYPE groups_chat_x_seconds histogram\n"
             'groups_chat_x_seconds_bucket{le="1"} 2\n'
             'groups_chat_x_seconds_bucket{le="+Inf"} 3\n')


def test_the_kit_reads_the_format():
    page = Page(GOOD + 'groups_chat_x{a="b",c="d\\"e"} 1.5\ngroups_chat_x 2\n' + HISTOGRAM + SUM
                + "groups_chat_x_seconds_count 3\n")
    assert page.get("groups_chat_x") == 2
    assert page.get("groups_chat_x_seconds_bucket", le="+Inf") == 3


@pytest.mark.parametrize("text", [
    "", "groups_chat_x 1\n", GOOD.replace("gauge", "number") + "groups_chat_x 1\n",
    GOOD + "groups_chat_x 1", GOOD + "groups_chat_x 1\n\n", GOOD + "groups_chat_y 1\n",
    GOOD + "groups_chat_x one\n", GOOD + "groups_chat_x  1\n", GOOD + "groups_chat_x -\n",
    GOOD + "groups_chat_x 1\ngroups_chat_x 2\n", GOOD + 'groups_chat_x{a=b} 1\n',
    GOOD + 'groups_chat_x{a="b"c="d"} 1\n', GOOD + 'groups_chat_x{a="b",a="d"} 1\n',
    GOOD + 'groups_chat_x{a="b"",c="d"} 1\n', GOOD + 'groups_chat_x{a="b",} 1\n',
    GOOD + 'groups_chat_x{a="\\x"} 1\n', GOOD + GOOD, GOOD.replace("chat_x", "chat-x"),
    GOOD.replace("groups_chat_x", "other_x"), GOOD.replace("gauge", "counter"),
    GOOD.replace("chat_x", "chat_x_total"), GOOD.replace("chat_x", "chat_x_ms"),
    GOOD.replace("chat_x", "chat_seconds_x"), GOOD[GOOD.index("# TYPE"):] + "groups_chat_x 1\n",
    HISTOGRAM, HISTOGRAM + SUM, HISTOGRAM + SUM + "groups_chat_x_seconds_count 2\n",
    HISTOGRAM.replace("} 2", "} 4") + SUM + "groups_chat_x_seconds_count 3\n",
    HISTOGRAM.replace('"1"', '"+Inf"') + SUM + "groups_chat_x_seconds_count 3\n",
])
def test_the_kit_refuses_what_is_not(text):
    with pytest.raises(Broken):
        Page(text)
