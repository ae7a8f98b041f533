"""What the admin address says: metrics, health, the running configuration, the endpoints."""

import json
import subprocess

import pytest

from support.client import Client
from support.gateway import route, service
from support.programs import penstock_binary
from support.waiting import wait_until


@pytest.fixture
def origin(scenario):
    return scenario.origin()


@pytest.fixture
def gateway(scenario, origin):
    return scenario.gateway([service("app", origin)])


class TestMetrics:
    def test_page_is_in_the_format_of_prometheus(self, gateway):
        gateway.get()
        answer = gateway.admin("/metrics")
        assert answer.value("content-type").startswith("text/plain; version=0.0.4")
        metrics = gateway.metrics()  # the reader is strict
        for name, kind in (
            ("penstock_requests_total", "counter"), ("penstock_request_duration_seconds", "histogram"),
            ("penstock_connections_active", "gauge"), ("penstock_pool_idle", "gauge"),
            ("penstock_retries_total", "counter"), ("penstock_ejections_total", "counter"),
            ("penstock_queue_pending", "gauge"),
        ):
            assert metrics.types[name] == kind

    def test_requests_are_counted_by_route_service_and_status(self, scenario, origin):
        gateway = scenario.gateway(
            [service("app", origin), service("dead", scenario.dead_port(), retries="off")],
            [route("good", "app", hosts=["good.test"]), route("bad", "dead", hosts=["bad.test"])])
        for _ in range(3):
            gateway.get(host="good.test")
        gateway.get(host="bad.test")
        gateway.get(host="none.test")
        metrics = gateway.metrics()
        assert metrics.sum("penstock_requests_total", route="good", service="app", status="200") == 3
        assert metrics.sum("penstock_requests_total", route="bad", service="dead", status="502") == 1
        assert metrics.sum("penstock_requests_total", status="404") == 1
        assert metrics.sum("penstock_requests_total") == 5

    def test_histograms_add_up(self, gateway):
        gateway.origins_of(20)
        metrics = gateway.metrics()
        name, labels = "penstock_request_duration_seconds", {"route": "everything"}
        buckets = metrics.named(name + "_bucket", **labels)
        bounds = [float(sample.label("le")) for sample in buckets]
        counts = [sample.value for sample in buckets]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf") and len(bounds) > 5
        assert counts == sorted(counts)
        assert counts[-1] == metrics.sum(name + "_count", **labels) == 20
        assert metrics.sum(name + "_sum", **labels) > 0

    def test_bytes_are_counted(self, gateway, origin):
        origin.answer = lambda exchange: exchange.respond(200, b"y" * 70_000)
        with gateway.client() as client:
            client.exchange("POST", "/", body=b"x" * 50_000)
        metrics = gateway.metrics()
        assert metrics.sum("penstock_request_body_bytes_total") == 50_000
        assert metrics.sum("penstock_response_body_bytes_total") == 70_000
        assert metrics.sum("penstock_received_bytes_total") > 50_000
        assert metrics.sum("penstock_sent_bytes_total") > 70_000

    def test_workers_are_summed(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], workers=2)
        for _ in range(40):
            gateway.get()
        assert gateway.metrics().sum("penstock_requests_total", status="200") == 40

    def test_strangers_cannot_make_new_series(self, gateway, origin):
        def series():
            return len(gateway.metrics().samples)

        for number in range(30):
            gateway.get(f"/warm/{number}")
        with gateway.client() as client:
            client.exchange("PUT", "/")
        before = series()
        with gateway.client() as client:
            for number in range(200):
                client.exchange(f"METHOD{number}", f"/path{number}?q={number}", f"User-Agent: {number}",
                                host=f"host{number}.test")
        assert series() == before

    def test_origin_that_invents_statuses_cannot_make_many_series(self, gateway, origin):
        origin.answer = lambda exchange: exchange.respond(200 + exchange.request_number % 390)
        with gateway.client() as client:
            for _ in range(390):
                client.exchange("HEAD", "/")
        metrics = gateway.metrics()
        assert len(metrics.named("penstock_requests_total")) < 100
        assert metrics.sum("penstock_requests_total") == 390

    def test_counts_survive_a_reload(self, gateway, origin):
        gateway.origins_of(5)
        gateway.configuration["services"][0]["timeouts"] = {"response": "7s"}
        gateway.save()
        gateway.wait_for_revision("7s")
        assert gateway.metrics().sum("penstock_requests_total") == 5

    def test_open_connections_are_a_gauge(self, gateway):
        clients = [gateway.client() for _ in range(7)]
        wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 7, "seven connections show")
        for client in clients:
            client.close()
        wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 0, "none is left")


class TestHealth:
    def test_alive_and_ready(self, gateway):
        assert gateway.admin("/healthz").status == 200
        assert gateway.admin("/readyz").status == 200

    def test_unknown_path_is_404_and_other_methods_are_refused(self, gateway):
        assert gateway.admin("/nothing").status == 404
        with Client(gateway.admin_port) as client:
            assert client.exchange("POST", "/config", body=b"x").status in (404, 405)

    def test_admin_paths_are_not_served_to_clients(self, gateway, origin):
        gateway.get("/metrics")
        assert origin.last.target == "/metrics"


class TestConfiguration:
    def test_running_configuration_loads_back(self, gateway, tmp_path):
        answer = gateway.admin("/config")
        assert answer.status == 200 and "yaml" in answer.value("content-type")
        file = tmp_path / "running.yaml"
        file.write_text(answer.text)
        result = subprocess.run([penstock_binary(), "check", str(file)], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        # Loading it changes nothing.
        gateway.replace_file(answer.text)
        gateway.hang_up()
        gateway.wait_for_output("the configuration has not changed")
        assert gateway.admin("/config").text == answer.text

    def test_it_is_what_runs_not_what_the_file_says(self, gateway):
        before = gateway.admin("/config").text
        gateway.replace_file("broken: [")
        gateway.wait_for_output("keeps running")
        assert gateway.admin("/config").text == before


class TestEndpoints:
    def test_endpoints_are_listed_with_their_state(self, scenario, origin):
        dead = scenario.dead_port()
        gateway = scenario.gateway([service(
            "app", origin, dead, retries="off",
            ejection={"consecutiveFailures": 2, "duration": "60s", "durationMax": "60s"})])
        assert gateway.origins_of(4) == {"origin": 2, "502": 2}
        text = gateway.endpoints()
        content = json.loads(text)
        assert origin.address in text and dead in text and '"app"' in text
        assert sorted(flatten(content, "ejected")) == [False, True]
        assert gateway.metrics().sum("penstock_endpoint_ejecting_workers", endpoint=dead) == 1
        assert gateway.metrics().sum("penstock_endpoint_requests_total", endpoint=dead) == 2
        assert gateway.metrics().sum("penstock_endpoint_failures_total", endpoint=dead) == 2

    def test_requests_in_flight_show(self, scenario):
        origin = scenario.origin(lambda exchange: exchange.wait_for_end())
        gateway = scenario.gateway([service("app", origin)])
        with gateway.client() as client:
            client.request("GET", "/")
            origin.wait_for_requests(1)
            assert gateway.metrics().sum("penstock_endpoint_in_flight", service="app") == 1
            assert 1 in flatten(json.loads(gateway.endpoints()), "inFlight")
        wait_until(lambda: gateway.metrics().sum("penstock_endpoint_in_flight", service="app") == 0, "none is left")


def flatten(content, *keys) -> list:
    """All values of these keys, however deep they are."""
    if isinstance(content, dict):
        return [value for key, value in content.items() if key in keys] \
            + [found for value in content.values() for found in flatten(value, *keys)]
    if isinstance(content, list):
        return [found for value in content for found in flatten(value, *keys)]
    return []
