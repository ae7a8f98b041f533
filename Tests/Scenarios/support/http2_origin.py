"""An origin that speaks HTTP/2 by the `h2` package, and breaks its rules where a test tells it to.

The package checks what the gateway sends: a breach is a failure of the test.
"""

import json
import queue
import socket
import ssl
import threading
from typing import Any, Callable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .certificates import Leaf
from .http import Request
from .ports import free_port
from .waiting import wait_until

SECONDS_MAX = 20.0


class HTTP2Exchange:
    """One request on one stream, with what an answer is made of. Its answer runs in a thread of its own."""

    def __init__(self, connection: "HTTP2Connection", stream: int, fields: list[tuple[str, str]]):
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        self.connection = connection
        self.stream = stream
        self.pseudo = pseudo
        self.request = Request(
            first_line="", fields=[pair for pair in fields if not pair[0].startswith(":")], head=b"",
            method=pseudo.get(":method", ""), target=pseudo.get(":path", ""), version="HTTP/2")
        self.reset_code: int | None = None
        self._arrived: "queue.Queue[bytes | None]" = queue.Queue()

    @property
    def authority(self) -> str | None:
        return self.pseudo.get(":authority") or self.request.value("host")

    def arrive(self, data: bytes | None) -> None:
        self._arrived.put(data)

    def next_data(self) -> bytes | None:
        """The next content; None at the end of the request."""
        return self._arrived.get(timeout=SECONDS_MAX)

    def read_body(self) -> bytes:
        while not self.request.is_complete:
            data = self.next_data()
            if data is None:
                self.request.is_complete = True
            else:
                self.request.body += data
                self.request.chunks.append(data)
        return self.request.body

    # The response

    def head(self, status: int, *fields: tuple[str, str], end: bool = False) -> None:
        self.connection.send_headers(
            self.stream, [(":status", str(status)), ("x-origin", self.connection.origin.name), *fields], end)

    def data(self, content: bytes, end: bool = False) -> None:
        self.connection.send_data(self.stream, content, end)

    def trailers(self, *fields: tuple[str, str]) -> None:
        self.connection.send_headers(self.stream, list(fields), True)

    def interim(self, status: int, *fields: tuple[str, str]) -> None:
        self.connection.send_headers(self.stream, [(":status", str(status)), *fields], False)

    def respond(self, status: int = 200, body: bytes | str = b"", *fields: tuple[str, str]) -> None:
        """A whole response; reads the rest of the request first."""
        self.read_body()
        body = body.encode() if isinstance(body, str) else body
        content = b"" if self.request.method == "HEAD" else body
        self.head(status, *fields, ("content-length", str(len(body))), end=not content)
        if content:
            self.data(content, end=True)

    def reset(self, code: int) -> None:
        self.connection.reset(self.stream, code)

    def wait_for_reset(self, seconds: float = SECONDS_MAX) -> int:
        """The code with which the gateway has reset the stream."""
        wait_until(lambda: self.reset_code is not None, f"stream {self.stream} is reset", seconds)
        assert self.reset_code is not None
        return self.reset_code


Answer = Callable[[HTTP2Exchange], None]


def echo(exchange: HTTP2Exchange) -> None:
    """Answers with what arrived, as JSON, like the origin of HTTP/1.1 does."""
    exchange.read_body()
    request = exchange.request
    content = {
        "origin": exchange.connection.origin.name, "method": request.method, "target": request.target,
        "version": "HTTP/2", "authority": exchange.authority, "scheme": exchange.pseudo.get(":scheme"),
        "protocol": exchange.pseudo.get(":protocol"), "fields": request.fields,
        "body": request.body.decode("latin-1"), "trailers": request.trailers,
    }
    exchange.respond(200, json.dumps(content), ("content-type", "application/json"))


class HTTP2Connection:
    """One connection of an origin: what `h2` knows of it, behind one lock."""

    def __init__(self, origin: "HTTP2Origin", connection: socket.socket, number: int):
        self.origin = origin
        self.socket = connection
        self.number = number
        self.exchanges: dict[int, HTTP2Exchange] = {}
        self.goaway_code: int | None = None
        self._changed = threading.Condition()
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.state.local_settings.update(origin.settings)
        self.state.local_settings.acknowledge()  # the first SETTINGS frame says what is in force

    def serve(self) -> None:
        with self._changed:
            self.state.initiate_connection()
            self._flush()
        if self.origin.connection_window:
            with self._changed:
                self.state.increment_flow_control_window(self.origin.connection_window)
                self._flush()
        while data := self.socket.recv(65_536):
            with self._changed:
                for event in self.state.receive_data(data):
                    self._handle(event)
                self._flush()
                self._changed.notify_all()

    def _flush(self) -> None:
        self.socket.sendall(self.state.data_to_send())

    def send_raw(self, *pieces: bytes) -> None:
        """Frames of a test's own, which `h2` knows nothing about."""
        with self._changed:
            self.socket.sendall(b"".join(pieces))

    # Sending

    def send_headers(self, stream: int, fields: list[tuple[str, str]], end: bool) -> None:
        with self._changed:
            self.state.send_headers(stream, fields, end_stream=end)
            self._flush()

    def send_data(self, stream: int, content: bytes, end: bool) -> None:
        """Within the gateway's windows; waits for them."""
        with self._changed:
            while content:
                room = min(self.state.local_flow_control_window(stream), self.state.max_outbound_frame_size)
                if room <= 0:
                    if not self._changed.wait(SECONDS_MAX):
                        raise TimeoutError("the gateway's window stayed shut")
                    continue
                piece, content = content[:room], content[room:]
                self.state.send_data(stream, piece)
                self._flush()
            if end:
                self.state.end_stream(stream)
                self._flush()

    def reset(self, stream: int, code: int) -> None:
        with self._changed:
            self.state.reset_stream(stream, code)
            self._flush()

    def goaway(self, code: int = 0, last_stream: int | None = None) -> None:
        """GOAWAY; the connection goes on with the streams up to the last."""
        with self._changed:
            last = self.state.highest_inbound_stream_id if last_stream is None else last_stream
            payload = last.to_bytes(4, "big") + code.to_bytes(4, "big")
            self.socket.sendall(len(payload).to_bytes(3, "big") + b"\x07\0\0\0\0\0" + payload)

    def close(self) -> None:
        for end in (lambda: self.socket.shutdown(socket.SHUT_RDWR), self.socket.close):
            try:
                end()
            except OSError:
                pass

    # Receiving

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._start(event)
        elif isinstance(event, h2.events.DataReceived):
            if self.origin.gives_windows and event.flow_controlled_length:
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.exchanges[event.stream_id].arrive(event.data)
        elif isinstance(event, h2.events.TrailersReceived):
            self.exchanges[event.stream_id].request.trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            self.exchanges[event.stream_id].arrive(None)
        elif isinstance(event, h2.events.StreamReset) and event.stream_id in self.exchanges:
            exchange = self.exchanges[event.stream_id]
            exchange.reset_code = int(event.error_code)
            exchange.arrive(None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway_code = int(event.error_code)

    def _start(self, event: h2.events.RequestReceived) -> None:
        exchange = HTTP2Exchange(self, event.stream_id, [(str(n), str(v)) for n, v in event.headers])
        self.exchanges[event.stream_id] = exchange
        self.origin.requests.append(exchange.request)
        self.origin.exchanges.append(exchange)
        threading.Thread(target=self._answer, args=(exchange,), daemon=True).start()

    def _answer(self, exchange: HTTP2Exchange) -> None:
        try:
            self.origin.answer(exchange)
        except (OSError, queue.Empty, TimeoutError, h2.exceptions.ProtocolError):
            # The gateway has gone, or has ended the stream that this answer was for.
            pass
        except AssertionError as error:
            self.origin.violations.append(error)


class HTTP2Origin:
    """Listens on a port of its own. In clear text by prior knowledge, or by TLS with a certificate."""

    def __init__(self, answer: Answer = echo, name: str = "origin", *, certificate: Leaf | None = None,
                 client_authority: Any = None, alpn: tuple[str, ...] = ("h2",),
                 settings: dict[int, int] | None = None, connection_window: int = 0, gives_windows: bool = True):
        self.name = name
        self.answer = answer
        self.settings = settings or {}
        self.connection_window = connection_window  # beyond the default
        self.gives_windows = gives_windows
        self.requests: list[Request] = []
        self.exchanges: list[HTTP2Exchange] = []
        self.connections: list[HTTP2Connection] = []
        self.violations: list[BaseException] = []
        self.handshakes: list[ssl.SSLSocket] = []
        self._context = server_context(certificate, client_authority, alpn) if certificate else None
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for connection in list(self.connections):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        connection = None
        try:
            if self._context is not None:
                accepted = self._context.wrap_socket(accepted, server_side=True)
                self.handshakes.append(accepted)
            connection = HTTP2Connection(self, accepted, len(self.connections) + 1)
            self.connections.append(connection)
            connection.serve()
        except h2.exceptions.ProtocolError as error:
            self.violations.append(AssertionError(f"the gateway broke HTTP/2: {error!r}"))
        except OSError:
            pass
        finally:
            if connection is not None:
                connection.close()

    @property
    def connection_count(self) -> int:
        return len(self.connections)

    @property
    def last(self) -> Request:
        assert self.requests, f"{self.name} has seen no request"
        return self.requests[-1]

    def wait_for_requests(self, count: int, seconds: float = 10.0) -> None:
        wait_until(lambda: len(self.requests) >= count, f"{self.name} sees {count} requests", seconds)


def server_context(certificate: Leaf, client_authority: Any = None, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """TLS of an origin; with `client_authority`, clients have to show a certificate that it has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_authority.file)
    return context


