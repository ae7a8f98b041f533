"""Writes what a server in Python read; each line in one write, so that threads do not mix them."""

import json
import os

_journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def write(method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> None:
    line = json.dumps({"method": method, "target": target, "fields": fields, "body": body.hex()})
    os.write(_journal, line.encode() + b"\n")
