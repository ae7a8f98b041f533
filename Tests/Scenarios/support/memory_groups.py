"""A limit on the memory of a process and everything it starts, by a control group (cgroups(7))."""

import os
from pathlib import Path

from .programs import penstock_binary


class NoControlGroups(Exception):
    """They cannot be made here."""


class MemoryGroup:
    """A control group with at most so many bytes; version 2 or 1, whichever has the controller of memory."""

    def __init__(self, bytes_max: int):
        name = f"penstock-test-{os.getpid()}-{id(self):x}"
        unified, old = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
        try:
            self._is_old = (old / "memory.limit_in_bytes").exists()
            if not self._is_old:
                (unified / "cgroup.subtree_control").write_text("+memory")
            self.folder = (old if self._is_old else unified) / name
            self.folder.mkdir()
            self._file("memory.limit_in_bytes", "memory.max").write_text(str(bytes_max))
            swap = self.folder / ("memory.memsw.limit_in_bytes" if self._is_old else "memory.swap.max")
            if swap.exists():
                swap.write_text(str(bytes_max) if self._is_old else "0")
        except OSError as error:
            raise NoControlGroups(f"may not make a control group: {error}") from None

    def _file(self, old: str, unified: str) -> Path:
        return self.folder / (old if self._is_old else unified)

    @property
    def kills(self) -> int:
        """Processes that the kernel has ended because the limit was reached."""
        for line in self._file("memory.oom_control", "memory.events").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        raise AssertionError("the kernel does not count what it kills")

    @property
    def peak(self) -> int:
        """The most bytes that were in use."""
        return int(self._file("memory.max_usage_in_bytes", "memory.peak").read_text())

    def binary(self, folder: Path) -> str:
        """A program that is the gateway, within the group."""
        script = folder / "penstock-in-a-group"
        script.write_text(f"#!/bin/sh\necho $$ > '{self.folder}/cgroup.procs' && exec '{penstock_binary()}' \"$@\"\n")
        script.chmod(0o755)
        return str(script)

    def remove(self) -> None:
        """Everything in it has ended."""
        self.folder.rmdir()
