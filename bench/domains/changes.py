"""Bar 6: 1,000 single changes a second under load. Bar 8: memory after 100,000 of them."""

import time
from dataclasses import asdict
from statistics import median

from domains.clients import Calls, Window, write_calls
from domains.gateway import Gateway, Operations, call, certificate, route, transaction
from domains.setup import Setup
from domains.steady import lost, print_windows, steady_load, windows
from report import judge, print_table, print_verdicts

CHANGES = "changes"
MEMORY_AFTER = "memory-after-changes"

RATE = 1_000
SECONDS = 30
WINDOW_SECONDS = 3
QUIET_WINDOWS = 5  # before the changes, and after them
CONNECTIONS = 16  # to the admin address
CYCLE = 500  # of each kind of change in the file of calls
P99_RATIO_MAX = 1.5

MANY = 100_000
MANY_RATE = 5_000  # as fast as they are answered: this is more than that
MANY_CYCLE = 5_000
MANY_SECONDS_MAX = 600
MEMORY_RATIO_MAX = 1.05


def mixed_calls(setup: Setup) -> list[bytes]:
    """In turn: a new route, another service for a route, another certificate, a route less.

    Run through twice, everything is as it was: services and certificates go back and forth.
    """
    calls = []
    for turn in range(2):
        for number in range(CYCLE):
            domain, extra = setup.domains[number], f"extra-{number}"
            changed = setup.domains.alternate(number) if turn == 0 else domain
            # A service that is changed under load, too: the domain that the load asks for is the first.
            service = "app-two" if turn == 0 else "app"
            calls += [
                call("PUT", f"/v1/routes/{extra}", route(f"{extra}.example.com", "app")),
                call("PUT", f"/v1/routes/{domain.name}", route(domain.host, service)),
                call("PUT", f"/v1/certificates/{domain.name}", certificate(changed)),
                call("DELETE", f"/v1/routes/{extra}"),
            ]
    return spread_apart(calls)


def spread_apart(calls: list[bytes]) -> list[bytes]:
    """Moves each removal behind the next hundred calls: those on the wire at one time are not about one route."""
    delayed = 25
    removals = calls[3::4]
    shifted = removals[-delayed:] + removals[:-delayed]
    ordered = []
    for index in range(0, len(calls), 4):
        ordered += calls[index:index + 3]
        removal = shifted[index // 4]
        if index // 4 >= delayed:
            ordered.append(removal)
    return ordered + removals[-delayed:]


def run_changes(setup: Setup) -> None:
    """Latency is compared by windows of a few seconds: what else the machine does falls into some of them."""
    gateway, other = setup.large, setup.small
    file = setup.folder / "changes.calls"
    write_calls(file, mixed_calls(setup))
    seconds, quiet = (9, 2) if setup.options.quick else (SECONDS, QUIET_WINDOWS)
    phases: dict[str, list[list[Window]]] = {"without": [], "changes": [], "elsewhere": []}
    with steady_load(gateway, setup.domains[0].host) as loads:
        def change(one: Gateway, phase: str) -> Window:
            with Calls(file, one.admin_port, seconds * RATE, CONNECTIONS, RATE) as running:
                begun = time.monotonic()
                while running.is_running() and time.monotonic() - begun < 4 * seconds:
                    phases[phase].append(next_windows(loads))
                answered = running.wait(5)
            windows(loads)
            return answered

        phases["without"] += [next_windows(loads) for _ in range(quiet)]
        answered = change(gateway, "changes")
        phases["without"] += [next_windows(loads) for _ in range(quiet)]
        change(other, "elsewhere")
        names = [load.name for load in loads]
    report_changes(setup, names, phases, answered)


def next_windows(loads: list) -> list[Window]:
    time.sleep(WINDOW_SECONDS)
    return windows(loads)


def together(found: list[Window]) -> Window:
    """Sums, and medians of the percentiles."""
    sums = {name: sum(getattr(one, name) for one in found) for name in ("requests", "failed", "cut", "refused")}
    middle = {name: int(median(getattr(one, name) for one in found))
              for name in ("p50Microseconds", "p99Microseconds", "p999Microseconds")}
    return Window(**sums, **middle, open=found[-1].open, seconds=sum(one.seconds for one in found),
                  maxMicroseconds=max(one.maxMicroseconds for one in found))


def report_changes(setup: Setup, names: list[str], phases: dict, answered: Window) -> None:
    print(f"\n{CHANGES}: {answered.requests:,} single changes in {answered.seconds:.1f} s "
          f"({answered.requests / answered.seconds:,.0f} a second), answered after p50 "
          f"{answered.p50Microseconds / 1e3:.1f} ms, p99 {answered.p99Microseconds / 1e3:.1f} ms; "
          f"percentiles are medians of {WINDOW_SECONDS} s")
    rows = {(name, phase): together([found[index] for found in phases[phase]])
            for index, name in enumerate(names) for phase in phases}
    print_windows("load", rows)
    offered = answered.requests / RATE
    verdicts = [
        judge("failed requests, cut or refused connections", lost(list(rows.values())), 0),
        judge(f"s until {answered.requests:,} changes are answered", answered.seconds, offered * 1.02)]
    verdicts += [
        judge(f"p99 / that without changes ({name})",
              rows[name, "changes"].p99Microseconds / rows[name, "without"].p99Microseconds, P99_RATIO_MAX)
        for name in names]
    print_verdicts(verdicts)
    measured = {f"{name}-{phase}": asdict(window) for (name, phase), window in rows.items()}
    setup.results.add(CHANGES, measured | {"calls": asdict(answered)}, verdicts)


def run_memory_after(setup: Setup) -> None:
    """Domains come and go, some thousands at a time, so that at the end there are those of the beginning."""
    gateway = setup.large
    file = setup.folder / "memory.calls"
    domains = [setup.domains[setup.extra(number)] for number in range(MANY_CYCLE)]
    write_calls(file, [transaction(Operations.add(domain)) for domain in domains]
                + [transaction(Operations.remove(domain)) for domain in domains])
    count = 20_000 if setup.options.quick else MANY
    before = gateway.resident()
    with Calls(file, gateway.admin_port, count, CONNECTIONS, MANY_RATE) as calls:
        answered = calls.wait(MANY_SECONDS_MAX)
    after = gateway.resident()
    print(f"\n{MEMORY_AFTER}: {count:,} changes, each a domain more or a domain less, "
          f"{answered.requests / answered.seconds:,.0f} a second")
    print_table([("", "MB"), ("before", f"{before / 1e6:.1f}"), ("after", f"{after / 1e6:.1f}")])
    verdicts = [judge("memory / that before", after / before, MEMORY_RATIO_MAX)]
    print_verdicts(verdicts)
    setup.results.add(MEMORY_AFTER, {"before": before, "after": after, "calls": asdict(answered)}, verdicts)
