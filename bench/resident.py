"""Keeps the code of what is measured in memory.

Some machines take back pages of files that have not been used for a while, code among them. Reading them again
from a slow disk stops a server for hundreds of milliseconds.
"""

import ctypes
import mmap
from pathlib import Path

_CURRENT, _FUTURE = 1, 2
_held: dict[str, mmap.mmap] = {}


def hold_code(pids: list[int]) -> None:
    """Locks the binaries and libraries of `pids` in memory until this process ends.

    Where that is not permitted (RLIMIT_MEMLOCK), nothing happens.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_CURRENT | _FUTURE) != 0:
        return
    for pid in pids:
        for path in _code_of(pid) - _held.keys():
            with open(path, "rb") as file:
                # What is mapped from now on is locked.
                _held[path] = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)


def _code_of(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    fields = [line.split(maxsplit=5) for line in lines]
    return {row[5] for row in fields if len(row) == 6 and "x" in row[1] and Path(row[5]).is_file()}
