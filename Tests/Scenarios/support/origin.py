"""Origins in Python: they record what reaches them, and answer as each test tells them to."""

import json
import socket
import ssl
import threading
import time
from typing import Callable

from .client import reset
from .http import ConnectionEnded, ProtocolViolation, Request, Stream
from .ports import free_port
from .waiting import wait_until


class Exchange(Stream):
    """One request on one connection of an origin, with what an answer is made of."""

    def __init__(self, connection: socket.socket, origin: "Origin", number: int):
        super().__init__(connection, seconds=20.0)
        self.origin = origin
        self.connection_number = number  # counts the origin's connections from 1
        self.request_number = 0  # counts the requests on this connection from 1
        self.request: Request = None  # type: ignore[assignment]
        self.is_open = True

    # The request

    def read_body(self) -> bytes:
        """Reads the rest of the request and records it as complete."""
        request = self.request
        length = self.check_framing(request)
        self.mark()
        if request.is_chunked:
            self.read_chunked(request)
        elif length:
            request.body = self.read_exactly(length)
        request.raw_body = bytes(self.taken)
        request.is_complete = True
        return request.body

    # The response

    def respond(self, status: int = 200, body: bytes | str = b"", *fields: str, close: bool = False) -> None:
        """A response with a length; reads the rest of the request first."""
        if not self.request.is_complete:
            self.read_body()
        body = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} Status", f"X-Origin: {self.origin.name}", *fields]
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        if close:
            lines.append("Connection: close")
        content = b"" if self.request.method == "HEAD" else body
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)
        if close:
            self.close()

    def send_chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def close(self) -> None:
        self.is_open = False
        self.socket.close()

    def reset(self) -> None:
        self.is_open = False
        reset(self.socket)

    def wait_for_end(self, seconds: float = 20.0) -> None:
        """Reads and drops until the gateway closes the connection."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65_536):
                pass
        except ConnectionError:
            pass
        self.close()


Answer = Callable[[Exchange], None]


def echo(exchange: Exchange) -> None:
    """Answers with what arrived, as JSON."""
    exchange.read_body()
    request = exchange.request
    content = {
        "origin": exchange.origin.name, "method": request.method, "target": request.target,
        "version": request.version, "fields": request.fields, "body": request.body.decode("latin-1"),
        "trailers": request.trailers,
    }
    exchange.respond(200, json.dumps(content), "Content-Type: application/json")


def answer_with(status: int = 200, body: bytes | str = b"", *fields: str) -> Answer:
    """An answer that is the same for every request."""
    return lambda exchange: exchange.respond(status, body, *fields)


def raw_answer(data: bytes, closes: bool = False) -> Answer:
    """An answer of exactly these bytes, after the request was read."""
    def answer(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(data)
        if closes:
            exchange.close()
    return answer


def early_answer(data: bytes) -> Answer:
    """The same, before the request's content is read, which never is."""
    def answer(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.wait_for_end()
    return answer


class Origin:
    """Listens on a port of its own; each connection has a thread. With a context, it speaks TLS."""

    def __init__(self, answer: Answer = echo, name: str = "origin", port: int | None = None, ip: str = "127.0.0.1",
                 tls: ssl.SSLContext | None = None):
        self.name = name
        self.ip = ip
        self.port = port or free_port()
        self.address = f"{ip}:{self.port}"
        self.answer = answer
        self.requests: list[Request] = []
        self.violations: list[BaseException] = []
        self.connection_count = 0
        self.tls = tls
        self.handshakes: list[ssl.SSLSocket] = []
        self.failed_handshakes: list[ssl.SSLError] = []
        self._exchanges: set[Exchange] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.start()

    # Life

    def start(self) -> None:
        """Listens again after `stop`, on the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.ip, self.port))
        listener.listen(512)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Closes the port and resets every connection, as the kernel does when a process is killed."""
        listener, self._listener = self._listener, None
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)  # ends a pending accept
            except OSError:
                pass
            listener.close()
        with self._lock:
            exchanges = list(self._exchanges)
        for exchange in exchanges:
            try:
                exchange.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connection_count += 1
                exchange = Exchange(connection, self, self.connection_count)
                self._exchanges.add(exchange)
            threading.Thread(target=self._serve, args=(exchange,), daemon=True).start()

    def _shake_hands(self, exchange: Exchange) -> None:
        if self.tls is None:
            return
        try:
            secured = self.tls.wrap_socket(exchange.socket, server_side=True)
        except ssl.SSLError as error:
            self.failed_handshakes.append(error)
            raise
        self.handshakes.append(secured)
        exchange.socket = secured

    def _serve(self, exchange: Exchange) -> None:
        try:
            self._shake_hands(exchange)
            while exchange.is_open:
                exchange.socket.settimeout(None)
                if not exchange.buffer:
                    data = exchange.socket.recv(65_536)
                    if not data:
                        break
                    exchange.buffer += data
                self._serve_one(exchange)
        except ProtocolViolation as error:
            self.violations.append(error)
        except (OSError, ConnectionEnded):
            pass
        except AssertionError as error:
            self.violations.append(error)
        finally:
            with self._lock:
                self._exchanges.discard(exchange)
            try:
                exchange.socket.close()
            except OSError:
                pass

    def _serve_one(self, exchange: Exchange) -> None:
        exchange.request = exchange.read_request_head()
        exchange.request_number += 1
        with self._lock:
            self.requests.append(exchange.request)
        self.answer(exchange)
        if exchange.is_open and not exchange.request.is_complete:
            exchange.read_body()

    # What was seen

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._exchanges)

    @property
    def complete_requests(self) -> list[Request]:
        """Requests that arrived whole."""
        return [request for request in list(self.requests) if request.is_complete]

    @property
    def last(self) -> Request:
        assert self.requests, f"{self.name} has seen no request"
        return self.requests[-1]

    def forget(self) -> None:
        """Starts counting anew, with the default answer."""
        self.requests = []
        self.violations = []
        self.answer = echo

    def wait_for_requests(self, count: int, seconds: float = 10.0) -> None:
        wait_until(lambda: len(self.requests) >= count, f"{self.name} sees {count} requests", seconds)


class RawOrigin:
    """Listens, and hands every connection to a function that does with it what it likes."""

    def __init__(self, serve: Callable[[socket.socket, int], None], backlog: int = 128):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.connection_count = 0
        self._serve = serve
        self._open: list[socket.socket] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(backlog)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connection_count += 1
            self._open.append(connection)
            threading.Thread(
                target=self._run, args=(connection, self.connection_count), daemon=True).start()

    def _run(self, connection: socket.socket, number: int) -> None:
        try:
            connection.settimeout(20.0)
            self._serve(connection, number)
        except OSError:
            pass


class FullQueue:
    """A port whose accept queue is full: connecting to it neither succeeds nor fails."""

    def __init__(self):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(0)
        self._fillers: list[socket.socket] = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)
        wait_until(self._is_full, "the accept queue is full", 5.0)

    def _is_full(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            try:
                probe.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return True
            self._fillers.append(probe.dup())
            return False

    def stop(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()


def pause(seconds: float) -> None:
    """A server that takes its time. Only for origins: tests wait for events."""
    time.sleep(seconds)
