"""Bodies of several gigabytes pass in constant memory, with back-pressure in both directions."""

import os
import socket
import threading

import pytest

from support.client import Client
from support.gateway import service
from support.waiting import wait_until

MEBIBYTE = 1 << 20
# 10 GB takes too long for every run: PENSTOCK_HUGE_BODY=1 asks for it.
SIZE = 10_000 * MEBIBYTE if os.environ.get("PENSTOCK_HUGE_BODY") else 2_000 * MEBIBYTE
GROWTH_MAX = 16 * MEBIBYTE
BLOCK = bytes(MEBIBYTE)


@pytest.fixture
def gateway_for(scenario):
    def start(answer):
        origin = scenario.origin(answer)
        gateway = scenario.gateway([service("app", origin)])
        assert gateway.get("/warm").status == 200
        return gateway
    return start


def drop(connection: socket.socket, count: int) -> None:
    """Receives exactly that many bytes and forgets them."""
    view = memoryview(bytearray(4 * MEBIBYTE))
    while count > 0:
        received = connection.recv_into(view, min(count, len(view)))
        assert received, f"the connection ended {count} bytes early"
        count -= received


def constant_memory(gateway, transfer) -> None:
    gateway.forget_memory_peak()
    before = gateway.memory("VmRSS")
    transfer()
    assert gateway.memory("VmHWM") - before < GROWTH_MAX


def test_response_of_several_gigabytes_passes_in_constant_memory(gateway_for):
    def answer(exchange):
        if exchange.request.target == "/warm":
            return exchange.respond()
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // MEBIBYTE):
            exchange.send(BLOCK)

    gateway = gateway_for(answer)

    def download() -> None:
        with gateway.client(seconds=120) as client:
            client.request("GET", "/large")
            assert client.head().value("content-length") == str(SIZE)
            drop(client.socket, SIZE - len(client.buffer))

    constant_memory(gateway, download)


def test_request_of_several_gigabytes_passes_in_constant_memory(gateway_for):
    def answer(exchange):
        if exchange.request.target == "/warm":
            return exchange.respond()
        assert exchange.request.value("content-length") == str(SIZE)
        exchange.socket.settimeout(120)
        drop(exchange.socket, SIZE - len(exchange.buffer))
        exchange.buffer.clear()
        exchange.request.is_complete = True
        exchange.respond(200, "received")

    gateway = gateway_for(answer)

    def upload() -> None:
        with gateway.client(seconds=120) as client:
            client.request("POST", "/large", f"Content-Length: {SIZE}")
            for _ in range(SIZE // MEBIBYTE):
                client.send(BLOCK)
            assert client.response().text == "received"

    constant_memory(gateway, upload)


def test_slow_client_holds_the_origin_back(gateway_for):
    sent = 0

    def answer(exchange):
        nonlocal sent
        if exchange.request.target == "/warm":
            return exchange.respond()
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MEBIBYTE))
        for _ in range(200):
            exchange.send(BLOCK)
            sent += 1

    gateway = gateway_for(answer)
    with Client(gateway.port, seconds=60, receive_buffer=65_536) as client:
        client.request("GET", "/large")
        client.head()
        held_back = wait_until_steady(lambda: sent)
        assert held_back < 50, "the gateway takes what nobody reads"
        drop(client.socket, 200 * MEBIBYTE - len(client.buffer))
    # The last block may be here before the origin's thread has counted it.
    wait_until(lambda: sent == 200, "the origin counts its last block")


def test_slow_origin_holds_the_client_back(gateway_for):
    go_on = threading.Event()

    def answer(exchange):
        if exchange.request.target == "/warm":
            return exchange.respond()
        assert go_on.wait(30)
        drop(exchange.socket, 200 * MEBIBYTE - len(exchange.buffer))
        exchange.buffer.clear()
        exchange.request.is_complete = True
        exchange.respond(200, "received")

    gateway = gateway_for(answer)
    with gateway.client(seconds=60) as client:
        client.request("POST", "/large", f"Content-Length: {200 * MEBIBYTE}")
        sent = 0

        def send() -> None:
            nonlocal sent
            for _ in range(200):
                client.send(BLOCK)
                sent += 1

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert wait_until_steady(lambda: sent) < 50, "the gateway takes what nobody reads"
        go_on.set()
        assert client.response().text == "received"
        sender.join(30)
    assert sent == 200


def wait_until_steady(count) -> int:
    """The count when it has not changed for 50 polls."""
    last, since = -1, 0

    def steady() -> bool:
        nonlocal last, since
        since = since + 1 if count() == last else 0
        last = count()
        return last > 0 and since >= 50

    wait_until(steady, "the transfer comes to a halt", 30)
    return last
