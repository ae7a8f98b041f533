"""mirror: copies of requests go to another service, and the original does not feel it."""

import threading

import pytest

from support.gateway import route, service
from support.grpc_peer import GRPCClient
from support.http2_origin import server_context
from support.plugin_options import check
from support.ports import is_listening
from support.waiting import wait_until


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def shadow(shared):
    return shared.origin(name="shadow")


@pytest.fixture(autouse=True)
def begin_anew(origin, shadow):
    origin.forget()
    shadow.forget()


@pytest.fixture(scope="module")
def gateway(shared, origin, shadow):
    def copied(name, other=None, **options):
        return route(name, "app", hosts=[f"{name}.test"], upgrades=["websocket"],
                     plugins={"mirror": {"service": "shadow", **options}, **(other or {})})
    return shared.gateway(
        [service("app", origin), service("shadow", shadow, retries="off", ejection="off"),
         service("dead", shared.dead_port(), retries="off", ejection="off"),
         service("full", shared.full_queue(), retries="off", ejection="off")],
        [copied("plain"), copied("half", percentage="50%"), copied("never", percentage=0),
         copied("replaced", path="/copies", host="shadow.internal", extraHeaders={"X-Mirrored": "1", "X-From": "$host"}),
         copied("prefixed", path="/copies/", pathConcatMode="prefix"),
         copied("headless", mirrorBody=False), copied("small", maxBodySize="1000"),
         copied("dead", service="dead", timeout="500ms"), copied("full", service="full", timeout="300ms"),
         copied("changed", other={"rewrite": {"uri": "/rewritten"}, "headers": {"request": {"set": {"X-Set": "1"}}}}),
         copied("refused", other={"key-auth": {}})],
        settings={"consumers": [{"name": "bob", "credentials": {"key-auth": [{"key": "key-of-bob"}]}}]})


def copies(gateway, result):
    return gateway.metrics().sum("penstock_side_requests_total", plugin="mirror", result=result)


def is_quiet(gateway):
    wait_until(lambda: gateway.metrics().sum("penstock_side_requests_in_flight") == 0, "copies end")


class TestCopies:
    def test_are_what_the_endpoint_gets(self, gateway, origin, shadow):
        answer = gateway.get("/a%2Fb?c=d", "X-Own: 1", "Cookie: a=b", "Connection: x-gone", "X-Gone: 1", host="plain.test")
        assert answer.status == 200 and answer.value("x-origin") == "origin"
        shadow.wait_for_requests(1)
        assert (shadow.last.method, shadow.last.target) == ("GET", "/a%2Fb?c=d") == (origin.last.method, origin.last.target)
        assert sorted(shadow.last.fields) == sorted(origin.last.fields)
        assert shadow.last.value("x-forwarded-for") == "127.0.0.1" and not shadow.last.has("x-gone")

    def test_path_host_and_fields(self, gateway, origin, shadow):
        assert gateway.get("/a?b=c", host="replaced.test").status == 200
        shadow.wait_for_requests(1)
        assert shadow.last.target == "/copies?b=c" and shadow.last.value("host") == "shadow.internal"
        assert shadow.last.value("x-mirrored") == "1" and shadow.last.value("x-from") == "replaced.test"
        assert origin.last.target == "/a?b=c" and not origin.last.has("x-mirrored")
        assert gateway.get("/a?b=c", host="prefixed.test").status == 200
        shadow.wait_for_requests(2)
        assert shadow.last.target == "/copies/a?b=c"

    def test_have_what_plugins_change(self, gateway, origin, shadow):
        assert gateway.get("/a", host="changed.test").status == 200
        shadow.wait_for_requests(1)
        assert shadow.last.target == "/rewritten" and shadow.last.value("x-set") == "1"

    def test_are_made_of_requests_that_pass(self, gateway, shadow):
        assert gateway.get("/a", host="refused.test").status == 401
        assert gateway.get("/b", "apikey: key-of-bob", host="refused.test").status == 200
        shadow.wait_for_requests(1)
        assert [request.target for request in shadow.requests] == ["/b"]
        assert shadow.last.value("x-consumer-username") == "bob"

    @pytest.mark.parametrize("protocol", ["http/1.1", "in pieces", "chunked", "chunked with the head", "h2", "h2 in one"])
    @pytest.mark.parametrize("size", [0, 10, 300_000])
    def test_have_the_content(self, gateway, origin, shadow, protocol, size):
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        if protocol == "h2 in one":
            body = body[:10_000]
        if protocol.startswith("h2"):
            with gateway.http2(authority="plain.test") as client:
                if protocol == "h2":
                    answer = client.exchange("PUT", "/p", ("content-type", "a/b"), body=body)
                else:
                    answer = client.response(client.request_in_one_piece("/p", body=body))
        else:
            with gateway.client() as client:
                pieces = [body[start:start + 7_001] for start in range(0, size, 7_001)]
                if protocol == "http/1.1":
                    answer = client.exchange("PUT", "/p", "Content-Type: a/b", body=body, host="plain.test")
                elif protocol == "in pieces":
                    client.request("PUT", "/p", f"Content-Length: {size}", host="plain.test")
                    for piece in pieces:
                        client.send(piece)
                    answer = client.response()
                else:
                    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Trailer: 1\r\n\r\n"
                    head = b"PUT /p HTTP/1.1\r\nHost: plain.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                    if protocol == "chunked":
                        client.send(head)
                        origin.wait_for_requests(1)
                        client.send(chunks)
                    else:
                        client.send(head + chunks)
                    answer = client.response()
        assert answer.status == 200
        wait_until(lambda: len(shadow.complete_requests) == 1, "the copy is there")
        assert (shadow.last.method, shadow.last.body) == (origin.last.method, body) and origin.last.body == body
        assert shadow.last.value("content-length") == str(len(body)) or not body
        assert not shadow.last.has("transfer-encoding")
        is_quiet(gateway)

    def test_without_content(self, gateway, origin, shadow):
        with gateway.client() as client:
            assert client.exchange("POST", "/", body=b"x" * 100_000, host="headless.test").status == 200
        shadow.wait_for_requests(1)
        wait_until(lambda: shadow.last.is_complete, "it is whole")
        assert shadow.last.body == b"" and len(origin.last.body) == 100_000

    def test_a_share(self, gateway, shadow):
        for _ in range(200):
            assert gateway.get(host="half.test").status == 200
            assert gateway.get("/never", host="never.test").status == 200
        is_quiet(gateway)
        # Less likely than 1 in 10^9 with a fair coin.
        assert 55 < len(shadow.requests) < 145 and {request.target for request in shadow.requests} == {"/"}

    def test_are_counted_apart(self, gateway):
        before = gateway.metrics().sum("penstock_client_requests_total")
        answered = copies(gateway, "answered")
        for _ in range(5):
            assert gateway.get(host="plain.test").status == 200
        wait_until(lambda: copies(gateway, "answered") == answered + 5, "they are counted")
        assert gateway.metrics().sum("penstock_client_requests_total") == before + 5
        assert gateway.metrics().sum("penstock_requests_in_flight") == 0


class TestDropped:
    def test_too_much_content(self, gateway, origin, shadow):
        dropped = copies(gateway, "dropped")
        with gateway.client() as client:
            # A length that says so, and chunks that turn out to be too many.
            assert client.exchange("POST", "/length", body=b"x" * 1_001, host="small.test").status == 200
            client.request("POST", "/chunks", "Transfer-Encoding: chunked", host="small.test")
            for _ in range(101):
                client.send(b"a\r\n0123456789\r\n")
            client.send(b"0\r\n\r\n")
            assert client.response().status == 200 and len(origin.last.body) == 1_010
            assert client.exchange("POST", "/fits", body=b"x" * 1_000, host="small.test").status == 200
        shadow.wait_for_requests(1)
        is_quiet(gateway)
        assert [request.target for request in shadow.requests] == ["/fits"] and copies(gateway, "dropped") == dropped + 2

    def test_content_that_never_ends(self, gateway, origin, shadow):
        dropped = copies(gateway, "dropped")
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 500000", host="plain.test")
            client.send(b"x" * 100_000)
            origin.wait_for_requests(1)
        wait_until(lambda: copies(gateway, "dropped") == dropped + 1, "it is counted")
        is_quiet(gateway)
        assert shadow.requests == []

    def test_upgrades(self, gateway, origin, shadow):
        origin.answer = lambda exchange: exchange.respond(400)
        answer = gateway.get("/", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                             "Sec-WebSocket-Version: 13", host="plain.test")
        assert answer.status == 400
        assert gateway.get("/after", host="plain.test").status == 400
        shadow.wait_for_requests(1)
        assert [request.target for request in shadow.requests] == ["/after"]


class TestTheOriginal:
    """Does not feel whatever becomes of its copy."""

    @pytest.mark.parametrize("host, result", [("dead.test", "connect_failure"), ("full.test", "timeout")])
    def test_nobody_there(self, gateway, origin, host, result):
        failed = copies(gateway, result)
        with gateway.client() as client, gateway.http2(authority=host) as other:
            for _ in range(10):
                assert client.exchange("POST", "/", body=b"content", host=host).status == 200
                assert other.exchange("POST", "/", body=b"content").status == 200
        wait_until(lambda: copies(gateway, result) == failed + 20, "they are counted")
        is_quiet(gateway)

    @pytest.mark.parametrize("answer", [
        b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"])
    def test_wrong_answers(self, gateway, shadow, answer):
        def speak(exchange):
            exchange.read_body()
            exchange.send(answer)
            exchange.close()
        shadow.answer = speak
        assert gateway.get(host="plain.test").status == 200
        shadow.wait_for_requests(1)
        is_quiet(gateway)
        gateway.check_health()

    def test_endless_answers(self, gateway, shadow):
        def speak(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    exchange.send_chunk(b"x" * 65_536)
            except OSError:
                exchange.close()
        shadow.answer = speak
        larger = copies(gateway, "too_large")
        assert gateway.get(host="plain.test").status == 200
        wait_until(lambda: copies(gateway, "too_large") == larger + 1, "it is cut off")
        wait_until(lambda: shadow.open_connections == 0, "the connection is closed")

    def test_slow_copies_are_bounded_and_hold_up_nothing(self, scenario):
        """The service of the copies takes its time: at most as many as there may be are under way."""
        shadow = scenario.origin(lambda exchange: exchange.wait_for_end(60))
        origin = scenario.origin()
        gateway = scenario.gateway(
            [service("app", origin), service("shadow", shadow, limits={"inFlight": 100, "pending": 100, "connections": 100})],
            [route("all", "app", plugins={"mirror": {"service": "shadow", "timeout": "60s"}})],
            http={"timeouts": {"drain": "300ms"}, "limits": {"inFlight": 50}})
        with gateway.client() as client:
            for _ in range(300):
                assert client.exchange("POST", "/", body=b"x" * 100).status == 200
        metrics = gateway.metrics()
        # 100 at the service, 100 in its queue; copies do not count among clients' requests in flight.
        assert metrics.sum("penstock_side_requests_in_flight") == 200
        assert copies(gateway, "overloaded") == 100
        assert metrics.sum("penstock_requests_in_flight") == 0
        # The drain ends what is under way.
        gateway.was_ended = True
        gateway.process.terminate()
        assert gateway.wait_for_end() == 0

    def test_a_client_that_leaves_leaves_the_copy(self, gateway, shadow, origin):
        origin.answer = lambda exchange: exchange.wait_for_end()
        with gateway.client() as client:
            client.request("GET", "/copied", host="plain.test")
            origin.wait_for_requests(1)
        shadow.wait_for_requests(1)
        is_quiet(gateway)
        assert shadow.last.target == "/copied"

    def test_nothing_of_the_answer_is_seen(self, gateway, shadow):
        shadow.answer = lambda exchange: exchange.respond(302, "other", "Location: /elsewhere", "Set-Cookie: a=b")
        answer = gateway.get("/x", host="plain.test")
        assert answer.status == 200 and not answer.has("location") and not answer.has("set-cookie")


def test_a_retry_does_not_copy_twice(scenario):
    """Chunks that came with the head are decoded once more for another endpoint."""
    shadow, origin = scenario.origin(name="shadow"), scenario.origin()
    broken = scenario.origin(lambda exchange: (exchange.read_body(), exchange.reset()))
    gateway = scenario.gateway(
        [service("app", {"address": broken.address, "weight": 1000}, origin, ejection="off",
                 retries={"attempts": 3, "on": ["reset"], "nonIdempotent": True, "budget": "100%"}),
         service("shadow", shadow)],
        [route("all", "app", plugins={"mirror": {"service": "shadow"}})])
    for number in range(5):
        with gateway.client() as client:
            client.send(b"POST /%d HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" % number)
            client.response()
        wait_until(lambda: len(shadow.complete_requests) == number + 1, "the copy is there")
        assert shadow.last.body == b"hello"
    assert broken.requests


@pytest.mark.parametrize("kind", ["h2", "TLS"])
def test_the_service_speaks(scenario, kind):
    leaf = scenario.authority().issue("shadow.test")
    if kind == "TLS":
        shadow = scenario.origin(tls=server_context(leaf))
        settings = {"tls": {"verify": False}}
    else:
        shadow = scenario.http2_origin()
        settings = {"protocol": "h2"}
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin), service("shadow", shadow, **settings)],
        [route("all", "app", plugins={"mirror": {"service": "shadow"}})])
    for connect in (gateway.client, gateway.http2):
        with connect() as client:
            for size in (0, 10, 200_000):
                seen = len(shadow.requests)
                assert client.exchange("POST", f"/{size}", body=b"c" * size).status == 200
                wait_until(lambda: len(shadow.requests) > seen and shadow.last.is_complete, "the copy is there")
                assert shadow.last.target == f"/{size}" and shadow.last.body == b"c" * size
    is_quiet(gateway)


def test_calls_of_grpc(scenario):
    server, shadow = scenario.grpc_server(), scenario.grpc_server(name="shadow")
    gateway = scenario.gateway(
        [service("app", server, protocol="h2"), service("shadow", shadow, protocol="h2")],
        [route("all", "app", plugins={"mirror": {"service": "shadow"}})])
    with GRPCClient(gateway.port) as client:
        assert client.unary()(b"hello", timeout=10) == b"hello"
        assert client.client_stream()(iter([b"a", b"b"]), timeout=10) == b"a|b"
        wait_until(lambda: sorted(shadow.calls) == ["ClientStream", "Unary"], "both are copied")
        # A conversation that goes on beyond what may be held is none to copy, and goes on.
        assert len(list(client.both()(iter([b"x" * 100_000] * 20), timeout=30))) == 20
        wait_until(lambda: copies(gateway, "dropped") == 1, "it is not copied")
    is_quiet(gateway)


def test_many_at_once(scenario):
    nginx = scenario.nginx()
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin), service("shadow", nginx)],
        [route("all", "app", plugins={"mirror": {"service": "shadow"}})], workers=2)

    def run():
        with gateway.http2() as client:
            for _ in range(20):
                for stream in [client.request("POST", "/small", body=b"x" * 2_000) for _ in range(10)]:
                    assert client.response(stream).status == 200
    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(origin.requests) == 1_000
    is_quiet(gateway)
    assert sum(copies(gateway, result) for result in ("answered", "dropped", "overloaded")) == 1_000
    assert copies(gateway, "answered") >= 900


def test_a_drain_waits_for_copies(scenario):
    release = threading.Event()
    answered = []

    def hold(exchange):
        exchange.read_body()
        release.wait(20)
        exchange.respond(200)
        answered.append(exchange.request.target)
    shadow = scenario.origin(hold)
    gateway = scenario.gateway(
        [service("app", scenario.origin()), service("shadow", shadow)],
        [route("all", "app", plugins={"mirror": {"service": "shadow"}})], http={"timeouts": {"drain": "20s"}})
    assert gateway.get("/copied").status == 200
    shadow.wait_for_requests(1)
    gateway.was_ended = True
    gateway.process.terminate()
    wait_until(lambda: not is_listening(gateway.port), "it accepts no more")
    assert gateway.is_running
    release.set()
    assert gateway.wait_for_end() == 0
    assert answered == ["/copied"]


@pytest.mark.parametrize("options, said", [
    ({}, '"service" is missing'),
    ({"service": "nowhere"}, "nowhere"),
    ({"service": "app", "path": "copies"}, 'does not begin with "/"'),
    ({"service": "app", "pathConcatMode": "prefix"}, "there is no path"),
    ({"service": "app", "pathConcatMode": "append", "path": "/a"}, "prefix"),
    ({"service": "app", "percentage": "101%"}, "is not a percentage"),
    ({"service": "app", "maxBodySize": "1GiB"}, "16MiB"),
    ({"service": "app", "timeout": "2m"}, "out of range"),
    ({"service": "app", "extraHeaders": {"Content-Length": "1"}}, "gateway's own"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    text = check(tmp_path, "mirror", options)
    assert said in text, text
