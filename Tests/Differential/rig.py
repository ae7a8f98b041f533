"""Everything that runs during the checks: the origins, and the gateway with a listener for each."""

from pathlib import Path
from typing import Any

import origins
from support.gateway import Gateway, route, service
from support.ports import free_port

from readings import Reading, read_journal

# How long a request may take to arrive whole: those of the corpus that never do are refused after it.
TIMEOUT = "3s"
BODY_BYTES_MAX = 1 << 20


class Rig:
    """Starts it in a folder, in order, and stops it in the reverse one."""

    def __init__(self, folder: Path):
        self.folder = folder
        # By name, as are the ports of the gateway's listeners in front of them.
        self.origins: dict[str, Any] = {}
        self.through: dict[str, int] = {}
        self._started: list[Any] = []

    def __enter__(self) -> "Rig":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        makers = {
            "nginx": origins.Nginx, "apache": origins.Apache, "node": origins.Node, "haproxy": origins.HAProxy,
            "gunicorn": origins.Gunicorn, "waitress": origins.Waitress, "http.server": origins.HTTPServer,
            "uvicorn-h11": lambda name, where: origins.Uvicorn(name, where, "h11"),
            "uvicorn-httptools": lambda name, where: origins.Uvicorn(name, where, "httptools"),
            "recorder": origins.Recorder,
        }
        for name, make in makers.items():
            self.origins[name] = make(name, self.folder / name)
            self._started.append(self.origins[name])
            self.through[name] = free_port()
        self.gateway = Gateway(
            self.folder / "gateway",
            [service(name, origin, retries="off", ejection="off") for name, origin in self.origins.items()],
            [route(name, name, listeners=[name]) for name in self.origins],
            listeners=[{"name": name, "address": f"127.0.0.1:{port}"} for name, port in self.through.items()],
            http={"timeouts": {"head": TIMEOUT, "body": TIMEOUT, "drain": "1s"},
                  "limits": {"bodyBytes": BODY_BYTES_MAX}})
        self._started.append(self.gateway)

    def __exit__(self, *_: Any) -> None:
        failures = []
        for thing in reversed(self._started):
            try:
                thing.stop()
            except AssertionError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def journals(self) -> dict[str, list[tuple[str, Reading]]]:
        """What each origin has read so far."""
        return {name: read_journal(origin.journal) for name, origin in self.origins.items()}
