"""forward-auth: another service decides whether requests pass."""

import json
import threading

import pytest

from support.auth_service import GOOD, auth, begin_anew, decide, is_quiet, origin, side_requests
from support.gateway import route, service
from support.plugin_options import check
from support.waiting import wait_until


@pytest.fixture(scope="module")
def gateway(shared, origin, auth):
    def guarded(name, other=None, **options):
        return route(name, "app", hosts=[f"{name}.test"],
                     plugins={"forward-auth": {"service": "auth", **options}, **(other or {})})
    short = {"service": "dead", "timeout": "300ms"}
    return shared.gateway(
        [service("app", origin), service("auth", auth, retries="off", ejection="off"),
         service("dead", shared.dead_port(), retries="off", ejection="off"),
         service("silent", shared.full_queue(), retries="off", ejection="off"),
         service("narrow", auth, limits={"inFlight": 1, "pending": 1}, retries="off", ejection="off")],
        [guarded("plain", upstreamHeaders=["X-User", "X-Never"]),
         guarded("path", path="/verify?from=$request_uri", host="auth.internal:81", requestHeaders=["x-token"],
                 extraHeaders={"X-Original-URL": "$scheme://$http_host$request_uri", "X-Fixed": "1"}),
         guarded("all", responseHeaders=["set-cookie"], clientHeaders=["x-reason"]),
         guarded("post", requestMethod="POST", maxReqBodySize="100000"),
         guarded("dead", **short), guarded("dead-401", **short, statusOnError=401),
         guarded("lenient", **short, allowDegradation=True, upstreamHeaders=["X-User"]),
         guarded("silent", service="silent", timeout="200ms"), guarded("slow", timeout="200ms"),
         guarded("patient", timeout="20s"), guarded("narrow", service="narrow", timeout="20s"),
         guarded("behind", other={"rewrite": {"uri": "/rewritten"}, "key-auth": {"hideCredentials": True}})],
        settings={"consumers": [{"name": "bob", "credentials": {"key-auth": [{"key": "key-of-bob"}]}}]},
        access_log={"format": "json", "path": "access.log"})


def test_a_clients_own_deadline_does_not_let_it_pass(shared, origin):
    """What may pass when the service gives no answer may not when the client does not wait for one."""
    gateway = shared.gateway(
        [service("app", origin), service("silent", shared.full_queue(), retries="off", ejection="off")],
        [route("all", "app", plugins={"forward-auth": {"service": "silent", "timeout": "20s", "allowDegradation": True}})])
    before = len(origin.requests)
    with gateway.http2() as client:
        answer = client.exchange("POST", "/", ("content-type", "application/grpc"), ("grpc-timeout", "50m"), body=b"x")
        assert answer.value("grpc-status") == "4"
    assert len(origin.requests) == before


class TestVerdict:
    def test_what_passes_has_the_fields_of_the_answer(self, gateway, origin, auth):
        answer = gateway.get("/a?b=c", GOOD, ("X-User", "mallory"), ("X_User", "mallory"), ("X-Never", "1"), host="plain.test")
        assert answer.status == 200 and answer.value("x-origin") == "origin"
        assert origin.last.values("x-user") == ["alice"]
        assert not origin.last.has("x_user") and not origin.last.has("x-never") and not origin.last.has("x-other")
        assert not answer.has("set-cookie")
        question = auth.last
        assert (question.method, question.target) == ("GET", "/") and question.value("host") == auth.address
        assert question.value("authorization") == "Bearer good"
        assert not question.has("content-length") and not question.has("transfer-encoding")
        assert question.value("x-forwarded-method") == "GET" and question.value("x-forwarded-uri") == "/a?b=c"
        assert question.value("x-forwarded-host") == "plain.test" and question.value("x-forwarded-proto") == "http"
        assert question.value("x-forwarded-for") == "127.0.0.1"

    def test_a_refusal_sends_to_the_login_page(self, gateway, origin):
        answer = gateway.get("/", host="plain.test")
        assert answer.status == 302 and answer.value("location") == "https://login.test/?rd=1"
        assert answer.values("set-cookie") == ["state=1; Path=/", "other=2"]
        assert answer.text == "<a href>log in</a>" and answer.value("content-type") == "text/html"
        assert origin.requests == []

    def test_fields_that_were_asked_for(self, gateway, origin):
        answer = gateway.get("/", GOOD, host="all.test")
        assert answer.status == 200 and answer.values("set-cookie") == ["session=fresh"]
        answer = gateway.get("/", ("Authorization", "Bearer forbidden"), host="all.test")
        assert answer.status == 403 and answer.text == "alice may not" and answer.value("x-reason") == "policy"
        assert answer.value("content-type") == "text/x-refusal" and not answer.has("x-hidden")
        assert gateway.get(host="all.test").value("location") is None

    def test_http2(self, gateway, origin, auth):
        with gateway.http2(authority="plain.test") as client:
            answer = client.exchange("POST", "/a", ("authorization", "Bearer good"), ("x-user", "mallory"), body=b"x" * 50_000)
            assert answer.status == 200 and origin.last.values("x-user") == ["alice"]
            assert origin.last.body == b"x" * 50_000
            assert auth.last.method == "GET" and auth.last.value("x-forwarded-method") == "POST"
            assert auth.last.body == b"" and not auth.last.has("content-type")
            answer = client.exchange("GET", "/")
            assert answer.status == 302 and answer.values("set-cookie") == ["state=1; Path=/", "other=2"]
            assert answer.text == "<a href>log in</a>"
            assert client.exchange("HEAD", "/").status == 302

    def test_head_and_keep_alive(self, gateway, origin):
        with gateway.client() as client:
            for _ in range(3):
                answer = client.exchange("HEAD", "/", host="plain.test")
                assert answer.status == 302 and answer.value("content-length") == "18"
                assert client.exchange("GET", "/", GOOD, host="plain.test").status == 200

    def test_it_is_no_request_of_a_client(self, gateway, origin):
        before = gateway.metrics().sum("penstock_client_requests_total")
        answered = side_requests(gateway, "answered")
        assert gateway.get("/logged", GOOD, host="plain.test").status == 200
        assert gateway.metrics().sum("penstock_client_requests_total") == before + 1
        assert side_requests(gateway, "answered") == answered + 1
        log = gateway.folder / "access.log"
        wait_until(lambda: "/logged" in log.read_text(), "the line is written")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert {line["service"] for line in lines} <= {"app", ""} and [line["path"] for line in lines].count("/logged") == 1


class TestQuestion:
    def test_path_host_and_fields(self, gateway, auth):
        gateway.get("/shop/%41?q=1", ("X-Token", "t"), ("X-Secret", "s"),
                    ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Uri", "/admin"), ("X_Forwarded_Uri", "/admin"), GOOD,
                    host="path.test")
        question = auth.last
        assert question.target == "/verify?from=/shop/A?q=1" and question.value("host") == "auth.internal:81"
        assert question.value("x-token") == "t" and not question.has("x-secret") and not question.has("authorization")
        assert question.values("x-forwarded-for") == ["127.0.0.1"] and question.values("x-forwarded-uri") == ["/shop/A?q=1"]
        assert not question.has("x_forwarded_uri")
        assert question.value("x-original-url") == "http://path.test/shop/A?q=1" and question.value("x-fixed") == "1"

    def test_conditions_and_framing_are_not_the_services_business(self, gateway, auth, origin):
        answer = gateway.get("/", GOOD, 'If-None-Match: "x"', "Range: bytes=0-1", "Content-Type: a/b", "Client-Cert: :x:",
                             "X-Gone: 1", host="plain.test")
        assert answer.status == 200
        for name in ("if-none-match", "range", "content-type", "client-cert", "connection"):
            assert not auth.last.has(name), name
        assert origin.last.value("if-none-match") == '"x"' and origin.last.value("range") == "bytes=0-1"

    def test_it_is_told_who_calls_but_not_what_was_hidden(self, gateway, auth, origin):
        answer = gateway.get("/private?apikey=key-of-bob", GOOD, ("X-Consumer-Username", "alice"), host="behind.test")
        assert answer.status == 200 and origin.last.target == "/rewritten"
        assert auth.last.values("x-consumer-username") == ["bob"]
        assert auth.last.value("x-forwarded-uri") == "/private?apikey=key-of-bob"
        assert gateway.get("/", GOOD, ("apikey", "key-of-bob"), host="behind.test").status == 200
        assert not auth.last.has("apikey")

    @pytest.mark.parametrize("protocol", ["http/1.1", "chunked", "h2"])
    @pytest.mark.parametrize("size", [0, 10, 99_999])
    def test_post_has_the_content(self, gateway, auth, origin, protocol, size):
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        if protocol == "h2":
            with gateway.http2(authority="post.test") as client:
                answer = client.exchange("PUT", "/p", ("authorization", "Bearer good"), ("content-type", "a/b"), body=body)
        else:
            with gateway.client() as client:
                fields = ["Content-Type: a/b", GOOD]
                if protocol == "chunked":
                    client.request("PUT", "/p", *fields, "Transfer-Encoding: chunked", host="post.test")
                    for start in range(0, size, 7_001):
                        piece = body[start:start + 7_001]
                        client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                    client.send(b"0\r\n\r\n")
                    answer = client.response()
                else:
                    answer = client.exchange("PUT", "/p", *fields, body=body, host="post.test")
        assert answer.status == 200, answer
        assert (auth.last.method, auth.last.body, auth.last.value("content-type")) == ("POST", body, "a/b")
        assert auth.last.value("content-length") == str(size) and auth.last.value("x-forwarded-method") == "PUT"
        assert (origin.last.method, origin.last.body) == ("PUT", body)

    def test_too_much_content_for_post(self, gateway, auth, origin):
        with gateway.client() as client:
            assert client.exchange("POST", "/", GOOD, body=b"x" * 100_001, host="post.test").status == 413
        assert auth.requests == [] and origin.requests == []


class TestFailure:
    def test_nobody_there(self, gateway, origin):
        failures = side_requests(gateway, "connect_failure")
        answer = gateway.get("/", GOOD, host="dead.test")
        assert answer.status == 403 and answer.text == "The request could not be authorized.\n"
        assert gateway.get("/", GOOD, host="dead-401.test").status == 401
        assert origin.requests == []
        assert side_requests(gateway, "connect_failure") == failures + 2
        assert gateway.metrics().sum("penstock_plugin_failures_total", plugin="forward-auth") >= 2

    def test_degradation_lets_pass_but_nothing_of_the_clients_own(self, gateway, origin):
        answer = gateway.get("/", GOOD, ("X-User", "mallory"), host="lenient.test")
        assert answer.status == 200 and not origin.last.has("x-user")

    def test_slow_to_connect(self, gateway, origin):
        timeouts = side_requests(gateway, "timeout")
        assert gateway.get("/", GOOD, host="silent.test").status == 403
        assert origin.requests == [] and side_requests(gateway, "timeout") == timeouts + 1

    @pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\nX-User: alice\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"])
    def test_slow_to_answer(self, gateway, auth, origin, begins):
        def stall(exchange):
            exchange.read_body()
            exchange.send(begins)
            exchange.wait_for_end()
        auth.answer = stall
        assert gateway.get("/", GOOD, host="slow.test").status == 403
        assert origin.requests == []
        is_quiet(gateway)
        wait_until(lambda: auth.open_connections == 0, "the connection is closed")

    @pytest.mark.parametrize("answer", [
        b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-Fill-%d: %s\r\n" % (n, b"y" * 500) for n in range(2_000)) + b"\r\n"])
    def test_wrong_answers_are_none(self, gateway, auth, origin, answer):
        def speak(exchange):
            exchange.read_body()
            exchange.send(answer)
            exchange.close()
        auth.answer = speak
        assert gateway.get("/", GOOD, host="plain.test").status == 403
        assert origin.requests == []
        gateway.check_health()

    def test_interim_answers_are_passed_over(self, gateway, auth, origin):
        def speak(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3)
            decide(exchange)
        auth.answer = speak
        assert gateway.get("/", GOOD, host="plain.test").status == 200 and origin.last.value("x-user") == "alice"

    def test_huge_answers(self, gateway, auth, origin):
        def speak(exchange):
            exchange.read_body()
            status = b"200" if exchange.request.value("authorization") else b"401"
            exchange.send(b"HTTP/1.1 " + status + b" S\r\nWWW-Authenticate: Basic\r\nX-User: alice\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(400):
                    exchange.send_chunk(b"x" * 65_536)
            except OSError:
                exchange.close()
        auth.answer = speak
        larger = side_requests(gateway, "too_large")
        # The verdict stands in the head.
        assert gateway.get("/", GOOD, host="plain.test").status == 200 and origin.last.value("x-user") == "alice"
        answer = gateway.get("/", host="plain.test")
        assert answer.status == 401 and answer.value("www-authenticate") == "Basic" and answer.text == ""
        assert side_requests(gateway, "too_large") == larger + 2
        is_quiet(gateway)

    @pytest.mark.parametrize("how", ["http/1.1", "reset", "h2"])
    def test_a_client_that_leaves_ends_the_question(self, gateway, auth, origin, how):
        gone = threading.Event()

        def hold(exchange):
            exchange.read_body()
            exchange.wait_for_end()
            gone.set()
        auth.answer = hold
        cancelled = side_requests(gateway, "cancelled")
        if how == "h2":
            with gateway.http2(authority="patient.test") as client:
                number = client.request("GET", "/gone")
                auth.wait_for_requests(1)
                client.reset(number)
                client.ping()
                assert gone.wait(10)
        else:
            client = gateway.client()
            client.request("GET", "/gone", host="patient.test")
            auth.wait_for_requests(1)
            client.reset() if how == "reset" else client.close()
            assert gone.wait(10)
        wait_until(lambda: side_requests(gateway, "cancelled") == cancelled + 1, "it is counted")
        is_quiet(gateway)
        assert origin.requests == []

    def test_limits_of_the_service_hold(self, gateway, auth, origin):
        release = threading.Event()

        def hold(exchange):
            exchange.read_body()
            release.wait(20)
            exchange.respond(200)
        auth.answer = hold
        clients = [gateway.client() for _ in range(3)]
        try:
            clients[0].request("GET", "/0", host="narrow.test")
            auth.wait_for_requests(1)
            # One waits in the queue of the service, and there is no room for another.
            clients[1].request("GET", "/1", host="narrow.test")
            wait_until(lambda: gateway.metrics().sum("penstock_queue_pending") == 1, "one waits")
            assert clients[2].exchange("GET", "/2", host="narrow.test").status == 403
            release.set()
            assert [client.response().status for client in clients[:2]] == [200, 200]
        finally:
            release.set()
            for client in clients:
                client.close()
        assert sorted(request.target for request in origin.requests) == ["/0", "/1"]


@pytest.mark.parametrize("options, said", [
    ({}, '"service" is missing'),
    ({"service": "nowhere"}, "nowhere"),
    ({"service": "app", "path": "verify"}, 'does not begin with "/"'),
    ({"service": "app", "path": "/a b"}, "write it as %20"),
    ({"service": "app", "path": "/$nothing"}, "there is no variable"),
    ({"service": "app", "host": "a b"}, "not a host"),
    ({"service": "app", "requestMethod": "PUT"}, "GET"),
    ({"service": "app", "upstreamHeaders": ["Host"]}, "gateway's own"),
    ({"service": "app", "clientHeaders": ["Content-Length"]}, "gateway's own"),
    ({"service": "app", "responseHeaders": ["Content-Type"]}, "about the content"),
    ({"service": "app", "extraHeaders": {"Transfer-Encoding": "chunked"}}, "gateway's own"),
    ({"service": "app", "extraHeaders": {"Host": "x"}}, "host sets it"),
    ({"service": "app", "timeout": "2m"}, "out of range"),
    ({"service": "app", "statusOnError": 200}, "from 400 to 599"),
    ({"service": "app", "cache": {}}, '"by" is missing'),
    ({"service": "app", "cache": {"by": []}}, "at least one part"),
    ({"service": "app", "cache": {"by": ["token"]}}, "nothing that requests are told apart by"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    text = check(tmp_path, "forward-auth", options)
    assert said in text, text
