"""cors: preflights, and what responses say (the Fetch standard's CORS protocol)."""

import pytest

from support.gateway import routes_with, service
from support.origin import answer_with
from support.plugin_options import check

APP = "https://app.example.com"


def preflight(gateway, host, origin=APP, method="PUT", *fields, target="/"):
    with gateway.client() as client:
        return client.exchange("OPTIONS", target, f"Origin: {origin}", f"Access-Control-Request-Method: {method}",
                               *fields, host=f"{host}.test")


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    own = shared.origin(answer_with(
        200, "hello", "Access-Control-Allow-Origin: https://elsewhere.test", "Access-Control-Expose-Headers: X-Theirs",
        "Access-Control-Allow-Credentials: true", "Vary: Accept-Encoding, origin"))
    star = shared.origin(answer_with(200, "hello", "Vary: *"))
    shop = routes_with("cors")
    return shared.gateway(
        [service("app", origin), service("own", own), service("star", star)],
        [shop("open"), shop("own", "own", origins=[APP], exposedHeaders=["X-Ours"]), shop("star", "star", origins=[APP]),
         shop("open-own", "own"),
         shop("app", origins=[APP, "http://localhost:3000"], headers=["Content-Type"], exposedHeaders=["X-Total", "X-Page"],
              credentials=True, maxAge="1h", methods=["GET", "PUT"], privateNetwork=True, other={"key-auth": {}}),
         shop("regex", origins=["null"], originExpressions=["https://[a-z]+\\.example\\.com"]),
         shop("continue", "own", origins=[APP], preflightContinue=True)])


class TestPreflights:
    def test_they_are_answered_before_authentication(self, gateway):
        answer = preflight(gateway, "app", APP, "PUT", "Access-Control-Request-Headers: x-any",
                           "Access-Control-Request-Private-Network: true")
        assert answer.status == 204 and answer.body == b"" and not answer.has("content-length")
        assert answer.value("access-control-allow-origin") == APP
        assert answer.value("access-control-allow-credentials") == "true"
        assert answer.value("access-control-allow-methods") == "GET, PUT"
        assert answer.value("access-control-allow-headers") == "Content-Type"
        assert answer.value("access-control-max-age") == "3600"
        assert answer.value("access-control-allow-private-network") == "true"
        assert answer.value("vary") == "Origin" and not answer.has("access-control-expose-headers")

    def test_without_options_all_may(self, gateway):
        answer = preflight(gateway, "open", "https://any.test", "DELETE", "Access-Control-Request-Headers: X-A, x-b")
        assert answer.status == 204 and answer.value("access-control-allow-origin") == "*"
        assert "DELETE" in answer.value("access-control-allow-methods").split(", ")
        assert answer.value("access-control-allow-headers") == "X-A, x-b"
        for name in ("vary", "access-control-allow-credentials", "access-control-max-age",
                     "access-control-allow-private-network"):
            assert not answer.has(name)

    def test_what_is_no_list_of_names_is_not_repeated(self, gateway):
        for value in ("a b", "a, (b)", "<script>", "x" * 5_000, ""):
            answer = preflight(gateway, "open", APP, "PUT", f"Access-Control-Request-Headers: {value}")
            assert answer.status == 204 and not answer.has("access-control-allow-headers")

    @pytest.mark.parametrize("host, sent, allowed", [
        ("app", APP, True), ("app", "http://localhost:3000", True), ("app", "http://localhost", False),
        ("app", "https://app.example.com.evil.test", False), ("app", "http://app.example.com", False),
        ("app", "null", False), ("app", "*", False), ("app", "", False),
        ("regex", "https://x.example.com", True), ("regex", "https://x.example.comx", False),
        ("regex", "https://x1.example.com", False), ("regex", "null", True),
    ])
    def test_origins(self, gateway, host, sent, allowed):
        answer = preflight(gateway, host, sent)
        assert answer.status == 204 and answer.value("vary") == "Origin"
        assert answer.value("access-control-allow-origin") == (sent if allowed else None)
        assert answer.has("access-control-allow-methods") == allowed

    def test_other_options_requests_go_on(self, gateway, origin):
        with gateway.client() as client:
            assert client.exchange("OPTIONS", "/", f"Origin: {APP}", host="open.test").status == 200
            assert client.exchange("OPTIONS", "/", "Access-Control-Request-Method: PUT", host="open.test").status == 200
        assert origin.last.method == "OPTIONS"

    def test_they_may_go_to_the_service(self, gateway):
        answer = preflight(gateway, "continue")
        assert answer.status == 200 and answer.value("access-control-allow-origin") == "https://elsewhere.test"
        answer = gateway.get("/", f"Origin: {APP}", host="continue.test")
        assert answer.value("access-control-allow-origin") == APP

    def test_by_http2(self, gateway):
        with gateway.http2(authority="app.test") as client:
            answer = client.exchange("OPTIONS", "/", ("origin", APP), ("access-control-request-method", "PUT"))
            assert answer.status == 204 and answer.value("access-control-allow-origin") == APP


class TestResponses:
    def test_the_endpoints_own_fields_are_replaced(self, gateway):
        answer = gateway.get("/", f"Origin: {APP}", host="own.test")
        assert answer.values("access-control-allow-origin") == [APP]
        assert answer.values("access-control-expose-headers") == ["X-Ours"]
        assert not answer.has("access-control-allow-credentials")
        # It says so already.
        assert answer.values("vary") == ["Accept-Encoding, origin"]
        assert gateway.get("/", f"Origin: {APP}", host="star.test").values("vary") == ["*"]

    def test_other_origins_and_none(self, gateway):
        for fields in (("Origin: https://evil.test",), ()):
            answer = gateway.get("/", *fields, host="own.test")
            assert answer.status == 200 and not answer.has("access-control-allow-origin")
            answer = gateway.get("/", *fields, host="regex.test")
            assert answer.value("vary") == "Origin"
        assert gateway.get("/", "Origin: https://x.test", host="open-own.test").value("access-control-allow-origin") == "*"

    def test_answers_of_the_gateways_own_can_be_read(self, gateway):
        answer = gateway.get("/", f"Origin: {APP}", host="app.test")
        assert answer.status == 401 and answer.value("access-control-allow-origin") == APP
        assert answer.value("access-control-allow-credentials") == "true" and answer.value("vary") == "Origin"
        assert answer.value("access-control-expose-headers") == "X-Total, X-Page"
        with gateway.http2(authority="app.test") as client:
            answer = client.exchange("GET", "/", ("origin", APP))
            assert answer.status == 401 and answer.value("access-control-allow-origin") == APP

    def test_an_answer_of_the_gateways_own_does_not_look_like_the_last_response(self, gateway):
        with gateway.client() as client:
            assert client.exchange("GET", "/", f"Origin: {APP}", host="own.test").values("vary") == [
                "Accept-Encoding, origin"]
            assert client.exchange("GET", "/", f"Origin: {APP}", host="app.test").values("vary") == ["Origin"]


@pytest.mark.parametrize("options, said", [
    ({"credentials": True}, '"*" and credentials exclude each other'),
    ({"origins": [APP], "credentials": True, "headers": ["*"]}, '"*" and credentials exclude each other'),
    ({"origins": [APP], "credentials": True, "methods": ["*"]}, '"*" and credentials exclude each other'),
    ({"origins": ["*", APP]}, "keep one or the other"),
    ({"origins": ["app.example.com"]}, "this is not an origin"),
    ({"origins": [APP + "/"]}, 'without the "/"'),
    ({"origins": [APP + "/a"]}, "this is not an origin"),
    ({"origins": [APP + ":443"]}, 'without ":443"'),
    ({"origins": ["https://*.example.com"]}, "originExpressions"),
    ({"origins": []}, "at least one origin"),
    ({"originExpressions": ["("]}, "is not a regular expression"),
    ({"methods": []}, "at least one method"),
    ({"methods": ["G ET"]}, "is not a method"),
    ({"headers": ["a\r\nb"]}, "is not a name of a field"),
    ({"maxAge": "2d"}, "maxAge"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "cors", options)
