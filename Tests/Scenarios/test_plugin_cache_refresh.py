"""cache: what is stale is fetched anew while it is used."""

import threading
import time

import pytest

from support.cache_site import FRESH, LARGE, Site, result
from support.gateway import route, service
from support.pages import page, validated
from support.waiting import wait_until

OLD = "Cache-Control: max-age=10, stale-while-revalidate=600"


class TestRefresh:
    """Within stale-while-revalidate all get the stale one at once, and the gateway fetches it anew."""

    def stale(self, site, path, answer):
        site.pages[path] = answer
        assert result(site.get(path)) == "uri-miss"

    def test_nobody_waits_and_one_request_is_sent(self, scenario):
        site = Site(scenario, workers=2)
        self.stale(site, "/s", page("old", OLD, "Age: 20"))
        begun, release = threading.Event(), threading.Event()

        def slow(exchange):
            begun.set()
            release.wait(20)
            exchange.respond(200, b"new", FRESH, "X-New: yes")

        site.pages["/s"] = slow
        for number in range(10):
            answer = site.get("/s", f"X-Number: {number}")
            assert answer.text == "old" and answer.value("cache-status").startswith("penstock; hit; ttl=-")
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/s").body == b"old"
            assert client.exchange("HEAD", "/s").status == 200
            assert client.exchange("GET", "/s", ("range", "bytes=1-")).body == b"ld"
        assert begun.wait(10)
        release.set()
        answer = wait_until(lambda: (answer := site.get("/s")).text == "new" and answer, "the new one is there")
        assert answer.value("x-new") == "yes" and result(answer) == "hit"
        assert site.pages.counts["/s"] == 2
        metrics = site.gateway.metrics()
        assert metrics.sum("penstock_cache_requests_total", result="updating") >= 13
        assert metrics.sum("penstock_side_requests_total", plugin="cache", result="answered") == 1

    def test_it_is_the_request_of_the_client_without_its_conditions(self, scenario):
        site = Site(scenario, varyHeaders=["X-Kind"])
        self.stale(site, "/r?a=b", page("old", OLD, "Age: 20"))
        site.pages["/r"] = page("new", FRESH, "Vary: X-Own")
        fields = ["X-Own: 1", "Range: bytes=0-1", 'If-None-Match: "x"', "Cookie: a=b", "X-Kind: k"]
        assert site.get("/r?a=b", "X-Kind: k", "X-Own: 1").text == "new"
        site.pages["/r"] = page("old", OLD, "Age: 20", "Vary: X-Own")
        site.get("/r?b", *fields[:1])
        site.pages["/r"] = page("new", FRESH, "Vary: X-Own")
        assert site.get("/r?b", *fields[:1], *fields[3:4]).text == "old"
        wait_until(lambda: site.get("/r?b", "X-Own: 1").text == "new", "the new one is there")
        sent = site.origin.requests[-1]
        assert sent.method == "GET" and sent.target == "/r?b" and sent.value("cookie") == "a=b"
        assert sent.value("x-own") == "1" and sent.value("host") == "example.test"
        assert sent.value("x-forwarded-for") == "127.0.0.1"
        assert not sent.has("range") and not sent.has("if-none-match")
        # Others have their own.
        assert result(site.get("/r?b", "X-Own: 2")) == "vary-miss"

    def test_it_is_a_get_where_head_finds_it_stale(self, scenario):
        site = Site(scenario)
        self.stale(site, "/h", page("old", OLD, "Age: 20"))
        site.pages["/h"] = page("newer", FRESH)
        with site.gateway.http2() as client:
            answer = client.exchange("HEAD", "/h")
            assert answer.status == 200 and answer.body == b""
        answer = wait_until(lambda: (answer := site.get("/h")).text == "newer" and answer, "the new one is there")
        assert result(answer) == "hit"
        # Whoever asked for it with GET since got the stale one, and sent nothing.
        assert [request.method for request in site.origin.requests if request.target == "/h"] == ["GET", "GET"]

    def test_it_is_conditional_and_304_makes_it_fresh(self, scenario):
        site = Site(scenario, workers=2)
        self.stale(site, "/v", validated("content", '"1"', OLD, "Age: 20"))
        site.pages["/v"] = validated("other", '"1"', FRESH, "X-N: 2")
        assert site.get("/v").text == "content"
        answer = wait_until(
            lambda: "ttl=-" not in (answer := site.get("/v")).value("cache-status") and answer, "it is fresh")
        assert answer.text == "content" and answer.value("x-n") == "2"
        assert site.origin.last.value("if-none-match") == '"1"' and site.pages.counts["/v"] == 2

    @pytest.mark.parametrize("failure", ["503", "nonsense", "down"])
    def test_what_is_stale_stays_when_it_fails(self, scenario, failure):
        site = Site(scenario)
        self.stale(site, "/e", page("old", OLD, "Age: 20"))
        if failure == "down":
            site.origin.stop()
        elif failure == "nonsense":
            site.pages["/e"] = lambda exchange: (
                exchange.read_body(), exchange.send(b"nonsense\r\n\r\n"), exchange.close())
        else:
            site.pages["/e"] = page("bad", FRESH, status=503)
        begun = time.monotonic()
        count = 0
        while time.monotonic() - begun < 1.5 or count < 50:
            assert site.get("/e").text == "old"
            count += 1
        sent = site.gateway.metrics().sum("penstock_side_requests_total", plugin="cache")
        assert 1 <= sent <= 1 + time.monotonic() - begun

    def test_what_may_not_be_stored_any_more_goes(self, scenario):
        site = Site(scenario)
        self.stale(site, "/p", page("old", OLD, "Age: 20"))
        site.pages["/p"] = page("mine", "Cache-Control: private")
        assert site.get("/p").text == "old"
        wait_until(lambda: site.get("/p").text == "mine", "the old one has gone")

    def test_what_is_purged_meanwhile_does_not_come_back(self, scenario):
        site = Site(scenario, purgeMethod=True)
        self.stale(site, "/p", page("old", OLD, "Age: 20"))
        release, begun, done = threading.Event(), threading.Event(), threading.Event()

        def slow(exchange):
            begun.set()
            release.wait(20)
            exchange.respond(200, b"before the purge", FRESH)
            done.set()

        site.pages["/p"] = slow
        assert site.get("/p").text == "old" and begun.wait(10)
        with site.gateway.client() as client:
            assert client.exchange("PURGE", "/p").status == 200
        site.pages["/p"] = page("after", FRESH)
        release.set()
        assert done.wait(10)
        wait_until(lambda: site.gateway.metrics().sum("penstock_side_requests_total", plugin="cache") == 1, "it has ended")
        assert site.get("/p").text == "after"

    def test_where_another_plugin_has_a_say_one_client_waits(self, scenario):
        site = Site(scenario, more={"response-rewrite": {"statuses": [404], "body": "gone"}})
        self.stale(site, "/w", page("old", OLD, "Age: 20"))
        site.pages["/w"] = page("new", FRESH)
        assert site.get("/w").text == "new"
        assert site.gateway.metrics().sum("penstock_side_requests_total", plugin="cache") == 0

    def test_a_mirror_gets_its_copy_of_what_fetches(self, scenario):
        mirror = {"service": "app", "path": "/copy"}
        site = Site(scenario, more={"mirror": mirror})
        self.stale(site, "/m", page("old", OLD, "Age: 20"))
        wait_until(lambda: site.pages.counts["/copy"] == 1, "the first is copied")
        site.pages["/m"] = page("new", FRESH)
        assert site.get("/m").text == "new"
        wait_until(lambda: site.pages.counts["/copy"] == 2, "the second is copied")
        assert site.gateway.metrics().sum("penstock_side_requests_total", plugin="cache") == 0

    def test_one_that_grows_is_stored_as_far_as_it_may(self, scenario):
        """More than the stale one, and than what is counted for it at first."""
        site = Site(scenario, memory="4MiB", maxSize="1MiB")
        self.stale(site, "/g", page("old", OLD, "Age: 20"))
        site.pages["/g"] = page(LARGE, FRESH)
        assert site.get("/g").text == "old"
        wait_until(lambda: site.get("/g").body == LARGE, "the new one is there")
        self.stale(site, "/l", page("old", OLD, "Age: 20"))
        site.pages["/l"] = page(LARGE + b"x", FRESH)
        assert site.get("/l").text == "old"
        wait_until(lambda: site.get("/l").body == LARGE + b"x", "what is too large is not stored any more")

    def test_from_an_endpoint_of_http2(self, scenario):
        contents = [(b"old", ("cache-control", "max-age=10, stale-while-revalidate=600"), ("age", "20")),
                    (b"new", ("cache-control", "max-age=600"))]
        origin = scenario.http2_origin(lambda exchange: exchange.respond(200, *contents.pop(0)))
        gateway = scenario.gateway([service("app", origin, protocol="h2")], [route("all", "app", plugins={"cache": {}})])
        assert [gateway.get("/h").text for _ in range(2)] == ["old", "old"]
        wait_until(lambda: gateway.get("/h").text == "new", "the new one is there")
