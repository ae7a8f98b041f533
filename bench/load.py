"""One burst of load from wrk."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from process import BenchError
from scenarios import Scenario, requested_hosts

SCRIPT = Path(__file__).parent / "lua" / "requests.lua"
WRK_SECONDS_GRACE = 30


@dataclass(frozen=True)
class LoadResult:
    requests: int
    requests_per_second: float
    p50_microseconds: float
    p99_microseconds: float


def run_load(scenario: Scenario, port: int, seconds: int, cores: set[int]) -> LoadResult:
    """Loads `port` for about `seconds`; raises `BenchError` when any request failed."""
    command = [
        shutil.which("wrk") or "wrk", "-t", "1", "-c", str(scenario.connections),
        "-d", f"{seconds}s", "--timeout", "10s", "-s", str(SCRIPT),
        f"http://127.0.0.1:{port}{scenario.path}", "--",
        scenario.method, scenario.path, str(scenario.content_bytes),
        "close" if scenario.close else "keep-alive", *requested_hosts()]
    try:
        output = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + WRK_SECONDS_GRACE, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
    except FileNotFoundError as error:
        raise BenchError("wrk is not installed: scripts/bootstrap bench") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"wrk did not end in {error.timeout} s") from error
    lines = [line[7:] for line in output.stdout.splitlines() if line.startswith("RESULT ")]
    if output.returncode != 0 or not lines:
        raise BenchError(f"wrk failed:\n{output.stdout}{output.stderr}")
    return checked_result(json.loads(lines[-1]))


def checked_result(result: dict) -> LoadResult:
    if result["requests"] == 0 or result["socketErrors"] or result["statusErrors"]:
        raise BenchError(
            f"of {result['requests']} requests, {result['statusErrors']} had a status of 400 or above, "
            f"and there were {result['socketErrors']} socket errors: the figures would mean nothing")
    return LoadResult(
        result["requests"], result["requests"] / result["seconds"],
        result["p50Microseconds"], result["p99Microseconds"])
