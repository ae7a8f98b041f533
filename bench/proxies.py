"""The proxies under test, each configured as its experts would, with the same features on.

Every one of them: 1,000 hosts with one route each (path prefix /api), keep-alive connections to one origin,
X-Forwarded-For, -Proto, -Host and -Port, X-Request-ID, Via in both directions, metrics, one worker.
"""

import json
import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

import envoy_configuration
import haproxy_configuration
import nginx_configuration
import penstock_configuration
import ready
from certificate import Certificate
from process import BenchError, Server, free_port
from scenarios import Work, hosts
from programs import find_program

REPOSITORY = Path(__file__).resolve().parent.parent
NAMES = ("penstock", "nginx", "haproxy", "envoy")


@dataclass(frozen=True)
class ProxySetup:
    """Where a proxy runs and what it does."""

    folder: Path
    origin_port: int
    cores: set[int]
    certificate: Certificate
    work: Work = Work()
    workers: int = 1
    access_log: bool = False


def start_proxy(name: str, setup: ProxySetup) -> Server:
    """Starts a proxy and waits until it forwards a request; raises `BenchError` if it does not."""
    setup.folder.mkdir(parents=True)
    port = free_port()
    command = {
        "penstock": penstock_command, "nginx": nginx_command,
        "haproxy": haproxy_command, "envoy": envoy_command,
    }[name](setup, port)
    server = Server(name, command, setup.folder, setup.cores, port)
    try:
        for host in (hosts()[0], hosts()[-1]):
            server.wait_until_ready(lambda: ready.status_of(setup.work.front, port, host, "/api/small"))
    except BenchError:
        server.stop()
        raise
    return server


def connections_max(name: str) -> int:
    """Client connections that a proxy accepts here: HAProxy insists on two descriptors for each."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100
    return min(12_000, descriptors // 2 if name == "haproxy" else descriptors)


def penstock_binary() -> Path:
    return Path(os.environ.get("PENSTOCK_BINARY", REPOSITORY / ".build" / "release" / "penstock")).resolve()


def penstock_command(setup: ProxySetup, port: int) -> list[str]:
    # JSON is YAML too.
    file = setup.folder / "penstock.yaml"
    file.write_text(json.dumps(penstock_configuration.configuration(setup, port, free_port()), indent=1))
    return [str(penstock_binary()), "run", "-c", str(file), "--workers", str(setup.workers)]


def nginx_command(setup: ProxySetup, port: int) -> list[str]:
    (setup.folder / "nginx.conf").write_text(nginx_configuration.configuration(setup, port, free_port()))
    return [
        find_program("nginx"), "-p", str(setup.folder), "-c", "nginx.conf", "-e", f"{setup.folder}/error.log"]


def haproxy_command(setup: ProxySetup, port: int) -> list[str]:
    (setup.folder / "hosts.map").write_text("".join(f"{host} origin\n" for host in hosts()))
    (setup.folder / "haproxy.cfg").write_text(
        haproxy_configuration.configuration(setup, port, free_port(), connections_max("haproxy")))
    return [find_program("haproxy"), "-db", "-f", "haproxy.cfg"]


def envoy_command(setup: ProxySetup, port: int) -> list[str]:
    file = setup.folder / "envoy.json"
    file.write_text(json.dumps(envoy_configuration.configuration(setup, port, free_port())))
    return [
        str(find_envoy()), "-c", str(file), "--concurrency", str(setup.workers), "--disable-hot-restart",
        "--log-level", "error"]


def find_envoy() -> Path:
    """The program itself: what the package puts on the path is a script around it."""
    on_path = shutil.which("envoy")
    candidates = sorted((REPOSITORY / "build" / "venv").glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    if os.environ.get("ENVOY_BINARY"):
        candidates.insert(0, Path(os.environ["ENVOY_BINARY"]))
    if on_path:
        candidates.append(Path(on_path))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise BenchError("envoy is not installed: scripts/bootstrap bench")
