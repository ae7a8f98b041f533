"""WebSocket over HTTP/1.1, with the `websockets` package on both sides."""

import signal
import threading
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.gateway import route, service
from support.http import ConnectionEnded
from support.tls import client_context
from support.waiting import wait_until
from support.websocket import TEXT, encoded, open_websocket

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


@pytest.fixture(scope="module")
def origin(shared):
    return shared.websocket_origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin)])


class TestMessages:
    @pytest.mark.parametrize("message", ["", "hello", "ä" * 200, b"", b"\0\xff" * 60, b"x" * 126, b"x" * 70_000])
    def test_messages_are_echoed(self, gateway, message):
        with open_websocket(gateway.port) as client:
            for _ in range(3):
                client.send(message)
                assert client.recv(timeout=10) == message

    def test_large_message(self, gateway):
        message = bytes(range(256)) * 60_000
        with open_websocket(gateway.port) as client:
            client.send(message)
            assert client.recv(timeout=60) == message

    def test_fragments(self, gateway):
        with open_websocket(gateway.port) as client:
            client.send(iter(["one ", "two ", "three"]))
            assert client.recv(timeout=10) == "one two three"

    def test_compression_is_between_the_ends(self, shared):
        gateway = shared.gateway([service("app", shared.websocket_origin(compression="deflate"))])
        with open_websocket(gateway.port, compression="deflate") as client:
            assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
            client.send("x" * 10_000)
            assert client.recv(timeout=10) == "x" * 10_000

    def test_subprotocol_is_between_the_ends(self, shared):
        origin = shared.websocket_origin(subprotocols=["chat"])
        gateway = shared.gateway([service("app", origin)])
        with open_websocket(gateway.port, subprotocols=["other", "chat"]) as client:
            assert client.subprotocol == "chat"

    def test_pings_pass_both_ways(self, gateway):
        with open_websocket(gateway.port) as client:
            assert client.ping(b"are you?").wait(10)
        with open_websocket(gateway.port, "/ping") as client:
            client.send("after the ping")
            assert client.recv(timeout=10) == "after the ping"

    def test_many_connections_at_once(self, gateway):
        with ExitStack() as ends:
            clients = [ends.enter_context(open_websocket(gateway.port)) for _ in range(100)]
            for number, client in enumerate(clients):
                client.send(f"{number}")
            for number, client in enumerate(clients):
                assert client.recv(timeout=10) == f"{number}"

    def test_by_tls(self, shared, origin):
        authority = shared.authority()
        gateway = shared.gateway([service("app", origin)], tls={}, certificates=[
            authority.issue("example.test").described("example")])
        with open_websocket(gateway.port, ssl=client_context(authority)) as client:
            client.send("hello")
            assert client.recv(timeout=10) == "hello"


class TestEnds:
    def test_close_of_the_client_reaches_the_origin(self, scenario):
        origin = scenario.websocket_origin()
        gateway = scenario.gateway([service("app", origin)])
        with open_websocket(gateway.port) as client:
            client.close(4_001, "done")
        origin.wait_for_end()
        assert origin.close_codes == [4_001] and origin.close_reasons == ["done"]
        wait_until(lambda: gateway.metrics().sum("penstock_connections_active") == 0, "nothing is left")

    def test_close_of_the_origin_reaches_the_client(self, gateway):
        with open_websocket(gateway.port, "/close/4002") as client:
            client.send("x")
            assert client.recv(timeout=10) == "x"
            with pytest.raises(ConnectionClosed) as ended:
                client.recv(timeout=10)
        assert ended.value.rcvd.code == 4_002 and ended.value.rcvd.reason == "as asked"

    def test_client_that_vanishes_ends_the_origins_connection(self, scenario):
        origin = scenario.websocket_origin()
        gateway = scenario.gateway([service("app", origin)])
        with gateway.client() as client:
            client.request("GET", "/", *HANDSHAKE)
            assert client.head().status == 101
            client.send(encoded(TEXT, b"hello"))
            assert client.read_exactly(7) == encoded(TEXT, b"hello", masked=False)
            client.reset()
        origin.wait_for_end()
        assert origin.close_codes == [1_006]

    def test_origin_that_vanishes_ends_the_clients_connection(self, scenario):
        def serve(connection, _):
            connection.recv(65_536)
            connection.sendall(SWITCH)
            connection.recv(65_536)
            connection.close()

        gateway = scenario.gateway([service("app", scenario.raw_origin(serve))])
        with gateway.client() as client:
            client.request("GET", "/", *HANDSHAKE)
            assert client.head().status == 101
            client.send(encoded(TEXT, b"hello"))
            client.expect_end()

    def test_half_that_is_closed_leaves_the_other_open(self, scenario):
        """TCP's halves end on their own: what the origin still has to say arrives."""
        def serve(connection, _):
            connection.recv(65_536)
            connection.sendall(SWITCH)
            while connection.recv(65_536):
                pass
            connection.sendall(b"the rest")
            connection.close()

        gateway = scenario.gateway([service("app", scenario.raw_origin(serve))])
        with gateway.client() as client:
            client.request("GET", "/", *HANDSHAKE)
            assert client.head().status == 101
            client.finish_sending()
            assert client.read_to_end() == b"the rest"

    def test_idle_connection_is_closed(self, scenario):
        origin = scenario.websocket_origin()
        gateway = scenario.gateway([service("app", origin, timeouts={"tunnel": "300ms"})])
        with open_websocket(gateway.port) as client:
            client.send("hello")
            assert client.recv(timeout=10) == "hello"
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=10)
        origin.wait_for_end()

    def test_other_timeouts_do_not_hold_for_it(self, scenario):
        gateway = scenario.gateway(
            [service("app", scenario.websocket_origin(), timeouts={"idle": "100ms", "response": "100ms"})],
            http={"timeouts": {"idle": "100ms", "body": "100ms", "send": "100ms", "head": "100ms"}})
        with open_websocket(gateway.port) as client:
            for _ in range(3):
                threading.Event().wait(0.3)
                client.send("still here")
                assert client.recv(timeout=10) == "still here"

    def test_drain_closes_in_order(self, scenario):
        """Both ends get a close frame with 1001, "going away", and nothing that was sent is lost."""
        origin = scenario.websocket_origin()
        gateway = scenario.gateway([service("app", origin)], http={"timeouts": {"drain": "20s"}})
        with open_websocket(gateway.port) as client:
            client.send("before")
            assert client.recv(timeout=10) == "before"
            gateway.was_ended = True
            gateway.signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as ended:
                client.recv(timeout=10)
            assert ended.value.rcvd is not None and ended.value.rcvd.code == 1_001
        assert gateway.wait_for_end() == 0
        origin.wait_for_end()
        assert origin.close_codes in ([1_001], [1_000])


class TestHandshake:
    def test_fields_of_the_handshake(self, scenario):
        origin = scenario.origin(lambda exchange: (exchange.send(SWITCH), exchange.wait_for_end()))
        gateway = scenario.gateway([service("app", origin)])
        with gateway.client() as client:
            client.request("GET", "/chat?room=1", *HANDSHAKE, "Origin: https://example.test", "Connection: X-Gone",
                           "X-Gone: 1")
            answer = client.head()
            assert answer.status == 101
            assert answer.value("connection").lower() == "upgrade" and answer.value("upgrade") == "websocket"
            assert answer.value("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        seen = origin.last
        assert (seen.method, seen.target) == ("GET", "/chat?room=1")
        assert seen.value("connection").lower() == "upgrade" and seen.value("upgrade") == "websocket"
        assert seen.value("sec-websocket-key") == KEY and seen.value("origin") == "https://example.test"
        assert seen.has("x-forwarded-for") and seen.has("via") and not seen.has("x-gone")

    def test_nothing_passes_before_101(self, scenario):
        """Bytes that follow the handshake at once are not the origin's before it has agreed."""
        seen = []
        agreed = threading.Event()

        def serve(connection, _):
            data = connection.recv(65_536)
            connection.settimeout(0.5)
            try:
                data += connection.recv(65_536)
            except TimeoutError:
                pass
            seen.append(data)
            connection.settimeout(20)
            connection.sendall(SWITCH)
            agreed.set()
            seen.append(connection.recv(65_536))
            connection.close()

        gateway = scenario.gateway([service("app", scenario.raw_origin(serve))])
        frame = encoded(TEXT, b"too early")
        with gateway.client() as client:
            client.request("GET", "/", *HANDSHAKE)
            client.send(frame)
            assert agreed.wait(10) and client.head().status == 101
            wait_until(lambda: len(seen) == 2, "the frame arrives")
        assert seen[0].endswith(b"\r\n\r\n") and seen[1] == frame

    @pytest.mark.parametrize("status", [200, 400, 403, 426, 503])
    def test_refusal_is_a_response_like_any_other(self, scenario, status):
        """What follows is read as HTTP again, and never as a tunnel."""
        origin = scenario.origin(lambda exchange: exchange.respond(status, "no"))
        gateway = scenario.gateway([service("app", origin, retries="off", ejection="off")])
        with pytest.raises(InvalidStatus) as refused:
            open_websocket(gateway.port)
        assert refused.value.response.status_code == status
        with gateway.client() as client:
            assert client.exchange("GET", "/", *HANDSHAKE).body == b"no"

    def test_smuggling_behind_a_refused_handshake(self, scenario):
        """The request behind the handshake goes by the gateway's rules, not into the origin's connection."""
        origin = scenario.origin(lambda exchange: exchange.respond(400, "no"))
        gateway = scenario.gateway(
            [service("app", origin, ejection="off")], [route("public", "app", match=[{"path": "/public"}])])
        with gateway.client() as client:
            client.request("GET", "/public", *HANDSHAKE)
            client.send(b"GET /private HTTP/1.1\r\nHost: example.test\r\n\r\n")
            assert client.response().status == 400
            try:
                assert client.response().status == 404
            except ConnectionEnded:
                pass
        assert {request.target for request in origin.requests} == {"/public"}

    def test_101_that_does_not_fit_is_502(self, scenario):
        for answer in (b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
                       b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"):
            origin = scenario.origin(lambda exchange, answer=answer: (exchange.send(answer), exchange.close()))
            gateway = scenario.gateway([service("app", origin, retries="off", ejection="off")])
            with gateway.client() as client:
                client.request("GET", "/", *HANDSHAKE)
                assert client.head().status == 502

    def test_handshake_that_is_not_answered_is_504(self, scenario):
        origin = scenario.origin(lambda exchange: exchange.wait_for_end())
        gateway = scenario.gateway([service("app", origin, timeouts={"response": "200ms"}, retries="off")])
        with gateway.client() as client:
            client.request("GET", "/", *HANDSHAKE)
            assert client.head().status == 504


class TestOtherUpgrades:
    @staticmethod
    def upgrade(gateway, name):
        with gateway.client() as client:
            client.request("GET", "/", "Connection: Upgrade", f"Upgrade: {name}")
            return client.head()

    @pytest.mark.parametrize("name", ["other", "h2c", "TLS/1.0", "websocket2"])
    def test_they_are_asked_for_in_vain(self, shared, name):
        origin = shared.origin()
        gateway = shared.gateway([service("app", origin)])
        assert self.upgrade(gateway, name).status == 200
        assert not origin.last.has("upgrade") and not origin.last.has("connection")

    def test_route_may_allow_them(self, scenario):
        def answer(exchange):
            exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
            exchange.send(exchange.read_exactly(5)[::-1])
            exchange.close()

        gateway = scenario.gateway(
            [service("app", scenario.origin(answer))], [route("other", "app", upgrades=["other"])])
        with gateway.client() as client:
            client.request("GET", "/", "Connection: Upgrade", "Upgrade: Other")
            assert client.head().status == 101
            client.send(b"12345")
            assert client.read_to_end() == b"54321"

    def test_route_may_forbid_websocket(self, shared, origin):
        plain = shared.origin()
        gateway = shared.gateway([service("app", plain)], [route("all", "app", upgrades=[])])
        with gateway.client() as client:
            assert client.exchange("GET", "/", *HANDSHAKE).status == 200
        assert not plain.last.has("upgrade")
