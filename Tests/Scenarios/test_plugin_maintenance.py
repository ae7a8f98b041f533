"""maintenance: who still passes, and what the others are told."""

import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.gateway import routes_with, service
from support.plugin_options import check

CONSUMERS = [{"name": "alice", "groups": ["staff"], "credentials": {"key-auth": [{"key": "alice-secret-key"}]}},
             {"name": "bob", "credentials": {"key-auth": [{"key": "bob-secret-key"}]}}]


@pytest.fixture(scope="module")
def gateway(shared):
    shop = routes_with("maintenance")
    return shared.gateway(
        [service("app", shared.origin())],
        [shop("all", None), shop("own", body="<h1>$5</h1>", contentType="text/html", retryAfter="1h", status=500,
                                 headers={"X-Until": "10:00"}),
         shop("silent", retryAfter="0s"),
         shop("network", allow={"networks": ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]}),
         shop("local", allow={"networks": ["127.0.0.0/8"]}), shop("header", allow={"headers": {"X-Preview": "secret"}}),
         shop("consumer", other={"key-auth": {}}, allow={"consumers": ["bob"]}),
         shop("group", other={"key-auth": {}}, allow={"groups": ["staff"]}),
         shop("off", enabled=False)],
        settings={"consumers": CONSUMERS}, http={"forwarding": {"trustedNetworks": ["127.0.0.1"]}})


def test_what_others_are_told(gateway):
    answer = gateway.get(host="all.test")
    assert answer.status == 503 and answer.text == "The service is under maintenance.\n"
    assert answer.value("retry-after") == "300"
    answer = gateway.get(host="own.test")
    assert answer.status == 500 and answer.text == "<h1>$5</h1>" and answer.value("content-type") == "text/html"
    assert answer.value("retry-after") == "3600" and answer.value("x-until") == "10:00"
    assert not gateway.get(host="silent.test").has("retry-after")
    with gateway.http2(authority="all.test") as client:
        answer = client.exchange()
        assert answer.status == 503 and answer.value("retry-after") == "300"
    assert gateway.get(host="off.test").status == 200


@pytest.mark.parametrize("host, fields, status", [
    ("network", (), 503),
    ("network", ("X-Forwarded-For: 10.1.2.3",), 200),
    ("network", ("X-Forwarded-For: 192.0.2.7",), 200),
    ("network", ("X-Forwarded-For: 192.0.2.8",), 503),
    ("network", ("X-Forwarded-For: 2001:db8:1::1",), 200),
    ("network", ("X-Forwarded-For: 2001:db9::1",), 503),
    ("local", (), 200),
    ("header", (), 503),
    ("header", ("X-Preview: secret",), 200),
    ("header", ("x-preview: Secret",), 503),
    ("header", ("X-Preview:",), 503),
    ("consumer", (), 401),
    ("consumer", ("apikey: alice-secret-key",), 503),
    ("consumer", ("apikey: bob-secret-key",), 200),
    ("group", ("apikey: alice-secret-key",), 200),
    ("group", ("apikey: bob-secret-key",), 503),
])
def test_who_passes(gateway, host, fields, status):
    assert gateway.get("/", *fields, host=f"{host}.test").status == status


def test_everything_by_the_admin_api(scenario, tmp_path):
    gateway = gateway_with_store(scenario, scenario.origin(), tmp_path)
    api = AdminAPI(gateway)
    assert gateway.get(host="file.test").status == 200
    api.put("/v1/plugins/maintenance", {"allow": {"headers": {"X-Preview": "secret"}}}, status=201)
    assert gateway.get(host="file.test").status == 503
    assert gateway.get("/", "X-Preview: secret", host="file.test").status == 200
    api.delete("/v1/plugins/maintenance", status=200)
    assert gateway.get(host="file.test").status == 200


@pytest.mark.parametrize("options, said", [
    ({"status": 100}, "from 200 to 599"),
    ({"allow": {"networks": ["10.0.0.0/33"]}}, "10.0.0.0/33"),
    ({"allow": {"people": []}}, "unknown key"),
    ({"allow": {"headers": {"X-A": ""}}}, "value"),
    ({"headers": {"Retry-After": "1"}}, "retryAfter says it"),
    ({"retryAfter": 5}, "retryAfter"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "maintenance", options)


def test_a_route_needs_a_service_where_somebody_passes(tmp_path):
    assert check(tmp_path, "maintenance", {}, has_service=False) == ""
    options = {"allow": {"groups": ["staff"]}}
    assert "a route needs a service" in check(tmp_path, "maintenance", options, has_service=False)
