"""ip-restriction: who passes by address."""

import json

import pytest

from support.admin_api import AdminAPI, put
from support.command_line import store_settings
from support.gateway import route, service
from support.programs import penstock_binary, run_to_end
from support.waiting import wait_until

PLUGINS = {
    "home": {"allow": ["127.0.0.0/8"]},
    "alone": {"allow": "127.0.0.2"},
    "foreign": {"allow": ["10.0.0.0/8", "2001:db8::/32"]},
    "denied": {"deny": ["127.0.0.2", "2001:db8::/32"]},
    "deny-wins": {"allow": ["127.0.0.0/8"], "deny": ["127.0.0.2/31"]},
    "ipv6": {"deny": ["::/0"]},
    "other": {"deny": ["0.0.0.0/0"], "status": 404, "message": "There is nothing here."},
}


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway(
        [service("app", shared.origin())],
        [route(name, "app", hosts=[f"{name}.test"], plugins={"ip-restriction": options})
         for name, options in PLUGINS.items()],
        http={"forwarding": {"trustedNetworks": ["127.0.0.9"]}})


def status(gateway, host: str, address: str, *fields: str) -> int:
    with gateway.client(source=address) as client:
        return client.exchange("GET", "/", *fields, host=f"{host}.test").status


@pytest.mark.parametrize("host, passing", [
    ("home", {1, 2, 3, 4}), ("alone", {2}), ("foreign", set()), ("denied", {1, 3, 4}), ("deny-wins", {1, 4}),
    ("ipv6", {1, 2, 3, 4}),
])
def test_who_passes(gateway, host, passing):
    for number in range(1, 5):
        assert status(gateway, host, f"127.0.0.{number}") == (200 if number in passing else 403), number


def test_the_answer_says_so_and_may_be_another(gateway):
    assert gateway.get("/", host="foreign.test").body == b"Your IP address is not allowed.\n"
    answer = gateway.get("/", host="other.test")
    assert answer.status == 404 and answer.body == b"There is nothing here.\n"


def test_by_http2(gateway):
    for host, wanted in [("home", 200), ("foreign", 403)]:
        with gateway.http2(authority=f"{host}.test") as client:
            assert client.exchange().status == wanted


@pytest.mark.parametrize("host, client, wanted", [
    ("foreign", "10.1.2.3", 200), ("foreign", "11.1.2.3", 403), ("foreign", "2001:db8::1", 200),
    ("foreign", "2001:db9::1", 403), ("denied", "2001:db8:ffff::1", 403), ("ipv6", "2001:db8::1", 403),
])
def test_what_a_trusted_peer_says_of_the_client_counts(gateway, host, client, wanted):
    assert status(gateway, host, "127.0.0.9", f"X-Forwarded-For: {client}") == wanted
    # Others are not believed.
    assert status(gateway, host, "127.0.0.1", f"X-Forwarded-For: {client}") == status(gateway, host, "127.0.0.1")


def test_files_are_followed(scenario, tmp_path):
    file = tmp_path / "networks"
    file.write_text("# ours\n\n127.0.0.1   # this one\r\n 10.0.0.0/8\n")
    gateway = scenario.gateway(
        [service("app", scenario.origin())],
        [route("allow", "app", hosts=["allow.test"], plugins={"ip-restriction": {"allowFile": str(file)}}),
         route("deny", "app", hosts=["deny.test"], plugins={"ip-restriction": {"denyFile": str(file)}})])
    assert status(gateway, "allow", "127.0.0.1") == 200 and status(gateway, "allow", "127.0.0.2") == 403
    assert status(gateway, "deny", "127.0.0.1") == 403 and status(gateway, "deny", "127.0.0.2") == 200
    file.write_text("127.0.0.2\n")
    wait_until(lambda: status(gateway, "allow", "127.0.0.2") == 200, "the new file counts")
    assert status(gateway, "allow", "127.0.0.1") == 403
    file.write_text("nonsense\n")
    wait_until(lambda: status(gateway, "allow", "127.0.0.2") and "line 1: " in gateway.stderr, "the log tells of it")
    assert status(gateway, "allow", "127.0.0.2") == 200 and status(gateway, "allow", "127.0.0.1") == 403
    # An empty file allows nobody.
    file.write_text("")
    wait_until(lambda: status(gateway, "allow", "127.0.0.2") == 403, "the empty file counts")


def test_a_hundred_thousand_networks(scenario, tmp_path):
    networks = [f"{10 + number // 65_536}.{number // 256 % 256}.{number % 256}.0/25" for number in range(99_999)]
    file = tmp_path / "networks"
    file.write_text("\n".join([*networks, "127.0.0.2"]))
    gateway = scenario.gateway(
        [service("app", scenario.origin())],
        [route("file", "app", hosts=["file.test"], plugins={"ip-restriction": {"denyFile": str(file)}})],
        settings=store_settings(tmp_path), http={"forwarding": {"trustedNetworks": ["127.0.0.9"]}})
    api = AdminAPI(gateway)
    # By the admin API as well, as a list.
    api.transact(put("routes/list", {"hosts": ["list.test"], "service": "app", "plugins": {
        "ip-restriction": {"deny": [*networks, "127.0.0.2"]}}}))
    for host in ("file", "list"):
        assert status(gateway, host, "127.0.0.1") == 200 and status(gateway, host, "127.0.0.2") == 403
        for client, wanted in [("10.0.0.0", 403), ("10.0.0.127", 403), ("10.0.0.128", 200), ("9.255.255.255", 200),
                               ("11.134.158.5", 403), ("11.134.159.5", 200)]:
            assert status(gateway, host, "127.0.0.9", f"X-Forwarded-For: {client}") == wanted, client


@pytest.mark.parametrize("options, place, message", [
    ({}, "plugins.ip-restriction", "nobody is allowed or denied"),
    ({"allow": []}, "plugins.ip-restriction.allow", "the list is empty"),
    ({"allow": ["10.0.0.0/33"]}, "plugins.ip-restriction.allow[0]", "is not a network"),
    ({"deny": ["10.0.0.1/8"]}, "plugins.ip-restriction.deny[0]", 'write "10.0.0.0/8"'),
    ({"denyFile": "missing"}, "plugins.ip-restriction.denyFile", "No such file"),
    ({"denyFile": "broken"}, "plugins.ip-restriction.denyFile", 'line 2: "10.0.0.1/8" has bits set'),
    ({"denyFile": "."}, "plugins.ip-restriction.denyFile", "cannot read"),
    ({"deny": ["10.0.0.1"], "status": 302}, "plugins.ip-restriction.status", "out of range"),
])
def test_bad_options_are_refused_with_their_place(tmp_path, options, place, message):
    (tmp_path / "broken").write_text("10.0.0.0/8\n10.0.0.1/8\n")
    file = tmp_path / "penstock.yaml"
    file.write_text(json.dumps({
        "listeners": [{"name": "web", "address": "127.0.0.1:8080"}],
        "services": [{"name": "app", "endpoints": ["127.0.0.1:9000"]}],
        "routes": [{"name": "app", "service": "app", "plugins": {"ip-restriction": options}}]}))
    result = run_to_end([penstock_binary(), "check", str(file)], tmp_path)
    text = result.stdout + result.stderr
    assert result.returncode != 0 and place in text and message in text, text
