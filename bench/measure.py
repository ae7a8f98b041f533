"""What a process has used: CPU time and resident memory, summed over it and its children."""

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class CPUTime:
    """Seconds of CPU that a set of processes has used since each began.

    `total` is exact; `user` and `system` divide it in the proportion that the kernel's timer tick saw.
    """

    total: float
    user: float
    system: float

    def since(self, earlier: "CPUTime") -> "CPUTime":
        total = self.total - earlier.total
        user_ticks = self.user - earlier.user
        ticks = user_ticks + self.system - earlier.system
        user = total * user_ticks / ticks if ticks > 0 else 0.0
        return CPUTime(total, user, total - user)


def _stat_fields(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        # The command in parentheses may hold spaces: what follows the last one is numbered from field 3.
        return file.read().rpartition(")")[2].split()


def process_tree(root: int) -> list[int]:
    """`root` and its descendants that are alive."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(_stat_fields(int(name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    tree = [root]
    for pid in tree:
        tree.extend(child for child, parent in parents.items() if parent == pid)
    return tree


def cpu_time(pids: list[int]) -> CPUTime:
    """CPU time of all threads of `pids`, those that have ended included.

    utime and stime in /proc/PID/stat count in hundredths of a second. Their sum is also the process's CPU
    clock, which counts nanoseconds: the total comes from the clock, the division from /proc.
    """
    seconds_per_tick = 1 / os.sysconf("SC_CLK_TCK")
    total = user = system = 0.0
    for pid in pids:
        # The id of another process's CPU clock (clock_getcpuclockid(3)): ~pid in the upper bits, and
        # CPUCLOCK_SCHED, 2, in the lowest three.
        total += time.clock_gettime((~pid << 3) | 2)
        fields = _stat_fields(pid)
        user += int(fields[11]) * seconds_per_tick
        system += int(fields[12]) * seconds_per_tick
    return CPUTime(total, user, system)


def resident_bytes(pids: list[int]) -> int:
    """Resident memory, each shared page divided by the number of processes that share it."""
    kilobytes = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            kilobytes += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return kilobytes * 1024
