"""The load that runs while a gateway changes: HTTP/1.1, HTTP/2 and WebSocket at constant rates."""

import time
from contextlib import ExitStack, contextmanager

from domains.clients import SteadyLoad, Window
from domains.gateway import Gateway
from process import BenchError
from report import print_table

# protocol: connections and requests a second. Well below what two cores can do beside the changes, the origins
# and this load: where they are busy, latency tells how long the queue is, and nothing about changes.
RATES = {"http1": (64, 4_000), "http2": (8, 4_000), "websocket": (100, 2_000)}
WARM_UP_SECONDS = 3


@contextmanager
def steady_load(gateway: Gateway, host: str):
    """All three; the HTTP ones ask for `host`."""
    with ExitStack() as stack:
        loads = [
            stack.enter_context(SteadyLoad(
                protocol, "websocket.example.com" if protocol == "websocket" else host, gateway.port,
                connections, rate))
            for protocol, (connections, rate) in RATES.items()]
        time.sleep(WARM_UP_SECONDS)
        for load, window in zip(loads, windows(loads), strict=True):
            if window.requests == 0 or window.open < RATES[load.name][0]:
                raise BenchError(f"{load.name}: {window} before anything changed: {load.stop()}")
        yield loads


def windows(loads: list[SteadyLoad]) -> list[Window]:
    """Of each since the last time."""
    return [load.window() for load in loads]


def lost(found: list[Window]) -> int:
    """Requests that failed, connections that were cut, and connections that were refused."""
    return sum(window.failed + window.cut + window.refused for window in found)


def print_windows(title: str, rows: dict[tuple[str, str], Window]) -> None:
    """Rows by protocol and by what went on."""
    table = [(title, "", "requests", "failed", "cut", "refused", "p50 µs", "p99 µs", "p99.9 µs", "max µs")]
    for (protocol, what), window in rows.items():
        table.append((protocol, what, f"{window.requests:,}", str(window.failed), str(window.cut),
                      str(window.refused), f"{window.p50Microseconds:,}", f"{window.p99Microseconds:,}",
                      f"{window.p999Microseconds:,}", f"{window.maxMicroseconds:,}"))
    print_table(table)
