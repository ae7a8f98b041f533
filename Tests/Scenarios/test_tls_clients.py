"""Certificates that clients show: who is let in, and how services learn who it is."""

import base64

import pytest

from support.gateway import service
from support.http2 import HTTP2Client
from support.tls import client_context, refusal


@pytest.fixture(scope="module")
def server(shared):
    return shared.authority("Server authority")


@pytest.fixture(scope="module")
def authority(shared):
    return shared.authority("Client authority")


@pytest.fixture(scope="module")
def good(authority):
    return authority.issue(common_name="alice", client=True)


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def start(shared, server, authority, origin):
    leaf = server.issue("example.test")

    def with_settings(settings=None, **options):
        clients = {"ca": str(authority.file), **(settings or {})} if settings != "off" else "off"
        return shared.gateway([service("app", origin)], tls={"clientCertificates": clients},
                              certificates=[leaf.described("example")], **options)
    return with_settings


@pytest.fixture(scope="module")
def required(start):
    return start()


@pytest.fixture(scope="module")
def optional(start):
    return start({"verify": "optional"})


def client_cert(leaf) -> str:
    """RFC 9440 section 2.1: the DER as a byte sequence of structured fields."""
    return ":" + base64.b64encode(leaf.der).decode() + ":"


def exchange(gateway, certificate=None, *fields, **options):
    with gateway.tls_client(context=client_context(certificate=certificate, **options)) as client:
        return client.exchange("GET", "/", *fields)


class TestWhoIsLetIn:
    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_good_certificate(self, required, good, version):
        assert exchange(required, good, version=version).status == 200

    @pytest.mark.parametrize("version, reason", [
        ("1.2", "SSLV3_ALERT_HANDSHAKE_FAILURE"), ("1.3", "TLSV13_ALERT_CERTIFICATE_REQUIRED")])
    def test_none_where_one_is_required(self, required, version, reason):
        assert refusal(required.port, version=version) == reason

    def test_none_where_it_is_optional(self, optional, origin):
        assert exchange(optional).status == 200
        assert not origin.last.has("client-cert")

    @pytest.mark.parametrize("gateway", ["required", "optional"])
    @pytest.mark.parametrize("flaw", ["another authority", "expired", "not yet valid", "for servers"])
    def test_bad_certificate_is_refused_either_way(self, request, gateway, flaw, authority, server):
        bad = {
            "another authority": lambda: server.issue(common_name="eve", client=True),
            "expired": lambda: authority.issue(common_name="old", client=True, expired=True),
            "not yet valid": lambda: authority.issue(common_name="new", client=True, not_yet=True),
            "for servers": lambda: authority.issue(common_name="server"),
        }[flaw]()
        reason = refusal(request.getfixturevalue(gateway).port, certificate=bad)
        assert "ALERT" in reason or "CERT" in reason, reason

    def test_depth_counts_intermediate_certificates(self, start, required, authority):
        once = authority.intermediate("One").issue(common_name="bob", client=True)
        twice = authority.intermediate("Two").intermediate("Three").issue(common_name="carol", client=True)
        assert exchange(required, once).status == 200
        assert refusal(required.port, certificate=twice)
        assert exchange(start({"depth": 2}), twice).status == 200

    def test_revoked_certificate_is_refused(self, start, authority, good):
        revoked = authority.issue(common_name="mallory", client=True)
        gateway = start({"crl": str(authority.revocations(revoked))})
        assert exchange(gateway, good).status == 200
        assert refusal(gateway.port, certificate=revoked) == "SSLV3_ALERT_CERTIFICATE_REVOKED"

    def test_session_of_a_good_client_is_resumed_with_its_identity(self, required, good, origin):
        context = client_context(certificate=good)
        with required.tls_client(context=context) as client:
            client.exchange()
            session = client.tls.session
        with required.tls_client(context=context, session=session) as client:
            assert client.exchange().status == 200 and client.tls.session_reused
        assert origin.last.value("client-cert") == client_cert(good)

    def test_nobody_is_asked_where_it_is_off(self, start, good, origin):
        gateway = start("off")
        assert exchange(gateway, good).status == 200
        assert not origin.last.has("client-cert")


class TestIdentity:
    def test_service_sees_the_certificate(self, required, good, origin):
        exchange(required, good)
        assert origin.last.value("client-cert") == client_cert(good)

    def test_service_sees_it_by_http2_too(self, required, good, origin):
        context = client_context(certificate=good, alpn=["h2"])
        with HTTP2Client(required.port, tls=context) as client:
            assert client.exchange().status == 200
        assert origin.last.value("client-cert") == client_cert(good)

    @pytest.mark.parametrize("name", ["Client-Cert", "client-cert", "Client-Cert-Chain"])
    def test_client_cannot_forge_it(self, optional, start, good, origin, name):
        forged = f"{name}: :Zm9yZ2Vk:"
        exchange(optional, None, forged)
        assert not origin.last.has("client-cert") and not origin.last.has("client-cert-chain")
        exchange(optional, good, forged)
        assert origin.last.values("client-cert") == [client_cert(good)]
        assert not origin.last.has("client-cert-chain")

    def test_not_even_a_trusted_peer_or_a_plain_listener_can(self, shared, origin):
        gateway = shared.gateway(
            [service("app", origin)], http={"forwarding": {"trustedNetworks": ["127.0.0.0/8"]}})
        with gateway.client() as client:
            assert client.exchange("GET", "/", "Client-Cert: :Zm9yZ2Vk:").status == 200
        assert not origin.last.has("client-cert")

    def test_it_can_be_kept_from_services(self, start, good, origin):
        gateway = start(http={"forwarding": {"clientCertificate": False}})
        exchange(gateway, good, "Client-Cert: :Zm9yZ2Vk:")
        assert not origin.last.has("client-cert")
