"""A gateway with the plugin cache in front of pages."""

import re
import threading

from .gateway import route, service
from .pages import Pages

FRESH = "Cache-Control: max-age=600"
LARGE = bytes(range(256)) * 4096  # 1 MiB


class Site:
    """A gateway with a cache of its own in front of pages."""

    def __init__(self, start, workers=1, more=None, routes=None, settings=None, log=None, http=None, leaf=None,
                 **options):
        """`leaf` is a certificate for example.test: then clients come by TLS."""
        self.pages = Pages()
        self.by_tls = leaf is not None
        tls = {"tls": {}, "certificates": [leaf.described("site")]} if leaf else {}
        self.origin = start.origin(self.pages.answer)
        plugins = {"cache": options, **(more or {})}
        self.gateway = start.gateway(
            [service("app", self.origin)], routes or [route("all", "app", plugins=plugins)], workers=workers,
            settings=settings, access_log=log, http=http, **tls)

    def get(self, path, *fields, **options):
        if not self.by_tls:
            return self.gateway.get(path, *fields, **options)
        with self.gateway.tls_client() as client:
            return client.exchange("GET", path, *fields, **options)

    def http2(self, **options):
        return self.gateway.http2(tls=self.by_tls, **options)

    def results(self, path, count=2, *fields, **options):
        """What the cache had, each time on a connection of its own."""
        return [result(self.get(path, *fields, **options)) for _ in range(count)]


def result(answer):
    """`hit`, or why it was forwarded."""
    status = answer.value("cache-status")
    assert status.startswith("penstock; "), status
    return re.match(r"penstock; (?:fwd=)?([a-z-]+)", status)[1]


class Crowd:
    """Many clients at once, each on a connection of its own."""

    def __init__(self, site, path, count, *fields):
        self.answers = []
        self.threads = [threading.Thread(target=self._ask, args=(site, path, fields)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self, site, path, fields):
        self.answers.append(site.get(path, *fields))

    def wait(self):
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads)
        return self.answers
