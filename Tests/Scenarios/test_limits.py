"""Bounded everything: requests in flight, waiting, connections, content; what is too much gets 503 at once."""

import threading

import pytest

from support.client import Client, try_get
from support.gateway import service
from support.http import ConnectionEnded
from support.waiting import wait_until


class Gate:
    """An origin that holds every request until it is opened."""

    def __init__(self, scenario):
        self.opened = threading.Event()
        self.origin = scenario.origin(self.answer)

    def answer(self, exchange):
        exchange.read_body()
        assert self.opened.wait(20)
        exchange.respond(200, "held")

    def open(self):
        self.opened.set()


@pytest.fixture
def gate(scenario):
    gate = Gate(scenario)
    yield gate
    gate.open()


def waiting_in_the_system(port: int) -> list[int]:
    """What the system holds of connections that `port` has accepted: sent, and not acknowledged; by connection."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    established = [row for row in rows if row[3] == "01" and int(row[1].split(":")[1], 16) == port]
    return sorted(int(row[4].split(":")[0], 16) for row in established)


def send(gateway, count) -> list[Client]:
    clients = [gateway.client() for _ in range(count)]
    for client in clients:
        client.request("GET", "/")
    return clients


def pending(gateway) -> float:
    return gateway.metrics().sum("penstock_queue_pending")


class TestRequestsInFlight:
    def test_more_than_the_limit_wait_and_are_served_in_turn(self, scenario, gate):
        gateway = scenario.gateway([service(
            "app", gate.origin, limits={"inFlight": 2, "pending": 10, "pendingTimeout": "20s"})])
        clients = send(gateway, 6)
        gate.origin.wait_for_requests(2)
        wait_until(lambda: pending(gateway) == 4, "four requests wait")
        assert len(gate.origin.requests) == 2
        gate.open()
        assert [client.response().text for client in clients] == ["held"] * 6
        assert pending(gateway) == 0

    def test_more_than_may_wait_are_refused_at_once(self, scenario, gate):
        gateway = scenario.gateway([service(
            "app", gate.origin, limits={"inFlight": 1, "pending": 1, "pendingTimeout": "20s"})])
        served = send(gateway, 1)
        gate.origin.wait_for_requests(1)
        waiting = send(gateway, 1)
        wait_until(lambda: pending(gateway) == 1, "one request waits")
        for refused in send(gateway, 5):
            response = refused.response()
            assert response.status == 503
            assert int(response.value("retry-after")) >= 1
        assert len(gate.origin.requests) == 1
        gate.open()
        assert [client.response().status for client in served + waiting] == [200, 200]

    def test_no_queue_at_all(self, scenario, gate):
        gateway = scenario.gateway([service("app", gate.origin, limits={"inFlight": 1, "pending": 0})])
        served = send(gateway, 1)
        gate.origin.wait_for_requests(1)
        assert gateway.get().status == 503
        gate.open()
        assert served[0].response().status == 200

    def test_wait_is_limited(self, scenario, gate):
        gateway = scenario.gateway([service("app", gate.origin, limits={"inFlight": 1, "pendingTimeout": "200ms"})])
        first, second = send(gateway, 1), None
        gate.origin.wait_for_requests(1)
        second = send(gateway, 1)
        response = second[0].response()
        assert response.status == 503 and response.has("retry-after")
        gate.open()
        assert first[0].response().status == 200

    def test_client_that_leaves_the_queue_is_not_served(self, scenario, gate):
        gateway = scenario.gateway([service("app", gate.origin, limits={"inFlight": 1, "pendingTimeout": "20s"})])
        first = send(gateway, 1)
        gate.origin.wait_for_requests(1)
        send(gateway, 1)[0].close()
        last = send(gateway, 1)
        wait_until(lambda: pending(gateway) == 1, "the one that left does not wait any more")
        gate.open()
        assert first[0].response().status == last[0].response().status == 200
        assert len(gate.origin.requests) == 2

    def test_one_services_trouble_is_not_anothers(self, scenario, gate):
        other = scenario.origin(name="other")
        gateway = scenario.gateway(
            [service("stuck", gate.origin, limits={"inFlight": 1, "pending": 0}), service("other", other)],
            [{"name": "stuck", "hosts": ["stuck.test"], "service": "stuck"}, {"name": "other", "service": "other"}])
        with gateway.client() as client:
            client.request("GET", "/", host="stuck.test")
            gate.origin.wait_for_requests(1)
            assert gateway.get("/", host="stuck.test").status == 503
            assert gateway.origins_of(20) == {"other": 20}


class TestConnectionsToEndpoints:
    def test_more_than_the_limit_wait_for_a_connection(self, scenario, gate):
        gateway = scenario.gateway([service("app", gate.origin, limits={"connections": 2, "pendingTimeout": "20s"})])
        clients = send(gateway, 6)
        gate.origin.wait_for_requests(2)
        wait_until(lambda: pending(gateway) == 4, "four requests wait")
        gate.open()
        assert [client.response().status for client in clients] == [200] * 6
        assert gate.origin.connection_count == 2

    def test_idle_connection_to_another_endpoint_makes_room(self, scenario):
        origins = [scenario.origin(name=name) for name in ("a", "b", "c")]
        gateway = scenario.gateway([service("app", *origins, limits={"connections": 1, "pendingTimeout": "1s"})])
        assert gateway.origins_of(9) == {"a": 3, "b": 3, "c": 3}


class TestClients:
    def test_longest_idle_connection_makes_room_for_a_new_one(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], http={"limits": {"connections": 4}})
        clients = [gateway.client() for _ in range(4)]
        for client in clients:
            client.expect_open()  # none is seen before its first bytes
        with gateway.client() as another:
            assert another.exchange("GET", "/").status == 200
            clients[0].expect_end()

    def test_new_connections_are_refused_while_all_are_busy(self, scenario, gate):
        gateway = scenario.gateway([service("app", gate.origin)], http={"limits": {"connections": 2}})
        busy = send(gateway, 2)
        gate.origin.wait_for_requests(2)
        assert try_get(gateway.port) is None
        gate.open()
        assert [client.response().status for client in busy] == [200, 200]
        assert gateway.metrics().sum("penstock_connections_refused_total") >= 1

    def test_connection_ends_after_its_last_request(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], http={"limits": {"requestsPerConnection": 3}})
        with gateway.client() as client:
            assert not client.exchange("GET", "/").has("connection")
            assert not client.exchange("GET", "/").has("connection")
            assert client.exchange("GET", "/").value("connection") == "close"
            client.expect_end()


class TestContent:
    @pytest.fixture
    def gateway(self, scenario):
        return scenario.gateway([service("app", scenario.origin())], http={"limits": {"bodyBytes": "1KiB"}})

    def test_content_at_the_limit_passes(self, gateway):
        with gateway.client() as client:
            assert client.exchange("POST", "/", body=b"x" * 1_024).status == 200

    def test_content_above_the_limit_is_413_before_it_is_sent(self, gateway):
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 1025", "Expect: 100-continue")
            assert client.response().status == 413

    def test_chunks_above_the_limit_are_413(self, gateway):
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked")
            for _ in range(3):
                client.send(b"200\r\n" + b"x" * 512 + b"\r\n")
            assert client.response().status == 413
            client.expect_end()

    def test_limits_of_the_head_can_be_set(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())],
            http={"limits": {"headBytes": 1_024, "targetBytes": 128, "fields": 10}})
        with gateway.client() as client:
            assert client.exchange("GET", "/" + "a" * 127).status == 200
            assert client.exchange("GET", "/" + "a" * 128).status == 414
        with gateway.client() as client:
            assert client.exchange("GET", "/", *(f"X-{n}: 1" for n in range(9))).status == 200
            assert client.exchange("GET", "/", *(f"X-{n}: 1" for n in range(10))).status == 431
        with gateway.client() as client:
            assert client.exchange("GET", "/", "X-A: " + "x" * 900).status == 200
            assert client.exchange("GET", "/", "X-A: " + "x" * 1_024).status == 431


def test_limits_are_shared_out_to_workers(scenario, gate):
    gateway = scenario.gateway([service("app", gate.origin, limits={"inFlight": 4, "pending": 0})], workers=2)
    clients = send(gateway, 40)
    gate.origin.wait_for_requests(2)
    refused = 0
    wait_until(lambda: gateway.metrics().sum("penstock_queue_overflows_total") >= 36, "the surplus is refused")
    gate.open()
    for client in clients:
        try:
            refused += client.response().status == 503
        except ConnectionEnded:
            refused += 1
    assert 36 <= refused < 40 and len(gate.origin.requests) == 40 - refused <= 4


class TestClientsThatHardlyRead:
    def test_many_of_them_hold_little_of_the_system_and_others_get_all(self, scenario):
        """A few may have what is usual; the memory that the system has for connections is everybody's."""
        content = bytes(range(256)) * 4_096
        origin = scenario.origin(lambda exchange: exchange.respond(200, content))
        gateway = scenario.gateway([service("app", origin)], http={"limits": {"bufferBytes": "16MiB"}})
        clients = [Client(gateway.port, receive_buffer=4_096) for _ in range(150)]
        for client in clients:
            client.request("GET", "/")

        def held() -> list[int]:
            amounts = waiting_in_the_system(gateway.port)
            return amounts if len(amounts) >= 150 and amounts[0] > 0 else []

        amounts = wait_until(held, "all of them have something to read", 30)
        assert amounts[-1] > 48 << 10, amounts
        assert amounts[50] < 48 << 10, amounts
        assert gateway.get("/").body == content
        for client in clients:
            client.close()
        wait_until(lambda: gateway.metrics().sum("penstock_buffer_bytes") < 4 << 20, "their memory is free again", 20)
        assert gateway.get("/").body == content
