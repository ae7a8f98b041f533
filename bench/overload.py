#!/usr/bin/env python3
"""Measures what is left for good clients when there is too much load, and when others abuse the gateway.

One worker has a core of its own; the load, the abusers and the origins share another. What they do there must
not be what is measured: abusers run only when nobody else wants the core, which is never idle, with abusers or
without, since virtual machines are served differently then; the good client and its origin run as soon as they
want to. Of abuse there is a second measurement with nginx, which tells what the machine adds. So that one core makes
twice the load that the gateway can take, each request costs it a search through many regular expressions.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from measure import cpu_time, resident_bytes
from overload_servers import (
    BUFFER_BYTES, GATEWAY_CORES, LARGE, OTHER_CORES, SLOW_CLIENTS, SMALL, before_others, start_gateway,
    start_large_origin, start_nginx, start_small_origin)
from process import BenchError, Server, raise_descriptor_limit
from programs import built_tool
from proxies import REPOSITORY, penstock_binary
from report import Results, judge, print_table
from run import machine, names_in

DESCRIPTORS = 65_536
SLOW_PERIOD_MILLISECONDS = 5_000
FLOOD_CLIENTS = 100
# An abuser that is cut off comes again ten times in a second.
FLOOD_PAUSE_MILLISECONDS = 100
GOOD_CLIENTS = 64
GOOD_RATE = 1_000
# Some machines have bursts of their own every few seconds (a kernel thread that samples memory kept a worker from
# its core for up to 4 ms, again and again for 60 ms): most windows have to be shorter than the time between them.
WINDOWS, QUICK_WINDOWS = 17, 7
WINDOW_SECONDS = 1
OVERLOAD_CLIENTS = 4_000
# Their requests are the capacity: as many as admission control leaves alone. A few dozen would all be in the
# CPU's caches, which the connections of 4,000 are not.
CAPACITY_CLIENTS = 500


class Load:
    """`tools/overload_load.c`."""

    def __init__(self, kind: str, port: int, path: str, rate: int, connections: int):
        self.kind = kind

        def prepare() -> None:
            os.sched_setaffinity(0, OTHER_CORES)
            if kind not in ("open", "closed"):
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

        self._process = subprocess.Popen(
            [built_tool("overload_load"), kind, str(port), path, str(rate), str(connections), "600"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=prepare)

    @property
    def pid(self) -> int:
        return self._process.pid

    def window(self) -> dict:
        """What has happened since the last time."""
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the load ({self.kind}) ended")
        return json.loads(line)

    def stop(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def load(*arguments):
    running = Load(*arguments)
    try:
        yield running
    finally:
        running.stop()


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path, results: Results, descriptors: int):
        # The gateway has two for each client that reads slowly.
        self.slow_clients = {"slow-heads": min(SLOW_CLIENTS, descriptors - 500),
                             "slow-reads": min(SLOW_CLIENTS, (descriptors - 500) // 2)}
        self.seconds, self.windows = (4, QUICK_WINDOWS) if options.quick else (15, WINDOWS)
        self.folder = folder
        self.results = results
        self.origins = [start_small_origin(folder / "small"), start_large_origin(folder / "large")]
        self.gateway = start_gateway(folder / "gateway", *self.origins)

    def stop(self) -> None:
        for server in (self.gateway, *self.origins):
            server.stop()

    def measure(self, running: Load, seconds: float, settle: float = 0, server: Server | None = None) -> dict:
        """A window of a load that has settled."""
        pids = (server or self.gateway).pids()
        time.sleep(settle)
        running.window()
        before, began = cpu_time(pids), time.monotonic()
        time.sleep(seconds)
        window = running.window()
        used = cpu_time(pids).since(before).total
        return window | {"busy": used / (time.monotonic() - began)}

    # Overload

    def overload(self) -> None:
        """Twice the capacity is offered: what is served of it, and how fast."""
        with load("closed", self.gateway.port, SMALL, 0, CAPACITY_CLIENTS) as running:
            capacity = self.measure(running, self.seconds, settle=2)
        rate = capacity["served"] / capacity["seconds"]
        with load("open", self.gateway.port, SMALL, int(rate * 0.8), OVERLOAD_CLIENTS) as running:
            normal = self.measure(running, self.seconds, settle=2)
        with load("open", self.gateway.port, SMALL, int(rate * 2), OVERLOAD_CLIENTS) as running:
            overload = self.measure(running, self.seconds, settle=2)
        goodput = overload["served"] / overload["seconds"]
        print_windows("overload", {"capacity": capacity, "80 %": normal, "200 %": overload})
        self.results.add("overload", {"capacity": capacity, "normal": normal, "overload": overload}, [
            judge("share of the capacity that is lost", 1 - goodput / rate, 0.1),
            judge("p99 of those served / p99 at 80 %",
                  overload["p99Microseconds"] / normal["p99Microseconds"], 3)])

    # Abuse

    def good(self, server: Server) -> dict:
        """Of several windows the one whose p99 is in the middle: most have no pause of the machine's own."""
        with (load("open", server.port, SMALL, GOOD_RATE, GOOD_CLIENTS) as running,
              before_others([running.pid, *self.origins[0].pids()])):
            time.sleep(1)
            windows = [self.measure(running, WINDOW_SECONDS, server=server) for _ in range(self.windows)]
        by_latency = sorted(windows, key=lambda window: window["p99Microseconds"])
        lost = {key: sum(window[key] for window in windows) for key in ("shed", "failed", "gaveUp")}
        return by_latency[self.windows // 2] | {"lost": sum(lost.values())}

    def abuse(self, kind: str) -> None:
        """What a good client feels of abusers, and what memory they take; then the same of nginx."""
        is_slow = kind.startswith("slow")
        period, count = ((SLOW_PERIOD_MILLISECONDS, self.slow_clients[kind]) if is_slow
                         else (FLOOD_PAUSE_MILLISECONDS, FLOOD_CLIENTS))
        with load("spin", 1, "/", 1, 1):
            measured = self.with_and_without(kind, self.gateway, self.gateway.port, period, count)
            if is_slow and measured["abusers"]["connected"] < count * 0.8:
                raise BenchError(f"only {measured['abusers']['connected']} of {count} abusers were connected")
            # What the abusers have left behind must be gone before the next.
            time.sleep(1)
            # A new one each time: it may be busy with what it was sent for long after.
            nginx, http2_port = start_nginx(self.folder / f"nginx-{kind}", *self.origins)
            try:
                peer = self.with_and_without(kind, nginx, nginx.port if is_slow else http2_port, period, count)
            finally:
                nginx.stop()
        time.sleep(1)
        print_windows(kind, {"without": measured["calm"], "with": measured["abused"],
                             "nginx, without": peer["calm"], "nginx, with": peer["abused"]})
        print_abusers("abusers", measured)
        print_abusers(f"of nginx ({rise(peer):.2f} times)", peer)
        floor, used = measured["memory"]
        self.results.add(kind, measured | {"nginx": peer}, [
            judge("a good client's p99 / that without abusers", rise(measured), 2),
            judge("a good client's requests that were refused, failed or given up", measured["abused"]["lost"], 0),
            judge("memory / its budget", (used - floor) / BUFFER_BYTES, 1)])

    def with_and_without(self, kind: str, server: Server, port: int, period: int, count: int) -> dict:
        """The good client without abusers and with them, what they did, and the memory before and after."""
        calm, floor = self.good(server), resident_bytes(server.pids())
        with load(kind, port, LARGE, period, count) as abusers:
            time.sleep(2 * period / 1_000 + 2)
            abusers.window()
            abused = self.good(server)
            seen = abusers.window()
            memory = resident_bytes(server.pids())
            return {"calm": calm, "abused": abused, "abusers": seen, "memory": [floor, memory],
                    "tcp": tcp_memory()}


def tcp_memory() -> dict:
    """What the kernel holds in all connections, and from where on it throws away what comes, for everybody."""
    page = os.sysconf("SC_PAGE_SIZE")
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    words = next(line for line in lines if line.startswith("TCP:")).split()
    limit = Path("/proc/sys/net/ipv4/tcp_mem").read_text().split()[2]
    return {"bytes": int(words[words.index("mem") + 1]) * page, "limit": int(limit) * page}


def print_abusers(title: str, measured: dict) -> None:
    seen, (floor, used), tcp = measured["abusers"], measured["memory"], measured["tcp"]
    print(f"  {title}: {seen['connected']:,} connected, {seen['connects']:,} connects, {seen['frames']:,} frames; "
          f"memory {floor >> 20:,} -> {used >> 20:,} MiB; TCP in the kernel {tcp['bytes'] >> 20:,} MiB")
    if tcp["bytes"] > tcp["limit"]:
        print(f"  the kernel throws segments away above {tcp['limit'] >> 20:,} MiB (net.ipv4.tcp_mem)")


def rise(measured: dict) -> float:
    """How many times longer the slowest in a hundred take; without end where nothing is served any more."""
    calm, abused = measured["calm"], measured["abused"]
    if calm["served"] == 0 or abused["served"] == 0:
        return float("inf")
    return abused["p99Microseconds"] / calm["p99Microseconds"]


def print_windows(title: str, rows: dict[str, dict]) -> None:
    print()
    table = [(title, "due/s", "served/s", "shed/s", "gave up/s", "unsent/s", "p50 µs", "p99 µs", "max µs", "busy")]
    for name, row in rows.items():
        rates = [f"{row[key] / row['seconds']:,.0f}" for key in ("due", "served", "shed", "gaveUp", "unsent")]
        table.append((name, *rates, f"{row['p50Microseconds']:,}", f"{row['p99Microseconds']:,}",
                      f"{row['maxMicroseconds']:,}", f"{row['busy']:.0%}"))
    print_table(table)


BARS = {"overload": lambda bench: bench.overload()} | {
    kind: lambda bench, kind=kind: bench.abuse(kind)
    for kind in ("slow-heads", "slow-reads", "reset", "continuation", "settings", "ping")}


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter windows: a look, not a result")
    parser.add_argument("--only", type=names_in(list(BARS)), default=list(BARS), metavar="A,B",
                        help=", ".join(BARS))
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench" / "overload.json",
                        help="where the results go")
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    results = Results(machine())
    folder = Path(tempfile.mkdtemp(prefix="penstock-overload-"))
    bench = None
    try:
        if not penstock_binary().is_file():
            raise BenchError(f"no binary at {penstock_binary()}: `make build`, or set PENSTOCK_BINARY")
        if not GATEWAY_CORES | OTHER_CORES <= os.sched_getaffinity(0):
            raise BenchError("this needs two cores")
        descriptors = raise_descriptor_limit(DESCRIPTORS)
        bench = Bench(options, folder, results, descriptors)
        for name, measure in BARS.items():
            if name in options.only:
                measure(bench)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        if bench is not None:
            bench.stop()
        results.write(options.json)
        shutil.rmtree(folder, ignore_errors=True)
    results.print_bars()
    print(f"\nresults: {options.json}")
    return 0 if results.print_summary() else 1


if __name__ == "__main__":
    sys.exit(main())
