"""Sends the corpus's cases of HTTP/2, a connection for each, some at a time."""

from concurrent.futures import ThreadPoolExecutor

from support import http2_frames as h2
from support.http import ConnectionEnded
from support.http2 import HTTP2Client, StreamReset

from corpus import Case
from notation import fill

CONNECTIONS_MAX = 16
BLOCK_BYTES_MAX = 16_000


def _filled(fields: list[tuple[str, str]], token: str) -> list[tuple[str, str]]:
    # An empty name cannot be written in the notation but as a colon alone.
    return [("" if name == ":" else fill(name, token), fill(value, token)) for name, value in fields]


def _header_frames(client: HTTP2Client, number: int, fields: list[tuple[str, str]], ends: bool) -> bytes:
    block = client.block(fields)
    pieces = [block[start:start + BLOCK_BYTES_MAX] for start in range(0, len(block), BLOCK_BYTES_MAX)]
    return b"".join(
        h2.frame(h2.CONTINUATION if index else h2.HEADERS,
                 (h2.END_HEADERS if index == len(pieces) - 1 else 0) | (h2.END_STREAM if ends and not index else 0),
                 number, piece)
        for index, piece in enumerate(pieces))


def _status(client: HTTP2Client, number: int) -> int:
    try:
        return client.response(number).status
    except StreamReset:
        return 0


def exchange(port: int, case: Case, token: str) -> list[int]:
    """The statuses of the case's stream and of an ordinary request behind it; 0 is RST_STREAM, -1 the end."""
    with HTTP2Client(port, authority=f"{token}.test", seconds=20) as client:
        number = client.new_stream()
        content = None if case.content is None else fill(case.content, token).encode("latin-1")
        frames = _header_frames(client, number, _filled(case.fields, token), content is None)
        if content is not None:
            frames += h2.frame(h2.DATA, 0 if case.trailers else h2.END_STREAM, number, content)
        if case.trailers:
            frames += _header_frames(client, number, _filled(case.trailers, token), True)
        client.send(frames)
        try:
            return [_status(client, number), client.exchange("GET", f"/{token}-last").status]
        except ConnectionEnded:
            return [-1]


def exchange_all(jobs: list[tuple[int, Case, str]]) -> list[list[int]]:
    """The same for many, in the order of the jobs."""
    with ThreadPoolExecutor(CONNECTIONS_MAX) as pool:
        return list(pool.map(lambda job: exchange(*job), jobs))
