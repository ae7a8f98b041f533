"""Keeps the code of what is measured in memory.

Some machines take back pages of files that have not been used for a while, code among them. Reading them again
from a slow disk stops a server for hundreds of milliseconds.
"""

import ctypes
import mmap
import os
from pathlib import Path

_libc = ctypes.CDLL(None)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_held: set[str] = set()


def hold_code(pids: list[int]) -> None:
    """Locks the binaries and libraries of `pids` in memory until this process ends.

    What RLIMIT_MEMLOCK does not permit is left as it is.
    """
    for pid in pids:
        for path in _code_of(pid) - _held:
            _held.add(path)
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
            if start != ctypes.c_void_p(-1).value:
                _libc.mlock(start, size)


def _code_of(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    fields = [line.split(maxsplit=5) for line in lines]
    return {row[5] for row in fields if len(row) == 6 and "x" in row[1] and Path(row[5]).is_file()}
