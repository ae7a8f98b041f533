"""Strict in: what two parsers could read differently is refused, and nothing of it is forwarded."""

import pytest

import malformed_requests
from support.client import Client
from support.gateway import service
from support.http2_frames import PREFACE
from support.waiting import wait_until

MEBIBYTE = 1 << 20
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n"


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway(
        [service("app", origin, retries="off", ejection="off")],
        http={"limits": {"bodyBytes": MEBIBYTE}, "timeouts": {"head": "400ms", "body": "400ms", "drain": "1s"}})


@pytest.fixture(autouse=True)
def fresh(gateway, origin):
    """Each test finds a gateway that runs, and leaves it so."""
    gateway.revive()
    origin.forget()
    yield
    gateway.check_health()


def refused(client: Client, data: bytes) -> int:
    """Sends bytes that a gateway may stop reading; returns the status of its only answer."""
    try:
        client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has answered before the end
    response = client.response()
    assert response.value("connection") == "close"
    assert response.has("date")
    client.expect_end()
    return response.status


@pytest.mark.parametrize("data, status", [pytest.param(*row[1:], id=row[0]) for row in malformed_requests.ALL])
def test_malformed_request_is_refused_closed_and_not_forwarded(gateway, origin, data, status):
    with gateway.client() as client:
        assert refused(client, data + SMUGGLED) == status
    assert origin.complete_requests == []
    assert not any(request.target == "/smuggled" for request in origin.requests)
    gateway.check_health()


@pytest.mark.parametrize("cut", [0, 10, 16])
def test_preface_of_http2_is_a_malformed_request_where_http2_is_off(scenario, cut):
    origin = scenario.origin()
    gateway = scenario.gateway([service("app", origin)], listener={"h2c": False})
    with gateway.client() as client:
        client.send(PREFACE[:cut])
        assert refused(client, PREFACE[cut:] + SMUGGLED) == 505
    assert origin.requests == []


@pytest.mark.parametrize("data", [b"PRI * HTTP/2.0\r\nHost: example.test\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"])
def test_what_only_begins_like_the_preface_is_refused(gateway, origin, data):
    with gateway.client() as client:
        assert refused(client, data + SMUGGLED) == 505
    assert origin.requests == []


@pytest.mark.parametrize("data, status",
                         [pytest.param(*row[1:], id=row[0]) for row in malformed_requests.METHODS])
def test_method_that_is_never_forwarded_is_answered_with_405_and_allow(gateway, origin, data, status):
    with gateway.client() as client:
        client.send(data)
        response = client.response()
        assert response.status == status
        assert "GET" in response.value("allow")
    assert origin.complete_requests == []


def test_refused_connect_closes_since_what_follows_may_be_meant_for_a_tunnel(gateway, origin):
    with gateway.client() as client:
        client.send(b"CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n" + SMUGGLED)
        assert client.response().status == 405
        client.expect_end()
    assert origin.complete_requests == []


def test_rows_that_arrive_byte_by_byte_are_refused_alike(gateway, origin):
    rows = {name: (data, status) for name, data, status in malformed_requests.ALL}
    for name in ("space-before-colon", "line-feed-after-field", "length-and-chunked", "host-twice", "version-2.0"):
        data, status = rows[name]
        with gateway.client() as client:
            try:
                for byte in data:
                    client.send(bytes([byte]))
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert client.response().status == status, name
            client.expect_end()
    assert origin.complete_requests == []


def test_head_that_stops_is_answered_with_408(gateway, origin):
    with gateway.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: exam")
        response = client.response()
        assert response.status == 408
        assert response.value("connection") == "close"
        client.expect_end()
    assert origin.complete_requests == []


def test_head_that_trickles_is_answered_with_408_all_the_same(gateway, origin):
    with gateway.client() as client:
        client.send(b"GET / HTTP/1.1\r\n")
        client.socket.settimeout(0.04)
        sent = 0
        while sent < 200:  # a field line every 40 ms, which would go on for 8 s
            client.send(b"X-A: 1\r\n")
            sent += 1
            client.socket.settimeout(0.04)
            try:
                client.buffer += client.socket.recv(65_536)
                break
            except TimeoutError:
                continue
        assert client.response().status == 408
    assert origin.complete_requests == []


def test_connection_without_a_byte_is_closed_without_an_answer(scenario):
    gateway = scenario.gateway(
        [service("app", scenario.dead_port())], http={"timeouts": {"idle": "300ms", "drain": "1s"}})
    with gateway.client() as client:
        client.expect_end()


def test_content_that_stops_is_answered_with_408(gateway, origin):
    with gateway.client() as client:
        client.request("POST", "/", "Content-Length: 10")
        client.send(b"half")
        assert client.response().status == 408
        client.expect_end()
    assert origin.complete_requests == []


def test_good_request_before_a_bad_one_is_still_answered(gateway, origin):
    with gateway.client() as client:
        client.send(b"GET /good HTTP/1.1\r\nHost: example.test\r\n\r\n" + b"BAD REQUEST\r\n\r\n" + SMUGGLED)
        assert client.response().status == 200
        assert client.response().status == 400
        client.expect_end()
    assert [request.target for request in origin.requests] == ["/good"]


def test_refusals_are_counted_by_status(gateway):
    before = gateway.metrics()
    with gateway.client() as client:
        refused(client, b"GET / HTTP/1.1\r\n\r\n")
    with gateway.client() as client:
        refused(client, b"GET / HTTP/9.9\r\nHost: example.test\r\n\r\n")

    def counted(status: str) -> bool:
        return gateway.metrics().sum("penstock_requests_refused_total", status=status) \
            == before.sum("penstock_requests_refused_total", status=status) + 1

    wait_until(lambda: counted("400") and counted("505"), "both refusals are counted")


# Responses of origins, which are as strictly read

OK = b"HTTP/1.1 200 OK\r\n"
MALFORMED_RESPONSES = [
    ("not-http", b"hello\r\n\r\n"),
    ("version-2", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("status-of-two-digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("status-099", b"HTTP/1.1 099 OK\r\n\r\n"),
    ("status-999", b"HTTP/1.1 999 OK\r\n\r\n"),
    ("line-feeds-alone", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("length-and-chunked", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("lengths-that-differ", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ("length-negative", OK + b"Content-Length: -1\r\n\r\n"),
    ("coding-unknown", OK + b"Transfer-Encoding: gzip\r\n\r\n"),
    ("coding-after-chunked", OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("space-before-colon", OK + b"X-A : 1\r\nContent-Length: 0\r\n\r\n"),
    ("folded-line", OK + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"),
    ("null-in-value", OK + b"X-A: \0\r\nContent-Length: 0\r\n\r\n"),
    ("carriage-return-in-value", OK + b"X-A: 1\r2\r\nContent-Length: 0\r\n\r\n"),
    ("head-too-large", OK + b"X-A: " + b"x" * 40_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    ("switching-protocols-unasked", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
]


@pytest.mark.parametrize("data", [pytest.param(row[1], id=row[0]) for row in MALFORMED_RESPONSES])
def test_malformed_response_becomes_502(gateway, origin, data):
    def answer(exchange):
        exchange.read_body()
        exchange.send(data)
        exchange.wait_for_end()

    origin.answer = answer
    with gateway.client() as client:
        response = client.exchange("GET", "/")
        assert response.status == 502
        assert not response.has("x-a")
        origin.forget()
        client.expect_open()
    gateway.check_health()


def test_malformed_chunk_of_a_response_cuts_it_off(gateway, origin):
    def answer(exchange):
        exchange.read_body()
        exchange.send(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nsmuggled\r\n0\r\n\r\n")
        exchange.wait_for_end()

    origin.answer = answer
    with gateway.client() as client:
        client.request("GET", "/", "Connection: close")
        rest = client.read_to_end()
        # Either the head came before the error, and no last chunk after it; or a whole 502.
        assert not rest.endswith(b"0\r\n\r\n") or b" 502 " in rest.split(b"\r\n")[0]
        assert b"smuggled" not in rest
