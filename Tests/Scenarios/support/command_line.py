"""The command line's client, as people and scripts run it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .gateway import Gateway, route, service
from .programs import penstock_binary


def store_settings(folder: Path) -> dict:
    """Settings of a gateway with a store of its own, which takes private keys."""
    key = folder / "store.key"
    key.write_text("0123456789abcdef" * 4)
    return {"store": {"path": str(folder / "penstock.db"), "key": {"file": str(key)}}}


def gateway_with_store(scenario: Any, origin: Any, folder: Path, **options: Any) -> Gateway:
    """One service and one route of the file; the store is empty."""
    return scenario.gateway([service("app", origin)], [route("of-the-file", "app", hosts=["file.test"])],
                            settings=store_settings(folder), **options)


def shop(origin: Any, path: str = "/") -> dict:
    """A file with a service and a route to it, for shop.test."""
    return {"services": [service("shop", origin)],
            "routes": [route("shop", "shop", hosts=["shop.test"], match=[{"path": path}])]}


class CommandLine:
    """Runs commands against one gateway, in a folder of their own."""

    def __init__(self, gateway: Gateway, folder: Path):
        self.gateway = gateway
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_ADMIN")}
        self.environment = {**inherited, "PENSTOCK_ADMIN": f"http://127.0.0.1:{gateway.admin_port}"}

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [penstock_binary(), *arguments], cwd=self.folder, input=stdin, capture_output=True, text=True,
            timeout=60, check=False, env={**self.environment, **environment})

    def __call__(self, *arguments: str, status: int = 0, **options: str) -> str:
        """What a command prints; standard output where it succeeds, standard error where it fails."""
        result = self.run(*arguments, **options)
        assert result.returncode == status, f"{result.returncode}: {result.stdout}{result.stderr}"
        return result.stdout if result.stdout or not result.stderr else result.stderr

    def file(self, name: str, content: dict | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def revision(self) -> int:
        status = self.gateway.admin("/v1/status")
        assert status is not None and status.status == 200, status
        return json.loads(status.text)["revision"]
