"""response-size: responses that announce too much, or turn out too large."""

import pytest

from support.gateway import route, service
from support.plugin_options import check
from support.waiting import wait_until

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Origin-Field: there\r\n\r\n"


def sized(target, **plugins):
    return route(target, target, hosts=[f"{target}.test"], plugins={
        "response-size": {"limit": "1KiB"}, "headers": {"response": {"add": {"X-Added": "once"}}}, **plugins})


def content(exchange):
    """`/length/1000` and so on."""
    kind, size = exchange.request.target.strip("/").split("/")
    data = b"x" * int(size)
    if kind == "length":
        return exchange.respond(200, data)
    if kind == "chunks":
        # Head and content in one piece.
        exchange.send(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
        return
    if kind == "slow":
        exchange.send(CHUNKED)
        for start in range(0, len(data), 500):
            piece = data[start:start + 500]
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")
        return
    exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data)
    exchange.close()


def h2_content(exchange):
    exchange.respond(200, b"y" * int(exchange.request.target.strip("/")))


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway(
        [service("h1", shared.origin(content), retries="off"),
         service("h2", shared.http2_origin(h2_content), protocol="h2", retries="off")],
        [sized("h1"), sized("h2")])


class TestAnnounced:
    @pytest.mark.parametrize("size, status", [(0, 200), (1_024, 200), (1_025, 502), (10_000_000, 502)])
    def test_a_length(self, gateway, size, status):
        answer = gateway.get(f"/length/{size}", host="h1.test")
        assert answer.status == status
        assert answer.values("x-added") == ["once"]
        assert answer.body == (b"x" * size if status == 200 else b"The service's answer is too large.\n")
        with gateway.http2(authority="h1.test") as client:
            answer = client.exchange("GET", f"/length/{size}")
            assert answer.status == status and answer.values("x-added") == ["once"]

    def test_the_connection_goes_on(self, gateway):
        with gateway.client() as client:
            for size, status in ((5_000, 502), (5, 200), (5_000, 502)):
                assert client.exchange("GET", f"/length/{size}", host="h1.test").status == status

    def test_head_announces_and_has_none(self, gateway):
        with gateway.client() as client:
            answer = client.exchange("HEAD", "/length/5000", host="h1.test")
            assert answer.status == 200 and answer.value("content-length") == "5000"


class TestUnannounced:
    @pytest.mark.parametrize("kind", ["chunks", "slow", "close"])
    def test_what_fits_passes(self, gateway, kind):
        assert gateway.get(f"/{kind}/1024", host="h1.test").body == b"x" * 1_024

    def test_too_much_at_once_is_502(self, gateway):
        answer = gateway.get("/chunks/1025", host="h1.test")
        assert answer.status == 502 and answer.values("x-added") == ["once"] and not answer.has("x-origin-field")

    @pytest.mark.parametrize("kind", ["slow", "close"])
    def test_too_much_later_is_cut_off(self, gateway, kind):
        with gateway.client() as client:
            client.request("GET", f"/{kind}/1000000", host="h1.test")
            try:
                answer = client.response()
            except (OSError, AssertionError, ValueError, EOFError):
                return  # not whole, as was to be seen
            assert answer.status == 502

    def test_by_http2_it_is_reset(self, gateway):
        with gateway.http2(authority="h1.test") as client:
            client.expect_reset(client.request("GET", "/slow/1000000"))
            assert client.exchange("GET", "/slow/1000").status == 200


class TestHTTP2Services:
    def test_their_content_counts_as_well(self, gateway):
        with gateway.client() as client:
            assert client.exchange("GET", "/1024", host="h2.test").body == b"y" * 1_024
            assert client.exchange("GET", "/1025", host="h2.test").status == 502
            assert client.exchange("GET", "/5", host="h2.test").body == b"yyyyy"


def test_it_is_not_the_endpoints_fault(scenario):
    origins = [scenario.origin(content, name) for name in ("a", "b")]
    gateway = scenario.gateway(
        [service("h1", *origins, retries="off", ejection={"consecutiveFailures": 1})], [sized("h1")])
    for _ in range(6):
        assert gateway.get("/length/5000", host="h1.test").status == 502
    assert set(gateway.origins_of(20, "/length/5", host="h1.test")) == {"a", "b"}


@pytest.mark.parametrize("options, said", [({"limit": "many"}, "is not a size"), ({"size": 1}, "limit")])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "response-size", options)
