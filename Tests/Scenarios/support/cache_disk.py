"""Caches on disks, looked at from outside."""

import contextlib
import os
import random
import signal

import pytest

from .admin_api import AdminAPI
from .cache_site import FRESH, Site
from .client import Client
from .http2 import HTTP2Client
from .pages import validated
from .tls import client_context
from .waiting import wait_until

CACHED = "Cache-Control: only-if-cached"
LARGE = bytes(range(256)) * 400  # 100 KiB
# More than sockets hold: of what is sent while it is read, some is still to be read where a client takes nothing.
HUGE = random.Random(2).randbytes(12 << 20)
# Of clients: protocols, and whether by TLS.
WAYS = [("HTTP/1.1", False), ("HTTP/1.1", True), ("HTTP/2", False), ("HTTP/2", True)]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def site(scenario, folder):
    return Site(scenario, workers=2, diskPath=str(folder))


def disk(site, name, **labels):
    return site.gateway.metrics().sum(f"penstock_cache_disk_{name}", **labels)


def written(site, count):
    wait_until(lambda: disk(site, "writes_total", result="written") >= count, f"{count} files are written")


def files(folder):
    """Those of stored responses."""
    return sorted(path for path in folder.glob("default/??/*") if path.is_file())


def is_open(pid, folder):
    """Whether a process has the file of a stored response open."""
    own = f"/proc/{pid}/fd"
    targets = []
    for name in os.listdir(own):
        with contextlib.suppress(FileNotFoundError):
            targets.append(os.readlink(f"{own}/{name}"))
    return any(target.startswith(f"{folder}/") and not target.endswith("/owner") for target in targets)


def in_memory(site):
    return site.gateway.metrics().sum("penstock_cache_entries")


def end(site, number=signal.SIGKILL):
    site.gateway.signal(number)
    site.gateway.wait_for_end()


def known(site):
    """Until all files have been looked at; a purge waits for that."""
    AdminAPI(site.gateway)("POST", "/v1/cache/purge", {"tag": "of-nothing"}, status=200)


def restart(site, number=signal.SIGKILL):
    end(site, number)
    site.gateway.revive()
    known(site)


def stored(site, path, *fields):
    answer = site.get(path, CACHED, *fields)
    assert answer.status != 504, f"{path} is not found"
    return answer


def fill(site, content, *fields):
    """Has it on the disk only."""
    site.pages["/l"] = validated(content, '"one"', FRESH, *fields)
    assert site.get("/l").body == content
    written(site, 1)
    restart(site)


class SlowClient:
    """Has the head of a response, and takes of its content what it is told to, and no more."""

    SECONDS = 30.0

    def __init__(self, site, path="/l", protocol="HTTP/1.1"):
        self._body = bytearray()
        if protocol == "HTTP/2":
            # What it does not read, it gives no window for.
            self._client = HTTP2Client(site.gateway.port, tls=site.by_tls, seconds=self.SECONDS)
            self._stream = self._client.request("GET", path)
            self.answer = self._client.wait_for_head(self._stream)
        else:
            def wrap(connection):
                return client_context().wrap_socket(connection, server_hostname="example.test")

            self._client = Client(site.gateway.port, self.SECONDS, receive_buffer=65_536,
                                  wrap=wrap if site.by_tls else None)
            self._stream = None
            self._client.request("GET", path)
            self.answer = self._client.head()
        self.length = int(self.answer.value("content-length"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def take_to(self, count):
        """All up to this position, or a little more."""
        if self._stream is None:
            self._body += self._client.read_exactly(max(0, count - len(self._body)))
        else:
            chunks = self._client.streams[self._stream].chunks
            self._client.pump(lambda: sum(map(len, chunks)) >= count, "more comes")

    def body(self):
        """The whole, with its end."""
        if self._stream is not None:
            return self._client.response(self._stream).body
        self.take_to(self.length)
        return bytes(self._body)

    def expect_end(self):
        """Of the connection."""
        self._client.expect_end()
