#!/usr/bin/env python3
"""Measures what is left for good clients when there is too much load, and when others abuse the gateway.

One worker has a core of its own; the load, the abusers and the origins share another. What they do there must
not be what is measured: abusers run only when nobody else wants the core, which is never idle, with abusers or
without, since virtual machines are served differently then. So that one core makes twice the load that the gateway
can take, each request costs it a search through many regular expressions.
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

import ready
from measure import cpu_time, resident_bytes
from origin import user_directive
from process import BenchError, Server, free_port, raise_descriptor_limit
from programs import built_tool, find_program
from proxies import REPOSITORY, penstock_binary
from report import Results, judge, print_table
from run import machine, names_in

GATEWAY_CORES, OTHER_CORES = {0}, {1}
SMALL, LARGE = "/small", "/large"
LARGE_BYTES = 1 << 20
BUFFER_BYTES = 512 << 20
DESCRIPTORS = 65_536
SLOW_CLIENTS = 10_000
SLOW_PERIOD_MILLISECONDS = 5_000
FLOOD_CLIENTS = 100
# For the origin that only abusers use.
WHEN_IDLE = ["chrt", "--idle", "0"]
# An abuser that is cut off comes again ten times in a second.
FLOOD_PAUSE_MILLISECONDS = 100
GOOD_CLIENTS = 64
GOOD_RATE = 1_000
WINDOWS = 7
OVERLOAD_CLIENTS = 4_000
# Their requests are the capacity: as many as admission control leaves alone. A few dozen would all be in the
# CPU's caches, which the connections of 4,000 are not.
CAPACITY_CLIENTS = 500
# Paths of a route of the good client's host, which no request has, and which are tried before the one that it has.
EXPRESSIONS = 300

ORIGIN = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 65536;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 30000; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  send_timeout 3600s;
  server {{
    listen 127.0.0.1:{port} backlog=16384 sndbuf=16k;
    root {folder};
    location = /large {{ }}
  }}
}}
"""


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


def start_small_origin(folder: Path) -> Server:
    """Cheaper than any proxy, or it would be the bottleneck."""
    folder.mkdir()
    port = free_port()
    server = Server("origin", [built_tool("overload_load"), "origin", str(port)], folder, OTHER_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", SMALL))
    return server


def start_large_origin(folder: Path) -> Server:
    folder.mkdir()
    port = free_port()
    (folder / "large").write_bytes(b"x" * LARGE_BYTES)
    (folder / "nginx.conf").write_text(
        ORIGIN.format(folder=folder, port=port, user=user_directive()))
    command = [*WHEN_IDLE, find_program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]
    server = Server("origin (large)", command, folder, OTHER_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", LARGE))
    return server


def start_gateway(folder: Path, small: Server, large: Server) -> Server:
    """The defaults, but for limits of the service that is to hold all that the abusers ask for."""
    folder.mkdir()
    port, admin_port = free_port(), free_port()
    many = 4 * SLOW_CLIENTS
    (folder / "penstock.json").write_text(json.dumps({
        "listeners": [{"name": "web", "address": f"127.0.0.1:{port}", "connections": "none"}],
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "http": {"limits": {"bufferBytes": f"{BUFFER_BYTES >> 20}MiB", "connectionsPerAddress": "none"}},
        "services": [{"name": "small", "endpoints": [f"127.0.0.1:{small.port}"]},
                     {"name": "large", "endpoints": [f"127.0.0.1:{large.port}"],
                      "limits": {"connections": many, "inFlight": many, "pending": many}}],
        "routes": [{"name": "small", "service": "small"},
                   {"name": "large", "match": [{"path": LARGE}], "service": "large"},
                   {"name": "costly", "service": "small", "hosts": ["bench.test"], "match": [
                       {"path": {"regex": f"/[a-z]+/{number}"}} for number in range(EXPRESSIONS)]}]}))
    command = [str(penstock_binary()), "run", "-c", str(folder / "penstock.json"), "--workers", "1"]
    server = Server("penstock", command, folder, GATEWAY_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", SMALL))
    return server


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path, results: Results, descriptors: int):
        # The gateway has two for each client that reads slowly.
        self.slow_clients = {"slow-heads": min(SLOW_CLIENTS, descriptors - 500),
                             "slow-reads": min(SLOW_CLIENTS, (descriptors - 500) // 2)}
        self.seconds, self.window_seconds = (4, 1) if options.quick else (15, 2.5)
        self.results = results
        self.origins = [start_small_origin(folder / "small"), start_large_origin(folder / "large")]
        self.gateway = start_gateway(folder / "gateway", *self.origins)

    def stop(self) -> None:
        self.gateway.stop()
        for origin in self.origins:
            origin.stop()

    def measure(self, running: Load, seconds: float, settle: float = 0) -> dict:
        """A window of a load that has settled."""
        time.sleep(settle)
        running.window()
        before, began = cpu_time(self.gateway.pids()), time.monotonic()
        time.sleep(seconds)
        window = running.window()
        used = cpu_time(self.gateway.pids()).since(before).total
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

    def good(self) -> dict:
        """Of several windows the one whose p99 is in the middle: most have no pause of the machine's own."""
        with load("open", self.gateway.port, SMALL, GOOD_RATE, GOOD_CLIENTS) as running:
            time.sleep(1)
            windows = [self.measure(running, self.window_seconds) for _ in range(WINDOWS)]
        by_latency = sorted(windows, key=lambda window: window["p99Microseconds"])
        lost = {key: sum(window[key] for window in windows) for key in ("shed", "failed", "gaveUp")}
        return by_latency[WINDOWS // 2] | {"lost": sum(lost.values())}

    def abuse(self, kind: str) -> None:
        """What a good client feels of abusers, and what memory they take."""
        with load("spin", 1, "/", 1, 1):
            self.abuse_busily(kind)

    def abuse_busily(self, kind: str) -> None:
        calm, floor = self.good(), resident_bytes(self.gateway.pids())
        is_slow = kind.startswith("slow")
        rate = SLOW_PERIOD_MILLISECONDS if is_slow else FLOOD_PAUSE_MILLISECONDS
        count = self.slow_clients.get(kind, FLOOD_CLIENTS)
        with load(kind, self.gateway.port, LARGE, rate, count) as abusers:
            time.sleep(2 * rate / 1_000 + 2)
            abusers.window()
            abused = self.good()
            seen = abusers.window()
            memory = resident_bytes(self.gateway.pids())
        if is_slow and seen["connected"] < count * 0.8:
            raise BenchError(f"only {seen['connected']} of {count} abusers were connected")
        print_windows(kind, {"without": calm, "with": abused})
        print(f"  abusers: {seen['connected']:,} connected, {seen['connects']:,} connects, "
              f"{seen['frames']:,} frames; memory {floor >> 20:,} -> {memory >> 20:,} MiB")
        self.results.add(kind, {"calm": calm, "abused": abused, "abusers": seen, "memory": [floor, memory]}, [
            judge("a good client's p99 / that without abusers",
                  abused["p99Microseconds"] / calm["p99Microseconds"], 2),
            judge("a good client's requests that were refused, failed or given up",
                  abused["lost"], 0),
            judge("memory / its budget", (memory - floor) / BUFFER_BYTES, 1)])
        # What the abusers have left behind must be gone before the next.
        time.sleep(1)


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
