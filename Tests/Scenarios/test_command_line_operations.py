"""Commands that look at what a running gateway did and does: history, rollback, explain, watch, upgrade."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from support.command_line import CommandLine, gateway_with_store, shop
from support.gateway import route, service
from support.ports import free_port
from support.programs import penstock_binary
from support.waiting import wait_until

TOKEN = "a-token-of-32-visible-characters"


@pytest.fixture
def origin(scenario):
    return scenario.origin(name="first")


@pytest.fixture
def gateway(scenario, origin, tmp_path):
    return gateway_with_store(scenario, origin, tmp_path)


@pytest.fixture
def penstock(gateway, tmp_path):
    return CommandLine(gateway, tmp_path / "work")


class TestHistory:
    def test_history_and_rollback(self, penstock, gateway, origin):
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json", "-m", "open")
        opened = penstock.revision()
        penstock("delete", "route", "shop", "-m", "close")
        closed = penstock.revision()
        lines = penstock("history").splitlines()
        assert lines[0].split() == ["REVISION", "TIME", "OWNER", "ACTOR", "CHANGES", "MESSAGE"]
        assert lines[1].startswith(str(closed)) and "routes/shop deleted" in lines[1] and lines[1].endswith("close")
        assert lines[2].startswith(str(opened)) and lines[2].endswith("open")
        assert len(penstock("history", "--limit", "1").splitlines()) == 2
        assert "-name: shop" in penstock("history", str(closed))
        # Back to the shop.
        assert "routes/shop created (dry run)" in penstock("rollback", str(opened), "--dry-run")
        assert gateway.get(host="shop.test").status == 404
        assert "routes/shop created" in penstock("rollback", str(opened), "-m", "again")
        assert gateway.get(host="shop.test").status == 200
        assert "again" in penstock("history", "--limit", "1")

    def test_unknown_revisions_are_named(self, penstock):
        for command in ("history", "rollback"):
            assert "999999" in penstock(command, "999999", status=1)


class TestExplain:
    @pytest.fixture(autouse=True)
    def resources(self, penstock, origin):
        content = shop(origin, "/cart")
        content["routes"].append(route("post-only", "shop", hosts=["shop.test"],
                                       match=[{"path": "/cart", "methods": ["POST"]}]))
        penstock.file("shop.json", content)
        penstock("apply", "-f", "shop.json")

    def url(self, gateway, path: str) -> str:
        return f"http://shop.test:{gateway.port}{path}"

    def test_names_everything_that_the_request_meets(self, penstock, gateway, origin):
        text = penstock("explain", self.url(gateway, "/cart/7"))
        assert text.startswith(f"GET {self.url(gateway, '/cart/7')}\n")
        for line in (r"listener +web", r"route +shop\b", r"service +shop: 100 %", rf" {origin.address}: weight 1, healthy",
                     r"outcome +proxied"):
            assert re.search(line, text), text

    def test_method_decides_and_the_near_miss_says_why(self, penstock, gateway):
        assert re.search(r"route +post-only\b", penstock("explain", self.url(gateway, "/cart"), "-X", "POST"))
        text = penstock("explain", self.url(gateway, "/cart"))
        assert re.search(r"near misses:\n(.*\n)*  post-only: .*it takes POST only", text), text

    def test_json_has_the_same(self, penstock, gateway):
        explanation = json.loads(
            penstock("explain", self.url(gateway, "/cart"), "-H", "X-A: 1", "-H", "X-A: 2", "-o", "json"))
        assert explanation["route"]["name"] == "shop"
        assert [one["service"] for one in explanation["backends"]] == ["shop"]
        assert explanation["outcome"] == "proxied"

    def test_wrong_questions_are_refused(self, penstock):
        assert "url" in penstock("explain", "not a url", status=1)
        assert penstock.run("explain", "http://shop.test/", "-H", "no colon").returncode == 64


class TestWatch:
    def test_changes_are_printed_as_they_happen(self, penstock, scenario, origin):
        start = penstock.revision()
        watch = scenario.program(
            [penstock_binary(), "watch", "--after", str(start), "--count", "2", "--admin",
             penstock.environment["PENSTOCK_ADMIN"]], "watch")
        penstock.file("shop.json", shop(origin))
        penstock("apply", "-f", "shop.json", "-m", "first")
        watch.wait_for_output("routes/shop created")
        penstock("delete", "route", "shop")
        assert watch.wait_for_end() == 0
        assert "routes/shop deleted" in watch.stdout and '"first"' in watch.stdout


class TestAccess:
    def test_nobody_there(self, penstock):
        port = free_port()
        errors = penstock("get", "routes", "--admin", f"127.0.0.1:{port}", status=1)
        assert f"http://127.0.0.1:{port}: Connection refused" in errors and "--admin" in errors

    def test_another_server(self, penstock, gateway):
        errors = penstock("get", "routes", "--admin", f"http://127.0.0.1:{gateway.port}", status=1)
        assert "not that of an admin API: status 404" in errors

    def test_https_is_explained(self, penstock):
        assert "plain HTTP" in penstock("get", "routes", "--admin", "https://127.0.0.1:9900", status=1)

    def test_token(self, scenario, origin, tmp_path):
        token = tmp_path / "token"
        token.write_text(TOKEN + "\n")
        port = free_port()
        gateway = scenario.gateway(
            [service("app", origin)], wait=False,
            settings={"admin": {"address": f"127.0.0.1:{port}", "token": {"file": str(token)}}})
        gateway.admin_port = port
        gateway.wait_until_ready(gateway.is_ready)
        penstock = CommandLine(gateway, tmp_path / "work")
        assert "--token-file" in penstock("get", "routes", status=1)
        assert "--token-file" in penstock("get", "routes", "--token", "wrong-token-of-enough-length", status=1)
        assert penstock("get", "routes", "--token", TOKEN).startswith("NAME")
        assert penstock("get", "routes", "--token-file", str(token)).startswith("NAME")
        assert penstock("get", "routes", PENSTOCK_ADMIN_TOKEN=TOKEN).startswith("NAME")


class TestUpgrade:
    def test_another_process_answers_afterwards(self, penstock, gateway):
        output = penstock("upgrade")
        found = re.fullmatch(r"upgraded: version \S+, process (\d+) -> version \S+, process (\d+)\n", output)
        assert found, output
        old, new = int(found[1]), int(found[2])
        assert old == gateway.pid and new != old
        try:
            assert gateway.wait_for_end() == 0, "the old process drains and ends"
            assert gateway.get(host="file.test").status == 200, "the new one serves"
        finally:
            os.kill(new, signal.SIGTERM)
            wait_until(lambda: not _is_running(new), "the new process ends")


def _is_running(pid: int) -> bool:
    """Whether a process that need not be a child of this one lives."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"
