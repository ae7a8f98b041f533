"""The gateway under test, as a process with a configuration file."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any, Callable, Sequence

from .client import Client, get, try_get
from .http import Response
from .http2 import HTTP2Client
from .metrics import Metrics
from .ports import free_port
from .programs import Program, penstock_binary
from .tls import TLSClient
from .waiting import wait_until

# What a Swift or C runtime prints when a process dies of a mistake.
CRASH = re.compile(r"Fatal error|Crash|Segmentation fault|AddressSanitizer|ThreadSanitizer|Precondition failed")


def service(name: str, *origins: Any, **settings: Any) -> dict:
    """A service whose endpoints are origins, addresses, or mappings with a weight."""
    endpoints = [origin if isinstance(origin, (str, dict)) else origin.address for origin in origins]
    return {"name": name, "endpoints": endpoints, **settings}


def route(name: str, target: str | list[dict], **settings: Any) -> dict:
    """A route to a service, or to several with weights."""
    if isinstance(target, str):
        return {"name": name, "service": target, **settings}
    return {"name": name, "backends": target, **settings}


def routes_with(plugin: str, target: str | None = "app") -> Callable[..., dict]:
    """What makes routes with a plugin: `shop("plain", option=1)` is one for plain.test; `other` are further plugins."""
    def shop(name: str, target: str | None = target, other: dict | None = None, **options: Any) -> dict:
        one = {"name": name, "hosts": [f"{name}.test"], "plugins": {plugin: options, **(other or {})}}
        return {**one, "service": target} if target else one
    return shop


class Gateway(Program):
    """`penstock run` with one listener, an admin address, and whatever the test asks for."""

    def __init__(self, folder: Path, services: list[dict], routes: list[dict] | None = None, *,
                 http: dict | None = None, access_log: dict | str | None = None, workers: int = 1,
                 listeners: list[dict] | None = None, listener: dict | None = None, tls: dict | None = None,
                 certificates: list[dict] | None = None, settings: dict | None = None, binary: str | None = None,
                 wait: bool = True, arguments: Sequence[str] = (), **process: Any):
        """`tls` and `listener` are settings of the one listener, where the test does not bring its own;
        `settings` are further keys of the file. With `workers` 0, their number is the file's affair."""
        self.port = free_port()
        self.admin_port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.workers = workers
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "penstock.yaml"
        self.configuration: dict = {
            "listeners": listeners or [
                {"name": "web", "address": self.address, **({} if tls is None else {"tls": tls}),
                 **(listener or {})}],
            **({"certificates": certificates} if certificates else {}),
            "admin": {"address": f"127.0.0.1:{self.admin_port}"},
            "http": http or {},
            "services": services,
            # Without routes of the test's own everything goes to the first service.
            "routes": routes if routes is not None else [route("everything", services[0]["name"])],
            **(settings or {}),
        }
        # Stopping must not take long where a test leaves a request behind.
        self.configuration["http"].setdefault("timeouts", {}).setdefault("drain", "2s")
        if access_log is not None:
            self.configuration["accessLog"] = access_log
        self.save()
        command = [binary or penstock_binary(), "run", "-c", str(self.file),
                   *(["--workers", str(workers)] if workers else []), *arguments]
        super().__init__(command, folder, "penstock", **process)
        if wait:
            self.wait_until_ready(self.is_ready)

    # Configuration

    def save(self) -> None:
        """Writes the configuration into the file, in place. JSON is YAML."""
        self.file.write_text(json.dumps(self.configuration, indent=2))

    def replace_file(self, text: str) -> None:
        """Puts a new file in the place of the old one, as editors and package managers do."""
        other = self.file.with_suffix(".new")
        other.write_text(text)
        os.replace(other, self.file)

    def hang_up(self) -> None:
        self.signal(signal.SIGHUP)

    # Admin

    def admin(self, path: str) -> Response | None:
        return try_get(self.admin_port, path, host="localhost")

    def is_ready(self) -> bool:
        answer = self.admin("/readyz")
        return answer is not None and answer.status == 200

    def metrics(self) -> Metrics:
        answer = self.admin("/metrics")
        assert answer is not None and answer.status == 200, answer
        return Metrics(answer.text)

    def endpoints(self) -> str:
        answer = self.admin("/endpoints")
        assert answer is not None and answer.status == 200, answer
        return answer.text

    # Requests

    def client(self, **options: Any) -> Client:
        return Client(self.port, **options)

    def tls_client(self, server_name: str | None = "example.test", *arguments: Any, **options: Any) -> TLSClient:
        return TLSClient(self.port, server_name, *arguments, **options)

    def http2(self, **options: Any) -> HTTP2Client:
        return HTTP2Client(self.port, **options)

    def get(self, target: str = "/", *fields: tuple[str, str] | str, **options: Any) -> Response:
        return get(self.port, target, *fields, **options)

    def origins_of(self, count: int, target: str = "/", *fields: str, **options: Any) -> dict[str, int]:
        """Sends requests one after the other on one connection; how many each origin answered."""
        seen: dict[str, int] = {}
        with self.client() as client:
            for _ in range(count):
                response = client.exchange("GET", target, *fields, **options)
                name = response.value("x-origin") if response.status == 200 else str(response.status)
                seen[name] = seen.get(name, 0) + 1
        return seen

    def wait_for_origin(self, name: str, target: str = "/", *fields: str, **options: Any) -> None:
        """Until requests are answered by this origin."""
        wait_until(
            lambda: (answer := try_get(self.port, target, *fields, **options)) is not None
            and answer.value("x-origin") == name, f"requests go to {name}")

    def wait_for_revision(self, marker: str) -> None:
        """Until the running configuration mentions this text."""
        wait_until(lambda: (answer := self.admin("/config")) is not None and marker in answer.text,
                   f"the running configuration mentions {marker}; it printed:\n{self.tail()}")

    # End

    def check_health(self) -> None:
        """The process lives and has printed nothing that a crash prints."""
        assert self.is_running, f"the gateway ended with {self.process.returncode}:\n{self.tail()}"
        assert not CRASH.search(self.stderr), self.tail()

    def revive(self) -> None:
        """Starts it again if it has died, so that one test's crash is not the failure of all that follow."""
        if not self.is_running:
            self.stderr_file.write_text("")
            self.launch()
            self.wait_until_ready(self.is_ready)

    def stop(self) -> None:
        """TERM, and a clean end."""
        if self.was_ended:
            return
        self.was_ended = True
        if self.is_running:
            self.signal(signal.SIGTERM)
        status = self.wait_for_end()
        assert status == 0, f"the gateway ended with {status}:\n{self.tail()}"
        assert not CRASH.search(self.stderr), self.tail()
