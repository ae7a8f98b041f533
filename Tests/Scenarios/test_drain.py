"""TERM finishes what is in flight, within a limit, and takes nothing new."""

import signal
import socket
import threading

import pytest

from support.gateway import service
from support.http import ConnectionEnded
from support.waiting import wait_until


class Held:
    """An origin whose answers wait for the test."""

    def __init__(self, scenario):
        self.release = threading.Event()
        self.origin = scenario.origin(self.answer)

    def answer(self, exchange):
        if exchange.request.target == "/held":
            exchange.read_body()
            self.release.wait(20)
        exchange.respond(200, "whole")


@pytest.fixture
def held(scenario):
    held = Held(scenario)
    yield held
    held.release.set()


def start(scenario, held, drain="20s", **options):
    return scenario.gateway([service("app", held.origin)], http={"timeouts": {"drain": drain}}, **options)


def terminate(gateway) -> None:
    gateway.was_ended = True
    gateway.signal(signal.SIGTERM)


def refuses(port) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_in_flight_are_finished(scenario, held, workers):
    gateway = start(scenario, held, workers=workers)
    clients = [gateway.client() for _ in range(5)]
    for client in clients:
        client.request("GET", "/held")
    held.origin.wait_for_requests(5)
    terminate(gateway)
    wait_until(lambda: refuses(gateway.port), "new connections are refused")
    assert gateway.is_running
    held.release.set()
    for client in clients:
        response = client.response()
        assert response.text == "whole" and response.value("connection") == "close"
        client.expect_end()
    assert gateway.wait_for_end() == 0


def test_content_that_is_on_its_way_still_arrives(scenario, held):
    gateway = start(scenario, held)
    with gateway.client() as client:
        client.request("POST", "/upload", "Content-Length: 10")
        client.send(b"12345")
        held.origin.wait_for_requests(1)
        terminate(gateway)
        wait_until(lambda: refuses(gateway.port), "new connections are refused")
        client.send(b"67890")
        assert client.response().text == "whole"
    assert gateway.wait_for_end() == 0
    assert held.origin.last.body == b"1234567890"


def test_idle_connections_are_closed_at_once(scenario, held):
    gateway = start(scenario, held)
    fresh, used = gateway.client(), gateway.client()
    assert used.exchange("GET", "/").status == 200
    wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 2, "both are connected")
    terminate(gateway)
    fresh.expect_end()
    used.expect_end()
    assert gateway.wait_for_end() == 0


def test_not_ready_while_draining(scenario, held):
    gateway = start(scenario, held)
    with gateway.client() as client:
        client.request("GET", "/held")
        held.origin.wait_for_requests(1)
        terminate(gateway)
        answer = wait_until(lambda: (r := gateway.admin("/readyz")) is not None and r.status == 503 and r, "not ready")
        assert "drain" in answer.text
        assert gateway.admin("/healthz").status == 200  # alive, though not ready
        held.release.set()
        assert client.response().text == "whole"
    assert gateway.wait_for_end() == 0


def test_limit_ends_what_never_ends(scenario, held):
    gateway = start(scenario, held, drain="300ms")
    with gateway.client() as client:
        client.request("GET", "/held")
        held.origin.wait_for_requests(1)
        terminate(gateway)
        with pytest.raises(ConnectionEnded):
            client.response()
    assert gateway.wait_for_end() == 0


def test_second_signal_does_not_wait(scenario, held):
    gateway = start(scenario, held, drain="60s")
    with gateway.client() as client:
        client.request("GET", "/held")
        held.origin.wait_for_requests(1)
        terminate(gateway)
        wait_until(lambda: refuses(gateway.port), "it drains")
        gateway.signal(signal.SIGTERM)
        with pytest.raises(ConnectionEnded):
            client.response()
    gateway.wait_for_end()


def test_access_log_is_complete_at_the_end(scenario, held):
    gateway = start(scenario, held, access_log={"format": "json", "path": "access.log"})
    assert gateway.origins_of(200) == {"origin": 200}
    terminate(gateway)
    assert gateway.wait_for_end() == 0
    assert len((gateway.folder / "access.log").read_text().splitlines()) == 200
