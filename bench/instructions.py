"""Instructions that a server executes for a request, counted by valgrind: two runs differ by a few in a thousand, where
CPU time differs by more than most plugins cost."""

import re
import subprocess
from pathlib import Path

from process import BenchError, Server
from programs import find_program

RESULT = "instructions"


def stripped(binary: Path, folder: Path) -> Path:
    """A copy without debugging information, which valgrind does not understand."""
    copy = folder / binary.name
    subprocess.run([find_program("strip"), "-g", "-o", str(copy), str(binary)], check=True)
    return copy


def counting(command: list[str], folder: Path) -> list[str]:
    return [find_program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={folder / RESULT}", *command]


def control(server: Server, option: str) -> None:
    [pid] = [pid for pid in server.pids()][:1]
    done = subprocess.run([find_program("callgrind_control"), option, str(pid)], capture_output=True, text=True,
                          timeout=60, check=False)
    if "OK" not in done.stdout:
        raise BenchError(f"callgrind_control {option}: {done.stdout}{done.stderr}")


def counted(server: Server, load) -> float:
    """Instructions for a request, of all threads; `load` loads it twice and returns how many there were."""
    load()
    control(server, "-z")
    requests = load()
    control(server, "-d")
    summary = re.search(r"^summary: (\d+)", (server.folder / f"{RESULT}.1").read_text(), re.MULTILINE)
    if summary is None or not requests:
        raise BenchError(f"nothing was counted for {server.folder.name}")
    return int(summary[1]) / requests
