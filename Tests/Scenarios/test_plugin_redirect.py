"""redirect: where clients are sent, and that no client decides where another is."""

import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.gateway import routes_with, service
from support.plugin_options import check


@pytest.fixture(scope="module")
def gateway(shared):
    shop = routes_with("redirect", target=None)
    return shared.gateway(
        [service("app", shared.origin())],
        [shop("constant", uri="https://www.example.com/new", status=301),
         shop("all", uri="https://www.example.com$request_uri"), shop("host", uri="$scheme://new.$host$uri"),
         shop("port", uri="http://$http_host/x"),
         shop("regex", "app", regex="/old/(.*)", uri="/$1", status=308),
         shop("absolute", "app", regex="/a(.*)", uri="https://www.example.com/$1"),
         shop("field", uri="/login?to=$uri&who=$http_x_who", status=307),
         shop("query", uri="/new?a=1#part", appendQuery=True), shop("query2", uri="/new", appendQuery=True)])


@pytest.mark.parametrize("host, target, status, location", [
    ("constant", "/a?b", 301, "https://www.example.com/new"),
    ("all", "/a?b=c", 302, "https://www.example.com/a?b=c"),
    ("all", "//evil.test/%2e%2e/a", 302, "https://www.example.com/a"),
    ("host", "/a?b", 302, "http://new.host.test/a"),
    ("regex", "/old/a/b?c", 308, "/a/b"),
    ("regex", "/old//evil.test", 308, "/evil.test"),
    ("regex", "/old/\\evil.test", 308, "/%5Cevil.test"),
    ("absolute", "/a.evil.test", 302, "https://www.example.com/.evil.test"),
    ("query", "/?b=2", 302, "/new?a=1&b=2#part"),
    ("query", "/", 302, "/new?a=1#part"),
    ("query2", "/?b=2&c", 302, "/new?b=2&c"),
])
def test_where_clients_are_sent(gateway, host, target, status, location):
    answer = gateway.get(target, host=f"{host}.test")
    assert (answer.status, answer.value("location")) == (status, location)


def test_other_paths_go_on(gateway):
    answer = gateway.get("/young", host="regex.test")
    assert answer.status == 200 and answer.value("x-origin") == "origin"


def test_the_hosts_port(gateway):
    assert gateway.get("/", host="port.test:81").value("location") == "http://port.test:81/x"
    with gateway.client() as client:
        answer = client.exchange("GET", "http://port.test/", host=None, version="1.0")
        assert answer.value("location") == "http://port.test/x"


def test_what_a_request_says_stays_within_its_place(gateway):
    answer = gateway.get("/a b".replace(" ", "%20"), "X-Who: a&b\"<c> d", host="field.test")
    assert answer.value("location") == "/login?to=/a%20b&who=a%26b%22%3Cc%3E%20d"


def test_by_http2_and_with_head(gateway):
    with gateway.http2(authority="all.test") as client:
        answer = client.exchange("GET", "/a?b")
        assert (answer.status, answer.value("location")) == (302, "https://www.example.com/a?b")
    with gateway.client() as client:
        answer = client.exchange("HEAD", "/", host="constant.test")
        assert answer.status == 301 and answer.body == b""
        assert client.exchange("POST", "/", body=b"content", host="constant.test").status == 301
        assert client.exchange("GET", "/", host="all.test").status == 302


def test_a_route_without_service_by_the_admin_api(scenario, tmp_path):
    gateway = gateway_with_store(scenario, scenario.origin(), tmp_path)
    api = AdminAPI(gateway)
    old = {"hosts": ["old.test"], "plugins": {"redirect": {"uri": "https://new.test$request_uri"}}}
    api.put("/v1/routes/old", old, status=201)
    assert gateway.get("/a", host="old.test").value("location") == "https://new.test/a"
    old["plugins"]["redirect"]["enabled"] = False
    answer = api.put("/v1/routes/old", old, status=422)
    assert "a route needs a service" in answer.content.decode()
    old["plugins"]["redirect"] = {"regex": "/a", "uri": "/b"}
    api.put("/v1/routes/old", old, status=422)
    assert gateway.get("/a", host="old.test").status == 302


@pytest.mark.parametrize("options, said", [
    ({}, '"uri" is missing'),
    ({"uri": "www.example.com"}, "an address begins with"),
    ({"uri": "//www.example.com"}, "an address begins with"),
    ({"uri": "ftp://a"}, "an address begins with"),
    ({"uri": "$http_x"}, "an address begins with"),
    ({"uri": "https://$http_x/"}, "clients would decide about the host"),
    ({"uri": "https://a.test$arg_x"}, "clients would decide about the host"),
    ({"uri": "https://a.test$1", "regex": "/(.*)"}, "clients would decide about the host"),
    ({"uri": "$scheme://"}, "the address has no host"),
    ({"uri": "https:///a"}, "the address has no host"),
    ({"uri": "/a b"}, "write it as %20"),
    ({"uri": "/$1"}, "there is no regular expression"),
    ({"uri": "/$3", "regex": "/(.*)"}, "there is no group $3"),
    ({"uri": "/a", "status": 304}, "301, 302, 303, 307 or 308"),
    ({"uri": "/a", "status": 200}, "from 301 to 308"),
    ({"uri": "https://a.test$request_uri", "appendQuery": True}, "has the query already"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "redirect", options)


def test_a_route_needs_a_service_where_not_all_is_answered(tmp_path):
    assert check(tmp_path, "redirect", {"uri": "/a"}, has_service=False) == ""
    assert "a route needs a service" in check(tmp_path, "redirect", {"uri": "/a", "regex": "/b"}, has_service=False)
    assert "a route needs a service" in check(tmp_path, "redirect", {"uri": "/a", "enabled": False}, has_service=False)
    # One mistake is one message.
    assert "a route needs a service" not in check(tmp_path, "redirect", {"uri": "a"}, has_service=False)
