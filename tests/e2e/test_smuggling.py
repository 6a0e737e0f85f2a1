"""Request smuggling: streams that two readers might cut into requests in different places. Where the
RFC leaves no doubt, the requests are those that it says; where there is any, there is one refusal
and the connection ends, so that nothing behind it is ever taken for a request."""
import pytest

from kit import raw

POST = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
# What an attacker wants to be read as a request; its 405 stands for nothing else here.
HIDDEN = b"DELETE /login HTTP/1.1\r\nHost: x\r\n\r\n"
HIDDEN_STATUS = 405
EMPTY = b"0\r\n\r\n"


def answers(server, data, bytewise=False):
    """The statuses of all answers to this stream, and whether the last one said close."""
    connection = raw.Connection(server)
    try:
        connection.send_bytewise(data) if bytewise else connection.send(data)
        connection.end_sending()
    except (BrokenPipeError, ConnectionResetError, OSError):
        pass  # it has refused already; its answer is still there to read
    found = []
    while True:
        try:
            found.append(connection.answer())
        except EOFError:
            break
    assert connection.left == b""
    connection.close()
    return [answer.status for answer in found], found and found[-1].headers.get("connection")


def refused(server, data, status=400):
    """However the bytes arrive: one answer, and nothing behind it is looked at."""
    assert answers(server, data) == ([status], "close")
    assert answers(server, data, bytewise=True) == ([status], "close")


def with_length(body, *more):
    return POST + b"".join(line + b"\r\n" for line in more) + \
        b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_the_hidden_request_would_be_seen(shared_server):
    """Else nothing here could fail."""
    assert answers(shared_server, HIDDEN)[0] == [HIDDEN_STATUS]
    assert answers(shared_server, CHUNKED + b"2\r\n{}\r\n" + EMPTY + HIDDEN)[0] == \
        [400, HIDDEN_STATUS]


# ---- CL.TE and TE.CL -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["length first", "coding first"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_length_beside_a_coding(shared_server, order, version):
    for body, length in ((EMPTY + HIDDEN, len(EMPTY + HIDDEN)),  # CL.TE
                         (b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), 4),  # TE.CL
                         (EMPTY + HIDDEN, 0), (EMPTY + HIDDEN, 5)):
        fields = [b"Content-Length: %d\r\n" % length, b"Transfer-Encoding: chunked\r\n"]
        if order == "coding first":
            fields.reverse()
        refused(shared_server, POST.replace(b"1.1", version) + b"".join(fields) + b"\r\n" + body)


@pytest.mark.parametrize("length", [b"", b"x", b"-1", b"+0", b"0,0"])
def test_a_faulty_length_beside_a_coding(shared_server, length):
    refused(shared_server, POST + b"Content-Length: " + length +
            b"\r\nTransfer-Encoding: chunked\r\n\r\n" + EMPTY + HIDDEN)


# ---- TE.TE: codings that one reader knows and another does not --------------------------------


@pytest.mark.parametrize("line", [
    b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked", b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding:\x0cchunked", b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: \x00chunked", b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding:\r\n\tchunked", b"Transfer-Encoding: chunked\r\n ",
    b"Transfer-Encoding\r\n : chunked", b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked", b"X: y\r\r\nTransfer-Encoding: chunked",
    b"X: y\n\rTransfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked",
    b"\x00Transfer-Encoding: chunked", b"\xffTransfer-Encoding: chunked",
    b"Transfer-Encod\xefng: chunked", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: chunk", b"Transfer-Encoding: 'chunked'",
    b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: ",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: chunked identity", b"Transfer-Encoding: \x85chunked",
    b"Transfer-Encoding: \xa0chunked", b"Transfer-Encoding: chunked\xa0",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-encoding: x",
    b"Transfer-Encoding: x\r\nTRANSFER-ENCODING: chunked",
    b"Transfer-Encoding; chunked", b"Transfer-Encoding chunked", b"Transfer-Encoding=chunked",
    b"Transfer-Encoding", b":Transfer-Encoding: chunked",
], ids=lambda line: repr(line)[2:-1])
def test_codings_in_disguise(shared_server, line):
    for more in (b"", b"Content-Length: 5\r\n"):
        refused(shared_server, POST + more + line + b"\r\n\r\n" + EMPTY + HIDDEN)


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"chunked, chunked", b"identity, chunked",
                                    b"x,chunked", b"gzip;q=1, chunked"])
def test_codings_that_are_not_spoken(shared_server, coding):
    refused(shared_server, POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + EMPTY + HIDDEN,
            501)


@pytest.mark.parametrize("name", [b"Transfer_Encoding", b"Transfer.Encoding", b"X-Transfer-Encoding",
                                  b"TE"])
def test_names_that_only_look_alike(shared_server, name):
    """These are other fields: the length alone counts."""
    assert answers(shared_server, with_length(b"{}", name + b": chunked") + HIDDEN)[0] == \
        [400, HIDDEN_STATUS]


def test_a_longer_name_is_refused_to_be_safe(shared_server):
    """The library minds the coding's name also where more follows, so the two readers disagree."""
    refused(shared_server, with_length(b"{}", b"Transfer-Encoding2: chunked") + HIDDEN)


# ---- CL.CL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [
    [b"0", b"%d"], [b"%d", b"0"], [b"%d", b"%d"], [b"0", b"0"], [b"%d, %d"], [b"%d,0"], [b"0, %d"],
    [b"+%d"], [b"-%d"], [b"0x%x"], [b"0b1"], [b"0o7"], [b"%d.0"], [b"%de0"], [b"%d "b"1"], [b"1_0"],
    [b"%d;"], [b'"%d"'], [b"%d\x00"], [b"\x0b%d"], [b"\xb2"], [b"\xd9\xa2"], [b""], [b" "], [b"x"],
    [b"18446744073709551616"], [b"18446744073709551618"], [b"4294967298" + b"0" * 20], [b"-0"],
    [b"\r\n %d"], [b"%d\r\n "], [b"0" * 20 + b"2"],
], ids=lambda lengths: repr(lengths))
def test_lengths_that_disagree_or_are_none(shared_server, lengths):
    values = [length.replace(b"%d", b"%d" % len(HIDDEN)).replace(b"%x", b"%x" % len(HIDDEN))
              for length in lengths]
    refused(shared_server, POST + b"".join(b"Content-Length: %s\r\n" % v for v in values) +
            b"\r\n" + HIDDEN + HIDDEN)


@pytest.mark.parametrize("length", [b"4294967298", b"9223372036854775807", b"9223372036854775808",
                                    b"9999999999999999999", b"1048577"])
def test_lengths_that_would_wrap(shared_server, length):
    refused(shared_server, POST + b"Content-Length: " + length + b"\r\n\r\n{}" + HIDDEN, 413)


@pytest.mark.parametrize("name", [b"Content-Length ", b"Content-Length\t", b" Content-Length",
                                  b"Content Length", b"Content-Length\x00", b"Content-Length\xa0"])
def test_names_of_lengths_in_disguise(shared_server, name):
    for more in (b"", b"Content-Length: 0\r\n"):
        refused(shared_server, POST + more + name + b": %d\r\n\r\n" % len(HIDDEN) + HIDDEN)


# ---- CL.0: a body where none is expected ------------------------------------------------------


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/nothing", 404), ("GET", "/login", 405), ("PUT", "/login", 405),
    ("DELETE", "/nothing", 404), ("PATCH", "/users", 405), ("TRACE", "/users", 405),
    ("GET", "/users/me", 401), ("GET", "/sessions", 401), ("POST", "/nothing", 404),
])
def test_a_body_where_none_belongs_is_still_a_body(shared_server, method, path, status):
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode()
    for body in (b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
                 b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n" +
                 EMPTY):
        assert answers(shared_server, (head + body) * 2)[0] == [status] * 2


@pytest.mark.parametrize("fields", [b"Connection: content-length", b"Connection: transfer-encoding",
                                    b"Upgrade: h2c\r\nConnection: upgrade, http2-settings",
                                    b"Upgrade: websocket\r\nConnection: upgrade",
                                    b"X-HTTP-Method-Override: GET"])
def test_no_other_field_takes_the_body_away(shared_server, fields):
    assert answers(shared_server, with_length(HIDDEN, fields) * 2)[0] == [400] * 2


def test_the_preface_of_http_2_is_no_request(shared_server):
    refused(shared_server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN, 505)


# ---- chunks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [
    b"", b" 2", b"2 ", b"\t2", b"2\t", b"0x2", b"0X2", b"+2", b"-2", b"-0", b"2.0", b"2,", b"g", b"2g",
    b"2 2", b"2\x00", b"\x002", b"2\x0b", b"\xb2", b"2\xa0", b"2_0", b"'2'", b"2h", b"0" * 16 + b"2",
    b"2\n", b"2\r", b"2\r\r", b"2\n\r", b"2:x", b"2=x", b"2 x", b"2 \x0b;x", b"2\t;x",
], ids=lambda size: repr(size)[2:-1])
def test_sizes_of_chunks_that_are_none(shared_server, size):
    refused(shared_server, CHUNKED + size + b"\r\n{}\r\n" + EMPTY + HIDDEN)


@pytest.mark.parametrize("size", [
    b"100002", b"7fffffff", b"80000002", b"ffffffff", b"100000002", b"7fffffffffffffff",
    b"8000000000000002", b"ffffffffffffffff", b"fffffffffffffff0", b"10000000000000002",
    b"f" * 17, b"1" + b"0" * 32 + b"2",
], ids=lambda size: size.decode())
def test_sizes_of_chunks_that_would_wrap(shared_server, size):
    refused(shared_server, CHUNKED + size + b"\r\n{}\r\n" + EMPTY + HIDDEN, 413)
    # Not even in the sum with those before it.
    refused(shared_server, CHUNKED + b"1\r\n{\r\n" + size + b"\r\n}\r\n" + EMPTY + HIDDEN, 413)


@pytest.mark.parametrize("size", [b"2", b"02", b"0" * 15 + b"2", b"2;", b"2;a", b"2;a=b", b'2;a="b c"',
                                  b"2 ; a = b", b"2;a;b;c=d", b"2;0\t2", b"2;chunked"])
def test_extensions_that_change_nothing(shared_server, size):
    stream = CHUNKED + size + b"\r\n{}\r\n0" + size[size.find(b";"):] * (b";" in size) + b"\r\n\r\n"
    assert answers(shared_server, stream + HIDDEN) == ([400, HIDDEN_STATUS], None)
    assert answers(shared_server, stream + HIDDEN, bytewise=True)[0] == [400, HIDDEN_STATUS]


@pytest.mark.parametrize("extension", [
    b"\n", b"a\n", b"a\nb", b"a\r", b"a\rb", b"a\r\r", b"a\n\r", b'a="\n"', b'a="\r"', b"\x00",
    b"a\x00", b"a\x0bb", b"\x7f", b"\x80", b"a=\xff", b"\x85", b'a="\r\nb"',
], ids=lambda extension: repr(extension)[2:-1])
def test_line_ends_and_controls_in_extensions(shared_server, extension):
    """A reader that takes a bare LF, or looks for the end of a quoted string, ends the line elsewhere."""
    refused(shared_server, CHUNKED + b"2;" + extension + b"\r\n{}\r\n" + EMPTY + HIDDEN)
    refused(shared_server, CHUNKED + b"2\r\n{}\r\n0;" + extension + b"\r\nX:y\r\n x\r\n\r\n" + HIDDEN)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\r", b"\n\r", b"\n\n", b"}\r\n", b" \r\n",
                                 b"\x00\x00", b"xx", b"\r\n\r\n"],
                         ids=lambda end: repr(end)[2:-1])
def test_ends_of_chunks_that_are_none(shared_server, end):
    refused(shared_server, CHUNKED + b"2\r\n{}" + end + EMPTY + HIDDEN)


@pytest.mark.parametrize("end", [b"0\n\r\n", b"0\r\r\n", b"0\r\n\n", b"0\r\n\rX", b"0\r\n \r\n\r\n",
                                 b"0\r\n\x00\r\n\r\n", b"0\n\n", b"0\r\n\r\r\n"],
                         ids=lambda end: repr(end)[2:-1])
def test_last_chunks_that_are_none(shared_server, end):
    refused(shared_server, CHUNKED + b"2\r\n{}\r\n" + end + HIDDEN)


@pytest.mark.parametrize("trailer", [
    b"Content-Length: 5", b"CONTENT-LENGTH: 0", b"Transfer-Encoding: chunked", b"Host: y",
    b"X : y", b" X: y", b"X: y\r\n z", b": y", b"X", b"X: a\x00b", b"X: a\nY: b", b"X: a\rY: b",
    b"\xff: y", b"X y: z", b"GET / HTTP/1.1",
], ids=lambda trailer: repr(trailer)[2:-1])
def test_trailers_that_may_not_be(shared_server, trailer):
    refused(shared_server, CHUNKED + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n" + HIDDEN)


def test_trailers_are_read_and_dropped(shared_server):
    """One that names its sender is no login either."""
    head = b"GET /users/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    stream = head + b"X-Sum: 1\r\nAuthorization: bearer x\r\nConnection: close\r\nEmpty:\r\n\r\n"
    assert answers(shared_server, stream + HIDDEN) == ([401, HIDDEN_STATUS], None)


def test_extensions_and_trailers_without_end(shared_server):
    refused(shared_server, CHUNKED + b"2;" + b"a" * 20_000 + b"\r\n{}\r\n" + EMPTY + HIDDEN, 431)
    refused(shared_server, CHUNKED + b"1;aaaaaaaaaaaaaaaa\r\n \r\n" * 2000 + EMPTY + HIDDEN, 431)
    refused(shared_server, CHUNKED + b"0\r\nX: " + b"y" * 20_000 + b"\r\n\r\n" + HIDDEN, 431)
    refused(shared_server, CHUNKED + b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n" + HIDDEN, 431)


# ---- prefixes and hosts --------------------------------------------------------------------------


def test_a_prefix_is_no_request_of_somebody_else(shared_server):
    """What is left on a connection stays there: the next connection starts afresh."""
    prefix = b"GET /smuggled HTTP/1.1\r\nX: "
    victim = raw.request("PUT", "/login", shared_server)
    for stream in (with_length(b"{}") + prefix, CHUNKED + b"2\r\n{}\r\n" + EMPTY + prefix):
        attacker = raw.Connection(shared_server)
        attacker.send(stream)
        assert attacker.answer().status == 400
        other = raw.Connection(shared_server)
        other.send(victim)
        assert other.answer().status == 405
        # On the one connection the rest is what it says: part of that field.
        attacker.send(victim)
        assert attacker.answer().status == 404
        attacker.close()
        other.close()


def test_nothing_behind_close(shared_server):
    head = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert answers(shared_server, head + HIDDEN) == ([404], "close")
    assert answers(shared_server, head.replace(b"1.1", b"1.0") + HIDDEN) == ([404], "close")


@pytest.mark.parametrize("hosts", [
    b"Host: x\r\nHost: x", b"Host: x\r\nhost: y", b"Host: x\r\n Host: y", b"Host: x\r\nHost : y",
    b"Host: x, y", b"Host: x y", b"Host:\r\n x", b" Host: x\r\nHost: y", b"Host: x\nHost: y",
    b"Host: x#y", b"Host: x?y", b"Host: x/y", b"Host: x\\y", b"Host: y@x", b"Host: x:80:80",
    b"Host: x:80@y", b"Host: http://x", b"Host: x\x00.y",
], ids=lambda hosts: repr(hosts)[2:-1])
def test_two_hosts(shared_server, hosts):
    for target in (b"/login", b"http://x/login"):
        refused(shared_server, b"DELETE " + target + b" HTTP/1.1\r\n" + hosts + b"\r\n\r\n" + HIDDEN)
