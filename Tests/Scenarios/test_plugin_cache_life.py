"""cache: how stored responses are validated, and used when stale."""

import threading
import time

import pytest

from support.cache_site import FRESH, Site, result
from support.gateway import route, service
from support.pages import Pages, page, validated
from support.waiting import wait_until

STALE = ["Cache-Control: max-age=10", "Age: 10"]


@pytest.fixture(scope="module")
def site(shared):
    return Site(shared, workers=2)


class TestValidation:
    def test_a_304_makes_it_fresh_again(self, site):
        site.pages["/v"] = validated("content", '"1"', *STALE, "X-N: 1")
        assert result(site.get("/v")) == "uri-miss"
        site.pages["/v"] = validated("other", '"1"', FRESH, "X-N: 2", "Content-Type: text/x")
        answer = site.get("/v")
        assert answer.status == 200 and answer.text == "content" and answer.value("x-n") == "2"
        assert site.origin.last.value("if-none-match") == '"1"'
        assert answer.value("cache-status").startswith("penstock; fwd=stale; fwd-status=304; ttl=")
        assert not answer.has("content-type")
        answer = site.get("/v")
        assert result(answer) == "hit" and answer.text == "content" and answer.value("x-n") == "2"
        assert site.pages.counts["/v"] == 2

    def test_what_has_changed_takes_its_place(self, site):
        site.pages["/c"] = validated("old", '"1"', *STALE)
        site.get("/c")
        site.pages["/c"] = validated("new", '"2"', FRESH)
        answer = site.get("/c")
        assert answer.text == "new" and answer.value("cache-status") == "penstock; fwd=stale; stored"
        assert result(site.get("/c")) == "hit" and site.get("/c").text == "new"

    def test_by_date_of_modification(self, site):
        modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"
        site.pages["/m"] = page("m", *STALE, modified)
        site.get("/m")
        site.pages["/m"] = lambda exchange: exchange.respond(304, b"", FRESH, modified)
        assert site.get("/m").text == "m"
        assert site.origin.last.value("if-modified-since") == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert result(site.get("/m")) == "hit"

    def test_the_clients_own_condition_is_answered_from_what_was_validated(self, site):
        site.pages["/own"] = validated("content", '"o"', *STALE)
        site.get("/own")
        answer = site.get("/own", 'If-None-Match: "o"')
        assert answer.status == 304 and site.origin.last.value("if-none-match") == '"o"'
        answer = site.get("/own", 'If-None-Match: "else"')
        assert answer.status == 200 and answer.text == "content" and site.origin.last.value("if-none-match") == '"o"'
        answer = site.get("/own", "Range: bytes=1-2")
        assert answer.status == 206 and answer.text == "on" and not site.origin.last.has("range")
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/own").body == b"content"
            assert client.exchange("GET", "/own", ("if-none-match", '"o"')).status == 304

    def test_no_cache_is_validated_each_time(self, site):
        site.pages["/no-cache"] = validated("n", '"n"', "Cache-Control: no-cache")
        for _ in range(3):
            assert site.get("/no-cache").text == "n"
        assert site.pages.counts["/no-cache"] == 3 and site.origin.last.value("if-none-match") == '"n"'

    def test_a_304_for_something_else_is_not_believed(self, site):
        site.pages["/lie"] = validated("l", '"l"', *STALE)
        site.get("/lie")
        site.pages["/lie"] = lambda exchange: exchange.respond(304, b"", 'ETag: "x"', FRESH)
        assert site.get("/lie").status == 502
        site.pages["/lie"] = validated("again", '"x"', FRESH)
        assert site.get("/lie").text == "again"

    def test_with_nginx_as_the_origin(self, scenario):
        nginx = scenario.nginx("location /files/ { expires 1s; add_header Cache-Control public; }")
        folder = nginx.folder / "files"
        folder.mkdir()
        (folder / "a.txt").write_text("first")
        gateway = scenario.gateway([service("app", nginx)], [route("all", "app", plugins={"cache": {}})])
        assert result(gateway.get("/files/a.txt")) == "uri-miss"
        # It is fresh for a second.
        answer = wait_until(
            lambda: (answer := gateway.get("/files/a.txt")) and "fwd-status=304" in answer.value("cache-status") and answer,
            "it was validated")
        assert answer.text == "first" and answer.status == 200
        (folder / "a.txt").write_text("second!")
        wait_until(lambda: gateway.get("/files/a.txt").text == "second!", "the new one is there")
        whole = gateway.get("/files/a.txt", "Range: bytes=0-2")
        assert whole.status == 206 and whole.text == "sec"

    def test_connections_to_the_endpoint_are_kept(self, scenario):
        site = Site(scenario)
        site.pages["/kept"] = validated("k", '"k"', *STALE)
        for _ in range(5):
            assert site.get("/kept").text == "k"
        assert site.origin.connection_count == 1


class TestRequests:
    def test_what_clients_say(self, site):
        site.pages["/r"] = page("r", "Cache-Control: max-age=100", "Age: 40")
        site.get("/r")
        for field, expected in (
                ("Cache-Control: no-cache", "request"), ("Pragma: no-cache", "request"),
                ("Cache-Control: max-age=10", "request"), ("Cache-Control: max-age=90", "hit"),
                ("Cache-Control: min-fresh=30", "hit"), ("Cache-Control: only-if-cached", "hit"),
                ("Cache-Control: max-stale=5", "hit")):
            assert result(site.get("/r", field)) == expected, field

    def test_only_if_cached(self, site):
        answer = site.get("/never", "Cache-Control: only-if-cached")
        assert answer.status == 504 and site.pages.counts["/never"] == 0

    def test_max_stale(self, site):
        site.pages["/ms"] = page("ms", *STALE, 'ETag: "a"')
        site.get("/ms")
        answer = site.get("/ms", "Cache-Control: max-stale=100")
        assert result(answer) == "hit" and "ttl=-" in answer.value("cache-status") or "ttl=0" in answer.value("cache-status")
        assert result(site.get("/ms", "Cache-Control: max-stale=0, min-fresh=1")) == "stale"

    def test_no_store(self, site):
        site.pages["/ns"] = page("ns", FRESH)
        assert site.results("/ns", 2, "Cache-Control: no-store") == ["uri-miss", "uri-miss"]

    def test_they_may_have_no_say(self, scenario):
        site = Site(scenario, requestCacheControl=False)
        site.pages["/r"] = page("r", FRESH)
        site.get("/r")
        for field in ("Cache-Control: no-cache", "Pragma: no-cache", "Cache-Control: max-age=0"):
            assert result(site.get("/r", field)) == "hit"
        assert site.get("/other", "Cache-Control: only-if-cached").status == 404


class TestStale:
    @pytest.mark.parametrize("failure", ["500", "503", "nonsense", "down", "slow"])
    def test_when_the_service_fails(self, scenario, failure):
        pages = Pages(e=page("good", "Cache-Control: max-age=10, stale-if-error=600", "Age: 10"))
        origin = scenario.origin(pages.answer)
        gateway = scenario.gateway(
            [service("app", origin, timeouts={"response": "200ms"}, retries="off")],
            [route("all", "app", plugins={"cache": {}})])
        assert gateway.get("/e").text == "good"
        if failure == "down":
            origin.stop()
        elif failure == "nonsense":
            pages["/e"] = lambda exchange: (exchange.read_body(), exchange.send(b"nonsense\r\n\r\n"), exchange.close())
        elif failure == "slow":
            pages["/e"] = lambda exchange: (time.sleep(1), exchange.close())
        else:
            pages["/e"] = page("bad", status=int(failure))
        for _ in range(3):
            answer = gateway.get("/e")
            assert answer.status == 200 and answer.text == "good", answer.first_line
            assert "detail=failed" in answer.value("cache-status") and int(answer.value("age")) >= 10
        with gateway.http2() as client:
            assert client.exchange("GET", "/e").body == b"good"
        assert gateway.metrics().sum("penstock_cache_requests_total", result="stale") == 4
        # Others are told of the failure.
        assert gateway.get("/e?other").status != 200

    def test_not_where_it_is_forbidden_or_too_old(self, scenario):
        site = Site(scenario, staleIfError="10m")
        for number, field in enumerate(("must-revalidate", "s-maxage=10", "stale-if-error=0", "no-cache")):
            site.pages[f"/{number}"] = page("good", f"Cache-Control: max-age=10, {field}", "Age: 10", 'ETag: "a"')
            site.get(f"/{number}")
            site.pages[f"/{number}"] = page("bad", status=503)
            assert site.get(f"/{number}").status == 503, field
        site.pages["/default"] = page("good", "Cache-Control: max-age=10", "Age: 10")
        site.get("/default")
        site.pages["/default"] = page("bad", status=503)
        assert site.get("/default").text == "good"


class TestStreams:
    def test_what_has_its_length_is_whole_before_its_stream_ends(self, scenario):
        gone = threading.Event()

        def endless(exchange):
            exchange.read_body()
            exchange.head(200, ("cache-control", "max-age=600"), ("content-length", "5"))
            exchange.data(b"whole")
            gone.wait(20)

        origin = scenario.http2_origin(endless)
        gateway = scenario.gateway([service("app", origin, protocol="h2")], [route("all", "app", plugins={"cache": {}})])
        with gateway.client() as client:
            client.request("GET", "/")
            assert client.response().body == b"whole"
            client.reset()
        gone.set()
        assert gateway.get("/", "Cache-Control: only-if-cached").body == b"whole"
