"""Certificates that change while the gateway runs, and ends under load: nobody notices."""

import os
import signal

import pytest

from support.gateway import service
from support.http2 import HTTP2Client
from support.load import Load
from support.ports import is_listening
from support.tls import TLSClient, client_context, refusal, shown_certificate
from support.waiting import wait_until


@pytest.fixture
def authority(scenario):
    return scenario.authority()


@pytest.fixture
def leaf(authority):
    return authority.issue("example.test", file="served")


@pytest.fixture
def gateway(scenario, leaf):
    return scenario.gateway(
        [service("app", scenario.origin())], tls={}, certificates=[leaf.described("example")], workers=2,
        http={"timeouts": {"drain": "20s"}})


def shows(gateway, leaf, name="example.test"):
    return lambda: shown_certificate(gateway.port, name) == leaf.der


class TestFiles:
    def test_files_that_are_written_over_are_used(self, gateway, authority, leaf):
        assert shows(gateway, leaf)()
        renewed = authority.issue("example.test", file="served")
        wait_until(shows(gateway, renewed), "the new certificate is shown")

    def test_files_that_are_renamed_over_the_old_ones_are_used(self, gateway, authority, leaf):
        renewed = authority.issue("example.test", file="next")
        os.replace(renewed.key, leaf.key)
        os.replace(renewed.chain, leaf.chain)
        wait_until(shows(gateway, renewed), "the new certificate is shown")

    def test_hang_up_reads_them_at_once(self, gateway, authority, leaf):
        renewed = authority.issue("example.test", file="served")
        gateway.hang_up()
        wait_until(shows(gateway, renewed), "the new certificate is shown")

    @pytest.mark.parametrize("flaw", ["no PEM", "another key", "empty", "gone"])
    def test_broken_files_leave_the_old_certificate_in_use(self, gateway, authority, leaf, flaw):
        {
            "no PEM": lambda: leaf.chain.write_text("certificate"),
            "another key": lambda: os.replace(authority.issue("example.test").key, leaf.key),
            "empty": lambda: leaf.chain.write_text(""),
            "gone": lambda: leaf.key.unlink(),
        }[flaw]()
        gateway.hang_up()
        gateway.wait_for_output("example")
        assert shows(gateway, leaf)()
        renewed = authority.issue("example.test", file="served")
        wait_until(shows(gateway, renewed), "the repaired certificate is shown")

    def test_broken_certificate_at_the_start_is_an_error_with_its_place(self, scenario, leaf):
        leaf.chain.write_text("certificate")
        gateway = scenario.gateway(
            [service("app", scenario.origin())], tls={}, certificates=[leaf.described("example")], wait=False)
        gateway.was_ended = True
        assert gateway.wait_for_end() != 0
        assert "served.pem" in gateway.stderr and "certificates[0]" in gateway.stderr, gateway.tail()

    def test_connection_keeps_what_it_has(self, gateway, authority, leaf):
        with gateway.tls_client() as client:
            assert client.exchange().status == 200
            renewed = authority.issue("example.test", file="served")
            wait_until(shows(gateway, renewed), "the new certificate is shown")
            assert client.exchange().status == 200 and client.certificate == leaf.der

    def test_certificates_are_added_and_removed(self, gateway, authority, leaf):
        added = authority.issue("added.test")
        assert refusal(gateway.port, "added.test")
        gateway.configuration["certificates"].append(added.described("added"))
        gateway.save()
        gateway.wait_for_revision("added")
        wait_until(lambda: not isinstance(shown(gateway, "added.test"), Exception), "it is there")
        assert shows(gateway, added, "added.test")() and shows(gateway, leaf)()
        gateway.configuration["certificates"].pop()
        gateway.save()
        wait_until(lambda: isinstance(shown(gateway, "added.test"), Exception), "it is gone")
        assert shows(gateway, leaf)()

    def test_list_of_revoked_certificates_is_read_again(self, scenario, authority, leaf):
        client = authority.issue(common_name="alice", client=True)
        revoked = authority.revocations()
        gateway = scenario.gateway(
            [service("app", scenario.origin())], certificates=[leaf.described("example")],
            tls={"clientCertificates": {"ca": str(authority.file), "crl": str(revoked)}})
        with gateway.tls_client(context=client_context(certificate=client)) as connection:
            assert connection.exchange().status == 200
        authority.revocations(client)
        wait_until(lambda: isinstance(shown(gateway, "example.test", certificate=client), Exception),
                   "the client is refused")

    def test_expiry_is_a_metric(self, gateway, authority, leaf):
        def expiry():
            found = [sample.value for sample in gateway.metrics().samples
                     if "certificate" in sample.name and sample.label("certificate") == "example"
                     and sample.value in (leaf.not_after, renewed.not_after)]
            return found[0] if found else None

        renewed = authority.issue("example.test", file="next", days=30)
        assert expiry() == leaf.not_after
        os.replace(renewed.key, leaf.key)
        os.replace(renewed.chain, leaf.chain)
        wait_until(lambda: expiry() == renewed.not_after, "the metric follows the file")


def shown(gateway, name, **offers):
    """The certificate that a request sees, or the error that ends the connection."""
    try:
        with TLSClient(gateway.port, name, **offers) as client:
            client.exchange("GET", "/", host=name)
            return client.certificate
    except (OSError, AssertionError) as error:
        return error


class TestUnderLoad:
    """Not one request fails."""

    def test_certificate_is_replaced(self, gateway, authority, leaf):
        context = client_context(authority)
        with Load(lambda: gateway.tls_client(context=context), lambda client: good(client.exchange())) as load:
            for _ in range(5):
                renewed = authority.issue("example.test", file="next")
                os.replace(renewed.key, leaf.key)
                os.replace(renewed.chain, leaf.chain)
                wait_until(shows(gateway, renewed), "the new certificate is shown")
                load.wait_for(50)

    def test_certificate_is_replaced_by_http2(self, gateway, authority, leaf):
        context = client_context(authority, alpn=["h2"])
        with Load(lambda: gateway.http2(tls=context), lambda client: good(client.exchange())) as load:
            renewed = authority.issue("example.test", file="next")
            os.replace(renewed.key, leaf.key)
            os.replace(renewed.chain, leaf.chain)
            wait_until(shows(gateway, renewed), "the new certificate is shown")
            load.wait_for(50)

    @pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
    def test_gateway_drains(self, gateway, protocol):
        """A client that heeds close and GOAWAY loses nothing: what was sent is answered."""
        drain = DrainedLoad(gateway, protocol)
        with Load(drain.connect, drain.exchange, per_connection=1_000_000) as load:
            gateway.was_ended = True
            drain.has_begun = True
            gateway.signal(signal.SIGTERM)
            wait_until(lambda: not is_listening(gateway.port), "new connections are refused")
            assert gateway.wait_for_end() == 0
            wait_until(lambda: len(load.failures) == 4, "every client has seen the end")
            load.failures = [error for error in load.failures if not isinstance(error, Ended)]
        assert load.count >= 20


class Ended(Exception):
    """The gateway has ended a connection as it should."""


class DrainedLoad:
    """Clients of a gateway that drains: each request is answered, or was certainly not begun with."""

    def __init__(self, gateway, protocol):
        self.gateway = gateway
        self.is_http2 = protocol == "h2"
        self.has_begun = False

    def connect(self):
        try:
            return self.gateway.http2(tls=True) if self.is_http2 else self.gateway.tls_client()
        except OSError as error:
            # Nothing was asked for yet.
            raise Ended if self.has_begun else error from error

    def exchange(self, client) -> None:
        try:
            response = client.exchange()
        except (OSError, AssertionError) as error:
            raise Ended if self.has_begun and self.was_not_begun(client) else error from error
        good(response)
        closes = client.goaway is not None if self.is_http2 else response.value("connection") == "close"
        if closes:
            raise Ended

    def was_not_begun(self, client) -> bool:
        if not self.is_http2:
            # Closed between two requests: RFC 9112 section 9.3.1 lets clients send the next one again.
            return not client.buffer
        try:
            while client.step() is not None:
                pass
        except (OSError, AssertionError):
            pass
        # RFC 9113 section 6.8.
        return client.goaway is not None and max(client.streams) > client.goaway.last_stream


def good(response) -> None:
    assert response.status == 200, response


def test_connections_by_http2_get_goaway_when_idle(gateway):
    with HTTP2Client(gateway.port, tls=True) as client:
        client.expect_open()
        gateway.was_ended = True
        gateway.signal(signal.SIGTERM)
        assert client.expect_goaway() == 0
        client.expect_end()
    assert gateway.wait_for_end() == 0
