"""cache: what is a hit, what is stored, and what it is told apart by."""

import json
import re
from email.utils import formatdate

import pytest

from support.gateway import route, service
from support.http import ConnectionEnded
from support.pages import Pages, page, validated
from support.plugin_options import check
from support.waiting import wait_until

FRESH = "Cache-Control: max-age=600"
LARGE = bytes(range(256)) * 4096  # 1 MiB


class Site:
    """A gateway with a cache of its own in front of pages."""

    count = 0

    def __init__(self, start, workers=1, more=None, routes=None, settings=None, log=None, http=None, **options):
        Site.count += 1
        self.pages = Pages()
        self.origin = start.origin(self.pages.answer)
        plugins = {"cache": options, **(more or {})}
        self.gateway = start.gateway(
            [service("app", self.origin)], routes or [route("all", "app", plugins=plugins)], workers=workers,
            settings=settings, access_log=log, http=http)

    def get(self, path, *fields, **options):
        return self.gateway.get(path, *fields, **options)

    def results(self, path, count=2, *fields, **options):
        """What the cache had, each time on a connection of its own."""
        return [result(self.get(path, *fields, **options)) for _ in range(count)]


def result(answer):
    """`hit`, or why it was forwarded."""
    status = answer.value("cache-status")
    assert status.startswith("penstock; "), status
    return re.match(r"penstock; (?:fwd=)?([a-z-]+)", status)[1]


@pytest.fixture(scope="module")
def site(shared):
    return Site(shared, workers=2)


class TestHits:
    def test_what_one_worker_has_stored_is_a_hit_on_both(self, site):
        site.pages["/fresh"] = page("fresh!", FRESH, "X-Own: 1", "Server: theirs", 'ETag: "a"')
        first = site.get("/fresh")
        assert result(first) == "uri-miss" and first.value("cache-status").endswith("; stored") and first.text == "fresh!"
        assert not first.has("age")
        for answer in [site.get("/fresh") for _ in range(20)]:
            assert answer.status == 200 and answer.text == "fresh!" and result(answer) == "hit"
            assert answer.value("x-own") == "1" and answer.value("server") == "theirs"
            assert answer.value("date") == first.value("date") and answer.value("etag") == '"a"'
            assert 0 <= int(answer.value("age")) < 60
            assert re.fullmatch(r"penstock; hit; ttl=\d+", answer.value("cache-status"))
        assert site.pages.counts["/fresh"] == 1

    def test_on_one_connection_also_when_requests_are_sent_ahead(self, site):
        site.pages["/pipeline"] = page("ahead", FRESH)
        with site.gateway.client() as client:
            client.exchange("GET", "/pipeline")
            for _ in range(200):
                client.request("GET", "/pipeline")
            assert all(client.response().text == "ahead" for _ in range(200))
        assert site.pages.counts["/pipeline"] == 1

    def test_by_http2(self, site):
        site.pages["/two"] = page("two!", FRESH, "X-Own: 1")
        with site.gateway.http2() as client:
            first = client.exchange("GET", "/two")
            assert result(first) == "uri-miss" and first.body == b"two!"
            again = [client.exchange("GET", "/two") for _ in range(3)]
        for answer in again:
            assert answer.status == 200 and answer.body == b"two!" and result(answer) == "hit"
            assert answer.value("x-own") == "1" and answer.value("content-length") == "4" and answer.has("age")
        assert site.get("/two").text == "two!" and site.pages.counts["/two"] == 1

    def test_head_is_answered_from_a_get(self, site):
        site.pages["/head"] = page("content", FRESH)
        with site.gateway.client() as client:
            assert result(client.exchange("HEAD", "/head")) == "uri-miss"
            assert result(client.exchange("GET", "/head")) == "uri-miss"
            answer = client.exchange("HEAD", "/head")
            assert result(answer) == "hit" and answer.value("content-length") == "7" and answer.body == b""
            assert client.exchange("GET", "/head").text == "content"
        with site.gateway.http2() as client:
            answer = client.exchange("HEAD", "/head")
            assert result(answer) == "hit" and answer.value("content-length") == "7" and answer.body == b""

    @pytest.mark.parametrize("size", [4_095, 4_096, 4_097, 70_000, len(LARGE)])
    def test_of_every_size_by_both_protocols(self, site, size):
        site.pages[f"/size{size}"] = page(LARGE[:size], FRESH)
        for _ in range(3):
            assert site.get(f"/size{size}").body == LARGE[:size]
        with site.gateway.http2() as client:
            streams = [client.request("GET", f"/size{size}") for _ in range(5)]
            assert all(client.response(stream).body == LARGE[:size] for stream in streams)
        assert site.pages.counts[f"/size{size}"] == 1

    def test_with_tls(self, scenario):
        authority = scenario.authority()
        leaf = authority.issue("example.test")
        pages = Pages(large=page(LARGE, FRESH, "Strict-Transport-Security: max-age=1"))
        gateway = scenario.gateway(
            [service("app", scenario.origin(pages.answer))], [route("all", "app", plugins={"cache": {}})],
            certificates=[{"name": "one", "certificate": str(leaf.chain), "key": str(leaf.key)}], tls={},
            listener={"hsts": {"maxAge": "100s"}})
        for _ in range(3):
            with gateway.tls_client() as client:
                answer = client.exchange("GET", "/large")
                assert answer.body == LARGE and answer.value("strict-transport-security").startswith("max-age=100")
        assert pages.counts["/large"] == 1

    def test_a_client_that_reads_slowly_gets_all_of_it(self, site):
        site.pages["/slow"] = page(LARGE, FRESH)
        site.get("/slow")
        with site.gateway.client(receive_buffer=4_096) as client:
            client.request("GET", "/slow")
            # Others are not held up meanwhile.
            assert all(site.get("/slow").body == LARGE for _ in range(4))
            assert client.response().body == LARGE
        assert site.pages.counts["/slow"] == 1

    def test_a_client_that_goes_away_in_the_middle_of_a_hit_hurts_nobody(self, site):
        site.pages["/leaves"] = page(LARGE, FRESH)
        site.get("/leaves")
        for _ in range(5):
            with site.gateway.client(receive_buffer=4_096) as client:
                client.request("GET", "/leaves")
                client.read_response_head()
                client.reset()
        assert site.get("/leaves").body == LARGE

    def test_redirects_and_errors_that_say_so(self, site):
        site.pages["/moved"] = page("", FRESH, "Location: /there", status=301)
        site.pages["/gone"] = page("gone", FRESH, status=410)
        for path, status in (("/moved", 301), ("/gone", 410)):
            assert site.results(path) == ["uri-miss", "hit"] and site.get(path).status == status
        assert site.get("/moved").value("location") == "/there"

    def test_what_other_plugins_change_is_changed_for_each_client(self, scenario):
        site = Site(scenario, more={
            "headers": {"response": {"set": {"X-Who": "$arg_who"}, "remove": ["X-Own"]}},
            "cors": {"origins": ["https://a.test", "https://b.test"]}}, varyQueryParams=[])
        site.pages["/page"] = page("x", FRESH, "X-Own: 1")
        first = site.get("/page?who=a", "Origin: https://a.test")
        second = site.get("/page?who=b", "Origin: https://b.test")
        assert [first.value("x-who"), second.value("x-who")] == ["a", "b"] and result(second) == "hit"
        assert not first.has("x-own") and not second.has("x-own")
        assert second.value("access-control-allow-origin") == "https://b.test"

    def test_metrics_and_log(self, scenario):
        site = Site(scenario, log={"format": "json", "path": "access.log"}, fields=["cache-status", "x-cache-status"])
        site.pages["/a"] = page("x", FRESH)
        answers = [site.get("/a"), site.get("/a"), site.get("/a")]
        assert [answer.value("x-cache-status") for answer in answers] == ["MISS", "HIT", "HIT"]
        metrics = site.gateway.metrics()
        assert metrics.sum("penstock_cache_requests_total", result="hit") == 2
        assert metrics.sum("penstock_cache_requests_total", result="miss") == 1
        assert metrics.sum("penstock_cache_entries") == 1 and metrics.sum("penstock_cache_bytes") > 0
        assert metrics.sum("penstock_cache_bytes_max") == 64 << 20
        log = site.gateway.folder / "access.log"
        lines = wait_until(lambda: (text := log.read_text() if log.exists() else "").count("\n") >= 3 and text, "a log")
        assert [json.loads(line)["cache"] for line in lines.splitlines()] == ["miss", "hit", "hit"]

    def test_from_an_endpoint_with_http2(self, scenario):
        seen = []

        def answer(exchange):
            exchange.read_body()
            seen.append(exchange.pseudo[":path"])
            exchange.respond(200, LARGE, ("cache-control", "max-age=60"))

        gateway = scenario.gateway(
            [service("app", scenario.http2_origin(answer), protocol="h2")],
            [route("all", "app", plugins={"cache": {}})])
        for _ in range(3):
            assert gateway.get("/a").body == LARGE
        with gateway.http2() as client:
            assert client.exchange("GET", "/a").body == LARGE
        assert seen == ["/a"]


class TestContent:
    def test_chunks_are_stored_without_their_framing(self, site):
        def chunked(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(100):
                exchange.send_chunk(b"0123456789" * 100)
            exchange.send(b"0\r\nX-Trailer: 1\r\n\r\n")

        site.pages["/chunked"] = chunked
        for _ in range(3):
            assert site.get("/chunked").body == b"0123456789" * 10_000
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/chunked").body == b"0123456789" * 10_000
        assert site.get("/chunked").value("content-length") == "100000"
        assert site.pages.counts["/chunked"] == 1

    def test_content_that_ends_with_the_connection(self, site):
        def until_close(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\n" + LARGE[:100_000])
            exchange.close()

        site.pages["/close"] = until_close
        for _ in range(3):
            assert site.get("/close").body == LARGE[:100_000]
        assert site.pages.counts["/close"] == 1

    @pytest.mark.parametrize("framing", ["length", "chunked", "broken"])
    def test_what_breaks_off_is_not_stored(self, site, framing):
        head = {"length": b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000,
                "chunked": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "broken": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"}[framing]

        def broken(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + head)
            exchange.close()

        path = f"/broken-{framing}"
        site.pages[path] = broken
        for _ in range(2):
            with site.gateway.client() as client:
                client.request("GET", path)
                try:
                    # Where nothing has been passed on, the gateway can say so.
                    assert client.response().status == 502
                except ConnectionEnded:
                    pass
        site.pages[path] = page("whole", FRESH)
        assert site.get(path).text == "whole" and result(site.get(path)) == "hit"

    def test_a_response_whose_client_leaves_is_not_stored_half(self, site):
        site.pages["/half"] = page(LARGE * 4, FRESH)
        with site.gateway.client(receive_buffer=4_096) as client:
            client.request("GET", "/half")
            client.read_response_head()
            client.reset()
        assert site.get("/half").body == LARGE * 4
        assert site.get("/half").body == LARGE * 4

    def test_what_is_too_large_passes_and_is_not_stored(self, scenario):
        site = Site(scenario, maxSize="64KiB")

        def chunked(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(100):
                exchange.send_chunk(b"x" * 1_000)
            exchange.send(b"0\r\n\r\n")

        site.pages["/large"] = page(b"x" * 65_537, FRESH)
        site.pages["/unknown"] = chunked
        site.pages["/fits"] = page(b"x" * 65_536, FRESH)
        for path, length in (("/large", 65_537), ("/unknown", 100_000)):
            for _ in range(2):
                answer = site.get(path)
                assert len(answer.body) == length and result(answer) == "uri-miss"
        assert not site.get("/large").value("cache-status").endswith("stored")
        assert site.results("/fits") == ["uri-miss", "hit"]

    def test_memory_has_a_bound_and_what_is_used_stays(self, scenario):
        site = Site(scenario, workers=2, memory="1MiB", maxSize="64KiB")
        site.pages["/used"] = page("used", FRESH)
        site.get("/used")
        for number in range(200):
            site.pages[f"/n{number}"] = page(b"x" * 20_000, FRESH)
            assert len(site.get(f"/n{number}").body) == 20_000
            assert result(site.get("/used")) == "hit"
        metrics = site.gateway.metrics()
        assert metrics.sum("penstock_cache_bytes") <= 1 << 20
        assert metrics.sum("penstock_cache_evictions_total") >= 140
        assert metrics.sum("penstock_cache_entries") > 20


class TestRanges:
    @pytest.fixture(scope="class")
    def stored(self, site):
        site.pages["/range"] = page(LARGE, FRESH, 'ETag: "r"', "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
                                    "Content-Type: text/plain")
        assert site.get("/range").body == LARGE
        return site

    @pytest.mark.parametrize("value, first, last", [
        ("bytes=0-0", 0, 0), ("bytes=10-99", 10, 99), ("bytes=1048570-", 1_048_570, 1_048_575),
        ("bytes=-6", 1_048_570, 1_048_575), ("bytes=5-999999999999999999999999", 5, 1_048_575)])
    def test_one(self, stored, value, first, last):
        for answer in (stored.get("/range", f"Range: {value}"), self.by_http2(stored, value)):
            assert answer.status == 206 and answer.body == LARGE[first:last + 1]
            assert answer.value("content-range") == f"bytes {first}-{last}/1048576"
            assert answer.value("content-length") == str(last - first + 1)
            assert answer.value("content-type") == "text/plain" and result(answer) == "hit"

    @staticmethod
    def by_http2(site, value):
        with site.gateway.http2() as client:
            return client.exchange("GET", "/range", ("range", value))

    @pytest.mark.parametrize("value", ["bytes=1048576-", "bytes=-0"])
    def test_none(self, stored, value):
        answer = stored.get("/range", f"Range: {value}")
        assert answer.status == 416 and answer.value("content-range") == "bytes */1048576" and answer.body == b""

    @pytest.mark.parametrize("value", ["bytes=0-1,5-6", "lines=1-2", "bytes=5-4", "bytes=a-b"])
    def test_others_get_the_whole(self, stored, value):
        answer = stored.get("/range", f"Range: {value}")
        assert answer.status == 200 and answer.body == LARGE

    def test_if_range(self, stored):
        for value, status in (('"r"', 206), ('"other"', 200), ('W/"r"', 200),
                              ("Sun, 06 Nov 1994 08:49:37 GMT", 206), ("Sun, 06 Nov 1994 08:49:38 GMT", 200)):
            assert stored.get("/range", "Range: bytes=0-9", f"If-Range: {value}").status == status, value

    def test_of_what_is_not_stored_goes_to_the_endpoint(self, site):
        def part(exchange):
            assert exchange.request.value("range") == "bytes=0-1"
            exchange.respond(206, b"ab", FRESH, "Content-Range: bytes 0-1/26")

        site.pages["/part"] = part
        for _ in range(2):
            answer = site.get("/part", "Range: bytes=0-1")
            assert answer.status == 206 and result(answer) == "uri-miss"


class TestConditions:
    def test_who_has_it_is_told_so(self, site):
        site.pages["/etag"] = page("x" * 10_000, FRESH, 'ETag: W/"e"', "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
                                   "Content-Type: text/plain", "X-Own: 1")
        date = site.get("/etag").value("date")
        same = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"
        for fields in (['If-None-Match: "e"'], ['If-None-Match: "x", W/"e"'], ["If-None-Match: *"], [same],
                       ['If-None-Match: "e"', "If-Modified-Since: Sun, 06 Nov 1993 08:49:37 GMT"]):
            answer = site.get("/etag", *fields)
            assert answer.status == 304 and answer.body == b"" and result(answer) == "hit", fields
            assert answer.value("etag") == 'W/"e"' and answer.value("date") == date
            assert answer.value("cache-control") == "max-age=600" and not answer.has("content-type")
        for fields in (['If-None-Match: "x"'], ['If-None-Match: "x"', same],
                       ["If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT"], ["If-Modified-Since: yesterday"]):
            assert site.get("/etag", *fields).status == 200, fields
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/etag", ("if-none-match", '"e"')).status == 304
            assert client.exchange("HEAD", "/etag", ("if-none-match", '"e"')).status == 304

    def test_the_first_request_brings_a_whole_response_whatever_the_client_has(self, site):
        site.pages["/first"] = validated("whole", '"f"', FRESH)
        assert site.get("/first", 'If-None-Match: "f"').text == "whole"
        assert not site.origin.last.has("if-none-match")
        assert site.get("/first", 'If-None-Match: "f"').status == 304 and site.pages.counts["/first"] == 1

    @pytest.mark.parametrize("field", ['If-Match: "a"', "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"])
    def test_what_only_the_origin_can_say_is_asked_of_it(self, site, field):
        site.pages["/match"] = page("x", FRESH, 'ETag: "a"')
        site.get("/match")
        assert result(site.get("/match", field)) == "bypass" and site.origin.last.has(field.split(":")[0])


class TestStored:
    @pytest.mark.parametrize("fields", [
        [], ["Cache-Control: no-store, max-age=60"], ["Cache-Control: private, max-age=60"],
        ['Cache-Control: private="x-a", max-age=60'], ["Cache-Control: max-age=60", "Set-Cookie: a=b"],
        ["Cache-Control: max-age=60", "Vary: *"], ["Cache-Control: max-age=0"], ["Expires: 0"],
        ["Cache-Control: no-cache"], ["Cache-Control: max-age=60", "Age: 60"],
        ["Cache-Control: max-age=60", "Vary: X-Forwarded-For"], ['Cache-Control: max-age=60, x="'],
        ["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"]])
    def test_not_what_must_not_be(self, site, fields):
        site.pages["/not"] = page("x", *fields)
        answers = [site.get("/not") for _ in range(3)]
        assert [result(answer) for answer in answers] == ["uri-miss"] * 3
        assert not any(answer.value("cache-status").endswith("stored") for answer in answers)

    @pytest.mark.parametrize("number, fields", enumerate([
        ["Cache-Control: s-maxage=60, max-age=0"], [f"Expires: {formatdate(4_000_000_000, usegmt=True)}"],
        ["Cache-Control: public, max-age=\"60\""], ["Cache-Control: max-age=60", "Age: 50"]]))
    def test_what_says_for_how_long(self, site, number, fields):
        site.pages[f"/is{number}"] = page("x", *fields)
        assert site.results(f"/is{number}") == ["uri-miss", "hit"]
        assert int(site.get(f"/is{number}").value("age")) >= (50 if number == 3 else 0)

    def test_authorization_needs_permission(self, site):
        site.pages["/mine"] = page("mine", FRESH)
        assert site.results("/mine", 2, "Authorization: Basic YTpi") == ["uri-miss", "uri-miss"]
        site.pages["/ours"] = page("ours", "Cache-Control: public, max-age=60")
        assert site.results("/ours", 2, "Authorization: Basic YTpi") == ["uri-miss", "hit"]

    def test_ttl_for_what_says_nothing(self, scenario):
        site = Site(scenario, ttl="5m", setCookie=True, contentTypes=["text/plain"])
        site.pages["/plain"] = page("x", "Content-Type: text/plain; charset=utf-8", "Set-Cookie: a=b")
        site.pages["/html"] = page("x", "Content-Type: text/html")
        site.pages["/error"] = page("x", "Content-Type: text/plain", status=403)
        assert site.results("/plain") == ["uri-miss", "hit"] and site.get("/plain").value("set-cookie") == "a=b"
        assert site.results("/html") == site.results("/error") == ["uri-miss", "uri-miss"]

    def test_freshness_may_be_the_configurations(self, scenario):
        site = Site(scenario, ttl="5m", cacheControl=False)
        site.pages["/zero"] = page("x", "Cache-Control: max-age=0")
        site.pages["/private"] = page("x", "Cache-Control: private")
        assert site.results("/zero") == ["uri-miss", "hit"]
        assert site.results("/private") == ["uri-miss", "uri-miss"]

    def test_requests_with_content_and_others_that_pass(self, site):
        site.pages["/pass"] = page("x", FRESH)
        with site.gateway.client() as client:
            for _ in range(2):
                assert result(client.exchange("GET", "/pass", body=b"content")) == "bypass"
                assert result(client.exchange("POST", "/pass", body=b"content")) == "method"
                assert not client.exchange("OPTIONS", "/pass").has("cache-status")


class TestVary:
    def test_by_the_fields_of_the_request(self, site):
        def varies(exchange):
            value = exchange.request.value("accept-encoding") or "none"
            exchange.respond(200, value, FRESH, "Vary: Accept-Encoding, X-Other")

        site.pages["/vary"] = varies
        for value in ("gzip", "br", "gzip, br"):
            field = f"Accept-Encoding: {value}"
            assert [site.get("/vary", field).text for _ in range(4)] == [value] * 4
            assert result(site.get("/vary", field)) == "hit"
        assert site.get("/vary").text == "none" and result(site.get("/vary")) == "hit"
        assert result(site.get("/vary", "X-Other: 1")) == "vary-miss"
        assert site.pages.counts["/vary"] == 5
        with site.gateway.http2() as client:
            assert client.exchange("GET", "/vary", ("accept-encoding", "br")).body == b"br"
        assert site.pages.counts["/vary"] == 5

    def test_variants_are_bounded(self, site):
        site.pages["/many"] = lambda exchange: exchange.respond(
            200, exchange.request.value("x-n") or "", FRESH, "Vary: X-N")
        for number in range(100):
            assert site.get("/many", f"X-N: {number}").text == str(number)
        assert result(site.get("/many", "X-N: 99")) == "hit" and result(site.get("/many", "X-N: 1")) == "vary-miss"

    def test_by_what_plugins_have_made_of_the_request(self, scenario):
        site = Site(scenario, more={"headers": {"request": {"set": {"X-Who": "$arg_who"}}}}, varyQueryParams=[])
        site.pages["/who"] = lambda exchange: exchange.respond(
            200, exchange.request.value("x-who"), FRESH, "Vary: X-Who")
        for who in ("a", "b", "a", "b"):
            assert site.get(f"/who?who={who}", "X-Who: mallory").text == who
        assert site.pages.counts["/who"] == 2


class TestKeys:
    def test_host_port_path_and_query(self, site):
        site.pages["/key"] = lambda exchange: exchange.respond(
            200, exchange.request.value("host") + exchange.request.target, FRESH)
        for host in ("a.test", "b.test", "a.test:8080"):
            for target in ("/key", "/key?", "/key?a=1", "/key?a=2", "/key?a=1&b=2"):
                assert site.get(target, host=host).text == host + target
                assert result(site.get(target, host=host)) == "hit"
        assert result(site.get("/key", host="A.TEST")) == "hit"
        assert result(site.get("/key", host="a.test:80")) == "hit"

    def test_parameters_that_count(self, scenario):
        site = Site(scenario, ignoreQueryParams=["utm_*", "fbclid"], sortQuery=True, ignoreCase=True)
        site.pages["/list"] = site.pages["/LIST"] = page("x", FRESH)
        assert result(site.get("/list?b=2&a=1&utm_source=x")) == "uri-miss"
        for target in ("/list?a=1&b=2", "/list?utm_=&b=2&fbclid=7&a=1", "/LIST?a=1&&b=2"):
            assert result(site.get(target)) == "hit", target
        for target in ("/list?a=1", "/list?a=1&b=3", "/list?a=1&b=2&utm=1", "/list?a=1&a=1&b=2"):
            assert result(site.get(target)) == "uri-miss", target

    def test_fields_and_cookies(self, scenario):
        site = Site(scenario, varyHeaders=["X-Tenant"], varyCookies=["lang"])
        site.pages["/k"] = page("x", FRESH)
        kinds = [[], ["X-Tenant: a"], ["X-Tenant: b"], ["X-Tenant:"], ["Cookie: lang=de; x=1"], ["Cookie: lang=en"]]
        for fields in kinds:
            assert site.results("/k", 2, *fields) == ["uri-miss", "hit"], fields
        assert result(site.get("/k", "Cookie: x=7; lang=de")) == "hit"

    def test_consumers_have_their_own(self, scenario):
        consumers = [{"name": name, "credentials": {"key-auth": [{"key": f"{name}-secret-key-of-some-length"}]}}
                     for name in ("alice", "bob")]
        answers = {}
        for isolation in (True, False):
            site = Site(scenario, more={"key-auth": {}}, settings={"consumers": consumers}, consumerIsolation=isolation)
            site.pages["/me"] = lambda exchange: exchange.respond(
                200, exchange.request.value("x-consumer-username"), FRESH)
            answers[isolation] = [
                site.get("/me", f"apikey: {name}-secret-key-of-some-length").text for name in ("alice", "bob", "alice")]
        assert answers == {True: ["alice", "bob", "alice"], False: ["alice", "alice", "alice"]}

    def test_routes_of_the_same_url_do_not_mix(self, scenario):
        pages = Pages(a=lambda exchange: exchange.respond(200, exchange.request.value("x-beta") or "no", FRESH))
        gateway = scenario.gateway(
            [service("app", scenario.origin(pages.answer))],
            [route("stable", "app"), route("beta", "app", match={"headers": {"X-Beta": "yes"}})],
            settings={"plugins": [{"name": "cache"}]})
        for _ in range(2):
            assert gateway.get("/a").text == "no" and gateway.get("/a", "X-Beta: yes").text == "yes"
        assert pages.counts["/a"] == 2

    def test_what_a_proxy_in_front_says_of_the_scheme(self, scenario):
        site = Site(scenario, http={"forwarding": {"trusted": ["127.0.0.1"]}})
        site.pages["/s"] = lambda exchange: exchange.respond(200, exchange.request.value("x-forwarded-proto"), FRESH)
        for scheme in ("https", "http", "https", "http"):
            assert site.get("/s", f"X-Forwarded-Proto: {scheme}").text == scheme
        assert site.pages.counts["/s"] == 2

    def test_a_key_that_is_too_long_is_not_stored(self, site):
        site.pages["/long"] = page("x", FRESH)
        assert site.results("/long?" + "x" * 8_180) == ["bypass", "bypass"]

    def test_bypass(self, scenario):
        site = Site(scenario, bypass={"headers": {"X-No-Cache": ""}})
        site.pages["/b"] = page("x", FRESH)
        assert site.results("/b", 2, "X-No-Cache: 1") == ["bypass", "bypass"]
        assert site.results("/b") == ["uri-miss", "hit"]


class TestOptions:
    @pytest.mark.parametrize("options, message", [
        ({"ttl": "0s"}, "ttl"), ({"memory": "1KiB"}, "memory"), ({"maxSize": "32MiB"}, "quarter of the memory"),
        ({"memory": "2MiB"}, "quarter of the memory"), ({"cacheControl": False}, "nothing would be stored"),
        ({"contentTypes": ["text/html; charset=utf-8"]}, "parameters of types"), ({"fields": ["x-cache"]}, "fields"),
        ({"statuses": [100]}, "statuses"), ({"bypass": {}}, "says nothing of the request"),
        ({"zone": "x" * 65}, "longer than 64"), ({"lockTimeout": "2m"}, "lockTimeout"), ({"cacheTTL": 5}, "cacheTTL")])
    def test_what_is_wrong_is_said(self, tmp_path, options, message):
        assert message in check(tmp_path, "cache", options)

    def test_what_is_right_passes(self, tmp_path):
        assert check(tmp_path, "cache", {}) == ""
        assert check(tmp_path, "cache", {"ttl": "5m", "memory": "1GiB", "maxSize": "256MiB", "statuses": 200}) == ""
