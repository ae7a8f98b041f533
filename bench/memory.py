"""The scenario of idle connections: resident bytes that each adds to a fresh proxy."""

import time

from idle import IdleClients
from load import run_load
from measure import resident_bytes
from process import BenchError
from proxies import connections_max
from report import Results, judge, print_table, print_verdicts
from scenarios import IDLE_BYTES_MAX, IDLE_NAME, SCENARIOS

SETTLE_SECONDS = 3


def idle_bytes(bench, name: str) -> dict:
    """Before and after `idle_connections` (fewer where the proxy accepts fewer) have had a response each."""
    count = min(bench.options.idle_connections, connections_max(name))
    server = bench.start(name)
    try:
        # What the first requests allocate once is not the connections' own.
        run_load(SCENARIOS[0], server.port, 1, bench.load_cores)
        time.sleep(1)
        pids = server.pids()
        before = resident_bytes(pids)
        clients = IdleClients(server.port, count)
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


def run(bench, results: Results) -> None:
    measured = {name: idle_bytes(bench, name) for name in bench.options.peers}
    print(f"\n{IDLE_NAME}: {bench.options.idle_connections:,} idle keep-alive connections")
    print_table([("proxy", "connections", "bytes/connection", "resident before", "resident after")] + [
        (name, f"{m['connections']:,}", f"{m['perConnection']:,.0f}", f"{m['before'] / 1e6:.1f} MB",
         f"{m['after'] / 1e6:.1f} MB")
        for name, m in measured.items()])
    value = measured["penstock"]["perConnection"] if "penstock" in measured else None
    verdicts = [judge("bytes per idle connection", value, IDLE_BYTES_MAX)]
    print_verdicts(verdicts)
    results.add(IDLE_NAME, measured, verdicts)
