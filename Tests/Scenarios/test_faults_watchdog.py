"""A worker that does not turn its loop: the watchdog says so, the other workers serve, and it is over when it is.

A thread of the gateway is sent into an endless loop, or stopped, from outside: the program holds no wrong code for it.
"""

import json
import os
import signal
import socket
import threading
import time

import pytest

from support.client import Client
from support.gateway import CRASH, service
from support.http import ConnectionEnded
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


def wait_until_known(gateway) -> None:
    wait_until(lambda: is_known(gateway), "the stall is reported")


def wait_until_well(manager, count: int, what: str) -> None:
    """Until the service manager was told so often that all is well."""
    wait_until(lambda: manager.count("WATCHDOG=1") >= count, what)


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
        wait_until_known(gateway)
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
            wait_until_known(gateway)
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
        wait_until_well(manager, 3, "it says that all is well")
        assert manager.take()[0] == "READY=1"
        with StoppedThread(worker_thread(gateway.pid, 1)):
            wait_until_known(gateway)
            manager.take()
            said = manager.count("WATCHDOG=1")
            # Five times as long as it usually waits.
            time.sleep(1)
            assert manager.count("WATCHDOG=1") == said
        wait_until_well(manager, said + 3, "it says so again")


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
            wait_until_well(manager, 2, "the first says so")
            line.wait_for_end(line.upgrade())
            said = manager.count("WATCHDOG=1")
            wait_until_well(manager, said + 3, "the new one says so")
            assert f"MAINPID={line.pid}" in manager.take()


# The end of a process with a worker that stalls

ENDED_WITHOUT = "stopped without workers that do not turn their loops"


def stall_for_ever(gateway, number: int) -> None:
    LoopingThread(gateway.pid, worker_thread(gateway.pid, number)).lead_astray()


def terminate(gateway) -> None:
    gateway.was_ended = True
    gateway.signal(signal.SIGTERM)


def check_failed_end(gateway, workers: str) -> None:
    """It ends within its bound (ten seconds after the drain), and says what was wrong."""
    assert gateway.wait_for_end(40) == 1, gateway.tail()
    line = next(line for line in gateway.stderr.splitlines() if ENDED_WITHOUT in line)
    assert f"workers={workers}" in line.replace('"', ""), line
    assert not CRASH.search(gateway.stderr), gateway.tail()


@plants_loops
@pytest.mark.parametrize("workers", [1, 2])
def test_process_ends_without_a_worker_that_stalls(scenario, workers):
    gateway = scenario.gateway(
        [service("app", scenario.origin())], workers=workers, http={"timeouts": {"drain": "1s"}})
    clients = [gateway.client() for _ in range(4)]
    for client in clients:
        assert client.exchange("GET", "/").status == 200
    stall_for_ever(gateway, workers - 1)
    terminate(gateway)
    check_failed_end(gateway, str(workers - 1))
    for client in clients:
        client.close()


@plants_loops
def test_requests_of_other_workers_are_finished_at_the_end_of_one_that_stalls(scenario):
    release = threading.Event()

    def answer(exchange):
        if exchange.request.target == "/held":
            release.wait(20)
        exchange.respond(200, "whole")

    origin = scenario.origin(answer)
    gateway = scenario.gateway([service("app", origin)], workers=2, http={"timeouts": {"drain": "10s"}})
    # One of them at least is the other worker's, but for once in a million times.
    clients = [gateway.client(seconds=30) for _ in range(20)]
    for client in clients:
        client.request("GET", "/held")
    origin.wait_for_requests(20)
    stall_for_ever(gateway, 1)
    terminate(gateway)
    gateway.wait_for_output("draining")
    release.set()
    whole = 0
    for client in clients:
        try:
            whole += client.response().text == "whole"
        except (ConnectionEnded, OSError):
            pass
        client.close()
    assert 0 < whole < 20
    check_failed_end(gateway, "1")


@plants_loops
def test_second_signal_does_not_wait_for_the_drain_of_a_worker_that_stalls(scenario):
    gateway = scenario.gateway(
        [service("app", scenario.origin())], workers=2, http={"timeouts": {"drain": "10m"}})
    stall_for_ever(gateway, 0)
    terminate(gateway)
    gateway.wait_for_output("draining")
    gateway.signal(signal.SIGTERM)
    check_failed_end(gateway, "0")


@plants_loops
def test_worker_that_goes_on_in_time_ends_with_the_others(scenario):
    gateway = scenario.gateway(
        [service("app", scenario.origin())], workers=2, http={"timeouts": {"drain": "10s"}})
    with LoopingThread(gateway.pid, worker_thread(gateway.pid, 1)):
        wait_until_known(gateway)
        terminate(gateway)
        gateway.wait_for_output("draining")
    assert gateway.wait_for_end(40) == 0, gateway.tail()
    assert ENDED_WITHOUT not in gateway.stderr


@plants_loops
def test_upgrade_fails_while_a_worker_stalls_and_succeeds_when_it_turns(scenario):
    with start(scenario, drain="5s", workers=2) as line:
        with LoopingThread(line.pid, worker_thread(line.pid, 1)):
            said = line.fail()
            assert "worker 1 does not turn its loop" in said, said
        wait_until(line.gateway.is_ready, "ready again")
        assert line.gateway.get().status == 200
        line.wait_for_end(line.upgrade())
        assert line.gateway.get().status == 200


@plants_loops
def test_replaced_process_ends_without_a_worker_that_stalls(scenario):
    """It stalls while it drains: the new process serves all the same."""
    release = threading.Event()

    def answer(exchange):
        if exchange.request.target == "/held":
            release.wait(30)
        exchange.respond(200, "whole")

    origin = scenario.origin(answer)
    with start(scenario, origin, drain="2s") as line, line.gateway.client(seconds=30) as client:
        client.request("GET", "/held")
        origin.wait_for_requests(1)
        old = line.pid
        thread = worker_thread(old, 0)
        line.upgrade()
        LoopingThread(old, thread).lead_astray()
        check_failed_end(line.gateway, "0")
        release.set()
        for _ in range(5):
            assert line.gateway.get().status == 200
