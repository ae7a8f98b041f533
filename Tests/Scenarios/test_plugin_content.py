"""Content that is held back for a plugin until it is whole: hmac-auth compares it with a signed digest."""

import pytest

from support.gateway import route, routes_with, service
from support.http import ConnectionEnded
from support.signing import date, digest_of, kong
from support.waiting import wait_until

CONSUMERS = [{"name": "alice", "credentials": {"hmac-auth": [{"username": "alice", "secret": "secret"}]}}]


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    shop = routes_with("hmac-auth")
    return shared.gateway(
        [service("app", origin)],
        [shop("plain"), shop("body", validateRequestBody=True, maxBodySize="100KiB"),
         shop("open", publicPaths=[{"exact": "/"}])],
        settings={"consumers": CONSUMERS})


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"


def signed_fields(content: bytes, *, method="POST", target="/", headers="date request-line digest", **options):
    fields = [("Date", date()), ("Digest", digest_of(content))]
    return [*fields, ("Authorization", kong(method, target, fields, headers, **options))]


def head_of(fields, *lines: str, host: str = "body.test") -> bytes:
    lines = ["POST / HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields), *lines]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


CONTENT = bytes(range(256)) * 300


class TestContent:
    @pytest.mark.parametrize("content", [b"", b"x", CONTENT])
    def test_with_a_length(self, gateway, origin, content):
        with gateway.client() as client:
            for _ in range(2):
                answer = client.exchange("POST", "/", *signed_fields(content), body=content, host="body.test")
                assert answer.status == 200 and origin.last.body == content
            wrong = client.exchange("POST", "/", *signed_fields(content + b"y"), body=content, host="body.test")
            assert wrong.status == 401
            # What was read whole leaves the connection usable.
            assert client.exchange("GET", "/", host="plain.test").status == 401

    @pytest.mark.parametrize("pieces", [1, 2, 7])
    def test_in_pieces(self, gateway, origin, pieces):
        head = head_of(signed_fields(CONTENT), f"Content-Length: {len(CONTENT)}")
        size = len(CONTENT) // pieces + 1
        with gateway.client() as client:
            client.send(head)
            for start in range(0, len(CONTENT), size):
                client.send(CONTENT[start:start + size])
            assert client.response().status == 200
        assert origin.last.body == CONTENT

    @pytest.mark.parametrize("chunks", [[CONTENT], [b"a"] * 50, [CONTENT[:9], CONTENT[9:30_000], CONTENT[30_000:]]])
    @pytest.mark.parametrize("in_one_piece", [True, False])
    def test_chunks_become_a_length(self, gateway, origin, chunks, in_one_piece):
        content = b"".join(chunks)
        head = head_of(signed_fields(content), "Transfer-Encoding: chunked")
        following = b"GET /next HTTP/1.1\r\nHost: plain.test\r\n\r\n"
        with gateway.client() as client:
            pieces = [head, chunked(*chunks, trailers=b"X-Late: 1\r\n") + following]
            if in_one_piece:
                client.send(b"".join(pieces))
            else:
                for piece in pieces:
                    client.send(piece)
            assert client.response().status == 200
            # What was sent ahead is the next request.
            assert client.response().status == 401
        request = origin.last
        assert request.body == content and request.value("content-length") == str(len(content))
        assert not request.has("transfer-encoding") and not request.has("x-late") and request.trailers == []

    @pytest.mark.parametrize("content", [b"", b"x", CONTENT])
    @pytest.mark.parametrize("length", [True, False])
    def test_by_http2(self, gateway, origin, content, length):
        fields = signed_fields(content, headers="date digest")
        if length:
            fields.append(("content-length", str(len(content))))
        with gateway.http2(authority="body.test") as client:
            fields = [(name.lower(), value) for name, value in fields]
            assert client.exchange("POST", "/", *fields, body=content).status == 200
            assert origin.last.body == content
            number = client.request("POST", "/", *fields, end=False)
            client.send_content(number, content, end=False)
            client.send_trailers(number, ("x-late", "1"))
            assert client.response(number).status == 200
            assert origin.last.body == content and origin.last.trailers == []
            if content and not length:
                assert client.exchange("POST", "/", *fields, body=content + b"y").status == 401

    def test_to_an_endpoint_of_http2_without_trailers(self, scenario):
        origin = scenario.http2_origin()
        gateway = scenario.gateway(
            [service("app", origin, protocol="h2")],
            [route("body", "app", plugins={"hmac-auth": {"validateRequestBody": True}})],
            settings={"consumers": CONSUMERS})
        with gateway.client() as client:
            fields = signed_fields(CONTENT)
            client.send(head_of(fields, "Transfer-Encoding: chunked"))
            client.send(chunked(CONTENT, trailers=b"X-Late: 1\r\n"))
            assert client.response().status == 200
            assert origin.last.body == CONTENT and not origin.last.trailers
            assert origin.last.value("content-length") == str(len(CONTENT))
            client.send(head_of(fields, f"Content-Length: {len(CONTENT)}"))
            client.send(CONTENT)
            assert client.response().status == 200

    def test_the_client_is_told_to_go_on(self, gateway, origin):
        fields = signed_fields(CONTENT)
        for line, content in ((f"Content-Length: {len(CONTENT)}", CONTENT),
                              ("Transfer-Encoding: chunked", chunked(CONTENT))):
            with gateway.client() as client:
                client.send(head_of(fields, line, "Expect: 100-continue"))
                assert client.head().status == 100
                client.send(content)
                assert client.response().status == 200
            assert origin.last.body == CONTENT and not origin.last.has("expect")
        with gateway.http2(authority="body.test") as client:
            lower = [(name.lower(), value) for name, value in signed_fields(CONTENT, headers="date digest")]
            number = client.request("POST", "/", *lower, ("expect", "100-continue"), end=False)
            client.pump(lambda: client.streams[number].interim, "an interim response")
            assert [interim.status for interim in client.streams[number].interim] == [100]
            client.send_content(number, CONTENT)
            assert client.response(number).status == 200

    def test_nobody_is_told_to_go_on_without_a_signature(self, gateway):
        with gateway.client() as client:
            client.send(head_of([("Authorization", "hmac x")], "Content-Length: 5", "Expect: 100-continue"))
            assert client.head().status == 401

    def test_what_is_too_large(self, gateway):
        content = b"x" * (100 * 1_024 + 1)
        fields = signed_fields(content)
        with gateway.client() as client:
            client.send(head_of(fields, f"Content-Length: {len(content)}", "Expect: 100-continue"))
            assert client.head().status == 413
        with gateway.client() as client:
            client.send(head_of(fields, "Transfer-Encoding: chunked") + chunked(content))
            assert client.response().status == 413
        with gateway.http2(authority="body.test") as client:
            lower = [(name.lower(), value) for name, value in signed_fields(content, headers="date digest")]
            assert client.exchange("POST", "/", *lower, body=content).status == 413
        with gateway.client() as client:
            assert client.exchange(
                "POST", "/", *signed_fields(content[1:]), body=content[1:], host="body.test").status == 200

    def test_framing_without_end_is_too_large(self, gateway):
        with gateway.client() as client:
            client.send(head_of(signed_fields(CONTENT), "Transfer-Encoding: chunked"))
            # Within the limit as content, far above it as bytes.
            client.send(b"1\r\nx\r\n" * 60_000)
            assert client.response().status == 413

    @pytest.mark.parametrize("bad", [b"zz\r\n", b"5\r\nabcdeXX", b"1;" + b"a" * 300 + b"\r\nx\r\n0\r\n\r\n",
                                     b"1\r\nx\r\n0\r\n: no name\r\n\r\n"])
    def test_malformed_chunks(self, gateway, origin, bad):
        before = len(origin.requests)
        for pieces in ([head_of(signed_fields(b"x"), "Transfer-Encoding: chunked") + bad],
                       [head_of(signed_fields(b"x"), "Transfer-Encoding: chunked"), bad]):
            with gateway.client() as client:
                for piece in pieces:
                    client.send(piece)
                assert client.response().status == 400
                client.expect_end()
        assert len(origin.requests) == before

    def test_a_client_that_leaves_costs_nothing(self, gateway, origin):
        before = len(origin.requests)
        for leave in ("reset", "finish_sending", "close"):
            client = gateway.client()
            client.send(head_of(signed_fields(CONTENT), f"Content-Length: {len(CONTENT)}") + CONTENT[:1_000])
            getattr(client, leave)()
        with gateway.http2(authority="body.test") as client:
            number = client.request("POST", "/", *[(n.lower(), v) for n, v in signed_fields(
                CONTENT, headers="date digest")], body=b"half", end=False)
            client.reset(number)
            client.ping()
        assert gateway.get(host="open.test").status == 200
        assert len(origin.requests) == before + 1
        gateway.check_health()

    def test_without_a_digest_there_may_be_no_content(self, gateway):
        fields = [("Date", date())]
        signed = [*fields, ("Authorization", kong("POST", "/", fields, "date"))]
        with gateway.client() as client:
            assert client.exchange("POST", "/", *signed, host="body.test").status == 200
            assert client.exchange("POST", "/", *signed, body=b"x", host="body.test").status == 401

    def test_the_digest_must_be_signed(self, gateway):
        with gateway.client() as client:
            fields = signed_fields(b"x", headers="date")
            assert client.exchange("POST", "/", *fields, body=b"x", host="body.test").status == 401


def test_a_slow_client_is_given_up(scenario):
    gateway = scenario.gateway(
        [service("app", scenario.origin())], [route("body", "app", plugins={"hmac-auth": {"validateRequestBody": True}})],
        http={"timeouts": {"body": "300ms"}}, settings={"consumers": CONSUMERS})
    for line, content in (("Content-Length: 10", b"half"), ("Transfer-Encoding: chunked", b"4\r\nhalf\r\n")):
        with gateway.client() as client:
            client.send(head_of(signed_fields(b"x"), line) + content)
            assert client.response().status == 408
            client.expect_end()
    with gateway.http2(authority="body.test") as client:
        fields = [(name.lower(), value) for name, value in signed_fields(b"x", headers="date digest")]
        number = client.request("POST", "/", *fields, body=b"half", end=False)
        assert client.response(number).status == 408
        client.ping()


def test_what_was_held_back_may_be_tried_again(scenario):
    def bad(exchange):
        exchange.read_body()
        exchange.reset()

    good = scenario.origin(name="good")
    gateway = scenario.gateway(
        [service("app", scenario.origin(bad), good, ejection="off",
                 retries={"attempts": 1, "budget": "100%", "nonIdempotent": True})],
        [route("body", "app", plugins={"hmac-auth": {"validateRequestBody": True}})], settings={"consumers": CONSUMERS})
    head = head_of(signed_fields(CONTENT), "Transfer-Encoding: chunked", "Expect: 100-continue")
    for _ in range(4):
        with gateway.client() as client:
            client.send(head)
            assert client.head().status == 100
            client.send(chunked(CONTENT))
            assert client.response().status == 200
    assert [request.body for request in good.requests] == [CONTENT] * 4


def test_what_is_held_back_is_bounded(scenario):
    """Others are refused, and get their turn when there is room again."""
    gateway = scenario.gateway(
        [service("app", scenario.origin())], [route("body", "app", plugins={"hmac-auth": {"validateRequestBody": True}})],
        http={"limits": {"bufferBytes": "16MiB"}}, settings={"consumers": CONSUMERS})
    content = b"x" * (4 << 20)
    clients = []
    statuses = []
    for _ in range(12):
        client = gateway.client()
        clients.append(client)
        client.send(head_of(signed_fields(content), f"Content-Length: {len(content)}"))
        try:
            client.send(content[:-1])
        except OSError:
            pass
    for client in clients:
        try:
            client.send(content[-1:])
            statuses.append(client.response().status)
        except (OSError, ConnectionEnded):
            statuses.append(0)
    assert 503 in statuses and 200 in statuses and set(statuses) <= {200, 503, 0}, statuses
    for client in clients:
        client.close()
    wait_until(lambda: gateway.get(host="x").status == 401, "there is room again")
    gateway.check_health()


def test_nothing_of_it_stays_counted(scenario):
    gateway = scenario.gateway(
        [service("app", scenario.origin())], [route("body", "app", plugins={"hmac-auth": {"validateRequestBody": True}})],
        settings={"consumers": CONSUMERS})
    content = b"x" * (1 << 20)

    def held() -> float:
        return gateway.metrics().sum("penstock_buffer_bytes")
    assert gateway.get().status == 401
    before = held()
    for line, sent in ((f"Content-Length: {len(content)}", content), ("Transfer-Encoding: chunked", chunked(content))):
        for signed, status in ((content, 200), (b"other", 401)):
            with gateway.client() as client:
                client.send(head_of(signed_fields(signed), line))
                client.send(sent)
                assert client.response().status == status
        client = gateway.client()
        client.send(head_of(signed_fields(content), line))
        client.send(sent[:600_000])
        wait_until(lambda: held() > before + 500_000, "what has come is counted")
        client.reset()
        wait_until(lambda: held() <= before, "nothing is held any more")
