"""One burst of load: from wrk, from h2load, or from a program of `tools/`."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from certificate import Certificate
from process import BenchError
from scenarios import MESSAGE_BYTES, SMALL_BYTES, Scenario, requested_hosts
from programs import built_tool, find_program

SCRIPT = Path(__file__).parent / "lua" / "requests.lua"
SECONDS_GRACE = 30


@dataclass(frozen=True)
class LoadResult:
    requests: int
    requests_per_second: float
    p50_microseconds: float | None  # h2load tells no percentiles
    p99_microseconds: float | None


def run_load(scenario: Scenario, port: int, seconds: int, cores: set[int],
             certificate: Certificate) -> LoadResult:
    """Loads `port` for about `seconds`; raises `BenchError` when any request failed."""
    host = requested_hosts()[HOST_INDEX]
    if scenario.tool == "wrk":
        return run_wrk(scenario, port, seconds, cores, certificate)
    if scenario.tool == "h2load":
        return run_h2load(scenario, host, port, seconds, cores, certificate.chain.parent)
    if scenario.tool == "websocket":
        command = [built_tool("websocket_load"), host, str(port), scenario.path, str(MESSAGE_BYTES),
                   str(scenario.connections), str(seconds)]
        return checked_result(run_to_result(command, seconds, cores))
    mode = scenario.tool.removeprefix("handshakes-")
    command = [built_tool("tls_load"), mode, host, str(port), scenario.path, str(SMALL_BYTES),
               str(scenario.connections), str(seconds)]
    result = run_to_result(command, seconds, cores)
    check_resumption(scenario, mode, result)
    return checked_result(result)


# Where the load can name only one host, it is one from the middle of the table.
HOST_INDEX = 8


def run_wrk(scenario: Scenario, port: int, seconds: int, cores: set[int], certificate: Certificate) -> LoadResult:
    scheme, name = ("https", "localhost") if scenario.work.has_tls else ("http", "127.0.0.1")
    command = [
        find_program("wrk"), "-t", "1", "-c", str(scenario.connections),
        "-d", f"{seconds}s", "--timeout", "10s", "-s", str(SCRIPT),
        f"{scheme}://{name}:{port}{scenario.path}", "--",
        scenario.method, scenario.path, str(scenario.content_bytes),
        "close" if scenario.close else "keep-alive", *requested_hosts()]
    environment = {"OPENSSL_CONF": str(certificate.openssl_settings)} if scenario.work.has_tls else {}
    return checked_result(run_to_result(command, seconds, cores, environment))


def run_h2load(scenario: Scenario, host: str, port: int, seconds: int, cores: set[int],
               folder: Path) -> LoadResult:
    scheme = "https" if scenario.work.has_tls else "http"
    command = [
        find_program("h2load"), "-t", "1", "-c", str(scenario.connections), "-m", str(scenario.streams),
        "-D", str(seconds), "--connect-to", f"127.0.0.1:{port}", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256",
        "--groups", "X25519", f"{scheme}://{host}{scenario.path}"]
    if scenario.method == "POST":
        content = folder / "content"
        # A message of gRPC: not compressed, its length in four bytes.
        length = scenario.content_bytes - 5
        content.write_bytes(b"\0" + length.to_bytes(4, "big") + b"x" * length)
        command[1:1] = ["-d", str(content), "-H", "content-type: application/grpc", "-H", "te: trailers"]
    return read_h2load(run(command, seconds, cores), seconds)


def read_h2load(output: str, seconds: int) -> LoadResult:
    counts = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, "
                       r"(\d+) errored, (\d+) timeout", output)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    rate = re.search(r"finished in [^,]*, ([\d.]+) req/s", output)
    if not counts or not statuses or not rate:
        raise BenchError(f"h2load said nothing that could be read:\n{output}")
    done, succeeded, failed, errored, timed_out = map(int, counts.groups())
    good = int(statuses[1])
    if done == 0 or succeeded != done or failed + errored + timed_out > 0 or good < done:
        raise BenchError(f"requests failed, the figures would mean nothing:\n{output}")
    return LoadResult(done, done / seconds, None, None)


def run(command: list[str], seconds: int, cores: set[int], environment: dict[str, str] | None = None) -> str:
    """Runs a program on `cores` to its end, and returns what it printed."""
    name = Path(command[0]).name
    try:
        output = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + SECONDS_GRACE, check=False,
            env={**os.environ, **(environment or {})}, preexec_fn=lambda: os.sched_setaffinity(0, cores))
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{name} did not end in {error.timeout} s") from error
    if output.returncode != 0:
        raise BenchError(f"{name} failed:\n{output.stdout}{output.stderr}")
    return output.stdout


def run_to_result(command: list[str], seconds: int, cores: set[int],
                  environment: dict[str, str] | None = None) -> dict:
    """The same for a program that ends with a line of JSON after the word RESULT."""
    output = run(command, seconds, cores, environment)
    lines = [line[7:] for line in output.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise BenchError(f"{Path(command[0]).name} told no result:\n{output}")
    return json.loads(lines[-1])


def check_resumption(scenario: Scenario, mode: str, result: dict) -> None:
    """tls_load has ended with an error if any handshake was of the wrong kind; this is for its sums."""
    first = scenario.connections if mode == "resumed" else result["requests"]
    if result["full"] != first or result["full"] + result["resumed"] != result["requests"]:
        raise BenchError(f"{result['full']} handshakes were full and {result['resumed']} resumed")


def checked_result(result: dict) -> LoadResult:
    if result["requests"] == 0 or result["socketErrors"] or result["statusErrors"]:
        raise BenchError(
            f"of {result['requests']} requests, {result['statusErrors']} had a status of 400 or above, "
            f"and there were {result['socketErrors']} socket errors: the figures would mean nothing")
    return LoadResult(
        result["requests"], result["requests"] / result["seconds"],
        result["p50Microseconds"], result["p99Microseconds"])
