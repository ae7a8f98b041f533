#!/usr/bin/env python3
"""Measures what hmac-auth and jwt-auth cost beside the bare check of OpenSSL. README.md says how.

Needs PyJWT and cryptography (scripts/bootstrap test): run it with build/venv/bin/python3.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "Tests" / "Scenarios"))

import plugins as bench
from load import run_to_result
from measure import cpu_time
from process import BenchError, raise_descriptor_limit
from programs import find_program
from proxies import REPOSITORY
from report import Results, judge, print_table, print_verdicts
from run import machine
from support.signing import date, kong
from support.tokens import SigningKey, shared_token, soon

SCRIPT = Path(__file__).parent / "lua" / "fields.lua"
SECRET = "a-secret-of-thirty-two-characters"
HMAC_MICROSECONDS_MAX = 3.0
# Of the bare check.
VERIFICATION_MAX = 1.15


@dataclass(frozen=True)
class Case:
    name: str
    plugin: dict
    credentials: dict
    lines: list[str]
    # Microseconds of the check alone; None: the bar is of another kind.
    bare: float | None


def speed(*arguments: str) -> str:
    """What `openssl speed` prints for one second of each."""
    return subprocess.run([find_program("openssl"), "speed", "-seconds", "1", "-mr", *arguments], capture_output=True,
                          text=True, check=True).stdout


def bare_hmac(size: int) -> float:
    """Bytes a second are what it prints."""
    [rate] = re.findall(r"^\+?F:\d+:hmac[^:]*:([\d.]+)", speed("-hmac", "sha256", "-bytes", str(size)), re.M)
    return size / float(rate) * 1e6


def bare_verification(name: str) -> float:
    """Signatures and checks a second are what it prints."""
    [rate] = re.findall(r"^\+?F[246]:\d+:\d+(?::[A-Za-z]\w*)?:[\d.]+:([\d.]+)$", speed(name), re.M)
    return 1e6 / float(rate)


def cases() -> list[Case]:
    claims = {"exp": soon(86_400), "iat": soon(0), "sub": "9f1c2a4e-77a0", "aud": "shop", "name": "Anna Example"}
    fields = [("Date", date())]
    signed = kong("GET", bench.PATH, fields, "date request-line", secret=SECRET)
    found = [Case("hmac-auth", {"hmac-auth": {"clockSkew": "1d"}}, {"hmac-auth": [{"username": "alice", "secret": SECRET}]},
                  [f"Date: {fields[0][1]}", f"Authorization: {signed}"], None)]
    token = shared_token(SECRET, iss="alice", **claims)
    found.append(Case("jwt-auth HS256", {"jwt-auth": {}}, {"jwt-auth": [{"key": "alice", "secret": SECRET}]},
                      [f"Authorization: Bearer {token}"], bare_hmac(len(token.rsplit(".", 1)[0]))))
    for algorithm, name in (("RS256", "rsa2048"), ("ES256", "ecdsap256"), ("EdDSA", "ed25519")):
        key = SigningKey(algorithm)
        credential = {"key": "alice", "algorithm": algorithm, "publicKey": key.pem}
        found.append(Case(f"jwt-auth {algorithm}", {"jwt-auth": {}}, {"jwt-auth": [credential]},
                          [f"Authorization: Bearer {key.token(iss='alice', **claims)}"], bare_verification(name)))
    return found


def cost(setup: bench.Setup, server, file: Path, seconds: float) -> bench.Cost:
    pids = server.pids()
    before = cpu_time(pids)
    result = run_to_result(
        [find_program("wrk"), "-t", "1", "-c", str(bench.CONNECTIONS), "-d", f"{seconds}s", "-s", str(SCRIPT),
         f"http://127.0.0.1:{server.port}{bench.PATH}", "--", bench.PATH, str(file)], int(seconds) + 1, {setup.load_core})
    time.sleep(0.05)
    used = cpu_time(pids).since(before)
    if result["statusErrors"] or result["socketErrors"] or not result["requests"]:
        raise BenchError(f"requests to {server.folder.name} failed, the figures would mean nothing: {result}")
    return bench.Cost(used.total * 1e6 / result["requests"], used.user * 1e6 / result["requests"])


def measure(setup: bench.Setup) -> None:
    rows = [("plugin", "CPU µs/request", "more user time", "bare check", "beside it")]
    verdicts = []
    for number, case in enumerate(cases()):
        file = setup.folder / f"fields-{number}"
        file.write_text("\n".join(case.lines) + "\n")
        consumers = [{"name": "alice", "credentials": case.credentials}]
        plain = [{"name": "plain", "hosts": ["plain.bench.test", "h0.bench.test"], "service": "app"}]
        with_plugin = [{"name": "plain", "hosts": ["plain.bench.test"], "service": "app"},
                       {"name": "one", "hosts": ["h0.bench.test"], "service": "app", "plugins": case.plugin}]
        without, server = (setup.penstock(f"{kind}-{number}", routes, consumers=consumers)
                           for kind, routes in (("without", plain), ("with", with_plugin)))
        seconds = 1 if setup.options.quick else 2
        pairs = [(cost(setup, without, file, seconds), cost(setup, server, file, seconds))
                 for _ in range(3 if setup.options.quick else 7)][1:]
        more = median(a.user - b.user for b, a in pairs)
        rows.append((case.name, f"{median(a.total for _, a in pairs):.2f}", f"{more:+.2f}",
                     "" if case.bare is None else f"{case.bare:.2f}",
                     "" if case.bare is None else f"{more - case.bare:+.2f}"))
        if case.bare is None:
            verdicts.append(judge(f"µs of user time that {case.name} adds", more, HMAC_MICROSECONDS_MAX))
        else:
            verdicts.append(judge(f"{case.name}, in bare checks", more / case.bare, VERIFICATION_MAX))
        without.stop()
        server.stop()
    print("\nsignatures: keep-alive, 100-byte response, one worker; bare checks are openssl speed's")
    print_table(rows)
    print_verdicts(verdicts)
    setup.results.add("signatures", {row[0]: list(row[1:]) for row in rows[1:]}, verdicts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: a look, not a result")
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench" / "signatures.json",
                        help="where the results go")
    options = parser.parse_args()
    results = Results(machine())
    folder = Path(tempfile.mkdtemp(prefix="signatures-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        raise_descriptor_limit(bench.DESCRIPTORS)
        with ExitStack() as stack:
            measure(bench.Setup(folder, options, results, stack))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    finally:
        results.write(options.json)
        shutil.rmtree(folder, ignore_errors=True)
    results.print_bars()
    return 0 if results.print_summary() else 1


if __name__ == "__main__":
    sys.exit(main())
