"""TLS to services: verified unless told otherwise, with sessions that are used again."""

import ssl

import pytest

from support.gateway import service
from support.http2_origin import server_context
from support.waiting import wait_until


@pytest.fixture(scope="module")
def authority(shared):
    return shared.authority()


@pytest.fixture(scope="module")
def leaf(authority):
    return authority.issue("origin.test", "127.0.0.1")


@pytest.fixture
def start(scenario, authority):
    """A gateway whose only service is this origin, with TLS as the test says."""
    def with_origin(origin, tls=None, **settings):
        if tls is not True and (tls or {}).get("verify", True):
            tls = {"ca": str(authority.file), **(tls or {})}
        settings = {"retries": "off", "ejection": "off", **settings}
        return scenario.gateway([service("app", origin, tls=tls, **settings)])
    return with_origin


class TestVerification:
    def test_certificate_that_names_the_address(self, scenario, start, leaf):
        origin = scenario.origin(tls=server_context(leaf))
        assert start(origin).get().status == 200

    def test_certificate_that_names_the_server(self, scenario, start, authority):
        origin = scenario.origin(tls=server_context(authority.issue("origin.test")))
        assert start(origin, {"serverName": "origin.test"}).get().status == 200

    @pytest.mark.parametrize("flaw", ["another name", "another authority", "expired", "not yet valid", "for clients",
                                      "only a common name"])
    def test_bad_certificate_is_502_and_gets_no_request(self, scenario, start, authority, flaw):
        other = scenario.authority("Another authority")
        bad = {
            "another name": lambda: authority.issue("other.test"),
            "another authority": lambda: other.issue("origin.test"),
            "expired": lambda: authority.issue("origin.test", expired=True),
            "not yet valid": lambda: authority.issue("origin.test", not_yet=True),
            "for clients": lambda: authority.issue("origin.test", client=True),
            "only a common name": lambda: authority.issue(common_name="origin.test"),
        }[flaw]()
        origin = scenario.origin(tls=server_context(bad))
        gateway = start(origin, {"serverName": "origin.test"})
        assert gateway.get().status == 502
        assert origin.requests == []
        gateway.check_health()

    def test_address_that_is_not_in_the_certificate_is_502(self, scenario, start, authority):
        origin = scenario.origin(tls=server_context(authority.issue("origin.test")))
        assert start(origin).get().status == 502

    def test_systems_authorities_do_not_know_ours(self, scenario, start, leaf):
        origin = scenario.origin(tls=server_context(leaf))
        assert start(origin, True).get().status == 502
        assert origin.requests == []

    def test_verification_can_be_turned_off(self, scenario, start, authority):
        origin = scenario.origin(tls=server_context(scenario.authority("X").issue("x.test", expired=True)))
        assert start(origin, {"verify": False}).get().status == 200

    def test_intermediate_certificates_of_the_origin_count(self, scenario, start, authority):
        origin = scenario.origin(tls=server_context(authority.intermediate().issue("127.0.0.1")))
        assert start(origin).get().status == 200

    def test_failure_says_why(self, scenario, start, authority):
        origin = scenario.origin(tls=server_context(authority.issue("127.0.0.1", expired=True)))
        gateway = start(origin)
        assert gateway.get().status == 502
        gateway.wait_for_output("expired")


class TestHandshake:
    @staticmethod
    def server_names(leaf):
        seen = []
        context = server_context(leaf)
        context.sni_callback = lambda _, name, __: seen.append(name)
        return context, seen

    @pytest.mark.parametrize("settings, expected", [({"serverName": "origin.test"}, "origin.test"), ({}, None)])
    def test_name_for_sni(self, scenario, start, leaf, settings, expected):
        """An address is no name (RFC 6066 section 3)."""
        context, seen = self.server_names(leaf)
        assert start(scenario.origin(tls=context), settings).get().status == 200
        assert seen == [expected]

    def test_host_of_the_request_is_not_the_name(self, scenario, start, leaf):
        context, seen = self.server_names(leaf)
        gateway = start(scenario.origin(tls=context), {"serverName": "origin.test"})
        assert gateway.get(host="client.test").status == 200
        assert seen == ["origin.test"]

    def test_own_certificate_where_the_origin_asks_for_one(self, scenario, start, leaf, authority):
        own = authority.issue(common_name="gateway", client=True)
        origin = scenario.origin(tls=server_context(leaf, authority))
        gateway = start(origin, {"certificate": str(own.chain), "key": str(own.key)})
        assert gateway.get().status == 200
        assert origin.handshakes[0].getpeercert(binary_form=True) == own.der

    def test_without_one_it_is_502(self, scenario, start, leaf, authority):
        origin = scenario.origin(tls=server_context(leaf, authority))
        assert start(origin).get().status == 502

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_sessions_are_used_again(self, scenario, start, leaf, version):
        context = server_context(leaf)
        context.minimum_version = context.maximum_version = version
        origin = scenario.origin(lambda exchange: exchange.respond(200, b"", close=True), tls=context)
        gateway = start(origin)
        with gateway.client() as client:
            for _ in range(4):
                assert client.exchange().status == 200
        assert len(origin.handshakes) == 4 and context.session_stats()["hits"] == 3

    def test_connections_are_kept(self, scenario, start, leaf):
        origin = scenario.origin(tls=server_context(leaf))
        assert start(origin).origins_of(20) == {"origin": 20}
        assert origin.connection_count == 1

    def test_origin_without_tls_is_502(self, scenario, start):
        origin = scenario.raw_origin(lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"))
        assert start(origin).get().status == 502

    def test_origin_that_never_answers_the_handshake_is_504(self, scenario, start):
        origin = scenario.raw_origin(lambda connection, _: connection.recv(65_536) and connection.recv(1))
        assert start(origin, timeouts={"connect": "200ms"}).get().status == 504

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    def test_old_versions_are_not_spoken(self, scenario, start, leaf):
        context = server_context(leaf)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        assert start(scenario.origin(tls=context)).get().status == 502

    def test_content_passes_both_ways(self, scenario, start, leaf):
        origin = scenario.origin(lambda exchange: exchange.respond(200, exchange.read_body()), tls=server_context(leaf))
        body = b"0123456789abcdef" * 200_000
        with start(origin).client(seconds=30) as client:
            assert client.exchange("POST", "/", body=body).body == body

    @pytest.mark.parametrize("end", ["reset", "close"])
    def test_end_without_close_notify_is_a_cut(self, scenario, start, leaf, end):
        """RFC 9112 section 9.8: content that ends with the connection could have been cut off by anyone."""
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.0 200 OK\r\n\r\nhalf of it")
            getattr(exchange, end)()

        with start(scenario.origin(answer, tls=server_context(leaf))).client() as client:
            with pytest.raises(AssertionError):
                client.exchange()


class TestProtocol:
    @pytest.mark.parametrize("protocol, alpn, spoken", [
        ("h2", ("h2", "http/1.1"), "h2"), ("auto", ("h2", "http/1.1"), "h2")])
    def test_http2_by_alpn(self, scenario, start, leaf, protocol, alpn, spoken):
        origin = scenario.http2_origin(certificate=leaf, alpn=alpn)
        gateway = start(origin, protocol=protocol)
        assert gateway.get().status == 200
        assert origin.handshakes[0].selected_alpn_protocol() == spoken

    @pytest.mark.parametrize("alpn", [("http/1.1",), ()])
    def test_http1_where_http2_is_not_agreed_on(self, scenario, start, leaf, alpn):
        origin = scenario.origin(tls=server_context(leaf, alpn=alpn))
        assert start(origin, protocol="auto").get().status == 200

    def test_http2_only_and_not_agreed_on_is_502(self, scenario, start, leaf):
        origin = scenario.origin(tls=server_context(leaf))
        assert start(origin, protocol="h2").get().status == 502
        assert origin.requests == []

    def test_http1_does_not_offer_http2(self, scenario, start, leaf):
        origin = scenario.origin(tls=server_context(leaf, alpn=("h2", "http/1.1")))
        assert start(origin).get().status == 200
        assert origin.handshakes[0].selected_alpn_protocol() in ("http/1.1", None)


class TestHealth:
    FAST = {"interval": "50ms", "timeout": "500ms", "rise": 1, "fall": 1}

    def test_checks_go_by_tls_as_requests_do(self, scenario, start, leaf):
        origin = scenario.origin(tls=server_context(leaf))
        gateway = start(origin, health={"path": "/healthz", **self.FAST})
        wait_until(lambda: any(request.target == "/healthz" for request in origin.requests), "a check has come")
        assert gateway.get().status == 200

    def test_check_of_a_bad_certificate_fails(self, scenario, start, authority):
        origin = scenario.origin(tls=server_context(authority.issue("other.test")))
        gateway = start(origin, health={"tcp": True, **self.FAST})
        wait_until(lambda: gateway.get().status == 503, "the endpoint is not healthy")

    def test_checks_may_go_without_tls(self, scenario, start, leaf):
        checks = scenario.origin()
        origin = scenario.origin(tls=server_context(leaf))
        gateway = start(origin, health={"path": "/healthz", "port": checks.port, "tls": "off", **self.FAST})
        checks.wait_for_requests(1)
        assert gateway.get().status == 200
