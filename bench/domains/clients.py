"""The programs that watch a gateway: `tools/activation_probe.c` and `tools/steady_load.c`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from domains.slices import shorten_slices
from process import BenchError
from programs import built_tool

PATH = "/api/small"
PROBE_SECONDS_MAX = 130  # what a peer may take for a change
LOAD_SECONDS_MAX = 900


class Probe:
    """Measures changes one after the other. Durations are in nanoseconds.

    `pause` is between two attempts, in microseconds: attempts take CPU time from what is measured.
    """

    def __init__(self, front: str, port: int, admin_port: int = 0, *, seconds_max: int = PROBE_SECONDS_MAX,
                 pause: int = 100):
        self._process = subprocess.Popen(
            [built_tool("activation_probe"), front, str(port), str(admin_port), PATH, str(seconds_max),
             str(pause)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        shorten_slices(self._process.pid)

    def exchange(self, host: str, leaf: str = "-") -> int:
        """A new connection and a request to what is there: the probe's own floor."""
        return succeeded(self._ask(f"exchange {host} {leaf}"), host)["nanoseconds"]

    def call(self, host: str, leaf: str, call: bytes, waits: bool) -> dict:
        """From sending `call` to the first success; with `waits`, after the admin address has answered."""
        command = "call-wait" if waits else "call-poll"
        answer = succeeded(self._ask(f"{command} {host} {leaf} {len(call)}", call), host)
        if answer["status"] // 100 != 2:
            raise BenchError(f"the admin address answered {answer['status']}: {self._errors()}")
        return answer

    def rename(self, host: str, source: Path, target: Path) -> dict:
        return succeeded(self._ask(f"rename-poll {host} - {source} {target}"), host)

    def poll(self, host: str, leaf: str, started: int) -> int | None:
        """From `started` (`time.monotonic_ns`) to the first success; None where there was none in time."""
        return self._ask(f"poll {host} {leaf} {started}").get("nanoseconds")

    def _ask(self, command: str, content: bytes = b"") -> dict:
        try:
            self._process.stdin.write(command.encode() + b"\n" + content)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"activation_probe ended: {self._errors()}")
        return json.loads(line)

    def _errors(self) -> str:
        self._process.kill()
        return self._process.communicate()[1].decode(errors="replace")[:2_000]

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *_) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def succeeded(answer: dict, host: str) -> dict:
    if "error" in answer:
        raise BenchError(f"{host} was not served after {answer['attempts']} attempts: {answer['error']}")
    return answer


@dataclass(frozen=True)
class Window:
    """What became of the requests of a while."""

    requests: int
    failed: int
    cut: int
    refused: int
    open: int
    seconds: float
    p50Microseconds: int
    p99Microseconds: int
    p999Microseconds: int
    maxMicroseconds: int


class SteadyLoad:
    """Requests at a constant rate until it is stopped: `http1`, `http2` or `websocket`."""

    def __init__(self, protocol: str, host: str, port: int, connections: int, rate: int, path: str = PATH):
        self.name = protocol
        self._errors = None
        self._process = subprocess.Popen(
            [built_tool("steady_load"), protocol, host, str(port), path, str(connections), str(rate),
             str(LOAD_SECONDS_MAX)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        shorten_slices(self._process.pid)

    def window(self) -> Window:
        """Of the time since the last call, or since the start."""
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise BenchError(f"steady_load ended: {self.stop()}") from error
        return Window(**json.loads(self._process.stdout.readline()))

    def stop(self) -> str:
        """Ends it; returns what it had to say about failures."""
        if self._errors is None:
            try:
                _, self._errors = self._process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                _, self._errors = self._process.communicate()
        return self._errors

    def __enter__(self) -> "SteadyLoad":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


class Calls:
    """Calls to an admin address, `count` of them at a rate, from a file that is repeated as needed."""

    def __init__(self, file: Path, port: int, count: int, connections: int, rate: int):
        self._process = subprocess.Popen(
            [built_tool("steady_load"), "calls", str(file), str(port), str(count), str(connections), str(rate),
             str(LOAD_SECONDS_MAX)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds_max: float) -> Window:
        """Until all are answered; raises `BenchError` if one was refused."""
        try:
            # Its input stays open until it ends: the end of it would be a reason to stop.
            self._process.wait(seconds_max)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            raise BenchError(f"the calls did not end in {seconds_max} s") from error
        output, errors = self._process.communicate()
        if self._process.returncode != 0:
            raise BenchError(f"steady_load failed: {errors}")
        window = Window(**json.loads(output.splitlines()[-1]))
        if window.failed or window.cut:
            raise BenchError(f"{window.failed} of {window.requests} calls were refused:\n{errors}")
        return window

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *_) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def write_calls(file: Path, calls) -> None:
    """Each call (bytes) after a line with its length."""
    with open(file, "wb") as output:
        for call in calls:
            output.write(b"%d\n%s" % (len(call), call))
