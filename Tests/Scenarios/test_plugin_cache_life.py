"""cache: how stored responses are validated, shared by requests that wait, used when stale, and taken out."""

import threading
import time

import pytest

from support.admin_api import AdminAPI
from support.gateway import route, service
from support.pages import Pages, page, validated
from support.waiting import wait_until
from test_plugin_cache import FRESH, LARGE, Site, result

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


class Crowd:
    """Many clients at once, each on a connection of its own."""

    def __init__(self, site, path, count, *fields):
        self.answers = []
        self.threads = [threading.Thread(target=self._ask, args=(site, path, fields)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self, site, path, fields):
        self.answers.append(site.get(path, *fields))

    def wait(self):
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads)
        return self.answers


class TestLock:
    def test_one_request_fetches_for_all(self, scenario):
        release = threading.Event()
        site = Site(scenario, workers=2, lockTimeout="30s")

        def slow(exchange):
            release.wait(20)
            exchange.respond(200, LARGE, FRESH)

        site.pages["/slow"] = slow
        crowd = Crowd(site, "/slow", 30)
        site.origin.wait_for_requests(1)
        site.pages["/other"] = page("other", FRESH)
        assert site.get("/other").text == "other"
        wait_until(lambda: site.gateway.metrics().sum("penstock_client_requests_total") >= 1, "the gateway turns")
        release.set()
        answers = crowd.wait()
        assert len(answers) == 30 and all(answer.body == LARGE for answer in answers)
        assert site.pages.counts["/slow"] == 1
        kinds = [answer.value("cache-status") for answer in answers]
        assert sum("uri-miss" in kind for kind in kinds) == 1 and sum("collapsed" in kind for kind in kinds) > 0

    def test_by_http2_on_one_connection(self, scenario):
        release = threading.Event()
        site = Site(scenario, lockTimeout="30s")

        def slow(exchange):
            release.wait(20)
            exchange.respond(200, b"two", FRESH)

        site.pages["/slow"] = slow
        with site.gateway.http2() as client:
            streams = [client.request("GET", "/slow") for _ in range(20)]
            site.origin.wait_for_requests(1)
            release.set()
            assert all(client.response(stream).body == b"two" for stream in streams)
        assert site.pages.counts["/slow"] == 1

    def test_what_is_not_to_be_stored_does_not_queue(self, scenario):
        """All of them are at the origin at once: none of them could answer otherwise."""
        site = Site(scenario, workers=2, lockTimeout="30s")
        barrier = threading.Barrier(10)

        def together(exchange):
            barrier.wait(20)
            exchange.respond(200, b"x", "Cache-Control: no-store")

        site.pages["/p"] = page("first", "Cache-Control: no-store")
        site.get("/p")
        site.pages["/p"] = together
        assert len(Crowd(site, "/p", 10).wait()) == 10

    def test_others_go_on_when_the_first_fails(self, scenario):
        begun = threading.Event()
        release = threading.Event()
        site = Site(scenario, workers=2, lockTimeout="30s")

        def failing(exchange):
            if begun.is_set():
                return exchange.respond(200, b"good", FRESH)
            begun.set()
            release.wait(20)
            exchange.read_body()
            exchange.send(b"nonsense\r\n\r\n")
            exchange.close()

        site.pages["/f"] = failing
        crowd = Crowd(site, "/f", 6)
        assert begun.wait(10)
        release.set()
        statuses = sorted(answer.status for answer in crowd.wait())
        assert statuses == [200] * 5 + [502]

    def test_others_go_on_when_the_first_client_leaves(self, scenario):
        begun = threading.Event()
        site = Site(scenario, workers=2, lockTimeout="30s")

        def never(exchange):
            begun.set()
            time.sleep(3)
            exchange.close()

        site.pages["/l"] = never
        with site.gateway.client() as client:
            client.request("GET", "/l")
            assert begun.wait(10)
            site.pages["/l"] = page("good", FRESH)
            crowd = Crowd(site, "/l", 4)
            wait_until(lambda: len(site.origin.requests) >= 1, "others wait")
            client.reset()
            assert [answer.text for answer in crowd.wait()] == ["good"] * 4

    def test_the_wait_has_an_end(self, scenario):
        release = threading.Event()
        begun = threading.Event()
        site = Site(scenario, lockTimeout="50ms")

        def first_hangs(exchange):
            if not begun.is_set():
                begun.set()
                release.wait(20)
            exchange.respond(200, b"x", FRESH)

        site.pages["/w"] = first_hangs
        with site.gateway.client() as client:
            client.request("GET", "/w")
            assert begun.wait(10)
            assert site.get("/w").text == "x"
            release.set()
            assert client.response().text == "x"

    def test_without_it_all_go(self, scenario):
        site = Site(scenario, lock=False)
        barrier = threading.Barrier(5)

        def together(exchange):
            barrier.wait(20)
            exchange.respond(200, b"x", FRESH)

        site.pages["/p"] = together
        assert len(Crowd(site, "/p", 5).wait()) == 5


class TestStale:
    def test_while_one_fetches_it_anew_others_get_it_stale(self, scenario):
        site = Site(scenario, workers=2)
        site.pages["/s"] = page("old", "Cache-Control: max-age=10, stale-while-revalidate=600", "Age: 10")
        site.get("/s")
        begun, release = threading.Event(), threading.Event()

        def slow(exchange):
            begun.set()
            release.wait(20)
            exchange.respond(200, b"new", FRESH)

        site.pages["/s"] = slow
        crowd = Crowd(site, "/s", 1)
        assert begun.wait(10)
        for _ in range(10):
            answer = site.get("/s")
            assert answer.text == "old" and result(answer) == "hit"
        release.set()
        assert [answer.text for answer in crowd.wait()] == ["new"]
        assert site.get("/s").text == "new" and site.pages.counts["/s"] == 2
        assert site.gateway.metrics().sum("penstock_cache_requests_total", result="updating") == 10

    @pytest.mark.parametrize("failure", ["500", "503", "nonsense", "down", "slow"])
    def test_when_the_service_fails(self, scenario, failure):
        pages = Pages(e=page("good", "Cache-Control: max-age=10, stale-if-error=600", "Age: 10"))
        origin = scenario.origin(pages.answer)
        gateway = scenario.gateway(
            [service("app", origin, timeouts={"response": "200ms"}, retries={"attempts": 0})],
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


class TestInvalidation:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "REPORT"])
    def test_a_change_takes_it_out(self, site, method):
        site.pages["/i"] = page("x", FRESH)
        site.get("/i")
        assert result(site.get("/i")) == "hit"
        with site.gateway.client() as client:
            assert client.exchange(method, "/i", body=b"change").status == 200
        assert all(result(site.get("/i")) in ("uri-miss", "hit") for _ in range(1))
        assert site.pages.counts["/i"] % 3 == 0

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
        gateway.configuration["routes"][1]["labels"] = {}
        del gateway.configuration["routes"][1]["labels"]
        gateway.save()
        gateway.hang_up()
        wait_until(lambda: gateway.metrics().sum("penstock_config_reloads_total", result="success") >= 1, "a reload")
        assert result(gateway.get("/a", host="two.test")) == "hit"
        assert result(gateway.get("/a", host="one.test")) == "uri-miss"
