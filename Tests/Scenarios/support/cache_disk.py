"""Caches on disks, looked at from outside."""

import signal

import pytest

from .admin_api import AdminAPI
from .cache_site import Site
from .waiting import wait_until

CACHED = "Cache-Control: only-if-cached"
LARGE = bytes(range(256)) * 400  # 100 KiB


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
