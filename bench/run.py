#!/usr/bin/env python3
"""Compares Penstock with nginx, HAProxy and Envoy on this machine. README.md says how and why."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Iterable

import features
import memory
import workers
from certificate import make_certificate
from load import LoadResult, run_load
from measure import cpu_time
from origin import start_origin
from process import BenchError, Server, raise_descriptor_limit
from proxies import NAMES, REPOSITORY, ProxySetup, penstock_binary, start_proxy
from report import Results, Round, print_scenario, scenario_verdicts
from scenarios import IDLE_CONNECTIONS, IDLE_SCENARIOS, SCENARIOS, WORKERS_NAME, Scenario, Work

ALL_NAMES = [scenario.name for scenario in (*SCENARIOS, *IDLE_SCENARIOS)] + [WORKERS_NAME]
# For the idle connections of a proxy, or of their clients, and what else is open.
DESCRIPTORS = IDLE_CONNECTIONS + 4_096


class Bench:
    """One run: the folder, the cores, and the origins and the certificate that all scenarios share."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        self.proxy_cores = {options.proxy_core}
        self.load_cores = {options.load_core}
        self.certificate = make_certificate(folder / "certificate")
        self._folders = 0
        self._origins: dict[str, Server] = {}

    def new_folder(self, name: str) -> Path:
        self._folders += 1
        return self.folder / f"{self._folders:02}-{name}"

    def origin(self, kind: str) -> Server:
        """The origin of this kind, started when it is first needed."""
        if kind not in self._origins:
            self._origins[kind] = start_origin(kind, self.new_folder(f"origin-{kind}"), self.load_cores)
        return self._origins[kind]

    def stop(self) -> None:
        for server in self._origins.values():
            server.stop()

    def start(self, name: str, *, work: Work = Work(), workers: int = 1, access_log: bool = False,
              cores: set[int] | None = None, origin_port: int | None = None) -> Server:
        return start_proxy(name, ProxySetup(
            self.new_folder(name), origin_port or self.origin(work.origin).port, cores or self.proxy_cores,
            self.certificate, work, workers, access_log))

    def load(self, scenario: Scenario, server: Server, seconds: int, cores: set[int]) -> LoadResult:
        return run_load(scenario, server.port, seconds, cores, self.certificate)

    def measure_round(self, scenario: Scenario, targets: list[Server], cores: set[int]) -> Round:
        """Loads every target at once, each with the scenario's connections; a server may be named twice."""
        pids = sorted({pid for server in targets for pid in server.pids()})
        before, start = cpu_time(pids), time.monotonic()
        with ThreadPoolExecutor(len(targets)) as pool:
            loads = list(pool.map(
                lambda server: self.load(scenario, server, self.options.seconds, cores), targets))
        time.sleep(0.05)
        used, seconds = cpu_time(pids).since(before), time.monotonic() - start
        per_request = 1e6 / sum(load.requests for load in loads)
        return Round(
            used.total * per_request, used.user * per_request, used.system * per_request,
            sum(load.requests_per_second for load in loads), highest(load.p50_microseconds for load in loads),
            highest(load.p99_microseconds for load in loads), used.total / seconds)

    def compare(self, scenario: Scenario) -> dict[str, list[Round]]:
        """Rounds of all proxies, each time in another order."""
        servers: dict[str, Server] = {}
        rounds: dict[str, list[Round]] = {name: [] for name in self.options.peers}
        try:
            for name in rounds:
                servers[name] = self.start(name, work=scenario.work, access_log=scenario.access_log)
                self.load(scenario, servers[name], 1, self.load_cores)
            names = list(rounds)
            for _ in range(self.options.rounds):
                for name in names:
                    rounds[name].append(self.measure_round(scenario, [servers[name]], self.load_cores))
                    servers[name].truncate_logs()
                names = names[1:] + names[:1]
        finally:
            for server in servers.values():
                server.stop()
        return rounds


def highest(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else max(known)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", 
                        help="2 rounds of 2 s and 2,000 idle connections: a look, not a result")
    parser.add_argument("--only", type=names_in(ALL_NAMES), default=ALL_NAMES, metavar="A,B",
                        help="scenarios: " + ", ".join(ALL_NAMES))
    parser.add_argument("--peers", type=names_in(NAMES), default=list(NAMES), metavar="A,B",
                        help="proxies: " + ", ".join(NAMES))
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--seconds", type=int, help="of a round, default 4")
    parser.add_argument("--proxy-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench" / "results.json",
                        help="where the results go")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 4)
    options.idle_connections = 2_000 if options.quick else IDLE_CONNECTIONS
    return options


def names_in(known):
    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
        return names
    return parse


def check_machine(options: argparse.Namespace) -> None:
    cores = os.sched_getaffinity(0)
    if not {options.proxy_core, options.load_core} <= cores or options.proxy_core == options.load_core:
        raise BenchError(
            f"proxies and load need a core each of their own; this process may use {sorted(cores)}")
    if "penstock" in options.peers and not penstock_binary().is_file():
        raise BenchError(f"no binary at {penstock_binary()}: `make build`, or set PENSTOCK_BINARY")
    if raise_descriptor_limit(2 * DESCRIPTORS) < DESCRIPTORS:
        raise BenchError("too few file descriptors: raise the hard limit (ulimit -Hn)")
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"note: the load average is {busy:.1f}; other work on this machine shows in the figures")


def machine() -> dict:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def check_features(bench: Bench) -> None:
    """For each kind of work among the chosen scenarios, that every proxy does all of it."""
    chosen = [one for one in (*SCENARIOS, *IDLE_SCENARIOS) if one.name in bench.options.only]
    for work in dict.fromkeys(one.work for one in chosen):
        for name in bench.options.peers:
            features.check(name, work, bench.start, bench.new_folder(f"check-{name}"))


def run_scenarios(bench: Bench, results: Results) -> None:
    check_features(bench)
    for scenario in SCENARIOS:
        if scenario.name in bench.options.only:
            rounds = bench.compare(scenario)
            verdicts = scenario_verdicts(scenario, rounds)
            print_scenario(f"{scenario.name}: {scenario.title}", rounds, verdicts)
            measured = {name: [asdict(one) for one in of_proxy] for name, of_proxy in rounds.items()}
            results.add(scenario.name, measured, verdicts)
    for scenario in IDLE_SCENARIOS:
        if scenario.name in bench.options.only:
            memory.run(bench, scenario, results)
    if WORKERS_NAME in bench.options.only:
        workers.run(bench, results)


def main() -> int:
    options = parse_options()
    results = Results(machine())
    # Access logs go here: in memory where there is such a place, so that no disk is measured.
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="penstock-bench-", dir=parent))
    bench = None
    try:
        check_machine(options)
        os.sched_setaffinity(0, {options.load_core})
        bench = Bench(options, folder)
        run_scenarios(bench, results)
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
    print(f"\nresults: {options.json}")
    return 0 if results.print_summary() else 1


if __name__ == "__main__":
    sys.exit(main())
