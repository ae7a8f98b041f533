"""Mutants of the corpus's cases: bytes put in, taken out, exchanged; lines repeated; halves of two cases joined."""

import random

from corpus import LAST_REQUEST, Case
from notation import PAUSE, TOKEN, NotationError, fill

# What parsers trip over, and whole lines that change what a message is.
PIECES = [
    "\r\n", "\n", "\r", " ", "\t", "\0", ":", ";", ",", "=", "\"", "-", "+", "_", "%", "/", "//", "..", "?", "#", "[",
    "@", "\\", "0", "5", "a", "\x0b", "\x7f", "\xff", "%2e", "%0a", " HTTP/1.1", "0\r\n\r\n", "5\r\nhello\r\n",
    "5;a=b\r\nhello\r\n", "Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n", "Connection: Content-Length\r\n", "Expect: 100-continue\r\n", "Upgrade: h2c\r\n",
    "Host: b.test\r\n", "X-A: 1\r\n", "Content_Length: 2\r\n",
]
BYTES_MAX = 3_000


class Mutator:
    """The same seed makes the same mutants of the same corpus."""

    def __init__(self, cases: list[Case], seed: int):
        self._cases = [case for case in cases if not case.is_http2 and len(case.decoded) < BYTES_MAX]
        # What is refused as it is seldom passes with a change.
        self._passing = [case for case in self._cases if not case.is_refused]
        self._random = random.Random(seed)

    def _text(self) -> str:
        cases = self._passing if self._random.random() < 0.8 else self._cases
        return self._random.choice(cases).decoded.replace(PAUSE, "")

    def mutant(self, token: str) -> bytes:
        """A connection's bytes with an unchanged last request. Each request that was one has the token still."""
        while True:
            text = self._text()
            if self._random.random() < 0.3:
                other = self._text()
                text = text[:self._random.randrange(len(text))] + other[self._random.randrange(len(other)):]
            for _ in range(self._random.choice([1, 1, 2, 3])):
                text = self._changed(text)
            try:
                return (fill(text, token) + LAST_REQUEST.format(token)).encode("latin-1")
            except NotationError:
                continue  # a length lost its span

    def _changed(self, text: str) -> str:
        kind = self._random.random()
        start = self._random.randrange(len(text) + 1)
        if kind < 0.2:
            lines = text.split("\r\n")
            lines.insert(self._random.randrange(len(lines) + 1), self._random.choice(lines))
            return "\r\n".join(lines)
        end = start + (self._random.choice([1, 1, 2, 5]) if kind < 0.6 else 0)
        if TOKEN in text[start:end]:
            end = start
        return text[:start] + (self._random.choice(PIECES) if kind > 0.4 else "") + text[end:]
