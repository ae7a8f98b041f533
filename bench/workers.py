"""The scenario of two workers: whether a request costs more when a second worker shares the process.

Two busy workers, an origin and the load do not fit on two cores of their own, so here everything may run on
both cores, in every setup. What two workers cost each other is then seen against two processes of one worker
each: as many threads for the same cores, and nothing that they could share.
"""

import os
from dataclasses import asdict, replace

from report import Results, Round, judge, paired_ratio, print_scenario
from scenarios import SCENARIOS, WORKERS_DIFFERENCE_MAX, WORKERS_NAME

SETUPS = {"1 worker": (1, 1), "2 workers": (1, 2), "2 processes": (2, 1)}  # processes, workers of each


def run(bench, results: Results) -> None:
    for name in bench.options.peers:
        if name not in ("penstock", "nginx"):
            continue
        rounds = compare(bench, name)
        verdicts = []
        if name == "penstock":
            limit = 1 + WORKERS_DIFFERENCE_MAX
            verdicts = [judge("CPU of 2 workers / 1 worker's",
                              paired_ratio(rounds["2 workers"], rounds["1 worker"]), limit)]
        print_scenario(f"{WORKERS_NAME}: {name}, everything on both cores", rounds, verdicts)
        measured = {setup: [asdict(one) for one in of_setup] for setup, of_setup in rounds.items()}
        results.add(f"{WORKERS_NAME}-{name}", measured, verdicts)


def compare(bench, name: str) -> dict[str, list[Round]]:
    cores = bench.proxy_cores | bench.load_cores
    rounds: dict[str, list[Round]] = {setup: [] for setup in SETUPS}
    servers: dict[str, list] = {}
    move(bench.origin("http").pids(), cores)
    try:
        for setup, (processes, workers) in SETUPS.items():
            servers[setup] = []
            for _ in range(processes):
                servers[setup].append(bench.start(name, workers=workers, cores=cores))
        setups = list(SETUPS)
        for _ in range(bench.options.rounds):
            for setup in setups:
                rounds[setup].append(measure(bench, servers[setup], cores))
            setups = setups[1:] + setups[:1]
    finally:
        for group in servers.values():
            for server in group:
                server.stop()
        move(bench.origin("http").pids(), bench.load_cores)
    return rounds


def measure(bench, servers: list, cores: set[int]) -> Round:
    """The same number of connections and of load threads, whether they go to one process or to two."""
    scenario = replace(SCENARIOS[0], connections=SCENARIOS[0].connections // 2)
    targets = [servers[0], servers[-1]]
    return bench.measure_round(scenario, targets, cores)


def move(pids: list[int], cores: set[int]) -> None:
    for pid in pids:
        os.sched_setaffinity(pid, cores)
