"""Reading HTTP/1 strictly: whatever is not exactly as RFC 9112 wants it is a `ProtocolViolation`."""

import re
import socket
from dataclasses import dataclass, field

from .waiting import Deadline

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
READ_BYTES = 65_536
LINE_BYTES_MAX = 1_000_000


class ProtocolViolation(AssertionError):
    """The other side sent what is not HTTP."""


class ConnectionEnded(AssertionError):
    """The other side closed or reset the connection where more should have come."""


@dataclass
class Message:
    """A request or response: its head, and its content once it was read."""

    first_line: str
    fields: list[tuple[str, str]]
    head: bytes
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    raw_body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """The values of all field lines with this name, in their order."""
        return [value for other, value in self.fields if other.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        """The value of the only field line with this name; fails when there are several."""
        found = self.values(name)
        assert len(found) <= 1, f"{name} is there {len(found)} times: {found}"
        return found[0] if found else None

    def has(self, name: str) -> bool:
        return bool(self.values(name))

    @property
    def is_chunked(self) -> bool:
        return self.value("transfer-encoding") == "chunked"


@dataclass
class Request(Message):
    method: str = ""
    target: str = ""
    version: str = ""
    is_complete: bool = False


@dataclass
class Response(Message):
    status: int = 0
    reason: str = ""

    @property
    def text(self) -> str:
        return self.body.decode()


class Stream:
    """A connected socket that is read by lines and counts, each with a deadline."""

    def __init__(self, connection: socket.socket, seconds: float = 10.0):
        self.socket = connection
        self.seconds = seconds
        self.buffer = bytearray()
        self.taken = bytearray()  # everything read since the last `mark`

    def mark(self) -> None:
        self.taken = bytearray()

    def send(self, data: bytes) -> None:
        self.socket.settimeout(self.seconds)
        self.socket.sendall(data)

    def _receive(self, deadline: Deadline) -> bool:
        """Receives more; false at the end of the stream."""
        self.socket.settimeout(deadline.left())
        try:
            data = self.socket.recv(READ_BYTES)
        except TimeoutError:
            seen = bytes(self.buffer[:200])
            raise AssertionError(f"nothing came for {self.seconds} s; unread so far: {seen!r}") from None
        except ConnectionError as error:
            raise ConnectionEnded(f"the connection was reset: {error}") from None
        self.buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        self.taken += data
        return data

    def read_line(self) -> bytes:
        """A line without the CR LF that must end it."""
        deadline = Deadline(self.seconds)
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LINE_BYTES_MAX:
                raise ProtocolViolation("a line without an end")
            if not self._receive(deadline):
                raise ConnectionEnded(f"the connection ended in a line: {bytes(self.buffer)!r}")
        line = self._take(end + 1)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise ProtocolViolation(f"not a line: {line!r}")
        return line[:-2]

    def read_exactly(self, count: int) -> bytes:
        deadline = Deadline(self.seconds)
        while len(self.buffer) < count:
            if not self._receive(deadline):
                raise ConnectionEnded(f"the connection ended {count - len(self.buffer)} bytes early")
        return self._take(count)

    def read_some(self) -> bytes:
        """What there is, at least one byte; empty at the end of the stream."""
        if not self.buffer and not self._receive(Deadline(self.seconds)):
            return b""
        return self._take(len(self.buffer))

    def read_to_end(self) -> bytes:
        deadline = Deadline(self.seconds)
        while self._receive(deadline):
            pass
        return self._take(len(self.buffer))

    def has_more(self) -> bool:
        """Waits for a byte; false when the stream ends, whether closed or reset."""
        if self.buffer:
            return True
        try:
            return self._receive(Deadline(self.seconds))
        except ConnectionEnded:
            return False

    # Messages

    def read_fields(self) -> list[tuple[str, str]]:
        """Field lines up to and with the empty line."""
        fields = []
        while line := self.read_line():
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.fullmatch(name):
                raise ProtocolViolation(f"not a field line: {line!r}")
            if any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in value):
                raise ProtocolViolation(f"a control character in a field: {line!r}")
            fields.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
        return fields

    def read_request_head(self) -> Request:
        self.mark()
        line = self.read_line()
        parts = line.split(b" ")
        if len(parts) != 3 or not TOKEN.fullmatch(parts[0]) or not re.fullmatch(rb"HTTP/\d\.\d", parts[2]):
            raise ProtocolViolation(f"not a request line: {line!r}")
        fields = self.read_fields()
        return Request(
            first_line=line.decode("latin-1"), fields=fields, head=bytes(self.taken),
            method=parts[0].decode(), target=parts[1].decode("latin-1"), version=parts[2].decode())

    def read_response_head(self) -> Response:
        self.mark()
        line = self.read_line()
        found = re.fullmatch(rb"HTTP/1\.1 ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)", line)
        if not found:
            raise ProtocolViolation(f"not a status line of HTTP/1.1: {line!r}")
        fields = self.read_fields()
        return Response(
            first_line=line.decode("latin-1"), fields=fields, head=bytes(self.taken),
            status=int(found[1]), reason=found[2].decode("latin-1"))

    def read_chunk(self) -> bytes:
        """The data of one chunk; empty for the last. Extensions are a violation: a gateway drops them."""
        line = self.read_line()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
            raise ProtocolViolation(f"not a canonical chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            return b""
        data = self.read_exactly(size)
        if self.read_exactly(2) != b"\r\n":
            raise ProtocolViolation("chunk data is not followed by the end of a line")
        return data

    def read_chunked(self, message: Message) -> None:
        while chunk := self.read_chunk():
            message.chunks.append(chunk)
        message.trailers = self.read_fields()
        message.body = b"".join(message.chunks)

    def check_framing(self, message: Message) -> int | None:
        """The content's length, or None where it is not told by one."""
        encoding, length = message.value("transfer-encoding"), message.value("content-length")
        if encoding is not None and length is not None:
            raise ProtocolViolation("both Transfer-Encoding and Content-Length")
        if encoding not in (None, "chunked"):
            raise ProtocolViolation(f"Transfer-Encoding: {encoding}")
        if length is None:
            return None
        if not re.fullmatch(r"\d{1,19}", length):
            raise ProtocolViolation(f"Content-Length: {length}")
        return int(length)
