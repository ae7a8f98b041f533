"""A worker that does not turn its loop: the watchdog says so, the other workers serve, and it is over when it is.

A thread of the gateway is sent into an endless loop, or stopped, from outside: the program holds no wrong code for it.
"""

import json
import os
import signal
import socket
import time

import pytest

from support.client import Client
from support.gateway import service
from support.programs import penstock_binary
from support.threads import CAN_PLANT_LOOPS, LoopingThread, StoppedThread, cpu_seconds, may_trace, threads_named
from support.upgrades import start
from support.waiting import wait_until

STALLED = "a worker does not turn its loop"
TURNS_AGAIN = "the worker turns its loop again"

pytestmark = pytest.mark.skipif(not may_trace(), reason="may not trace its children: root may")
plants_loops = pytest.mark.skipif(not CAN_PLANT_LOOPS, reason="knows how to plant a loop on x86-64 only")


@pytest.fixture
def gateway(scenario):
    return scenario.gateway([service("app", scenario.origin())], workers=2)


def worker_thread(pid: int, number: int) -> int:
    (thread,) = threads_named(pid, f"worker-{number}")
    return thread


def readiness(gateway) -> tuple[int, dict]:
    answer = gateway.admin("/readyz")
    assert answer is not None
    return answer.status, json.loads(answer.text)


def is_known(gateway) -> bool:
    """Whether the watchdog has noticed."""
    return STALLED in gateway.stderr


def answers_now(gateway) -> bool:
    """Whether a new connection is served within a moment; it is not where the stalled worker has got it."""
    with Client(gateway.port, seconds=0.3) as client:
        try:
            return client.exchange("GET", "/").status == 200
        except (OSError, AssertionError):
            return False


def check_stall(gateway, stall, activity: str) -> None:
    """Worker 1 stalls for as long as the block `stall` lasts."""
    before = gateway.metrics()
    assert before.sum("penstock_worker_stalls_total") == 0 and before.sum("penstock_workers_stalled") == 0
    thread = worker_thread(gateway.pid, 1)
    with stall(thread):
        wait_until(lambda: is_known(gateway), "the stall is reported")
        line = next(line for line in gateway.stderr.splitlines() if STALLED in line)
        assert "worker=1" in line and f"thread={thread}" in line and activity in line, line

        # The other worker serves: its share of new connections is answered as before.
        served = sum(answers_now(gateway) for _ in range(16))
        assert served > 0

        # Not ready: a share of new connections is not served. The answer does not wait for the worker.
        status, document = readiness(gateway)
        assert status == 503 and document["ready"] is False
        (reason,) = document["reasons"]
        assert reason.startswith("worker 1 has not turned its loop for "), reason
        assert gateway.admin("/healthz").status == 200

        # Sums without the worker's part would go back: they are left out until it answers.
        metrics = gateway.metrics()
        assert metrics.sum("penstock_workers_stalled") == 1 and metrics.sum("penstock_worker_stalls_total") == 1
        assert metrics.sum("penstock_worker_pause_seconds_max") >= 1
        assert "penstock_client_requests_total" not in metrics.types
    gateway.wait_for_output(TURNS_AGAIN)
    wait_until(gateway.is_ready, "ready again")
    after = gateway.metrics()
    assert after.sum("penstock_workers_stalled") == 0 and after.sum("penstock_worker_stalls_total") == 1
    assert after.sum("penstock_client_requests_total") >= served
    assert gateway.origins_of(20) == {"origin": 20}
    for _ in range(20):
        assert gateway.get().status == 200
    assert gateway.stderr.count(STALLED) == 1, "it is said once"


@plants_loops
def test_planted_long_loop_is_reported_and_the_other_worker_serves(gateway):
    # Where there is one CPU, or others use it, the loop may be seen waiting for it more than it runs.
    check_stall(gateway, lambda thread: LoopingThread(gateway.pid, thread), "of the time")


def test_stopped_thread_is_reported_and_the_other_worker_serves(gateway):
    check_stall(gateway, StoppedThread, "it is stopped")


@plants_loops
def test_a_request_that_the_stalled_worker_had_begun_is_answered_when_it_turns(scenario):
    """Nothing is lost by a stall but time: what waited is served in its turn."""
    gateway = scenario.gateway([service("app", scenario.origin())])
    with gateway.client(seconds=20) as client:
        assert client.exchange("GET", "/before").status == 200
        with LoopingThread(gateway.pid, worker_thread(gateway.pid, 0)):
            client.request("GET", "/during")
            wait_until(lambda: is_known(gateway), "the stall is reported")
            status, document = readiness(gateway)
            assert status == 503 and document["workers"] == 0
            # The admin API answers whatever needs no worker.
            assert gateway.admin("/v1/status").status == 200
        assert client.response().status == 200
    wait_until(gateway.is_ready, "ready again")


def test_idle_and_stopped_processes_have_no_stalled_worker(scenario, gateway):
    """A process that was stopped as a whole and goes on later has not stalled: nobody ran who could have noticed."""
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        time.sleep(3)
    finally:
        os.kill(gateway.pid, signal.SIGCONT)
    assert gateway.origins_of(20) == {"origin": 20}
    wait_until(gateway.is_ready, "ready")
    assert gateway.metrics().sum("penstock_worker_stalls_total") == 0 and not is_known(gateway)


def test_watching_costs_an_idle_gateway_next_to_nothing(gateway):
    """Five questions a second to each worker."""
    used = cpu_seconds(gateway.pid)
    rounds = gateway.metrics().sum("penstock_loop_rounds_total")
    time.sleep(3)
    assert cpu_seconds(gateway.pid) - used < 0.6
    assert gateway.metrics().sum("penstock_loop_rounds_total") - rounds < 200


# The service manager


class ServiceManager:
    """Stands for systemd: a datagram socket that is told what the process does."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self.news: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def take(self) -> list[str]:
        """What has been said so far, oldest first."""
        self._socket.setblocking(False)
        while True:
            try:
                self.news += self._socket.recv(4_096).decode().split("\n")
            except BlockingIOError:
                return self.news

    def count(self, text: str) -> int:
        return self.take().count(text)


def test_service_manager_hears_nothing_while_a_worker_stalls(scenario, tmp_path):
    """systemd ends the process after WatchdogSec of silence, and starts it again."""
    with ServiceManager(tmp_path) as manager:
        gateway = scenario.gateway(
            [service("app", scenario.origin())], workers=2,
            environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"})
        wait_until(lambda: manager.count("WATCHDOG=1") >= 3, "it says that all is well")
        assert manager.take()[0] == "READY=1"
        with StoppedThread(worker_thread(gateway.pid, 1)):
            wait_until(lambda: is_known(gateway), "the stall is reported")
            manager.take()
            said = manager.count("WATCHDOG=1")
            # Five times as long as it usually waits.
            time.sleep(1)
            assert manager.count("WATCHDOG=1") == said
        wait_until(lambda: manager.count("WATCHDOG=1") >= said + 3, "it says so again")


def test_without_a_watchdog_nothing_is_said(scenario, tmp_path):
    with ServiceManager(tmp_path) as manager:
        scenario.gateway([service("app", scenario.origin())], environment={"NOTIFY_SOCKET": manager.path})
        wait_until(lambda: manager.count("READY=1") == 1, "it is ready")
        time.sleep(1)
        assert manager.count("WATCHDOG=1") == 0


def test_after_an_upgrade_the_new_process_says_so(scenario, tmp_path):
    """WATCHDOG_PID names the first process, as systemd sets it; the one that takes its place speaks all the same."""
    script = tmp_path / "as-systemd-starts-it"
    script.write_text(f"#!/bin/sh\nexport WATCHDOG_PID=$$\nexec '{penstock_binary()}' \"$@\"\n")
    script.chmod(0o755)
    with ServiceManager(tmp_path) as manager:
        environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "600000"}
        with start(scenario, environment=environment, binary=str(script)) as line:
            wait_until(lambda: manager.count("WATCHDOG=1") >= 2, "the first says so")
            line.wait_for_end(line.upgrade())
            said = manager.count("WATCHDOG=1")
            wait_until(lambda: manager.count("WATCHDOG=1") >= said + 3, "the new one says so")
            assert f"MAINPID={line.pid}" in manager.take()
