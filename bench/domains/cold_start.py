"""Bars 3 and 4: start from the store, and memory."""

import socket
import time

import ready
from domains.clients import PATH
from domains.gateway import Gateway
from domains.setup import Setup
from process import BenchError
from report import judge, print_table, print_verdicts

START = "start"
MEMORY = "memory"
STARTS = 3
START_SECONDS_MAX = 5.0
BYTES_MAX = 4_096
EARLY_SECONDS_MAX = 60


def run_memory(setup: Setup) -> None:
    """After the domains came by the admin API; a start from the store adds its own figure to it."""
    large = setup.large
    per_domain = (setup.memory["largeFull"] - setup.memory["largeEmpty"]) / setup.count
    setup.memory["started"] = restarted_bytes(setup, large)
    started = (setup.memory["started"] - setup.memory["largeEmpty"]) / setup.count
    print(f"\n{MEMORY}: proportional set size, less that of a gateway without domains")
    print_table([("", "MB", "bytes/domain"),
                 ("without domains", f"{setup.memory['largeEmpty'] / 1e6:.1f}", ""),
                 ("after loading by the admin API", f"{setup.memory['largeFull'] / 1e6:.1f}",
                  f"{per_domain:,.0f}"),
                 ("after a start from the store", f"{setup.memory['started'] / 1e6:.1f}", f"{started:,.0f}")])
    verdicts = [judge("bytes per domain, after loading", per_domain, BYTES_MAX),
                judge("bytes per domain, after a start", started, BYTES_MAX)]
    print_verdicts(verdicts)
    setup.results.add(MEMORY, setup.memory, verdicts)


def restarted_bytes(setup: Setup, gateway: Gateway) -> int:
    gateway.stop()
    gateway.start()
    return gateway.resident()


def run_start(setup: Setup) -> None:
    large = setup.large
    taken = []
    for _ in range(STARTS):
        large.stop()
        taken.append(start_seconds(large, setup.domains[setup.count - 1].host))
    print(f"\n{START}: from the store, {setup.count:,} domains: " + ", ".join(f"{one:.2f} s" for one in taken))
    verdicts = [judge("s from spawning to ready, the slowest", max(taken), START_SECONDS_MAX)]
    print_verdicts(verdicts)
    setup.results.add(START, {"seconds": taken}, verdicts)


def start_seconds(gateway: Gateway, host: str) -> float:
    """Until `/readyz` is 200. The first connection that is accepted must be served as all later ones are."""
    started = time.monotonic()
    gateway.spawn()
    accepted_at = None
    while True:
        is_ready = " 200" in ready.status_of("http", gateway.admin_port, "admin", "/readyz")
        now = time.monotonic() - started
        if accepted_at is None and accepts(gateway.port):
            accepted_at = now
            answer = ready.status_of("http", gateway.port, host, PATH)
            if " 200" not in answer:
                raise BenchError(f"a connection was accepted after {now:.2f} s and answered with {answer}")
        if is_ready:
            if not accepts(gateway.port):
                raise BenchError("/readyz is 200 and connections are refused")
            return now
        if now > EARLY_SECONDS_MAX:
            raise BenchError(f"not ready after {now:.0f} s:\n{gateway.server.output_tail()}")
        time.sleep(0.005)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
