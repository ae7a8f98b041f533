"""A client of HTTP/2 that sends exactly what it is told to, and reads answers strictly."""

import re
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Callable

import hpack

from . import http2_frames as h2
from .http import ConnectionEnded, ProtocolViolation, Response
from .tls import client_context
from .waiting import Deadline

# RFC 9113 section 8.2.2.
CONNECTION_FIELDS = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")

Fields = list[tuple[str, str]]


class StreamReset(AssertionError):
    """The other side ended a stream with RST_STREAM."""

    def __init__(self, code: int):
        super().__init__(f"the stream was reset with error {code}")
        self.code = code


@dataclass
class Stream:
    """What has come on a stream so far."""

    response: Response | None = None
    interim: list[Response] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    trailers: Fields | None = None
    is_ended: bool = False
    reset: int | None = None
    send_window: int = h2.DEFAULT_WINDOW
    receive_window: int = h2.DEFAULT_WINDOW

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def check_fields(fields: Fields, pseudo: set[str]) -> None:
    """RFC 9113 sections 8.2 and 8.3, for a head or (without pseudo-fields) trailers."""
    regular = False
    seen: list[str] = []
    for name, value in fields:
        if name.startswith(":"):
            if regular or name not in pseudo or name in seen:
                raise ProtocolViolation(f"{name} where it must not be: {fields}")
            seen.append(name)
            continue
        regular = True
        if not FIELD_NAME.fullmatch(name) or name in CONNECTION_FIELDS:
            raise ProtocolViolation(f"{name!r} is no field of HTTP/2")
        if re.search(r"[\0\r\n]", value) or value != value.strip(" \t"):
            raise ProtocolViolation(f"{name}: {value!r} is no value of HTTP/2")
    if set(seen) != pseudo:
        raise ProtocolViolation(f"{pseudo - set(seen)} is missing: {fields}")


class HTTP2Client:
    """One connection, in clear text by prior knowledge or (with `tls`) by TLS with ALPN.

    Acknowledges settings and pings, and gives windows back unless `keeps_windows`.
    """

    def __init__(self, port: int, *, tls: bool | ssl.SSLContext = False, server_name: str = "example.test",
                 authority: str = "example.test", settings: dict[int, int] | None = None, seconds: float = 10.0,
                 begins: bool = True, keeps_windows: bool = False):
        connection: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = tls if isinstance(tls, ssl.SSLContext) else client_context(alpn=["h2"])
            wrapped = context.wrap_socket(connection, server_hostname=server_name)
            assert wrapped.selected_alpn_protocol() == "h2", wrapped.selected_alpn_protocol()
            connection = wrapped
        self.frames = h2.FrameSocket(connection, seconds)
        self.scheme = "https" if tls else "http"
        self.authority = authority
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.streams: dict[int, Stream] = {}
        self.settings = settings or {}
        self.peer_settings: dict[int, int] | None = None
        self.send_window = h2.DEFAULT_WINDOW
        self.receive_window = h2.DEFAULT_WINDOW
        self.goaway: h2.Frame | None = None
        self.is_ended = False
        self.settings_acknowledged = 0
        self.pings: list[bytes] = []
        self._keeps_windows = keeps_windows
        self._next_stream = 1
        self._block: tuple[h2.Frame, bytes] | None = None
        if begins:
            self.send(h2.PREFACE, h2.settings_frame(self.settings))

    def __enter__(self) -> "HTTP2Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self.frames.socket.close()

    # Sending

    def send(self, *pieces: bytes) -> None:
        self.frames.send(*pieces)

    def new_stream(self) -> int:
        number = self._next_stream
        self._next_stream += 2
        self.streams[number] = Stream(
            send_window=(self.peer_settings or {}).get(h2.INITIAL_WINDOW_SIZE, h2.DEFAULT_WINDOW),
            receive_window=self.settings.get(h2.INITIAL_WINDOW_SIZE, h2.DEFAULT_WINDOW))
        return number

    def block(self, fields: Fields) -> bytes:
        """A header block; names and values may be anything."""
        return self.encoder.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
                                   huffman=True)

    def head(self, method: str = "GET", path: str = "/", *fields: tuple[str, str]) -> Fields:
        return [(":method", method), (":scheme", self.scheme), (":authority", self.authority), (":path", path),
                *fields]

    def open(self, fields: Fields, end: bool = True) -> int:
        """A stream with exactly these fields in one HEADERS frame."""
        number = self.new_stream()
        self.send(h2.frame(h2.HEADERS, h2.END_HEADERS | (h2.END_STREAM if end else 0), number, self.block(fields)))
        return number

    def request(self, method: str = "GET", path: str = "/", *fields: tuple[str, str], body: bytes | None = None,
                end: bool = True) -> int:
        """A well-formed request; its content, if any, goes as far as the windows let it."""
        number = self.open(self.head(method, path, *fields), end=end and body is None)
        if body is not None:
            self.send_content(number, body, end)
        return number

    def request_in_one_piece(self, path: str, *fields: tuple[str, str], body: bytes) -> int:
        """A POST whose head and content go in one write, so that the gateway reads them together."""
        number = self.new_stream()
        self.send(h2.frame(h2.HEADERS, h2.END_HEADERS, number, self.block(self.head("POST", path, *fields))),
                  h2.frame(h2.DATA, h2.END_STREAM, number, body))
        self.send_window -= len(body)
        return number

    def send_content(self, number: int, data: bytes, end: bool = True) -> None:
        """DATA frames within the windows; reads what comes while it waits for them."""
        stream = self.streams[number]
        while True:
            room = min(self.send_window, stream.send_window, h2.FRAME_BYTES_MAX)
            if data and room <= 0:
                self.pump(lambda: min(self.send_window, stream.send_window) > 0, "the windows are open")
                continue
            piece, data = data[:room] if data else b"", data[max(room, 0):] if data else b""
            self.send(h2.frame(h2.DATA, h2.END_STREAM if end and not data else 0, number, piece))
            self.send_window -= len(piece)
            stream.send_window -= len(piece)
            if not data:
                return

    def send_trailers(self, number: int, *fields: tuple[str, str]) -> None:
        self.send(h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, number, self.block(list(fields))))

    def reset(self, number: int, code: int = h2.CANCEL) -> None:
        self.send(h2.reset_frame(number, code))

    # Receiving

    def step(self) -> h2.Frame | None:
        """Reads one frame and does what the protocol asks for; None at the end of the connection."""
        try:
            found = self.frames.read_frame()
        except ConnectionEnded:
            found = None
        if found is None:
            self.is_ended = True
            return None
        if self._block is not None and (found.type != h2.CONTINUATION or found.stream != self._block[0].stream):
            raise ProtocolViolation(f"inside a header block: {found}")
        handlers = {h2.SETTINGS: self._take_settings, h2.PING: self._take_ping, h2.GOAWAY: self._take_goaway,
                    h2.WINDOW_UPDATE: self._take_window, h2.RST_STREAM: self._take_reset, h2.DATA: self._take_data,
                    h2.HEADERS: self._take_headers, h2.CONTINUATION: self._take_continuation}
        handlers.get(found.type, lambda _: None)(found)
        return found

    def pump(self, condition: Callable[[], Any], what: str) -> None:
        """Reads frames until `condition` holds; fails when the connection ends first."""
        deadline = Deadline(self.frames.seconds)
        while not condition():
            assert not deadline.has_passed(), f"still not: {what}"
            if self.step() is None:
                raise ConnectionEnded(f"the connection ended before {what}; GOAWAY was {self.goaway}")

    def response(self, number: int) -> Response:
        """The whole response of a stream; raises `StreamReset`."""
        stream = self.streams[number]
        self.pump(lambda: stream.is_ended or stream.reset is not None, f"the response on stream {number}")
        if not stream.is_ended:
            raise StreamReset(stream.reset if stream.reset is not None else -1)
        assert stream.response is not None
        stream.response.body = stream.body
        stream.response.chunks = stream.chunks
        stream.response.trailers = stream.trailers or []
        length = stream.response.value("content-length")
        if length is not None and stream.body and int(length) != len(stream.body):
            raise ProtocolViolation(f"content-length {length}, but {len(stream.body)} bytes")
        return stream.response

    def exchange(self, method: str = "GET", path: str = "/", *fields: tuple[str, str],
                 body: bytes | None = None) -> Response:
        return self.response(self.request(method, path, *fields, body=body))

    def wait_for_head(self, number: int) -> Response:
        """The final response's head; content may follow."""
        stream = self.streams[number]
        self.pump(lambda: stream.response or stream.reset is not None, f"a head on stream {number}")
        if stream.response is None:
            raise StreamReset(stream.reset if stream.reset is not None else -1)
        return stream.response

    def expect_reset(self, number: int) -> int:
        """The code of the RST_STREAM that ends a stream."""
        stream = self.streams[number]
        self.pump(lambda: stream.reset is not None, f"stream {number} is reset")
        assert stream.reset is not None
        return stream.reset

    def expect_goaway(self) -> int:
        """The code of GOAWAY, which has to come before the connection ends."""
        self.pump(lambda: self.goaway is not None, "GOAWAY")
        assert self.goaway is not None
        return self.goaway.error

    def expect_end(self) -> None:
        """The connection ends; what comes before does not matter."""
        while self.step() is not None:
            pass

    def expect_open(self) -> None:
        """The connection answers a ping and carries a request."""
        self.ping()
        response = self.exchange("GET", "/still-open")
        assert response.status == 200, response

    def ping(self, data: bytes = b"are you?") -> None:
        seen = len(self.pings)
        self.send(h2.frame(h2.PING, 0, 0, data))
        self.pump(lambda: data in self.pings[seen:], "PING is acknowledged")

    def wait_for_settings(self) -> dict[int, int]:
        """The gateway's, and its acknowledgement of this client's."""
        self.pump(lambda: self.peer_settings is not None and self.settings_acknowledged > 0, "settings")
        assert self.peer_settings is not None
        return self.peer_settings

    # Frames

    def _take_settings(self, found: h2.Frame) -> None:
        if found.flags & h2.ACK:
            self.settings_acknowledged += 1
            return
        before = (self.peer_settings or {}).get(h2.INITIAL_WINDOW_SIZE, h2.DEFAULT_WINDOW)
        self.peer_settings = {**(self.peer_settings or {}), **found.settings}
        change = self.peer_settings.get(h2.INITIAL_WINDOW_SIZE, h2.DEFAULT_WINDOW) - before
        for stream in self.streams.values():
            stream.send_window += change
        if h2.HEADER_TABLE_SIZE in found.settings:
            self.encoder.header_table_size = min(found.settings[h2.HEADER_TABLE_SIZE], 4_096)
        self.send(h2.frame(h2.SETTINGS, h2.ACK, 0))

    def _take_ping(self, found: h2.Frame) -> None:
        if found.flags & h2.ACK:
            self.pings.append(found.payload)
        else:
            self.send(h2.frame(h2.PING, h2.ACK, 0, found.payload))

    def _take_goaway(self, found: h2.Frame) -> None:
        self.goaway = found

    def _take_window(self, found: h2.Frame) -> None:
        if found.stream == 0:
            self.send_window += found.increment
        elif found.stream in self.streams:
            self.streams[found.stream].send_window += found.increment

    def _take_reset(self, found: h2.Frame) -> None:
        self._known(found).reset = found.error

    def _known(self, found: h2.Frame) -> Stream:
        if found.stream not in self.streams:
            raise ProtocolViolation(f"on a stream that nobody opened: {found}")
        return self.streams[found.stream]

    def _take_data(self, found: h2.Frame) -> None:
        stream = self._known(found)
        if stream.response is None or stream.is_ended:
            raise ProtocolViolation(f"content where none can be: {found}")
        size = len(found.payload)
        self.receive_window -= size
        stream.receive_window -= size
        if self.receive_window < 0 or stream.receive_window < 0:
            raise ProtocolViolation(f"more than the window: {found}")
        if found.flags & h2.PADDED:
            padding = found.payload[0]
            found = h2.Frame(found.type, found.flags, found.stream, found.payload[1:size - padding])
        if found.payload:
            stream.chunks.append(found.payload)
        stream.is_ended = found.ends_stream
        if size and not self._keeps_windows:
            self.give_window(0, size)
            if not stream.is_ended and stream.reset is None:
                self.give_window(found.stream, size)

    def give_window(self, number: int, size: int) -> None:
        self.send(h2.window_update(number, size))
        if number == 0:
            self.receive_window += size
        else:
            self.streams[number].receive_window += size

    def _take_headers(self, found: h2.Frame) -> None:
        self._known(found)
        payload = found.payload
        if found.flags & h2.PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if found.flags & h2.PRIORITISED:
            payload = payload[5:]
        self._continue_block(found, payload, bool(found.flags & h2.END_HEADERS))

    def _take_continuation(self, found: h2.Frame) -> None:
        if self._block is None:
            raise ProtocolViolation(f"outside a header block: {found}")
        first, block = self._block
        self._continue_block(first, block + found.payload, bool(found.flags & h2.END_HEADERS))

    def _continue_block(self, first: h2.Frame, block: bytes, is_whole: bool) -> None:
        self._block = None if is_whole else (first, block)
        if not is_whole:
            return
        fields = [(name.decode("latin-1"), value.decode("latin-1"))
                  for name, value in self.decoder.decode(block, raw=True)]
        stream = self._known(first)
        if stream.response is not None:
            check_fields(fields, set())
            if not first.ends_stream or stream.is_ended:
                raise ProtocolViolation("trailers that do not end the stream")
            stream.trailers = fields
        else:
            check_fields(fields, {":status"})
            status = fields[0][1]
            if not re.fullmatch(r"[1-5]\d\d", status) or status == "101":
                raise ProtocolViolation(f":status {status}")
            response = Response(first_line=f"HTTP/2 {status}", fields=fields[1:], head=b"", status=int(status))
            if response.status < 200:
                stream.interim.append(response)
            else:
                stream.response = response
        stream.is_ended = first.ends_stream
