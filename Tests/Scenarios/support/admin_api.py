"""The admin API of one gateway, as a program with an HTTP library uses it."""

import http.client
import json
from typing import Any, Iterator
from urllib.parse import urlencode

from .gateway import Gateway


class Answer:
    def __init__(self, response: http.client.HTTPResponse, content: bytes):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.content = content

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def problem(self) -> str:
        """The last part of a problem's type."""
        assert self.fields["content-type"] == "application/problem+json", self
        document = self.json
        assert document["status"] == self.status
        return document["type"].removeprefix("/problems/")

    @property
    def errors(self) -> list[dict]:
        return self.json.get("errors", [])

    def __repr__(self) -> str:
        return f"{self.status} {self.fields} {self.content[:2_000]!r}"


class AdminAPI:
    """Each request is on a connection of its own."""

    def __init__(self, gateway: Gateway, token: str | None = None):
        self.port = gateway.admin_port
        self.token = token

    def __call__(self, method: str, path: str, body: Any = None, *, status: int | None = None,
                 **fields: str) -> Answer:
        """A body that is no text is sent as JSON; `If_Match="*"` is the field If-Match."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        content = None
        if body is not None:
            content = body if isinstance(body, (str, bytes)) else json.dumps(body)
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            headers.setdefault("Content-Type", kind)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            answer = Answer(response, response.read())
        finally:
            connection.close()
        assert status is None or answer.status == status, answer
        return answer

    def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        return self("GET", path + ("?" + urlencode(query) if query else ""), status=status).json

    def put(self, path: str, body: Any, *, status: int | None = None, **fields: str) -> Answer:
        """Answers when every worker serves the change."""
        fields.setdefault("Prefer", "wait")
        return self("PUT", path, body, status=status, **fields)

    def delete(self, path: str, *, status: int | None = None, **fields: str) -> Answer:
        fields.setdefault("Prefer", "wait")
        return self("DELETE", path, status=status, **fields)

    def transact(self, *operations: dict, status: int = 200, query: str = "", **more: Any) -> Answer:
        return self("POST", "/v1/transactions" + query, {"operations": list(operations), **more}, status=status,
                    Prefer="wait")

    @property
    def revision(self) -> int:
        return self.get("/v1/status")["revision"]


def put(path: str, resource: dict, **conditions: Any) -> dict:
    """An operation of a transaction: `put("routes/shop", {...})`."""
    kind, name = path.split("/")
    return {"op": "put", "kind": kind, "name": name, "resource": resource, **conditions}


def delete(path: str, **conditions: Any) -> dict:
    kind, name = path.split("/")
    return {"op": "delete", "kind": kind, "name": name, **conditions}


class EventStream:
    """Server-sent events, read as they come."""

    def __init__(self, api: AdminAPI, path: str = "/v1/events", **fields: str):
        self.connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
        headers = {"Accept": "text/event-stream", **{name.replace("_", "-"): value for name, value in fields.items()}}
        if api.token is not None:
            headers["Authorization"] = f"Bearer {api.token}"
        self.connection.request("GET", path, None, headers)
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def __enter__(self) -> "EventStream":
        # The first comment: from here on nothing is missed.
        assert self.status == 200, self.response.read()
        assert self._lines()[0].startswith("retry: ")
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def _lines(self) -> list[str]:
        """The lines before the next empty one."""
        lines: list[str] = []
        while line := self.response.readline().decode():
            if line == "\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise EOFError("the stream ended")

    def __iter__(self) -> Iterator[dict]:
        return self

    def __next__(self) -> dict:
        """The next event; comments are passed over."""
        while True:
            fields = dict(line.split(": ", 1) for line in self._lines() if not line.startswith(":"))
            if "event" in fields:
                return {"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])}
