"""Frames of HTTP/2 over a socket: written as a test wants them, read strictly."""

import socket
import struct
import threading
from dataclasses import dataclass

from .http import ConnectionEnded, ProtocolViolation
from .waiting import Deadline

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
NAMES = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION")

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 1, 1, 4, 8, 0x20

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY,
 HTTP_1_1_REQUIRED) = range(14)

(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
 MAX_HEADER_LIST_SIZE) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8

# RFC 9113 section 6.9.2, and the size that neither side of these tests ever raises.
DEFAULT_WINDOW = 65_535
FRAME_BYTES_MAX = 16_384


@dataclass(frozen=True)
class Frame:
    type: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends_stream(self) -> bool:
        return self.type in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def error(self) -> int:
        """The code of RST_STREAM or GOAWAY."""
        start = {RST_STREAM: 0, GOAWAY: 4}[self.type]
        return struct.unpack_from(">I", self.payload, start)[0]

    @property
    def last_stream(self) -> int:
        assert self.type == GOAWAY
        return struct.unpack_from(">I", self.payload)[0] & 0x7FFFFFFF

    @property
    def increment(self) -> int:
        assert self.type == WINDOW_UPDATE
        return struct.unpack(">I", self.payload)[0]

    @property
    def settings(self) -> dict[int, int]:
        assert self.type == SETTINGS
        return dict(struct.unpack_from(">HI", self.payload, start) for start in range(0, len(self.payload), 6))

    def __str__(self) -> str:
        name = NAMES[self.type] if self.type < len(NAMES) else f"type {self.type}"
        code = f", error {self.error}" if self.type in (RST_STREAM, GOAWAY) else ""
        text = f" {self.payload[8:].decode(errors='replace')!r}" if self.type == GOAWAY else ""
        return f"{name}(stream {self.stream}, flags {self.flags:#x}, {len(self.payload)} bytes{code}{text})"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as bytes; nothing about it is checked."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings_frame(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in values.items()))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset_frame(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway_frame(last_stream: int, code: int, text: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream, code) + text)


class FrameSocket:
    """Reads whole frames with a deadline, and checks what RFC 9113 section 4 and 6 say of their form."""

    def __init__(self, connection: socket.socket, seconds: float = 10.0):
        self.socket = connection
        self.seconds = seconds
        self.frame_bytes_max = FRAME_BYTES_MAX
        self._buffer = bytearray()
        self._sending = threading.Lock()

    def send(self, *pieces: bytes) -> None:
        with self._sending:
            self.socket.settimeout(self.seconds)
            self.socket.sendall(b"".join(pieces))

    def _fill(self, count: int, deadline: Deadline) -> bool:
        """Receives until `count` bytes are there; false at the end of the stream."""
        while len(self._buffer) < count:
            self.socket.settimeout(deadline.left())
            try:
                data = self.socket.recv(65_536)
            except TimeoutError:
                raise AssertionError(f"no frame came for {self.seconds} s") from None
            except ConnectionError as error:
                raise ConnectionEnded(f"the connection was reset: {error}") from None
            if not data:
                return False
            self._buffer += data
        return True

    def read_exactly(self, count: int) -> bytes:
        if not self._fill(count, Deadline(self.seconds)):
            raise ConnectionEnded(f"the connection ended after {bytes(self._buffer)!r}")
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def read_frame(self) -> Frame | None:
        """The next frame; None at the end of the stream."""
        if not self._fill(9, Deadline(self.seconds)):
            if self._buffer:
                raise ConnectionEnded(f"the connection ended in a frame: {bytes(self._buffer)!r}")
            return None
        length = int.from_bytes(self._buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self._buffer[3:9])
        if length > self.frame_bytes_max:
            raise ProtocolViolation(f"a frame of {length} bytes")
        self.read_exactly(9)
        found = Frame(kind, flags, stream & 0x7FFFFFFF, self.read_exactly(length))
        if stream >> 31:
            raise ProtocolViolation(f"the reserved bit is set: {found}")
        self._check(found)
        return found

    @staticmethod
    def _check(found: Frame) -> None:
        on_connection = {SETTINGS, PING, GOAWAY}
        if found.type in on_connection and found.stream != 0:
            raise ProtocolViolation(f"on a stream: {found}")
        if found.type < len(NAMES) and found.type not in on_connection | {WINDOW_UPDATE} and found.stream == 0:
            raise ProtocolViolation(f"on no stream: {found}")
        sizes = {RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4, PRIORITY: 5}
        if found.type in sizes and len(found.payload) != sizes[found.type]:
            raise ProtocolViolation(f"of the wrong size: {found}")
        if found.type == SETTINGS and (len(found.payload) % 6 or found.flags & ACK and found.payload):
            raise ProtocolViolation(f"of the wrong size: {found}")
        if found.type == WINDOW_UPDATE and found.increment == 0:
            raise ProtocolViolation(f"without an increment: {found}")
