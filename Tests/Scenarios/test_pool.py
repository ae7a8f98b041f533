"""Connections to endpoints are kept and reused, and their end is the gateway's business alone."""

import threading

import pytest

from support.client import Client
from support.gateway import service
from support.waiting import wait_until


@pytest.fixture
def origin(scenario):
    return scenario.origin()


@pytest.fixture
def start(scenario, origin):
    def with_pool(endpoint=None, **pool):
        return scenario.gateway([service("app", endpoint or origin, pool=pool, retries="off", ejection="off")])
    return with_pool


def burst(gateway, count) -> None:
    """As many requests at once, so that as many connections are open."""
    clients = [gateway.client() for _ in range(count)]
    for client in clients:
        client.request("GET", "/")
    for client in clients:
        assert client.response().status == 200
        client.close()


def together(count):
    """An origin that answers when so many requests have come."""
    barrier = threading.Barrier(count)

    def answer(exchange):
        barrier.wait(20)
        exchange.respond()
    return answer


def test_one_connection_serves_many_clients(start, origin):
    gateway = start()
    for _ in range(20):
        assert gateway.get().status == 200
    assert origin.connection_count == 1
    metrics = gateway.metrics()
    assert metrics.sum("penstock_upstream_connects_total") == 1
    assert metrics.sum("penstock_pool_reused_total") == 19


def test_idle_connections_beyond_the_limit_are_closed(start, origin):
    gateway = start(idleMax=2)
    origin.answer = together(6)
    burst(gateway, 6)
    wait_until(lambda: origin.open_connections == 2, "two connections stay")
    assert origin.connection_count == 6


def test_no_connection_is_kept_where_the_file_says_so(start, origin):
    gateway = start(idleMax=0)
    assert gateway.origins_of(5) == {"origin": 5}
    assert origin.connection_count == 5
    wait_until(lambda: origin.open_connections == 0, "no connection stays")


def test_idle_connection_is_closed_after_its_time(start, origin):
    gateway = start(idleTimeout="200ms")
    gateway.get()
    wait_until(lambda: origin.open_connections == 0, "the connection is closed")
    assert gateway.get().status == 200
    assert origin.connection_count == 2


def test_connection_is_not_reused_beyond_its_lifetime(start, origin):
    gateway = start(lifetime="300ms")
    with gateway.client() as client:
        wait_until(lambda: client.exchange("GET", "/").status == 200 and origin.connection_count >= 3,
                   "a second and a third connection are made")


def test_connection_that_the_origin_closes_is_replaced_unseen(start, origin):
    gateway = start()
    def close_afterwards(exchange):
        exchange.respond(200, "once")
        exchange.close()

    origin.answer = close_afterwards
    with gateway.client() as client:
        for _ in range(20):
            assert client.exchange("GET", "/").text == "once"
        for _ in range(20):
            # A POST cannot be sent twice, so it is shown where the close comes after it was sent.
            wait_until(lambda: origin.open_connections == 0, "the origin has closed")
            assert client.exchange("POST", "/", body=b"x").text == "once"
    assert len(origin.requests) == 40


def close_on_second_request(exchange):
    """The race: the origin closes an idle connection while a request is on its way."""
    if exchange.request_number == 1:
        exchange.respond(200, "fresh")
    else:
        exchange.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_close_while_the_request_is_on_its_way_is_not_shown(start, origin, method):
    gateway = start()
    origin.answer = close_on_second_request
    with gateway.client() as client:
        for _ in range(10):
            assert client.exchange(method, "/", body=b"x" if method == "PUT" else b"").status == 200


def test_post_is_not_sent_twice_for_the_same_race(start, origin):
    gateway = start()
    origin.answer = close_on_second_request
    with gateway.client() as client:
        assert client.exchange("POST", "/1", body=b"x").status == 200
        assert client.exchange("POST", "/2", body=b"x").status == 502
    assert [request.target for request in origin.requests] == ["/1", "/2"]


def test_reset_while_the_request_is_on_its_way_is_not_shown(start, origin):
    gateway = start()

    def answer(exchange):
        if exchange.request_number == 1:
            exchange.respond(200, "fresh")
        else:
            exchange.reset()

    origin.answer = answer
    with gateway.client() as client:
        for _ in range(10):
            assert client.exchange("GET", "/").text == "fresh"


def test_connection_on_which_the_origin_spoke_unasked_is_not_reused(start, origin):
    gateway = start()

    def answer(exchange):
        exchange.respond(200, "asked")
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked")

    origin.answer = answer
    with gateway.client() as client:
        for number in range(1, 11):
            assert client.exchange("GET", "/").text == "asked"
            wait_until(lambda: gateway.metrics().sum("penstock_pool_idle") == 0, "the connection is given up")
            assert origin.connection_count == number


def test_response_longer_than_its_length_does_not_leak_into_the_next(start, origin):
    def answer(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    origin.answer = answer
    gateway = start()
    with gateway.client() as client:
        for _ in range(10):
            assert client.exchange("GET", "/").text == "ok"


def test_nginx_that_closes_idle_connections_is_no_trouble(scenario, start):
    gateway = start(scenario.nginx(keepalive="1s"))
    with Client(gateway.port) as client:
        for _ in range(20):
            assert client.exchange("GET", "/small").status == 200
        wait_until(lambda: gateway.metrics().sum("penstock_pool_idle") == 0, "nginx has closed the connection")
        assert client.exchange("POST", "/small", body=b"x").status in (200, 405)
