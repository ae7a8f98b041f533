"""USR2 while a cache with a disk is in use: the new process goes on with what the old one has stored."""

import itertools

import pytest

from support.admin_api import AdminAPI
from support.cache_disk import HUGE, WAYS, SlowClient, disk, files, fill, folder, in_memory, is_open, known, stored
from support.cache_site import FRESH, Site, result
from support.gateway import route
from support.load import Load
from support.pages import Pages, page
from support.upgrades import HTTP1Session, Line, start
from support.waiting import wait_until

COUNT = 40


def content(path: str) -> bytes:
    return path.encode() * 10_000


def test_hits_go_on_from_the_disk(scenario, folder):
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


@pytest.mark.parametrize("protocol, by_tls", WAYS)
def test_what_is_being_sent_from_the_disk_is_finished(scenario, folder, protocol, by_tls):
    leaf = scenario.authority().issue("example.test") if by_tls else None
    site = Site(scenario, workers=2, leaf=leaf, http={"timeouts": {"drain": "60s"}}, diskPath=str(folder),
                memory="256MiB", maxSize="64MiB")
    fill(site, HUGE)
    with Line(site.gateway) as line:
        with SlowClient(site, protocol=protocol) as client:
            assert in_memory(site) == 0
            old = line.upgrade()
            known(site)
            client.take_to(1 << 20)
            # Both send from the one file.
            with SlowClient(site, protocol=protocol) as other:
                assert is_open(old, folder) and is_open(line.pid, folder)
                assert other.body() == HUGE
            assert client.body() == HUGE
        line.wait_for_end(old)
        answer = stored(site, "/l")
        assert answer.body == HUGE and result(answer) == "hit"
        assert in_memory(site) == 0 and disk(site, "reads_total", result="read") == 2
        assert site.pages.counts["/l"] == 1 and disk(site, "damaged_total") == 0
