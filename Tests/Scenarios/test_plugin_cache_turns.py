"""cache: of requests for the same, one fetches and the others wait."""

import re
import threading
import time

from support.cache_site import FRESH, LARGE, Crowd, Site
from support.pages import page
from support.waiting import wait_until


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
        # RFC 9211 section 2.6: who has waited was to be forwarded, and is no hit; who came later is one.
        collapsed = [kind for kind in kinds if "collapsed" in kind]
        assert collapsed and all(re.fullmatch(r"penstock; fwd=uri-miss; ttl=\d+; collapsed", kind) for kind in collapsed)
        assert sum(re.fullmatch(r"penstock; fwd=uri-miss; stored", kind) is not None for kind in kinds) == 1
        assert len(collapsed) + sum(kind.startswith("penstock; hit; ttl=") for kind in kinds) == 29

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
        wait_until(lambda: site.gateway.metrics().sum("penstock_connections_active") >= 12, "all are there")
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
        wait_until(lambda: site.gateway.metrics().sum("penstock_connections_active") >= 8, "all are there")
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
