"""What goes wrong with changes that come by the admin API: refused clearly, told of, and over when it is."""

import json
import os
import socket

import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.client import get
from support.gateway import route, service
from support.ports import free_port
from support.waiting import wait_until


@pytest.fixture
def origin(scenario):
    return scenario.origin(name="first")


@pytest.fixture
def gateway(scenario, origin, tmp_path):
    return gateway_with_store(scenario, origin, tmp_path, workers=2)


@pytest.fixture
def api(gateway):
    return AdminAPI(gateway)


def problems(gateway) -> list[str]:
    """What `/readyz` says while it is ready."""
    answer = gateway.admin("/readyz")
    assert answer.status == 200, answer.text
    return json.loads(answer.text)["problems"]


class TestListenerAddresses:
    def test_an_address_that_another_program_has_is_refused(self, api, gateway):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            address = f"127.0.0.1:{holder.getsockname()[1]}"
            refused = api.put("/v1/listeners/more", {"address": address}, status=422)
            assert refused.problem == "invalid-resource"
            error = refused.errors[0]
            assert error["field"] == "address" and "in use" in error["detail"] and address in error["detail"], error
            assert api("GET", "/v1/listeners/more").status == 404
            assert gateway.is_ready() and gateway.get(host="file.test").status == 200
            assert problems(gateway) == []
        api.put("/v1/listeners/more", {"address": address}, status=201)
        assert get(int(address.rsplit(":", 1)[1]), "/", host="file.test").status == 200
        gateway.process.kill()
        gateway.process.wait()
        gateway.revive()
        assert get(int(address.rsplit(":", 1)[1]), "/", host="file.test").status == 200

    def test_an_address_of_its_own_can_change_hands_at_once(self, api, gateway):
        port = free_port()
        for name in ("first", "second", "third"):
            api.put(f"/v1/listeners/{name}", {"address": f"127.0.0.1:{port}"}, status=201)
            assert get(port, "/", host="file.test").status == 200
            api.delete(f"/v1/listeners/{name}", status=200)
        assert gateway.is_ready()


class TestLeftOut:
    @pytest.fixture
    def contested(self, api, gateway):
        """The file has come to have the host of a route of the store, and the name of a service."""
        api.put("/v1/services/mine", {"endpoints": ["127.0.0.1:1"]}, status=201)
        api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app"}, status=201)
        gateway.process.kill()
        gateway.process.wait()
        gateway.configuration["routes"].append(route("same", "app", hosts=["shop.test"]))
        gateway.configuration["services"].append(service("mine", "127.0.0.1:2"))
        gateway.save()
        gateway.revive()
        return gateway

    def test_they_are_shown_and_told_of(self, api, contested):
        read = api("GET", "/v1/routes/shop", status=200)
        assert read.json["hosts"] == ["shop.test"] and "same" in read.fields["penstock-unserved"]
        items = {item["name"]: item for item in api.get("/v1/routes")["items"]}
        assert items["shop"]["served"] is False and "same" in items["shop"]["reason"]
        assert items["same"]["served"] is True and "reason" not in items["same"]
        assert [item["served"] for item in api.get("/v1/services", owner="store")["items"]] == [False]
        assert api.get("/v1/status")["unserved"] == 2
        assert contested.metrics().sum("penstock_store_unserved") == 2
        (problem,) = problems(contested)
        assert "routes/shop" in problem and "services/mine" in problem

    def test_they_can_be_deleted(self, api, contested):
        api.delete("/v1/routes/shop", status=200)
        (problem,) = problems(contested)
        assert "routes/shop" not in problem and "services/mine" in problem
        api.delete("/v1/services/mine", status=200)
        assert problems(contested) == []
        assert contested.metrics().sum("penstock_store_unserved") == 0
        assert api("GET", "/v1/routes/shop").status == 404
        assert api("GET", "/v1/services/mine").fields["penstock-owner"].startswith("file:")

    def test_they_can_be_replaced(self, api, contested):
        assert api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app"}).status == 422
        api.put("/v1/routes/shop", {"hosts": ["free.test"], "service": "app"}, status=200)
        assert contested.get(host="free.test").status == 200
        assert "penstock-unserved" not in api("GET", "/v1/routes/shop").fields

    def test_a_rollback_goes_past_them(self, api, contested):
        first = api.get("/v1/history")["items"][-1]["revision"]
        api("POST", "/v1/rollback", {"revision": first - 1}, status=200, Prefer="wait")
        assert problems(contested) == [] and api.get("/v1/routes", owner="store")["items"] == []

    def test_they_are_served_when_the_file_gives_way(self, api, contested):
        contested.configuration["routes"].pop()
        contested.configuration["services"].pop()
        contested.save()
        wait_until(lambda: problems(contested) == [], "nothing is left out")
        assert contested.get(host="shop.test").status == 200
        assert [item["served"] for item in api.get("/v1/services", owner="store")["items"]] == [True]


class TestRefusedEdits:
    def test_they_are_a_problem_until_a_good_one(self, gateway):
        assert problems(gateway) == []
        good = json.dumps(gateway.configuration)
        gateway.replace_file(good.replace('"routes"', '"rotes"'))
        (problem,) = wait_until(lambda: problems(gateway), "the edit is told of")
        assert "was not loaded" in problem and "rotes" in problem
        assert gateway.get(host="file.test").status == 200
        gateway.replace_file(good)
        wait_until(lambda: problems(gateway) == [], "the edit was put right")


class TestDamagedStore:
    def harm(self, api, gateway, tmp_path, what: str) -> None:
        database = tmp_path / "penstock.db"
        if what == "cut":
            os.truncate(database, 1_024)
        elif what == "overwritten":
            with database.open("r+b") as file:
                file.write(b"\xa5" * 512)
        else:
            other = tmp_path / "other.db"
            other.write_bytes(database.read_bytes())
            os.replace(other, database)

    @pytest.mark.parametrize("what", ["cut", "overwritten", "replaced"])
    def test_it_is_noticed_while_the_gateway_serves(self, api, gateway, tmp_path, what):
        api.put("/v1/routes/shop", {"hosts": ["shop.test"], "service": "app"}, status=201)
        self.harm(api, gateway, tmp_path, what)
        # Nobody asks for a change: it is found out all the same.
        (problem,) = wait_until(lambda: problems(gateway), "the damage is noticed")
        assert "penstock.db" in problem and "damaged" in problem
        gateway.wait_for_output("the store cannot be used")
        assert gateway.metrics().sum("penstock_store_up") == 0
        refused = api.put("/v1/routes/more", {"hosts": ["more.test"], "service": "app"}, status=503)
        assert refused.problem == "store-unavailable"
        assert gateway.get(host="shop.test").status == 200
