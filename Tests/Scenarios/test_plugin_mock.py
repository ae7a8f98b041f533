"""mock: answers in place of a service."""

import json

import pytest

from support.admin_api import AdminAPI
from support.command_line import gateway_with_store
from support.gateway import routes_with, service
from support.plugin_options import check

CONSUMERS = [{"name": "alice", "credentials": {"key-auth": [{"key": "alice-secret-key"}]}}]


@pytest.fixture(scope="module")
def gateway(shared):
    shop = routes_with("mock", target=None)
    return shared.gateway(
        [service("app", shared.origin())],
        [shop("plain"), shop("body", body='{"cost": "$5"}\n', headers={"X-A": "1", "X-Path": "$uri"}, status=418),
         shop("none", status=204), shop("large", body="x" * (1 << 20), contentType="text/plain"),
         shop("json", body='{"path": "$uri", "who": "$arg_who", "cost": "$$5"}', template=True),
         shop("html", body="<p>$arg_who</p>", contentType="text/html", template=True),
         shop("trigger", "app", status=503, trigger={"headers": {"X-Mock": ""}, "query": {"mock": "a b"}}),
         shop("closed", status=410, other={"key-auth": {}}),
         shop("examples", status=404, body="nothing", contentType="text/plain", examples=[
             {"match": {"method": ["GET", "HEAD"], "path": "/orders/1"}, "body": '{"id": 1}'},
             {"match": {"method": "POST"}, "status": 201, "headers": {"Location": "/orders/2"}},
             {"match": {"headers": {"Accept": "text/csv"}}, "contentType": "text/csv", "body": "id\r\n1\r\n"},
             {"match": {"query": {"page": "2"}}, "body": "[]"}]),
         shop("slow", delay="150ms", body="{}"), shop("very-slow", delay="10m")],
        settings={"consumers": CONSUMERS})


class TestAnswers:
    def test_without_options_it_is_200_and_nothing(self, gateway):
        answer = gateway.get(host="plain.test")
        assert answer.status == 200 and answer.body == b"" and answer.value("content-length") == "0"
        assert not answer.has("content-type") and answer.has("date")

    def test_status_fields_and_content(self, gateway):
        answer = gateway.get("/a", host="body.test")
        assert answer.status == 418 and answer.text == '{"cost": "$5"}\n'
        assert answer.value("content-type") == "application/json"
        assert answer.value("x-a") == "1" and answer.value("x-path") == "/a"

    def test_head_and_no_content(self, gateway):
        with gateway.client() as client:
            answer = client.exchange("HEAD", "/", host="body.test")
            assert answer.status == 418 and answer.body == b"" and answer.value("content-length") == "15"
            answer = client.exchange("GET", "/", host="none.test")
            assert answer.status == 204 and not answer.has("content-length")

    def test_a_large_one_by_both_protocols(self, gateway):
        assert gateway.get(host="large.test").body == b"x" * (1 << 20)
        with gateway.http2(authority="large.test") as client:
            assert client.exchange().body == b"x" * (1 << 20)

    def test_variables_are_escaped_for_where_they_stand(self, gateway):
        evil = '%22%7D%0A%5C%3Cb%3E%26%27'
        answer = gateway.get(f"/a?who={evil}", host="json.test")
        assert json.loads(answer.text) == {"path": "/a", "who": '"}\n\\<b>&\'', "cost": "$5"}
        answer = gateway.get(f"/a?who={evil}", host="html.test")
        assert answer.text == "<p>&quot;}\n\\&lt;b&gt;&amp;&#39;</p>"

    def test_other_plugins_come_first(self, gateway):
        assert gateway.get(host="closed.test").status == 401
        assert gateway.get("/", "apikey: alice-secret-key", host="closed.test").status == 410


class TestChoice:
    def test_a_trigger_says_which_requests_are_answered(self, gateway):
        assert gateway.get("/?mock=a%20b", "X-Mock: 1", host="trigger.test").status == 503
        for target, fields in (("/", ("X-Mock: 1",)), ("/?mock=a", ("X-Mock: 1",)), ("/?mock=a%20b", ())):
            assert gateway.get(target, *fields, host="trigger.test").value("x-origin") == "origin"

    def test_the_first_example_that_matches_counts(self, gateway):
        def ask(method, target, *fields):
            with gateway.client() as client:
                answer = client.exchange(method, target, *fields, host="examples.test")
            return answer.status, answer.text, answer.value("content-type")
        assert ask("GET", "/orders/1") == (200, '{"id": 1}', "application/json")
        assert ask("GET", "/orders/./1?page=2") == (200, '{"id": 1}', "application/json")
        assert ask("POST", "/orders/1")[0] == 201
        assert ask("GET", "/", "Accept: text/csv") == (200, "id\r\n1\r\n", "text/csv")
        assert ask("GET", "/?page=2") == (200, "[]", "application/json")
        assert ask("DELETE", "/") == (404, "nothing", "text/plain")


class TestDelays:
    def test_the_answer_takes_its_time(self, gateway):
        answers = []
        with gateway.client() as client:
            client.request("GET", "/", host="slow.test")
            # Others are not held up.
            assert gateway.get(host="plain.test").status == 200
            answers.append(client.response())
            assert client.exchange("GET", "/", host="plain.test").status == 200
        with gateway.http2(authority="slow.test") as client:
            answers.append(client.exchange())
        assert [answer.text for answer in answers] == ["{}", "{}"]

    def test_a_client_that_goes_away_is_noticed(self, gateway):
        with gateway.client() as client:
            client.request("GET", "/", host="very-slow.test")
        with gateway.http2(authority="very-slow.test") as client:
            number = client.request("GET", "/")
            client.reset(number)
            client.ping()
        assert gateway.get(host="plain.test").status == 200
        # The fixture's stop waits for requests in flight: it would not end in time.


def test_by_the_admin_api(scenario, tmp_path):
    gateway = gateway_with_store(scenario, scenario.origin(), tmp_path)
    api = AdminAPI(gateway)
    api.put("/v1/routes/robots", {"match": [{"path": {"exact": "/robots.txt"}}],
                                  "plugins": {"mock": {"contentType": "text/plain", "body": "User-agent: *\n"}}}, status=201)
    assert gateway.get("/robots.txt").text == "User-agent: *\n"
    read = api.get("/v1/routes/robots")
    assert read["plugins"]["mock"]["body"] == "User-agent: *\n"
    answer = api.put("/v1/routes/robots", {"plugins": {"mock": {"trigger": {"method": "GET"}}}}, status=422)
    assert "a route needs a service" in answer.content.decode()


@pytest.mark.parametrize("options, said", [
    ({"status": 199}, "from 200 to 599"),
    ({"status": 204, "body": "a"}, "has no content"),
    ({"headers": {"Content-Type": "a"}}, "contentType says"),
    ({"headers": {"Content-Length": "1"}}, "the gateway's own"),
    ({"headers": {"X-A": "$b"}}, "there is no variable $b"),
    ({"body": "$b", "template": True}, "there is no variable $b"),
    ({"body": "x" * ((1 << 20) + 1)}, "at most 1048576"),
    ({"delay": "11m"}, "delay"),
    ({"trigger": {}}, "it says nothing of the request"),
    ({"trigger": {"path": "a"}}, 'does not begin with "/"'),
    ({"trigger": {"path": "/a//b"}}, 'write "/a/b"'),
    ({"examples": [{"body": "a"}]}, '"match" is missing'),
    ({"examples": [{"match": {}}]}, "it says nothing of the request"),
    ({"examples": [{"match": {"method": "GET"}, "status": 304, "body": "a"}]}, "has no content"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "mock", options)
    if options.get("body") != "$b":
        return
    assert check(tmp_path, "mock", {"body": "$b"}) == ""
