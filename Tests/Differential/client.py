"""Sends the bytes of cases, many connections at a time, and reads the statuses of the answers."""

import asyncio
from dataclasses import dataclass

CONNECTIONS_MAX = 96
# Until the gateway has answered and closed; its own timeouts are far shorter.
ANSWER_SECONDS_MAX = 20.0
# How long a server that was asked directly may stay silent: many wait for more, and for how long is not the matter.
SILENCE_SECONDS = 0.7
PAUSE_SECONDS = 0.03


@dataclass
class Conversation:
    """What came back on one connection."""

    statuses: list[int]
    was_closed: bool
    received: bytes


def statuses_of(received: bytes) -> list[int]:
    """Statuses of the final responses, which are empty or say their length; what follows no rule is status -1."""
    found = []
    position = 0
    while position < len(received):
        end = received.find(b"\r\n\r\n", position)
        line = received[position:].split(b"\r\n", 1)[0].split(b" ")
        if end < 0 or not line[0].startswith(b"HTTP/1.") or len(line) < 2 or not line[1].isdigit():
            return [*found, -1]
        fields = [field.lower().split(b":", 1) for field in received[position:end].split(b"\r\n")[1:]]
        status = int(line[1])
        position = end + 4
        if status >= 200:
            found.append(status)
        for name, value in fields:
            if name == b"content-length" and status >= 200 and status != 304:
                position += int(value)
            if name == b"connection" and value.strip() == b"close" and status >= 400:
                return found  # its content, if it has any, is the last
    return found


async def _send(writer: asyncio.StreamWriter, segments: list[bytes]) -> None:
    try:
        for index, segment in enumerate(segments):
            if index:
                await asyncio.sleep(PAUSE_SECONDS)
            writer.write(segment)
            await writer.drain()
    except ConnectionError:
        pass  # it was refused before the end


async def converse(port: int, segments: list[bytes], silence: float | None = None) -> Conversation:
    """One connection: sends everything, reads until the end or, with `silence`, until nothing comes any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send(writer, segments))
    received = bytearray()
    was_closed = False
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while not was_closed:
                data = await asyncio.wait_for(reader.read(65_536), silence)
                received += data
                was_closed = not data
    except TimeoutError:
        pass
    except ConnectionError:
        was_closed = True
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.transport.abort()
    return Conversation(statuses_of(bytes(received)), was_closed, bytes(received))


def converse_all(jobs: list[tuple[int, list[bytes]]], silence: float | None = None) -> list[Conversation]:
    """The same for many, in the order of the jobs."""
    async def run() -> list[Conversation]:
        room = asyncio.Semaphore(CONNECTIONS_MAX)

        async def one(port: int, segments: list[bytes]) -> Conversation:
            async with room:
                return await converse(port, segments, silence)

        return await asyncio.gather(*(one(*job) for job in jobs))

    return asyncio.run(run())
