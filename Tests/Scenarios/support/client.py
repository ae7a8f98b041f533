"""A client that sends exactly the bytes it is told to, and reads answers strictly."""

import socket
import struct
from typing import Callable

from .http import ConnectionEnded, ProtocolViolation, Response, Stream


def reset(connection: socket.socket) -> None:
    """Ends a connection with RST instead of FIN."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    connection.close()


class Client(Stream):
    """One connection to a gateway."""

    def __init__(self, port: int, seconds: float = 10.0, source: str = "", receive_buffer: int = 0,
                 wrap: Callable[[socket.socket], socket.socket] | None = None):
        """`wrap` makes another socket of the connected one: one with TLS."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(seconds)
        if source:
            connection.bind((source, 0))
        connection.connect(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap is not None:
            connection = wrap(connection)
        super().__init__(connection, seconds)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        reset(self.socket)

    def finish_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    # Requests

    def request(self, method: str = "GET", target: str = "/", *fields: tuple[str, str] | str,
                body: bytes = b"", host: str | None = "example.test", version: str = "1.1") -> None:
        """Sends a well-formed request; a body gets its Content-Length."""
        lines = [f"{method} {target} HTTP/{version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        lines += [line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def exchange(self, method: str = "GET", target: str = "/", *fields: tuple[str, str] | str,
                 body: bytes = b"", host: str | None = "example.test", version: str = "1.1") -> Response:
        """Sends a request and reads its final response."""
        self.request(method, target, *fields, body=body, host=host, version=version)
        return self.response(method)

    # Responses

    def head(self) -> Response:
        """The next head, interim ones included; the content is not read."""
        return self.read_response_head()

    def response(self, method: str = "GET") -> Response:
        """The next final response, whole. Interim ones before it are a failure: read them with `head`."""
        response = self.read_response_head()
        if response.status < 200:
            raise ProtocolViolation(f"an interim response where a final one was wanted: {response.first_line}")
        self.read_content(response, method)
        return response

    def read_content(self, response: Response, method: str = "GET") -> None:
        length = self.check_framing(response)
        if response.status in (204,) and (length is not None or response.has("transfer-encoding")):
            raise ProtocolViolation(f"{response.status} with framing fields (RFC 9110 section 8.6)")
        if method == "HEAD" or response.status in (204, 304):
            return
        self.mark()
        if response.is_chunked:
            self.read_chunked(response)
        elif length is not None:
            response.body = self.read_exactly(length)
        else:
            response.body = self.read_to_end()
        response.raw_body = bytes(self.taken)

    def expect_end(self) -> None:
        """Nothing more comes: the gateway closes (or resets) the connection."""
        assert not self.has_more(), f"expected the end of the connection, got {bytes(self.buffer[:200])!r}"

    def expect_open(self) -> None:
        """The connection still carries requests."""
        response = self.exchange("GET", "/still-open")
        assert response.status < 500, response.first_line


def get(port: int, target: str = "/", *fields: tuple[str, str] | str, host: str = "example.test",
        seconds: float = 10.0) -> Response:
    """One GET on a connection of its own."""
    with Client(port, seconds) as client:
        return client.exchange("GET", target, *fields, "Connection: close", host=host)


def try_get(port: int, target: str = "/", *fields: tuple[str, str] | str, host: str = "example.test",
            seconds: float = 10.0) -> Response | None:
    """The same, or None where no whole response comes."""
    try:
        return get(port, target, *fields, host=host, seconds=seconds)
    except (OSError, ConnectionEnded):
        return None
