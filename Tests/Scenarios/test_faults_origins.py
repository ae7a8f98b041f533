"""Origins that die in the middle of a message: the client sees that it is cut off, whatever the two sides speak.

Never does a part of a response look like a whole one, and never is a request sent again once a part of its response
was passed on.
"""

import ctypes
import socket
import ssl
import struct
import threading

import pytest

from support.balance import Balance
from support.gateway import route, service
from support.http import ConnectionEnded, ProtocolViolation
from support.http2 import StreamReset
from support.http2_origin import server_context

HALF = b"x" * 50_000
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + HALF
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n" + HALF + b"\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + HALF

# The client has the head: what happens from here on is in the middle of the message.
head_seen = threading.Event()


def dying(data: bytes, end, waits: bool = True) -> object:
    """An answer of HTTP/1.1 that says so much, and ends."""
    def answer(exchange):
        exchange.read_body()
        exchange.send(data)
        assert not waits or head_seen.wait(10)
        end(exchange)
    return answer


def close(exchange) -> None:
    exchange.close()


def send_reset(exchange) -> None:
    exchange.reset()


# As HTTP/1.1 origins die. Over TLS, `close` comes without close_notify, as it does when a process is killed.
HTTP1_DEATHS = {
    "closes-before-the-length": dying(LENGTH, close),
    "resets-before-the-length": dying(LENGTH, send_reset),
    "closes-between-chunks": dying(CHUNKED, close),
    "closes-in-a-chunk": dying(CHUNKED + b"100\r\nabc", close),
    "closes-in-a-chunk-size": dying(CHUNKED + b"10", close),
    "closes-in-the-trailers": dying(CHUNKED + b"0\r\nX-Check: 1\r\n", close),
    "resets-between-chunks": dying(CHUNKED, send_reset),
    "resets-where-the-close-is-the-end": dying(UNTIL_CLOSE, send_reset),
}


def half_and(end) -> object:
    """An answer of HTTP/2: half of the content, and then."""
    def answer(exchange):
        exchange.read_body()
        exchange.head(200, ("content-length", "100000"))
        exchange.data(HALF)
        assert head_seen.wait(10)
        end(exchange)
    return answer


def shut(exchange) -> None:
    exchange.connection.close()


def reset_connection(exchange) -> None:
    # Closing it sends nothing while another thread waits for what comes; to connect it to nowhere does (connect(2)).
    nowhere = struct.pack("H14x", socket.AF_UNSPEC)
    assert ctypes.CDLL(None).connect(exchange.connection.socket.fileno(), nowhere, len(nowhere)) == 0


def goaway_and_close(exchange) -> None:
    exchange.connection.goaway(code=2)
    exchange.connection.close()


def goaway_below_it(exchange) -> None:
    # It says that it has not begun what it has half answered.
    exchange.connection.goaway(code=0, last_stream=0)
    exchange.connection.close()


HTTP2_DEATHS = {
    "resets-the-stream": half_and(lambda exchange: exchange.reset(2)),
    "resets-the-stream-without-an-error": half_and(lambda exchange: exchange.reset(0)),
    "refuses-the-stream-in-the-middle": half_and(lambda exchange: exchange.reset(7)),
    "ends-the-stream-early": half_and(lambda exchange: exchange.data(b"", end=True)),
    "closes": half_and(shut),
    "resets-the-connection": half_and(reset_connection),
    "goaway-and-close": half_and(goaway_and_close),
    "goaway-below-the-stream": half_and(goaway_below_it),
}


def outcome(gateway, protocol: str) -> str:
    """What a client sees of a response: `whole`, or `cut off` after it has begun."""
    if protocol == "h2":
        with gateway.http2(authority="trouble.test") as client:
            number = client.request("GET", "/")
            assert client.wait_for_head(number).status == 200
            head_seen.set()
            try:
                client.response(number)
                return "whole"
            except (StreamReset, ConnectionEnded):
                assert not client.streams[number].is_ended
                return "cut off"
    with gateway.client() as client:
        client.request("GET", "/", host="trouble.test")
        response = client.head()
        assert response.status == 200
        head_seen.set()
        try:
            client.read_content(response)
            return "whole"
        except (ConnectionEnded, ProtocolViolation):
            return "cut off"


@pytest.fixture
def start(scenario):
    """A troubled service of two equal endpoints, so that a request could be sent again, and a good one."""
    def with_trouble(make, **settings):
        origins = [make("one"), make("two")]
        gateway = scenario.gateway(
            [service("trouble", *origins, ejection="off", pool={"idleTimeout": "300ms"}, **settings),
             service("good", scenario.origin(name="good"))],
            [route("trouble", "trouble", hosts=["trouble.test"]), route("good", "good")])
        return gateway, origins
    return with_trouble


def check_death(gateway, origins, protocol) -> None:
    head_seen.clear()
    balance = Balance(gateway)
    assert outcome(gateway, protocol) == "cut off"
    assert sum(len(origin.requests) for origin in origins) == 1, "it was sent again"
    assert gateway.metrics().sum("penstock_retries_total") == 0
    assert gateway.metrics().sum("penstock_exchanges_total", route="trouble", outcome="upstream_failure") == 1
    balance.check()


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
@pytest.mark.parametrize("death", HTTP1_DEATHS)
def test_origin_of_http1_dies_and_the_client_sees_an_aborted_message(scenario, start, death, protocol):
    gateway, origins = start(lambda name: scenario.origin(HTTP1_DEATHS[death], name))
    check_death(gateway, origins, protocol)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
@pytest.mark.parametrize("death", HTTP2_DEATHS)
def test_origin_of_http2_dies_and_the_client_sees_an_aborted_message(scenario, start, death, protocol):
    gateway, origins = start(lambda name: scenario.http2_origin(HTTP2_DEATHS[death], name), protocol="h2")
    check_death(gateway, origins, protocol)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
@pytest.mark.parametrize("death", [LENGTH, CHUNKED, UNTIL_CLOSE], ids=["length", "chunked", "until-the-close"])
def test_tls_that_ends_without_close_notify_is_an_aborted_message(scenario, start, death, protocol):
    """RFC 8446 section 6.1: whoever can close a TCP connection must not be able to cut a message short."""
    context = server_context(scenario.authority().issue("127.0.0.1"))
    gateway, origins = start(
        lambda name: scenario.origin(dying(death, close), name, tls=context), tls={"verify": False})
    check_death(gateway, origins, protocol)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_tls_that_ends_with_close_notify_ends_the_message(scenario, start, protocol):
    def answer(exchange):
        exchange.read_body()
        exchange.send(UNTIL_CLOSE)
        try:
            exchange.socket.unwrap()
        except (OSError, ssl.SSLError):
            pass  # the gateway need not wait to say the same
        exchange.close()

    context = server_context(scenario.authority().issue("127.0.0.1"))
    gateway, _ = start(lambda name: scenario.origin(answer, name, tls=context), tls={"verify": False})
    assert outcome(gateway, protocol) == "whole"


def test_endpoint_that_cuts_responses_off_is_ejected(scenario):
    """As one that refuses connections is: responses in the middle of which it dies are failures."""
    dies = scenario.origin(dying(LENGTH, close, waits=False), name="dies")
    good = scenario.origin(name="good")
    gateway = scenario.gateway(
        [service("app", dies, good, ejection={"consecutiveFailures": 3, "duration": "2s", "percentMax": "100%"})])
    cut = 0
    for _ in range(12):
        with gateway.client() as client:
            try:
                client.exchange("GET", "/")
            except (ConnectionEnded, ProtocolViolation):
                cut += 1
    assert cut == 3 and len(dies.requests) == 3
    assert gateway.metrics().sum("penstock_ejections_total") == 1
    # It is tried again when its time is over, and is well by then.
    dies.answer = lambda exchange: exchange.respond(200, b"whole")
    gateway.wait_for_origin("dies")
