"""Upgrades by the admin API and with a store, and upgrades that fail: the old process goes on."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import threading

import pytest

from support.admin_api import AdminAPI
from support.gateway import service
from support.load import Load
from support.programs import penstock_binary
from support.upgrades import FAILED, HTTP1Session, is_alive, replace, start
from support.waiting import wait_until


@pytest.fixture
def binary(tmp_path):
    """A copy of the program, which the test may replace."""
    copy = tmp_path / "penstock"
    shutil.copy(penstock_binary(), copy)
    return copy


# By the admin API, with a store


def start_with_store(scenario, origin, **options):
    return start(scenario, origin, settings={"store": {"path": "penstock.db"}}, **options)


def put_service(api: AdminAPI, name: str, origin) -> int:
    return api.put(f"/v1/services/{name}", {"endpoints": [origin.address]}).status


def test_admin_api_upgrades_and_answers(scenario):
    with start_with_store(scenario, scenario.origin()) as line:
        answer = AdminAPI(line.gateway)("POST", "/v1/upgrade")
        assert answer.status == 200 and answer.json["upgraded"] is True, answer
        line.follow()
        assert line.gateway.get().status == 200


def test_store_is_handed_over(scenario):
    """What was stored is served by the new process, which takes changes in its turn."""
    origin = scenario.origin()
    with start_with_store(scenario, origin) as line:
        api = AdminAPI(line.gateway)
        for number in range(4):
            assert put_service(api, f"stored-{number}", origin) == 201
            line.upgrade()
            names = {item["name"] for item in api.get("/v1/services")["items"]}
            assert names == {"app", *(f"stored-{index}" for index in range(number + 1))}
            wait_until(lambda: put_service(api, "again", origin) in (200, 201), "changes are taken")
            assert api.delete("/v1/services/again").status in (200, 204)


def test_changes_are_refused_with_a_reason_during_an_upgrade(scenario, binary):
    """Not lost: where the new process does not come, the old one takes them again."""
    origin = scenario.origin()
    with start_with_store(scenario, origin, binary=str(binary), arguments=["--upgrade-timeout", "2"]) as line:
        api = AdminAPI(line.gateway)
        replace(binary, "#!/bin/sh\nexec sleep 60\n")
        line.ask()
        refused = api.put("/v1/services/refused", {"endpoints": [origin.address]}, status=503)
        assert "retry-after" in refused.fields and "upgrade" in refused.content.decode()
        line.gateway.wait_for_output(FAILED)
        wait_until(lambda: put_service(api, "taken", origin) == 201, "changes are taken again")


def test_changes_go_on_under_upgrades(scenario):
    """Every change that was acknowledged is there in the end; the others were refused with 503, or not answered."""
    origin = scenario.origin()
    with start_with_store(scenario, origin, workers=2) as line:
        api = AdminAPI(line.gateway)
        acknowledged, ended = set(), threading.Event()

        def change() -> None:
            number = 0
            while not ended.is_set():
                name = f"stored-{number}"
                # The admin address moves from one process to the next: who asks just then asks again.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    status = put_service(api, name, origin)
                    assert status in (200, 201, 503), status
                    if status != 503:
                        acknowledged.add(name)
                        number += 1

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(4):
                seen = len(acknowledged)
                line.upgrade()
                wait_until(lambda: len(acknowledged) >= seen + 5, "changes are taken")
        finally:
            ended.set()
            thread.join(30)
        names = {item["name"] for item in api.get("/v1/services", limit=1000)["items"]}
        assert acknowledged <= names


# Upgrades that fail


@pytest.mark.parametrize(("script", "reason"), [
    ("#!/bin/sh\nexit 3\n", "exited with status 3"),
    ("#!/bin/sh\nkill -9 $$\n", "signal 9 ended it"),
    ("#!/no/such/interpreter\n", "cannot be started"),
    ("#!/bin/sh\nexec sleep 60\n", "not ready in time"),
])
def test_broken_binary_leaves_the_old_process(scenario, binary, script, reason):
    with start(scenario, binary=str(binary), arguments=["--upgrade-timeout", "1"]) as line:
        replace(binary, script)
        with Load(lambda: HTTP1Session(line.gateway.port), lambda client: client.get()) as load:
            assert reason in line.fail()
            load.wait_for(20)
        assert line.gateway.is_ready()
        before = line.gateway.descriptors()
        assert reason in line.fail()
        wait_until(lambda: line.gateway.descriptors() <= before, "nothing is left open")
        replace(binary, None)
        line.upgrade()
        assert line.gateway.get().status == 200


def test_refused_configuration_leaves_the_old_process(scenario):
    with start(scenario) as line:
        good = line.gateway.file.read_text()
        line.gateway.replace_file("listeners: 7")
        with Load(lambda: HTTP1Session(line.gateway.port), lambda client: client.get()) as load:
            assert "listeners" in line.fail()
            load.wait_for(20)
        assert line.gateway.is_ready()
        line.gateway.replace_file(good)
        line.upgrade()
        assert line.gateway.get().status == 200


def test_taken_address_leaves_the_old_process(scenario):
    """The new configuration has a listener where somebody else listens."""
    with start(scenario) as line, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        configuration = line.gateway.configuration
        configuration["listeners"].append(
            {"name": "taken", "address": f"127.0.0.1:{other.getsockname()[1]}"})
        line.gateway.save()
        assert "Address already in use" in line.fail()
        assert line.gateway.get().status == 200


def test_admin_address_is_taken_back(scenario):
    with start(scenario) as line, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        line.gateway.configuration["admin"]["address"] = f"127.0.0.1:{taken}"
        line.gateway.save()
        assert f"admin address 127.0.0.1:{taken}" in line.fail()
        wait_until(line.gateway.is_ready, "the admin address is open again")


def test_second_upgrade_is_refused_while_one_is_under_way(scenario, binary):
    with start(scenario, binary=str(binary), arguments=["--upgrade-timeout", "2"]) as line:
        replace(binary, "#!/bin/sh\nexec sleep 60\n")
        line.ask()
        os.kill(line.pid, signal.SIGUSR2)
        line.gateway.wait_for_output("an upgrade is under way")
        line.gateway.wait_for_output(FAILED)
        assert line.gateway.stderr.count("a new process is started") == 1


def test_term_ends_an_upgrade(scenario, binary):
    with start(scenario, binary=str(binary)) as line:
        replace(binary, "#!/bin/sh\nexec sleep 60\n")
        new = line.ask()
        line.gateway.was_ended = True
        line.gateway.signal(signal.SIGTERM)
        assert line.gateway.wait_for_end() == 0
        assert not is_alive(new)


def test_stray_variable_is_reported(scenario):
    gateway = scenario.gateway(
        [service("app", scenario.dead_port())], wait=False, environment={"PENSTOCK_UPGRADE_FD": "9"})
    gateway.was_ended = True
    assert gateway.wait_for_end() == 1
    assert "PENSTOCK_UPGRADE_FD=9" in gateway.output
