"""cache: responses on a disk, whose files, folders and room are not what they should be."""

import os
import shutil

import pytest

from support.cache_disk import LARGE, disk, end, files, folder, known, restart, site, written
from support.cache_site import FRESH, Site, result
from support.disks import NoMounts, SmallDisk
from support.pages import page
from support.waiting import wait_until


class TestDamage:
    def fill(self, site, folder, count=8):
        for number in range(count):
            site.pages[f"/{number}"] = page(f"content {number} " * 1_000, FRESH)
            site.get(f"/{number}")
        written(site, count)
        end(site)
        found = files(folder)
        assert len(found) == count
        return found

    def check(self, site, folder, intact):
        """All are answered as they should be, and stored again."""
        site.gateway.revive()
        known(site)
        for number in range(8):
            assert site.get(f"/{number}").text == f"content {number} " * 1_000
        wait_until(lambda: len(files(folder)) == 8 and disk(site, "entries") == 8, "all are stored again")
        assert sum(site.pages.counts.values()) == 8 + 8 - intact

    def test_files_that_were_cut_or_changed(self, site, folder):
        found = self.fill(site, folder)
        os.truncate(found[0], found[0].stat().st_size - 1)
        os.truncate(found[1], 0)
        os.truncate(found[2], 20)
        for path, position in ((found[3], 0), (found[4], 40), (found[5], found[5].stat().st_size - 5)):
            content = bytearray(path.read_bytes())
            content[position] ^= 1
            path.write_bytes(content)
        found[6].write_bytes(os.urandom(5_000))
        self.check(site, folder, intact=1)
        assert disk(site, "damaged_total") == 7
        assert not any(path.exists() for path in found[:7])

    def test_a_file_under_the_name_of_another(self, site, folder):
        found = self.fill(site, folder)
        first, second = found[0].read_bytes(), found[1].read_bytes()
        found[0].write_bytes(second)
        found[1].write_bytes(first)
        self.check(site, folder, intact=8)

    def test_what_is_no_file_of_the_gateway_is_left_alone(self, site, folder):
        found = self.fill(site, folder)
        outside = folder.parent / "outside"
        outside.write_text("not to be touched")
        link = found[0]
        link.unlink()
        link.symlink_to(outside)
        (folder / "default" / "00").mkdir(exist_ok=True)
        (folder / "default" / "00" / "notes.txt").write_text("mine")
        (folder / "default" / "00" / "00ffffffffffffff").mkdir()
        os.mkfifo(folder / "default" / "00" / "00fffffffffffffe")
        site.gateway.revive()
        known(site)
        for number in range(8):
            assert site.get(f"/{number}").text == f"content {number} " * 1_000
        written(site, 1)
        assert disk(site, "entries") == 8
        assert outside.read_text() == "not to be touched"
        assert (folder / "default" / "00" / "notes.txt").read_text() == "mine"

    def test_files_that_vanish(self, site, folder):
        for path in self.fill(site, folder)[:4]:
            path.unlink()
        self.check(site, folder, intact=4)

    def test_the_folder_vanishes(self, site, folder):
        site.pages["/a"] = page("a", FRESH)
        site.get("/a")
        written(site, 1)
        shutil.rmtree(folder)
        for number in range(5):
            site.pages[f"/{number}"] = page("x", FRESH)
            assert site.get(f"/{number}").text == "x"
        assert result(site.get("/a")) == "hit"

        def ask():
            site.pages["/more"] = page("x", FRESH)
            assert site.get(f"/more?{os.urandom(4).hex()}").text == "x"
            return len(files(folder)) >= 3

        wait_until(ask, "it is made again")
        restart(site)
        assert disk(site, "entries") >= 3

    def test_a_full_disk(self, scenario, tmp_path):
        try:
            small = SmallDisk(tmp_path / "small", 4 << 20)
        except NoMounts as reason:
            pytest.skip(str(reason))
        try:
            site = Site(scenario, workers=2, diskPath=str(small.path / "cache"), memory="1MiB", maxSize="256KiB")
            site.pages["/p"] = page(LARGE, FRESH)

            def ask(number):
                assert site.get(f"/p?{number}").body == LARGE

            number = 0

            def are_written():
                nonlocal number
                number += 1
                ask(number)
                return disk(site, "writes_total", result="written") >= 5

            # What comes faster than the disk takes it is not written.
            wait_until(are_written, "some are written")
            small.fill()

            def fails():
                nonlocal number
                number += 1
                ask(number)
                return disk(site, "writes_total", result="failed") >= 2

            wait_until(fails, "the disk is full", seconds=30)
            wait_until(lambda: (ask(0), "No space left on device" in site.gateway.stderr)[1], "the log says so")
            small.free()
            before = disk(site, "writes_total", result="written")

            def again():
                nonlocal number
                number += 1
                ask(number)
                return disk(site, "writes_total", result="written") > before

            wait_until(again, "it is written to again", seconds=30)
            # A disk that is smaller than was said: what is older makes room.
            for _ in range(60):
                number += 1
                ask(number)
            assert disk(site, "entries") >= 5 and not list((small.path / "cache").glob("default/tmp/*"))
        finally:
            small.unmount()
