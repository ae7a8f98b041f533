"""What the bars of a run share: domains, origins, and gateways that are filled when they are first needed."""

import os
import statistics
import time
from pathlib import Path

from domains.authority import Domains
from domains.gateway import Gateway
from domains.slices import shorten_slices
from origin import start_origin
from process import Server
from report import Results

SMALL = 1_000  # domains of the gateway that the large one is compared with
EXTRA = 12_000  # domains that are added and removed again
BURST = 10_000


class Setup:
    def __init__(self, options, folder: Path, results: Results):
        self.options = options
        self.folder = folder
        self.results = results
        self.count: int = options.domains
        self.cores = os.sched_getaffinity(0)
        self.domains = Domains(self.count + EXTRA)
        self.memory: dict[str, int] = {}
        self._origins: dict[str, Server] = {}
        self._gateways: dict[str, Gateway] = {}

    def extra(self, number: int) -> int:
        """The number of a domain that no gateway has yet."""
        return self.count + number

    def origin(self, kind: str) -> Server:
        if kind not in self._origins:
            self._origins[kind] = start_origin(kind, self.folder / f"origin-{kind}", self.cores)
            shorten_slices(*self._origins[kind].pids())
        return self._origins[kind]

    def gateway(self, name: str, **settings) -> Gateway:
        """A gateway that has not been started, stopped at the end of the run."""
        made = Gateway(
            self.folder / name, self.origin("http").port, self.origin("websocket").port,
            self.domains[self.count + EXTRA - 1], **settings)  # no bar uses the last
        self._gateways[name] = made
        return made

    @property
    def large(self) -> Gateway:
        """The gateway with all domains, running."""
        return self._gateways.get("large") or self._filled("large", self.count)

    @property
    def small(self) -> Gateway:
        return self._gateways.get("small") or self._filled("small", SMALL)

    def _filled(self, name: str, count: int) -> Gateway:
        gateway = self.gateway(name).start()
        empty = gateway.resident()
        seconds = gateway.fill(self.domains, range(count))
        full = gateway.resident()
        self.memory |= {f"{name}Empty": empty, f"{name}Full": full}
        print(f"\n{count:,} domains loaded in {seconds:.1f} s ({count / seconds:,.0f} a second), "
              f"{empty / 1e6:.1f} MB before and {full / 1e6:.1f} MB after", flush=True)
        return gateway

    def stop(self) -> None:
        for server in (*self._gateways.values(), *self._origins.values()):
            server.stop()


def milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.2f}"


def percentile(values: list[float], share: float) -> float:
    """The smallest value that is not below this share of all: p99 of 300 leaves out three."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def sync_milliseconds(folder: Path) -> float:
    """What the machine takes to make 4 KB durable: below this, no change can be."""
    taken = []
    with open(folder / "sync", "wb") as file:
        for _ in range(50):
            file.write(b"x" * 4_096)
            file.flush()
            started = time.monotonic()
            os.fdatasync(file.fileno())
            taken.append(time.monotonic() - started)
    return statistics.median(taken) * 1e3
