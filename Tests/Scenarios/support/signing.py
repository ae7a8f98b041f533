"""Signs requests with HMAC as clients of Kong and of APISIX do, and writes their dates and digests."""

import base64
import hashlib
import hmac
import time
from email.utils import formatdate

Fields = list[tuple[str, str]]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def date(offset: float = 0.0) -> str:
    """Now, or so many seconds later, as a field's value."""
    return formatdate(time.time() + offset, usegmt=True)


def digest_of(content: bytes) -> str:
    return "SHA-256=" + encoded(hashlib.sha256(content).digest())


def code(secret: str, text: str, algorithm: str) -> str:
    return encoded(hmac.new(secret.encode(), text.encode("latin-1"), algorithm.removeprefix("hmac-")).digest())


def kong(method: str, target: str, fields: Fields, headers: str, *, username: str = "alice", secret: str = "secret",
         algorithm: str = "hmac-sha256", protocol: str = "HTTP/1.1") -> str:
    """The value of Authorization; `headers` are names separated by spaces."""
    values = {name.lower(): value for name, value in fields}
    lines = []
    for name in headers.split(" "):
        if name == "request-line":
            lines.append(f"{method} {target} {protocol}")
        elif name == "@request-target":
            lines.append(f"@request-target: {method.lower()} {target}")
        else:
            lines.append(f"{name}: {values[name.lower()]}" if name.lower() in values else f"{name}:")
    signature = code(secret, "\n".join(lines), algorithm)
    return f'hmac username="{username}", algorithm="{algorithm}", headers="{headers}", signature="{signature}"'


def apisix(method: str, target: str, fields: Fields, headers: str, *, username: str = "alice", secret: str = "secret",
           algorithm: str = "hmac-sha256") -> str:
    """The value of Authorization; `headers` are names separated by spaces."""
    values = {name.lower(): value for name, value in fields}
    text = username + "\n"
    for name in headers.split(" "):
        if name == "@request-target":
            text += f"{method} {target}\n"
        elif name.lower() in values:
            text += f"{name}: {values[name.lower()]}\n"
    signature = code(secret, text, algorithm)
    return f'Signature keyId="{username}",algorithm="{algorithm}",headers="{headers}",signature="{signature}"'
