"""Connections that have had one response each and then say nothing."""

import select
import socket
import subprocess
import time

from process import BenchError
from scenarios import SMALL_BYTES, hosts
from programs import built_tool

OPENING_AT_ONCE = 200
OPENING_SECONDS_MAX = 60


class IdleTLSClients:
    """The same by TLS, in a program of their own: `tools/tls_load.c`."""

    def __init__(self, port: int, count: int):
        self._process = subprocess.Popen(
            [built_tool("tls_load"), "idle", hosts()[0], str(port), "/api/small", str(SMALL_BYTES), str(count),
             str(OPENING_SECONDS_MAX)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self._process.stdout.readline().strip() != f"READY {count}":
            raise BenchError(f"the idle clients failed: {self._process.communicate()[1]}")

    def open_count(self) -> int:
        """Those that the server has not closed. Closes them all."""
        output, _ = self._process.communicate("count\n", timeout=30)
        return int(output.split()[-1])

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class IdleClients:
    """Connections that have had one response each and then say nothing."""

    def __init__(self, port: int, count: int):
        self._connections: list[socket.socket] = []
        request = f"GET /api/small HTTP/1.1\r\nHost: {hosts()[0]}\r\n\r\n".encode()
        deadline = time.monotonic() + OPENING_SECONDS_MAX
        try:
            while len(self._connections) < count:
                size = min(OPENING_AT_ONCE, count - len(self._connections))
                self._open_batch(port, size, request, deadline)
        except BaseException:
            self.close()
            raise

    def _open_batch(self, port: int, size: int, request: bytes, deadline: float) -> None:
        poller = select.epoll()
        waiting: dict[int, bytes] = {}
        batch: dict[int, socket.socket] = {}
        try:
            for _ in range(size):
                connection = socket.create_connection(("127.0.0.1", port), timeout=5)
                self._connections.append(connection)
                connection.sendall(request)
                connection.setblocking(False)
                batch[connection.fileno()] = connection
                waiting[connection.fileno()] = b""
                poller.register(connection.fileno(), select.EPOLLIN)
            while waiting:
                if time.monotonic() > deadline:
                    raise BenchError(f"{len(waiting)} of the idle clients' requests were not answered")
                for descriptor, _ in poller.poll(1):
                    data = batch[descriptor].recv(65_536)
                    waiting[descriptor] += data
                    if not data:
                        raise BenchError(
                            f"an idle client's connection was closed: {waiting[descriptor][:200]!r}")
                    if is_complete(waiting[descriptor]):
                        poller.unregister(descriptor)
                        del waiting[descriptor]
        except OSError as error:
            raise BenchError(f"an idle client's connection failed: {error}") from error
        finally:
            poller.close()

    def open_count(self) -> int:
        """Those that the server has not closed."""
        count = 0
        for connection in self._connections:
            try:
                count += len(connection.recv(1, socket.MSG_PEEK)) > 0
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections = []


def is_complete(response: bytes) -> bool:
    """Whether a response with Content-Length has come whole; raises `BenchError` unless it is a 200."""
    head, separator, content = response.partition(b"\r\n\r\n")
    if not separator:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"an idle client was answered {head[:200]!r}")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(content) >= int(value)
    raise BenchError("a response without Content-Length")
