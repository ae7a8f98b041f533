"""Requests are sent again only where that is safe, and only within a budget."""

import pytest

from support.gateway import service
from support.origin import answer_with

BODY = b"the same each time"


def reset(exchange):
    """Takes the request and resets the connection."""
    exchange.read_body()
    exchange.reset()


@pytest.fixture
def good(scenario):
    return scenario.origin(name="good")


@pytest.fixture
def start(scenario, good):
    """A gateway in front of a bad endpoint and a good one, whose turns alternate."""
    def with_retries(bad, **retries):
        settings = {"attempts": 1, "budget": "100%", **retries}
        return scenario.gateway([service(
            "app", bad, good, retries=settings, ejection="off", timeouts={"connect": "300ms", "response": "300ms"})])
    return with_retries


class TestConditions:
    def test_connect_failure_is_retried_elsewhere(self, scenario, start):
        gateway = start(scenario.dead_port())
        assert gateway.origins_of(10) == {"good": 10}

    def test_connect_timeout_is_retried_elsewhere(self, scenario, start):
        gateway = start(scenario.full_queue())
        assert gateway.origins_of(4) == {"good": 4}

    def test_connect_failure_of_a_post_is_retried_since_nothing_was_sent(self, scenario, start, good):
        gateway = start(scenario.dead_port())
        with gateway.client() as client:
            for _ in range(4):
                assert client.exchange("POST", "/", body=BODY).status == 200
        assert [request.body for request in good.requests] == [BODY] * 4

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
    def test_reset_is_retried_for_idempotent_methods(self, scenario, start, good, method):
        gateway = start(scenario.origin(reset, name="bad"))
        body = BODY if method == "PUT" else b""
        with gateway.client() as client:
            for _ in range(4):
                assert client.exchange(method, "/", body=body).value("x-origin") == "good"
        assert all(request.body == body for request in good.requests)

    @pytest.mark.parametrize("method", ["POST", "PATCH", "FROB"])
    def test_reset_is_not_retried_for_other_methods(self, scenario, start, good, method):
        bad = scenario.origin(reset, name="bad")
        gateway = start(bad)
        statuses = []
        with gateway.client() as client:
            for _ in range(4):
                statuses.append(client.exchange(method, "/", body=BODY).status)
        assert sorted(statuses) == [200, 200, 502, 502]
        assert len(bad.requests) == 2 and len(good.requests) == 2

    def test_other_methods_are_retried_where_the_file_says_so(self, scenario, start, good):
        gateway = start(scenario.origin(reset, name="bad"), nonIdempotent=True)
        with gateway.client() as client:
            for _ in range(4):
                assert client.exchange("POST", "/", body=BODY).status == 200
        assert [request.body for request in good.requests] == [BODY] * 4

    def test_status_is_retried_where_the_file_says_so(self, scenario, start):
        gateway = start(scenario.origin(answer_with(503), name="bad"), on=["503"])
        assert gateway.origins_of(10) == {"good": 10}

    def test_status_is_passed_on_where_it_does_not(self, scenario, start):
        gateway = start(scenario.origin(answer_with(502), name="bad"), on=["503"])
        assert gateway.origins_of(10) == {"502": 5, "good": 5}

    def test_late_response_is_retried_where_the_file_says_so(self, scenario, start):
        bad = scenario.origin(lambda exchange: exchange.wait_for_end(), name="bad")
        gateway = start(bad, on=["response-timeout"])
        assert gateway.origins_of(4) == {"good": 4}

    def test_chunked_content_that_came_with_the_head_is_sent_again(self, scenario, start, good):
        gateway = start(scenario.origin(reset, name="bad"))
        with gateway.client() as client:
            for _ in range(2):
                client.send(b"PUT / HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
                assert client.response().status == 200
        assert [(request.body, request.trailers) for request in good.requests] == [(b"hello world", [("X-T", "1")])] * 2

    def test_content_that_has_passed_is_not_sent_again(self, scenario, start, good):
        bad = scenario.origin(reset, name="bad")
        gateway = start(bad)
        statuses = []
        for _ in range(2):
            with gateway.client() as client:
                client.request("PUT", "/", "Content-Length: 2000000")
                try:
                    client.send(b"x" * 2_000_000)
                except ConnectionError:
                    pass
                statuses.append(client.response().status)
        assert sorted(statuses) == [200, 502]
        assert len(bad.complete_requests) + len(good.complete_requests) == 2

    def test_response_that_has_begun_is_not_retried(self, scenario, start, good):
        def half(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nX-Origin: bad\r\nContent-Length: 100\r\n\r\nhalf")
            exchange.reset()

        bad = scenario.origin(half, name="bad")
        gateway = start(bad)
        cut = 0
        for _ in range(4):
            with gateway.client() as client:
                client.request("GET", "/")
                head = client.head()
                if head.value("x-origin") == "bad":
                    assert head.status == 200
                    assert not client.read_some().startswith(b"HTTP")
                    cut += 1
        assert cut == 2 and len(good.requests) == 2


class TestLimits:
    def test_attempts_are_limited_and_the_last_answer_counts(self, scenario):
        bad = [scenario.origin(answer_with(503, f"bad {n}"), name=f"bad{n}") for n in range(5)]
        gateway = scenario.gateway([service(
            "app", *bad, ejection="off", retries={"attempts": 2, "on": ["503"], "budget": "100%"})])
        response = gateway.get()
        assert response.status == 503 and response.text.startswith("bad ")
        assert sum(len(origin.requests) for origin in bad) == 3

    def test_retries_go_to_endpoints_that_have_not_failed_yet(self, scenario):
        bad = [scenario.origin(answer_with(503), name=f"bad{n}") for n in range(3)]
        gateway = scenario.gateway([service(
            "app", *bad, ejection="off", retries={"attempts": 2, "on": ["503"], "budget": "100%"})])
        assert gateway.get().status == 503
        assert [len(origin.requests) for origin in bad] == [1, 1, 1]

    def test_budget_keeps_retries_to_a_share(self, scenario):
        bad = scenario.origin(answer_with(503), name="bad")
        gateway = scenario.gateway([service(
            "app", bad, ejection="off", retries={"attempts": 1, "on": ["503"], "budget": "20%"})])
        assert gateway.origins_of(200) == {"503": 200}
        # A fifth of 200, and a few that are always allowed.
        assert 200 + 30 <= len(bad.requests) <= 200 + 60

    def test_retries_can_be_turned_off(self, scenario, good):
        gateway = scenario.gateway([service("app", scenario.dead_port(), good, retries="off", ejection="off")])
        assert gateway.origins_of(10) == {"502": 5, "good": 5}

    def test_retries_are_counted(self, scenario, start):
        gateway = start(scenario.dead_port())
        gateway.origins_of(2)  # at least one of two goes to the bad endpoint first
        assert 1 <= gateway.metrics().sum("penstock_retries_total") <= 2
