"""Handshakes with clients: certificates by host, ALPN, sessions, and what is no handshake at all."""

import os
import socket
import ssl

import pytest

from support.client import Client
from support.gateway import service
from support.http import ConnectionEnded
from support.tls import TLSClient, client_context, refusal, s_client, shown_certificate, stapled_response
from support.waiting import wait_until


@pytest.fixture(scope="module")
def authority(shared):
    return shared.authority()


@pytest.fixture(scope="module")
def leaf(authority):
    return authority.issue("example.test", "*.example.test")


@pytest.fixture(scope="module")
def rsa(authority):
    return authority.issue("example.test", "*.example.test", key="rsa")


@pytest.fixture(scope="module")
def start(shared):
    """A gateway with TLS, an origin of HTTP/1.1, and certificates; each test says what differs."""
    origin = shared.origin()

    def with_settings(certificates, tls=None, **options):
        return shared.gateway([service("app", origin)], tls=tls or {}, certificates=certificates, **options)
    return with_settings


@pytest.fixture(scope="module")
def gateway(start, leaf):
    return start([leaf.described("example")])


class TestVersions:
    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_intermediate_is_tls_1_2_and_1_3(self, gateway, authority, version):
        with gateway.tls_client(context=client_context(authority, version=version)) as client:
            assert client.tls.version() == f"TLSv{version}"
            assert client.exchange().status == 200

    def test_modern_is_tls_1_3_only(self, start, leaf, authority):
        gateway = start([leaf.described("example")], {"profile": "modern"})
        with gateway.tls_client(context=client_context(authority)) as client:
            assert client.tls.version() == "TLSv1.3" and client.exchange().status == 200
        assert "PROTOCOL" in refusal(gateway.port, version="1.2")

    def test_old_versions_are_refused(self, gateway):
        for version in ("-tls1", "-tls1_1"):
            output = s_client(gateway.port, version, "-cipher", "ALL:@SECLEVEL=0")
            assert "alert protocol version" in output or "no protocols available" in output, output
            assert "Cipher is (NONE)" in output, output

    def test_ciphers_without_forward_secrecy_are_refused(self, gateway):
        assert "HANDSHAKE_FAILURE" in refusal(gateway.port, version="1.2", ciphers="AES128-GCM-SHA256:@SECLEVEL=0")

    def test_renegotiation_is_refused(self, gateway):
        output = s_client(gateway.port, "-tls1_2", send="R\n")
        assert "no renegotiation" in output, output


class TestCertificateByHost:
    @pytest.fixture(scope="class")
    def leaves(self, authority):
        return {"exact": authority.issue("a.example.test"), "wildcard": authority.issue("*.example.test"),
                "other": authority.issue("other.test"), "default": authority.issue("fallback.test")}

    @pytest.fixture(scope="class")
    def gateway(self, start, leaves):
        described = [leaf.described(name) for name, leaf in leaves.items()]
        described[-1]["default"] = True
        return start(described)

    @pytest.mark.parametrize("host, expected", [
        ("a.example.test", "exact"), ("A.Example.TEST", "exact"), ("b.example.test", "wildcard"),
        ("other.test", "other"), ("a.b.example.test", "default"), ("example.test", "default"),
        ("unknown.test", "default"), (None, "default"),
    ])
    def test_exact_then_wildcard_then_default(self, gateway, leaves, host, expected):
        assert shown_certificate(gateway.port, host) == leaves[expected].der

    @pytest.mark.parametrize("host", ["unknown.test", "deep.a.example.test", None])
    def test_without_a_default_an_unknown_host_is_refused(self, start, leaves, host):
        gateway = start([leaves["exact"].described("exact"), leaves["wildcard"].described("wildcard")])
        assert refusal(gateway.port, host) == "TLSV1_UNRECOGNIZED_NAME"

    def test_unknown_hosts_can_be_refused_in_spite_of_a_default(self, start, leaves):
        gateway = start([leaves["default"].described("default", default=True)], {"unknownHost": "refuse"})
        assert shown_certificate(gateway.port, "fallback.test") == leaves["default"].der
        assert refusal(gateway.port, "unknown.test") == "TLSV1_UNRECOGNIZED_NAME"

    def test_hosts_of_the_file_stand_for_the_names_in_the_certificate(self, start, leaves, authority):
        gateway = start([leaves["other"].described("other", hosts=["chosen.test"])])
        assert shown_certificate(gateway.port, "chosen.test") == leaves["other"].der
        assert refusal(gateway.port, "other.test") == "TLSV1_UNRECOGNIZED_NAME"

    def test_ecdsa_is_preferred_and_rsa_is_for_those_who_need_it(self, start, leaf, rsa):
        gateway = start([rsa.described("rsa"), leaf.described("ecdsa")])
        for version in ("1.2", "1.3"):
            assert shown_certificate(gateway.port, "example.test", version=version) == leaf.der
        only_rsa = "ECDHE-RSA-AES128-GCM-SHA256"
        assert shown_certificate(gateway.port, "example.test", version="1.2", ciphers=only_rsa) == rsa.der
        output = s_client(gateway.port, "-tls1_3", "-sigalgs", "RSA-PSS+SHA256")
        assert "Peer signature type: RSA-PSS" in output, output

    def test_intermediate_certificates_are_sent(self, start, authority):
        leaf = authority.intermediate().issue("example.test")
        gateway = start([leaf.described("example")])
        with gateway.tls_client(context=client_context(authority)) as client:
            assert client.exchange().status == 200

    def test_a_thousand_certificates(self, start, authority, leaf):
        described = [leaf.described(f"c{number}", hosts=[f"h{number}.test"]) for number in range(1_000)]
        gateway = start([*described, authority.issue("last.test").described("last")])
        assert shown_certificate(gateway.port, "h999.test") == leaf.der
        assert shown_certificate(gateway.port, "last.test") != leaf.der


class TestALPN:
    @pytest.mark.parametrize("offered, chosen", [
        (["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"),
        (["unknown", "http/1.1"], "http/1.1"), (None, None),
    ])
    def test_the_gateways_preference_decides(self, gateway, offered, chosen):
        with gateway.tls_client(alpn=offered) as client:
            assert client.tls.selected_alpn_protocol() == chosen

    def test_nothing_in_common_is_refused(self, gateway):
        """RFC 7301 section 3.2: no_application_protocol."""
        assert refusal(gateway.port, alpn=["spdy/3"]) == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"

    def test_http2_can_be_left_out(self, start, leaf):
        gateway = start([leaf.described("example")], {"protocols": ["http/1.1"]})
        with gateway.tls_client(alpn=["h2", "http/1.1"]) as client:
            assert client.tls.selected_alpn_protocol() == "http/1.1"
            assert client.exchange().status == 200

    def test_without_alpn_the_preface_of_http2_is_not_http2(self, gateway):
        """RFC 9113 section 3.2: by TLS, HTTP/2 is for those who agree on it."""
        with gateway.tls_client() as client:
            client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert client.response().status in (400, 505)


class TestSessions:
    @staticmethod
    def session_of(gateway, context):
        with gateway.tls_client(context=context) as client:
            assert client.exchange().status == 200
            assert not client.tls.session_reused
            return client.tls.session

    @staticmethod
    def is_resumed(gateway, context, session) -> bool:
        with gateway.tls_client(context=context, session=session) as client:
            assert client.exchange().status == 200
            return bool(client.tls.session_reused)

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_tickets_resume_on_any_worker(self, start, leaf, version):
        gateway = start([leaf.described("example")], workers=2)
        context = client_context(version=version)
        for _ in range(8):
            assert self.is_resumed(gateway, context, self.session_of(gateway, context))

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_tickets_can_be_turned_off(self, start, leaf, version):
        gateway = start([leaf.described("example")], {"tickets": "off"})
        context = client_context(version=version)
        assert not self.is_resumed(gateway, context, self.session_of(gateway, context))

    def test_keys_from_a_file_serve_several_machines(self, start, leaf, tmp_path):
        (tmp_path / "tickets.key").write_bytes(os.urandom(80))
        settings = {"tickets": {"file": str(tmp_path / "tickets.key")}}
        first, second = (start([leaf.described("example")], settings) for _ in range(2))
        context = client_context()
        assert self.is_resumed(second, context, self.session_of(first, context))

    def test_keys_of_its_own_are_of_no_use_elsewhere(self, start, leaf):
        first, second = (start([leaf.described("example")]) for _ in range(2))
        context = client_context()
        assert not self.is_resumed(second, context, self.session_of(first, context))

    def test_a_new_key_first_leaves_old_tickets_good(self, start, leaf, tmp_path):
        old, new = tmp_path / "old.key", tmp_path / "new.key"
        old.write_bytes(os.urandom(48))
        new.write_bytes(os.urandom(80))
        gateway = start([leaf.described("example")], {"tickets": {"files": [str(old)]}})
        context = client_context()
        session = self.session_of(gateway, context)
        gateway.configuration["listeners"][0]["tls"]["tickets"] = {"files": [str(new), str(old)]}
        gateway.save()
        gateway.wait_for_revision("new.key")
        assert self.is_resumed(gateway, context, session)


class TestStaples:
    def test_response_is_stapled_where_a_client_asks(self, start, authority):
        leaf = authority.issue("example.test")
        gateway = start([leaf.described("example", ocsp=str(authority.ocsp_response(leaf)))])
        assert stapled_response(gateway.port, "example.test") == "good"

    def test_without_one_nothing_is_stapled(self, gateway):
        assert stapled_response(gateway.port, "example.test") is None


class TestWhatIsNoHandshake:
    def test_plain_http_gets_a_400_in_plain_text(self, gateway):
        with gateway.client() as client:
            response = client.exchange("GET", "/")
            assert response.status == 400 and response.value("connection") == "close"
            client.expect_end()

    @pytest.mark.parametrize("data", [b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 200, b"SSH-2.0-OpenSSH\r\n",
                                      b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"])
    def test_noise_ends_the_connection(self, gateway, data):
        with gateway.client() as client:
            client.send(data)
            try:
                client.finish_sending()
                client.read_to_end()  # an alert, perhaps
            except (ConnectionEnded, OSError):
                pass
        with gateway.tls_client() as client:
            assert client.exchange().status == 200

    def test_client_that_never_begins_is_closed(self, start, leaf):
        gateway = start([leaf.described("example")], {"handshakeTimeout": "200ms"})
        with gateway.client() as silent, gateway.client() as half:
            half.send(b"\x16\x03\x01\x02\x00\x01")
            silent.expect_end()
            half.expect_end()

    def test_hello_that_arrives_byte_by_byte(self, gateway):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context().wrap_bio(incoming, outgoing, server_hostname="example.test")
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def step(action):
                while True:
                    try:
                        return action()
                    except ssl.SSLWantReadError:
                        for byte in outgoing.read():
                            connection.sendall(bytes([byte]))
                        incoming.write(connection.recv(65_536))

            step(tls.do_handshake)
            tls.write(b"GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n")
            assert step(lambda: tls.read(65_536)).startswith(b"HTTP/1.1 200 ")

    def test_only_so_many_handshakes_at_a_time(self, start, leaf):
        gateway = start([leaf.described("example")], http={"limits": {"handshakes": 4}})
        waiting = [Client(gateway.port) for _ in range(4)]
        for client in waiting:
            client.send(b"\x16\x03\x01\x02\x00\x01")
        # The others are closed before theirs begins.
        wait_until(lambda: self.is_closed_at_once(gateway.port), "the handshakes are all taken")
        for client in waiting:
            client.close()
        wait_until(lambda: not self.is_closed_at_once(gateway.port), "there is room again")

    @staticmethod
    def is_closed_at_once(port) -> bool:
        try:
            with TLSClient(port):
                return False
        except (ssl.SSLError, ConnectionError):
            return True


class TestContent:
    @pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 3_000_000])
    def test_content_passes_both_ways(self, shared, leaf, size):
        origin = shared.origin(lambda exchange: exchange.respond(200, exchange.read_body()))
        gateway = shared.gateway([service("app", origin)], tls={}, certificates=[leaf.described("example")])
        body = os.urandom(size)
        with gateway.tls_client(seconds=30) as client:
            for _ in range(2):
                assert client.exchange("POST", "/", body=body).body == body

    def test_end_of_the_content_is_authentic(self, shared, leaf):
        """A response that ends with the connection is followed by close_notify, or it may have been cut off."""
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.0 200 OK\r\n\r\nto the end")
            exchange.close()

        gateway = shared.gateway(
            [service("app", shared.origin(answer))], tls={}, certificates=[leaf.described("example")])
        context = client_context()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            with context.wrap_socket(connection, server_hostname="example.test",
                                     suppress_ragged_eofs=False) as tls:
                tls.sendall(b"GET / HTTP/1.0\r\nHost: example.test\r\n\r\n")
                data = b""
                while more := tls.recv(65_536):  # an end without close_notify raises SSLEOFError
                    data += more
        assert data.endswith(b"to the end")

    def test_response_that_is_cut_off_is_an_error(self, shared, leaf):
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            exchange.close()

        gateway = shared.gateway(
            [service("app", shared.origin(answer))], tls={}, certificates=[leaf.described("example")])
        with gateway.tls_client() as client:
            with pytest.raises(ConnectionEnded):
                client.exchange()

