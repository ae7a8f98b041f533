"""Penstock with its store, and the calls that change what it serves."""

import http.client
import json
import os
import re
import secrets
import shutil
import time
from pathlib import Path

import ready
from domains.authority import Domain, Domains
from domains.clients import PATH
from measure import resident_bytes
from process import BenchError, Server, free_port
from proxies import penstock_binary

STEADY_HOST = "steady.example.com"  # owned by the file; no change touches it
BATCH = 1_000  # domains of a transaction while a gateway is filled
CALL_SECONDS_MAX = 60
SETTLE_SECONDS_MAX = 20
TOKEN = "bench-token-of-no-value"


class Operations:
    """Operations of a transaction, as the admin API takes them."""

    @staticmethod
    def add(domain: Domain, service: str = "app") -> list[dict]:
        return [Operations.put("certificates", domain.name, certificate(domain)),
                Operations.put("routes", domain.name, route(domain.host, service))]

    @staticmethod
    def remove(domain: Domain) -> list[dict]:
        return [Operations.delete("routes", domain.name), Operations.delete("certificates", domain.name)]

    @staticmethod
    def put(kind: str, name: str, resource: dict) -> dict:
        return {"op": "put", "kind": kind, "name": name, "resource": resource}

    @staticmethod
    def delete(kind: str, name: str) -> dict:
        return {"op": "delete", "kind": kind, "name": name}


def certificate(domain: Domain) -> dict:
    return {"certificate": domain.chain, "key": domain.key}


def route(host: str, service: str) -> dict:
    return {"hosts": [host], "service": service}


def call(method: str, path: str, document: dict | None = None, waits: bool = False) -> bytes:
    """A whole HTTP/1.1 request to the admin address."""
    content = b"" if document is None else json.dumps(document).encode()
    fields = [f"{method} {path} HTTP/1.1", "Host: admin", f"Authorization: Bearer {TOKEN}",
              f"Content-Length: {len(content)}"]
    if document is not None:
        fields.append("Content-Type: application/json")
    if waits:
        fields.append("Prefer: wait")
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + content


def transaction(operations: list[dict], waits: bool = False) -> bytes:
    return call("POST", "/v1/transactions", {"operations": operations}, waits)


class Gateway:
    """One process. Its folder holds the configuration, the store and the secrets, and outlives it."""

    def __init__(self, folder: Path, origin_port: int, websocket_port: int, fallback: Domain,
                 workers: int = 2, cores: set[int] | None = None):
        self.folder = folder
        self.workers = workers
        self.cores = cores or os.sched_getaffinity(0)
        self.port, self.tls_port, self.admin_port = free_port(), free_port(), free_port()
        self.server: Server | None = None
        # Apart from the configuration, as in /var/lib and /etc: whose folder is watched.
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        for name, text in (("chain.pem", fallback.chain), ("key.pem", fallback.key), ("token", TOKEN),
                           ("store.key", secrets.token_hex(32))):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        # JSON is YAML too.
        (folder / "penstock.yaml").write_text(
            json.dumps(self._configuration(origin_port, websocket_port), indent=1))

    def _configuration(self, origin_port: int, websocket_port: int) -> dict:
        origin = [f"127.0.0.1:{origin_port}"]
        return {
            "listeners": [
                {"name": "http", "address": f"127.0.0.1:{self.port}"},
                {"name": "https", "address": f"127.0.0.1:{self.tls_port}", "tls": {}}],
            "admin": {"address": f"127.0.0.1:{self.admin_port}", "token": {"file": str(self.folder / "token")}},
            "store": {"path": str(self.store / "penstock.db"), "key": {"file": str(self.folder / "store.key")}},
            "certificates": [
                {"name": "fallback", "certificate": str(self.folder / "chain.pem"),
                 "key": str(self.folder / "key.pem")}],
            "services": [
                {"name": "app", "endpoints": origin}, {"name": "app-two", "endpoints": origin},
                {"name": "websocket", "endpoints": [f"127.0.0.1:{websocket_port}"]}],
            "routes": [
                {"name": "steady", "hosts": [STEADY_HOST], "service": "app"},
                {"name": "websocket", "hosts": ["websocket.example.com"], "service": "websocket"}],
        }

    def spawn(self) -> None:
        """Starts the process, and returns at once."""
        self.server = Server(
            "penstock",
            [str(penstock_binary()), "run", "-c", str(self.folder / "penstock.yaml"),
             "--workers", str(self.workers)],
            self.folder, self.cores, self.port)

    def start(self) -> "Gateway":
        self.spawn()
        self.server.wait_until_ready(lambda: ready.status_of("http", self.admin_port, "admin", "/readyz"))
        self.server.wait_until_ready(lambda: ready.status_of("http", self.port, STEADY_HOST, PATH))
        return self

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    def ask(self, request: bytes, connection: http.client.HTTPConnection | None = None) -> dict:
        """Sends a whole call and returns the answer's document; raises `BenchError` unless it is 2xx."""
        head, _, content = request.partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        own = connection or http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=CALL_SECONDS_MAX)
        own.request(method, path, content, dict(field.split(": ", 1) for field in fields))
        answer = own.getresponse()
        text = answer.read()
        if connection is None:
            own.close()
        if answer.status // 100 != 2:
            raise BenchError(f"{method} {path} was answered with {answer.status}:\n{text[:2_000].decode()}")
        return json.loads(text) if text else {}

    def fill(self, domains: Domains, numbers: range) -> float:
        """Adds domains, in transactions of `BATCH`; returns the seconds that it took."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=CALL_SECONDS_MAX)
        for first in range(numbers.start, numbers.stop, BATCH):
            batch = range(first, min(first + BATCH, numbers.stop))
            operations = [operation for number in batch for operation in Operations.add(domains[number])]
            self.ask(transaction(operations, waits=True), connection)
        connection.close()
        return time.monotonic() - started

    def resident(self) -> int:
        """Bytes (proportional set size), once they no longer move."""
        pids = self.server.pids()
        last = resident_bytes(pids)
        for _ in range(SETTLE_SECONDS_MAX):
            time.sleep(1)
            now = resident_bytes(pids)
            if abs(now - last) < max(64 * 1024, now // 1_000):
                break
            last = now
        return now

    def metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        return connection.getresponse().read().decode()

    def metric(self, name: str) -> list[float]:
        """Values of all series of a metric; none where there is no such metric."""
        pattern = re.compile(rf"^{re.escape(name)}(?:{{[^}}]*}})? ([0-9.eE+-]+)$", re.MULTILINE)
        return [float(value) for value in pattern.findall(self.metrics())]

    def copy_store(self, other: "Gateway") -> None:
        """Gives another gateway, which does not run either, what this one's store holds."""
        for file in (*self.store.iterdir(), self.folder / "store.key"):
            shutil.copy(file, other.folder / file.relative_to(self.folder))
