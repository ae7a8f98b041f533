"""uvicorn, with either of its parsers: h11, or httptools, which is llhttp."""

from pathlib import Path

from .process import OriginProcess, python_module


class Uvicorn(OriginProcess):
    def __init__(self, name: str, folder: Path, parser: str):
        self.parser = parser
        super().__init__(name, folder)

    def command(self, folder: Path) -> list[str]:
        return python_module("-m", "uvicorn", "asgi_program:application", "--host", "127.0.0.1", "--port",
                             str(self.port), "--http", self.parser, "--ws", "none", "--lifespan", "off",
                             "--log-level", "warning", "--timeout-keep-alive", "20", "--no-proxy-headers",
                             "--timeout-graceful-shutdown", "1")
