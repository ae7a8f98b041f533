"""HTTP/1.1 as an intermediary: one test for each MUST of RFC 9110 and RFC 9112 that shows on the wire."""

import json
import random

import pytest

from support.client import Client, get
from support.gateway import service
from support.http import ConnectionEnded, ProtocolViolation
from support.origin import early_answer, raw_answer

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


class TestPersistentConnections:
    def test_connection_carries_many_requests(self, gateway, origin):
        with gateway.client() as client:
            for number in range(100):
                assert json.loads(client.exchange("GET", f"/{number}").body)["target"] == f"/{number}"

    def test_close_is_answered_with_close(self, gateway):
        with gateway.client() as client:
            response = client.exchange("GET", "/", "Connection: close")
            assert response.value("connection") == "close"
            client.expect_end()

    def test_close_in_a_list_and_in_any_case_counts(self, gateway):
        with gateway.client() as client:
            client.exchange("GET", "/", "Connection: x-other, CLOSE")
            client.expect_end()

    def test_pipelined_requests_are_answered_in_order(self, gateway, origin):
        def answer(exchange):
            if exchange.request.target == "/0":
                exchange.origin.wait_for_requests(1)
            exchange.respond(200, exchange.request.target)

        origin.answer = answer
        requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: example.test\r\n\r\n" % n for n in range(50))
        with gateway.client() as client:
            client.send(requests)
            assert [client.response().text for _ in range(50)] == [f"/{n}" for n in range(50)]

    def test_pipelined_requests_with_content_keep_their_borders(self, gateway):
        requests = (b"POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 3\r\n\r\nabc"
                    b"HEAD /b HTTP/1.1\r\nHost: example.test\r\n\r\n"
                    b"POST /c HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"
                    b"GET /d HTTP/1.1\r\nHost: example.test\r\n\r\n")
        with gateway.client() as client:
            client.send(requests)
            assert json.loads(client.response().body)["body"] == "abc"
            assert client.response("HEAD").status == 200
            assert json.loads(client.response().body)["body"] == "def"
            assert json.loads(client.response().body)["target"] == "/d"

    @pytest.mark.parametrize("size", [100, 10_000, 40_000, 300_000])
    def test_request_behind_large_content_is_found(self, gateway, size):
        data = b"x" * size
        with gateway.client() as client:
            for _ in range(3):
                client.send(b"POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: %d\r\n\r\n%s"
                            b"POST /b HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"%x\r\n%s\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: example.test\r\n\r\n"
                            % (size, data, size, data))
                for target, length in (("/a", size), ("/b", size), ("/c", 0)):
                    seen = json.loads(client.response().body)
                    assert (seen["target"], len(seen["body"])) == (target, length)

    def test_request_behind_one_that_closes_is_not_served(self, gateway, origin):
        with gateway.client() as client:
            client.send(b"GET /last HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n"
                        b"GET /never HTTP/1.1\r\nHost: example.test\r\n\r\n")
            assert client.response().status == 200
            client.expect_end()
        assert [request.target for request in origin.requests] == ["/last"]

    def test_empty_line_before_a_request_is_passed_over(self, gateway):
        with gateway.client() as client:
            client.send(b"\r\nGET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
            assert client.response().status == 200

    def test_head_that_arrives_byte_by_byte(self, gateway):
        with gateway.client() as client:
            for byte in b"GET /slowly HTTP/1.1\r\nHost: example.test\r\nX-A: 1\r\n\r\n":
                client.send(bytes([byte]))
            assert json.loads(client.response().body)["target"] == "/slowly"


    def test_any_split_of_the_bytes_gives_the_same_answers(self, gateway):
        whole = (b"POST /1 HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"1\r\na\r\n00A;x=y\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n"
                 b"GET /2?q HTTP/1.1\r\nHost: example.test\r\nX-A:  b \r\n\r\n"
                 b"\r\nPUT /3 HTTP/1.1\r\nContent-Length: 11\r\nHost: example.test\r\n\r\nGET / HTTP/"
                 b"DELETE http://example.test/4/../5 HTTP/1.1\r\nHost: example.test\r\n\r\n")
        expected = [("/1", "a0123456789", [["X-T", "1"]]), ("/2?q", "", []), ("/3", "GET / HTTP/", []), ("/5", "", [])]
        generator = random.Random(9112)
        for _ in range(40):
            cuts = sorted(generator.sample(range(1, len(whole)), generator.randint(1, 12)))
            with gateway.client() as client:
                for start, end in zip([0, *cuts], [*cuts, len(whole)]):
                    client.send(whole[start:end])
                seen = [json.loads(client.response().body) for _ in range(4)]
            assert [(one["target"], one["body"], one["trailers"]) for one in seen] == expected


class TestContent:
    @pytest.mark.parametrize("size", [0, 1, 4_095, 4_096, 4_097, 65_536, 1_000_000])
    def test_content_with_a_length_passes_both_ways(self, gateway, origin, size):
        data = bytes(range(256)) * (size // 256 + 1)
        origin.answer = lambda exchange: exchange.respond(200, exchange.read_body())
        with gateway.client() as client:
            response = client.exchange("POST", "/", body=data[:size])
            assert response.body == data[:size]
            assert response.value("content-length") == str(size)
        assert not origin.last.has("transfer-encoding")

    @pytest.mark.parametrize("sizes", [[1], [1, 2, 3], [65_536, 1], [1] * 300, [500_000]])
    def test_chunked_content_passes_both_ways(self, gateway, origin, sizes):
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for size in sizes:
                exchange.send_chunk(b"y" * size)
            exchange.send(b"0\r\n\r\n")

        origin.answer = answer
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked")
            for size in sizes:
                client.send(b"%X\r\n%s\r\n" % (size, b"x" * size))
            client.send(b"0\r\n\r\n")
            response = client.response()
            assert response.is_chunked and response.body == b"y" * sum(sizes)
            client.expect_open()
        assert origin.requests[0].is_chunked and origin.requests[0].body == b"x" * sum(sizes)

    def test_chunks_that_arrive_byte_by_byte(self, gateway, origin):
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked")
            for byte in b"00005;ext=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n":
                client.send(bytes([byte]))
            assert json.loads(client.response().body)["body"] == "hello"

    def test_chunk_extensions_are_dropped(self, gateway, origin):
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b'5;a=b;c="d\\"e" ; f\r\nhello\r\n0;last\r\n\r\n')

        origin.answer = answer
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked")
            client.send(b'5;name=value;flag;quoted="; \\" x"\r\nhello\r\n0;end=1\r\n\r\n')
            assert client.response().body == b"hello"  # the reader refuses extensions
        assert origin.last.body == b"hello"
        assert b"name" not in origin.last.raw_body and b";" not in origin.last.raw_body

    def test_chunked_name_is_case_insensitive(self, gateway, origin):
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: Chunked")
            client.send(b"3\r\nabc\r\n0\r\n\r\n")
            assert client.response().status == 200
        assert origin.last.value("transfer-encoding") == "chunked" and origin.last.body == b"abc"

    def test_trailers_pass_both_ways_and_forbidden_ones_do_not(self, gateway, origin):
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n"
                          b"X-Sum: down\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n")

        origin.answer = answer
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked", "TE: trailers")
            client.send(b"2\r\nup\r\n0\r\nX-Sum: up\r\nHost: evil.test\r\nAuthorization: x\r\n"
                        b"X-Forwarded-For: 1.2.3.4\r\nContent-Length: 9\r\n\r\n")
            response = client.response()
            client.expect_open()
        assert response.trailers == [("X-Sum", "down")]
        assert origin.requests[0].trailers == [("X-Sum", "up")]

    def test_request_without_framing_has_no_content(self, gateway, origin):
        with gateway.client() as client:
            assert client.exchange("POST", "/").status == 200
            client.expect_open()
        assert origin.requests[0].body == b""

    def test_streams_in_both_directions_at_once(self, gateway, origin):
        def answer(exchange):
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while chunk := exchange.read_chunk():
                exchange.send_chunk(chunk.upper())
            exchange.read_fields()
            exchange.request.is_complete = True
            exchange.send(b"0\r\n\r\n")

        origin.answer = answer
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked")
            for number in range(20):
                client.send(b"6\r\nabc%03d\r\n" % number)
                if number == 0:
                    assert client.head().status == 200
                assert client.read_chunk() == b"ABC%03d" % number  # before the next is sent
            client.send(b"0\r\n\r\n")
            assert client.read_chunk() == b""

    def test_early_refusal_reaches_a_client_that_still_sends(self, gateway, origin):
        origin.answer = early_answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 100000000")
            client.send(b"x" * 100_000)
            response = client.response()
            assert (response.status, response.body) == (413, b"big")
            assert response.value("connection") == "close"
            client.expect_end()

    def test_early_answer_does_not_make_the_rest_a_new_request(self, gateway, origin):
        origin.answer = early_answer(EMPTY_OK)
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 1000")
            assert client.response().status == 200
            try:
                client.send(b"GET /smuggled HTTP/1.1\r\nHost: example.test\r\n\r\n")
                client.expect_end()
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert [request.target for request in origin.requests] == ["/"]


class TestInterimResponses:
    def test_expectation_is_passed_on_and_the_client_waits_for_100(self, gateway, origin):
        def answer(exchange):
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            exchange.respond(200, exchange.read_body())

        origin.answer = answer
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 5", "Expect: 100-continue")
            assert client.head().status == 100
            client.send(b"hello")
            assert client.response().body == b"hello"
            assert origin.last.value("expect").lower() == "100-continue"
            origin.forget()
            client.expect_open()

    def test_final_answer_instead_of_100_spares_the_content(self, gateway, origin):
        origin.answer = early_answer(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 5", "Expect: 100-continue")
            response = client.response()
            assert (response.status, response.body) == (403, b"no")

    def test_origin_that_ignores_the_expectation_gets_the_content_all_the_same(self, gateway, origin):
        origin.answer = lambda exchange: exchange.respond(200, exchange.read_body())
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 5", "Expect: 100-continue")
            client.send(b"hello")  # the client need not wait (RFC 9110 section 10.1.1)
            assert client.response().body == b"hello"

    def test_early_hints_and_others_pass(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                                   b"HTTP/1.1 102 Processing\r\n\r\n" + EMPTY_OK)
        with gateway.client() as client:
            client.request("GET", "/")
            hints = client.head()
            assert hints.status == 103 and hints.value("link") == "</a.css>; rel=preload"
            assert client.head().status == 102
            assert client.response().status == 200

    def test_interim_responses_do_not_reach_http10(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + EMPTY_OK)
        with gateway.client() as client:
            response = client.exchange("POST", "/", "Expect: 100-continue", body=b"hello", version="1.0")
            assert response.status == 200
        assert not origin.last.has("expect")


class TestResponsesWithoutContent:
    def test_head_has_the_length_of_a_get_and_no_content(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with gateway.client() as client:
            for _ in range(3):
                assert client.exchange("HEAD", "/").value("content-length") == "1000"

    def test_head_with_chunked_fields_has_no_content(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with gateway.client() as client:
            assert client.exchange("HEAD", "/").status == 200
            assert client.exchange("HEAD", "/").status == 200

    def test_head_that_is_refused_has_no_content_either(self, shared):
        with Client(shared.gateway([service("nobody", shared.dead_port())]).port) as client:
            for _ in range(2):
                assert client.exchange("HEAD", "/").status == 502

    def test_204_has_neither_content_nor_length(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n")
        with gateway.client() as client:
            for _ in range(3):
                assert client.exchange("DELETE", "/").value("x-a") == "1"

    def test_204_loses_a_length_that_it_must_not_have(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        with gateway.client() as client:
            assert not client.exchange("GET", "/").has("content-length")
            client.expect_open()

    def test_304_keeps_its_fields_and_has_no_content(self, gateway, origin):
        origin.answer = raw_answer(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 500\r\n\r\n')
        with gateway.client() as client:
            for _ in range(3):
                response = client.exchange("GET", "/", 'If-None-Match: "a"')
                assert (response.status, response.value("etag")) == (304, '"a"')


class TestTruncation:
    def test_length_that_is_not_fulfilled_is_an_error_for_the_client(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", closes=True)
        with gateway.client() as client, pytest.raises(ConnectionEnded):
            client.exchange("GET", "/")

    def test_chunked_response_without_its_last_chunk_is_an_error_for_the_client(self, gateway, origin):
        origin.answer = raw_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", closes=True)
        with gateway.client() as client, pytest.raises((ConnectionEnded, ProtocolViolation)):
            client.exchange("GET", "/")

    def test_client_that_leaves_in_its_content_leaves_no_whole_request_behind(self, gateway, origin):
        client = gateway.client()
        client.request("POST", "/", "Content-Length: 100")
        client.send(b"only this")
        origin.wait_for_requests(1)
        client.close()
        assert get(gateway.port).status == 200
        assert [request.target for request in origin.complete_requests if request.method == "POST"] == []
