"""WebSocket over HTTP/2 by extended CONNECT (RFC 8441), to origins of HTTP/1.1."""

import signal

import pytest

from support import http2_frames as h2
from support.gateway import route, service
from support.http2 import StreamReset
from support.waiting import wait_until
from support.websocket import BINARY, CLOSE, PING, PONG, TEXT, HTTP2WebSocket


@pytest.fixture(scope="module")
def origin(shared):
    return shared.websocket_origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin)])


@pytest.fixture
def client(gateway):
    with gateway.http2() as client:
        assert client.wait_for_settings()[h2.ENABLE_CONNECT_PROTOCOL] == 1
        yield client
    gateway.check_health()


def test_messages_are_echoed(client):
    websocket = HTTP2WebSocket(client)
    websocket.accept()
    for opcode, payload in ((TEXT, b"hello"), (BINARY, b""), (BINARY, bytes(range(256)) * 1_000)):
        websocket.send(opcode, payload)
        frame = websocket.receive()
        assert (frame.opcode, frame.payload) == (opcode, payload)


def test_pings_pass(client):
    websocket = HTTP2WebSocket(client)
    websocket.accept()
    websocket.send(PING, b"are you?")
    assert (frame := websocket.receive()).opcode == PONG and frame.payload == b"are you?"


def test_answer_is_200_without_fields_of_the_connection(client):
    websocket = HTTP2WebSocket(client)
    response = client.wait_for_head(websocket.number)  # which refuses connection and upgrade
    assert response.status == 200 and not response.has("sec-websocket-accept")


def test_streams_and_websockets_share_a_connection(gateway, shared, origin):
    plain = shared.origin()
    both = shared.gateway(
        [service("sockets", origin), service("plain", plain)],
        [route("sockets", "sockets", match=[{"path": "/socket"}]), route("plain", "plain")])
    with both.http2() as client:
        client.wait_for_settings()
        websockets = [HTTP2WebSocket(client, "/socket") for _ in range(10)]
        for number, websocket in enumerate(websockets):
            websocket.accept()
            websocket.send(TEXT, b"%d" % number)
        assert client.exchange().status == 200
        assert [websocket.receive().payload for websocket in websockets] == [b"%d" % n for n in range(10)]


def test_close_ends_the_stream(client):
    websocket = HTTP2WebSocket(client)
    websocket.accept()
    websocket.send(CLOSE, b"\x0f\xa1done")
    assert websocket.receive().close_code == 4_001
    client.send(h2.frame(h2.DATA, h2.END_STREAM, websocket.number))
    stream = client.streams[websocket.number]
    client.pump(lambda: stream.is_ended or stream.reset is not None, "the stream ends")
    client.ping()


def test_reset_ends_the_origins_connection(scenario):
    origin = scenario.websocket_origin()
    gateway = scenario.gateway([service("app", origin)])
    with gateway.http2() as client:
        client.wait_for_settings()
        websocket = HTTP2WebSocket(client)
        websocket.accept()
        client.reset(websocket.number)
        origin.wait_for_end()
        assert origin.close_codes == [1_006]
        client.ping()


def test_handshake_for_the_origin_is_the_gateways(scenario):
    """RFC 8441 section 5: Sec-WebSocket-Key and -Accept have no part in HTTP/2, the origin's needs them."""
    seen = scenario.origin(lambda exchange: exchange.respond(403, "no"))
    gateway = scenario.gateway([service("app", seen, ejection="off")])
    with gateway.http2() as client:
        client.wait_for_settings()
        websocket = HTTP2WebSocket(client, "/chat?room=1", ("origin", "https://example.test"),
                                   ("sec-websocket-protocol", "chat"))
        assert client.response(websocket.number).status == 403
    request = seen.last
    assert (request.method, request.target) == ("GET", "/chat?room=1")
    assert request.value("upgrade") == "websocket" and request.value("connection").lower() == "upgrade"
    assert request.value("sec-websocket-version") == "13" and len(request.value("sec-websocket-key")) == 24
    assert request.value("sec-websocket-protocol") == "chat" and request.value("host") == "example.test"
    assert not request.has("content-length") and not request.has("transfer-encoding")


@pytest.mark.parametrize("accept", [None, "bm90IHRoZSByaWdodCBvbmUuLi4="])
def test_wrong_accept_is_502(scenario, accept):
    """RFC 6455 section 4.1: towards the origin the gateway is the client, and has to check it."""
    def answer(exchange):
        field = f"Sec-WebSocket-Accept: {accept}\r\n" if accept else ""
        exchange.send(f"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{field}\r\n".encode())
        exchange.wait_for_end()

    gateway = scenario.gateway([service("app", scenario.origin(answer), retries="off", ejection="off")])
    with gateway.http2() as client:
        client.wait_for_settings()
        websocket = HTTP2WebSocket(client)
        assert client.wait_for_head(websocket.number).status == 502


@pytest.mark.parametrize("routes, protocol", [
    (None, "other"), ([route("all", "app", upgrades=[])], "websocket")])
def test_protocol_that_is_not_allowed(shared, routes, protocol):
    """RFC 9220 and RFC 8441 leave the status open; 501 says that the protocol is not known here."""
    plain = shared.origin()
    gateway = shared.gateway([service("app", plain)], routes)
    with gateway.http2() as client:
        client.wait_for_settings()
        websocket = HTTP2WebSocket(client, protocol=protocol)
        try:
            assert client.wait_for_head(websocket.number).status in (400, 403, 404, 405, 501)
        except StreamReset as error:
            assert error.code == h2.PROTOCOL_ERROR
        client.ping()
    assert plain.requests == []


def test_back_pressure_reaches_the_origin(gateway):
    """A client that does not read stops its own stream only."""
    with gateway.http2(keeps_windows=True, seconds=30) as client:
        client.wait_for_settings()
        client.give_window(0, 10_000_000)
        stalled, live = HTTP2WebSocket(client), HTTP2WebSocket(client)
        stalled.accept()
        live.accept()
        for _ in range(8):
            stalled.send(BINARY, b"x" * 16_000)
        stream = client.streams[stalled.number]
        client.pump(lambda: len(stream.body) == h2.DEFAULT_WINDOW, "the window is used up")
        live.send(TEXT, b"still here")
        assert live.receive().payload == b"still here"
        client.give_window(stalled.number, 1_000_000)
        assert all(len(stalled.receive().payload) == 16_000 for _ in range(8))


def test_drain_closes_in_order(scenario):
    origin = scenario.websocket_origin()
    gateway = scenario.gateway([service("app", origin)], http={"timeouts": {"drain": "20s"}})
    with gateway.http2() as client:
        client.wait_for_settings()
        websocket = HTTP2WebSocket(client)
        websocket.accept()
        websocket.send(TEXT, b"before")
        assert websocket.receive().payload == b"before"
        gateway.was_ended = True
        gateway.signal(signal.SIGTERM)
        assert client.expect_goaway() == h2.NO_ERROR
        frame = websocket.receive()
        assert frame.opcode == CLOSE and frame.close_code == 1_001
        websocket.send(CLOSE, b"\x03\xe9")
        client.send(h2.frame(h2.DATA, h2.END_STREAM, websocket.number))
        client.expect_end()
    assert gateway.wait_for_end() == 0
    wait_until(lambda: origin.close_codes != [], "the origin's connection has ended")
