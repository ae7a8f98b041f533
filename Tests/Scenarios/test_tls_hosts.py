"""Which host a connection is for: 421, redirects to https, and HSTS."""

import pytest

from support.certificates import Authority
from support.client import Client
from support.gateway import route, service
from support.http2 import HTTP2Client
from support.ports import free_port
from support.tls import TLSClient


@pytest.fixture(scope="module")
def authority(shared) -> Authority:
    return shared.authority()


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


class TestMisdirectedRequests:
    """RFC 9110 section 15.5.20, RFC 9113 section 9.1.2."""

    @pytest.fixture(scope="class")
    def gateway(self, shared, authority, origin):
        return shared.gateway([service("app", origin)], tls={}, certificates=[
            authority.issue("a.test", "*.wild.test", "also.test").described("a"),
            authority.issue("b.test").described("b"),
            authority.issue("one.wild.test").described("exact")])

    @pytest.mark.parametrize("name, host, status", [
        ("a.test", "a.test", 200),
        ("a.test", "A.TEST:443", 200),
        ("a.test", "also.test", 200),  # the same certificate is for it: browsers share the connection
        ("a.test", "two.wild.test", 200),
        ("two.wild.test", "a.test", 200),
        ("a.test", "b.test", 421),
        ("b.test", "a.test", 421),
        ("two.wild.test", "one.wild.test", 421),  # which has a certificate of its own
    ])
    def test_host_of_another_certificate_is_misdirected(self, gateway, origin, name, host, status):
        seen = len(origin.requests)
        with TLSClient(gateway.port, name) as client:
            assert client.exchange("GET", "/", host=host).status == status
            assert client.exchange("GET", "/", host=name).status == 200  # the connection stays
        with HTTP2Client(gateway.port, tls=True, server_name=name, authority=host) as client:
            assert client.exchange().status == status
        assert len(origin.requests) - seen == (3 if status == 200 else 1)


class TestRedirects:
    @pytest.fixture
    def start(self, scenario):
        origin = scenario.origin()

        def with_settings(redirect, routes=None):
            return scenario.gateway([service("app", origin)], routes, listener={"redirect": redirect})
        return with_settings

    @pytest.mark.parametrize("redirect, status, location", [
        ("https", 308, "https://example.test/a/b?c=d&e"),
        ({"port": 8443}, 308, "https://example.test:8443/a/b?c=d&e"),
        ({"status": 301}, 301, "https://example.test/a/b?c=d&e"),
    ])
    def test_every_request_is_sent_to_https(self, start, redirect, status, location):
        with start(redirect).client() as client:
            for method in ("GET", "POST"):
                response = client.exchange(method, "/a/b?c=d&e", host="example.test:8080")
                assert (response.status, response.value("location")) == (status, location)

    def test_http2_in_clear_text_too(self, start):
        with start("https").http2() as client:
            response = client.exchange("GET", "/a?b")
            assert (response.status, response.value("location")) == (308, "https://example.test/a?b")

    def test_also_without_a_route(self, start):
        gateway = start("https", [route("one", "app", hosts=["one.test"])])
        assert gateway.get("/x", host="two.test").value("location") == "https://two.test/x"

    def test_route_may_be_an_exception(self, start):
        gateway = start("https", [
            route("challenges", "app", match=[{"path": "/.well-known/acme-challenge"}], redirect="off"),
            route("everything", "app")])
        assert gateway.get("/.well-known/acme-challenge/token").status == 200
        assert gateway.get("/").status == 308

    def test_route_may_redirect_by_itself(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.origin())],
            [route("secure", "app", match=[{"path": "/account"}], redirect="https"), route("everything", "app")])
        assert gateway.get("/account").value("location") == "https://example.test/account"
        assert gateway.get("/").status == 200

    @pytest.mark.parametrize("host", ["evil.test\\@good.test", "good.test evil.test", "good.test/evil"])
    def test_location_cannot_be_steered(self, start, host):
        with start("https").client() as client:
            assert client.exchange("GET", "/", host=host).status == 400


class TestStrictTransportSecurity:
    @pytest.fixture
    def start(self, scenario, authority):
        def with_settings(hsts, answer=None, routes=None):
            origin = scenario.origin(**({"answer": answer} if answer else {}))
            plain, secure = free_port(), free_port()
            scenario.gateway(
                [service("app", origin)], routes, listeners=[
                    {"name": "plain", "address": f"127.0.0.1:{plain}"},
                    {"name": "secure", "address": f"127.0.0.1:{secure}", "tls": True, "hsts": hsts}],
                certificates=[authority.issue("example.test").described("example")])
            return secure, plain
        return with_settings

    @staticmethod
    def field(port, target="/"):
        with TLSClient(port) as client:
            return client.exchange("GET", target).value("strict-transport-security")

    @pytest.mark.parametrize("hsts, value", [
        ("5m", "max-age=300"),
        ({"maxAge": "365d", "includeSubdomains": True, "preload": True},
         "max-age=31536000; includeSubDomains; preload"),
        ("off", None),
    ])
    def test_field_on_responses_by_tls_only(self, start, hsts, value):
        secure, plain = start(hsts)
        assert self.field(secure) == value
        with Client(plain) as client:
            assert not client.exchange().has("strict-transport-security")
        with HTTP2Client(secure, tls=True) as client:
            assert client.exchange().value("strict-transport-security") == value

    def test_it_stands_in_place_of_the_services_own(self, start):
        secure, _ = start("5m", lambda exchange: exchange.respond(
            200, b"", "Strict-Transport-Security: max-age=1"))
        assert self.field(secure) == "max-age=300"

    def test_it_is_on_the_gateways_own_answers(self, start):
        secure, _ = start("5m", routes=[route("one", "app", match=[{"path": "/one"}])])
        assert self.field(secure, "/two") == "max-age=300"

    def test_route_comes_before_the_listener(self, start):
        secure, _ = start("5m", routes=[
            route("off", "app", match=[{"path": "/off"}], hsts="off"),
            route("own", "app", match=[{"path": "/own"}], hsts="1m"), route("rest", "app")])
        assert [self.field(secure, path) for path in ("/off", "/own", "/")] == [None, "max-age=60", "max-age=300"]
