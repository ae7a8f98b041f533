"""Clients of HTTP/2 that break the protocol or abuse it: each is told why, and the others do not feel it."""

import os
import struct
import threading

import pytest

from support import http2_frames as h2
from support.gateway import service
from support.http import ConnectionEnded
from support.http2 import HTTP2Client, Stream
from support.waiting import wait_until


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin)])


@pytest.fixture(scope="module")
def bystander(gateway):
    """Another client's connection, which has to live through all of this."""
    with gateway.http2() as client:
        yield client


@pytest.fixture
def client(gateway, bystander, origin):
    origin.forget()
    with gateway.http2() as client:
        client.wait_for_settings()
        yield client
    bystander.expect_open()
    gateway.check_health()


def expect_connection_error(client, *codes) -> None:
    """GOAWAY with one of these codes, then the end (RFC 9113 section 5.4.1)."""
    try:
        code = client.expect_goaway()
    except ConnectionEnded:
        raise AssertionError("the connection ended without GOAWAY") from None
    assert code in codes, client.goaway
    client.expect_end()


def send_until_end(client, pieces) -> None:
    """Sends until all is sent or the gateway has closed."""
    try:
        for piece in pieces:
            client.send(piece)
    except OSError:
        pass


def setting(name, value) -> bytes:
    return h2.settings_frame({name: value})


# What is sent on stream 1 or the connection, and the error that RFC 9113 asks for.
PROTOCOL, SIZE, FLOW, COMPRESSION, CLOSED = (
    h2.PROTOCOL_ERROR, h2.FRAME_SIZE_ERROR, h2.FLOW_CONTROL_ERROR, h2.COMPRESSION_ERROR, h2.STREAM_CLOSED)
CONNECTION_ERRORS = {
    "section 4.2: frame above SETTINGS_MAX_FRAME_SIZE": (h2.frame(h2.DATA, 0, 1, b"x" * 16_385), SIZE),
    "section 4.3: header block that cannot be decoded": (h2.frame(h2.HEADERS, 5, 1, b"\xff" * 20), COMPRESSION),
    "section 4.3: index beyond the tables": (h2.frame(h2.HEADERS, 5, 1, b"\xfe"), COMPRESSION),
    "RFC 7541 section 2.3.3: index 0": (h2.frame(h2.HEADERS, 5, 1, b"\x80"), COMPRESSION),
    "RFC 7541 section 5.2: EOS in a Huffman string": (
        h2.frame(h2.HEADERS, 5, 1, b"\x00\x84\xff\xff\xff\xff\x01a"), COMPRESSION),
    "RFC 7541 section 5.2: padding of more than 7 bits": (
        h2.frame(h2.HEADERS, 5, 1, b"\x00\x82\x1f\xff\x01a"), COMPRESSION),
    "RFC 7541 section 6.3: table size above what was announced": (
        h2.frame(h2.HEADERS, 5, 1, b"\x3f\xe1\xff\x03\x82"), COMPRESSION),
    "RFC 7541 section 4.2: table size after a field": (h2.frame(h2.HEADERS, 5, 1, b"\x82\x20"), COMPRESSION),
    "RFC 7541 section 5.1: integer that never ends": (
        h2.frame(h2.HEADERS, 5, 1, b"\xff" + b"\x80" * 30), COMPRESSION),
    "section 5.1: DATA on an idle stream": (h2.frame(h2.DATA, 1, 1, b"x"), PROTOCOL),
    "section 5.1: RST_STREAM on an idle stream": (h2.reset_frame(1, 0), PROTOCOL),
    "section 5.1: WINDOW_UPDATE on an idle stream": (h2.window_update(1, 1), PROTOCOL),
    "section 5.1.1: stream of an even number": (h2.frame(h2.HEADERS, 5, 2, b"\x82\x86\x84\x41\x01a"), PROTOCOL),
    "section 6.1: DATA on stream 0": (h2.frame(h2.DATA, 0, 0, b"x"), PROTOCOL),
    "section 6.2: HEADERS on stream 0": (h2.frame(h2.HEADERS, 5, 0, b"\x82"), PROTOCOL),
    "section 6.2: more padding than payload": (
        h2.frame(h2.HEADERS, 5 | h2.PADDED, 1, b"\xff\x82"), PROTOCOL),
    "section 6.3: PRIORITY on stream 0": (h2.frame(h2.PRIORITY, 0, 0, b"\0\0\0\0\0"), PROTOCOL),
    "section 6.4: RST_STREAM on stream 0": (h2.reset_frame(0, 0), PROTOCOL),
    "section 6.4: RST_STREAM of another size": (h2.frame(h2.RST_STREAM, 0, 1, b"\0\0\0"), SIZE),
    "section 6.5: SETTINGS on a stream": (h2.frame(h2.SETTINGS, 0, 1), PROTOCOL),
    "section 6.5: SETTINGS of another size": (h2.frame(h2.SETTINGS, 0, 0, b"\0\0\0\0\0"), SIZE),
    "section 6.5: acknowledgement with a payload": (h2.frame(h2.SETTINGS, h2.ACK, 0, b"\0\1\0\0\0\0"), SIZE),
    "section 6.5.2: ENABLE_PUSH of 2": (setting(h2.ENABLE_PUSH, 2), PROTOCOL),
    "section 6.5.2: window above 2^31-1": (setting(h2.INITIAL_WINDOW_SIZE, 1 << 31), FLOW),
    "section 6.5.2: frame size below 16384": (setting(h2.MAX_FRAME_SIZE, 16_383), PROTOCOL),
    "section 6.5.2: frame size above 2^24-1": (setting(h2.MAX_FRAME_SIZE, 1 << 24), PROTOCOL),
    "section 6.6: PUSH_PROMISE from a client": (h2.frame(h2.PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"), PROTOCOL),
    "section 6.7: PING on a stream": (h2.frame(h2.PING, 0, 1, b"x" * 8), PROTOCOL),
    "section 6.7: PING of another size": (h2.frame(h2.PING, 0, 0, b"x" * 7), SIZE),
    "section 6.8: GOAWAY on a stream": (h2.frame(h2.GOAWAY, 0, 1, b"\0" * 8), PROTOCOL),
    "section 6.8: GOAWAY that is too short": (h2.frame(h2.GOAWAY, 0, 0, b"\0" * 7), SIZE),
    "section 6.9: WINDOW_UPDATE of 0 for the connection": (h2.window_update(0, 0), PROTOCOL),
    "section 6.9: WINDOW_UPDATE of another size": (h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\0\0\1"), SIZE),
    "section 6.9.1: connection's window above 2^31-1": (h2.window_update(0, 0x7FFFFFFF), FLOW),
    "section 6.10: CONTINUATION without HEADERS": (h2.frame(h2.CONTINUATION, 4, 1, b"\x82"), PROTOCOL),
    "section 6.10: another frame inside a header block": (
        h2.frame(h2.HEADERS, 1, 1, b"\x82") + h2.frame(h2.PING, 0, 0, b"x" * 8), PROTOCOL),
    "section 6.10: CONTINUATION of another stream": (
        h2.frame(h2.HEADERS, 1, 1, b"\x82") + h2.frame(h2.CONTINUATION, 4, 3, b"\x84"), PROTOCOL),
}


@pytest.mark.parametrize("rule", CONNECTION_ERRORS)
def test_connection_errors(client, origin, rule):
    data, code = CONNECTION_ERRORS[rule]
    client.streams.update({number: Stream() for number in (1, 2, 3)})
    client.send(data)
    expect_connection_error(client, code)
    assert origin.requests == []


class TestPreface:
    @pytest.mark.parametrize("data", [
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + b"\0" * 30,
        h2.PREFACE + h2.frame(h2.PING, 0, 0, b"x" * 8),  # section 3.4: SETTINGS come first
        h2.PREFACE + h2.frame(h2.HEADERS, 5, 1, b"\x82\x84\x86"),
    ])
    def test_wrong_preface_ends_the_connection(self, gateway, bystander, data):
        with gateway.http2(begins=False) as client:
            client.send(data)
            drain(client)
        bystander.expect_open()

    def test_preface_byte_by_byte(self, gateway):
        with gateway.http2(begins=False) as client:
            for byte in h2.PREFACE + h2.settings_frame({}):
                client.send(bytes([byte]))
            client.expect_open()

    def test_frames_byte_by_byte(self, client):
        number = client.new_stream()
        for byte in h2.frame(h2.HEADERS, 5, number, client.block(client.head())):
            client.send(bytes([byte]))
        assert client.response(number).status == 200

    def test_any_split_of_the_bytes(self, gateway):
        for size in (2, 3, 7, 10, 11, 24, 25, 33):
            with gateway.http2(begins=False) as client:
                number = client.new_stream()
                data = (h2.PREFACE + h2.settings_frame({}) + h2.frame(
                    h2.HEADERS, 4, number, client.block(client.head("POST", "/"))) +
                    h2.frame(h2.DATA, 1, number, b"content"))
                for start in range(0, len(data), size):
                    client.send(data[start:start + size])
                assert client.response(number).status == 200


class TestStreamErrors:
    """The stream is reset, and the connection goes on (section 5.4.2)."""

    def test_window_of_a_stream_above_the_limit(self, client, origin):
        held = threading.Event()
        origin.answer = lambda exchange: (held.wait(10), exchange.respond())
        number = client.request()
        client.send(h2.window_update(number, 0x7FFFFFFF))
        assert client.expect_reset(number) == FLOW
        held.set()
        origin.forget()
        client.expect_open()

    def test_window_update_of_zero(self, client, origin):
        number = client.open(client.head("POST", "/"), end=False)
        client.send(h2.window_update(number, 0))
        assert client.expect_reset(number) == PROTOCOL
        client.expect_open()

    def test_stream_that_depends_on_itself_is_no_matter(self, client):
        """Section 5.3.2: the old priorities are not used; a self-dependency may be an error of the stream."""
        client.send(h2.frame(h2.PRIORITY, 0, 1, struct.pack(">IB", 1, 10)))
        client.ping()

    def test_data_after_the_end_of_the_request(self, client, origin):
        held = threading.Event()
        origin.answer = lambda exchange: (held.wait(10), exchange.respond())
        number = client.request()
        client.send(h2.frame(h2.DATA, h2.END_STREAM, number, b"more"))
        assert client.expect_reset(number) == CLOSED
        held.set()
        origin.forget()
        client.expect_open()

    def test_headers_after_the_end_of_both_is_an_error_of_the_connection(self, client):
        number = client.request()
        client.response(number)
        client.send(h2.frame(h2.HEADERS, 5, number, client.block(client.head())))
        expect_connection_error(client, CLOSED)

    def test_number_below_the_last_is_an_error_of_the_connection(self, client):
        """Section 5.1.1."""
        client.new_stream()
        client.exchange()  # stream 3
        client.send(h2.frame(h2.HEADERS, 5, 1, client.block(client.head())))
        expect_connection_error(client, PROTOCOL, CLOSED)

    def test_what_crosses_a_reset_is_passed_over(self, client, origin):
        """Section 5.1: frames on a stream that the gateway or the client has just reset are no error."""
        number = client.open(client.head("POST", "/", ("x y", "malformed")), end=False)
        client.send(h2.frame(h2.DATA, 0, number, b"x" * 1_000), h2.window_update(number, 5),
                    h2.frame(h2.DATA, h2.END_STREAM, number, b"x"))
        client.reset(number)
        client.expect_open()

    def test_unknown_frames_flags_and_settings_are_passed_over(self, client):
        """Sections 4.1, 5.5 and 6.5.2."""
        client.send(h2.frame(0xEE, 0xFF, 0, b"unknown"), h2.frame(0xEE, 0xFF, 7, b"unknown"),
                    h2.settings_frame({0xFFEE: 7}), h2.frame(h2.PING, 0xFE, 0, b"12345678"))
        client.expect_open()

    def test_priorities_of_rfc_9218_do_no_harm(self, client, origin):
        """PRIORITY_UPDATE may come before its stream (RFC 9218 section 7.1), and `priority` is a field."""
        client.send(h2.frame(0x10, 0, 0, struct.pack(">I", 3) + b"u=1, i"))
        assert client.exchange("GET", "/", ("priority", "u=5")).status == 200
        assert origin.last.value("priority") == "u=5"
        client.expect_open()

    def test_content_beyond_the_connections_window(self, gateway, bystander, origin):
        release = threading.Event()
        origin.answer = lambda exchange: (release.wait(10), exchange.respond(200))
        with gateway.http2() as client:
            client.wait_for_settings()
            number = client.open(client.head("POST", "/"), end=False)
            send_until_end(client, (h2.frame(h2.DATA, 0, number, b"x" * 16_384) for _ in range(1_000)))
            client.pump(lambda: client.streams[number].reset is not None or client.goaway, "an error")
            code = client.streams[number].reset if client.streams[number].reset is not None else (
                client.goaway.error)
            assert code == FLOW
        release.set()
        origin.forget()
        bystander.expect_open()


class TestFloods:
    """More of something than any use has: GOAWAY, mostly with ENHANCE_YOUR_CALM."""

    @pytest.fixture
    def calm(self, client):
        """Sends a flood, reads nothing meanwhile, and expects to be told."""
        def flood(pieces):
            reader = threading.Thread(target=drain, args=(client,), daemon=True)
            reader.start()
            send_until_end(client, pieces)
            reader.join(20)
            assert client.goaway is not None, "the flood is served without end"
            assert client.goaway.error in (h2.ENHANCE_YOUR_CALM, PROTOCOL), client.goaway
        return flood

    def test_rapid_reset(self, client, calm, origin):
        """CVE-2023-44487: requests that are cancelled at once."""
        def pieces():
            for _ in range(20_000):
                number = client.new_stream()
                yield h2.frame(h2.HEADERS, 5, number, client.block(client.head())) + h2.reset_frame(number, 8)
        calm(pieces())
        assert len(origin.requests) < 5_000

    def test_resets_that_the_client_provokes(self, client, calm):
        """CVE-2025-8671: each request is made such that the gateway has to reset it."""
        def pieces():
            for _ in range(20_000):
                number = client.new_stream()
                yield h2.frame(h2.HEADERS, 4, number, client.block(client.head("POST", "/"))) + (
                    h2.window_update(number, 0))
        calm(pieces())

    def test_malformed_requests_without_end(self, client, calm):
        def pieces():
            for _ in range(20_000):
                number = client.new_stream()
                yield h2.frame(h2.HEADERS, 5, number, client.block([*client.head(), ("connection", "x")]))
        calm(pieces())

    def test_continuation_without_end(self, client, calm):
        """CVE-2024-27316."""
        def pieces():
            yield h2.frame(h2.HEADERS, 1, 1, client.block(client.head()))
            client.streams[1] = Stream()
            for _ in range(100_000):
                yield h2.frame(h2.CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100)
        calm(pieces())

    def test_empty_continuations_without_end(self, client, calm):
        def pieces():
            yield h2.frame(h2.HEADERS, 1, 1, client.block(client.head()))
            client.streams[1] = Stream()
            for _ in range(1_000):
                yield h2.frame(h2.CONTINUATION, 0, 1) * 100
        calm(pieces())

    def test_pings_without_end(self, calm):
        calm(h2.frame(h2.PING, 0, 0, struct.pack(">Q", number)) * 10 for number in range(20_000))

    def test_settings_without_end(self, calm):
        calm(h2.settings_frame({h2.INITIAL_WINDOW_SIZE: number}) * 10 for number in range(20_000))

    def test_empty_frames_of_content_without_end(self, client, calm):
        def pieces():
            number = client.new_stream()
            yield h2.frame(h2.HEADERS, 4, number, client.block(client.head("POST", "/")))
            for _ in range(20_000):
                yield h2.frame(h2.DATA, 0, number) * 10
        calm(pieces())

    def test_priorities_without_end(self, calm):
        calm(h2.frame(h2.PRIORITY, 0, 2 * number + 1, struct.pack(">IB", 0, 1)) * 10 for number in range(20_000))

    def test_window_updates_without_end(self, client, calm, origin):
        release = threading.Event()
        origin.answer = lambda exchange: (release.wait(10), exchange.respond())

        def pieces():
            number = client.new_stream()
            yield h2.frame(h2.HEADERS, 5, number, client.block(client.head()))
            for _ in range(20_000):
                yield h2.window_update(0, 1) * 10
        calm(pieces())
        release.set()

    def test_bomb_of_header_fields(self, gateway, client):
        """One large entry of the dynamic table, indexed thousands of times: 4 MB in 1 KB."""
        peak = gateway.memory("VmHWM")
        for _ in range(20):
            number = client.new_stream()
            block = client.block(client.head()) + b"\x40\x01a" + integer(3_900, 7) + b"v" * 3_900 + b"\xbe" * 8_000
            try:
                client.send(h2.frame(h2.HEADERS, 5, number, block))
                client.pump(lambda number=number: client.streams[number].reset is not None or client.goaway or
                            client.streams[number].response, "an answer")
            except (ConnectionEnded, OSError):
                break
            if client.goaway is not None:
                break
            assert client.streams[number].reset is not None or client.streams[number].response.status == 431
        assert gateway.memory("VmHWM") - peak < 32_000_000

    def test_windows_that_stay_shut(self, scenario, origin):
        """A client that asks for much and takes nothing holds neither memory nor an origin for ever."""
        large = scenario.origin(lambda exchange: exchange.respond(200, b"x" * 1_000_000))
        gateway = scenario.gateway([service("app", large)], http={"timeouts": {"send": "300ms"}})
        before = gateway.memory()
        clients = []
        for _ in range(10):
            client = HTTP2Client(gateway.port, settings={h2.INITIAL_WINDOW_SIZE: 0})
            for _ in range(50):
                client.request()
            clients.append(client)
        wait_until(lambda: large.open_connections == 0 and len(large.requests) > 0, "the origin is free again", 20)
        assert gateway.memory() - before < 200_000_000
        with gateway.http2() as other:
            assert len(other.exchange().body) == 1_000_000
        for client in clients:
            client.close()

    def test_settings_that_are_never_acknowledged_do_no_harm(self, gateway, bystander):
        with gateway.http2(begins=False) as client:
            client.send(h2.PREFACE, h2.settings_frame({}))
            bystander.expect_open()


def integer(value: int, bits: int) -> bytes:
    """RFC 7541 section 5.1, with the other bits of the first byte clear."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    value -= limit
    data = bytes([limit])
    while value >= 128:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def drain(client) -> None:
    """Reads to the end of the connection, without sending anything back."""
    try:
        while (found := client.frames.read_frame()) is not None:
            if found.type == h2.GOAWAY and found.error != h2.NO_ERROR:
                client.goaway = found
    except (AssertionError, OSError):
        pass


def test_noise_of_every_kind(gateway, bystander):
    """Random frames: whatever comes of it, the gateway lives, and the others are served."""
    for round_number in range(60):
        with gateway.http2() as client:
            noise = b"".join(
                h2.frame(os.urandom(1)[0] % 12, os.urandom(1)[0], os.urandom(1)[0] % 6, os.urandom(round_number))
                for _ in range(50))
            send_until_end(client, [noise])
            try:
                client.frames.socket.shutdown(1)
            except OSError:
                pass
            drain(client)
    bystander.expect_open()
    gateway.check_health()
