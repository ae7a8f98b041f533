"""The notation in which cases write bytes; cases/README.md describes it."""

import re

# Stands in the bytes where the client waits a moment before it goes on.
PAUSE = "\ue000"
# Stand around what a length is counted of, and where that length is written.
_OPEN, _CLOSE, _DECIMAL, _HEXADECIMAL = "\ue001", "\ue002", "\ue003", "\ue004"
TOKEN = "\ue005"

_SIMPLE = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "s": " ", "\\": "\\", "@": "@", "p": PAUSE,
           "(": _OPEN, ")": _CLOSE, "#": _DECIMAL, "h": _HEXADECIMAL}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|\{\d+:(?:[^\\{}]|\\.)*\}|.)|@", re.DOTALL)


class NotationError(ValueError):
    """What a case writes cannot be read."""


def decode(text: str) -> str:
    """Escapes resolved, as one character per byte; the marks of this module stay until `fill`."""
    def one(match: re.Match) -> str:
        escape = match.group(1)
        if escape is None:
            return TOKEN
        if escape[0] == "x" and len(escape) == 3:
            return chr(int(escape[1:], 16))
        if escape[0] == "{" and len(escape) > 1:
            count, _, repeated = escape[1:-1].partition(":")
            return decode(repeated) * int(count)
        if escape not in _SIMPLE:
            raise NotationError(f"there is no escape \\{escape}")
        return _SIMPLE[escape]

    # UTF-8 in a case file stands for its bytes.
    return _ESCAPE.sub(one, text.encode().decode("latin-1"))


def join_lines(lines: list[str]) -> str:
    """Lines of a request, each ended by CR LF; a backslash at a line's end leaves that out."""
    joined = []
    for line in lines:
        trailing = len(line) - len(line.rstrip("\\"))
        if trailing % 2:
            joined.append(decode(line[:-1]))
        else:
            joined.append(decode(line) + "\r\n")
    return "".join(joined)


def fill(decoded: str, token: str) -> str:
    """The token put in, and the lengths of the marked spans written where they are asked for."""
    filled = decoded.replace(TOKEN, token)
    while (start := filled.rfind(_OPEN)) >= 0:
        end = filled.find(_CLOSE, start)
        if end < 0:
            raise NotationError("a marked span does not end")
        span = filled[start + 1:end]
        count = len(span.replace(PAUSE, ""))
        # Every mark since the last span began or ended asks for this one's length.
        marks_start = max(filled.rfind(_OPEN, 0, start), filled.rfind(_CLOSE, 0, start)) + 1
        marks = filled[marks_start:start].replace(_DECIMAL, str(count)).replace(_HEXADECIMAL, f"{count:x}")
        filled = filled[:marks_start] + marks + span + filled[end + 1:]
    if any(mark in filled for mark in (_DECIMAL, _HEXADECIMAL, _CLOSE)):
        raise NotationError("a length is asked for of no span")
    return filled


def segments(decoded: str, token: str) -> list[bytes]:
    """The bytes between pauses."""
    return [piece.encode("latin-1") for piece in fill(decoded, token).split(PAUSE)]
