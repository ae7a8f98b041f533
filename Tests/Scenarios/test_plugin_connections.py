"""Plugins that act on connections: ip-restriction with `at: connection`."""

import json
import re

import pytest

from support.admin_api import AdminAPI
from support.client import Client
from support.command_line import CommandLine, store_settings
from support.gateway import Gateway, route, service
from support.http import ConnectionEnded
from support.plugin_options import check
from support.ports import free_port
from support.programs import penstock_binary, run_to_end
from support.tls import client_context
from support.waiting import wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"
DENIED = "127.0.0.2"


def restriction(**options) -> dict:
    return {"plugins": [{"name": "ip-restriction", "at": "connection", **options}]}


def refused(gateway: Gateway) -> float:
    metrics = gateway.metrics()
    count = metrics.sum("penstock_refused_total", reason="plugin")
    assert count <= metrics.sum("penstock_connections_refused_total")
    return count


def is_served(gateway: Gateway, address: str, sent: bytes = b"", port: int = 0, **client) -> bool:
    """False where the connection is closed without a word."""
    before = refused(gateway)
    try:
        with Client(port or gateway.port, source=address, **client) as connection:
            connection.send(sent + REQUEST)
            assert connection.response().status == 200
        return True
    except (OSError, ConnectionEnded):
        wait_until(lambda: refused(gateway) == before + 1, "it is counted by its reason")
        return False


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    """Three listeners: plain, with TLS, and with both TLS and the PROXY protocol; a fourth with the latter alone."""
    ports = {name: free_port() for name in ("plain", "tls", "behind", "tls-behind")}
    leaf = shared.authority().issue("example.test")
    gateway = shared.gateway(
        [service("app", origin)], [route("all", "app"), route("own", "app", hosts=["own.test"], plugins={
            "ip-restriction": {"deny": ["127.0.0.3"]}})],
        certificates=[leaf.described("example")], http={"forwarding": {"trustedNetworks": ["127.0.0.9"]}},
        listeners=[{"name": name, "address": f"127.0.0.1:{port}", **({"tls": {}} if "tls" in name else {}),
                    "proxyProtocol": "behind" in name} for name, port in ports.items()],
        settings=restriction(deny=[DENIED, "203.0.113.0/24", "2001:db8::/32"]))
    gateway.ports, gateway.port = ports, ports["plain"]
    return gateway


@pytest.fixture(autouse=True)
def fresh(origin):
    origin.forget()


def test_closed_before_anything_is_read(gateway, origin):
    assert is_served(gateway, "127.0.0.1") and not is_served(gateway, DENIED)
    assert len(origin.requests) == 1
    requests = gateway.metrics().sum("penstock_requests_total")
    with Client(gateway.port, source=DENIED) as client:
        client.expect_end()
    assert gateway.metrics().sum("penstock_requests_total") == requests


def test_with_tls_no_handshake_begins(gateway):
    def handshakes() -> list:
        metrics = gateway.metrics()
        return [sample for sample in metrics.samples if sample.name.startswith("penstock_tls_handshake")]

    def wrap(connection):
        return client_context().wrap_socket(connection, server_hostname="example.test")

    assert is_served(gateway, "127.0.0.1", port=gateway.ports["tls"], wrap=wrap)
    before = handshakes()
    assert before and not is_served(gateway, DENIED, port=gateway.ports["tls"], wrap=wrap)
    assert handshakes() == before


@pytest.mark.parametrize("header, served", [
    (b"PROXY TCP4 198.51.100.7 192.0.2.1 56324 443\r\n", True),
    (b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n", False),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", False),
    # It says nothing of a client: the other end's own address counts.
    (b"PROXY UNKNOWN\r\n", True),
])
def test_behind_the_proxy_protocol_the_client_counts(gateway, header, served):
    port = gateway.ports["behind"]
    assert is_served(gateway, "127.0.0.1", header, port) == served
    # The load balancer itself may be in what is denied.
    named = b"UNKNOWN" not in header
    assert is_served(gateway, DENIED, header, port) == (served and named)


def test_behind_the_proxy_protocol_with_tls(gateway):
    def wrap(client: str):
        def connected(connection):
            connection.sendall(f"PROXY TCP4 {client} 192.0.2.1 56324 443\r\n".encode())
            return client_context().wrap_socket(connection, server_hostname="example.test")
        return connected

    port = gateway.ports["tls-behind"]
    assert is_served(gateway, "127.0.0.1", port=port, wrap=wrap("198.51.100.7"))
    assert not is_served(gateway, "127.0.0.1", port=port, wrap=wrap("203.0.113.7"))


def test_what_a_request_says_of_its_client_is_not_looked_at(gateway):
    with Client(gateway.port, source="127.0.0.9") as client:
        assert client.exchange("GET", "/", "X-Forwarded-For: 203.0.113.7").status == 200


def test_a_routes_own_plugin_is_for_its_requests(gateway):
    with Client(gateway.port, source="127.0.0.3") as client:
        assert client.exchange("GET", "/", host="own.test").status == 403
        assert client.exchange("GET", "/").status == 200
    # Connections know no route.
    assert not is_served(gateway, DENIED)


def test_explain_shows_it_before_what_requests_meet(gateway, tmp_path):
    penstock = CommandLine(gateway, tmp_path)
    for host, wanted in [("any.test", [("everything", ["connection"])]),
                         ("own.test", [("everything", ["connection"]), ("route own", ["request head"])])]:
        url = f"http://{host}:{gateway.port}/"
        shown = json.loads(penstock("explain", url, "-o", "json"))["plugins"]
        assert [(plugin["scope"], plugin["phases"]) for plugin in shown] == wanted
        assert re.search(r"plugins +ip-restriction: of everything", penstock("explain", url))


def test_by_the_admin_api_for_the_next_connection(scenario, origin, tmp_path):
    gateway = scenario.gateway([service("app", origin)], settings=store_settings(tmp_path), workers=2)
    api = AdminAPI(gateway)
    with gateway.client(source=DENIED) as before:
        assert before.exchange().status == 200
        api.put("/v1/plugins/ip-restriction", {"at": "connection", "deny": [DENIED]}, status=201)
        # More than there are workers.
        for _ in range(6):
            assert not is_served(gateway, DENIED)
        assert is_served(gateway, "127.0.0.1")
        assert before.exchange().status == 200
    api.put("/v1/plugins/ip-restriction", {"deny": [DENIED]}, status=200)
    with gateway.client(source=DENIED) as client:
        assert client.exchange().status == 403
    api.put("/v1/plugins/ip-restriction", {"at": "connection", "deny": [DENIED], "enabled": False}, status=200)
    assert is_served(gateway, DENIED)
    api.put("/v1/plugins/ip-restriction", {"at": "connection", "allow": [DENIED]}, status=200)
    assert is_served(gateway, DENIED) and not is_served(gateway, "127.0.0.1")
    api.delete("/v1/plugins/ip-restriction")
    assert is_served(gateway, "127.0.0.1")
    answer = api.put("/v1/routes/shop", {"service": "app", "plugins": {
        "ip-restriction": {"at": "connection", "deny": [DENIED]}}}, status=422)
    assert "neither a route nor a consumer is known" in answer.errors[0]["detail"], answer


def test_a_file_of_networks_is_followed(scenario, origin, tmp_path):
    file = tmp_path / "networks"
    file.write_text("127.0.0.2\n")
    gateway = scenario.gateway([service("app", origin)], settings=restriction(denyFile=str(file)))
    assert is_served(gateway, "127.0.0.1") and not is_served(gateway, DENIED)
    file.write_text("127.0.0.3\n")
    wait_until(lambda: is_served(gateway, DENIED), "the new file counts")
    file.write_text("nonsense\n")
    wait_until(lambda: not is_served(gateway, "127.0.0.3") and "line 1: " in gateway.stderr, "the log tells of it")
    assert is_served(gateway, DENIED)
    gateway.check_health()


@pytest.mark.parametrize("where", ["routes", "services", "consumers"])
def test_it_is_set_for_everything_only(tmp_path, where):
    options = {"ip-restriction": {"at": "connection", "deny": [DENIED]}}
    document = {
        "listeners": [{"name": "web", "address": "127.0.0.1:8080"}],
        "services": [{"name": "app", "endpoints": ["127.0.0.1:9000"]}],
        "routes": [{"name": "app", "service": "app"}], "consumers": [{"name": "alice"}]}
    document[where][0]["plugins"] = options
    file = tmp_path / "penstock.yaml"
    file.write_text(json.dumps(document))
    result = run_to_end([penstock_binary(), "check", str(file)], tmp_path)
    text = result.stdout + result.stderr
    assert result.returncode != 0 and f"{where}[0].plugins.ip-restriction" in text, text
    assert "ip-restriction is to act on connections" in text and "among the plugins of the top level" in text, text


def test_there_is_no_answer_to_choose(tmp_path):
    for option, value in [("status", 404), ("message", "no")]:
        text = check(tmp_path, "ip-restriction", {"at": "connection", "deny": [DENIED], option: value})
        assert f"plugins.ip-restriction.{option}" in text and "gets no answer" in text, text
    assert "did you mean" in check(tmp_path, "ip-restriction", {"at": "conection", "deny": [DENIED]})
