"""A strict parser of HTTP/1.1 requests: only what RFC 9112 says a sender must generate, and nothing else.

It shares no code with the gateway and reads from a byte string, not from a stream: what is there, or an error.
"""

import re
from dataclasses import dataclass

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (/[!-~]*|\*) HTTP/1\.1")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"): ?((?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?)")
CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
HOST = re.compile(rb"(?:[A-Za-z0-9\-._~]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?")
# What a request line may hold in a target that every parser takes for one (RFC 3986 section 3.3 and 3.4).
TARGET = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]|{}^`\\\"<>]+|\*")


class Violation(Exception):
    """Bytes that two parsers could read differently."""


class Incomplete(Exception):
    """The message goes on behind the bytes."""


@dataclass
class Message:
    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for other, value in self.fields if other.lower() == name]


def _line(data: bytes, position: int) -> tuple[bytes, int]:
    """The line that begins here, and where the next one does."""
    end = data.find(b"\n", position)
    if end < 0:
        if b"\r" in data[position:-1]:
            raise Violation("a carriage return within a line")
        raise Incomplete
    if data[end - 1:end] != b"\r" or end == position:
        raise Violation(f"a line feed alone ends {data[position:end]!r}")
    line = data[position:end - 1]
    if b"\r" in line:
        raise Violation(f"a carriage return within {line!r}")
    return line, end + 1


def _fields(data: bytes, position: int) -> tuple[list[tuple[str, str]], int]:
    fields = []
    while True:
        line, position = _line(data, position)
        if not line:
            return fields, position
        match = FIELD_LINE.fullmatch(line)
        if not match:
            raise Violation(f"no field line: {line!r}")
        fields.append((match[1].decode(), match[2].decode("latin-1")))


def _chunked(data: bytes, position: int) -> tuple[bytes, int]:
    body = b""
    while True:
        line, position = _line(data, position)
        if not CHUNK_SIZE.fullmatch(line):
            raise Violation(f"no chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            _, position = _fields(data, position)
            return body, position
        if len(data) < position + size + 2:
            raise Incomplete
        body += data[position:position + size]
        if data[position + size:position + size + 2] != b"\r\n":
            raise Violation("a chunk that does not end with its line")
        position += size + 2


def _body(message: Message, data: bytes, position: int) -> tuple[bytes, int]:
    codings = message.values("transfer-encoding")
    lengths = message.values("content-length")
    if len(codings) + len(lengths) > 1:
        raise Violation(f"framed more than once: {codings} {lengths}")
    if codings:
        if codings != ["chunked"]:
            raise Violation(f"coded as {codings}")
        return _chunked(data, position)
    if not lengths:
        return b"", position
    if not re.fullmatch(r"0|[1-9][0-9]{0,17}", lengths[0]):
        raise Violation(f"of length {lengths[0]!r}")
    end = position + int(lengths[0])
    if len(data) < end:
        raise Incomplete
    return data[position:end], end


def parse(data: bytes, position: int = 0) -> tuple[Message, int]:
    """The request that begins at `position`, and where the next one does."""
    line, after = _line(data, position)
    match = REQUEST_LINE.fullmatch(line)
    if not match or not TARGET.fullmatch(match[2]):
        raise Violation(f"no request line: {line!r}")
    fields, after = _fields(data, after)
    message = Message(match[1].decode(), match[2].decode(), fields, b"")
    if len(message.values("authorization")) > 1:
        raise Violation("credentials twice")
    hosts = message.values("host")
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0].encode("latin-1")):
        raise Violation(f"for the hosts {hosts}")
    message.body, after = _body(message, data, after)
    return message, after
