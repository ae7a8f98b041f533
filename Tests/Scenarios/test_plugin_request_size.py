"""request-size: content that is too large, or of unknown length."""

import pytest

from support.gateway import routes_with, service
from support.plugin_options import check

CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    shop = routes_with("request-size")
    return shared.gateway(
        [service("app", origin)],
        [shop("small", limit="1KiB"), shop("length", limit="1KiB", requireContentLength=True), shop("none", limit=0),
         shop("more", limit="1GiB"), shop("standard")],
        http={"limits": {"bodyBytes": "100KiB"}})


def post(gateway, host, size):
    with gateway.client() as client:
        return client.exchange("POST", "/", body=b"x" * size, host=f"{host}.test")


def post_chunks(gateway, host, *chunks, in_one_piece=True):
    with gateway.client() as client:
        head = f"POST / HTTP/1.1\r\nHost: {host}.test\r\n{CHUNKED}\r\n\r\n".encode()
        content = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        if in_one_piece:
            client.send(head + content)
        else:
            client.send(head)
            client.send(content)
        return client.response()


@pytest.mark.parametrize("host, size, status", [
    ("small", 1_024, 200), ("small", 1_025, 413), ("small", 0, 200), ("small", 1_000_000, 413),
    ("none", 1, 413), ("none", 0, 200), ("length", 1_024, 200), ("length", 0, 200),
    ("standard", 50_000, 200),
    # What is set for all holds beside it.
    ("more", 102_400, 200), ("more", 102_401, 413),
])
def test_content_with_a_length(gateway, host, size, status):
    assert post(gateway, host, size).status == status
    with gateway.http2(authority=f"{host}.test") as client:
        body = b"x" * min(size, 60_000)
        if len(body) == size:
            fields = (("content-length", str(size)),)
            assert client.exchange("POST", "/", *fields, body=body).status == status


@pytest.mark.parametrize("in_one_piece", [True, False])
def test_content_without_a_length(gateway, origin, in_one_piece):
    assert post_chunks(gateway, "small", b"x" * 1_024, in_one_piece=in_one_piece).status == 200
    assert origin.last.body == b"x" * 1_024
    assert post_chunks(gateway, "small", b"x" * 1_000, b"x" * 25, in_one_piece=in_one_piece).status == 413
    assert post_chunks(gateway, "length", b"x", in_one_piece=in_one_piece).status == 411


def test_by_http2(gateway):
    with gateway.http2(authority="small.test") as client:
        assert client.exchange("POST", "/", body=b"x" * 1_024).status == 200
        assert client.exchange("POST", "/", body=b"x" * 1_025).status == 413
    with gateway.http2(authority="length.test") as client:
        assert client.exchange("POST", "/", body=b"x").status == 411
        assert client.exchange("GET", "/").status == 200


def test_who_waits_to_be_asked_is_told_at_once(gateway, origin):
    origin.forget()
    with gateway.client() as client:
        client.request("POST", "/", "Expect: 100-continue", "Content-Length: 2000", host="small.test")
        assert client.response().status == 413
    assert not origin.requests


@pytest.mark.parametrize("options, said", [
    ({"limit": "many"}, "is not a size"),
    ({"limit": -1}, "is not a size"),
    ({"requireContentLength": "yes"}, "write true"),
])
def test_options_that_are_wrong(tmp_path, options, said):
    assert said in check(tmp_path, "request-size", options)
