"""response-rewrite: status and content of endpoints' responses."""

import gzip

import pytest

from support.gateway import route, routes_with, service
from support.http2_origin import HTTP2Exchange
from support.origin import answer_with, raw_answer
from support.plugin_options import check

LARGE = b"x" * 300_000
PAGE = "the old shop, the old prices"


def in_chunks(*chunks, fields=()):
    """Each chunk in a packet of its own."""
    def answer(exchange):
        exchange.read_body()
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + b"".join(fields) + b"\r\n")
        for chunk in chunks:
            exchange.send_chunk(chunk)
        exchange.send(b"0\r\n\r\n")
    return answer


def page(exchange):
    """`/compressed` and `/part` are what the plugin asks endpoints not to send."""
    exchange.read_body()
    path = exchange.request.target
    if path == "/compressed":
        exchange.respond(200, gzip.compress(PAGE.encode()), "Content-Encoding: gzip", 'ETag: "1"')
    elif path == "/part":
        exchange.respond(206, "the old", "Content-Range: bytes 0-6/28", 'ETag: "1"')
    elif path == "/empty":
        exchange.respond(200, "")
    elif path == "/none":
        exchange.respond(204)
    elif path == "/same":
        exchange.respond(304, b"", "Content-Length: 28", 'ETag: "1"')
    elif path == "/large":
        exchange.respond(200, b"old " + LARGE)
    elif path == "/asked":
        exchange.respond(200, ",".join(name.lower() for name, _ in exchange.request.fields))
    elif path == "/missing":
        exchange.respond(404, "nothing here")
    else:
        exchange.respond(200, PAGE, "Content-Type: text/html", 'ETag: "1"', "Accept-Ranges: bytes", "X-Kept: 1")


def http2_page(exchange: HTTP2Exchange) -> None:
    exchange.read_body()
    exchange.head(200, ("content-type", "text/html"), ("etag", '"1"'))
    for piece in (b"the ", b"ol", b"d shop"):
        exchange.data(piece)
    exchange.trailers(("x-checksum", "1"))


@pytest.fixture(scope="module")
def gateway(shared):
    origin, chunked = shared.origin(page), shared.origin(in_chunks(b"the o", b"ld ", b"shop"))
    streams = shared.origin(in_chunks(b"old ", *[LARGE] * 4))
    closing = shared.origin(raw_answer(b"HTTP/1.0 200 OK\r\n\r\nthe old shop", closes=True))
    broken = shared.origin(raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nthe old", closes=True))
    filters = [{"match": "old", "replace": "new"}]
    shop = routes_with("response-rewrite")
    return shared.gateway(
        [service("app", origin), service("chunked", chunked), service("closing", closing),
         service("streams", streams), service("broken", broken, retries="off"),
         service("http2", shared.http2_origin(http2_page), protocol="h2")],
        [shop("filter", filters=filters), shop("chunked", "chunked", filters=filters),
         shop("closing", "closing", filters=filters), shop("streams", "streams", filters=filters),
         shop("broken", "broken", filters=filters), shop("http2", "http2", filters=filters),
         shop("groups", filters=[{"match": "(old) (\\w+)", "replace": "$2 ($1, $$5)", "scope": "once"},
                                 {"match": "\\b", "replace": "|"}]),
         shop("body", body='{"path": "$uri"}', contentType="application/json", status=503),
         shop("streamed-body", "streams", body="sorry"), shop("streamed-body-plain", body="sorry"),
         shop("broken-body", "broken", body="{}", contentType="application/json"),
         shop("errors", statuses=[404, 500], status=200, body="never mind"),
         shop("status", status=418)])


def of(gateway, host, path="/", *fields, **options):
    return gateway.get(path, *fields, host=f"{host}.test", **options)


class TestFilters:
    def test_what_is_found_is_replaced(self, gateway):
        response = of(gateway, "filter")
        assert response.text == "the new shop, the new prices"
        assert response.values("content-length") == ["28"]
        assert response.values("x-kept") == ["1"] and response.values("content-type") == ["text/html"]
        # They were about the endpoint's content.
        assert not response.has("etag") and not response.has("accept-ranges")

    @pytest.mark.parametrize("kind", ["chunked", "closing", "http2"])
    def test_content_that_comes_in_pieces(self, gateway, kind):
        assert of(gateway, kind).text == "the new shop"

    @pytest.mark.parametrize("kind", ["filter", "chunked", "closing", "http2"])
    def test_by_http2(self, gateway, kind):
        with gateway.http2(authority=f"{kind}.test") as client:
            response = client.exchange("GET", "/")
            assert response.text.startswith("the new shop")
            assert response.values("content-length") == [str(len(response.body))]
            assert [name for name, _ in response.trailers] == (["x-checksum"] if kind == "http2" else [])

    def test_groups_and_places_between_bytes(self, gateway):
        assert of(gateway, "groups").text.replace("|", "") == "the shop (old, $5), the old prices"
        assert of(gateway, "groups").text.startswith("|the| |shop| (|old|, $|5|)")

    def test_endpoints_are_asked_for_what_can_be_looked_through(self, gateway):
        asked = of(gateway, "filter", "/asked", "Accept-Encoding: gzip", "Range: bytes=0-1", 'If-Range: "1"').text.split(",")
        assert not {"accept-encoding", "range", "if-range"} & set(asked)

    def test_what_cannot_be_looked_through_goes_on_as_it_is(self, gateway):
        response = of(gateway, "filter", "/compressed")
        assert gzip.decompress(response.body).decode() == PAGE and response.values("etag") == ['"1"']
        response = of(gateway, "filter", "/part")
        assert (response.status, response.text, response.values("etag")) == (206, "the old", ['"1"'])

    def test_what_is_too_long_goes_on_as_it_is(self, gateway):
        assert of(gateway, "filter", "/large").body == b"old " + LARGE
        with gateway.http2(authority="streams.test") as client:
            assert client.exchange("GET", "/").body == b"old " + LARGE * 4
        assert of(gateway, "streams").body == b"old " + LARGE * 4

    def test_nothing_comes_of_nothing(self, gateway):
        assert of(gateway, "filter", "/empty").text == ""
        assert of(gateway, "filter", "/none").status == 204
        head = gateway.client().exchange("HEAD", "/", host="filter.test")
        assert head.status == 200 and not head.has("content-length") and not head.has("etag")

    def test_a_response_that_breaks_off_becomes_an_error(self, gateway):
        """Nothing of it was sent, so that the client can be told."""
        assert of(gateway, "broken").status == 502
        gateway.check_health()

    def test_connections_go_on(self, gateway):
        with gateway.client() as client:
            for _ in range(20):
                assert client.exchange("GET", "/", host="chunked.test").text == "the new shop"
                assert client.exchange("GET", "/", host="filter.test").text.startswith("the new shop")


class TestContent:
    def test_it_is_replaced_with_its_type_and_status(self, gateway):
        response = of(gateway, "body", '/a"b')
        assert (response.status, response.text) == (503, '{"path": "/a%22b"}')
        assert response.reason == "Service Unavailable"
        assert response.values("content-type") == ["application/json"]
        assert not response.has("etag")
        assert of(gateway, "body", "/compressed").values("content-encoding") == []
        assert of(gateway, "body", "/empty").text == '{"path": "/empty"}'

    def test_long_content_is_let_go(self, gateway):
        for _ in range(3):
            assert of(gateway, "streamed-body").text == "sorry"
        with gateway.http2(authority="streamed-body.test") as client:
            assert [client.exchange("GET", "/").text for _ in range(3)] == ["sorry"] * 3

    @pytest.mark.parametrize("path, status", [("/none", 204), ("/same", 304)])
    def test_statuses_without_content_stay_so(self, gateway, path, status):
        """Content behind such a head would be taken for the next response."""
        with gateway.client() as client:
            for _ in range(2):
                response = client.exchange("GET", path, host="streamed-body-plain.test")
                assert (response.status, response.text) == (status, "")
            # With another status there is content, or it is said that there is none.
            response = client.exchange("GET", path, host="body.test")
            assert (response.status, response.values("content-type")) == (503, ["application/json"])
            response = client.exchange("GET", path, host="status.test")
            assert (response.status, response.text, response.values("content-length")) == (418, "", ["0"])
            assert client.exchange("GET", "/", host="status.test").status == 418
        for host, wanted in (("streamed-body-plain", status), ("status", 418)):
            with gateway.http2(authority=f"{host}.test") as client:
                response = client.exchange("GET", path)
                assert (response.status, response.body) == (wanted, b"")

    def test_an_error_in_its_place_is_not_edited(self, gateway):
        response = of(gateway, "broken-body")
        assert (response.status, response.values("content-type")) == (502, ["text/plain; charset=utf-8"])

    def test_only_of_some_statuses(self, gateway):
        assert of(gateway, "errors").text == PAGE
        response = of(gateway, "errors", "/missing")
        assert (response.status, response.text) == (200, "never mind")

    def test_the_status_alone(self, gateway):
        response = of(gateway, "status")
        assert (response.status, response.text, response.values("etag")) == (418, PAGE, ['"1"'])
        with gateway.http2(authority="status.test") as client:
            assert client.exchange("GET", "/").status == 418

    def test_answers_of_the_gateways_own_stay(self, scenario):
        gateway = scenario.gateway([service("app", scenario.dead_port(), retries="off")],
                                   [route("all", "app", plugins={"response-rewrite": {"status": 200, "body": "fine"}})])
        assert gateway.get().status == 502


@pytest.mark.parametrize("options, said", [
    ({}, "there is nothing to change"),
    ({"status": 204}, "a response with status 204 has no content"),
    ({"body": "a", "filters": [{"match": "a", "replace": "b"}]}, "body and filters exclude each other"),
    ({"status": 200, "contentType": "text/html"}, "this is for body"),
    ({"filters": [{"match": "(", "replace": ""}]}, "missing )"),
    ({"filters": [{"match": "a", "replace": "$1"}]}, "there is no group $1"),
    ({"filters": [{"match": "a", "replace": "$host"}]}, "variables cannot be used here"),
    ({"body": "a", "bytesMax": "2MiB"}, "bytesMax"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "response-rewrite", options)
