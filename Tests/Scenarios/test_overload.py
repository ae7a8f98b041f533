"""Whoever takes too much, or takes too long, is refused: early, cheaply, and counted by reason."""

import time

import pytest

from support.client import Client, try_get
from support.gateway import service
from support.http import ConnectionEnded
from support.waiting import wait_until


def refused(gateway, reason: str) -> float:
    return gateway.metrics().sum("penstock_refused_total", reason=reason)


def clients_served(gateway, count: int, **options) -> list[Client]:
    """Clients that are still there after their first request."""
    served = []
    for _ in range(count):
        client = gateway.client(**options)
        try:
            assert client.exchange("GET", "/").status == 200
            served.append(client)
        except (ConnectionEnded, OSError):
            client.close()
    return served


class TestConnections:
    def test_one_address_has_as_many_as_its_limit_and_others_have_theirs(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())], http={"limits": {"connectionsPerAddress": 3}})
        first = clients_served(gateway, 6, source="127.0.0.2")
        assert len(first) == 3
        assert len(clients_served(gateway, 6, source="127.0.0.3")) == 3
        wait_until(lambda: refused(gateway, "address_connections") == 6, "all are counted")
        first[0].close()
        wait_until(lambda: clients_served(gateway, 1, source="127.0.0.2"), "room again after a close")

    def test_trusted_peers_have_no_such_limit(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())],
            http={"limits": {"connectionsPerAddress": 1}, "forwarding": {"trustedNetworks": ["127.0.0.2"]}})
        assert len(clients_served(gateway, 5, source="127.0.0.2")) == 5
        assert len(clients_served(gateway, 5, source="127.0.0.3")) == 1

    def test_behind_a_proxy_header_the_clients_address_counts(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())], listener={"proxyProtocol": True},
            http={"limits": {"connectionsPerAddress": 2}})

        def served(address: str) -> int:
            count = 0
            for _ in range(4):
                client = gateway.client()
                held.append(client)
                client.send(f"PROXY TCP4 {address} 192.0.2.9 1000 80\r\n".encode())
                try:
                    count += client.exchange("GET", "/").status == 200
                except (ConnectionEnded, OSError):
                    pass
            return count

        held: list[Client] = []
        assert served("198.51.100.1") == 2
        assert served("198.51.100.2") == 2
        assert refused(gateway, "address_connections") == 4

    def test_one_listener_has_as_many_as_its_limit(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], listener={"connections": 2})
        assert len(clients_served(gateway, 5)) == 2
        assert refused(gateway, "listener_connections") == 3

    def test_limit_of_the_process_is_counted_too(self, scenario):
        origin = scenario.origin(lambda exchange: exchange.wait_for_end(5))
        gateway = scenario.gateway([service("app", origin)], http={"limits": {"connections": 1}})
        with gateway.client() as busy:
            busy.request("GET", "/")
            origin.wait_for_requests(1)
            assert try_get(gateway.port) is None
            assert refused(gateway, "connections") >= 1


class TestRequests:
    def test_more_than_the_process_may_have_in_flight_are_refused(self, scenario):
        origin = scenario.origin(lambda exchange: exchange.wait_for_end(10))
        gateway = scenario.gateway([service("app", origin)], http={"limits": {"inFlight": 2}})
        clients = [gateway.client() for _ in range(2)]
        for client in clients:
            client.request("GET", "/")
        origin.wait_for_requests(2)
        with gateway.client() as another:
            for _ in range(3):
                response = another.exchange("GET", "/")
                assert response.status == 503 and response.value("retry-after") == "1"
        assert refused(gateway, "in_flight") == 3
        assert gateway.metrics().sum("penstock_requests_in_flight") == 2
        for client in clients:
            client.close()
        wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 0, "nothing is left over")

    def test_adaptive_limit_refuses_what_a_slow_service_cannot_take(self, scenario):
        origin = scenario.origin(lambda exchange: exchange.wait_for_end(10))
        gateway = scenario.gateway([service("app", origin, limits={"adaptive": {"minimum": 1}})])
        clients = [gateway.client() for _ in range(30)]
        for client in clients:
            client.request("GET", "/")
        # It begins with 20.
        wait_until(lambda: refused(gateway, "service_concurrency") == 10, "the surplus is refused")
        assert gateway.metrics().sum("penstock_requests_in_flight") == 20


class TestMemory:
    def test_new_requests_are_refused_before_the_budget_is_used_up(self, scenario):
        content = b"x" * (4 << 20)
        origin = scenario.origin(lambda exchange: exchange.respond(200, content))
        gateway = scenario.gateway(
            [service("app", origin)], http={"limits": {"bufferBytes": "16MiB"}})
        # Clients that ask for much and take nothing of it.
        takers = []
        while refused(gateway, "memory") == 0:
            assert len(takers) < 1_500, gateway.metrics().sum("penstock_buffer_bytes")
            for _ in range(50):
                client = gateway.client(receive_buffer=4_096)
                client.request("GET", "/")
                takers.append(client)
            # The next look at what is held is made when a request comes.
            time.sleep(0.1)
            try_get(gateway.port)
        assert gateway.metrics().sum("penstock_buffer_bytes") <= 16 << 20
        for client in takers:
            client.close()
        wait_until(lambda: getattr(try_get(gateway.port), "status", 0) == 200, "it serves again")


def fail_at_end() -> int:
    """A response that ends early is cut off as well, if not by a reset."""
    raise OSError("the end")


RATES = {"rates": {"body": 1_000, "response": 1_000, "window": "1s"}}


class TestSlowClients:
    def test_head_that_comes_byte_by_byte_is_408_in_the_end(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], http={"timeouts": {"head": "500ms"}})
        with gateway.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: example.test\r\nX-Slow: ")
            for _ in range(20):
                try:
                    client.send(b"x")
                except OSError:
                    break
                time.sleep(0.05)
            assert client.response().status == 408
            client.expect_end()
        assert refused(gateway, "slow_head") == 1

    @pytest.mark.parametrize("pieces", [2, 7, 60])
    def test_head_in_pieces_is_served(self, scenario, pieces):
        gateway = scenario.gateway([service("app", scenario.origin())])
        request = b"POST /a/b?c HTTP/1.1\r\nHost: example.test\r\nContent-Length: 5\r\n\r\nhello"
        with gateway.client() as client:
            for number in range(2):
                step = -(-len(request) // pieces)
                for start in range(0, len(request), step):
                    client.send(request[start:start + step])
                    time.sleep(0.003)
                response = client.response()
                assert response.status == 200, number

    def test_waiting_heads_hold_no_buffers(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], workers=1)
        before = gateway.metrics().sum("penstock_buffers_lent")
        clients = [gateway.client() for _ in range(200)]
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: exa")
        wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 200, "all are seen")
        # The exchanges that are kept for reuse have four each.
        assert gateway.metrics().sum("penstock_buffers_lent") - before <= 16
        for client in clients:
            client.send(b"mple.test\r\n\r\n")
        assert [client.response().status for client in clients] == [200] * 200

    def test_content_that_trickles_is_408(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], http=RATES)
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 100000")
            started = time.monotonic()
            try:
                while time.monotonic() - started < 8:
                    client.send(b"x" * 20)
                    time.sleep(0.1)
            except OSError:
                pass
            assert client.response().status == 408
        assert refused(gateway, "slow_body") == 1

    def test_content_that_is_fast_enough_passes(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], http=RATES)
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 12000")
            for _ in range(30):
                client.send(b"x" * 400)
                time.sleep(0.1)
            assert client.response().status == 200
        assert refused(gateway, "slow_body") == 0

    def test_slow_endpoint_is_not_the_clients_fault(self, scenario):
        def answer(exchange):
            exchange.read_body()
            time.sleep(2.5)
            exchange.respond(200, "late")

        gateway = scenario.gateway([service("app", scenario.origin(answer))], http=RATES)
        with gateway.client() as client:
            assert client.exchange("POST", "/", body=b"x" * 100).text == "late"

    def test_client_that_reads_in_drops_is_cut_off(self, scenario):
        content = b"x" * (32 << 20)
        gateway = scenario.gateway(
            [service("app", scenario.origin(lambda exchange: exchange.respond(200, content)))],
            http={"rates": {"response": 500_000, "window": "1s"}})
        with gateway.client(receive_buffer=4_096) as client:
            client.request("GET", "/")
            taken = 0
            with pytest.raises(OSError):
                while taken < len(content):
                    taken += len(client.socket.recv(2_048)) or fail_at_end()
                    time.sleep(0.05)
        assert refused(gateway, "slow_response") == 1

    def test_client_that_is_silent_has_the_timeouts(self, scenario):
        gateway = scenario.gateway([service("app", scenario.origin())], http=RATES)
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 10000")
            time.sleep(2.5)
            client.send(b"x" * 10_000)
            assert client.response().status == 200
        assert refused(gateway, "slow_body") == 0

    def test_client_that_reads_slowly_but_steadily_is_served(self, scenario):
        size = 6 << 20
        gateway = scenario.gateway(
            [service("app", scenario.origin(lambda exchange: exchange.respond(200, b"x" * size)))], http=RATES)
        with gateway.client(receive_buffer=16_384) as client:
            client.request("GET", "/")
            # A third of what the system holds for it is far more than it takes in a window.
            taken = 0
            started = time.monotonic()
            while time.monotonic() - started < 4:
                taken += len(client.socket.recv(4_096))
                time.sleep(0.02)
            while taken < size:
                piece = client.socket.recv(1 << 20)
                assert piece, f"cut off after {taken}"
                taken += len(piece)
        assert refused(gateway, "slow_response") == 0
