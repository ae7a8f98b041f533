"""rate-limit and limit-concurrency: what they count by, what they answer, and that workers count together."""

import threading
import time

import pytest

from support.gateway import route, service
from support.waiting import wait_until


def limited(name, *limits, **options):
    return route(name, "app", hosts=[f"{name}.test"], plugins={"rate-limit": {"limits": list(limits), **options}})


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway(
        [service("app", origin)],
        [limited("address", {"requests": 3, "per": "1h"}),
         limited("header", {"requests": 2, "per": "1h", "by": ["header:X-User"]}),
         limited("pair", {"requests": 1, "per": "1h", "by": ["header:X-User", "query:q", "path"]}),
         limited("two", {"requests": 5, "per": "1h"}, {"requests": 2, "per": "1h", "by": ["cookie:session"]}),
         limited("path", {"requests": 100, "per": "1h"},
                 paths=[{"prefix": "/login", "limits": [{"requests": 1, "per": "1h"}]},
                        {"prefix": "/login/free", "limits": [{"requests": 50, "per": "1h"}]}]),
         limited("burst", {"requests": 3600, "per": "1h", "burst": 2}),
         limited("quiet", {"requests": 1, "per": "1h"}, fields=[], status=503, message="Later, please."),
         limited("http2", {"requests": 10, "per": "1m"}),
         limited("fields", {"requests": 10, "per": "1m"}, fields=["standard", "x-ratelimit"])],
        workers=2)


def statuses(gateway, host, count, *fields, target="/", source=""):
    """Each request on a connection of its own, so that both workers see some."""
    found = []
    for _ in range(count):
        with gateway.client(source=source) as client:
            found.append(client.exchange("GET", target, *fields, host=f"{host}.test").status)
    return found


class TestKeys:
    def test_each_address_has_its_own(self, gateway):
        assert statuses(gateway, "address", 5) == [200, 200, 200, 429, 429]
        assert statuses(gateway, "address", 4, source="127.0.0.9") == [200, 200, 200, 429]

    def test_each_value_of_a_field(self, gateway):
        assert statuses(gateway, "header", 3, "X-User: a") == [200, 200, 429]
        assert statuses(gateway, "header", 3, "X-User: b") == [200, 200, 429]
        assert statuses(gateway, "header", 3) == [200, 200, 429]

    def test_a_combination_is_one_key(self, gateway):
        assert statuses(gateway, "pair", 2, "X-User: a", target="/?q=1") == [200, 429]
        assert statuses(gateway, "pair", 2, "X-User: a", target="/?q=2") == [200, 429]
        assert statuses(gateway, "pair", 2, "X-User: a", target="/b?q=1") == [200, 429]

    def test_several_limits_all_hold(self, gateway):
        assert statuses(gateway, "two", 3, "Cookie: session=1") == [200, 200, 429]
        assert statuses(gateway, "two", 3, "Cookie: session=2") == [200, 200, 429]

    def test_the_longest_path_counts(self, gateway):
        assert statuses(gateway, "path", 2, target="/login") == [200, 429]
        assert statuses(gateway, "path", 2, target="/login/x") == [429, 429]
        assert statuses(gateway, "path", 3, target="/login/free") == [200] * 3
        assert statuses(gateway, "path", 3, target="/loginx") == [200] * 3

    def test_a_burst(self, gateway):
        assert statuses(gateway, "burst", 2) == [200, 200]
        answer = gateway.get(host="burst.test")
        assert answer.status == 429 and answer.value("retry-after") == "1"
        wait_until(lambda: gateway.get(host="burst.test").status == 200, "another second's worth has come")


class TestAnswers:
    def test_fields_of_both_forms(self, gateway):
        answers = [gateway.get(host="fields.test") for _ in range(11)]
        assert [answer.status for answer in answers] == [200] * 10 + [429]
        first, last = answers[0], answers[-1]
        assert first.value("ratelimit-policy") == '"default";q=10;w=60'
        assert first.value("ratelimit").startswith('"default";r=9;t=')
        assert first.value("x-ratelimit-limit") == "10" and first.value("x-ratelimit-remaining") == "9"
        assert last.value("ratelimit").startswith('"default";r=0;t=')
        assert last.value("x-ratelimit-remaining") == "0"
        assert 1 <= int(last.value("retry-after")) <= 6
        assert last.value("x-ratelimit-reset") == last.value("retry-after")

    def test_status_and_message_of_ones_own(self, gateway):
        assert gateway.get(host="quiet.test").status == 200
        answer = gateway.get(host="quiet.test")
        assert answer.status == 503 and answer.text == "Later, please.\n"
        assert not answer.has("ratelimit") and not answer.has("x-ratelimit-limit")

    def test_by_http2(self, gateway):
        with gateway.http2(authority="http2.test") as client:
            answers = [client.exchange() for _ in range(11)]
        assert [answer.status for answer in answers] == [200] * 10 + [429]
        assert answers[0].value("ratelimit").startswith('"default";r=9;t=')


class TestWorkersTogether:
    def test_many_at_once_pass_exactly_as_often_as_the_limit_says(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], [limited("exact", {"requests": 200, "per": "24h"})],
                                   workers=2)
        passed = []

        def ask():
            with gateway.client() as client:
                for _ in range(100):
                    passed.append(client.exchange("GET", "/", host="exact.test").status == 200)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(passed) == 800
        # What a worker has taken and not used yet is at most an eighth of the burst for all workers together.
        assert 175 <= sum(passed) <= 200


class TestConcurrency:
    def test_as_many_as_the_limit_at_a_time(self, scenario):
        release = threading.Event()
        begun = threading.Semaphore(0)

        def slow(exchange):
            begun.release()
            release.wait(20)
            exchange.respond(200)

        gateway = scenario.gateway(
            [service("app", scenario.origin(slow))],
            [route("all", "app", plugins={"limit-concurrency": {"requests": 2, "by": ["route"]}})], workers=2)
        results = []
        threads = [threading.Thread(target=lambda: results.append(gateway.get().status)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert begun.acquire(timeout=10)
        answer = gateway.get()
        assert answer.status == 503 and answer.value("retry-after") == "1"
        release.set()
        for thread in threads:
            thread.join()
        assert results == [200, 200]
        assert [gateway.get().status for _ in range(4)] == [200] * 4

    def test_who_leaves_makes_room(self, scenario):
        def never(exchange):
            time.sleep(1)
            exchange.respond(200)

        gateway = scenario.gateway(
            [service("app", scenario.origin(never))],
            [route("all", "app", plugins={"limit-concurrency": {"requests": 1}})])
        with gateway.client() as client:
            client.request("GET", "/")
            wait_until(lambda: gateway.get().status == 503, "the first is in flight")
        wait_until(lambda: gateway.get().status == 200, "there is room again")
