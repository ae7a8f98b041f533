"""The command line: what it prints, and how it ends."""

import json
import re
import signal
import socket

import pytest

from support.client import get, try_get
from support.gateway import Gateway, service
from support.ports import free_port, reserve_port
from support.programs import penstock_binary, run_to_end
from support.waiting import wait_until

GOOD = """\
listeners: [{name: web, address: "127.0.0.1:8080"}]
admin: {address: "127.0.0.1:9900"}
services:
  - name: orders
    endpoints: ["10.0.0.1:8080", {address: "orders.internal:8080", weight: 3}]
    balance: round-robin
    health: {path: /healthz, interval: 2s, rise: 2, fall: 3}
    timeouts: {connect: 3s, response: 60s, idle: 60s}
    retries: {attempts: 2, on: [connect-failure, "502", "503"], budget: 20%}
  - name: orders-next
    endpoints: ["10.0.0.2:8080"]
routes:
  - name: orders-api
    hosts: [api.example.com, "*.shop.example.com"]
    match: [{path: /orders, methods: [GET], headers: {X-Beta: "1"}, query: {v: "2"}}]
    backends: [{service: orders, weight: 90}, {service: orders-next, weight: 10}]
"""

BAD = """\
listeners: [{name: web, adress: "127.0.0.1:8080"}]
services:
  - name: orders
    endpoints: ["10.0.0.1"]
    balance: least-requests
    timeouts: {connect: 3}
routes:
  - name: api
    service: order
  - name: api
    service: orders
    match: [{path: orders}]
"""


@pytest.fixture
def penstock(tmp_path):
    """Runs a command to its end."""
    return lambda *arguments: run_to_end([penstock_binary(), *arguments], tmp_path)


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "penstock.yaml"
        path.write_text(text)
        return path
    return write


class TestCheck:
    def test_good_file_is_good(self, penstock, file):
        result = penstock("check", str(file(GOOD)))
        assert result.returncode == 0, result.stderr
        assert "2 service" in result.stdout and "1 route" in result.stdout

    def test_bad_file_fails_and_says_everything_with_file_line_and_column(self, penstock, file):
        path = file(BAD)
        result = penstock("check", str(path))
        assert result.returncode != 0
        for place in ("1:25", "1:13", "4:17", "5:14", "6:25", "9:14", "10:11", "12:20"):
            assert f"{path}:{place}: " in result.stderr, result.stderr

    def test_errors_say_what_would_be_right(self, penstock, file):
        errors = penstock("check", str(file(BAD))).stderr
        for hint in ('did you mean "address"?', '"10.0.0.1:8080"', 'did you mean "least-request"?', "3s or 3ms",
                     'did you mean "orders"?', 'write "/orders"'):
            assert hint in errors, errors

    def test_file_that_is_missing_is_named(self, penstock):
        result = penstock("check", "no-such-file.yaml")
        assert result.returncode != 0 and "no-such-file.yaml" in result.stderr

    def test_file_that_is_no_yaml_is_reported_with_its_place(self, penstock, file):
        path = file("listeners:\n  - name: web\n   address: x\n")
        result = penstock("check", str(path))
        assert result.returncode != 0 and re.search(rf"{re.escape(str(path))}:\d+:\d+: ", result.stderr)

    def test_folder_is_no_file(self, penstock, tmp_path):
        assert penstock("check", str(tmp_path)).returncode != 0


def test_version_is_printed(penstock):
    result = penstock("version")
    assert result.returncode == 0
    assert re.fullmatch(r"penstock \d+\.\d+\.\d+\S*\n", result.stdout)


def test_unknown_command_and_option_are_errors(penstock):
    for arguments in (["serve"], ["run", "--workerz", "2"], ["run", "--workers", "0"], ["check"]):
        result = penstock(*arguments)
        assert result.returncode != 0 and result.stderr, arguments


def test_help_names_every_command(penstock):
    text = penstock("--help").stdout
    assert all(command in text for command in ("run", "check", "origin", "version"))


class TestRun:
    def test_bad_file_does_not_start(self, penstock, file):
        path = file(BAD)
        result = penstock("run", "-c", str(path))
        assert result.returncode != 0 and f"{path}:1:25: " in result.stderr

    def test_missing_file_does_not_start(self, penstock):
        result = penstock("run", "-c", "no-such-file.yaml")
        assert result.returncode != 0 and "no-such-file.yaml" in result.stderr

    @pytest.mark.parametrize("taken", ["listener", "admin"])
    def test_address_that_is_taken_is_named_and_nothing_is_served(self, scenario, tmp_path, taken):
        gateway = Gateway(tmp_path / "first", [service("app", scenario.dead_port())], wait=False)
        gateway.kill()
        port = gateway.port if taken == "listener" else gateway.admin_port
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            result = run_to_end([penstock_binary(), "run", "-c", str(gateway.file)], tmp_path)
        assert result.returncode != 0
        assert f"127.0.0.1:{port}" in result.stderr and "in use" in result.stderr.lower()

    def test_workers_are_as_many_as_asked_for(self, scenario):
        gateway = scenario.gateway([service("app", scenario.dead_port())], workers=2)
        assert gateway.metrics().sum("penstock_workers") == 2

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal_ends_it_with_success(self, scenario, number):
        gateway = scenario.gateway([service("app", scenario.dead_port())])
        gateway.was_ended = True
        gateway.signal(number)
        assert gateway.wait_for_end() == 0

    def test_without_a_file_a_default_is_served_and_what_to_try_next_is_printed(self, scenario):
        if not (reserve_port(8_080) and reserve_port(9_900)):
            pytest.skip("the default's ports are in use")
        program = scenario.program([penstock_binary(), "run"], "default")
        program.wait_until_ready(lambda: (answer := try_get(9_900, "/readyz")) is not None and answer.status == 200)
        assert get(8_080, "/hello").status == 200
        origins = {json.dumps(json.loads(get(8_080, "/hello").body).get("origin")) for _ in range(4)}
        assert len(origins) == 2  # two embedded origins take turns
        program.wait_for_output("curl http://127.0.0.1:8080/")
        assert "penstock check" in program.output
        program.signal(signal.SIGTERM)
        assert program.wait_for_end() == 0


class TestOrigin:
    def test_origin_answers_what_it_received(self, scenario):
        origin = scenario.echo_origin()
        gateway = scenario.gateway([service("app", origin)])
        with gateway.client() as client:
            response = client.exchange("POST", "/path?q=1", "X-A: quote\" and \\", body=b"hello")
        assert response.status == 200 and "json" in response.value("content-type")
        text = json.dumps(json.loads(response.body))
        for part in ("POST", "/path?q=1", "x-a", "hello"):
            assert part.lower() in text.lower()

    def test_origin_can_be_asked_to_fail(self, scenario):
        origin = scenario.echo_origin()
        assert get(origin.port, "/?status=503").status == 503
        assert len(get(origin.port, "/?bytes=1000").body) == 1_000

    def test_port_that_is_taken_is_an_error(self, penstock):
        port = free_port()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            result = penstock("origin", "--port", str(port))
        assert result.returncode != 0 and str(port) in result.stderr

    def test_origin_ends_on_term(self, scenario):
        origin = scenario.echo_origin()
        wait_until(lambda: origin.handles(signal.SIGTERM), "the origin handles the signal")
        origin.signal(signal.SIGTERM)
        assert wait_until(lambda: not origin.is_running, "the origin ends") and origin.process.returncode == 0
