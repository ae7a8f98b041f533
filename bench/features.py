"""Proves that every proxy does the same work: a request is seen at the origin with the same fields added."""

import socket
import threading

from process import BenchError, free_port
from scenarios import hosts

REQUEST_FIELDS = (
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-request-id", "via")
RESPONSE_FIELDS = ("via",)
UNKNOWN_HOST = "unknown.bench.test"


class EchoOrigin:
    """Answers each request with its own head as content."""

    def __init__(self):
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    @staticmethod
    def _answer(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                while head := read_head(connection):
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
            except OSError:
                return

    def close(self) -> None:
        # `close` alone does not end an `accept` that another thread waits in.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1)


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more or len(data) > 65_536:
            return b""
        data += more
    return data


def exchange(port: int, host: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(
            f"GET /api/small HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := connection.recv(65_536):
            data += more
    return data


def field_names(head: str) -> set[str]:
    return {line.partition(":")[0].strip().lower() for line in head.split("\r\n")[1:]}


def check(name: str, start) -> None:
    """Raises `BenchError` unless the proxy that `start` makes adds every field and routes by host."""
    origin = EchoOrigin()
    server = None
    try:
        server = start(name, origin.port)
        head, _, content = exchange(server.port, hosts()[1]).decode("latin-1").partition("\r\n\r\n")
        missing = [field for field in REQUEST_FIELDS if field not in field_names(content)]
        missing += [f"{field} in the response" for field in RESPONSE_FIELDS
                    if field not in field_names(head)]
        if missing:
            raise BenchError(f"{name} does not add {', '.join(missing)}:\n{head}\n{content}")
        answer = exchange(server.port, UNKNOWN_HOST).split(b"\r\n")[0]
        if b" 404" not in answer and b" 503" not in answer:
            raise BenchError(f"{name} does not route by host: it answers one without a route with {answer!r}")
    finally:
        if server is not None:
            server.stop()
        origin.close()
