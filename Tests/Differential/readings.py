"""What a server read, and whether several read the same."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from corpus import Expected

# Fields of the hop and of framing, which each server consumes in its own way, and those that the gateway writes.
NOT_COMPARED = {
    "host", "connection", "keep-alive", "content-length", "transfer-encoding", "expect", "via", "x-request-id",
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
}


def common_name(name: str) -> str:
    """CGI and its descendants know names in one case and without hyphens only (RFC 3875 section 4.1.18)."""
    return name.lower().replace("_", "-")


@dataclass(frozen=True)
class Reading:
    """A request as a server understood it. Text is one character per byte."""

    method: str
    target: str
    host: str
    body: str
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def boundaries(self) -> tuple[str, str, str, str]:
        """What an attacker wants two servers to see differently."""
        digest = hashlib.sha256(self.body.encode("latin-1")).hexdigest()
        return self.method, self.target, self.host.lower(), f"{len(self.body)} bytes, SHA-256 {digest}"

    def __str__(self) -> str:
        content = f"{len(self.body)} bytes {self.body[:60]!r}"
        return f"{self.method} {self.target} of {self.host} with {content} {self.fields}"


def reading(record: dict) -> Reading:
    """From what an origin's program wrote: names and values as lists, the body in hexadecimal."""
    fields: dict[str, str] = {}
    host = ""
    for name, value in record["fields"]:
        name = common_name(name)
        value = ",".join(part.strip(" \t") for part in value.split(","))
        if name == "host":
            host = value if not host else f"{host},{value}"
        elif name not in NOT_COMPARED:
            fields[name] = f"{fields[name]},{value}" if name in fields else value
    return Reading(record["method"], record["target"], host, bytes.fromhex(record["body"]).decode("latin-1"), fields)


def read_journal(file: Path) -> list[tuple[str, Reading]]:
    """Each line as it stands, to look for a case's token in, and as a reading."""
    found = []
    lines = file.read_bytes().decode("latin-1").split("\n") if file.exists() else []
    for line in filter(None, lines):
        record = json.loads(line)
        body = bytes.fromhex(record["body"]).decode("latin-1")
        found.append((f"{record['method']} {record['target']} {record['fields']} {body}", reading(record)))
    return found


def departures(origin: str, found: list[Reading], expected: list[Expected]) -> list[str]:
    """How an origin's readings differ from what is expected of all."""
    if len(found) != len(expected):
        return [f"{origin} read {len(found)} requests, not {len(expected)}: {[str(one) for one in found]}"]
    problems = []
    for one, wanted in zip(found, expected):
        meant = Reading(wanted.method, wanted.target, wanted.host, wanted.body)
        if one.boundaries != meant.boundaries:
            problems.append(f"{origin} read {one}, not {meant}")
        for name, value in wanted.fields:
            if one.fields.get(common_name(name)) != value:
                problems.append(f"{origin} read {name} as {one.fields.get(common_name(name))!r}, not {value!r}")
        problems += [f"{origin} read {name}, which must not arrive" for name in wanted.absent
                     if common_name(name) in one.fields]
    return problems


def disagreements(by_origin: dict[str, list[Reading]], tolerated: dict[str, str] | None = None) -> list[str]:
    """Where origins read the same connection differently; empty when all agree."""
    if len(by_origin) < 2:
        raise ValueError("one reading agrees with itself")
    tolerated = tolerated or {}
    names = sorted(by_origin, key=lambda name: (name in tolerated, name))
    first = names[0]
    problems = []
    for name in names[1:]:
        left, right = by_origin[first], by_origin[name]
        if [one.boundaries for one in left] != [one.boundaries for one in right]:
            problems.append(f"{first} read {[str(one) for one in left]}, {name} {[str(one) for one in right]}")
        elif name not in tolerated:
            problems += [f"{first} read the fields {a.fields}, {name} {b.fields}"
                         for a, b in zip(left, right) if a.fields != b.fields]
    return problems
