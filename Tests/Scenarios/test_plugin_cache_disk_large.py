"""cache: files that are sent while they are read, whatever becomes of them and of their clients meanwhile."""

import json
import os
import random
import signal

import pytest

from support.admin_api import AdminAPI
from support.cache_disk import (CACHED, HUGE, WAYS, SlowClient, disk, end, files, fill, folder, in_memory, is_open,
                                known, stored)
from support.cache_site import FRESH, Site, result
from support.http import ConnectionEnded
from support.http2 import StreamReset
from support.pages import page
from support.ports import is_listening
from support.waiting import wait_until

MIB = 1 << 20
PIECE = 128 << 10
# The last piece is not whole.
LARGE = random.Random(1).randbytes(3 * MIB + 5)


def start(scenario, folder, **options):
    return Site(scenario, workers=2, log={"format": "json", "path": "access.log"}, diskPath=str(folder), memory="256MiB",
                maxSize="64MiB", **options)


@pytest.fixture
def site(scenario, folder):
    return start(scenario, folder)


@pytest.fixture
def tls_site(scenario, folder):
    return start(scenario, folder, leaf=scenario.authority().issue("example.test"))


def stalled(site, path="/l"):
    """A client that has the head and takes nothing more for now, and what it has."""
    client = site.gateway.client(receive_buffer=65_536)
    client.request("GET", path)
    return client, client.head()


class TestContent:
    def test_the_whole_and_parts_of_it(self, site):
        fill(site, LARGE, "Surrogate-Key: shop")
        answer = stored(site, "/l")
        assert answer.body == LARGE and result(answer) == "hit" and answer.value("etag") == '"one"'
        for asked, part in [
                ("0-0", LARGE[:1]), ("5-9", LARGE[5:10]), (f"{PIECE - 1}-{PIECE}", LARGE[PIECE - 1:PIECE + 1]),
                (f"{PIECE}-{2 * PIECE - 1}", LARGE[PIECE:2 * PIECE]), ("1000000-2999999", LARGE[1_000_000:3_000_000]),
                ("-3", LARGE[-3:]), ("3000000-", LARGE[3_000_000:])]:
            answer = site.get("/l", f"Range: bytes={asked}")
            assert answer.status == 206 and answer.body == part, asked
        assert site.get("/l", f"Range: bytes={len(LARGE)}-").status == 416
        assert site.get("/l", 'If-None-Match: "one"').status == 304
        with site.gateway.client() as client:
            answer = client.exchange("HEAD", "/l")
            assert answer.status == 200 and answer.value("content-length") == str(len(LARGE))
            # The connection goes on after each.
            for _ in range(3):
                assert client.exchange("GET", "/l").body == LARGE
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/l").body == LARGE
            assert client.exchange("GET", "/l", ("range", "bytes=1-200000")).body == LARGE[1:200_001]
            assert client.exchange("HEAD", "/l").status == 200
        assert site.pages.counts["/l"] == 1 and in_memory(site) == 0 and disk(site, "damaged_total") == 0

    def test_what_has_to_be_validated_is_read_into_memory(self, site):
        fill(site, LARGE)
        answer = site.get("/l", "Cache-Control: no-cache")
        assert answer.body == LARGE and "fwd-status=304" in answer.value("cache-status")
        assert in_memory(site) == 1 and site.get("/l").body == LARGE

    def test_what_many_want_at_once_is_read_into_memory(self, site):
        fill(site, HUGE)
        clients = [stalled(site) for _ in range(6)]
        assert in_memory(site) == 1
        for client, answer in clients:
            client.read_content(answer)
            assert answer.body == HUGE
            client.close()
        assert site.pages.counts["/l"] == 1

    def test_slow_clients_hold_little(self, site):
        fill(site, HUGE)
        before = site.gateway.memory()
        clients = [stalled(site) for _ in range(3)]
        assert site.gateway.memory() - before < len(HUGE) * 2 // 3
        for client, answer in clients:
            client.read_content(answer)
            assert answer.body == HUGE
            client.close()
        assert in_memory(site) == 0

    def test_clients_that_go_away(self, site, folder):
        """Nothing of the file is kept for them: others are sent it as before, and no purged one is still open."""
        fill(site, HUGE)
        for _ in range(4):
            clients = [stalled(site)[0] for _ in range(3)]
            for client in clients:
                client.reset()
            wait_until(lambda: not is_open(site.gateway.pid, folder), "it is closed")
        assert stored(site, "/l").body == HUGE and in_memory(site) == 0
        assert site.get("/l", "Range: bytes=0-0").body == HUGE[:1]
        wait_until(lambda: not is_open(site.gateway.pid, folder), "it is closed")


class TestTLS:
    def test_the_whole_and_parts_of_it(self, tls_site):
        site = tls_site
        fill(site, LARGE)
        with site.gateway.tls_client() as http1, site.http2() as http2:
            # The connections go on after each.
            for _ in range(2):
                for exchange in (http1.exchange, http2.exchange):
                    answer = exchange("GET", "/l")
                    assert answer.status == 200 and answer.body == LARGE and result(answer) == "hit"
                    for first, last in [(0, 0), (PIECE - 1, PIECE), (100_000, 2_999_999), (3_000_000, len(LARGE) - 1)]:
                        answer = exchange("GET", "/l", ("range", f"bytes={first}-{last}"))
                        assert answer.status == 206 and answer.body == LARGE[first:last + 1], first
                    assert exchange("HEAD", "/l").value("content-length") == str(len(LARGE))
        # Each was read for itself.
        assert disk(site, "reads_total", result="read") == 2 * 2 * 6
        assert site.pages.counts["/l"] == 1 and in_memory(site) == 0 and disk(site, "damaged_total") == 0

    @pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])
    def test_a_client_that_reads_slowly(self, tls_site, folder, protocol):
        site = tls_site
        fill(site, HUGE)
        with SlowClient(site, protocol=protocol) as client:
            for position in range(0, 6 * MIB, MIB):
                client.take_to(position)
                assert is_open(site.gateway.pid, folder), position
            assert client.body() == HUGE
        wait_until(lambda: not is_open(site.gateway.pid, folder), "it is closed")
        assert site.pages.counts["/l"] == 1 and in_memory(site) == 0


@pytest.mark.parametrize("protocol, by_tls", WAYS)
def test_a_drain_waits_for_its_end(scenario, folder, protocol, by_tls):
    leaf = scenario.authority().issue("example.test") if by_tls else None
    site = start(scenario, folder, leaf=leaf, http={"timeouts": {"drain": "60s"}})
    gateway = site.gateway
    fill(site, HUGE)
    with SlowClient(site, protocol=protocol) as client:
        assert in_memory(site) == 0
        gateway.was_ended = True
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(gateway.port), "new connections are refused")
        client.take_to(MIB)
        assert is_open(gateway.pid, folder) and gateway.is_running
        assert client.body() == HUGE
        client.expect_end()
    assert gateway.wait_for_end() == 0
    assert site.pages.counts["/l"] == 1


class TestChanges:
    def test_a_file_that_is_purged_is_sent_to_its_end(self, site, folder):
        fill(site, HUGE)
        client, answer = stalled(site)
        AdminAPI(site.gateway)("POST", "/v1/cache/purge", {"everything": True}, status=200)
        assert not files(folder) and site.get("/l", CACHED).status == 504
        client.read_content(answer)
        assert answer.body == HUGE

    def test_a_file_that_is_replaced_is_sent_to_its_end(self, site, folder):
        fill(site, HUGE)
        client, answer = stalled(site)
        site.pages["/l"] = page(LARGE, FRESH)
        assert site.get("/l", "Cache-Control: no-cache").body == LARGE
        client.read_content(answer)
        assert answer.body == HUGE and site.get("/l").body == LARGE


class TestDamage:
    def test_a_piece_that_was_changed(self, site, folder):
        """What comes before it is sent; it is not, and nothing passes for the whole."""
        site.pages["/l"] = page(LARGE, FRESH)
        for protocol in ("HTTP/1", "HTTP/2"):
            count = site.pages.counts["/l"]
            assert site.get("/l").body == LARGE
            wait_until(lambda: len(files(folder)) == 1, "it is written")
            end(site)
            path, = files(folder)
            content = bytearray(path.read_bytes())
            content[2 * MIB] ^= 1
            path.write_bytes(content)
            site.gateway.revive()
            known(site)
            assert site.get("/l", "Range: bytes=100000-300000").body == LARGE[100_000:300_001]
            if protocol == "HTTP/1":
                with site.gateway.client() as client, pytest.raises(ConnectionEnded):
                    client.exchange("GET", "/l")
            else:
                with site.gateway.http2() as client, pytest.raises(StreamReset):
                    client.exchange("GET", "/l")
            assert disk(site, "damaged_total") == 1
            wait_until(lambda: (site.get("/l"), "is damaged" in site.gateway.stderr)[1], "the log says so")
            assert site.get("/l").body == LARGE and site.pages.counts["/l"] == count + 2
            AdminAPI(site.gateway)("POST", "/v1/cache/purge", {"everything": True}, status=200)
            assert not files(folder)

    def test_a_file_that_is_cut_while_it_is_sent(self, site, folder):
        fill(site, HUGE)
        client, answer = stalled(site)
        path, = files(folder)
        os.truncate(path, len(HUGE) - 100)
        with pytest.raises(ConnectionEnded):
            client.read_content(answer)
        wait_until(lambda: not path.exists(), "it is removed")
        log = site.gateway.file.parent / "access.log"
        wait_until(lambda: '"outcome":"upstream_failure"' in log.read_text(), "the log says so")
        line, = [json.loads(line) for line in log.read_text().splitlines() if "upstream_failure" in line]
        assert 0 < line["responseBodyBytes"] < len(HUGE) - 100
        assert disk(site, "damaged_total") == 1
        assert site.get("/l").body == HUGE and site.pages.counts["/l"] == 2

    def test_a_damaged_file_counts_once(self, site, folder):
        """However many it is sent to meanwhile."""
        fill(site, HUGE)
        clients = [stalled(site) for _ in range(3)]
        path, = files(folder)
        os.truncate(path, len(HUGE) - 100)
        for client, answer in clients:
            with pytest.raises(ConnectionEnded):
                client.read_content(answer)
        assert disk(site, "damaged_total") == 1
