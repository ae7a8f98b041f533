"""Gateways that are replaced by new processes, and clients that must not notice."""

import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

from .client import Client
from .gateway import Gateway, service
from .http import Response
from .http2 import HTTP2Client
from .programs import penstock_binary
from .scenario import Scenario
from .waiting import wait_until

STARTED = re.compile(r"upgrade: a new process is started.*?\bpid=(\d+)|pid=(\d+).*upgrade: a new process is started")
SERVES = "upgrade: the new process serves"
FAILED = "the upgrade failed, this process goes on"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has taken note of yet has ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def start(scenario: Scenario, *origins: Any, drain: str = "20s", protocol: str = "http/1.1", **options: Any) -> "Line":
    """A gateway that can be upgraded, in front of the origins."""
    served = service("app", *(origins or [scenario.origin()]), protocol=protocol)
    return Line(scenario.gateway([served], http={"timeouts": {"drain": drain}}, **options))


def replace(binary: Path, text: str | None) -> None:
    """Puts a script, or the program itself, in the place of a program that runs."""
    other = binary.with_suffix(".new")
    if text is None:
        shutil.copy(penstock_binary(), other)
    else:
        other.write_text(text)
    other.chmod(0o755)
    os.replace(other, binary)


class Line:
    """A gateway and the processes that follow it, of which the last serves."""

    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.pids = [gateway.pid]

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: Any) -> None:
        """Ends them all; the first one's end is the gateway's affair unless it has been replaced."""
        for pid in self.pids[1:]:
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
        for pid in self.pids[1:]:
            self.wait_for_end(pid)

    @property
    def pid(self) -> int:
        return self.pids[-1]

    def ask(self) -> int:
        """USR2; the id of the process that is started."""
        known = len(STARTED.findall(self.gateway.stderr))
        os.kill(self.pid, signal.SIGUSR2)
        self.gateway_prints(lambda text: len(STARTED.findall(text)) > known, "a new process is started")
        return int(next(filter(None, STARTED.findall(self.gateway.stderr)[-1])))

    def upgrade(self) -> int:
        """Replaces the process that serves; returns the old one's id."""
        served = self.gateway.stderr.count(SERVES)
        old, new = self.pid, self.ask()
        self.gateway_prints(lambda text: text.count(SERVES) > served, "the new process serves")
        self.pids.append(new)
        self.gateway.was_ended = True
        return old

    def follow(self) -> None:
        """Takes note of an upgrade that somebody else has asked for."""
        self.pids.append(int(next(filter(None, STARTED.findall(self.gateway.stderr)[-1]))))
        self.gateway.was_ended = True

    def fail(self) -> str:
        """Asks for an upgrade that fails; what the log says of it."""
        failed = self.gateway.stderr.count(FAILED)
        os.kill(self.pid, signal.SIGUSR2)
        self.gateway_prints(lambda text: text.count(FAILED) > failed, "the upgrade fails")
        return next(line for line in reversed(self.gateway.stderr.splitlines()) if FAILED in line)

    def gateway_prints(self, condition: Any, what: str) -> None:
        try:
            wait_until(lambda: condition(self.gateway.stderr), what, 20)
        except AssertionError as error:
            raise AssertionError(f"{error}; it printed:\n{self.gateway.tail()}") from None

    def wait_for_end(self, pid: int, seconds: float = 20) -> None:
        if pid == self.gateway.pid:
            assert self.gateway.wait_for_end(seconds) == 0, self.gateway.tail()
        else:
            wait_until(lambda: not is_alive(pid), f"process {pid} ends; it printed:\n{self.gateway.tail()}", seconds)


class HTTP1Session:
    """A client of HTTP/1.1 that makes a new connection where the gateway has announced the old one's end."""

    def __init__(self, port: int, wrap: Any = None):
        self._port = port
        self._wrap = wrap
        self._client: Client | None = None
        self.connections = 0

    def __enter__(self) -> "HTTP1Session":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._client is not None:
            self._client.close()

    def get(self, target: str = "/") -> Response:
        if self._client is None:
            self._client = Client(self._port, wrap=self._wrap)
            self.connections += 1
        response = self._client.exchange("GET", target)
        assert response.status == 200, response
        if response.value("connection") == "close":
            self._client.expect_end()
            self._client.close()
            self._client = None
        return response


class HTTP2Session:
    """A client of HTTP/2 that makes a new connection after GOAWAY."""

    def __init__(self, port: int, **options: Any):
        self._port = port
        self._options = options
        self._client: HTTP2Client | None = None

    def __enter__(self) -> "HTTP2Session":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._client is not None:
            self._client.close()

    def get_several(self, count: int = 3) -> None:
        """Requests at the same time on one connection."""
        if self._client is None:
            self._client = HTTP2Client(self._port, **self._options)
        client = self._client
        streams = [client.request("GET", f"/{number}") for number in range(count)]
        for number in streams:
            assert client.response(number).status == 200
        if client.goaway is not None:
            client.close()
            self._client = None
