"""kill -9 under load: what was acknowledged is there after the restart, and nothing that was left is in the way."""

import contextlib
import http.client
import json
import os
import signal
import threading

import pytest

from support.admin_api import AdminAPI
from support.client import try_get
from support.command_line import store_settings
from support.gateway import route, service
from support.upgrades import is_alive, replace, start
from support.waiting import wait_until


KILLS = 4


class Everyone:
    """Clients and an operator who go on asking whether the gateway lives or not."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.acknowledged: set[str] = set()
        self.refused = 0
        self.served = 0
        self.unexpected: list = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(4)]
        self._threads.append(threading.Thread(target=self._change, daemon=True))

    def __enter__(self) -> "Everyone":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        assert not self.unexpected, self.unexpected[:3]

    def _ask(self) -> None:
        while not self._ended.is_set():
            response = try_get(self.gateway.port, host="file.test")
            if response is None:
                self._ended.wait(0.01)  # nobody is there for a while
            elif response.status == 200:
                self.served += 1
            else:
                self.unexpected.append(response)

    def _change(self) -> None:
        api = AdminAPI(self.gateway)
        number = 0
        while not self._ended.is_set():
            name = f"stored-{number}"
            try:
                status = api.put(f"/v1/routes/{name}", {"hosts": [f"{name}.test"], "service": "app"}).status
            except (OSError, http.client.HTTPException):
                self._ended.wait(0.01)
                continue
            # 200: it was stored the first time, and the answer did not come.
            if status in (200, 201):
                self.acknowledged.add(name)
                number += 1

    def wait_for(self, requests: int, changes: int) -> None:
        requests, changes = self.served + requests, len(self.acknowledged) + changes
        wait_until(lambda: self.served >= requests and len(self.acknowledged) >= changes, "requests and changes", 30)


def is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def begins_within(line: str) -> bool:
    """Another line's beginning stands in it."""
    return '{"time":' in line[1:]


def test_killed_under_load_it_comes_back_with_everything_acknowledged(scenario, tmp_path):
    """Same file, same store, same ports and log: the journal and the lock of the one before are no obstacle."""
    gateway = scenario.gateway(
        [service("app", scenario.origin())], [route("of-the-file", "app", hosts=["file.test"])], workers=2,
        settings=store_settings(tmp_path), access_log={"format": "json", "path": str(tmp_path / "access.log")})
    api = AdminAPI(gateway)
    with Everyone(gateway) as everyone:
        for _ in range(KILLS):
            everyone.wait_for(requests=50, changes=10)
            gateway.process.kill()
            gateway.process.wait()
            assert (tmp_path / "penstock.db-wal").exists(), "there is something to be recovered"
            acknowledged = set(everyone.acknowledged)
            gateway.revive()
            names = {item["name"] for item in api.get("/v1/routes", owner="store", limit=1000)["items"]}
            assert acknowledged <= names, acknowledged - names
        everyone.wait_for(requests=50, changes=10)
    for name in sorted(everyone.acknowledged)[-5:]:
        assert gateway.get(host=f"{name}.test").status == 200
    assert gateway.is_ready() and json.loads(gateway.admin("/readyz").text)["problems"] == []
    # Lines of the last moments may be missing, and one may be cut, where the kernel was in the middle of a write; the
    # next process begins a line of its own.
    lines = (tmp_path / "access.log").read_text().split("\n")[:-1]
    assert len(lines) > KILLS >= sum(not is_whole(line) for line in lines)
    assert not [line for line in lines if not line or begins_within(line)]


def test_line_that_was_cut_is_ended_by_the_next_process(scenario, tmp_path):
    log = tmp_path / "access.log"
    gateway = scenario.gateway(
        [service("app", scenario.origin())], access_log={"format": "json", "path": str(log)})
    assert gateway.get("/one").status == 200
    whole = wait_until(lambda: log.read_text().endswith("\n") and log.read_text(), "the first line")
    gateway.process.kill()
    gateway.process.wait()
    # As the kernel leaves it.
    log.write_text(whole + whole[:40])
    gateway.revive()
    assert gateway.get("/two").status == 200
    lines = wait_until(lambda: (lines := log.read_text().split("\n"))[-1] == "" and len(lines) == 4 and lines,
                       "the next line")
    assert lines[1] == whole[:40] and json.loads(lines[2])["path"] == "/two"
    # So does one that opens another file by this name.
    log.rename(tmp_path / "access.log.1")
    log.write_text("cut")
    gateway.hang_up()
    wait_until(lambda: gateway.get("/three") and len(log.read_text().split("\n")) > 2, "the new file is written")
    lines = log.read_text().split("\n")
    assert lines[0] == "cut" and json.loads(lines[1])["path"] == "/three"


def test_killed_while_its_successor_starts_the_successor_serves(scenario, tmp_path):
    """The listening sockets were passed on, so that clients wait in their queues and are served by the new process."""
    binary = tmp_path / "penstock"
    replace(binary, None)
    with start(scenario, binary=str(binary), workers=2) as line:
        replace(binary, None)
        hold, go = tmp_path / "hold", tmp_path / "go"
        os.replace(binary, hold)
        binary.write_text(f"#!/bin/sh\nwhile [ ! -e '{go}' ]; do sleep 0.05; done\nexec '{hold}' \"$@\"\n")
        binary.chmod(0o755)
        new = line.ask()
        os.kill(line.pid, signal.SIGKILL)
        line.gateway.process.wait()
        line.gateway.was_ended = True
        line.pids = [line.gateway.pid, new]
        go.touch()
        wait_until(lambda: (answer := try_get(line.gateway.port)) is not None and answer.status == 200,
                   f"the new process serves; it printed:\n{line.gateway.tail()}", 20)
        wait_until(line.gateway.is_ready, "it is ready")
        assert is_alive(new)


@pytest.mark.parametrize("left", ["db-lock", "db-wal", "db-shm"])
def test_files_that_nobody_holds_any_more_are_no_obstacle(scenario, tmp_path, left):
    gateway = scenario.gateway(
        [service("app", scenario.origin())], [route("of-the-file", "app", hosts=["file.test"])],
        settings=store_settings(tmp_path))
    api = AdminAPI(gateway)
    assert api.put("/v1/routes/kept", {"hosts": ["kept.test"], "service": "app"}).status == 201
    gateway.process.kill()
    gateway.process.wait()
    assert (tmp_path / f"penstock.{left}").exists()
    gateway.revive()
    assert gateway.get(host="kept.test").status == 200
    with contextlib.suppress(FileNotFoundError):
        assert (tmp_path / "penstock.db").stat().st_size > 0
    assert api.put("/v1/routes/more", {"hosts": ["more.test"], "service": "app"}).status == 201
