"""cache: how stored responses are validated, shared by requests that wait, and used when stale."""

import threading
import time

import pytest

from support.cache_site import FRESH, LARGE, Crowd, Site, result
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

    def test_when_the_first_fails_they_take_turns(self, scenario):
        """Never two at the origin at once, until one has brought something."""
        site = Site(scenario, workers=2, lockTimeout="30s")
        lock, release = threading.Lock(), threading.Event()
        present, most, failures = [0], [0], [3]

        def failing(exchange):
            with lock:
                present[0] += 1
                most[0] = max(most[0], present[0])
            release.wait(20)
            exchange.read_body()
            time.sleep(0.05)
            with lock:
                present[0] -= 1
                failures[0] -= 1
                fails = failures[0] >= 0
            if fails:
                exchange.respond(503, b"not now")
            else:
                exchange.respond(200, b"good", FRESH)

        site.pages["/f"] = failing
        crowd = Crowd(site, "/f", 12)
        site.origin.wait_for_requests(1)
        wait_until(lambda: site.gateway.metrics().sum("penstock_requests_in_flight") >= 12, "all are there")
        release.set()
        answers = crowd.wait()
        assert sorted(answer.status for answer in answers) == [200] * 9 + [503] * 3
        assert site.pages.counts["/f"] == 4 and most[0] == 1
        kinds = [answer.value("cache-status") for answer in answers]
        assert sum("collapsed=?0" in kind for kind in kinds) == 3

    def test_variants_do_not_wait_for_each_other(self, scenario):
        """All of them are at the origin at once: none of them could answer otherwise."""
        site = Site(scenario, workers=2, lockTimeout="30s")
        barrier = threading.Barrier(6)

        def together(exchange):
            barrier.wait(20)
            exchange.respond(200, exchange.request.value("x-kind"), FRESH, "Vary: X-Kind")

        site.pages["/v"] = page("first", FRESH, "Vary: X-Kind")
        site.get("/v", "X-Kind: first")
        site.pages["/v"] = together
        crowds = [Crowd(site, "/v", 1, f"X-Kind: {number}") for number in range(6)]
        assert sorted(crowd.wait()[0].text for crowd in crowds) == [str(number) for number in range(6)]

    def test_what_is_stale_answers_all_who_waited_when_the_service_fails(self, scenario):
        site = Site(scenario, workers=2, lockTimeout="30s")
        site.pages["/e"] = page("good", "Cache-Control: max-age=10, stale-if-error=600", "Age: 10")
        site.get("/e")
        release = threading.Event()

        def failing(exchange):
            release.wait(20)
            exchange.respond(503, b"bad")

        site.pages["/e"] = failing
        crowd = Crowd(site, "/e", 8)
        site.origin.wait_for_requests(2)
        wait_until(lambda: site.gateway.metrics().sum("penstock_requests_in_flight") >= 8, "all are there")
        release.set()
        assert [answer.text for answer in crowd.wait()] == ["good"] * 8
        assert site.pages.counts["/e"] == 2

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


OLD = "Cache-Control: max-age=10, stale-while-revalidate=600"


class TestRefresh:
    """Within stale-while-revalidate all get the stale one at once, and the gateway fetches it anew."""

    def stale(self, site, path, answer):
        site.pages[path] = answer
        assert result(site.get(path)) == "uri-miss"

    def test_nobody_waits_and_one_request_is_sent(self, scenario):
        site = Site(scenario, workers=2)
        self.stale(site, "/s", page("old", OLD, "Age: 10"))
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
        self.stale(site, "/r?a=b", page("old", OLD, "Age: 10"))
        site.pages["/r"] = page("new", FRESH, "Vary: X-Own")
        fields = ["X-Own: 1", "Range: bytes=0-1", 'If-None-Match: "x"', "Cookie: a=b", "X-Kind: k"]
        assert site.get("/r?a=b", "X-Kind: k", "X-Own: 1").text == "new"
        site.pages["/r"] = page("old", OLD, "Age: 10", "Vary: X-Own")
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

    def test_it_is_conditional_and_304_makes_it_fresh(self, scenario):
        site = Site(scenario, workers=2)
        self.stale(site, "/v", validated("content", '"1"', OLD, "Age: 10"))
        site.pages["/v"] = validated("other", '"1"', FRESH, "X-N: 2")
        assert site.get("/v").text == "content"
        answer = wait_until(
            lambda: "ttl=-" not in (answer := site.get("/v")).value("cache-status") and answer, "it is fresh")
        assert answer.text == "content" and answer.value("x-n") == "2"
        assert site.origin.last.value("if-none-match") == '"1"' and site.pages.counts["/v"] == 2

    @pytest.mark.parametrize("failure", ["503", "nonsense", "down"])
    def test_what_is_stale_stays_when_it_fails(self, scenario, failure):
        site = Site(scenario)
        self.stale(site, "/e", page("old", OLD, "Age: 10"))
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
        self.stale(site, "/p", page("old", OLD, "Age: 10"))
        site.pages["/p"] = page("mine", "Cache-Control: private")
        assert site.get("/p").text == "old"
        wait_until(lambda: site.get("/p").text == "mine", "the old one has gone")

    def test_what_is_purged_meanwhile_does_not_come_back(self, scenario):
        site = Site(scenario, purgeMethod=True)
        self.stale(site, "/p", page("old", OLD, "Age: 10"))
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
        self.stale(site, "/w", page("old", OLD, "Age: 10"))
        site.pages["/w"] = page("new", FRESH)
        assert site.get("/w").text == "new"
        assert site.gateway.metrics().sum("penstock_side_requests_total", plugin="cache") == 0

    def test_from_an_endpoint_of_http2(self, scenario):
        contents = [(b"old", ("cache-control", "max-age=10, stale-while-revalidate=600"), ("age", "10")),
                    (b"new", ("cache-control", "max-age=600"))]
        origin = scenario.http2_origin(lambda exchange: exchange.respond(200, *contents.pop(0)))
        gateway = scenario.gateway([service("app", origin, protocol="h2")], [route("all", "app", plugins={"cache": {}})])
        assert [gateway.get("/h").text for _ in range(2)] == ["old", "old"]
        wait_until(lambda: gateway.get("/h").text == "new", "the new one is there")


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
