"""Starting servers on free loopback ports, waiting until they answer, and stopping them."""

import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable

from measure import process_tree
from resident import hold_code

STOP_SECONDS_MAX = 10
READY_SECONDS_MAX = 30


class BenchError(Exception):
    """The harness cannot go on; the message says why."""


def free_port() -> int:
    """A loopback port that nobody listens on, outside the range of outgoing connections where possible."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first_outgoing = int(file.read().split()[0])
    start = max(10_000, first_outgoing // 2)
    for port in range(start + free_port.offset, max(first_outgoing, start + 2_000)):
        free_port.offset += 1
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError("no free loopback port")


free_port.offset = os.getpid() % 1_000


def raise_descriptor_limit(wanted: int) -> int:
    """Raises this process's limit of open files, which its children inherit; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return max(soft, wanted)


class Server:
    """A process in its own folder, pinned to some cores, with what it prints in `output.txt`."""

    # Linux gives sessions equal shares of a CPU (autogroup), and a thread that wakes has to wait while its session
    # has had more than its share. A process group of its own keeps signals from the terminal away as well.
    has_own_session = True

    def __init__(self, name: str, command: list[str], folder: Path, cores: set[int], port: int):
        self.name = name
        self.folder = folder
        self.port = port
        self._output = open(folder / "output.txt", "ab")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
            cwd=folder, start_new_session=self.has_own_session,
            process_group=None if self.has_own_session else 0,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))

    def pids(self) -> list[int]:
        return process_tree(self._process.pid)

    def wait_until_ready(self, status: Callable[[], str]) -> None:
        """Until a GET through the server is answered with 200; raises `BenchError` if it never is."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        answer = "no connection"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended at start:\n{self.output_tail()}")
            answer = status()
            if " 200" in answer:
                hold_code(self.pids())
                return
            time.sleep(0.05)
        raise BenchError(
            f"{self.name} was not ready in {READY_SECONDS_MAX} s (last: {answer})\n{self.output_tail()}")

    def output_tail(self) -> str:
        self._output.flush()
        return "\n".join((self.folder / "output.txt").read_text(errors="replace").splitlines()[-20:])

    def truncate_logs(self) -> None:
        """Empties what it has logged: the folder may be in memory. All of them append."""
        for name in ("output.txt", "access.log", "log/access.log"):
            if (self.folder / name).exists():
                os.truncate(self.folder / name, 0)

    def stop(self) -> None:
        """TERM, then KILL to this process and its children if they take too long."""
        pids = self.pids() if self._process.poll() is None else []
        try:
            if pids:
                self._process.terminate()
                self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self._process.wait(STOP_SECONDS_MAX)
        finally:
            self._output.close()
