"""A load balancer in front says who the client is: PROXY protocol, versions 1 and 2."""

import socket
import struct

import pytest

from support.gateway import service
from support.http import ConnectionEnded
from support.ports import free_port

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"


def version2(command: int, family: int, addresses: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


def ipv4(source: str, port: int) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", port, 80)


def ipv6(source: str, port: int) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    return ends + struct.pack("!HH", port, 80)


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    plain, behind = free_port(), free_port()
    gateway = shared.gateway(
        [service("app", origin)], http={"timeouts": {"head": "400ms", "drain": "1s"}},
        listeners=[{"name": "plain", "address": f"127.0.0.1:{plain}"},
                   {"name": "behind", "address": f"127.0.0.1:{behind}", "proxyProtocol": True}])
    gateway.plain_port, gateway.port = plain, behind
    return gateway


@pytest.fixture(autouse=True)
def fresh(origin):
    origin.forget()


ACCEPTED = [
    ("v1-ipv4", b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n", "203.0.113.7"),
    ("v1-ipv6", b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"),
    ("v1-unknown", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ("v1-unknown-with-addresses", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"),
    ("v2-ipv4", version2(1, 0x11, ipv4("203.0.113.7", 56_324)), "203.0.113.7"),
    ("v2-ipv6", version2(1, 0x21, ipv6("2001:db8::7", 56_324)), "2001:db8::7"),
    ("v2-local", version2(0, 0x00, b""), "127.0.0.1"),
    ("v2-local-with-addresses", version2(0, 0x11, ipv4("203.0.113.7", 1)), "127.0.0.1"),
    ("v2-unspecified", version2(1, 0x00, b""), "127.0.0.1"),
    ("v2-with-extensions", version2(1, 0x11, ipv4("203.0.113.7", 1) + b"\x04\0\x05hello"), "203.0.113.7"),
]


@pytest.mark.parametrize("header, address", [pytest.param(*row[1:], id=row[0]) for row in ACCEPTED])
def test_address_of_the_header_is_the_client(gateway, origin, header, address):
    with gateway.client() as client:
        client.send(header + REQUEST)
        assert client.response().status == 200
    assert origin.last.value("x-forwarded-for") == address


def test_address_holds_for_every_request_of_the_connection(gateway, origin):
    with gateway.client() as client:
        client.send(ACCEPTED[0][1])
        for _ in range(3):
            assert client.exchange("GET", "/").status == 200
    assert [request.value("x-forwarded-for") for request in origin.requests] == ["203.0.113.7"] * 3


@pytest.mark.parametrize("header", [ACCEPTED[0][1], ACCEPTED[4][1]], ids=["v1", "v2"])
def test_header_that_arrives_byte_by_byte(gateway, origin, header):
    with gateway.client() as client:
        for byte in header + REQUEST:
            client.send(bytes([byte]))
        assert client.response().status == 200
    assert origin.last.value("x-forwarded-for") == "203.0.113.7"


REFUSED = [
    ("missing", REQUEST),
    ("v1-lower-case", b"proxy TCP4 203.0.113.7 192.0.2.1 1 2\r\n" + REQUEST),
    ("v1-family-unknown", b"PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n" + REQUEST),
    ("v1-address-malformed", b"PROXY TCP4 203.0.113.777 192.0.2.1 1 2\r\n" + REQUEST),
    ("v1-address-of-other-family", b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n" + REQUEST),
    ("v1-port-too-large", b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 2\r\n" + REQUEST),
    ("v1-port-missing", b"PROXY TCP4 203.0.113.7 192.0.2.1 1\r\n" + REQUEST),
    ("v1-two-spaces", b"PROXY  TCP4 203.0.113.7 192.0.2.1 1 2\r\n" + REQUEST),
    ("v1-line-feed-alone", b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\n" + REQUEST),
    ("v1-without-end", b"PROXY TCP4 " + b"1" * 200),
    ("v2-version-3", SIGNATURE + b"\x31\x11\0\x0c" + ipv4("203.0.113.7", 1) + REQUEST),
    ("v2-command-unknown", SIGNATURE + b"\x2f\x11\0\x0c" + ipv4("203.0.113.7", 1) + REQUEST),
    ("v2-addresses-too-short", version2(1, 0x11, b"\xcb\0") + REQUEST),
    ("v2-signature-damaged", b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c" + ipv4("203.0.113.7", 1) + REQUEST),
    ("v2-too-long", SIGNATURE + b"\x21\x11\xff\xff" + bytes(65_535)),
]


@pytest.mark.parametrize("data", [pytest.param(row[1], id=row[0]) for row in REFUSED])
def test_connection_without_a_good_header_is_closed_without_a_word(gateway, origin, data):
    with gateway.client() as client:
        try:
            client.send(data)
        except ConnectionError:
            pass
        client.expect_end()
    assert origin.requests == []
    gateway.check_health()


def test_header_that_does_not_come_in_time_closes(gateway):
    with gateway.client() as client:
        client.send(b"PROXY TCP4 203.")
        client.expect_end()


def test_listener_without_the_protocol_refuses_the_header(gateway, origin):
    gateway_port, gateway.port = gateway.port, gateway.plain_port
    try:
        with gateway.client() as client:
            client.send(ACCEPTED[0][1] + REQUEST)
            assert client.response().status == 400
    except ConnectionEnded as error:
        raise AssertionError("closed without a status") from error
    finally:
        gateway.port = gateway_port
    assert origin.requests == []
