"""USR2 replaces the process by a new one: nobody is refused, cut off or left without an answer."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support.grpc_peer import GRPCClient
from support.load import Load
from support.ports import free_port, is_listening
from support.programs import find_program, penstock_binary
from support.tls import client_context
from support.upgrades import HTTP1Session, HTTP2Session, is_alive, replace, start
from support.waiting import wait_until
from support.websocket import open_websocket

PAUSE_SECONDS = 0.02


@pytest.fixture
def binary(tmp_path):
    """A copy of the program, which the test may replace."""
    copy = tmp_path / "penstock"
    shutil.copy(penstock_binary(), copy)
    return copy


# Under load


@pytest.mark.parametrize("workers", [1, 2])
def test_http1_under_load(scenario, workers):
    with start(scenario, workers=workers, drain="3s") as line:
        port = line.gateway.port
        with Load(lambda: HTTP1Session(port), lambda client: client.get(), per_connection=1_000_000) as kept, \
                Load(lambda: HTTP1Session(port), lambda client: client.get(), per_connection=1) as fresh, \
                Load(lambda: HTTP1Session(port), pausing, threads=8, per_connection=1_000_000) as paused:
            for _ in range(4):
                line.upgrade()
                for load in (kept, fresh, paused):
                    load.wait_for(50)
        for old in line.pids[:-1]:
            line.wait_for_end(old)


def pausing(client: HTTP1Session) -> None:
    """Leaves the connection idle for a while, so that the old process finds it so."""
    client.get()
    time.sleep(PAUSE_SECONDS)


def test_http2_under_load(scenario):
    with start(scenario, scenario.http2_origin(), protocol="h2", workers=2) as line:
        port = line.gateway.port
        with Load(lambda: HTTP2Session(port), lambda client: client.get_several(),
                  per_connection=1_000_000) as load:
            for _ in range(3):
                old = line.upgrade()
                load.wait_for(50)
                line.wait_for_end(old)


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_tls_under_load(scenario, alpn):
    leaf = scenario.authority().issue("example.test")
    with start(scenario, workers=2, tls={}, certificates=[leaf.described("example")]) as line:
        port = line.gateway.port
        context = client_context(alpn=[alpn])
        if alpn == "h2":
            load = Load(lambda: HTTP2Session(port, tls=context), lambda client: client.get_several())
        else:
            load = Load(lambda: HTTP1Session(
                port, wrap=lambda plain: context.wrap_socket(plain, server_hostname="example.test")), pausing)
        with load:
            for _ in range(2):
                line.upgrade()
                load.wait_for(50)


def test_grpc_under_load(scenario):
    with start(scenario, scenario.grpc_server(), protocol="h2", workers=2) as line:
        port = line.gateway.port
        with Load(lambda: GRPCClient(port, retries=True), lambda client: client.unary()(b"asked", timeout=10),
                  per_connection=1_000_000) as load:
            for _ in range(3):
                line.upgrade()
                load.wait_for(50)


def test_websockets_under_load(scenario):
    origin = scenario.websocket_origin()
    with start(scenario, origin, workers=2) as line:
        port = line.gateway.port

        def echo(client) -> None:
            client.send("message")
            assert client.recv(timeout=10) == "message"

        with Load(lambda: open_websocket(port), echo, per_connection=1_000_000) as kept, \
                Load(lambda: open_websocket(port), echo, per_connection=3) as fresh:
            for _ in range(3):
                line.upgrade()
                kept.wait_for(50)
                fresh.wait_for(50)


@pytest.mark.skipif(find_program("wrk") is None, reason="wrk is not installed")
def test_other_clients_of_http1(scenario):
    with start(scenario, scenario.echo_origin(), workers=2) as line:
        command = [find_program("wrk"), "-t1", "-c64", "-d4s", f"http://127.0.0.1:{line.gateway.port}/"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
            for _ in range(3):
                time.sleep(0.5)  # so that there is something in flight; not what is waited for
                line.upgrade()
            report, _ = wrk.communicate(timeout=30)
        assert "requests in" in report
        assert "Socket errors" not in report and "Non-2xx" not in report, report


# More and fewer workers, other listeners


def test_number_of_workers_changes(scenario):
    origin = scenario.origin()
    with start(scenario, origin, workers=0) as line:
        gateway = line.gateway
        with Load(lambda: HTTP1Session(gateway.port), lambda client: client.get(), per_connection=1) as load:
            for workers in (1, 3, 2):
                gateway.configuration["workers"] = workers
                gateway.save()
                line.upgrade()
                load.wait_for(100)
                wait_until(lambda: gateway.metrics().sum("penstock_workers") == workers
                          , "the number of workers")


def test_listeners_change(scenario, binary, tmp_path):
    """A listener that is no longer there finishes what it has begun, and closes; a new one opens."""
    removed, added = free_port(), free_port()
    with start(scenario, binary=str(binary)) as line:
        gateway = line.gateway
        kept = gateway.configuration["listeners"][0]
        gateway.configuration["listeners"] = [kept, {"name": "removed", "address": f"127.0.0.1:{removed}"}]
        gateway.save()
        wait_until(lambda: is_listening(removed), "the listener is open")
        # The file changes when the new process has begun, so that the old one does not take the change over.
        gateway.configuration["listeners"] = [kept, {"name": "added", "address": f"127.0.0.1:{added}"}]
        changed = tmp_path / "changed.yaml"
        changed.write_text(json.dumps(gateway.configuration))
        replace(binary, f"#!/bin/sh\ncp {changed} {gateway.file}\nexec {penstock_binary()} \"$@\"\n")
        with HTTP1Session(removed) as client, \
                Load(lambda: HTTP1Session(gateway.port), lambda client: client.get(), per_connection=1) as load:
            client.get()
            line.upgrade()
            client.get()
            load.wait_for(50)
            wait_until(lambda: not is_listening(removed), "the listener is closed")
        with HTTP1Session(added) as client:
            client.get()


def test_edits_during_an_upgrade_are_taken_over(scenario, binary, tmp_path):
    """By the new process, or by the old one if there is no new one."""
    added = free_port()
    with start(scenario, binary=str(binary)) as line:
        configuration = dict(line.gateway.configuration)
        configuration["listeners"] = [*configuration["listeners"], {"name": "added", "address": f"127.0.0.1:{added}"}]
        changed = tmp_path / "changed.yaml"
        changed.write_text(json.dumps(configuration))
        replace(binary, f"#!/bin/sh\ncp {changed} {line.gateway.file}\nsleep 1\nexit 1\n")
        assert "exited with status 1" in line.fail()
        wait_until(lambda: is_listening(added), "the listener is open")


# What the old process has open


def test_idle_connections_are_answered_once_more(scenario):
    with start(scenario) as line:
        with line.gateway.client() as used, line.gateway.client() as fresh:
            assert used.exchange("GET", "/").status == 200
            old = line.upgrade()
            # The old process may answer some before it hears that the new one serves.
            wait_until(
                lambda: used.exchange("GET", "/").value("connection") == "close", "the answer says that it is the last")
            used.expect_end()
            # The kernel keeps it until it has something to say; whoever accepts it then will answer.
            assert fresh.exchange("GET", "/").status == 200
            line.wait_for_end(old)


def test_idle_connections_are_closed_in_the_end(scenario):
    with start(scenario, drain="1s") as line, line.gateway.client() as client:
        assert client.exchange("GET", "/").status == 200
        old = line.upgrade()
        client.expect_end()
        line.wait_for_end(old)


def test_requests_in_flight_are_finished_by_the_old_process(scenario):
    release = threading.Event()

    def answer(exchange):
        exchange.read_body()
        release.wait(20)
        exchange.respond(200, "whole")

    origin = scenario.origin(answer)
    with start(scenario, origin) as line, line.gateway.client() as client:
        client.request("GET", "/held")
        origin.wait_for_requests(1)
        old = line.upgrade()
        assert is_alive(old)
        release.set()
        assert client.response().text == "whole"
        line.wait_for_end(old)


def test_websocket_goes_on_until_the_drain_limit(scenario):
    origin = scenario.websocket_origin()
    with start(scenario, origin, drain="4s") as line:
        with open_websocket(line.gateway.port) as client:
            old = line.upgrade()
            for _ in range(20):
                client.send("message")
                assert client.recv(timeout=10) == "message"
            with contextlib.suppress(Exception):
                client.recv(timeout=10)
            assert client.close_code == 1001
        line.wait_for_end(old)


def test_term_shortens_the_drain(scenario):
    with start(scenario, drain="60s") as line, line.gateway.client() as idle:
        assert idle.exchange("GET", "/").status == 200
        old = line.upgrade()
        assert is_alive(old)
        os.kill(old, signal.SIGTERM)
        idle.expect_end()
        line.wait_for_end(old)
        assert line.gateway.get().status == 200


# The new process


def test_inherits_sockets_and_nothing_else(scenario):
    with start(scenario, workers=2) as line:
        clients = [line.gateway.client() for _ in range(10)]
        for client in clients:
            assert client.exchange("GET", "/").status == 200
        first = descriptors(line.pid)
        line.upgrade()
        for client in clients:
            client.close()
        counts = []
        for _ in range(3):
            line.wait_for_end(line.upgrade())
            assert line.gateway.get().status == 200
            counts.append(len(descriptors(line.pid)))
        assert max(counts) <= len(first), (counts, first)
        environment = Path(f"/proc/{line.pid}/environ").read_bytes().split(b"\0")
        assert sum(entry.startswith(b"PENSTOCK_UPGRADE_FD=") for entry in environment) == 1


def descriptors(pid: int) -> list[str]:
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(entry.path))
    return found


def test_replaced_binary_is_taken(scenario, binary):
    with start(scenario, binary=str(binary)) as line:
        inode = binary.stat().st_ino
        replace(binary, None)
        assert binary.stat().st_ino != inode
        line.upgrade()
        assert os.stat(f"/proc/{line.pid}/exe").st_ino == binary.stat().st_ino


def test_admin_address_is_the_new_ones(scenario):
    with start(scenario) as line:
        assert line.gateway.get().status == 200
        assert line.gateway.metrics().sum("penstock_requests_total") == 1
        line.upgrade()
        assert line.gateway.is_ready()
        assert line.gateway.metrics().sum("penstock_requests_total") == 0


def test_service_manager_is_told(scenario, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        with start(scenario, environment={"NOTIFY_SOCKET": path}) as line:
            assert manager.recv(100) == b"READY=1"
            line.upgrade()
            assert manager.recv(100) == b"MAINPID=%d" % line.pid
            os.kill(line.pid, signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
