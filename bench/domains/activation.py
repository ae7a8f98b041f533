"""Bar 1: from the admin call to the first response with the new certificate.

Two gateways run at once, one with all domains and one with 1,000, and are measured in turn, so that what else
moves on the machine moves both.
"""

from statistics import median

from domains.clients import Probe
from domains.gateway import Gateway, Operations, transaction
from domains.setup import SMALL, Setup, milliseconds, percentile, sync_milliseconds
from report import judge, print_table, print_verdicts

NAME = "activation"
BLOCKS = 6
SAMPLES = 50  # of a block
WARM_UP = 20

P50_MAX = 3.0  # milliseconds
P99_MAX = 10.0
RATIO_MAX = 1.5


def run(setup: Setup) -> None:
    blocks = 2 if setup.options.quick else BLOCKS
    gateways = {SMALL: setup.small, setup.count: setup.large}
    probes = {size: Probe("https", one.tls_port, one.admin_port) for size, one in gateways.items()}
    samples: dict = {(size, mode): [] for size in gateways for mode in ("wait", "poll", "floor")}
    try:
        for size, gateway in gateways.items():
            measure(setup, gateway, probes[size], "poll", WARM_UP)
        for _ in range(blocks):
            for size, gateway in gateways.items():
                samples[size, "floor"] += floor(setup, probes[size], size)
                for mode in ("wait", "poll"):
                    samples[size, mode] += measure(setup, gateway, probes[size], mode, SAMPLES)
    finally:
        for probe in probes.values():
            probe.__exit__()
    report(setup, samples)


def measure(setup: Setup, gateway: Gateway, probe: Probe, mode: str, count: int) -> list[float]:
    """Adds `count` domains one by one, each by one transaction, and removes each again."""
    taken = []
    for number in range(count):
        domain = setup.domains[setup.extra(number)]
        waits = mode == "wait"
        answer = probe.call(domain.host, domain.leaf_digest(), transaction(Operations.add(domain), waits), waits)
        taken.append(answer["nanoseconds"])
        gateway.ask(transaction(Operations.remove(domain), waits=True))
    return taken


def floor(setup: Setup, probe: Probe, size: int) -> list[float]:
    """The same exchange with domains that are there."""
    numbers = range(0, size, size // SAMPLES)
    return [probe.exchange(one.host, one.leaf_digest()) for one in (setup.domains[number] for number in numbers)]


TITLES = {
    "wait": "to the answer (Prefer: wait), then a handshake and a request",
    "poll": "handshakes until one succeeds",
    "floor": "a handshake and a request to a domain that is there",
}


def report(setup: Setup, samples: dict) -> None:
    print(f"\n{NAME}: one more domain (certificate and route in one call), in ms; "
          f"4 KB are durable here after {sync_milliseconds(setup.folder):.2f} ms")
    rows = [("", "domains", "samples", "p50", "p90", "p99", "max")]
    for (size, mode), taken in samples.items():
        rows.append((TITLES[mode], f"{size:,}", str(len(taken)),
                     *(milliseconds(percentile(taken, share)) for share in (0.5, 0.9, 0.99, 1))))
    print_table(rows)
    verdicts = []
    for mode in ("wait", "poll"):
        large, small = samples[setup.count, mode], samples[SMALL, mode]
        verdicts += [
            judge(f"ms, p50 ({mode})", median(large) / 1e6, P50_MAX),
            judge(f"ms, p99 ({mode})", percentile(large, 0.99) / 1e6, P99_MAX),
            judge(f"p50 / that with {SMALL:,} domains ({mode})", median(large) / median(small), RATIO_MAX)]
    print_verdicts(verdicts)
    setup.results.add(NAME, {f"{mode}-{size}": taken for (size, mode), taken in samples.items()}, verdicts)
