"""Nobody waits for ever: each phase has its limit, and its status."""

import threading

import pytest

from support.gateway import service
from support.http import ConnectionEnded
from support.waiting import wait_until

SHORT = {"connect": "200ms", "response": "300ms", "idle": "300ms"}


@pytest.fixture
def start(scenario):
    def with_answer(answer, timeouts=None, http=None):
        origin = answer if hasattr(answer, "address") else scenario.origin(answer)
        return scenario.gateway(
            [service("app", origin, retries="off", ejection="off", timeouts=timeouts or SHORT)], http=http)
    return with_answer


def test_connection_that_is_not_accepted_is_504(scenario, start):
    gateway = start(scenario.full_queue())
    with gateway.client() as client:
        assert client.exchange("GET", "/").status == 504
        assert client.exchange("GET", "/").status == 504  # the client's connection stays


def test_refused_connection_is_502(scenario, start):
    gateway = scenario.gateway([service("app", scenario.dead_port(), retries="off")])
    with gateway.client() as client:
        assert client.exchange("GET", "/").status == 502
        assert client.exchange("GET", "/").status == 502


def test_response_that_does_not_come_is_504(start):
    gateway = start(lambda exchange: (exchange.read_body(), exchange.wait_for_end()))
    with gateway.client() as client:
        assert client.exchange("GET", "/").status == 504
        assert client.exchange("POST", "/", body=b"hello").status == 504


def test_interim_response_is_not_the_end_of_the_wait(start):
    def answer(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        exchange.wait_for_end()

    gateway = start(answer)
    with gateway.client() as client:
        client.request("GET", "/")
        assert client.head().status == 103
        # A 504, or the end of the connection, since an answer has begun.
        try:
            assert client.response().status == 504
        except ConnectionEnded:
            pass


def test_content_that_stops_cuts_the_response_off(start):
    def answer(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        exchange.wait_for_end()

    gateway = start(answer)
    with gateway.client() as client, pytest.raises(ConnectionEnded):
        client.exchange("GET", "/")
    gateway.check_health()


def test_content_that_keeps_coming_may_take_longer_than_any_timeout(start):
    pause = threading.Event()

    def answer(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            pause.wait(0.1)
            exchange.send(b"x")

    with start(answer).client() as client:
        assert client.exchange("GET", "/").body == b"x" * 8


def test_slow_request_is_not_a_late_response(start):
    """The response's time begins when the request has ended."""
    gateway = start(lambda exchange: exchange.respond(200, exchange.read_body()), {**SHORT, "idle": "5s"})
    pause = threading.Event()
    with gateway.client() as client:
        client.request("POST", "/", "Content-Length: 6")
        for _ in range(6):
            pause.wait(0.1)
            client.send(b"x")
        assert client.response().body == b"x" * 6


def test_origin_that_takes_no_content_is_given_up(start):
    release = threading.Event()
    gateway = start(lambda exchange: release.wait(10))
    with gateway.client(seconds=20) as client:
        client.request("PUT", "/", "Content-Length: 100000000")
        sender = threading.Thread(target=flood, args=(client,), daemon=True)
        sender.start()
        assert client.response().status == 504
        release.set()
        client.close()
        sender.join(10)


def flood(client):
    try:
        for _ in range(100):
            client.send(bytes(1_000_000))
    except (OSError, AssertionError):
        pass


def test_idle_client_is_closed_without_a_word(start):
    gateway = start(lambda exchange: exchange.respond(), http={"timeouts": {"idle": "300ms", "drain": "1s"}})
    with gateway.client() as client:
        assert client.exchange("GET", "/").status == 200
        client.expect_end()


def test_client_that_reads_nothing_is_given_up(start):
    def answer(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            for _ in range(100):
                exchange.send(bytes(1_000_000))
        except (OSError, AssertionError):
            exchange.close()

    gateway = start(answer, timeouts={"idle": "10s"}, http={"timeouts": {"send": "300ms", "drain": "1s"}})
    with gateway.client(receive_buffer=65_536) as client:
        client.request("GET", "/")
        client.head()
        wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 0, "the connection is closed")
