"""Descriptors run out: the gateway makes room or waits, without a busy loop, blames nobody, and recovers."""

import http.client
import socket
import time

import pytest

from support.balance import Balance
from support.client import Client, try_get
from support.gateway import route, service
from support.http import ConnectionEnded
from support.metrics import Metrics
from support.threads import cpu_seconds, threads_named
from support.waiting import wait_until


@pytest.fixture
def good(scenario):
    return scenario.origin(name="good")


def silent(exchange):
    exchange.wait_for_end()


class OpenPage:
    """/metrics on a connection that is open already: a new one would need a descriptor."""

    def __init__(self, gateway):
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=20)
        self.read()

    def read(self) -> Metrics:
        self._connection.request("GET", "/metrics", headers={"Host": "localhost"})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, text
        return Metrics(text)

    def close(self) -> None:
        self._connection.close()

def test_descriptors_run_out(scenario, good):
    gateway = scenario.gateway([service("good", good)], descriptors_max=96)
    balance = Balance(gateway)
    with gateway.client() as early:
        assert early.exchange("GET", "/").status == 200
        # More connections than descriptors: the longest idle ones make room.
        crowd = []
        for _ in range(200):
            other = socket.socket()
            other.settimeout(5)
            other.connect(("127.0.0.1", gateway.port))
            crowd.append(other)
        late = wait_until(lambda: (r := try_get(gateway.port)) is not None and r.status == 200 and r,
                          "a new client is served all the same", 20)
        assert late.value("x-origin") == "good"
        for other in crowd:
            other.close()
    balance.check()
    assert gateway.descriptors() <= 96


def test_descriptors_run_out_while_all_are_busy(scenario):
    origin = scenario.origin(silent)
    good = scenario.origin(name="good")
    gateway = scenario.gateway(
        [service("silent", origin, retries="off", timeouts={"response": "2s"}), service("good", good)],
        [{"name": "silent", "hosts": ["silent.test"], "service": "silent"}, {"name": "good", "service": "good"}],
        descriptors_max=96)
    balance = Balance(gateway)
    clients = []
    for _ in range(120):
        client = Client(gateway.port)
        client.request("GET", "/", host="silent.test")
        clients.append(client)
    statuses = set()
    for client in clients:
        try:
            statuses.add(client.response().status)
        except (ConnectionEnded, AssertionError):
            statuses.add("closed")
        client.close()
    # Those that found no descriptor are told so, or closed; those that did wait for the answer.
    assert 504 in statuses and statuses <= {502, 503, 504, "closed"}
    balance.check()


@pytest.fixture
def starved(scenario, good):
    """A gateway all of whose descriptors are taken: by requests that wait for their answer, which take two each,
    and by others whose head is not complete, which take one."""
    gateway = scenario.gateway(
        [service("silent", scenario.origin(silent), retries="off", ejection={"consecutiveFailures": 1},
                 timeouts={"response": "1m"}),
         service("good", good)],
        [route("silent", "silent", hosts=["silent.test"]), route("good", "good")],
        http={"timeouts": {"head": "1m"}}, descriptors_max=96)
    balance = Balance(gateway)
    page = OpenPage(gateway)
    clients: list[Client] = []
    for number in range(160):
        client = Client(gateway.port)
        if number % 2:
            client.send(b"GET / HTTP/1.1\r\nHost: silent.test\r\n")
        else:
            client.request("GET", "/", host="silent.test")
        clients.append(client)
    # More than once: nobody is left who could make room.
    wait_until(lambda: page.read().sum("penstock_accept_failures_total") >= 3, "descriptors have run out")
    yield gateway, page, clients
    page.close()
    for client in clients:
        client.close()
    balance.check()


def test_without_a_descriptor_the_worker_waits_and_does_not_spin(starved):
    """Connections wait in the kernel's queue; the worker looks after them 20 times a second, and sleeps between."""
    gateway, page, _ = starved
    (worker,) = threads_named(gateway.pid, "worker-0")
    rounds, used = page.read().sum("penstock_loop_rounds_total"), cpu_seconds(gateway.pid, worker)
    time.sleep(2)
    rounds, used = page.read().sum("penstock_loop_rounds_total") - rounds, cpu_seconds(gateway.pid, worker) - used
    assert gateway.stderr.count("a connection could not be accepted") == 1, "it is said once a minute"
    # A loop that did not wait would make a hundred thousand rounds, and use what there is of a CPU.
    assert rounds < 1_000, rounds
    assert used < 0.5, used


def test_without_a_descriptor_no_endpoint_is_blamed(starved):
    """Requests that find no descriptor for an endpoint get 502, and the endpoint is not ejected for it."""
    _, page, clients = starved

    def has_failed() -> bool:
        return page.read().sum("penstock_upstream_connect_failures_total") > 0

    # One descriptor at a time: whoever is accepted with it finds none for the endpoint.
    for client in clients[1::2]:
        if has_failed():
            break
        client.close()
        time.sleep(0.1)
    assert has_failed()
    answered = []
    for client in clients[::2]:
        client.seconds = 0.05
        try:
            answered.append(client.response().status)
        except (ConnectionEnded, AssertionError, OSError):
            pass
    assert set(answered) == {502}
    metrics = page.read()
    assert metrics.sum("penstock_ejections_total") == 0
    assert metrics.sum("penstock_endpoint_failures_total") == 0


def test_when_descriptors_are_free_again_those_that_waited_are_served(starved):
    """Nobody has to restart anything: the queue is taken up within a moment of the first free descriptor."""
    gateway, _, clients = starved
    late = Client(gateway.port, seconds=20)
    late.request("GET", "/")
    for client in clients:
        client.close()
    assert late.response().status == 200
    late.close()
    wait_until(gateway.is_ready, "the admin address takes connections again")
