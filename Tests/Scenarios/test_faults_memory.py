"""Memory: clients that make the gateway hold much are refused before it runs out, and a process that the system ends
for want of memory comes back with everything that was acknowledged."""

import contextlib
import threading

import pytest

from support.admin_api import AdminAPI
from support.client import Client, try_get
from support.command_line import store_settings
from support.gateway import service
from support.http import ConnectionEnded
from support.memory_groups import MemoryGroup, NoControlGroups
from support.waiting import wait_until

MEBIBYTE = 1 << 20
CLIENTS_MAX = 2_000
CONTENT = b"x" * (4 * MEBIBYTE)


@pytest.fixture
def group_of():
    """Makes control groups, to be asked for before `scenario`."""
    groups = []

    def make(bytes_max: int) -> MemoryGroup:
        try:
            groups.append(MemoryGroup(bytes_max))
        except NoControlGroups as reason:
            pytest.skip(str(reason))
        return groups[-1]

    yield make
    for group in groups:
        group.remove()


@pytest.fixture
def origin(scenario):
    """Answers GET with much, and reads nothing of what is sent by POST."""
    def answer(exchange):
        if exchange.request.method == "POST":
            exchange.origin.held.append(exchange)
            exchange.origin.gate.wait(60)
            exchange.close()
        else:
            exchange.respond(200, CONTENT)

    origin = scenario.origin(answer)
    origin.held, origin.gate = [], threading.Event()
    yield origin
    origin.gate.set()


class Takers:
    """Clients that ask for much and take nothing of it, and others that send what nobody reads."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.clients: list[Client] = []

    def add(self, count: int) -> None:
        for number in range(count):
            client = Client(self._gateway.port, receive_buffer=4_096)
            if number % 4:
                client.request("GET", "/")
            else:
                client.request("POST", "/", f"Content-Length: {len(CONTENT)}")
                client.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    while True:
                        client.socket.send(CONTENT[:65_536])
            self.clients.append(client)

    def close(self) -> None:
        for client in self.clients:
            client.close()


def test_new_requests_are_refused_before_memory_runs_out(group_of, scenario, origin, tmp_path):
    """The budget of http.limits.bufferBytes, within a limit of the system's: refused by it, not killed by the other."""
    group = group_of(512 * MEBIBYTE)
    gateway = scenario.gateway(
        [service("app", origin)], http={"limits": {"bufferBytes": "32MiB"}}, binary=group.binary(tmp_path))
    before = gateway.memory()
    takers = Takers(gateway)

    def refused() -> float:
        assert len(takers.clients) < CLIENTS_MAX, gateway.metrics().sum("penstock_buffer_bytes")
        assert gateway.is_running, gateway.tail()
        takers.add(50)
        return gateway.metrics().sum("penstock_refused_total", reason="memory")

    wait_until(refused, "requests are refused for want of memory", 60)

    # Whoever comes now is told so, at once; some of those before may have made room again.
    def told() -> bool:
        takers.add(50)
        response = try_get(gateway.port)
        return response is not None and response.status == 503 and response.value("retry-after") == "1"

    wait_until(told, "a new request is refused", 20)
    takers.add(100)
    metrics = gateway.metrics()
    assert metrics.sum("penstock_buffer_bytes") <= 32 * MEBIBYTE
    # What a process holds beside buffers, for each connection, and what the allocator keeps aside.
    assert gateway.memory("VmHWM") - before <= 96 * MEBIBYTE, (gateway.memory("VmHWM"), before)
    assert group.kills == 0 and group.peak < 512 * MEBIBYTE

    takers.close()
    wait_until(lambda: getattr(try_get(gateway.port), "status", 0) == 200, "it serves again", 20)
    assert gateway.is_ready() and gateway.is_running
    assert gateway.metrics().sum("penstock_refused_total", reason="memory") > 0


def test_process_that_the_system_ends_for_want_of_memory_comes_back_whole(group_of, scenario, origin, tmp_path):
    """No memory at all is the end of a process: nothing is caught, a supervisor starts it anew, and nothing that was
    acknowledged is lost. Here the budget is larger than what the system gives."""
    group = group_of(160 * MEBIBYTE)
    gateway = scenario.gateway(
        [service("app", origin)], binary=group.binary(tmp_path), settings=store_settings(tmp_path))
    api = AdminAPI(gateway)
    acknowledged = set()
    takers = Takers(gateway)
    while gateway.is_running:
        assert len(takers.clients) < 2 * CLIENTS_MAX, (group.peak, gateway.memory())
        name = f"stored-{len(acknowledged)}"
        try:
            if api.put(f"/v1/routes/{name}", {"hosts": [f"{name}.test"], "service": "app"}).status == 201:
                acknowledged.add(name)
            takers.add(25)
        except (OSError, ConnectionEnded):
            pass  # it has just ended
    assert gateway.process.returncode == -9 and group.kills >= 1
    takers.close()

    gateway.revive()
    names = {item["name"] for item in api.get("/v1/routes", owner="store", limit=1000)["items"]}
    assert acknowledged <= names, acknowledged - names
    assert gateway.get(host=f"{max(acknowledged)}.test").status == 200
    assert gateway.is_ready()
