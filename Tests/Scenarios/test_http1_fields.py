"""What an intermediary does to versions, targets and fields: RFC 9110 and RFC 9112, a test for each MUST."""

import re

import pytest

from support.gateway import service
from support.origin import raw_answer

EMPTY_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin, retries="off", ejection="off")])


@pytest.fixture(autouse=True)
def fresh(gateway, origin):
    """Each test finds a gateway that runs, and leaves it so."""
    gateway.revive()
    origin.forget()
    yield
    gateway.check_health()


class TestHTTP10:
    def test_client_of_http10_gets_one_response_and_the_end(self, gateway):
        with gateway.client() as client:
            response = client.exchange("GET", "/", version="1.0")
            assert response.status == 200 and response.value("connection") == "close"
            client.expect_end()

    def test_client_of_http10_may_ask_for_more(self, gateway):
        with gateway.client() as client:
            for _ in range(3):
                response = client.exchange("GET", "/", "Connection: keep-alive", version="1.0")
                assert response.value("connection").lower() == "keep-alive"

    def test_client_of_http10_gets_no_chunks(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
        with gateway.client() as client:
            response = client.exchange("GET", "/", "Connection: keep-alive", version="1.0")
            assert not response.has("transfer-encoding") and response.body == b"hello world"

    def test_client_of_http10_without_host_is_served_and_the_origin_gets_a_host(self, gateway, origin):
        with gateway.client() as client:
            assert client.exchange("GET", "/", host=None, version="1.0").status == 200
        # RFC 9112 section 3.2: every HTTP/1.1 request has a Host, an empty one if need be.
        assert origin.last.version == "HTTP/1.1" and origin.last.has("host")

    def test_origin_always_sees_http11(self, gateway, origin):
        with gateway.client() as client:
            client.exchange("GET", "/", version="1.0")
        assert origin.last.version == "HTTP/1.1"

    def test_origin_of_http10_that_ends_with_the_connection(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nuntil the end", closes=True)
        with gateway.client() as client:
            response = client.exchange("GET", "/")
            assert response.body == b"until the end" and response.is_chunked
            client.expect_open()

    def test_origin_of_http10_with_a_length_is_not_reused_without_keep_alive(self, gateway, origin):
        connections = origin.connection_count
        origin.answer = raw_answer(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", closes=True)
        with gateway.client() as client:
            for _ in range(3):
                assert client.exchange("GET", "/").body == b"ok"
        assert origin.connection_count >= connections + 2

    def test_client_and_origin_of_http10(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.0 200 OK\r\n\r\nold", closes=True)
        with gateway.client() as client:
            response = client.exchange("GET", "/", version="1.0")
            assert response.body == b"old" and not response.has("transfer-encoding")


class TestHopByHopFields:
    def test_fields_of_the_connection_stay_on_it(self, gateway, origin):
        with gateway.client() as client:
            client.exchange("GET", "/", "Connection: keep-alive, X-Mine, x-other", "X-Mine: 1", "X-OTHER: 2",
                            "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers",
                            "Upgrade: websocket", "X-Kept: 3")
        for name in ("connection", "keep-alive", "proxy-connection", "te", "upgrade", "x-mine", "x-other"):
            assert not origin.last.has(name), name
        assert origin.last.value("x-kept") == "3"

    def test_connection_on_several_lines_counts_whole(self, gateway, origin):
        with gateway.client() as client:
            client.exchange("GET", "/", "Connection: x-a", "Connection: x-b", "X-A: 1", "X-B: 2")
        assert not origin.last.has("x-a") and not origin.last.has("x-b")

    def test_connection_cannot_remove_what_the_gateway_says(self, gateway, origin):
        with gateway.client() as client:
            client.exchange("POST", "/", "Connection: Host, Content-Length, X-Forwarded-For, Via, X-Request-ID",
                            body=b"hello")
        for name in ("host", "content-length", "x-forwarded-for", "via", "x-request-id"):
            assert origin.last.has(name), name
        assert origin.last.body == b"hello"

    def test_fields_of_the_origins_connection_stay_on_it(self, gateway, origin):
        origin.answer = raw_answer(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n"
            b"Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Kept: 3\r\nContent-Length: 0\r\n\r\n")
        with gateway.client() as client:
            response = client.exchange("GET", "/")
            for name in ("connection", "keep-alive", "proxy-connection", "upgrade", "x-mine"):
                assert not response.has(name), name
            assert response.value("x-kept") == "3"

    def test_close_of_the_origin_does_not_close_the_client(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", closes=True)
        with gateway.client() as client:
            for _ in range(3):
                assert not client.exchange("GET", "/").has("connection")


class TestTargets:
    @pytest.mark.parametrize("target, forwarded", [
        ("http://example.test/path?q=1", "/path?q=1"),
        ("HTTP://EXAMPLE.test/path", "/path"),
        ("http://example.test:80/path", "/path"),
        ("http://example.test", "/"),
        ("http://example.test?q=1", "/?q=1"),
    ])
    def test_absolute_form_becomes_origin_form(self, gateway, origin, target, forwarded):
        with gateway.client() as client:
            assert client.exchange("GET", target).status == 200
        assert origin.last.target == forwarded

    def test_authority_of_the_absolute_form_is_the_host(self, gateway, origin):
        with gateway.client() as client:
            client.exchange("GET", "http://example.test:8080/", host="other.test")  # RFC 9112 section 3.2.2
        assert origin.last.value("host") == "example.test:8080"

    def test_host_passes_as_it_was_sent(self, gateway, origin):
        for host in ("Example.TEST", "example.test:8080", "[::1]:80", "127.0.0.1"):
            with gateway.client() as client:
                client.exchange("GET", "/", host=host)
            assert origin.last.value("host") == host

    def test_options_asterisk_passes(self, gateway, origin):
        with gateway.client() as client:
            assert client.exchange("OPTIONS", "*").status == 200
        assert (origin.last.method, origin.last.target) == ("OPTIONS", "*")

    def test_options_of_an_absolute_form_without_path_becomes_an_asterisk(self, gateway, origin):
        with gateway.client() as client:
            assert client.exchange("OPTIONS", "http://example.test").status == 200
        assert origin.last.target == "*"

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"])
    def test_methods_pass_as_they_are(self, gateway, origin, method):
        with gateway.client() as client:
            assert client.exchange(method, "/").status == 200
        assert origin.last.method == method

    def test_target_of_8000_bytes_passes(self, gateway, origin):
        target = "/" + "a" * 7_999  # RFC 9112 section 3 asks for that much
        with gateway.client() as client:
            assert client.exchange("GET", target).status == 200
        assert origin.last.target == target


class TestFields:
    def test_repeated_fields_keep_their_order_and_lines(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-A: 1\r\nSet-Cookie: b=2\r\nX-A: 2\r\n"
                                   b"Content-Length: 0\r\n\r\n")
        with gateway.client() as client:
            response = client.exchange("GET", "/", "X-A: 1", "X-B: 2", "X-A: 3", "Cookie: a=1", "Cookie: b=2")
        assert response.values("set-cookie") == ["a=1", "b=2"] and response.values("x-a") == ["1", "2"]
        assert origin.last.values("x-a") == ["1", "3"] and origin.last.values("cookie") == ["a=1", "b=2"]

    def test_unusual_values_pass_unchanged(self, gateway, origin):
        with gateway.client() as client:
            client.exchange("GET", "/", "X-Empty:", "X-Text: caf\xe9 \xff", "X-Tab: a\tb", "x-lower: 1", "X-UPPER: 2",
                            "X-Space:    padded   ")
        request = origin.last
        assert request.value("x-empty") == "" and request.value("x-text") == "caf\xe9 \xff"
        assert request.value("x-tab") == "a\tb" and request.value("x-space") == "padded"
        assert ("x-lower", "1") in request.fields and ("X-UPPER", "2") in request.fields

    def test_date_is_added_where_it_is_missing(self, gateway, origin):
        origin.answer = raw_answer(EMPTY_OK)
        with gateway.client() as client:
            date = client.exchange("GET", "/").value("date")
        assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date)

    def test_date_of_the_origin_is_kept(self, gateway, origin):
        date = "Tue, 15 Nov 1994 08:12:31 GMT"
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: 0\r\n\r\n" % date.encode())
        with gateway.client() as client:
            assert client.exchange("GET", "/").value("date") == date

    def test_via_names_the_gateway_and_the_received_version(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.0 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n\r\n", closes=True)
        with gateway.client() as client:
            response = client.exchange("GET", "/", "Via: 1.0 outer", version="1.1")
        assert ", ".join(origin.last.values("via")) == "1.0 outer, 1.1 penstock"
        assert ", ".join(response.values("via")) == "1.1 inner, 1.0 penstock"

    def test_status_and_reason_of_the_origin_pass(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
        with gateway.client() as client:
            assert client.exchange("GET", "/").first_line == "HTTP/1.1 418 I'm a teapot"

    def test_missing_reason_is_no_error(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")
        with gateway.client() as client:
            assert client.exchange("GET", "/").status == 299
