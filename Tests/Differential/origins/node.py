"""Node: its parser is llhttp."""

from pathlib import Path

from .process import PROGRAMS, OriginProcess, installed


class Node(OriginProcess):
    def command(self, folder: Path) -> list[str]:
        return [installed("node"), str(PROGRAMS / "node_program.js"), str(self.port)]
