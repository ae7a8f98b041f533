"""Threads of another process, by name: what they use, and how one of them is stopped or led astray (ptrace(2)).

The process is not changed: no byte of its program or memory is written. It needs the right to trace it, which root
has, and the parent of a process where Yama does not forbid it.
"""

import ctypes
import os
import platform
import re
import signal
from pathlib import Path

SEIZE, INTERRUPT, DETACH, GETREGS, SETREGS = 0x4206, 0x4207, 17, 12, 13
WAIT_FOR_THREADS = 0x40000000  # __WALL
# `jmp` to itself.
ENDLESS_LOOP = b"\xeb\xfe"
CAN_PLANT_LOOPS = platform.machine() == "x86_64"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    """`user_regs_struct` of x86-64, in the kernel's order."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
        "ds es fs gs").split()]


def threads_named(pid: int, name: str) -> list[int]:
    """The kernel's numbers of the threads of this name."""
    found = []
    for entry in os.listdir(f"/proc/{pid}/task"):
        if Path(f"/proc/{pid}/task/{entry}/comm").read_text().strip() == name:
            found.append(int(entry))
    return sorted(found)


def cpu_seconds(pid: int, thread: int | None = None) -> float:
    """User and system time of a process or of one thread of it."""
    path = f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat"
    fields = Path(path).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ptrace(request: int, thread: int, data: ctypes.Structure | None = None) -> None:
    pointer = None if data is None else ctypes.cast(ctypes.byref(data), ctypes.c_void_p)
    if _libc.ptrace(request, thread, None, pointer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _stop(thread: int) -> None:
    _ptrace(INTERRUPT, thread)
    _, status = os.waitpid(thread, WAIT_FOR_THREADS)
    assert os.WIFSTOPPED(status), status


class StoppedThread:
    """One thread of a process stands still; all others go on. To be used by one thread of the test."""

    def __init__(self, thread: int):
        self._thread = thread

    def __enter__(self) -> "StoppedThread":
        _ptrace(SEIZE, self._thread)
        _stop(self._thread)
        return self

    def __exit__(self, *_) -> None:
        _ptrace(DETACH, self._thread)


class LoopingThread:
    """One thread of a process runs a loop that does not end; it goes on where it was when the test is done with it.

    A jump to itself is looked for among the bytes of the program's code, and the thread is sent there.
    """

    def __init__(self, pid: int, thread: int):
        self._pid = pid
        self._thread = thread
        self._before = Registers()

    def __enter__(self) -> "LoopingThread":
        self.lead_astray()
        return self

    def lead_astray(self) -> None:
        """For as long as the process lives, where nobody leads the thread back."""
        loop = self._find_loop()
        _ptrace(SEIZE, self._thread)
        _stop(self._thread)
        _ptrace(GETREGS, self._thread, self._before)
        led = Registers.from_buffer_copy(self._before)
        led.rip = loop
        led.orig_rax = 2**64 - 1  # in no call of the system, so that none is begun again
        _ptrace(SETREGS, self._thread, led)
        _ptrace(DETACH, self._thread)

    def __exit__(self, *_) -> None:
        _ptrace(SEIZE, self._thread)
        _stop(self._thread)
        _ptrace(SETREGS, self._thread, self._before)
        _ptrace(DETACH, self._thread)

    def _find_loop(self) -> int:
        with open(f"/proc/{self._pid}/mem", "rb", buffering=0) as memory:
            for line in Path(f"/proc/{self._pid}/maps").read_text().splitlines():
                found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \d+\s+/", line)
                if not found:
                    continue
                start, end = (int(text, 16) for text in found.groups())
                memory.seek(start)
                position = memory.read(end - start).find(ENDLESS_LOOP)
                if position >= 0:
                    return start + position
        raise AssertionError("no code of the program holds the bytes of an endless loop")


def may_trace() -> bool:
    """Whether this process may stop threads of its children."""
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        with StoppedThread(child):
            return True
    except OSError:
        return False
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
