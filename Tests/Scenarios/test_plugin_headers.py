"""headers: fields that are set, added, removed and renamed, with variables."""

import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.gateway import routes_with, service
from support.origin import answer_with
from support.plugin_options import check

CONSUMERS = [{"name": "alice", "credentials": {"key-auth": [{"key": "alice-secret-key"}]}}]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    talkative = shared.origin(answer_with(
        200, "hello", "Server: Secret/1.0", "X-Old: 1", "X-Old: 2", "Cache-Control: public", "Vary: Accept"))
    shop = routes_with("headers")
    return shared.gateway(
        [service("app", origin), service("talkative", talkative)],
        [shop("plain", request={"set": {"X-Set": "one", "X-Cost": "$$5"}, "add": {"X-Added": "two"},
                                "remove": ["X-Removed"], "rename": {"X-From": "X-To"}}),
         shop("variables", request={"set": {
             "X-All": "$remote_addr|$scheme|$host|${http_host}|$request_method|$uri|$args|$request_uri",
             "X-Long": "$args$args$args",
             "X-Names": "$route_name/$service_name", "X-ID": "$request_id",
             "X-From-Request": "$http_user_agent,$arg_q,$cookie_c", "X-Empty": "$http_nothing", "X-Who": "$consumer_name"}}),
         shop("consumer", other={"key-auth": {}}, request={"set": {"X-Who": "$consumer_name"}, "remove": ["apikey"]}),
         shop("response", "talkative", response={
             "set": {"Cache-Control": "no-store", "X-Route": "$route_name"}, "add": {"Vary": "Origin"},
             "remove": ["Server", "x-old"]}),
         shop("own", other={"key-auth": {}}, response={
             "set": {"Content-Type": "text/html", "WWW-Authenticate": "Basic"}, "add": {"X-Error": "$uri"}})],
        settings={"consumers": CONSUMERS})


class TestRequests:
    def test_fields_are_set_added_removed_and_renamed(self, gateway, origin):
        gateway.get("/", "X-Set: mine", "x_set: mine", "X-Added: mine", "X-Removed: 1", "X-From: a", "X-From: b",
                    "X-Other: 1", host="plain.test")
        last = origin.last
        assert last.values("x-set") == ["one"] and not last.has("x_set")
        assert last.value("x-cost") == "$5"
        assert last.values("x-added") == ["mine", "two"]
        assert not last.has("x-removed") and not last.has("x-from")
        assert last.values("x-to") == ["a", "b"] and last.value("x-other") == "1"

    def test_by_http2(self, gateway, origin):
        with gateway.http2(authority="plain.test") as client:
            fields = (("x-set", "mine"), ("x-removed", "1"), ("x-from", "a"))
            assert client.exchange("GET", "/", *fields).status == 200
        assert origin.last.values("x-set") == ["one"] and not origin.last.has("x-removed")
        assert origin.last.values("x-to") == ["a"]

    def test_variables(self, gateway, origin):
        gateway.get("/a/./b?q=1%202", "User-Agent: me", "Cookie: c=3", "X-Empty: sent", host="variables.test:81")
        last = origin.last
        assert last.value("x-all") == ("127.0.0.1|http|variables.test|variables.test:81|GET|/a/b|q=1%202|"
                                       "/a/b?q=1%202")
        assert last.value("x-names") == "variables/app"
        assert last.value("x-id") == last.value("x-request-id")
        assert last.value("x-from-request") == "me,1 2,3"
        assert not last.has("x-empty") and not last.has("x-who")

    def test_no_value_can_end_a_line(self, gateway, origin):
        gateway.get("/?q=a%0d%0aX-Evil:%201%00%7f", "User-Agent: u", host="variables.test")
        assert origin.last.value("x-from-request").split(",")[1].replace(" ", "") == "aX-Evil:1"
        assert not origin.last.has("x-evil")

    def test_a_value_that_is_too_long_is_not_sent(self, gateway, origin):
        gateway.get("/?q=" + "a" * 6_000, host="variables.test")
        assert origin.last.value("x-from-request") == "," + "a" * 6_000 + "," and not origin.last.has("x-long")
        assert origin.last.value("x-names") == "variables/app"

    def test_who_calls_is_known(self, gateway, origin):
        gateway.get("/", "apikey: alice-secret-key", host="consumer.test")
        assert origin.last.value("x-who") == "alice" and not origin.last.has("apikey")


class TestResponses:
    def test_fields_are_set_added_and_removed(self, gateway):
        answer = gateway.get(host="response.test")
        assert answer.values("cache-control") == ["no-store"] and answer.value("x-route") == "response"
        assert answer.values("vary") == ["Accept", "Origin"]
        assert not answer.has("server") and not answer.has("x-old")

    def test_by_http2(self, gateway):
        with gateway.http2(authority="response.test") as client:
            answer = client.exchange("GET", "/")
            assert answer.values("cache-control") == ["no-store"] and answer.value("x-route") == "response"
            assert not answer.has("server")
        with gateway.http2(authority="own.test") as client:
            answer = client.exchange("GET", "/a")
            assert answer.values("content-type") == ["text/html"] and answer.value("x-error") == "/a"

    def test_answers_of_the_gateways_own(self, gateway):
        answer = gateway.get("/a", host="own.test")
        assert answer.status == 401
        assert answer.values("content-type") == ["text/html"]
        assert answer.values("www-authenticate") == ["Basic"] and answer.value("x-error") == "/a"


def test_by_the_admin_api(scenario, origin, tmp_path):
    gateway = gateway_with_store(scenario, origin, tmp_path)
    api = AdminAPI(gateway)
    shop = {"service": "app", "hosts": ["shop.test"], "plugins": {"headers": {"request": {"set": {"X-A": "1"}}}}}
    api.put("/v1/routes/shop", shop)
    gateway.get(host="shop.test")
    assert origin.last.value("x-a") == "1"
    shop["plugins"]["headers"]["request"]["set"]["X-A"] = "2"
    api.put("/v1/routes/shop", shop)
    gateway.get(host="shop.test")
    assert origin.last.values("x-a") == ["2"]
    shop["plugins"]["headers"]["request"]["set"] = {"Host": "x"}
    answer = api.put("/v1/routes/shop", shop, status=422)
    assert "the field Host is the gateway's own" in answer.content.decode()


@pytest.mark.parametrize("options, said", [
    ({}, "there is nothing to change"),
    ({"request": {"set": {"Host": "a"}}}, "the plugin rewrite sets it with host"),
    ({"request": {"set": {"Content-Length": "1"}}}, "the field Content-Length is the gateway's own"),
    ({"request": {"add": {"X-Forwarded-For": "1"}}}, "http.forwarding"),
    ({"request": {"rename": {"X-A": "Transfer-Encoding"}}}, "the field Transfer-Encoding is the gateway's own"),
    ({"response": {"set": {"Strict-Transport-Security": "1"}}}, "hsts of the route"),
    ({"response": {"remove": ["Date"]}}, "the field Date is the gateway's own"),
    ({"request": {"set": {"X-A": "$nothing"}}}, "there is no variable $nothing"),
    ({"request": {"set": {"X-A": "5$"}}}, "a dollar sign itself is $$"),
    ({"request": {"set": {"X-A": "${host"}}}, 'has no "}"'),
    ({"request": {"set": {"X-A": "$1"}}}, "there is no regular expression"),
    ({"request": {"set": {"X-A": "1"}, "remove": ["x-a"]}}, "named twice"),
    ({"request": {"set": {"X A": "1"}}}, "is not a name of a field"),
    ({"request": {"set": {"X-A": "a\r\nb"}}}, "one line without control characters"),
    ({"request": {"sets": {}}}, 'did you mean "set"?'),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "headers", options)
