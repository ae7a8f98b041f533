"""Endpoints that are not well take no requests: active checks, and ejection by what requests see."""

import time

import pytest

from support.gateway import service
from support.origin import answer_with
from support.waiting import wait_until

FAST = {"interval": "50ms", "timeout": "300ms", "rise": 2, "fall": 2}


class Patient:
    """An origin whose checks pass or fail as the test says."""

    def __init__(self, scenario, name, **options):
        self.check_status = 200
        self.checks = []
        self.origin = scenario.origin(self.answer, name=name, **options)

    def answer(self, exchange):
        if exchange.request.target.startswith("/healthz"):
            self.checks.append(exchange.request)
            exchange.respond(self.check_status)
        else:
            exchange.respond()


@pytest.fixture
def pair(scenario):
    return Patient(scenario, "sick"), Patient(scenario, "well")


def only(gateway, name):
    return lambda: gateway.origins_of(6) == {name: 6}


class TestActiveChecks:
    def test_endpoint_that_fails_its_checks_takes_no_requests_until_it_passes_again(self, scenario, pair):
        sick, well = pair
        gateway = scenario.gateway(
            [service("app", sick.origin, well.origin, ejection="off", health={"path": "/healthz", **FAST})])
        assert gateway.origins_of(6) == {"sick": 3, "well": 3}
        sick.check_status = 500
        wait_until(only(gateway, "well"), "only the healthy one is used")
        assert gateway.origins_of(50) == {"well": 50}
        sick.check_status = 204
        wait_until(lambda: gateway.origins_of(6) == {"sick": 3, "well": 3}, "both are used again")

    def test_service_without_a_healthy_endpoint_answers_503(self, scenario, pair):
        sick, _ = pair
        gateway = scenario.gateway([service("app", sick.origin, health={"path": "/healthz", **FAST})])
        sick.check_status = 503
        response = wait_until(lambda: (r := gateway.get()).status == 503 and r, "the service is unavailable")
        assert response.has("retry-after")
        sick.check_status = 200
        wait_until(lambda: gateway.get().status == 200, "the service is back")

    def test_check_asks_for_its_path_with_its_host(self, scenario, pair):
        sick, _ = pair
        scenario.gateway([service(
            "app", sick.origin, health={"path": "/healthz?deep=1", "host": "inner.test", **FAST})])
        wait_until(lambda: sick.checks, "a check is made")
        check = sick.checks[0]
        assert (check.method, check.target) == ("GET", "/healthz?deep=1")
        assert check.value("host") == "inner.test" and "penstock" in check.value("user-agent")

    def test_expected_statuses_are_the_healthy_ones(self, scenario, pair):
        sick, well = pair
        sick.check_status = 200
        well.check_status = 418
        gateway = scenario.gateway([service(
            "app", sick.origin, well.origin, health={"path": "/healthz", "expect": [418, "500-599"], **FAST})])
        wait_until(only(gateway, "well"), "only the one with the expected status is used")

    def test_check_on_another_port(self, scenario, pair):
        sick, well = pair
        checker = scenario.origin(answer_with(200))
        gateway = scenario.gateway([service(
            "app", sick.origin, health={"path": "/healthz", "port": checker.port, **FAST})])
        checker.wait_for_requests(1)
        assert sick.checks == [] and gateway.get().value("x-origin") == "sick"

    def test_endpoint_that_never_answers_its_checks_is_unhealthy(self, scenario, pair):
        _, well = pair

        def silent(exchange):
            if exchange.request.target == "/healthz":
                exchange.read_body()
                exchange.wait_for_end()
            else:
                exchange.respond()

        gateway = scenario.gateway([service(
            "app", scenario.origin(silent, name="silent"), well.origin, health={"path": "/healthz", **FAST})])
        wait_until(only(gateway, "well"), "only the one that answers is used")

    def test_tcp_check_only_connects(self, scenario, pair):
        sick, well = pair
        gateway = scenario.gateway([service(
            "app", sick.origin, well.origin, retries="off", ejection="off", health={"tcp": True, **FAST})])
        wait_until(lambda: sick.origin.connection_count >= 3, "checks are made")
        assert sick.origin.requests == []
        sick.origin.stop()
        wait_until(only(gateway, "well"), "only the one that listens is used")
        sick.origin.start()
        wait_until(lambda: gateway.origins_of(6) == {"sick": 3, "well": 3}, "both are used again")

    def test_one_failure_is_not_enough(self, scenario, pair):
        sick, _ = pair
        failures = iter([500])
        answer = sick.answer

        def once(exchange):
            sick.check_status = next(failures, 200) if len(sick.checks) == 5 else 200
            answer(exchange)

        sick.origin.answer = once
        gateway = scenario.gateway([service("app", sick.origin, health={"path": "/healthz", **FAST})])
        seen = set()
        while len(sick.checks) < 10:
            seen.add(gateway.get().status)
        assert seen == {200}

    def test_checks_are_made_once_per_process_not_once_per_worker(self, scenario, pair):
        sick, _ = pair
        started = time.monotonic()
        scenario.gateway([service("app", sick.origin, health={"path": "/healthz", **FAST})], workers=2)
        wait_until(lambda: len(sick.checks) >= 20, "twenty checks are made")
        elapsed = time.monotonic() - started
        # Each is 45 ms after the one before at the earliest. Two workers would make twice as many.
        assert len(sick.checks) <= elapsed / 0.045 + 2

    def test_health_shows_at_the_admin_address(self, scenario, pair):
        sick, well = pair
        gateway = scenario.gateway([service(
            "app", sick.origin, well.origin, health={"path": "/healthz", **FAST})])
        healthy = gateway.metrics().sum("penstock_endpoint_healthy", service="app")
        assert healthy == 2
        sick.check_status = 500
        wait_until(lambda: gateway.metrics().sum("penstock_endpoint_healthy", service="app") == 1, "the metric says so")


class TestEjection:
    def settings(self, **changes):
        return {"consecutiveFailures": 3, "duration": "1s", "durationMax": "2s", "percentMax": "50%", **changes}

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_endpoint_that_fails_in_a_row_is_ejected_and_comes_back(self, scenario, pair, status):
        sick, well = pair
        sick.origin.answer = answer_with(status)
        gateway = scenario.gateway([service(
            "app", sick.origin, well.origin, retries="off", ejection=self.settings())])
        assert gateway.origins_of(6) == {str(status): 3, "well": 3}
        assert gateway.origins_of(20) == {"well": 20}
        assert gateway.metrics().sum("penstock_ejections_total") == 1
        sick.origin.answer = answer_with(200)
        wait_until(lambda: gateway.origins_of(2).get("sick") == 1, "the endpoint is back")

    def test_endpoint_that_cannot_be_reached_is_ejected(self, scenario, pair):
        _, well = pair
        gateway = scenario.gateway([service(
            "app", scenario.dead_port(), well.origin, retries="off",
            ejection=self.settings(duration="30s", durationMax="60s"))])
        assert gateway.origins_of(6) == {"502": 3, "well": 3}
        assert gateway.origins_of(20) == {"well": 20}

    def test_success_in_between_starts_the_count_anew(self, scenario, pair):
        sick, well = pair

        def answer(exchange):
            exchange.respond(200 if len(sick.origin.requests) % 3 == 0 else 503)

        sick.origin.answer = answer
        gateway = scenario.gateway([service("app", sick.origin, well.origin, retries="off", ejection=self.settings())])
        assert gateway.origins_of(36) == {"503": 12, "sick": 6, "well": 18}

    def test_errors_that_are_answers_do_not_eject(self, scenario, pair):
        sick, well = pair
        sick.origin.answer = answer_with(500)
        gateway = scenario.gateway([service("app", sick.origin, well.origin, retries="off", ejection=self.settings())])
        assert gateway.origins_of(20) == {"500": 10, "well": 10}

    def test_at_least_one_endpoint_stays(self, scenario, pair):
        sick, well = pair
        sick.origin.answer = well.origin.answer = answer_with(503, "from the origin")
        gateway = scenario.gateway([service("app", sick.origin, well.origin, retries="off", ejection=self.settings())])
        for _ in range(20):
            assert gateway.get().text == "from the origin"

    def test_ejection_can_be_turned_off(self, scenario, pair):
        sick, well = pair
        sick.origin.answer = answer_with(503)
        gateway = scenario.gateway([service("app", sick.origin, well.origin, retries="off", ejection="off")])
        assert gateway.origins_of(40) == {"503": 20, "well": 20}
