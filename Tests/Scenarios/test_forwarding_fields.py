"""What endpoints are told about the client, and whose word about it is believed."""

import re

import pytest

from support.gateway import service

CLAIMS = (
    "X-Forwarded-For: 203.0.113.7, 198.51.100.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example.com",
    "X-Forwarded-Port: 443", "Forwarded: for=203.0.113.7;proto=https", "X-Request-ID: chosen-by-the-sender",
)
NAMES = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded", "x-request-id",
         "via")


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def start(shared, origin):
    def with_forwarding(**forwarding):
        return shared.gateway([service("app", origin)], http={"forwarding": forwarding})
    return with_forwarding


@pytest.fixture(scope="module")
def gateway(start):
    return start()


@pytest.fixture(scope="module")
def trusting(start):
    return start(trustedNetworks=["127.0.0.0/8"], forwarded=True)


def request(gateway, origin, *fields, **options):
    """Sends a request and returns what the origin saw."""
    with gateway.client(source=options.pop("source", "")) as client:
        assert client.exchange("GET", "/", *fields, **options).status == 200
    return origin.last


def test_origin_learns_address_scheme_host_and_port(gateway, origin):
    seen = request(gateway, origin, host="shop.example.com:8080")
    assert seen.value("x-forwarded-for") == "127.0.0.1"
    assert seen.value("x-forwarded-proto") == "http"
    assert seen.value("x-forwarded-host") == "shop.example.com:8080"
    assert seen.value("x-forwarded-port") == str(gateway.port)


def test_client_address_is_that_of_the_connection(gateway, origin):
    assert request(gateway, origin, source="127.0.0.77").value("x-forwarded-for") == "127.0.0.77"


def test_every_request_has_an_identity_of_its_own(gateway, origin):
    identities = {request(gateway, origin).value("x-request-id") for _ in range(50)}
    assert len(identities) == 50
    assert all(re.fullmatch(r"[0-9a-f]{32}", identity) for identity in identities)


def test_claims_of_strangers_are_removed(gateway, origin):
    seen = request(gateway, origin, *CLAIMS)
    assert seen.value("x-forwarded-for") == "127.0.0.1"
    assert seen.value("x-forwarded-proto") == "http"
    assert seen.value("x-forwarded-host") == "example.test"
    assert seen.value("x-forwarded-port") == str(gateway.port)
    assert not seen.has("forwarded")
    assert seen.value("x-request-id") != "chosen-by-the-sender"


def test_claims_are_recognised_in_any_case(gateway, origin):
    seen = request(gateway, origin, "x-FORWARDED-for: 203.0.113.7", "X-FORWARDED-PROTO: https", "fOrWaRdEd: for=x")
    assert seen.value("x-forwarded-for") == "127.0.0.1" and seen.value("x-forwarded-proto") == "http"
    assert not seen.has("forwarded")


def test_proxy_is_removed_whoever_says_it(gateway, trusting, origin):
    for either in (gateway, trusting):
        assert not request(either, origin, "pRoXy: http://198.51.100.9/").has("proxy")


def test_claims_of_trusted_networks_are_kept_and_extended(trusting, origin):
    seen = request(trusting, origin, *CLAIMS)
    assert seen.value("x-forwarded-for") == "203.0.113.7, 198.51.100.9, 127.0.0.1"
    assert seen.value("x-forwarded-proto") == "https"
    assert seen.value("x-forwarded-host") == "shop.example.com"
    assert seen.value("x-forwarded-port") == "443"
    assert seen.value("x-request-id") == "chosen-by-the-sender"
    assert ", ".join(seen.values("forwarded")) \
        == 'for=203.0.113.7;proto=https, for=127.0.0.1;host="example.test";proto=http'


def test_addresses_on_several_lines_are_joined(trusting, origin):
    seen = request(trusting, origin, "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.9")
    assert ", ".join(seen.values("x-forwarded-for")) == "203.0.113.7, 198.51.100.9, 127.0.0.1"


def test_trusted_peer_that_claims_nothing_is_the_client(trusting, origin):
    seen = request(trusting, origin)
    assert seen.value("x-forwarded-for") == "127.0.0.1" and seen.value("x-forwarded-proto") == "http"
    assert re.fullmatch(r"[0-9a-f]{32}", seen.value("x-request-id"))


def test_trust_ends_at_the_networks_border(start, origin):
    gateway = start(trustedNetworks=["127.0.0.0/26"])
    inside = request(gateway, origin, "X-Forwarded-For: 203.0.113.7", source="127.0.0.63")
    outside = request(gateway, origin, "X-Forwarded-For: 203.0.113.7", source="127.0.0.64")
    assert inside.value("x-forwarded-for") == "203.0.113.7, 127.0.0.63"
    assert outside.value("x-forwarded-for") == "127.0.0.64"


@pytest.mark.parametrize("setting, gone", [
    ("xForwarded", ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"]),
    ("requestId", ["x-request-id"]),
    ("via", ["via"]),
])
def test_each_can_be_turned_off(start, origin, setting, gone):
    seen = request(start(**{setting: False}), origin)
    for name in NAMES:
        assert seen.has(name) == (name not in gone and name != "forwarded"), name


def test_fields_that_are_off_are_still_removed_from_strangers(start, origin):
    seen = request(start(xForwarded=False), origin, *CLAIMS)
    assert not any(seen.has(name) for name in NAMES if name.startswith(("x-forwarded", "forwarded")))


def test_forwarded_can_be_turned_on(start, origin):
    seen = request(start(forwarded=True, xForwarded=False), origin)
    assert seen.value("forwarded") == 'for=127.0.0.1;host="example.test";proto=http'
    assert not seen.has("x-forwarded-for")
