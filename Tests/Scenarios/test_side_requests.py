"""Requests of the gateway's own to services, as forward-auth makes them: they go as all requests go."""

import json
import threading

import pytest

from support.gateway import route, service
from support.http2_origin import server_context
from support.waiting import wait_until


def side_requests(gateway, result):
    return gateway.metrics().sum("penstock_side_requests_total", plugin="forward-auth", result=result)


def is_quiet(gateway):
    wait_until(lambda: gateway.metrics().sum("penstock_side_requests_in_flight") == 0, "side requests end")
    wait_until(lambda: gateway.metrics().sum("penstock_requests_in_flight") == 0, "requests end")


def test_many_at_once(scenario):
    """With two workers, and a service that answers each as it was asked."""
    auth = scenario.origin(lambda exchange: exchange.respond(200, b"y" * 3_000, f"X-User: {exchange.request.value('x-name')}"))
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin), service("auth", auth)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth", "upstreamHeaders": ["x-user"]}})], workers=2)
    wrong = []

    def run(number):
        with gateway.http2() as client:
            for index in range(20):
                name = f"{number}-{index}"
                streams = [(f"{name}-{s}", client.request("GET", "/", ("x-name", f"{name}-{s}"))) for s in range(10)]
                for wanted, stream in streams:
                    answer = client.response(stream)
                    seen = json.loads(answer.body)["fields"] if answer.status == 200 else []
                    if [value for key, value in seen if key.lower() == "x-user"] != [wanted]:
                        wrong.append((wanted, answer))
    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert side_requests(gateway, "answered") == 1_200
    is_quiet(gateway)


def test_what_a_trusted_peer_says_of_the_client(scenario):
    auth = scenario.origin(lambda exchange: exchange.respond(204))
    gateway = scenario.gateway(
        [service("app", scenario.origin()), service("auth", auth)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth"}})],
        http={"forwarding": {"trustedNetworks": ["127.0.0.0/8"]}})
    assert gateway.get("/", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test:8443", "X-Forwarded-For: 192.0.2.7",
                       "X-Forwarded-Uri: /admin", "X-Forwarded-Method: DELETE").status == 200
    told = {name: auth.last.values(name) for name in ("x-forwarded-proto", "x-forwarded-host", "x-forwarded-for",
                                                     "x-forwarded-uri", "x-forwarded-method")}
    assert told == {"x-forwarded-proto": ["https"], "x-forwarded-host": ["shop.test:8443"], "x-forwarded-for": ["192.0.2.7"],
                    "x-forwarded-uri": ["/"], "x-forwarded-method": ["GET"]}


def test_a_change_of_the_service_holds_for_the_next_question(scenario):
    """And a service that is asked cannot be taken away."""
    first = scenario.origin(lambda exchange: exchange.respond(200), name="first")
    second = scenario.origin(lambda exchange: exchange.respond(401), name="second")
    gateway = scenario.gateway(
        [service("app", scenario.origin()), service("auth", first)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth"}})])
    assert gateway.get().status == 200
    gateway.configuration["services"][1]["endpoints"] = [second.address]
    gateway.replace_file(json.dumps(gateway.configuration))
    wait_until(lambda: gateway.get().status == 401, "the other one is asked")
    gateway.configuration["services"][1:] = []
    gateway.replace_file(json.dumps(gateway.configuration))
    wait_until(lambda: "no service" in gateway.tail() or "auth" in gateway.tail(), "the change is refused")
    assert gateway.get().status == 401


@pytest.mark.parametrize("kind", ["h2", "h2 with TLS", "TLS", "auto"])
def test_the_service_speaks(scenario, kind):
    def answer(exchange):
        exchange.read_body()
        fields = ("x-user", "alice") if kind.startswith("h2") or kind == "auto" else "X-User: alice"
        if exchange.request.value("x-pass") == "yes":
            exchange.respond(200, b"z" * 70_000 if exchange.request.target == "/" else b"", fields)
        else:
            exchange.respond(401, b"no " * 10_000, fields)
    leaf = scenario.authority().issue("auth.test", "127.0.0.1")
    if kind == "TLS":
        auth = scenario.origin(answer, tls=server_context(leaf))
    elif kind == "h2":
        auth = scenario.http2_origin(answer)
    else:
        auth = scenario.http2_origin(answer, certificate=leaf)
    settings = {} if kind == "h2" else {"tls": {"verify": False, "serverName": "auth.test"}}
    if kind.startswith("h2"):
        settings["protocol"] = "h2"
    elif kind == "auto":
        settings["protocol"] = "auto"
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin), service("auth", auth, **settings)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth", "requestMethod": "POST", "upstreamHeaders": ["x-user"]}})])
    for connect in (gateway.client, gateway.http2):
        with connect() as client:
            for _ in range(3):
                reply = client.exchange("POST", "/", ("x-pass", "yes"), body=b"content" * 5_000)
                assert reply.status == 200 and origin.last.value("x-user") == "alice"
                assert auth.last.body == b"content" * 5_000 and origin.last.body == b"content" * 5_000
                reply = client.exchange("GET", "/")
                assert reply.status == 401 and reply.body == b"no " * 10_000
    is_quiet(gateway)


def test_nginx_decides(scenario):
    """As nginx's auth_request is used: its own locations say who passes."""
    nginx = scenario.nginx("""
      location = /auth { if ($http_x_key != "open") { return 401; } add_header X-User $http_x_key; return 204; }""")
    origin = scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin), service("auth", nginx)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth", "path": "/auth", "upstreamHeaders": ["X-User"]}})])
    for _ in range(20):
        assert gateway.get("/", "X-Key: open").status == 200 and origin.last.value("x-user") == "open"
        assert gateway.get("/", "X-Key: closed").status == 401
    # Its connections are used again.
    assert gateway.metrics().sum("penstock_upstream_connects_total") <= 25


def test_requests_in_flight_are_drained(scenario):
    release = threading.Event()

    def hold(exchange):
        exchange.read_body()
        release.wait(20)
        exchange.respond(200)
    auth, origin = scenario.origin(hold), scenario.origin()
    gateway = scenario.gateway(
        [service("app", origin), service("auth", auth)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth", "timeout": "20s"}})],
        http={"timeouts": {"drain": "20s"}})
    with gateway.client() as client:
        client.request("GET", "/")
        auth.wait_for_requests(1)
        gateway.was_ended = True
        gateway.process.terminate()
        wait_until(lambda: (answer := gateway.admin("/readyz")) is not None and answer.status == 503, "it drains")
        release.set()
        assert client.response().status == 200
    assert gateway.wait_for_end() == 0


def test_a_drain_ends_what_does_not_end(scenario):
    auth = scenario.origin(lambda exchange: exchange.wait_for_end())
    gateway = scenario.gateway(
        [service("app", scenario.origin()), service("auth", auth)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth", "timeout": "60s"}})],
        http={"timeouts": {"drain": "300ms"}})
    with gateway.client() as client, gateway.http2() as other:
        client.request("GET", "/")
        other.request("GET", "/")
        auth.wait_for_requests(2)
        gateway.was_ended = True
        gateway.process.terminate()
        client.expect_end()
    assert gateway.wait_for_end() == 0


def test_an_endpoint_that_fails_gives_way_to_another(scenario):
    """Retries and ejection of the service hold for what the gateway asks."""
    auth = scenario.origin(lambda exchange: exchange.respond(200))
    gateway = scenario.gateway(
        [service("app", scenario.origin()),
         service("auth", scenario.dead_port(), auth, retries={"attempts": 1}, ejection={"consecutiveFailures": 2})],
        [route("all", "app", plugins={"forward-auth": {"service": "auth"}})])
    assert gateway.origins_of(50) == {"origin": 50}
    assert len(auth.requests) == 50


@pytest.mark.parametrize("kind", ["http/1.1", "TLS", "h2", "h2 with TLS"])
def test_content_may_come_while_the_service_is_asked(scenario, kind):
    """News of the client are its end or nothing: what it sends meanwhile stays where it is."""
    asked = []

    def hold(exchange):
        exchange.read_body()
        asked.append(threading.Event())
        asked[-1].wait(20)
        exchange.respond(204)
    auth, origin = scenario.origin(hold), scenario.origin()
    leaf = scenario.authority().issue("example.test")
    tls = {} if "TLS" in kind else None
    gateway = scenario.gateway(
        [service("app", origin), service("auth", auth)],
        [route("all", "app", plugins={"forward-auth": {"service": "auth", "timeout": "20s"}})],
        tls=tls, certificates=[leaf.described("one")] if tls is not None else None)
    body = b"0123456789" * 20_000
    for number in range(3):
        if kind.startswith("h2"):
            with gateway.http2(tls=tls is not None) as client:
                stream = client.request("POST", "/", end=False)
                wait_until(lambda: len(asked) > number, "it is asked")
                client.send_content(stream, body[:40_000], end=False)
                client.ping()
                asked[number].set()
                client.send_content(stream, body[40_000:])
                answer = client.response(stream)
        else:
            with (gateway.tls_client() if tls is not None else gateway.client()) as client:
                client.request("POST", "/", f"Content-Length: {len(body)}")
                wait_until(lambda: len(asked) > number, "it is asked")
                client.send(body[:40_000])
                asked[number].set()
                client.send(body[40_000:])
                answer = client.response()
        assert answer.status == 200 and origin.last.body == body
    assert side_requests(gateway, "answered") == 3


@pytest.mark.parametrize("status, code", [(401, "16"), (403, "7"), (503, "14")])
def test_a_call_of_grpc_is_refused_with_a_status_of_grpc(scenario, status, code):
    auth = scenario.origin(lambda exchange: exchange.respond(status, "not you"))
    gateway = scenario.gateway(
        [service("app", scenario.http2_origin(), protocol="h2"), service("auth", auth, retries="off")],
        [route("all", "app", plugins={"forward-auth": {"service": "auth"}})])
    with gateway.http2() as client:
        answer = client.exchange("POST", "/p.S/M", ("content-type", "application/grpc"), ("te", "trailers"), body=b"\0\0\0\0\0")
        assert answer.status == 200 and answer.value("grpc-status") == code, answer
