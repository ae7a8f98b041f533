"""The end of connections of HTTP/2: GOAWAY first, and nothing that was accepted is lost."""

import signal
import threading

import pytest

from support import http2_frames as h2
from support.gateway import service
from support.http2 import StreamReset
from support.ports import is_listening
from support.waiting import wait_until


@pytest.fixture
def release():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def origin(scenario, release):
    def answer(exchange):
        exchange.read_body()
        if exchange.request.target == "/held":
            release.wait(20)
        exchange.respond(200, "whole")

    return scenario.origin(answer)


def terminate(gateway) -> None:
    gateway.was_ended = True
    gateway.signal(signal.SIGTERM)


@pytest.mark.parametrize("workers", [1, 2])
def test_streams_in_flight_are_finished(scenario, origin, release, workers):
    gateway = scenario.gateway([service("app", origin)], workers=workers, http={"timeouts": {"drain": "20s"}})
    clients = [gateway.http2() for _ in range(3)]
    streams = [[client.request("GET", "/held") for _ in range(5)] for client in clients]
    origin.wait_for_requests(15)
    terminate(gateway)
    wait_until(lambda: not is_listening(gateway.port), "new connections are refused")
    for client, numbers in zip(clients, streams):
        assert client.expect_goaway() == h2.NO_ERROR
        assert client.goaway.last_stream >= numbers[-1]
    release.set()
    for client, numbers in zip(clients, streams):
        assert [client.response(number).body for number in numbers] == [b"whole"] * 5
        client.expect_end()
        client.close()
        assert client.goaway.last_stream in (numbers[-1], 0x7FFFFFFF)
    assert gateway.wait_for_end() == 0


def test_upload_that_is_on_its_way_still_arrives(scenario, origin):
    gateway = scenario.gateway([service("app", origin)], http={"timeouts": {"drain": "20s"}})
    with gateway.http2() as client:
        number = client.open(client.head("POST", "/"), end=False)
        client.send_content(number, b"hello ", end=False)
        origin.wait_for_requests(1)
        terminate(gateway)
        client.expect_goaway()
        client.send_content(number, b"again")
        assert client.response(number).body == b"whole"
    assert gateway.wait_for_end() == 0
    assert origin.last.body == b"hello again"


def test_request_after_the_last_goaway_is_not_served(scenario, origin, release):
    gateway = scenario.gateway([service("app", origin)], http={"timeouts": {"drain": "20s"}})
    with gateway.http2() as client:
        held = client.request("GET", "/held")
        origin.wait_for_requests(1)
        terminate(gateway)
        # A first GOAWAY may name 2^31-1 while requests are still on their way (section 6.8).
        client.pump(lambda: client.goaway is not None and client.goaway.last_stream == held, "the final GOAWAY")
        late = client.request("GET", "/late")
        release.set()
        assert client.response(held).body == b"whole"
        try:
            client.response(late)
            raise AssertionError("a request after GOAWAY was served")
        except StreamReset as error:
            assert error.code == h2.REFUSED_STREAM
        except AssertionError as error:
            assert "ended" in str(error), error
    assert gateway.wait_for_end() == 0
    assert [request.target for request in origin.requests] == ["/held"]


def test_connections_to_origins_get_goaway(scenario):
    origin = scenario.http2_origin()
    gateway = scenario.gateway([service("app", origin, protocol="h2")])
    assert gateway.get().status == 200
    gateway.stop()
    wait_until(lambda: origin.connections[0].goaway_code is not None, "the origin is told")
    assert origin.connections[0].goaway_code == h2.NO_ERROR


def test_limit_ends_what_never_ends(scenario, origin):
    gateway = scenario.gateway([service("app", origin)], http={"timeouts": {"drain": "300ms"}})
    with gateway.http2() as client:
        client.request("GET", "/held")
        origin.wait_for_requests(1)
        terminate(gateway)
        client.expect_goaway()
        client.expect_end()
    assert gateway.wait_for_end() == 0


def test_old_connections_are_sent_away_and_finish(scenario, origin, release):
    gateway = scenario.gateway([service("app", origin)], http={"http2": {
        "connectionAge": "300ms", "connectionAgeGrace": "20s"}})
    with gateway.http2() as client:
        held = client.request("GET", "/held")
        assert client.expect_goaway() == h2.NO_ERROR
        release.set()
        assert client.response(held).body == b"whole"
        client.expect_end()
    with gateway.http2() as client:
        assert client.exchange().status == 200


def test_grace_ends_what_does_not_finish(scenario, origin):
    gateway = scenario.gateway([service("app", origin)], http={"http2": {
        "connectionAge": "200ms", "connectionAgeGrace": "200ms"}})
    with gateway.http2() as client:
        client.request("GET", "/held")
        client.expect_goaway()
        client.expect_end()


def test_idle_connections_are_sent_away(scenario, origin):
    gateway = scenario.gateway([service("app", origin)], http={"timeouts": {"idle": "300ms"}})
    with gateway.http2() as client:
        assert client.exchange().status == 200
        assert client.expect_goaway() == h2.NO_ERROR
        client.expect_end()


def test_limit_of_requests_per_connection(scenario, origin):
    gateway = scenario.gateway([service("app", origin)], http={"limits": {"requestsPerConnection": 5}})
    with gateway.http2() as client:
        for _ in range(5):
            assert client.exchange().status == 200
        assert client.expect_goaway() == h2.NO_ERROR
        client.expect_end()
    assert len(origin.requests) == 5


def test_clients_that_close_leave_nothing_behind(scenario, origin, release):
    gateway = scenario.gateway([service("app", origin)])
    before = gateway.descriptors()
    for _ in range(20):
        with gateway.http2() as client:
            for _ in range(10):
                client.request("GET", "/held")
            client.ping()
    release.set()
    wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 0, "all connections are gone")
    wait_until(lambda: gateway.descriptors() <= before + 2, "all sockets are closed")
