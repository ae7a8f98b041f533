"""Bar 2: from an edited file of a directory of 1,000 to the first response of its new route."""

import json
import os
import time

import ready
from domains.clients import PATH, Probe
from domains.setup import Setup, milliseconds, percentile
from process import Server, free_port
from proxies import penstock_binary
from report import judge, print_table, print_verdicts

NAME = "files"
FILES = 1_000
ROUTES = 10  # of a file
EDITS = 200
P99_MAX = 50.0  # milliseconds


def file_text(number: int, edit: int = 0) -> str:
    """A file in which the first route's host depends on the edit."""
    hosts = [f"f{number}-e{edit}.example.com"] + [f"f{number}-{route}.example.com" for route in range(1, ROUTES)]
    lines = ["routes:"]
    for index, host in enumerate(hosts):
        lines.append(f"  - name: f{number}-{index}\n    hosts: [{host}]\n    service: app")
    return "\n".join(lines) + "\n"


def run(setup: Setup) -> None:
    folder, drafts = setup.folder / "files", setup.folder / "files-drafts"
    folder.mkdir()
    drafts.mkdir()
    port = free_port()
    base = {"listeners": [{"name": "web", "address": f"127.0.0.1:{port}"}],
            "services": [{"name": "app", "endpoints": [f"127.0.0.1:{setup.origin('http').port}"]}]}
    (folder / "base.yaml").write_text(json.dumps(base))
    for number in range(FILES):
        (folder / f"f{number:04}.yaml").write_text(file_text(number))
    output = setup.folder / "files-output"
    output.mkdir()
    started = time.monotonic()
    server = Server("penstock", [str(penstock_binary()), "run", "-c", str(folder), "--workers", "2"], output,
                    setup.cores, port)
    try:
        server.wait_until_ready(lambda: ready.status_of("http", port, "f999-e0.example.com", PATH))
        print(f"\n{NAME}: {FILES:,} files of {ROUTES} routes, ready after {time.monotonic() - started:.2f} s")
        taken = edit_files(setup, port, folder, drafts)
    finally:
        server.stop()
    print_table([("edit to first 200, ms", "p50", "p90", "p99", "max"),
                 (f"{len(taken)} edits",
                  *(milliseconds(percentile(taken, share)) for share in (0.5, 0.9, 0.99, 1)))])
    verdicts = [judge("ms, p99", percentile(taken, 0.99) / 1e6, P99_MAX)]
    print_verdicts(verdicts)
    setup.results.add(NAME, {"nanoseconds": taken}, verdicts)


def edit_files(setup: Setup, port: int, folder, drafts) -> list[float]:
    taken = []
    with Probe("http", port, seconds_max=10) as probe:
        for edit in range(1, (40 if setup.options.quick else EDITS) + 1):
            number = edit * 37 % FILES
            draft = drafts / f"{edit}.yaml"
            with open(draft, "w", encoding="ascii") as file:
                file.write(file_text(number, edit))
                file.flush()
                os.fsync(file.fileno())  # so that the rename alone is left
            answer = probe.rename(f"f{number}-e{edit}.example.com", draft, folder / f"f{number:04}.yaml")
            taken.append(answer["nanoseconds"])
    return taken
