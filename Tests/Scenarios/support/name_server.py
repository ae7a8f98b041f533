"""A name server that fails and lies as a test tells it to (RFC 1035), and gateways that ask no other."""

import os
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .programs import penstock_binary

A, CNAME, AAAA = 1, 5, 28
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED = range(6)
UDP_BYTES_MAX = 512

Record = tuple[str, int, int, bytes]


def encode_name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def address(owner: str, ip: str, ttl: int = 1) -> Record:
    return (owner, A, ttl, socket.inet_aton(ip))


def address6(owner: str, ip: str, ttl: int = 1) -> Record:
    return (owner, AAAA, ttl, socket.inet_pton(socket.AF_INET6, ip))


def alias(owner: str, target: str, ttl: int = 1) -> Record:
    return (owner, CNAME, ttl, encode_name(target))


@dataclass(frozen=True)
class Query:
    """One question, as it came."""

    number: int
    name: str
    kind: int
    question: bytes

    @staticmethod
    def parse(message: bytes) -> "Query":
        labels, position = [], 12
        while length := message[position]:
            labels.append(message[position + 1:position + 1 + length].decode("ascii"))
            position += 1 + length
        kind, = struct.unpack_from("!H", message, position + 1)
        return Query(struct.unpack_from("!H", message)[0], ".".join(labels).lower(), kind, message[12:position + 5])

    def reply(self, *records: Record, code: int = NO_ERROR, number: int | None = None, question: bytes | None = None,
              flags: int = 0x8180) -> bytes:
        """A response; the default flags say response, recursion desired and available."""
        head = struct.pack("!HHHHHH", self.number if number is None else number, flags | code, 1, len(records), 0, 0)
        # The question's name again is a pointer to it, as servers write it.
        body = b"".join(
            (b"\xc0\x0c" if owner == self.name else encode_name(owner))
            + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
            for owner, kind, ttl, data in records)
        return head + (self.question if question is None else question) + body

    def addresses(self, *ips: str, ttl: int = 1) -> bytes:
        """Of these addresses those that were asked for: the ones of IPv4, or those of IPv6."""
        make = address6 if self.kind == AAAA else address
        return self.reply(*(make(self.name, ip, ttl) for ip in ips if (":" in ip) == (self.kind == AAAA)))


@dataclass
class Asker:
    """Where a question came from, and how it is answered from there or from elsewhere."""

    server: "NameServer"
    peer: tuple
    by_tcp: bool

    def send_from(self, ip: str, data: bytes) -> None:
        """From another address or port than was asked."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((ip, 0))
            other.sendto(data, self.peer)


Answer = Callable[[Query, Asker], bytes | None]


class NameServer:
    """Listens on port 53 of a loopback address of its own, since resolv.conf has no ports; by UDP and TCP.

    An answer that is too long for UDP is truncated, and given by TCP.
    """

    def __init__(self, ip: str, answer: Answer):
        self.ip = ip
        self.answer = answer
        self.queries: list[Query] = []
        self.tcp_count = 0
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((ip, 53))
        self._tcp = socket.create_server((ip, 53), backlog=64)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def stop(self) -> None:
        for one in (self._udp, self._tcp):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def count(self, name: str) -> int:
        return sum(query.name == name for query in list(self.queries))

    def _serve_udp(self) -> None:
        while True:
            try:
                message, peer = self._udp.recvfrom(4_096)
            except OSError:
                return
            if not message:
                return
            query = Query.parse(message)
            self.queries.append(query)
            data = self.answer(query, Asker(self, peer, False))
            if data is not None and len(data) > UDP_BYTES_MAX:
                data = query.reply(flags=0x8380)  # truncated
            if data is not None:
                self._udp.sendto(data, peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, peer = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection, peer), daemon=True).start()

    def _serve_connection(self, connection: socket.socket, peer: tuple) -> None:
        with connection:
            try:
                while size := self._read(connection, 2):
                    query = Query.parse(self._read(connection, struct.unpack("!H", size)[0]))
                    self.queries.append(query)
                    self.tcp_count += 1
                    data = self.answer(query, Asker(self, peer, True))
                    if data is None:
                        return
                    connection.sendall(struct.pack("!H", len(data)) + data)
            except OSError:
                pass

    @staticmethod
    def _read(connection: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            if not piece:
                return b""
            data += piece
        return data


def may_have_resolver(folder: Path) -> str | None:
    """Why a gateway cannot be given a resolv.conf of its own here; None where it can."""
    if os.geteuid() != 0:
        return "needs root for a resolv.conf of the test's own"
    settings = folder / "resolv.conf"
    settings.write_text("")
    attempt = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", str(settings), "/etc/resolv.conf"], capture_output=True, check=False)
    return None if attempt.returncode == 0 else "may not mount a resolv.conf of the test's own"


def binary_asking(server: NameServer, folder: Path) -> str:
    """A program that is the gateway, and sees another /etc/resolv.conf than everyone else."""
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver {server.ip}\n")
    script = folder / "penstock-with-names"
    script.write_text(
        "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"' "
        f"'{settings}' '{penstock_binary()}' \"$@\"\n")
    script.chmod(0o755)
    return str(script)
