"""waitress; a WSGI application behind it."""

from pathlib import Path

from .process import OriginProcess, python_module


class Waitress(OriginProcess):
    def command(self, folder: Path) -> list[str]:
        return python_module("-m", "waitress", f"--listen={self.address}", "--threads=16",
                             "--connection-limit=1000", "wsgi_program:application")
