"""Which endpoint of a service takes a request."""

import re
import threading

import pytest

from support.client import get
from support.gateway import service
from support.waiting import wait_until


@pytest.fixture(scope="module")
def origins(shared):
    return [shared.origin(name=name) for name in ("a", "b", "c")]


@pytest.fixture
def start(scenario, origins):
    """A gateway whose only service has the three origins, or those given."""
    def with_balance(balance, endpoints=None, **settings):
        return scenario.gateway([service("app", *(endpoints or origins), balance=balance, **settings)])
    return with_balance


def weighted(origin, weight):
    return {"address": origin.address, "weight": weight}


class TestRoundRobin:
    def test_endpoints_take_turns(self, start):
        gateway = start("round-robin")
        with gateway.client() as client:
            order = [client.exchange("GET", "/").value("x-origin") for _ in range(9)]
        assert sorted(order[:3]) == ["a", "b", "c"] and order[:3] * 3 == order

    def test_weights_are_kept_exactly_and_spread_out(self, start, origins):
        gateway = start("round-robin", [weighted(origins[0], 3), weighted(origins[1], 1)])
        with gateway.client() as client:
            order = [client.exchange("GET", "/").value("x-origin") for _ in range(40)]
        assert order.count("a") == 30
        assert all(order[index:index + 4].count("b") == 1 for index in range(0, 40, 4))

    def test_weight_zero_takes_nothing(self, start, origins):
        gateway = start("round-robin", [weighted(origins[0], 1), weighted(origins[1], 0)])
        assert gateway.origins_of(10) == {"a": 10}

    def test_new_endpoint_starts_slowly(self, start, origins):
        gateway = start("round-robin", origins[:2], slowStart="1h")
        assert gateway.origins_of(10) == {"a": 5, "b": 5}
        gateway.configuration["services"][0]["endpoints"].append(origins[2].address)
        gateway.save()
        gateway.wait_for_revision(origins[2].address)
        seen = gateway.origins_of(210)
        assert 1 <= seen["c"] <= 30  # a tenth of the share of each other one


class TestLeastRequest:
    def test_busy_endpoint_takes_less(self, scenario, origins):
        release = threading.Event()

        def slow(exchange):
            if exchange.request.target == "/block":
                assert release.wait(20)
            exchange.respond()

        busy = scenario.origin(slow, name="busy")
        gateway = scenario.gateway([service("app", busy, origins[0], balance="least-request")])
        # Requests that stay at the busy one, until it has several more than the other.
        blocked, before = [], len(origins[0].requests)
        for _ in range(40):
            thread = threading.Thread(target=get, args=(gateway.port, "/block"), kwargs={"seconds": 25}, daemon=True)
            thread.start()
            blocked.append(thread)
        busy.wait_for_requests(1)
        wait_until(lambda: len(busy.requests) + len(origins[0].requests) - before == 40, "all have begun")
        try:
            seen = gateway.origins_of(100)
            # Two distinct choices always hold both: the one with fewer requests in flight takes all.
            assert seen == {"a": 100}
        finally:
            release.set()
        for thread in blocked:
            thread.join(20)

    def test_idle_endpoints_share(self, start):
        seen = start("least-request").origins_of(300)
        assert all(seen.get(name, 0) > 50 for name in ("a", "b", "c"))


class TestHash:
    @pytest.mark.parametrize("by, request_for", [
        ({"header": "X-User"}, lambda key: ("/", f"X-User: {key}")),
        ({"cookie": "sid"}, lambda key: ("/", f"Cookie: theme=dark; sid={key}; x=y")),
        ({"query": "id"}, lambda key: (f"/?a=b&id={key}", "X-None: 1")),
    ], ids=["header", "cookie", "query"])
    def test_key_decides(self, start, by, request_for):
        gateway = start({"hash": {"by": by}})
        homes = {}
        with gateway.client() as client:
            for _ in range(3):
                for key in range(60):
                    target, field = request_for(key)
                    name = client.exchange("GET", target, field).value("x-origin")
                    assert homes.setdefault(key, name) == name
        assert set(homes.values()) == {"a", "b", "c"}

    def test_client_address_decides(self, start):
        gateway = start({"hash": {"by": "client-ip"}})
        homes = {}
        for number in range(1, 40):
            for _ in range(2):
                with gateway.client(source=f"127.0.0.{number}") as client:
                    name = client.exchange("GET", "/").value("x-origin")
                assert homes.setdefault(number, name) == name
        assert set(homes.values()) == {"a", "b", "c"}

    def test_request_without_a_key_goes_anywhere(self, start):
        gateway = start({"hash": {"by": {"header": "X-User"}}})
        assert sum(gateway.origins_of(20).values()) == 20

    def test_every_worker_and_every_start_agree(self, start):
        balance = {"hash": {"by": {"header": "X-User"}}}
        homes = []
        for _ in range(2):
            gateway = start(balance)
            homes.append([gateway.get("/", f"X-User: {key}").value("x-origin") for key in range(30)])
        assert homes[0] == homes[1]

    def test_only_the_keys_of_an_endpoint_that_leaves_move(self, start, origins):
        gateway = start({"hash": {"by": {"header": "X-User"}}})

        def homes():
            with gateway.client() as client:
                return [client.exchange("GET", "/", f"X-User: {key}").value("x-origin") for key in range(100)]

        before = homes()
        gateway.configuration["services"][0]["endpoints"].remove(origins[2].address)
        gateway.save()
        wait_until(lambda: "c" not in homes(), "the third endpoint is gone")
        after = homes()
        assert all(old == new for old, new in zip(before, after) if old != "c")


class TestStickyCookie:
    def cookie(self, response):
        return re.match(r"route=[^;]+", response.value("set-cookie"))[0]

    def test_cookie_keeps_a_client_with_its_endpoint(self, start):
        gateway = start({"sticky": {"cookie": "route"}})
        clients = {}
        for _ in range(12):
            response = gateway.get()
            clients[self.cookie(response)] = response.value("x-origin")
        assert set(clients.values()) == {"a", "b", "c"}
        for cookie, name in clients.items():
            for _ in range(4):
                response = gateway.get("/", f"Cookie: other=1; {cookie}")
                assert response.value("x-origin") == name
                assert not response.has("set-cookie")

    def test_cookie_is_not_open_to_scripts_and_does_not_show_the_address(self, start, origins):
        cookie = start({"sticky": {"cookie": "route"}}).get().value("set-cookie")
        assert "HttpOnly" in cookie and "Path=/" in cookie and "SameSite" in cookie
        assert not any(str(origin.port) in cookie for origin in origins)

    def test_cookie_that_names_nothing_is_replaced(self, start):
        response = start({"sticky": {"cookie": "route"}}).get("/", "Cookie: route=0000000000000000")
        assert response.has("set-cookie")

    def test_client_of_an_endpoint_that_leaves_is_given_another(self, start, origins):
        gateway = start({"sticky": {"cookie": "route"}})
        response = gateway.get()
        cookie, name = self.cookie(response), response.value("x-origin")
        leaving = next(origin for origin in origins if origin.name == name)
        gateway.configuration["services"][0]["endpoints"].remove(leaving.address)
        gateway.save()
        wait_until(lambda: gateway.get("/", f"Cookie: {cookie}").value("x-origin") != name, "the client is moved")
        moved = gateway.get("/", f"Cookie: {cookie}")
        assert moved.has("set-cookie") and self.cookie(moved) != cookie
