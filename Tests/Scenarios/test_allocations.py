"""No heap allocation for a keep-alive request in steady state: counted, and held to a budget."""

import json
import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from support.client import Client
from support.gateway import route, service
from support.programs import REPOSITORY

FOLDER = Path(__file__).resolve().parent
REQUESTS = 10_000
CLIENTS = 8
ROUTES = 1_000


@pytest.fixture(scope="module")
def release_binary():
    binary = os.environ.get("PENSTOCK_RELEASE_BINARY") or str(REPOSITORY / ".build" / "release" / "penstock")
    if not os.access(binary, os.X_OK):
        pytest.skip(f"there is no release binary at {binary}: `make build`, or set PENSTOCK_RELEASE_BINARY")
    return binary


class Counter:
    """The word that the preloaded library counts in."""

    def __init__(self, path: Path):
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 4096)

    @property
    def value(self) -> int:
        return struct.unpack_from("Q", self._memory)[0]


@pytest.fixture
def counted(scenario, release_binary, tmp_path):
    """Starts a release gateway whose allocations are counted; returns it with its counter."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "there is no C compiler: scripts/bootstrap build"
    library = tmp_path / "count_allocations.so"
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library),
                    str(FOLDER / "count_allocations.c")], check=True)

    def start(**options):
        path = tmp_path / "allocations"
        counter = Counter(path)
        nginx = scenario.nginx()
        routes = [route(f"r{number}", "app", hosts=[f"h{number}.test"], match=[{"path": "/small"}])
                  for number in range(ROUTES)]
        gateway = scenario.gateway(
            [service("app", nginx)], routes, binary=release_binary,
            environment={"LD_PRELOAD": str(library), "ALLOCATIONS_FILE": str(path)}, **options)
        assert counter.value > 100, "the library is not loaded"
        return gateway, counter
    return start


def ask(clients: list[Client], count: int) -> None:
    """Keep-alive requests over all connections in turn, to many routes."""
    for number in range(count // len(clients)):
        for client in clients:
            client.socket.sendall(b"GET /small?n=%d HTTP/1.1\r\nHost: h%d.test\r\nUser-Agent: test\r\n\r\n"
                                  % (number, number % ROUTES))
        for client in clients:
            data = client.socket.recv(65_536)
            assert data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"x" * 100), data


def measure(gateway, counter) -> int:
    """Allocations during the requests, once everything is warm."""
    clients = [gateway.client() for _ in range(CLIENTS)]
    ask(clients, 3 * ROUTES * CLIENTS // 2)  # every route has been used
    before = counter.value
    ask(clients, REQUESTS)
    after = counter.value
    for client in clients:
        client.close()
    return after - before


def budget(name: str) -> int:
    return json.loads((FOLDER / "budgets.json").read_text())[name]


def test_keep_alive_requests_stay_within_the_budget_of_allocations(counted):
    gateway, counter = counted()
    assert measure(gateway, counter) <= budget("allocations_per_10000_requests")
    # Metrics were on: every request of it all was counted.
    assert gateway.metrics().sum("penstock_requests_total", status="200") == 3 * ROUTES * CLIENTS // 2 + REQUESTS


def test_the_access_log_allocates_for_chunks_of_lines_at_most(counted):
    gateway, counter = counted(access_log={"format": "json", "path": "access.log"})
    assert measure(gateway, counter) <= budget("allocations_per_10000_requests_with_access_log")


def test_the_count_can_fail(counted):
    """Requests on connections of their own do allocate: the counter sees it."""
    gateway, counter = counted()
    before = counter.value
    for _ in range(20):
        assert gateway.get("/small", host="h1.test").status == 200
    assert counter.value - before > 20
