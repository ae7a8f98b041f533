"""cache: what requests are told apart by, and its options."""

import pytest

from support.cache_site import FRESH, Site, result
from support.gateway import route, service
from support.pages import Pages, page
from support.plugin_options import check
from support.waiting import wait_until


@pytest.fixture(scope="module")
def site(shared):
    return Site(shared, workers=2)


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

    def test_what_was_stored_under_other_options_is_not_found(self, scenario):
        """The same values are told apart by their names, fields from cookies, and consumers from all."""
        site = Site(scenario, varyHeaders=["X-A"])
        site.pages["/n"] = page("n", FRESH)
        fields = ["X-A: 1", "X-B: 1", "Cookie: x-a=1"]
        assert site.results("/n", 2, *fields) == ["uri-miss", "hit"]
        for options in [{"varyHeaders": ["X-B"]}, {"varyCookies": ["x-a"]}, {"varyHeaders": ["X-A", "X-B"]}, {},
                        {"consumerIsolation": False}]:
            site.gateway.configuration["routes"][0]["plugins"] = {"cache": options}
            site.gateway.save()
            wait_until(lambda: site.get("/n", *fields).value("cache-status").find("uri-miss") >= 0, "nothing is found")
            assert site.results("/n", 1, *fields) == ["hit"], options
        assert site.pages.counts["/n"] == 6

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
            [route("stable", "app"), route("beta", "app", match=[{"path": "/", "headers": {"X-Beta": "yes"}}])],
            settings={"plugins": [{"name": "cache"}]})
        for _ in range(2):
            assert gateway.get("/a").text == "no" and gateway.get("/a", "X-Beta: yes").text == "yes"
        assert pages.counts["/a"] == 2

    def test_what_a_proxy_in_front_says_of_the_scheme(self, scenario):
        site = Site(scenario, http={"forwarding": {"trustedNetworks": ["127.0.0.0/8"]}})
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
        ({"zone": "x" * 65}, "longer than 64"), ({"lockTimeout": "2m"}, "lockTimeout"), ({"cacheTTL": 5}, "cacheTTL"),
        ({"diskSize": "1GiB"}, "there is no disk"), ({"diskInactive": "1h"}, "diskInactive"), ({"diskPath": "/x", "diskSize": "1KiB"}, "diskSize"),
        ({"diskPath": "/x", "diskSize": "16MiB"}, "quarter of the disk")])
    def test_what_is_wrong_is_said(self, tmp_path, options, message):
        assert message in check(tmp_path, "cache", options)

    def test_what_is_right_passes(self, tmp_path):
        assert check(tmp_path, "cache", {}) == ""
        assert check(tmp_path, "cache", {"ttl": "5m", "memory": "1GiB", "maxSize": "256MiB", "statuses": 200}) == ""
