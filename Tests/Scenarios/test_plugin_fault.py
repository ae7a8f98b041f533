"""fault: errors and delays that are asked for."""

import pytest

from support.gateway import routes_with, service
from support.plugin_options import check


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    shop = routes_with("fault")
    return shared.gateway(
        [service("app", origin)],
        [shop("abort", abort={"status": 503}, other={"key-auth": {}}),
         shop("body", abort={"status": 500, "body": '{"a": 1}', "contentType": "application/json", "headers": {"X-A": "$uri"}}),
         shop("half", abort={"status": 503, "percentage": "50%"}), shop("never", abort={"status": 503, "percentage": 0}),
         shop("slow", delay={"duration": "100ms"}), shop("very-slow", delay={"duration": "10m"}),
         shop("both", delay={"duration": "50ms"}, abort={"status": 504}),
         shop("triggered", abort={"status": 503}, trigger={"headers": {"X-Fault": "secret"}})])


def test_all_are_aborted_before_any_other_plugin(gateway, origin):
    origin.forget()
    answer = gateway.get(host="abort.test")
    assert answer.status == 503 and answer.text == "This fault was asked for.\n"
    answer = gateway.get("/p", host="body.test")
    assert answer.status == 500 and answer.text == '{"a": 1}' and answer.value("x-a") == "/p"
    assert answer.value("content-type") == "application/json"
    assert not origin.requests


def test_a_share_is_aborted(gateway):
    statuses = [gateway.get(host="half.test").status for _ in range(200)]
    # Less likely than 1 in 10^9 with a fair coin.
    assert 55 < statuses.count(503) < 145 and set(statuses) == {200, 503}
    assert {gateway.get(host="never.test").status for _ in range(50)} == {200}


def test_requests_wait_and_go_on(gateway, origin):
    with gateway.client() as client:
        answer = client.exchange("POST", "/a", body=b"content", host="slow.test")
        assert answer.status == 200 and origin.last.body == b"content"
    with gateway.http2(authority="slow.test") as client:
        assert client.exchange("POST", "/b", body=b"x" * 100_000).status == 200
        assert origin.last.body == b"x" * 100_000
    assert gateway.get(host="both.test").status == 504


def test_who_goes_away_reaches_no_service(gateway, origin):
    origin.forget()
    with gateway.client() as client:
        client.request("GET", "/gone", host="very-slow.test")
    with gateway.client() as client:
        client.request("GET", "/gone", host="slow.test")
    with gateway.http2(authority="slow.test") as client:
        client.reset(client.request("GET", "/gone"))
        client.ping()
    # Later than the one before would have gone on.
    assert gateway.get("/after", host="slow.test").status == 200
    assert [request.target for request in origin.requests] == ["/after"]


def test_a_trigger(gateway):
    assert gateway.get(host="triggered.test").status == 200
    assert gateway.get("/", "X-Fault: other", host="triggered.test").status == 200
    assert gateway.get("/", "X-Fault: secret", host="triggered.test").status == 503


@pytest.mark.parametrize("options, said", [
    ({}, "there is no fault"),
    ({"abort": {}}, '"status" is missing'),
    ({"abort": {"status": 100}}, "from 200 to 599"),
    ({"abort": {"status": 503, "percentage": "101%"}}, "is not a percentage"),
    ({"delay": {}}, '"duration" is missing'),
    ({"delay": {"duration": "0s"}}, "duration"),
    ({"delay": {"duration": "1h"}}, "duration"),
    ({"abort": {"status": 503}, "trigger": {}}, "it says nothing of the request"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "fault", options)
