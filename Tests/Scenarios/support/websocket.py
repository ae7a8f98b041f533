"""WebSocket: an origin by the `websockets` package, and frames for those who carry them in HTTP/2 (RFC 8441)."""

import os
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from .http2 import HTTP2Client
from .ports import free_port
from .waiting import wait_until

LIMIT = 64 * 1024 * 1024

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocketOrigin:
    """Echoes messages. `/close/CODE` closes after the first, `/ping` pings; other paths only echo."""

    def __init__(self, **options: Any):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.connections: list[ServerConnection] = []
        self.close_codes: list[int | None] = []
        self.close_reasons: list[str | None] = []
        options.setdefault("compression", None)
        self._server = serve(self._handle, "127.0.0.1", self.port, max_size=LIMIT, ping_interval=None, **options)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        path = connection.request.path if connection.request else ""
        try:
            if path == "/ping":
                connection.ping(b"from the origin").wait(10)
            for message in connection:
                connection.send(message)
                if path.startswith("/close/"):
                    connection.close(int(path.removeprefix("/close/")), "as asked")
        except ConnectionClosed:
            pass
        finally:
            self.close_codes.append(connection.close_code)
            self.close_reasons.append(connection.close_reason)

    @property
    def last(self) -> ServerConnection:
        return self.connections[-1]

    def wait_for_end(self, count: int = 1) -> None:
        wait_until(lambda: len(self.close_codes) >= count, f"{count} connections have ended")

    def stop(self) -> None:
        self._server.shutdown()


def open_websocket(port: int, path: str = "/", *, host: str = "example.test", **options: Any) -> ClientConnection:
    """A client of the `websockets` package, by HTTP/1.1 through the gateway. With `ssl`, by TLS."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    scheme = "wss" if "ssl" in options else "ws"
    if scheme == "wss":
        options.setdefault("server_hostname", host)
    options.setdefault("compression", None)
    return connect(f"{scheme}://{host}{path}", sock=connection, max_size=LIMIT, open_timeout=10, close_timeout=10,
                   ping_interval=None, **options)


@dataclass(frozen=True)
class WebSocketFrame:
    opcode: int
    payload: bytes
    is_final: bool = True

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE
        return struct.unpack_from(">H", self.payload)[0]


def encoded(opcode: int, payload: bytes = b"", *, masked: bool = True, final: bool = True) -> bytes:
    """A frame as RFC 6455 section 5.2 writes it."""
    size = len(payload)
    bit = 0x80 if masked else 0
    head = bytes([(0x80 if final else 0) | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += struct.pack(">BH", bit | 126, size)
    else:
        head += struct.pack(">BQ", bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))


def decoded(data: bytes) -> tuple[list[WebSocketFrame], bytes]:
    """The whole frames at the front, and what is left. Servers must not mask (RFC 6455 section 5.1)."""
    frames = []
    while len(data) >= 2:
        assert not data[1] & 0x80, "a masked frame from the server"
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size:
            break
        frames.append(WebSocketFrame(data[0] & 0x0F, data[start:start + size], bool(data[0] & 0x80)))
        data = data[start + size:]
    return frames, data


class HTTP2WebSocket:
    """One WebSocket on a stream of HTTP/2 (RFC 8441)."""

    def __init__(self, client: HTTP2Client, path: str = "/", *fields: tuple[str, str], protocol: str = "websocket"):
        self.client = client
        self.number = client.open([
            (":method", "CONNECT"), (":protocol", protocol), (":scheme", client.scheme),
            (":authority", client.authority), (":path", path), ("sec-websocket-version", "13"), *fields], end=False)
        self._left = b""
        self._taken = 0
        self._frames: list[WebSocketFrame] = []

    def accept(self) -> None:
        """The answer has to be a 200 (not a 101)."""
        response = self.client.wait_for_head(self.number)
        assert response.status == 200, response

    def send(self, opcode: int, payload: bytes = b"") -> None:
        self.client.send_content(self.number, encoded(opcode, payload), end=False)

    def receive(self) -> WebSocketFrame:
        self.client.pump(self._take, "a frame of WebSocket")
        return self._frames.pop(0)

    def _take(self) -> bool:
        chunks = self.client.streams[self.number].chunks
        while self._taken < len(chunks):
            self._left += chunks[self._taken]
            self._taken += 1
        found, self._left = decoded(self._left)
        self._frames += found
        return bool(self._frames)
