"""Child processes: started, watched, and ended by their process id."""

import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Callable

from .waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
STOP_SECONDS_MAX = 15.0


def find_program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")


def penstock_binary() -> str:
    """The binary under test; the debug build unless PENSTOCK_BINARY says otherwise."""
    return os.environ.get("PENSTOCK_BINARY") or str(REPOSITORY / ".build" / "debug" / "penstock")


class Program:
    """A child process with what it prints in two files."""

    def __init__(self, command: list[str], folder: Path, name: str, *, environment: dict[str, str] | None = None,
                 descriptors_max: int | None = None, stdout: int | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.stdout_file = folder / f"{name}.stdout"
        self.stderr_file = folder / f"{name}.stderr"
        self.was_ended = False
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._descriptors_max = descriptors_max
        self._stdout = stdout
        self.launch()

    def launch(self) -> None:
        """Starts the process, for the first time or again."""
        limits = (self._descriptors_max, self._descriptors_max)

        def limit_descriptors() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        with open(self.stdout_file, "ab") as out, open(self.stderr_file, "ab") as errors:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out if self._stdout is None else self._stdout,
                stderr=errors, cwd=self.folder, env=self._environment,
                preexec_fn=limit_descriptors if self._descriptors_max else None)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def stdout(self) -> str:
        return self.stdout_file.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_file.read_text(errors="replace")

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_for_end(self, seconds: float = STOP_SECONDS_MAX) -> int:
        """The exit status; a process that does not end is killed, which is a failure."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s; it printed:\n{self.tail()}") from None

    def kill(self) -> None:
        """Ends it as a crash would, without a chance to clean up."""
        self.was_ended = True
        if self.is_running:
            self.process.kill()
        self.process.wait()

    def wait_for_output(self, text: str, seconds: float = 10.0) -> None:
        wait_until(lambda: text in self.output, f"{self.name} prints {text!r}; it printed:\n{self.tail()}", seconds)

    def wait_until_ready(self, is_ready: Callable[[], bool], seconds: float = 30.0) -> None:
        def ready() -> bool:
            if not self.is_running:
                raise AssertionError(f"{self.name} ended at start with {self.process.returncode}:\n{self.tail()}")
            return is_ready()

        wait_until(ready, f"{self.name} is ready", seconds)

    def tail(self) -> str:
        return self.output[-4_000:]

    # What the kernel knows of it

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sockets(self) -> int:
        """Open descriptors that are sockets."""
        count = 0
        for entry in os.scandir(f"/proc/{self.pid}/fd"):
            try:
                count += os.readlink(entry.path).startswith("socket:")
            except FileNotFoundError:
                pass
        return count

    def memory(self, key: str = "VmRSS") -> int:
        """Bytes of a line of /proc/PID/status; `VmHWM` is the most that VmRSS has been."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {key} in /proc/{self.pid}/status")

    def handles(self, number: int) -> bool:
        """Whether the signal does something else than end the process at once."""
        masks = re.findall(r"Sig(?:Blk|Ign|Cgt):\s*([0-9a-f]+)", Path(f"/proc/{self.pid}/status").read_text())
        return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)

    def forget_memory_peak(self) -> None:
        """Makes VmHWM count from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def run_to_end(command: list[str], folder: Path, seconds: float = 30.0) -> subprocess.CompletedProcess:
    """Runs a program that ends by itself."""
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)
