"""What a peer is: a proxy with many domains, to which one more is added as its documentation advises."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from domains.authority import Domain, Domains

STEADY_HOST = "steady.example.com"
WEBSOCKET_HOST = "websocket.example.com"


@dataclass(frozen=True)
class Place:
    """Where a peer runs: its folder and ports, and what stands behind it."""

    folder: Path
    domains: Domains
    port: int  # plain HTTP, for the steady clients
    tls_port: int
    admin_port: int
    origin_port: int
    websocket_port: int


class Peer:
    """Two workers or threads; a certificate and a route by host for each domain; both origins by keep-alive."""

    name: str

    def __init__(self, place: Place):
        self.place = place

    def command(self, count: int) -> list[str]:
        """Writes the files for the first `count` domains; returns what starts it."""
        raise NotImplementedError

    def addition(self, number: int, pid: int) -> Callable[[], None]:
        """Prepares one more domain, and returns what makes the change: the clock runs from that call on."""
        raise NotImplementedError

    def certificate_files(self, domain: Domain) -> tuple[Path, Path]:
        """Chain and key as files, 1,000 domains in a folder."""
        number = int(domain.name.removeprefix("d"))
        folder = self.place.folder / "certificates" / str(number // 1_000)
        folder.mkdir(parents=True, exist_ok=True)
        chain, key = folder / f"{domain.name}.pem", folder / f"{domain.name}.key"
        chain.write_text(domain.chain)
        key.write_text(domain.key)
        return chain, key

    def domains(self, count: int):
        return (self.place.domains[number] for number in range(count))


def replace(file: Path, text: str) -> Callable[[], None]:
    """Writes a new file beside it; what is returned puts it in place."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    return lambda: os.rename(new, file)
