"""gunicorn with threads, so that connections are kept; a WSGI application behind it."""

from pathlib import Path

from .process import OriginProcess, python_module


class Gunicorn(OriginProcess):
    def command(self, folder: Path) -> list[str]:
        return python_module("-m", "gunicorn", "--bind", self.address, "--worker-class", "gthread", "--threads", "64",
                             "--keep-alive", "20", "--graceful-timeout", "1", "--no-control-socket",
                             "--worker-tmp-dir", str(folder), "wsgi_program:application")
