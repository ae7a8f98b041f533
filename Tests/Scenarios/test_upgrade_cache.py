"""USR2 while a cache with a disk is in use: the new process goes on with what the old one has stored."""

import itertools

from support.admin_api import AdminAPI
from support.cache_disk import files
from support.cache_site import FRESH
from support.gateway import route
from support.load import Load
from support.pages import Pages, page
from support.upgrades import HTTP1Session, start
from support.waiting import wait_until

COUNT = 40


def content(path: str) -> bytes:
    return path.encode() * 10_000


def test_hits_go_on_from_the_disk(scenario, tmp_path):
    folder = tmp_path / "cache"
    pages = Pages()
    pages.pages = {f"/{number}": page(content(f"/{number}"), FRESH) for number in range(COUNT)}
    plugins = {"cache": {"diskPath": str(folder), "lockTimeout": "30s"}}
    numbers = itertools.count()

    def ask(client: HTTP1Session) -> None:
        path = f"/{next(numbers) % COUNT}"
        assert client.get(path).body == content(path)

    def fetches() -> int:
        return sum(pages.counts.values())

    with start(scenario, scenario.origin(pages.answer), workers=2, routes=[route("all", "app", plugins=plugins)]) as line:
        gateway = line.gateway

        def hits_only() -> bool:
            before = fetches()
            load.wait_for(5 * COUNT)
            return bool(load.failures) or fetches() == before

        for path in pages.pages:
            assert gateway.get(path).status == 200
        wait_until(lambda: len(files(folder)) == COUNT, "all are on the disk")
        with Load(lambda: HTTP1Session(gateway.port), ask, per_connection=1_000_000) as load, \
                Load(lambda: HTTP1Session(gateway.port), ask, per_connection=1) as fresh:
            for _ in range(2):
                line.upgrade()
                # Answered when the new process has looked at all files.
                AdminAPI(gateway)("POST", "/v1/cache/purge", {"tag": "of-nothing"}, status=200)
                wait_until(hits_only, "what the old process has stored is found")
                fresh.wait_for(COUNT)
                metrics = gateway.metrics()
                assert metrics.sum("penstock_cache_disk_reads_total", result="read") > 0
                assert metrics.sum("penstock_cache_disk_damaged_total") == 0
        # What was fetched anew before its file was found has taken its place.
        wait_until(lambda: len(files(folder)) == COUNT, "there is one file of each")
