"""A full disk: under the access log it costs lines, under the store it costs changes; never requests."""

import json

import pytest

from support.admin_api import AdminAPI
from support.command_line import store_settings
from support.disks import NoMounts, SmallDisk
from support.gateway import route, service
from support.waiting import wait_until

SIZE = 2 << 20


@pytest.fixture
def disk(tmp_path):
    """To be asked for before `scenario`: what runs there has ended when it goes."""
    try:
        disk = SmallDisk(tmp_path / "disk", SIZE)
    except NoMounts as reason:
        pytest.skip(str(reason))
    yield disk
    disk.unmount()


def problems(gateway) -> list[str]:
    """What `/readyz` says while it is ready."""
    answer = gateway.admin("/readyz")
    assert answer.status == 200, answer.text
    return json.loads(answer.text)["problems"]


def lost_lines(metrics) -> float:
    return metrics.sum("penstock_access_log_lost_total")


class TestAccessLog:
    def test_lines_are_lost_and_counted_requests_go_on_and_room_ends_it(self, disk, scenario):
        file = disk.path / "access.log"
        gateway = scenario.gateway(
            [service("app", scenario.origin())], access_log={"format": "json", "path": str(file)})
        assert gateway.get("/before").status == 200
        wait_until(lambda: "/before" in file.read_text(), "the log is written")

        disk.fill()

        def lost() -> float:
            assert gateway.get("/lost" + "x" * 1_000).status == 200
            return lost_lines(gateway.metrics())

        wait_until(lost, "lines are lost and counted")
        (problem,) = problems(gateway)
        assert "access.log" in problem and "No space left on device" in problem
        before = lost()
        wait_until(lambda: lost() > before + 10, "more are lost")
        assert gateway.stderr.count("No space left on device") == 1, "it is said once a minute"

        disk.free()
        wait_until(lambda: gateway.get("/after").status == 200 and "/after" in file.read_text(), "it is written again")
        wait_until(lambda: problems(gateway) == [], "the problem is over")
        gateway.wait_for_output("is written again")

        # Each line is in the file or counted as lost. One that was cut stands alone, and counts as lost.
        gateway.get("/last")
        wait_until(lambda: "/last" in file.read_text(), "the last line is written")
        lines = file.read_text().splitlines()
        whole = [line for line in lines if line.startswith("{") and line.endswith("}")]
        assert all(json.loads(line) for line in whole) and len(lines) - len(whole) <= 1, lines
        metrics = gateway.metrics()
        assert len(whole) + lost_lines(metrics) == metrics.sum("penstock_client_requests_total")
        assert metrics.sum("penstock_access_log_dropped_total") == 0


class TestStore:
    @pytest.fixture
    def gateway(self, disk, scenario):
        return scenario.gateway(
            [service("app", scenario.origin())], [route("of-the-file", "app", hosts=["file.test"])],
            settings=store_settings(disk.path))

    @pytest.fixture
    def api(self, gateway):
        return AdminAPI(gateway)

    @staticmethod
    def put(api, name: str):
        return api.put(f"/v1/routes/{name}", {"hosts": [f"{name}.test"], "service": "app"})

    def test_changes_are_refused_with_the_reason_requests_go_on_and_room_ends_it(self, disk, gateway, api):
        assert self.put(api, "before").status == 201
        disk.fill()
        refused = self.fill_the_journal(api)
        assert refused.problem == "store-unavailable" and "no space is left" in refused.json["detail"], refused
        (problem,) = problems(gateway)
        assert "no space is left" in problem
        assert gateway.metrics().sum("penstock_store_up") == 0
        assert gateway.get(host="before.test").status == 200 and gateway.get(host="file.test").status == 200

        disk.free()
        wait_until(lambda: problems(gateway) == [], "it is used again, without a change or a restart", 20)
        assert gateway.metrics().sum("penstock_store_up") == 1
        assert self.put(api, "after").status == 201
        assert gateway.get(host="after.test").status == 200

    def fill_the_journal(self, api):
        """Changes until one is refused: the journal has a little room of its own."""
        for number in range(200):
            answer = self.put(api, f"filler-{number}")
            if answer.status != 201:
                assert answer.status == 503, answer
                return answer
        raise AssertionError("200 changes were taken by a full disk")

    def test_a_restart_on_a_full_disk_serves_what_was_acknowledged(self, disk, gateway, api):
        acknowledged = []
        disk.fill()
        for number in range(200):
            if self.put(api, f"stored-{number}").status != 201:
                break
            acknowledged.append(f"stored-{number}")
        gateway.process.kill()
        gateway.process.wait()
        gateway.revive()
        names = {item["name"] for item in api.get("/v1/routes", owner="store", limit=1000)["items"]}
        assert names == set(acknowledged)
        assert gateway.get(host="file.test").status == 200
        for name in acknowledged[-3:]:
            assert gateway.get(host=f"{name}.test").status == 200
        disk.free()
        wait_until(lambda: self.put(api, "after").status == 201, "changes are taken when there is room", 20)
