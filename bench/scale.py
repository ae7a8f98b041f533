#!/usr/bin/env python3
"""Measures live configuration at 100,000 domains against its bars, and peers beside it. README.md says how."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from domains import activation, batch, changes, cold_start, comparison, files, request_cost
from domains.setup import Setup
from process import BenchError, Server, raise_descriptor_limit
from proxies import REPOSITORY, penstock_binary
from report import Results, judge
from run import machine, names_in

# In this order: memory is measured before anything has changed.
BARS = {
    cold_start.MEMORY: cold_start.run_memory,
    activation.NAME: activation.run,
    files.NAME: files.run,
    batch.NAME: batch.run,
    changes.CHANGES: changes.run_changes,
    changes.MEMORY_AFTER: changes.run_memory_after,
    cold_start.START: cold_start.run_start,
    request_cost.NAME: request_cost.run,
    comparison.NAME: comparison.run,
}
DESCRIPTORS = 8_192


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", type=int, help="default 100,000")
    parser.add_argument("--quick", action="store_true",
                        help="5,000 domains and less of everything: a look, not a result")
    parser.add_argument("--only", type=names_in(list(BARS)), default=list(BARS), metavar="A,B",
                        help=", ".join(BARS))
    parser.add_argument("--peers", type=names_in(list(comparison.PEERS)), default=list(comparison.PEERS),
                        metavar="A,B", help=", ".join(comparison.PEERS))
    parser.add_argument("--sizes", type=sizes, metavar="A,B",
                        help="domains of the comparison with peers, default 1000,20000; 100000 takes an hour")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build" / "bench",
                        help="where stores and configurations are for a run: on the disk that is to be measured")
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench" / "scale.json",
                        help="where the results go")
    options = parser.parse_args()
    options.domains = options.domains or (5_000 if options.quick else 100_000)
    options.sizes = options.sizes or ([1_000] if options.quick else [1_000, 20_000])
    if options.domains < 2_000:
        parser.error("at least 2,000 domains: some are given other certificates while they are served")
    if comparison.NAME in options.only and max(options.sizes) > options.domains + 1_000:
        parser.error("--sizes cannot be above --domains")
    return options


def measure_bar(name: str, measure, setup: Setup) -> None:
    """A bar that cannot be measured is missed, and the others go on."""
    try:
        measure(setup)
    except BenchError as error:
        print(f"\n{name}: {error}", file=sys.stderr)
        setup.results.add(name, {"problem": str(error)}, [judge("measurements that failed", 1, 0)])


def sizes(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def main() -> int:
    options = parse_options()
    results = Results(machine() | {"domains": options.domains})
    options.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=options.folder))
    # Workers are to wait for nobody's share but their own threads'.
    Server.has_own_session = False
    setup = None
    try:
        if not penstock_binary().is_file():
            raise BenchError(f"no binary at {penstock_binary()}: `make build`, or set PENSTOCK_BINARY")
        if len(os.sched_getaffinity(0)) < 2:
            raise BenchError("this needs two cores")
        raise_descriptor_limit(DESCRIPTORS)
        setup = Setup(options, folder, results)
        for name, measure in BARS.items():
            if name in options.only:
                measure_bar(name, measure, setup)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        if setup is not None:
            setup.stop()
        results.write(options.json)
        shutil.rmtree(folder, ignore_errors=True)
    results.print_bars()
    print(f"\nresults: {options.json}")
    return 0 if results.print_summary() else 1


if __name__ == "__main__":
    sys.exit(main())
