"""api-breaker: that it opens, for how long, what it answers, and that it closes again."""

import json
import time

import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.gateway import route, service
from support.http import ConnectionEnded
from support.origin import answer_with
from support.plugin_options import check
from support.waiting import wait_until

BREAK = {"breakResponseCode": 503, "breakResponseBody": "later\n"}


class Health:
    """An origin that answers with the status that it is told to."""

    def __init__(self):
        self.status = 200

    def __call__(self, exchange):
        exchange.respond(self.status)


def breaker(name, target="app", **options):
    return route(name, target, hosts=[f"{name}.test"], plugins={"api-breaker": {**BREAK, **options}})


def statuses(gateway, count, host="app.test"):
    """Each on a connection of its own, so that both workers see some."""
    return [gateway.get(host=host).status for _ in range(count)]


def wait_until_open(gateway, host="app.test"):
    """What one worker has just answered counts for the other a moment later."""
    wait_until(lambda: gateway.get(host=host).text == "later\n", "the breaker opens")


@pytest.fixture
def health():
    return Health()


@pytest.fixture
def app(scenario, health):
    return scenario.origin(health)


class TestStates:
    def test_opens_half_opens_and_closes(self, scenario, app, health):
        gateway = scenario.gateway([service("app", app)], [breaker("app")], workers=2)
        assert statuses(gateway, 6) == [200] * 6
        health.status = 500
        assert statuses(gateway, 3) == [500] * 3
        wait_until_open(gateway)
        seen = len(app.requests)
        assert statuses(gateway, 4) == [503] * 4
        assert len(app.requests) == seen
        # Half open: as many failures again open it, for twice as long.
        wait_until(lambda: gateway.get(host="app.test").status == 500, "requests pass again")
        assert statuses(gateway, 2) == [500] * 2
        wait_until_open(gateway)
        health.status = 200
        wait_until(lambda: gateway.get(host="app.test").status == 200, "requests pass again")
        # Two more close it: three failures are needed from then on.
        assert statuses(gateway, 2) == [200] * 2
        health.status = 500
        assert statuses(gateway, 3) == [500] * 3
        wait_until_open(gateway)
        answer = gateway.get(host="app.test")
        assert answer.status == 503 and int(answer.value("retry-after")) <= 2
        metrics = gateway.metrics()
        assert metrics.sum("penstock_plugin_answers_total", plugin="api-breaker") >= 8
        assert metrics.sum("penstock_plugin_failures_total") == 0

    def test_successes_between_do_not_forget_failures(self, scenario, app, health):
        gateway = scenario.gateway([service("app", app)], [breaker("app")])
        for status in (500, 200, 500, 200, 200, 500):
            health.status = status
            assert statuses(gateway, 1) == [status]
        assert statuses(gateway, 1) == [503]

    def test_other_statuses_count_for_nothing(self, scenario, app, health):
        gateway = scenario.gateway([service("app", app)], [breaker("app")])
        for status in (404, 501, 503, 302) * 3:
            health.status = status
            assert statuses(gateway, 1) == [status]
        health.status = 500
        assert statuses(gateway, 4) == [500, 500, 500, 503]

    def test_statuses_and_numbers_of_ones_own(self, scenario, app, health):
        gateway = scenario.gateway(
            [service("app", app)],
            [breaker("app", unhealthy={"httpStatuses": [502, 503], "failures": 1},
                     healthy={"httpStatuses": [404], "successes": 1}, maxBreakerSec=3)])
        health.status = 500
        assert statuses(gateway, 4) == [500] * 4
        health.status = 503
        assert statuses(gateway, 1) == [503]
        health.status = 404
        assert gateway.get(host="app.test").text == "later\n"
        wait_until(lambda: gateway.get(host="app.test").status == 404, "requests pass again")
        # The most is three seconds, whatever comes.
        health.status = 503
        for _ in range(3):
            wait_until(lambda: gateway.get(host="app.test").text != "later\n", "requests pass again", seconds=6)
            answer = gateway.get(host="app.test")
            assert answer.text == "later\n" and int(answer.value("retry-after")) <= 3

    def test_by_http2(self, scenario, app, health):
        gateway = scenario.gateway([service("app", app)], [breaker("app")])
        health.status = 500
        with gateway.http2(authority="app.test") as client:
            answers = [client.exchange() for _ in range(4)]
        assert [answer.status for answer in answers] == [500, 500, 500, 503]
        assert answers[-1].body == b"later\n" and answers[-1].value("retry-after") in ("1", "2")


class TestFailures:
    """What the gateway answers because of the service is a failure, whatever `httpStatuses` says."""

    def test_no_connection(self, scenario):
        gateway = scenario.gateway([service("app", scenario.dead_port())], [breaker("app")])
        assert statuses(gateway, 4) == [502, 502, 502, 503]

    def test_no_answer_in_time(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin(lambda exchange: time.sleep(3)), timeouts={"response": "100ms"})],
            [breaker("app", unhealthy={"failures": 2})])
        assert statuses(gateway, 3) == [504, 504, 503]

    def test_an_answer_that_breaks_off(self, scenario):
        def broken(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            exchange.close()

        gateway = scenario.gateway(
            [service("app", scenario.origin(broken))], [breaker("app", unhealthy={"failures": 2})])
        for _ in range(2):
            with gateway.client() as client, pytest.raises(ConnectionEnded):
                client.exchange("GET", "/", host="app.test")
        wait_until(lambda: gateway.get(host="app.test").text == "later\n", "it is open")

    def test_who_leaves_says_nothing_of_the_service(self, scenario):
        gateway = scenario.gateway(
            [service("app", origin := scenario.origin(lambda exchange: time.sleep(0.5)))],
            [breaker("app", unhealthy={"failures": 1})])
        for number in range(1, 4):
            with gateway.client() as client:
                client.request("GET", "/", host="app.test")
                wait_until(lambda: len(origin.requests) == number, "the request is there")
        wait_until(lambda: gateway.metrics().sum("penstock_requests_total", route="app", status="499") == 3,
                   "they are counted")
        origin.answer = answer_with(200)
        assert statuses(gateway, 1) == [200]

    def test_what_other_plugins_answer_counts_for_nothing(self, scenario, app):
        gateway = scenario.gateway(
            [service("app", app)],
            [route("app", "app", hosts=["app.test"], plugins={
                "api-breaker": {**BREAK, "unhealthy": {"failures": 1}}, "mock": {"status": 500}})])
        assert statuses(gateway, 3) == [500] * 3

    def test_a_services_own_breaker_counts_only_what_it_answers(self, scenario, app, health):
        broken = scenario.origin(answer_with(500), name="next")
        gateway = scenario.gateway(
            [service("app", app, plugins={"api-breaker": {**BREAK, "unhealthy": {"failures": 2}}}),
             service("next", broken)],
            [route("app", "app", hosts=["app.test"], plugins={"traffic-split": {
                "canary": {"service": "next", "header": "X-Canary"}}})])
        for _ in range(4):
            assert gateway.get("/", "X-Canary: always", host="app.test").status == 500
        health.status = 500
        assert statuses(gateway, 3) == [500, 500, 503]


class TestScopes:
    def test_each_use_has_its_own(self, scenario, app, health):
        gateway = scenario.gateway(
            [service("app", app), service("own", app, plugins={"api-breaker": BREAK})],
            [breaker("one"), breaker("two"), route("a", "own", hosts=["a.test"]), route("b", "own", hosts=["b.test"])],
            workers=2)
        health.status = 500
        assert statuses(gateway, 3, "one.test") == [500] * 3
        wait_until_open(gateway, "one.test")
        assert statuses(gateway, 1, "two.test") == [500]
        # A service's is shared by its routes.
        assert statuses(gateway, 2, "a.test") + statuses(gateway, 1, "b.test") == [500] * 3
        wait_until_open(gateway, "b.test")
        assert statuses(gateway, 1, "a.test") == [503]

    def test_one_for_everything_has_one_for_each_service(self, scenario, app, health):
        gateway = scenario.gateway(
            [service("app", app), service("well", scenario.origin())],
            [route("app", "app", hosts=["app.test"]), route("same", "app", hosts=["same.test"]),
             route("well", "well", hosts=["well.test"])],
            settings={"plugins": [{"name": "api-breaker", **BREAK}]}, workers=2)
        health.status = 500
        assert statuses(gateway, 3) == [500] * 3
        wait_until_open(gateway)
        assert statuses(gateway, 1, "same.test") == [503]
        assert statuses(gateway, 4, "well.test") == [200] * 4

    def test_one_for_everything_speaks_for_the_service_that_is_chosen(self, scenario, app, health):
        next_health = Health()
        following, copied = scenario.origin(next_health, name="next"), scenario.origin(name="copies")
        gateway = scenario.gateway(
            [service("app", app), service("next", following), service("copies", copied)],
            [route("app", "app", hosts=["app.test"], plugins={
                "traffic-split": {"canary": {"service": "next", "header": "X-Canary"}}, "mirror": {"service": "copies"},
                "rate-limit": {"limits": [{"requests": 1_000, "by": ["route"]}]}})],
            settings={"plugins": [{"name": "api-breaker", **BREAK}]})
        canary = "X-Canary: always"
        next_health.status = 500
        assert [gateway.get("/", canary, host="app.test").status for _ in range(5)] == [500, 500, 500, 503, 503]
        answer = gateway.get("/", canary, host="app.test")
        assert answer.text == "later\n" and answer.value("retry-after") in ("1", "2")
        with gateway.http2(authority="app.test") as client:
            assert client.exchange("POST", "/", ("x-canary", "always"), body=b"x" * 50_000).body == b"later\n"
        assert len(following.requests) == 3
        # The route's own is well, and what does not go on is not copied.
        assert statuses(gateway, 4) == [200] * 4
        wait_until(lambda: len(copied.requests) == 7, "copies have come")
        # Each service has its own.
        health.status = 500
        next_health.status = 200
        assert statuses(gateway, 4) == [500, 500, 500, 503]
        wait_until(lambda: gateway.get("/", canary, host="app.test").status == 200, "the canary is well again")
        assert gateway.metrics().sum("penstock_plugin_failures_total") == 0

    def test_changes_keep_what_was_counted_unless_its_options_change(self, scenario, app, health, tmp_path):
        gateway = gateway_with_store(scenario, app, tmp_path)
        api = AdminAPI(gateway)
        shop = {"hosts": ["app.test"], "service": "app", "plugins": {"api-breaker": BREAK}}
        api.put("/v1/routes/shop", shop, status=201)
        health.status = 500
        assert statuses(gateway, 2) == [500] * 2
        api.put("/v1/routes/other", {"hosts": ["other.test"], "service": "app"}, status=201)
        api.put("/v1/routes/shop", {**shop, "hosts": ["app.test", "www.test"]}, status=200)
        assert statuses(gateway, 2) == [500, 503]
        # Three have been counted; with other options, none.
        shop["plugins"] = {"api-breaker": {**BREAK, "unhealthy": {"failures": 4}}}
        api.put("/v1/routes/shop", shop, status=200)
        assert statuses(gateway, 5) == [500, 500, 500, 500, 503]


class TestAnswers:
    def test_body_and_fields(self, scenario, app, health):
        headers = {"Content-Type": "application/problem+json", "X-Path": "$uri", "Retry-After": "60"}
        gateway = scenario.gateway(
            [service("app", app)],
            [breaker("app", unhealthy={"failures": 1}, breakResponseHeaders=headers,
                     breakResponseBody=json.dumps({"status": 503})),
             route("bare", "app", hosts=["bare.test"], plugins={
                 "api-breaker": {"breakResponseCode": 502, "unhealthy": {"failures": 1}}})])
        health.status = 500
        assert statuses(gateway, 1) + statuses(gateway, 1, "bare.test") == [500, 500]
        answer = gateway.get("/cart", host="app.test")
        assert answer.status == 503 and json.loads(answer.body) == {"status": 503}
        assert answer.value("content-type") == "application/problem+json"
        assert answer.value("x-path") == "/cart" and answer.value("retry-after") == "60"
        answer = gateway.get("/cart", host="bare.test")
        assert answer.status == 502 and answer.text == "The service is not well; please try again later.\n"
        assert not answer.has("retry-after")

    @pytest.mark.parametrize("options, message", [
        ({}, '"breakResponseCode" is missing'),
        ({"breakResponseCode": 199}, "199 is out of range"),
        ({**BREAK, "maxBreakerSec": 2}, "2 is out of range"),
        ({**BREAK, "unhealthy": {"httpStatuses": [404]}}, "404 is out of range"),
        ({**BREAK, "healthy": {"httpStatuses": []}}, "failures would never be forgotten"),
        ({"breakResponseCode": 204, "breakResponseBody": "x"},
         "breakResponseBody: an answer with status 204 has no content: leave breakResponseBody out"),
        ({**BREAK, "breakResponseHeaders": {"Connection": "close"}},
         "breakResponseHeaders.Connection: the field Connection is the gateway's own"),
    ])
    def test_wrong_options(self, tmp_path, options, message):
        assert message in check(tmp_path, "api-breaker", options)
