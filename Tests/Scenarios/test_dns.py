"""Endpoints by name: resolved, kept fresh, and never lost because a resolver fails."""

import os
import shutil
import subprocess

import pytest

from support.gateway import service
from support.ports import free_port
from support.programs import find_program, penstock_binary
from support.waiting import wait_until

SERVER = "127.53.0.53"  # resolv.conf has no ports: the server has an address of its own


def test_name_of_the_hosts_file_is_resolved(scenario):
    origin = scenario.origin()
    gateway = scenario.gateway([service("app", f"localhost:{origin.port}")])
    assert gateway.get().status == 200
    assert origin.last.value("host") == "example.test"  # the client's, not the endpoint's


def test_name_that_does_not_resolve_leaves_a_service_without_endpoints(scenario):
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("lost", "nobody.invalid:80"), service("app", origin)],
        [{"name": "lost", "hosts": ["lost.test"], "service": "lost"}, {"name": "app", "service": "app"}])
    response = gateway.get(host="lost.test")
    assert response.status == 503 and response.has("retry-after")
    assert gateway.get().status == 200


class Names:
    """dnsmasq with a hosts file that a test edits."""

    def __init__(self, scenario, program):
        self._scenario = scenario
        self._program = program
        self._folder = scenario.folder / "names"
        self._folder.mkdir()
        self._hosts = self._folder / "hosts"
        self.settings = self._folder / "resolv.conf"
        self.settings.write_text(f"nameserver {SERVER}\noptions timeout:1 attempts:1\n")
        self.server = None

    def answer(self, addresses):
        """Starts the server anew with these addresses of origins.test, all with a TTL of a second."""
        self.stop()
        self._hosts.write_text("".join(f"{address} origins.test\n" for address in addresses))
        self.server = self._scenario.program([
            self._program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
            f"--addn-hosts={self._hosts}", "--local-ttl=1", f"--listen-address={SERVER}", "--bind-interfaces",
            "--pid-file", "--log-facility=-"], "dnsmasq")
        self.server.wait_for_output("read ")

    def stop(self):
        if self.server:
            self.server.kill()


@pytest.fixture
def names(scenario):
    program = find_program("dnsmasq")
    if not program or os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs dnsmasq (dnsmasq-base), and root for a resolv.conf of the test's own")
    names = Names(scenario, program)
    attempt = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", str(names.settings), "/etc/resolv.conf"],
        capture_output=True, check=False)
    if attempt.returncode != 0:
        pytest.skip("may not mount a resolv.conf of the test's own")
    yield names
    names.stop()


@pytest.fixture
def start(scenario, names, tmp_path):
    """A gateway that asks the test's server: it sees another /etc/resolv.conf than everyone else."""
    def with_port(port):
        script = tmp_path / "penstock-with-names"
        script.write_text(
            "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"' "
            f"'{names.settings}' '{penstock_binary()}' \"$@\"\n")
        script.chmod(0o755)
        return scenario.gateway([service("app", f"origins.test:{port}", ejection="off")], binary=str(script))
    return with_port


class Twins:
    """Two origins on the same port of two addresses."""

    def __init__(self, scenario):
        self.port = free_port()
        self.one = scenario.origin(name="one", port=self.port)
        self.two = scenario.origin(name="two", port=self.port, ip="127.0.0.2")


def test_all_addresses_of_a_name_are_used(scenario, names, start):
    twins = Twins(scenario)
    names.answer(["127.0.0.1", "127.0.0.2"])
    assert start(twins.port).origins_of(10) == {"one": 5, "two": 5}


def test_change_is_followed_after_the_ttl(scenario, names, start):
    twins = Twins(scenario)
    names.answer(["127.0.0.1"])
    gateway = start(twins.port)
    assert gateway.origins_of(4) == {"one": 4}
    names.answer(["127.0.0.2"])
    gateway.wait_for_origin("two")
    assert gateway.origins_of(4) == {"two": 4}


def test_failing_resolver_keeps_the_last_answer(scenario, names, start):
    twins = Twins(scenario)
    names.answer(["127.0.0.1"])
    gateway = start(twins.port)
    assert gateway.origins_of(4) == {"one": 4}
    names.stop()
    gateway.wait_for_output("origins.test", seconds=15)  # the failure is logged
    assert gateway.origins_of(4) == {"one": 4}
    names.answer(["127.0.0.2"])
    wait_until(lambda: gateway.origins_of(1) == {"two": 1}, "the resolver's new answer is used", 30)
