"""Python's http.server, whose handlers read bodies as their authors see fit."""

from pathlib import Path

from .process import PROGRAMS, OriginProcess, python_module


class HTTPServer(OriginProcess):
    def command(self, folder: Path) -> list[str]:
        return python_module(str(PROGRAMS / "http_server_program.py"), str(self.port))
