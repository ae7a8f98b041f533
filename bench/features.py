"""Proves that every proxy does the same work: a request is seen at the origin with the same fields added."""

import re
import socket
import subprocess
import threading
from pathlib import Path

import ready
from process import BenchError, Server, free_port
from scenarios import Work, hosts
from programs import find_program

REQUEST_FIELDS = (
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-request-id", "via")
RESPONSE_FIELDS = ("via",)
UNKNOWN_HOST = "unknown.bench.test"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


class EchoOrigin:
    """Answers each request with its own head as content; a handshake of WebSocket with it as what follows."""

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
                    if b"upgrade: websocket" in head.lower():
                        connection.sendall(
                            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" + head)
                        return
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
            except OSError:
                return

    def stop(self) -> None:
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


def exchange(work: Work, port: int, host: str) -> tuple[str, str]:
    """A response's head and content."""
    if work.front == "h2":
        return exchange_with_curl(port, host)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        if work.has_tls:
            connection = ready.without_verification().wrap_socket(connection, server_hostname=host)
        fields = UPGRADE if work.origin == "websocket" else "Connection: close\r\n"
        connection.sendall(f"GET /api/small HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
        data = b""
        while more := connection.recv(65_536):
            data += more
    head, _, content = data.decode("latin-1").partition("\r\n\r\n")
    return head, content


def exchange_with_curl(port: int, host: str) -> tuple[str, str]:
    result = subprocess.run(
        [find_program("curl"), "--silent", "--insecure", "--include", "--http2", "--max-time", "5",
         "--connect-to", f"::127.0.0.1:{port}", f"https://{host}/api/small"],
        capture_output=True, text=True, timeout=10, check=False)
    if not result.stdout.startswith("HTTP/2 "):
        raise BenchError(f"no HTTP/2 by TLS: {result.stdout[:200]!r} {result.stderr}")
    head, _, content = result.stdout.partition("\n\n")  # in text mode, no CR is left
    return head, content


def field_names(head: str) -> set[str]:
    return {line.partition(":")[0].strip().lower() for line in head.splitlines()[1:]}


def check(name: str, work: Work, start, folder: Path) -> None:
    """Raises `BenchError` unless the proxy that `start` makes adds every field and routes by host."""
    if work.origin == "grpc":
        return check_grpc(name, work, start, folder)
    origin = EchoOrigin()
    server = None
    try:
        server = start(name, work=work, origin_port=origin.port)
        head, content = exchange(work, server.port, hosts()[1])
        report_missing(name, field_names(content), field_names(head), f"{head}\n{content}")
        scheme = "https" if work.has_tls else "http"
        if f"x-forwarded-proto: {scheme}" not in content.lower():
            raise BenchError(f"{name} does not say {scheme} in X-Forwarded-Proto:\n{content}")
        if work.origin == "websocket":
            if " 101" not in head.splitlines()[0]:
                raise BenchError(f"{name} does not upgrade:\n{head}")
            return
        answer = exchange(work, server.port, UNKNOWN_HOST)[0].splitlines()[0]
        if " 404" not in answer and " 503" not in answer:
            raise BenchError(f"{name} does not route by host: it answers one without a route with {answer!r}")
    finally:
        if server is not None:
            server.stop()
        origin.stop()


def report_missing(name: str, request: set[str], response: set[str], seen: str) -> None:
    missing = [field for field in REQUEST_FIELDS if field not in request]
    missing += [f"{field} in the response" for field in RESPONSE_FIELDS if field not in response]
    if missing:
        raise BenchError(f"{name} does not add {', '.join(missing)}:\n{seen}")


def check_grpc(name: str, work: Work, start, folder: Path) -> None:
    """The same with nghttpd as the origin, which prints what reaches it, and nghttp as the client."""
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "small").write_bytes(b"\0\0\0\0\x05hello")
    port = free_port()
    origin = Server("nghttpd", [
        find_program("nghttpd"), "--no-tls", "--verbose", "--address=127.0.0.1", f"--htdocs={folder}",
        "--trailer=grpc-status: 0", str(port)], folder, {0, 1}, port)
    server = None
    try:
        origin.wait_until_ready(lambda: ready.status_of("h2c", port, hosts()[1], "/api/small"))
        server = start(name, work=work, origin_port=port)
        origin.truncate_logs()
        answer = subprocess.run(
            [find_program("nghttp"), "--verbose", "--no-dep", "--header=content-type: application/grpc",
             "--header=te: trailers", f"--header=:authority: {hosts()[1]}",
             f"--data={folder / 'api' / 'small'}", f"http://127.0.0.1:{server.port}/api/small"],
            capture_output=True, text=True, timeout=10, check=False).stdout
        seen = (origin.folder / "output.txt").read_text(errors="replace")
        report_missing(name, printed_names(seen), printed_names(answer), f"{answer}\n{seen}")
        if ":status: 200" not in answer or "grpc-status: 0" not in answer or "te: trailers" not in seen:
            raise BenchError(f"{name} does not carry gRPC:\n{answer}\n{seen}")
    finally:
        if server is not None:
            server.stop()
        origin.stop()


def printed_names(output: str) -> set[str]:
    """The fields that nghttp or nghttpd says it has received: "(stream_id=1) NAME: VALUE"."""
    return set(re.findall(r"recv \(stream_id=\d+\) (:?[^:]+):", re.sub(r"\x1b\[[\d;]*m", "", output)))
