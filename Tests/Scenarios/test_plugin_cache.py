"""cache: what is a hit, and what is stored."""

import json
import re
from email.utils import formatdate

import pytest

from support.cache_site import FRESH, LARGE, Site, result
from support.gateway import route, service
from support.http import ConnectionEnded
from support.pages import Pages, page, validated
from support.waiting import wait_until


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
        # A client that has all bytes may leave before the stream has ended, and then nothing is stored.
        with gateway.client() as client:
            for _ in range(3):
                assert client.exchange("GET", "/a").body == LARGE
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
