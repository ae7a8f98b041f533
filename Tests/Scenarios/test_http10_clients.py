"""Clients of HTTP/1.0, for whom the end of the connection is the end of the content."""

import threading

import pytest

from support.gateway import service

REQUEST = b"GET / HTTP/1.0\r\nHost: example.test\r\n\r\n"
PIECE = b"5\r\nhello\r\n"


@pytest.mark.parametrize("further", [b"", REQUEST], ids=["silent", "sends-more"])
@pytest.mark.parametrize("framing", [b"Content-Type: text/plain", b"Transfer-Encoding: chunked"],
                         ids=["until-close", "chunked"])
def test_response_cut_short_ends_with_a_reset(scenario, framing, further):
    may_reset = threading.Event()

    def cut_short(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + PIECE)
        assert may_reset.wait(10)
        exchange.reset()

    origin = scenario.origin(cut_short)
    gateway = scenario.gateway([service("app", origin, retries="off", ejection="off")])
    with gateway.client() as client:
        client.send(REQUEST)
        received = b""
        while b"hello" not in received:
            received += client.socket.recv(4_096)
        client.socket.sendall(further)
        may_reset.set()
        with pytest.raises(ConnectionResetError):
            while client.socket.recv(4_096):
                pass
