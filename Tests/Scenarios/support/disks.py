"""Disks that can be full: small file systems in memory, of a test's own."""

import errno
import os
import subprocess
from pathlib import Path


class NoMounts(Exception):
    """File systems cannot be mounted here."""


class SmallDisk:
    """A file system of so many bytes, mounted on a folder."""

    def __init__(self, path: Path, size: int):
        self.path = path
        self._filler = path / "filler"
        path.mkdir(parents=True)
        attempt = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "penstock-test", str(path)], capture_output=True, text=True,
            check=False)
        if attempt.returncode != 0:
            raise NoMounts(f"may not mount a small file system: {attempt.stderr.strip()}")

    def fill(self) -> None:
        """Takes all the room that is left, to the last page."""
        with open(self._filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4_096)
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
        assert os.statvfs(self.path).f_bavail == 0

    def free(self) -> None:
        """Gives it back."""
        self._filler.unlink()

    def unmount(self) -> None:
        # Also where something still has a file open there.
        subprocess.run(["umount", "--lazy", str(self.path)], capture_output=True, check=True)
