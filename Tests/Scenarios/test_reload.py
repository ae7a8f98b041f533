"""Edits take effect by themselves, whole or not at all, and no connection notices."""

import json
import os
import socket
import threading

import pytest

from support.client import get, try_get
from support.gateway import service
from support.ports import free_port
from support.waiting import wait_until


@pytest.fixture
def pair(scenario):
    return scenario.origin(name="old"), scenario.origin(name="new")


@pytest.fixture
def gateway(scenario, pair):
    return scenario.gateway([service("app", pair[0])])


def switch_to(gateway, origin) -> str:
    """The text of the same configuration with another endpoint."""
    gateway.configuration["services"][0]["endpoints"] = [origin.address]
    return json.dumps(gateway.configuration, indent=2)


class TestWaysToSave:
    def test_edit_in_place_is_picked_up(self, gateway, pair):
        switch_to(gateway, pair[1])
        gateway.save()
        gateway.wait_for_origin("new")

    def test_file_renamed_over_the_old_one_is_picked_up(self, gateway, pair):
        gateway.replace_file(switch_to(gateway, pair[1]))
        gateway.wait_for_origin("new")

    def test_file_that_is_removed_and_written_again_is_picked_up(self, gateway, pair):
        gateway.file.unlink()
        assert gateway.get().value("x-origin") == "old"
        gateway.file.write_text(switch_to(gateway, pair[1]))
        gateway.wait_for_origin("new")

    def test_symbolic_link_that_is_replaced_is_picked_up(self, gateway, pair):
        """As Kubernetes does it with the folders of a ConfigMap."""
        folder = gateway.file.parent
        text = gateway.file.read_text()
        for name, content in (("v1", text), ("v2", switch_to(gateway, pair[1]))):
            (folder / name).mkdir()
            (folder / name / "penstock.yaml").write_text(content)
        (folder / "current").symlink_to("v1")
        gateway.file.unlink()
        gateway.file.symlink_to("current/penstock.yaml")
        gateway.hang_up()
        gateway.wait_for_origin("old")
        (folder / "next").symlink_to("v2")
        os.replace(folder / "next", folder / "current")
        gateway.wait_for_origin("new")

    def test_hangup_reads_the_file_again(self, gateway, pair):
        gateway.hang_up()
        gateway.wait_for_output("the configuration has not changed")
        gateway.replace_file(switch_to(gateway, pair[1]))
        gateway.hang_up()
        gateway.wait_for_origin("new")

    def test_several_edits_in_a_row_end_with_the_last(self, scenario, gateway, pair):
        origins = [scenario.origin(name=f"edit-{number}") for number in range(5)]
        for origin in origins:
            switch_to(gateway, origin)
            gateway.save()
        gateway.wait_for_origin("edit-4")
        assert gateway.origins_of(5) == {"edit-4": 5}


class TestBrokenFiles:
    def test_broken_file_is_reported_with_its_place_and_the_old_one_keeps_running(self, gateway, pair):
        text = switch_to(gateway, pair[1]).replace('"services"', '"servces"')
        line = next(number for number, line in enumerate(text.splitlines(), 1) if "servces" in line)
        gateway.replace_file(text)
        gateway.wait_for_output(f"{gateway.file}:{line}:3: ")
        assert "servces" in gateway.output and 'did you mean "services"' in gateway.output
        assert gateway.origins_of(5) == {"old": 5}

    def test_everything_that_is_wrong_is_reported(self, gateway):
        gateway.configuration["services"][0]["balance"] = "round-robbin"
        gateway.configuration["routes"][0]["service"] = "ap"
        gateway.configuration["http"]["timeouts"]["head"] = "5"
        gateway.save()
        for text in ("round-robbin", 'no service is named "ap"', "has no unit"):
            gateway.wait_for_output(text)

    @pytest.mark.parametrize("text", ["", "listeners: [", "\0\1\2", "- 1\n- 2\n", "a: &a [*a]\n"])
    def test_file_that_is_no_configuration_changes_nothing(self, gateway, text):
        gateway.replace_file(text)
        gateway.wait_for_output("the one before keeps running")
        assert gateway.get().value("x-origin") == "old"
        gateway.check_health()

    def test_repaired_file_is_picked_up(self, gateway, pair):
        good = switch_to(gateway, pair[1])
        gateway.replace_file("nonsense: true\n")
        gateway.wait_for_output("nonsense")
        gateway.replace_file(good)
        gateway.wait_for_origin("new")

    def test_reloads_are_counted(self, gateway, pair):
        gateway.replace_file("nonsense: true\n")
        wait_until(lambda: gateway.metrics().sum("penstock_config_reloads_total", result="failure") == 1,
                   "the failure is counted")
        assert gateway.metrics().sum("penstock_config_last_reload_successful") == 0
        gateway.replace_file(switch_to(gateway, pair[1]))
        wait_until(lambda: gateway.metrics().sum("penstock_config_last_reload_successful") == 1, "the success shows")


class TestConnectionsSurvive:
    def test_keep_alive_connection_sees_the_new_configuration(self, gateway, pair):
        with gateway.client() as client:
            assert client.exchange("GET", "/").value("x-origin") == "old"
            switch_to(gateway, pair[1])
            gateway.save()
            wait_until(lambda: client.exchange("GET", "/").value("x-origin") == "new", "the change is seen")

    def test_request_in_flight_is_finished_by_its_endpoint(self, scenario, gateway, pair):
        release = threading.Event()

        def held(exchange):
            if exchange.request.target == "/slow":
                assert release.wait(20)
            exchange.respond(200, "finished")

        pair[0].answer = held
        with gateway.client() as client:
            client.request("GET", "/slow")
            pair[0].wait_for_requests(1)
            switch_to(gateway, pair[1])
            gateway.save()
            gateway.wait_for_origin("new")
            release.set()
            assert client.response().text == "finished"
            assert client.exchange("GET", "/").value("x-origin") == "new"

    def test_no_request_fails_while_the_configuration_changes(self, gateway, pair):
        stop, failures, served = threading.Event(), [], [0]

        def ask():
            with gateway.client() as client:
                while not stop.is_set():
                    response = client.exchange("GET", "/")
                    served[0] += 1
                    if response.status != 200:
                        failures.append(response.first_line)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(10):
            target = pair[number % 2 == 0]
            switch_to(gateway, target)
            gateway.save()
            gateway.wait_for_origin(target.name)
        stop.set()
        for thread in threads:
            thread.join(10)
        assert failures == [] and served[0] > 100

    def test_pool_of_an_endpoint_that_stays_is_kept(self, scenario, gateway, pair):
        gateway.get()
        gateway.configuration["services"][0]["endpoints"].append(pair[1].address)
        gateway.configuration["services"][0]["timeouts"] = {"response": "7s"}
        gateway.save()
        gateway.wait_for_origin("new")
        gateway.origins_of(10)
        assert pair[0].connection_count == 1


class TestListeners:
    def test_listener_can_be_added_and_removed(self, gateway):
        port = free_port()
        gateway.configuration["listeners"].append({"name": "second", "address": f"127.0.0.1:{port}"})
        gateway.save()
        gateway.wait_for_revision(str(port))
        assert wait_until(lambda: answers(port), "the new listener serves")
        with gateway.client() as kept:
            assert kept.exchange("GET", "/").status == 200
            gateway.configuration["listeners"].pop()
            gateway.save()
            wait_until(lambda: not answers(port), "the listener is gone")
            assert kept.exchange("GET", "/").status == 200

    def test_connection_of_a_listener_that_goes_is_served_to_its_end(self, gateway):
        port = free_port()
        gateway.configuration["listeners"].append({"name": "second", "address": f"127.0.0.1:{port}"})
        gateway.save()
        wait_until(lambda: answers(port), "the new listener serves")
        gateway_port, gateway.port = gateway.port, port
        with gateway.client() as client:
            client.request("GET", "/")
            assert client.response().status == 200
            gateway.port = gateway_port
            gateway.configuration["listeners"].pop()
            gateway.save()
            wait_until(lambda: not answers(port), "the listener is gone")
            gateway.check_health()


    def test_listener_that_cannot_be_opened_is_reported_and_the_others_serve(self, gateway):
        port = free_port()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            gateway.configuration["listeners"].append({"name": "second", "address": f"127.0.0.1:{port}"})
            gateway.save()
            gateway.wait_for_output(f"cannot listen on 127.0.0.1:{port}")
            assert gateway.get().status == 200
            readiness = wait_until(lambda: (r := gateway.admin("/readyz")).status == 503 and r, "it is not ready")
            assert "second" in readiness.text
        gateway.configuration["listeners"].pop()
        gateway.save()
        wait_until(gateway.is_ready, "it is ready without the listener")

    def test_admin_address_can_be_moved(self, gateway):
        old, gateway.admin_port = gateway.admin_port, free_port()
        gateway.configuration["admin"]["address"] = f"127.0.0.1:{gateway.admin_port}"
        gateway.save()
        wait_until(gateway.is_ready, "the new address answers")
        wait_until(lambda: try_get(old) is None, "the old one does not")


def answers(port) -> bool:
    try:
        return get(port).status == 200
    except (OSError, AssertionError):
        return False


class TestListeners:
    def test_listener_that_could_not_open_is_tried_again_at_hup(self, gateway):
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            gateway.configuration["listeners"].append({"name": "late", "address": f"127.0.0.1:{port}"})
            gateway.save()
            wait_until(lambda: not gateway.is_ready(), "the gateway says that it is not ready")
        gateway.hang_up()
        wait_until(gateway.is_ready, "the listener is open")
        assert get(port, "/").status == 200

    def test_listener_moves_to_another_address_of_its_port(self, gateway):
        listener = gateway.configuration["listeners"][0]
        port = listener["address"].rsplit(":", 1)[1]
        listener["address"] = f"0.0.0.0:{port}"
        gateway.save()
        gateway.wait_for_revision("0.0.0.0")
        wait_until(gateway.is_ready, "the listener is open")
        assert gateway.get().status == 200
