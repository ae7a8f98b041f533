"""Requests by HTTP/2 that RFC 9113 calls malformed: none reaches an origin, and the connection stays."""

import pytest

from support import http2_frames as h2
from support.gateway import route, service
from support.http2 import StreamReset


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin)])


@pytest.fixture
def client(gateway, origin):
    origin.forget()
    with gateway.http2() as client:
        yield client
    gateway.check_health()


def without(*names):
    return lambda head: [pair for pair in head if pair[0] not in names]


def instead(name, value):
    return lambda head: [(one, value if one == name else old) for one, old in head]


def plus(*fields):
    return lambda head: [*head, *fields]


def first(*fields):
    return lambda head: [*fields, *head]


MALFORMED = {
    "section 8.3.1: no :method": without(":method"),
    "section 8.3.1: no :scheme": without(":scheme"),
    "section 8.3.1: no :path": without(":path"),
    "section 8.3.1: empty :path": instead(":path", ""),
    "section 8.3.1: :path that is not a path": instead(":path", "a/b"),
    "section 8.3.1: :path in absolute form": instead(":path", "http://example.test/"),
    "section 8.3.1: * for another method than OPTIONS": instead(":path", "*"),
    "section 8.3.1: :path with a space": instead(":path", "/a b"),
    "section 8.3.1: :path with a line break": instead(":path", "/a\r\nX-Smuggled: 1"),
    "section 8.3.1: :path with HTTP/1.1 inside": instead(":path", "/ HTTP/1.1\r\nHost: evil.test\r\n\r\nGET /x"),
    "section 8.3.1: :path with a fragment": instead(":path", "/a#b"),
    "section 8.3.1: :authority with userinfo": instead(":authority", "user@example.test"),
    "section 8.3.1: :authority with a path": instead(":authority", "example.test/a"),
    "section 8.3.1: :authority with a line break": instead(":authority", "example.test\r\nX-Smuggled: 1"),
    "section 8.3.1: host that differs from :authority": plus(("host", "other.test")),
    "section 8.3.1: two host fields": plus(("host", "example.test"), ("host", "example.test")),
    "RFC 9110 section 11.6.2: two authorization fields": plus(("authorization", "a b"), ("authorization", "a c")),
    "section 8.3.1: :method that is no token": instead(":method", "GE T"),
    "section 8.3.1: :method with a line break": instead(":method", "GET / HTTP/1.1\r\nX: 1\r\n\r\nGET"),
    "section 8.3: :method twice": plus((":method", "GET")),
    "section 8.3: :path twice": first((":path", "/other")),
    "section 8.3: unknown pseudo-field": first((":unknown", "1")),
    "section 8.3: :status in a request": first((":status", "200")),
    "section 8.3: :protocol without CONNECT": first((":protocol", "websocket")),
    "section 8.3: pseudo-field after a field": lambda head: [*head[:3], ("x-field", "1"), head[3]],
    "section 8.2.1: name in upper case": plus(("X-Upper", "1")),
    "section 8.2.1: name with a colon": plus(("x:y", "1")),
    "section 8.2.1: name with a space": plus(("x y", "1")),
    "section 8.2.1: name with a line break": plus(("x\r\ny", "1")),
    "section 8.2.1: name with NUL": plus(("x\0", "1")),
    "section 8.2.1: empty name": plus(("", "1")),
    "section 8.2.1: name with a byte above 127": plus(("x\xe9", "1")),
    "section 8.2.1: value with NUL": plus(("x-field", "a\0b")),
    "section 8.2.1: value with CR": plus(("x-field", "a\rb")),
    "section 8.2.1: value with LF": plus(("x-field", "a\nb")),
    "section 8.2.1: value with a line of its own": plus(("x-field", "a\r\nX-Smuggled: 1")),
    "section 8.2.1: value that begins with a space": plus(("x-field", " a")),
    "section 8.2.1: value that ends with a tab": plus(("x-field", "a\t")),
    "section 8.2.2: connection": plus(("connection", "close")),
    "section 8.2.2: keep-alive": plus(("keep-alive", "timeout=5")),
    "section 8.2.2: proxy-connection": plus(("proxy-connection", "close")),
    "section 8.2.2: transfer-encoding": plus(("transfer-encoding", "chunked")),
    "section 8.2.2: upgrade": plus(("upgrade", "websocket")),
    "section 8.2.2: te that is not trailers": plus(("te", "gzip")),
    "section 8.1.1: content-length that is no number": plus(("content-length", "1x")),
    "section 8.1.1: content-length with a sign": plus(("content-length", "+0")),
    "section 8.1.1: two content-lengths that differ": plus(("content-length", "0"), ("content-length", "1")),
    "section 8.1.1: content-length without content": plus(("content-length", "5")),
    "section 8.5: CONNECT with :path": instead(":method", "CONNECT"),
    "section 8.5: CONNECT without :authority": lambda head: [(":method", "CONNECT")],
}


def refuse(client, number) -> None:
    """RST_STREAM with PROTOCOL_ERROR, or a 400 before it (section 8.1.1)."""
    try:
        assert client.response(number).status == 400
    except StreamReset as error:
        assert error.code == h2.PROTOCOL_ERROR


@pytest.mark.parametrize("rule", MALFORMED)
def test_malformed_request_is_refused_and_not_forwarded(client, origin, rule):
    refuse(client, client.open(MALFORMED[rule](client.head())))
    assert origin.requests == []
    client.expect_open()


class TestContentLength:
    """Section 8.1.1: content-length has to be the sum of the DATA frames."""

    @pytest.mark.parametrize("told, sent", [(3, b"hello"), (10, b"hello"), (5, b""), (0, b"hello")])
    def test_length_that_is_not_fulfilled(self, client, origin, told, sent):
        refuse(client, client.request_in_one_piece("/", ("content-length", str(told)), body=sent))
        assert origin.requests == []
        client.expect_open()

    @pytest.mark.parametrize("told, sent", [(3, b"hello"), (10, b"hello"), (5, b"")])
    def test_length_that_later_content_does_not_fulfil(self, client, origin, told, sent):
        number = client.open(client.head("POST", "/", ("content-length", str(told))), end=False)
        client.send(h2.frame(h2.DATA, h2.END_STREAM, number, sent))
        refuse(client, number)
        assert origin.complete_requests == []
        client.expect_open()

    def test_length_is_not_fulfilled_before_trailers(self, client, origin):
        number = client.open(client.head("POST", "/", ("content-length", "5")), end=False)
        client.send(h2.frame(h2.DATA, 0, number, b"hi"))
        client.send_trailers(number, ("x-sum", "1"))
        refuse(client, number)
        assert origin.complete_requests == []

    def test_content_that_could_be_a_request_stays_content(self, client, origin):
        smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n"
        assert client.exchange("POST", "/", body=smuggled).status == 200
        # What an earlier test left without an end may come late.
        [request] = origin.complete_requests
        assert request.target == "/" and request.body == smuggled


class TestTrailers:
    @pytest.mark.parametrize("fields", [
        [(":path", "/other")], [("X-Upper", "1")], [("connection", "close")], [("x", "a\r\nb: c")],
        [("transfer-encoding", "chunked")]])
    def test_malformed_trailers_leave_no_whole_request(self, client, origin, fields):
        number = client.open(client.head("POST", "/"), end=False)
        client.send(h2.frame(h2.DATA, 0, number, b"hi"))
        client.send_trailers(number, *fields)
        refuse(client, number)
        assert origin.complete_requests == []
        client.expect_open()

    def test_trailers_have_to_end_the_stream(self, client, origin):
        number = client.open(client.head("POST", "/"), end=False)
        client.send(h2.frame(h2.HEADERS, h2.END_HEADERS, number, client.block([("x-sum", "1")])))
        refuse(client, number)
        assert origin.complete_requests == []


class TestLimits:
    """The same limits as in HTTP/1.1; answered where the client can tell what it did."""

    @pytest.mark.parametrize("fields, status", [
        ([(":path", "/" + "a" * 9_000)], 414),
        ([("x-large", "v" * 20_000)], 431),
        ([(f"x-{number}", "v") for number in range(120)], 431),
    ])
    def test_head_that_is_too_large(self, client, origin, fields, status):
        head = client.head()
        for name, value in fields:
            head = instead(name, value)(head) if name.startswith(":") else [*head, (name, value)]
        block = client.block(head)
        number = client.new_stream()
        pieces = [block[start:start + 16_000] for start in range(0, len(block), 16_000)]
        client.send(*(
            h2.frame(h2.CONTINUATION if index else h2.HEADERS,
                     (h2.END_HEADERS if index == len(pieces) - 1 else 0) | (0 if index else h2.END_STREAM),
                     number, piece)
            for index, piece in enumerate(pieces)))
        assert client.response(number).status == status
        assert origin.requests == []
        client.expect_open()

    def test_content_that_is_too_large(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], http={"limits": {"bodyBytes": 1_000}})
        with gateway.http2() as client:
            number = client.open(client.head("POST", "/", ("content-length", "2000")), end=False)
            assert client.wait_for_head(number).status == 413
            number = client.open(client.head("POST", "/"), end=False)
            client.send(h2.frame(h2.DATA, 0, number, b"x" * 1_500))
            assert client.wait_for_head(number).status == 413
            client.expect_open()

    def test_connect_is_not_served(self, client, origin):
        number = client.open([(":method", "CONNECT"), (":authority", "example.test:443")], end=False)
        try:
            assert client.wait_for_head(number).status in (400, 405, 501)
        except StreamReset as error:
            assert error.code in (h2.PROTOCOL_ERROR, h2.REFUSED_STREAM)
        assert origin.requests == []
        client.expect_open()

    def test_no_route_is_404(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], [route("one", "app", hosts=["one.test"])])
        with gateway.http2(authority="two.test") as client:
            assert client.exchange().status == 404
            client.ping()
