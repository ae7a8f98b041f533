"""The scenarios of idle connections: resident bytes that each adds to a fresh proxy."""

import time
from dataclasses import replace

from idle import IdleClients, IdleTLSClients
from load import run_load
from measure import resident_bytes
from process import BenchError
from proxies import connections_max
from report import Results, judge, print_table, print_verdicts
from scenarios import SCENARIOS, IdleScenario

SETTLE_SECONDS = 3


def idle_bytes(bench, scenario: IdleScenario, name: str) -> dict:
    """Before and after `idle_connections` (fewer where the proxy accepts fewer) have had a response each."""
    count = min(bench.options.idle_connections, connections_max(name))
    server = bench.start(name, work=scenario.work)
    try:
        # What the first requests allocate once is not the connections' own.
        run_load(replace(SCENARIOS[0], work=scenario.work), server.port, 1, bench.load_cores, bench.certificate)
        time.sleep(1)
        pids = server.pids()
        before = resident_bytes(pids)
        clients = (IdleTLSClients if scenario.work.has_tls else IdleClients)(server.port, count)
        try:
            time.sleep(SETTLE_SECONDS)
            after = resident_bytes(pids)
            still_open = clients.open_count()
        finally:
            clients.close()
    finally:
        server.stop()
    if still_open < count:
        raise BenchError(f"{name} closed {count - still_open} of {count} idle connections")
    return {"connections": still_open, "before": before, "after": after,
            "perConnection": (after - before) / still_open}


def run(bench, scenario: IdleScenario, results: Results) -> None:
    measured = {name: idle_bytes(bench, scenario, name) for name in bench.options.peers}
    print(f"\n{scenario.name}: {bench.options.idle_connections:,} {scenario.title}")
    print_table([("proxy", "connections", "bytes/connection", "resident before", "resident after")] + [
        (name, f"{m['connections']:,}", f"{m['perConnection']:,.0f}", f"{m['before'] / 1e6:.1f} MB",
         f"{m['after'] / 1e6:.1f} MB")
        for name, m in measured.items()])
    value = measured["penstock"]["perConnection"] if "penstock" in measured else None
    verdicts = [judge("bytes per idle connection", value, scenario.bytes_max)]
    print_verdicts(verdicts)
    results.add(scenario.name, measured, verdicts)
