"""cache: responses on a disk, which survive what happens to processes."""

import hashlib
import os
import signal
import stat
import threading
import time
from itertools import count

import pytest

from support.admin_api import AdminAPI
from support.cache_disk import CACHED, LARGE, disk, end, files, folder, known, restart, site, stored, written
from support.cache_site import FRESH, Crowd, Site, result
from support.gateway import route, service
from support.pages import page, validated
from support.waiting import wait_until


class TestRestart:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_what_is_stored_is_there_afterwards(self, site, number):
        site.pages["/a"] = validated("content", '"a"', FRESH, "X-Own: yes", "Vary: X-Kind", "Surrogate-Key: one two")
        site.pages["/large"] = page(LARGE, FRESH)
        site.pages["/empty"] = page(b"", FRESH)
        site.pages["/moved"] = page(b"", FRESH, "Location: /a", status=301)
        site.pages["/old"] = page("old", "Cache-Control: max-age=600", "Age: 100")
        site.get("/a", "X-Kind: one")
        site.get("/a", "X-Kind: two")
        for path in ("/large", "/empty", "/moved", "/old"):
            site.get(path)
        written(site, 6)
        restart(site, number)
        answer = stored(site, "/a", "X-Kind: one")
        assert result(answer) == "hit" and answer.text == "content" and answer.value("x-own") == "yes"
        assert answer.value("etag") == '"a"' and int(answer.value("age")) >= 0 and answer.has("date")
        assert stored(site, "/a", "X-Kind: two").text == "content"
        assert site.get("/a", "X-Kind: three", CACHED).status == 504
        assert site.get("/a", "X-Kind: one", 'If-None-Match: "a"').status == 304
        assert stored(site, "/large").body == LARGE and stored(site, "/empty").body == b""
        assert stored(site, "/moved").status == 301 and site.get("/moved").value("location") == "/a"
        assert int(stored(site, "/old").value("age")) >= 100
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/large", ("range", "bytes=1-3")).body == LARGE[1:4]
            assert client.exchange("HEAD", "/large").status == 200
        assert site.pages.counts["/a"] == 2 and sum(site.pages.counts.values()) == 6
        assert disk(site, "entries") == 6 and disk(site, "damaged_total") == 0

    def test_a_range_and_a_head_are_answered_from_the_file(self, site):
        site.pages["/r"] = page(LARGE, FRESH)
        site.get("/r")
        written(site, 1)
        for ask, body in (("GET", LARGE[5:10]), ("HEAD", b"")):
            restart(site)
            with site.gateway.client() as client:
                answer = client.exchange(ask, "/r", "Range: bytes=5-9")
                assert answer.status == (206 if ask == "GET" else 200) and answer.body == body
        assert site.pages.counts["/r"] == 1

    def test_what_is_stale_is_validated(self, site):
        site.pages["/v"] = validated("content", '"1"', "Cache-Control: max-age=10", "Age: 20")
        site.get("/v")
        written(site, 1)
        restart(site)
        site.pages["/v"] = validated("content", '"1"', FRESH)
        answer = site.get("/v")
        assert answer.text == "content" and "fwd-status=304" in answer.value("cache-status")
        written(site, 1)
        wait_until(lambda: disk(site, "entries") == 1, "one file is left")
        restart(site)
        assert result(stored(site, "/v")) == "hit"

    def test_what_is_of_no_use_any_more_goes(self, site, folder):
        site.pages["/s"] = page("s", "Cache-Control: max-age=1")
        site.pages["/f"] = page("f", FRESH)
        site.get("/s")
        site.get("/f")
        written(site, 2)
        end(site)
        # Its age is in whole seconds.
        time.sleep(2)
        site.gateway.revive()
        known(site)
        assert len(files(folder)) == 1 and site.get("/f", CACHED).text == "f"

    def test_killed_while_it_writes(self, site, folder):
        """Whatever is answered is what the endpoint has sent for that URL."""
        def content(path):
            return hashlib.sha256(path.encode()).digest() * 3_200

        site.pages.pages = {f"/{number}": page(content(f"/{number}"), FRESH) for number in range(200)}
        for turn in range(4):
            stop = threading.Event()

            def ask():
                number = 0
                while not stop.is_set():
                    try:
                        site.get(f"/{number % 200}")
                    except (OSError, AssertionError):
                        pass
                    number += 1

            clients = [threading.Thread(target=ask) for _ in range(3)]
            for client in clients:
                client.start()
            wait_until(lambda: len(files(folder)) >= 20 * (turn + 1), "some are written")
            end(site)
            stop.set()
            for client in clients:
                client.join(30)
            # What a write was cut at.
            (folder / "default" / "tmp" / f"99999-{turn}").write_bytes(b"half of")
            site.gateway.revive()
            known(site)
            count = 0
            for number in range(200):
                answer = site.get(f"/{number}", CACHED)
                assert answer.status == 504 or answer.body == content(f"/{number}")
                count += answer.status == 200
            assert count >= 15 * (turn + 1)
        assert disk(site, "damaged_total") == 0


class TestPurge:
    def fill(self, site):
        site.pages["/a"] = page("a", FRESH, "Surrogate-Key: shop list")
        site.pages["/b"] = page("b", FRESH, "Cache-Tag: shop")
        site.pages["/b/c"] = page("c", FRESH)
        for path in ("/a", "/a?x", "/b", "/b/c"):
            site.get(path)
        written(site, 4)

    def left(self, site, count):
        known(site)
        assert disk(site, "entries") == count
        return [path for path in ("/a", "/a?x", "/b", "/b/c") if site.get(path, CACHED).status == 200]

    @pytest.mark.parametrize("body, left", [
        ({"url": "http://example.test/a"}, ["/a?x", "/b", "/b/c"]), ({"prefix": "http://example.test/b"}, ["/a", "/a?x"]),
        ({"tag": "shop", "zone": "default"}, ["/b/c"]), ({"everything": True}, [])])
    @pytest.mark.parametrize("when", ["now", "after a restart"])
    def test_nothing_comes_back(self, site, folder, body, left, when):
        self.fill(site)
        if when == "now":
            answer = AdminAPI(site.gateway)("POST", "/v1/cache/purge", body, status=200)
            assert answer.json == {"purged": 4 - len(left)}
        else:
            # Nobody has asked for anything since.
            end(site)
            site.gateway.revive()
            AdminAPI(site.gateway)("POST", "/v1/cache/purge", body, status=200)
        assert len(files(folder)) == len(left)
        assert self.left(site, len(left)) == left
        restart(site)
        assert self.left(site, len(left)) == left

    def test_by_a_change(self, site, folder):
        self.fill(site)
        restart(site)
        self.left(site, 4)
        with site.gateway.client() as client:
            assert client.exchange("POST", "/a", body=b"x").status == 200
        wait_until(lambda: len(files(folder)) == 3, "its file is gone")
        assert site.get("/a", CACHED).status == 504

    def test_what_may_not_be_stored_any_more(self, site, folder):
        site.pages["/p"] = validated("p", '"1"', "Cache-Control: max-age=10", "Age: 20")
        site.get("/p")
        written(site, 1)
        site.pages["/p"] = page("mine", "Cache-Control: private")
        assert site.get("/p").text == "mine"
        wait_until(lambda: not files(folder), "its file is gone")


    @pytest.mark.parametrize("body, left", [
        ({"everything": True}, 0), ({"tag": "shop", "zone": "default"}, 0), ({"url": "http://example.test/a/1"}, 1)])
    def test_two_folders_of_one_zone(self, scenario, tmp_path, body, left):
        folders = {path: tmp_path / path for path in ("a", "b")}
        routes = [route(path, "app", match=[{"path": f"/{path}"}], plugins={"cache": {"diskPath": str(folder)}})
                  for path, folder in folders.items()]
        site = Site(scenario, routes=routes)
        for path, folder in folders.items():
            site.pages[f"/{path}/1"] = page(path, FRESH, "Surrogate-Key: shop")
            site.get(f"/{path}/1")
            wait_until(lambda: len(files(folder)) == 1, f"a file in folder {path}")
        restart(site)
        # Each is found where its route has it.
        for path in folders:
            assert stored(site, f"/{path}/1").text == path
        AdminAPI(site.gateway)("POST", "/v1/cache/purge", body, status=200)
        assert not files(folders["a"]) and len(files(folders["b"])) == left
        restart(site)
        assert site.get("/a/1", CACHED).status == 504
        assert site.get("/b/1", CACHED).status == (200 if left else 504)

    @staticmethod
    def wait_until_taken_back(site):
        numbers = count()

        def writes_again():
            site.get(f"/b/c?{next(numbers)}")
            return disk(site, "writes_total", result="written") > 4

        wait_until(writes_again, "the old one writes again")
        known(site)

    def test_while_another_process_has_the_folder(self, scenario, folder):
        """It holds when the folder is taken back."""
        old = Site(scenario, diskPath=str(folder))
        self.fill(old)
        new = scenario.gateway(
            [service("app", old.origin)], [route("all", "app", plugins={"cache": {"diskPath": str(folder)}})])
        wait_until(lambda: new.get("/a", CACHED).status == 200, "the new one has what the old one wrote")
        AdminAPI(new)("POST", "/v1/cache/purge", {"tag": "of-nothing"}, status=200)
        old.pages["/late"] = page("late", FRESH, "Surrogate-Key: shop")
        new.get("/late")
        wait_until(lambda: len(files(folder)) == 5, "what the new one has written")
        # The old one finds out that the folder is another's.
        known(old)
        # Of `/late` the old one knows nothing.
        AdminAPI(old.gateway)("POST", "/v1/cache/purge", {"tag": "shop"}, status=200)
        assert len(files(folder)) == 2
        new.stop()
        old.pages["/b/c"] = page("c", FRESH)
        self.wait_until_taken_back(old)
        for path in ("/a", "/a?x", "/b", "/late"):
            assert old.get(path, CACHED).status == 504, path
        assert old.get("/b/c", CACHED).text == "c"

    def test_that_has_just_taken_the_folder(self, scenario, folder):
        """The one that purges does not know yet that there are files of another."""
        old = Site(scenario, diskPath=str(folder))
        self.fill(old)
        known(old)
        new = scenario.gateway(
            [service("app", old.origin)], [route("all", "app", plugins={"cache": {"diskPath": str(folder)}})])
        old.pages["/late"] = page("late", FRESH, "Surrogate-Key: shop")
        old.pages["/late/b"] = page("late b", FRESH)
        for path in ("/late", "/late/b"):
            new.get(path)
        wait_until(lambda: len(files(folder)) == 6, "what the new one has written")
        AdminAPI(old.gateway)("POST", "/v1/cache/purge", {"tag": "shop"}, status=200)
        new.stop()
        self.wait_until_taken_back(old)
        assert stored(old, "/late/b").text == "late b"
        for path in ("/a", "/a?x", "/b", "/late"):
            assert old.get(path, CACHED).status == 504, path


class TestTiers:
    def test_what_memory_has_no_room_for_is_read(self, scenario, folder):
        site = Site(scenario, workers=2, diskPath=str(folder), memory="1MiB", maxSize="256KiB")
        site.pages["/p"] = page(LARGE, FRESH)
        for number in range(40):
            assert site.get(f"/p?{number}").body == LARGE
            written(site, number + 1)
        for number in range(40):
            answer = site.get(f"/p?{number}")
            assert answer.body == LARGE and result(answer) == "hit"
        assert site.pages.counts["/p"] == 40 and disk(site, "reads_total", result="read") >= 25
        # Many at once are one read.
        before = disk(site, "reads_total", result="read")
        answers = Crowd(site, "/p?0", 20).wait()
        assert all(answer.body == LARGE and result(answer) == "hit" for answer in answers)
        assert disk(site, "reads_total", result="read") <= before + 1

    def test_its_size_is_bounded(self, scenario, folder):
        site = Site(scenario, diskPath=str(folder), diskSize="2MiB", maxSize="256KiB")
        site.pages["/p"] = page(LARGE, FRESH)
        for number in range(60):
            site.get(f"/p?{number}")
            written(site, number + 1)
        assert disk(site, "bytes") <= disk(site, "bytes_max") == 2 << 20
        assert disk(site, "evictions_total") >= 38
        wait_until(lambda: sum(path.stat().st_size for path in files(folder)) <= 2 << 20, "files are removed")
        assert len(files(folder)) == disk(site, "entries") >= 15
        assert AdminAPI(site.gateway).get("/v1/cache")["zones"][0]["disk"]["entries"] == len(files(folder))
        # A smaller one, after a restart.
        end(site)
        site.gateway.configuration["routes"][0]["plugins"]["cache"].update(diskSize="1MiB")
        site.gateway.save()
        site.gateway.revive()
        known(site)
        assert 5 <= disk(site, "entries") == len(files(folder)) <= 10

    def test_what_nobody_asks_for_goes(self, scenario, folder):
        site = Site(scenario, diskPath=str(folder), diskInactive="1s")
        site.pages["/p"] = page("p", FRESH)
        for number in range(3):
            site.get(f"/p?{number}")
        written(site, 3)
        wait_until(lambda: not files(folder), "the files are gone")
        assert disk(site, "inactive_total") == 3 and disk(site, "entries") == disk(site, "evictions_total") == 0
        # Memory has them as long as it has room.
        assert result(stored(site, "/p?0")) == "hit"
        # By other settings it stays.
        site.gateway.configuration["routes"][0]["plugins"]["cache"].update(diskInactive="366d")
        site.gateway.save()
        site.gateway.hang_up()
        wait_until(lambda: site.gateway.metrics().sum("penstock_config_reloads_total", result="success") >= 1,
                   "a reload")
        site.get("/p?3")
        wait_until(lambda: len(files(folder)) == 1, "its file is there")
        restart(site)
        assert stored(site, "/p?3").text == "p" and disk(site, "inactive_total") == 0

    def test_zones_have_folders_of_their_own(self, scenario, folder):
        site = Site(scenario, diskPath=str(folder), zone="a/../b")
        site.pages["/p"] = page("p", FRESH)
        site.get("/p")
        written(site, 1)
        assert [path.name for path in folder.iterdir()] == ["a%2F%2E%2E%2Fb"]

    def test_only_its_user_may_read(self, site, folder):
        site.pages["/p"] = page("p", FRESH)
        site.get("/p")
        written(site, 1)
        for path in folder.rglob("*"):
            assert stat.S_IMODE(path.lstat().st_mode) == (0o700 if path.is_dir() else 0o600), path

    def test_a_folder_that_others_may_write_to_is_refused(self, site, folder):
        (folder / "default").mkdir(parents=True)
        (folder / "default").chmod(0o777)
        site.pages["/p"] = page("p", FRESH)
        site.get("/p")
        wait_until(lambda: site.get(f"/p?{os.urandom(4).hex()}").text == "p"
                   and "others may write to it" in site.gateway.stderr, "the log says so")
        assert disk(site, "writes_total", result="written") == 0 and not files(folder)
        (folder / "default").chmod(0o700)
        wait_until(lambda: site.get(f"/p?{os.urandom(4).hex()}").text == "p" and files(folder), "it is used")

    def test_two_gateways_with_one_folder(self, scenario, folder):
        """The one that came last writes; the other reads, and writes again when that one has gone."""
        old = Site(scenario, diskPath=str(folder))
        old.pages["/p"] = page("p", FRESH)
        old.get("/p?1")
        written(old, 1)
        new = scenario.gateway(
            [service("app", old.origin)], [route("all", "app", plugins={"cache": {"diskPath": str(folder)}})])
        wait_until(lambda: new.get("/p?1", CACHED).status == 200, "the new one has what the old one wrote")
        old_count = 10

        def write_in_old():
            nonlocal old_count
            old_count += 1
            assert old.get(f"/p?{old_count}").text == "p" and result(old.get(f"/p?{old_count}")) == "hit"
            return disk(old, "writes_total", result="dropped") >= 2

        wait_until(write_in_old, "the old one does not write")
        new.get("/p?2")
        wait_until(lambda: new.metrics().sum("penstock_cache_disk_writes_total", result="written") == 1, "the new one does")
        count = len(files(folder))
        new.stop()
        before = disk(old, "writes_total", result="written")

        def again():
            nonlocal old_count
            old_count += 1
            old.get(f"/p?{old_count}")
            return disk(old, "writes_total", result="written") > before

        wait_until(again, "the old one writes again")
        assert stored(old, "/p?2").text == "p" and len(files(folder)) > count

    def test_taken_away_and_back(self, site, folder):
        site.pages["/p"] = page("p", FRESH)
        site.get("/p")
        written(site, 1)
        plugins = site.gateway.configuration["routes"][0]["plugins"]
        for number, options in enumerate(({}, {"diskPath": str(folder)})):
            plugins["cache"] = options
            site.gateway.save()
            site.gateway.hang_up()
            wait_until(lambda: site.gateway.metrics().sum("penstock_config_reloads_total", result="success") >= number + 1,
                       "a reload")
            assert result(site.get("/p")) == "hit"
        restart(site)
        assert stored(site, "/p").text == "p" and site.pages.counts["/p"] == 1
