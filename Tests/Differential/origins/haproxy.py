"""HAProxy as one more hop; behind it is Node, whose journal is what counts."""

from pathlib import Path

from .node import Node
from .process import OriginProcess, installed

CONFIGURATION = """
global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend web
  bind 127.0.0.1:{port}
  default_backend node
backend node
  server node {address}
"""


class HAProxy(OriginProcess):
    def __init__(self, name: str, folder: Path):
        self.node = Node("node", folder / "node")
        try:
            super().__init__(name, folder)
        except BaseException:
            self.node.stop()
            raise
        self.journal = self.node.journal

    def command(self, folder: Path) -> list[str]:
        file = folder / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(port=self.port, address=self.node.address))
        return [installed("haproxy"), "-db", "-f", str(file)]

    def stop(self) -> None:
        super().stop()
        self.node.stop()
