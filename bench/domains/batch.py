"""Bar 7: one transaction with 10,000 new domains: until the last is served, and how long workers pause."""

import time
from dataclasses import asdict

from domains.clients import Probe, SteadyLoad
from domains.gateway import STEADY_HOST, Operations, transaction
from domains.setup import BURST, Setup
from domains.steady import lost, print_windows
from report import judge, print_table, print_verdicts

NAME = "batch"
ROUNDS = 3
SECONDS_MAX = 2.0
PAUSE_MAX = 5.0  # milliseconds
# Connections are spread over the workers by the kernel: of so many, each worker has some, and each worker is
# asked about a thousand times a second.
CONNECTIONS, RATE = 32, 2_000
# Longest time that a worker took to apply a slice, in seconds, as the gateway itself measures it.
PAUSE_METRIC = "penstock_worker_change_pause_seconds_max"


def run(setup: Setup) -> None:
    gateway = setup.large
    numbers = range(setup.extra(0), setup.extra(BURST))
    operations = [operation for number in numbers for operation in Operations.add(setup.domains[number])]
    # The answer says that every worker serves the batch: the first exchange after it must succeed.
    request = transaction(operations, waits=True)
    removal = transaction(
        [operation for number in numbers for operation in Operations.remove(setup.domains[number])], waits=True)
    last = setup.domains[numbers[-1]]
    taken, phases = [], {}
    with Probe("https", gateway.tls_port, gateway.admin_port, seconds_max=60) as probe, \
            SteadyLoad("http1", STEADY_HOST, gateway.port, CONNECTIONS, RATE) as load:
        time.sleep(2)
        load.window()
        for number in range(1 if setup.options.quick else ROUNDS):
            time.sleep(3)
            phases["http1", f"{number + 1}: before"] = load.window()
            taken.append(probe.call(last.host, last.leaf_digest(), request, waits=True)["nanoseconds"] / 1e9)
            phases["http1", f"{number + 1}: batch"] = load.window()
            check(setup, probe, numbers)
            load.window()
            gateway.ask(removal)
            phases["http1", f"{number + 1}: removal"] = load.window()
    report(setup, taken, phases, gateway.metric(PAUSE_METRIC))


def check(setup: Setup, probe: Probe, numbers: range) -> None:
    for number in numbers[::500]:
        domain = setup.domains[number]
        probe.exchange(domain.host, domain.leaf_digest())


def report(setup: Setup, taken: list[float], phases: dict, pauses: list[float]) -> None:
    print(f"\n{NAME}: {BURST:,} new domains in one transaction; the last one served after "
          + ", ".join(f"{one:.2f} s" for one in taken))
    print_windows(f"{RATE:,} requests a second", phases)
    longest = max(window.maxMicroseconds for (_, phase), window in phases.items() if "before" not in phase) / 1e3
    quiet = max(window.maxMicroseconds for (_, phase), window in phases.items() if "before" in phase) / 1e3
    inside = max(pauses) * 1e3 if pauses else None
    print_table([("longest", "ms"),
                 ("pause of a worker, by its own clock", "" if inside is None else f"{inside:.2f}"),
                 ("response during a batch, from outside", f"{longest:.2f}"),
                 ("response without one", f"{quiet:.2f}")])
    verdicts = [
        judge("s until the last domain is served, the slowest", max(taken), SECONDS_MAX),
        judge("ms, longest pause of a worker" + ("" if pauses else " (as clients saw it, waiting included)"),
              longest if inside is None else inside, PAUSE_MAX),
        judge("failed requests, cut or refused connections", lost(list(phases.values())), 0)]
    print_verdicts(verdicts)
    measured = {phase: asdict(window) for (_, phase), window in phases.items()}
    setup.results.add(NAME, measured | {"seconds": taken, "pauseMilliseconds": inside}, verdicts)
