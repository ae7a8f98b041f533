"""cache: what takes stored responses out."""

import threading

import pytest

from support.admin_api import AdminAPI
from support.cache_site import FRESH, Crowd, Site, result
from support.command_line import CommandLine
from support.gateway import route, service
from support.pages import Pages, page
from support.waiting import wait_until


@pytest.fixture(scope="module")
def site(shared):
    return Site(shared, workers=2)


class TestInvalidation:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "REPORT"])
    def test_a_change_takes_it_out(self, site, method):
        site.pages["/i"] = page("x", FRESH)
        assert result(site.get("/i")) in ("uri-miss", "hit") and result(site.get("/i")) == "hit"
        with site.gateway.client() as client:
            assert client.exchange(method, "/i", body=b"change").status == 200
        assert result(site.get("/i")) == "uri-miss"

    def test_one_that_fails_does_not(self, site):
        site.pages["/fails"] = page("x", FRESH)
        site.get("/fails")
        site.pages["/fails"] = page("no", status=403)
        with site.gateway.client() as client:
            assert client.exchange("POST", "/fails", body=b"change").status == 403
        assert result(site.get("/fails")) == "hit"

    def test_what_was_asked_for_before_the_change_is_not_stored_after(self, site):
        begun, release = threading.Event(), threading.Event()

        def slow(exchange):
            if exchange.request.method == "POST":
                return exchange.respond(200, b"done")
            begun.set()
            release.wait(20)
            exchange.respond(200, b"before", FRESH)

        site.pages["/race"] = slow
        crowd = Crowd(site, "/race", 1)
        assert begun.wait(10)
        with site.gateway.client() as client:
            assert client.exchange("POST", "/race", body=b"change").status == 200
        release.set()
        assert [answer.text for answer in crowd.wait()] == ["before"]
        site.pages["/race"] = page("after", FRESH)
        assert site.get("/race").text == "after"


class TestPurge:
    @pytest.fixture()
    def full(self, scenario):
        site = Site(scenario, workers=2, purgeMethod=True)
        site.pages["/a"] = page("a", FRESH, "Surrogate-Key: shop  list")
        site.pages["/b"] = page("b", FRESH, "Cache-Tag: shop,other")
        site.pages["/b/c"] = page("c", FRESH)
        self.fill(site)
        assert self.hits(site) == ["/a", "/a?x=1", "/b", "/b/c"]
        return site

    PATHS = ("/a", "/a?x=1", "/b", "/b/c")

    def fill(self, site):
        for path in self.PATHS:
            for _ in range(8):
                site.get(path)

    def hits(self, site):
        return [path for path in self.PATHS
                if site.get(path, "Cache-Control: only-if-cached").status == 200]

    @pytest.mark.parametrize("body, purged, left", [
        ({"url": "http://example.test/a"}, 1, ["/a?x=1", "/b", "/b/c"]),
        ({"url": "HTTP://EXAMPLE.test:80/a?x=1"}, 1, ["/a", "/b", "/b/c"]),
        ({"url": "https://example.test/a"}, 0, ["/a", "/a?x=1", "/b", "/b/c"]),
        ({"prefix": "http://example.test/b"}, 2, ["/a", "/a?x=1"]),
        ({"tag": "shop"}, 3, ["/b/c"]), ({"tag": "list", "zone": "default"}, 2, ["/b", "/b/c"]),
        ({"tag": "sho"}, 0, ["/a", "/a?x=1", "/b", "/b/c"]), ({"everything": True}, 4, [])])
    def test_by_the_admin_api(self, full, body, purged, left):
        api = AdminAPI(full.gateway)
        assert api("POST", "/v1/cache/purge", body, status=200).json == {"purged": purged}
        assert self.hits(full) == left

    @pytest.mark.parametrize("body, status", [
        ({}, 422), ({"url": "/a"}, 422), ({"url": "http://a.test/", "tag": "x"}, 422), ({"everything": False}, 422),
        ({"everything": True, "zone": "nowhere"}, 422), ({"prefix": "ftp://a.test/"}, 422)])
    def test_what_cannot_be_purged_is_said(self, full, body, status):
        assert AdminAPI(full.gateway)("POST", "/v1/cache/purge", body).status == status
        assert len(self.hits(full)) == 4

    @pytest.mark.parametrize("arguments, purged, left", [
        (["http://example.test/a"], 1, ["/a?x=1", "/b", "/b/c"]),
        (["--prefix", "http://example.test/b"], 2, ["/a", "/a?x=1"]),
        (["--tag", "list", "--zone", "default"], 2, ["/b", "/b/c"]),
        (["--tag", "no\"thing"], 0, ["/a", "/a?x=1", "/b", "/b/c"]), (["--everything"], 4, [])])
    def test_by_the_command_line(self, full, tmp_path, arguments, purged, left):
        assert CommandLine(full.gateway, tmp_path)("purge", *arguments) == f"purged: {purged}\n"
        assert self.hits(full) == left

    @pytest.mark.parametrize("arguments, status, words", [
        ([], 64, "One of a URL"), (["--everything", "--tag", "x"], 64, "One of a URL"),
        (["example.test/a"], 1, "a URL has a scheme and a host"),
        (["--everything", "--zone", "nowhere"], 1, "no zone")])
    def test_what_the_command_line_cannot_purge_is_said(self, full, tmp_path, arguments, status, words):
        assert words in CommandLine(full.gateway, tmp_path)("purge", *arguments, status=status)
        assert len(self.hits(full)) == 4

    def test_zones_are_shown(self, full):
        zones = AdminAPI(full.gateway).get("/v1/cache")["zones"]
        assert [zone["zone"] for zone in zones] == ["default"] and zones[0]["entries"] == 4

    def test_by_the_method(self, full):
        with full.gateway.client() as client:
            answer = client.exchange("PURGE", "/b")
            assert answer.status == 200 and answer.text == '{"purged": 1}\n'
            assert client.exchange("PURGE", "/b").status == 404
        assert self.hits(full) == ["/a", "/a?x=1", "/b/c"]

    def test_not_by_the_method_unless_that_is_set(self, site):
        site.pages["/p"] = page("p", FRESH, status=200)
        site.get("/p")
        with site.gateway.client() as client:
            client.exchange("PURGE", "/p")
        assert site.origin.last.method == "PURGE"

    def test_zones_are_apart_and_outlive_a_change_of_options(self, scenario):
        pages = Pages(a=page("a", FRESH))
        gateway = scenario.gateway(
            [service("app", scenario.origin(pages.answer))],
            [route("one", "app", hosts=["one.test"], plugins={"cache": {"zone": "first"}}),
             route("two", "app", hosts=["two.test"], plugins={"cache": {"zone": "second"}})])
        for host in ("one.test", "two.test"):
            gateway.get("/a", host=host)
        api = AdminAPI(gateway)
        assert api("POST", "/v1/cache/purge", {"everything": True, "zone": "first"}).json == {"purged": 1}
        assert result(gateway.get("/a", host="two.test")) == "hit"
        gateway.configuration["routes"][1]["plugins"]["cache"]["ttl"] = "7m"
        gateway.save()
        gateway.hang_up()
        wait_until(lambda: gateway.metrics().sum("penstock_config_reloads_total", result="success") >= 1, "a reload")
        assert result(gateway.get("/a", host="two.test")) == "hit"
        assert result(gateway.get("/a", host="one.test")) == "uri-miss"
