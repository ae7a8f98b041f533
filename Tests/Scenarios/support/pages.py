"""An origin of pages by path, each with what a cache has to know of it."""

import threading
from collections import Counter
from email.utils import formatdate
from typing import Callable

from .origin import Answer, Exchange, Origin


def page(body: bytes | str = b"page", *fields: str, status: int = 200) -> Answer:
    """A page with a date, and with a length."""
    return lambda exchange: exchange.respond(status, body, f"Date: {formatdate(usegmt=True)}", *fields)


def validated(body: bytes | str, tag: str, *fields: str) -> Answer:
    """A page with an entity tag: 304 to who has it."""
    def answer(exchange: Exchange) -> None:
        status = 304 if tag in (exchange.request.value("if-none-match") or "") else 200
        exchange.respond(status, b"" if status == 304 else body, f"Date: {formatdate(usegmt=True)}", f"ETag: {tag}",
                         *fields)
    return answer


class Pages:
    """Answers by path, without the query; counts what was asked for."""

    def __init__(self, **pages: Answer):
        self.pages: dict[str, Answer] = {f"/{name}": answer for name, answer in pages.items()}
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __setitem__(self, path: str, answer: Answer) -> None:
        self.pages[path] = answer

    def answer(self, exchange: Exchange) -> None:
        path = exchange.request.target.split("?")[0]
        with self._lock:
            self.counts[path] += 1
        self.pages.get(path, page(status=404))(exchange)

    def origin(self, start: Callable[..., Origin], **options) -> Origin:
        return start(self.answer, **options)
