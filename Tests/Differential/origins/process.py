"""What all origins that are processes share."""

import os
import sys
from pathlib import Path

from support.ports import free_port, is_listening
from support.programs import Program, find_program

PROGRAMS = Path(__file__).resolve().parent / "programs"


class OriginProcess(Program):
    """A server with its journal; `command` is told both."""

    def __init__(self, name: str, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.journal = folder / "journal"
        self.journal.touch()
        super().__init__(self.command(folder), folder, name, environment={
            "JOURNAL": str(self.journal), "PYTHONPATH": str(PROGRAMS), "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            self.wait_until_ready(lambda: is_listening(self.port))
        except BaseException:
            self.kill()
            raise

    def command(self, folder: Path) -> list[str]:
        raise NotImplementedError

    def stop(self) -> None:
        self.process.terminate()
        self.wait_for_end()


def installed(name: str) -> str:
    """The path of a program from a Debian package."""
    program = find_program(name)
    assert program, f"{name} is not installed: scripts/bootstrap test"
    return program


def python_module(*arguments: str) -> list[str]:
    """A command of this interpreter, where the packages are."""
    return [sys.executable, *arguments]


def is_root() -> bool:
    """Servers that were started by root would give it up, and could not write to the tests' folder then."""
    return os.geteuid() == 0
