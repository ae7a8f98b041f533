"""Origins in trouble, and clients that leave: the right status, the worker goes on, and nothing leaks.

Other faults are in files of their own: test_faults_*.py; docs/faults.md lists them all.
"""

import contextlib
import os
import signal
import subprocess

import pytest

from support.balance import Balance
from support.client import Client
from support.gateway import service
from support.http import ConnectionEnded, ProtocolViolation
from support.origin import early_answer
from support.programs import find_program

SHORT = {"connect": "200ms", "response": "300ms", "idle": "300ms"}


@pytest.fixture
def good(scenario):
    return scenario.origin(name="good")


@pytest.fixture
def start(scenario, good):
    """A gateway with a troubled service, and a good one that must not notice."""
    def with_trouble(origin, **options):
        return scenario.gateway(
            [service("trouble", origin, retries="off", ejection="off", timeouts=SHORT), service("good", good)],
            [{"name": "trouble", "hosts": ["trouble.test"], "service": "trouble"}, {"name": "good", "service": "good"}],
            **options)
    return with_trouble


def outcomes(gateway, count, **options) -> set:
    """What so many requests to the troubled service come to: statuses, or how they were cut off."""
    seen = set()
    for _ in range(count):
        with gateway.client() as client:
            try:
                seen.add(client.exchange("GET", "/", host="trouble.test", **options).status)
            except (ConnectionEnded, ProtocolViolation):
                seen.add("cut off")
    return seen


def closing(exchange):
    exchange.read_body()
    exchange.close()


def resetting(exchange):
    exchange.read_body()
    exchange.reset()


def silent(exchange):
    exchange.wait_for_end()


def half_a_head(exchange):
    exchange.read_body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.close()


def half_a_body(exchange):
    exchange.read_body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000)
    exchange.close()


def half_a_body_and_reset(exchange):
    exchange.read_body()
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    exchange.reset()


def half_a_body_and_silence(exchange):
    exchange.read_body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000)
    exchange.wait_for_end()


@pytest.mark.parametrize("answer, outcome", [
    (closing, 502), (resetting, 502), (silent, 504), (half_a_head, 502),
    (early_answer(b"SSH-2.0-OpenSSH_9.2\r\n"), 502), (half_a_body, "cut off"), (half_a_body_and_reset, "cut off"),
    (half_a_body_and_silence, "cut off"),
], ids=["closes", "resets", "never-answers", "half-a-head", "speaks-ssh", "half-a-body", "half-a-body-and-reset",
        "half-a-body-and-silence"])
def test_origin_in_trouble(scenario, start, answer, outcome):
    gateway = start(scenario.origin(answer))
    balance = Balance(gateway)
    assert outcomes(gateway, 8) == {outcome}
    balance.check()


def test_origin_that_is_not_there(scenario, start):
    gateway = start(scenario.dead_port())
    balance = Balance(gateway)
    assert outcomes(gateway, 20) == {502}
    balance.check()


def test_full_accept_queue(scenario, start):
    gateway = start(scenario.full_queue())
    balance = Balance(gateway)
    assert outcomes(gateway, 4) == {504}
    balance.check()


def test_origin_killed_in_the_middle_of_a_response_and_started_again(scenario, start, good):
    nginx = scenario.nginx("location /slow { limit_rate 20k; }")
    (nginx.folder / "slow").write_bytes(b"x" * 1_000_000)
    gateway = start(nginx)
    balance = Balance(gateway)
    with gateway.client() as client:
        client.request("GET", "/slow", host="trouble.test")
        assert client.head().value("content-length") == "1000000"
        assert client.read_some()
        kill_family(nginx)
        with pytest.raises(ConnectionEnded):
            client.read_exactly(999_999)
    assert outcomes(gateway, 5) == {502}
    balance.check()
    replacement = scenario.origin(name="replacement", port=nginx.port)
    assert outcomes(gateway, 3) == {200} and len(replacement.requests) == 3


def kill_family(nginx) -> None:
    """nginx's master, and the workers that are its children."""
    with open(f"/proc/{nginx.pid}/task/{nginx.pid}/children", encoding="ascii") as file:
        children = file.read().split()
    nginx.process.kill()
    for child in children:
        # One may have ended with its master.
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    nginx.process.wait()


def test_clients_that_leave_at_every_stage(scenario, start):
    origin = scenario.origin(lambda exchange: exchange.respond(200, b"x" * 200_000))
    gateway = start(origin)
    balance = Balance(gateway)
    stages = [b"", b"GET", b"GET / HTTP/1.1\r\nHost: trouble.test\r\n", b"GET / HTTP/1.1\r\nHost: trouble.test\r\n\r\n",
              b"POST / HTTP/1.1\r\nHost: trouble.test\r\nContent-Length: 100\r\n\r\n12345",
              b"POST / HTTP/1.1\r\nHost: trouble.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"]
    for stage in stages:
        for leave in (Client.close, Client.reset):
            for _ in range(5):
                client = gateway.client()
                client.send(stage)
                leave(client)
    balance.check()


def test_client_that_leaves_while_the_connection_is_made(scenario, start):
    gateway = start(scenario.full_queue())
    balance = Balance(gateway)
    for _ in range(5):
        client = gateway.client()
        client.request("GET", "/", host="trouble.test")
        client.close()
    balance.check()


def test_load_from_wrk_leaves_nothing_behind(scenario, start):
    gateway = start(scenario.nginx(), workers=2)
    balance = Balance(gateway)
    load(gateway)
    buffers = gateway.metrics().sum("penstock_buffers_lent")
    balance.check()
    load(gateway)
    # Buffers are kept for the next request; the same load again needs few more, however it falls on the workers.
    assert gateway.metrics().sum("penstock_buffers_lent") <= buffers * 1.5
    balance.check()


def load(gateway) -> None:
    """A second of requests over 50 connections."""
    program = find_program("wrk")
    assert program, "wrk is not installed: scripts/bootstrap test"
    result = subprocess.run(
        [program, "-t1", "-c50", "-d1s", "-H", "Host: trouble.test", f"http://{gateway.address}/small"],
        capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    assert "Non-2xx" not in result.stdout and "Socket errors" not in result.stdout, result.stdout
