"""Bar 5: CPU per request with all domains, against the same with one."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from domains.clients import PATH
from domains.gateway import Gateway
from domains.setup import Setup
from load import run_to_result
from measure import cpu_time
from process import BenchError
from programs import find_program
from report import judge, print_table, print_verdicts

NAME = "requests"
SCRIPT = Path(__file__).parent.parent / "lua" / "domains.lua"
CONNECTIONS = 64
ROUNDS = 9
SECONDS = 4
RATIO_MAX = 1.05


@dataclass(frozen=True)
class Cost:
    cpu_microseconds: float
    requests_per_second: float


def run(setup: Setup) -> None:
    """One worker with a core of its own, as in the other benchmarks; load and origin have the other."""
    load_core, gateway_core = sorted(setup.cores)[:2]
    many = setup.gateway("requests-many", workers=1, cores={gateway_core})
    one = setup.gateway("requests-one", workers=1, cores={gateway_core})
    setup.large.stop()
    setup.large.copy_store(many)
    setup.large.start()
    sizes = {1: one.start(), setup.count: many.start()}
    one.fill(setup.domains, range(1))
    rounds: dict[int, list[Cost]] = {size: [] for size in sizes}
    order = list(sizes)
    for size in order:
        measure(sizes[size], size, 2, {load_core})
    for _ in range(3 if setup.options.quick else ROUNDS):
        for size in order:
            rounds[size].append(measure(sizes[size], size, SECONDS, {load_core}))
        order.reverse()
    one.stop()
    many.stop()
    report(setup, rounds)


def measure(gateway: Gateway, domains: int, seconds: int, cores: set[int]) -> Cost:
    pids = gateway.server.pids()
    before = cpu_time(pids)
    result = run_to_result(
        [find_program("wrk"), "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--timeout", "10s",
         "-s", str(SCRIPT), f"http://127.0.0.1:{gateway.port}{PATH}", "--", PATH, str(domains)],
        seconds, cores)
    time.sleep(0.05)
    used = cpu_time(pids).since(before)
    if result["statusErrors"] or result["socketErrors"] or not result["requests"]:
        raise BenchError(f"requests failed, the figures would mean nothing: {result}")
    return Cost(used.total * 1e6 / result["requests"], result["requests"] / result["seconds"])


def report(setup: Setup, rounds: dict[int, list[Cost]]) -> None:
    print(f"\n{NAME}: keep-alive, 100-byte response, each request for another domain, one worker")
    rows = [("domains", "CPU µs/request", "lowest-highest", "requests/s")]
    for size, costs in rounds.items():
        cpu = [cost.cpu_microseconds for cost in costs]
        rows.append((f"{size:,}", f"{median(cpu):.2f}", f"{min(cpu):.2f}-{max(cpu):.2f}",
                     f"{median(cost.requests_per_second for cost in costs):,.0f}"))
    print_table(rows)
    ratio = median(a.cpu_microseconds / b.cpu_microseconds
                   for a, b in zip(rounds[setup.count], rounds[1], strict=True))
    verdicts = [judge("CPU / that with one domain", ratio, RATIO_MAX)]
    print_verdicts(verdicts)
    measured = {str(size): [vars(cost) for cost in costs] for size, costs in rounds.items()}
    setup.results.add(NAME, measured, verdicts)
