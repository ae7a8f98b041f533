"""Origins of HTTP/2: streams that share connections, and origins that misbehave."""

import json
import threading

import pytest

from support import http2_frames as h2
from support.gateway import service
from support.http2 import StreamReset
from support.waiting import wait_until


@pytest.fixture
def start(scenario):
    """A gateway in front of this origin, without retries unless the test wants them."""
    def with_origin(origin, *others, **settings):
        settings = {"retries": "off", "ejection": "off", **settings}
        return scenario.gateway([service("app", origin, *others, protocol="h2", **settings)])
    return with_origin


@pytest.fixture
def origin(scenario):
    return scenario.http2_origin()


@pytest.fixture
def gateway(start, origin):
    return start(origin)


class Held:
    """An origin whose answers to /held wait for the test."""

    def __init__(self, scenario, **options):
        self.release = threading.Event()
        self.origin = scenario.http2_origin(self.answer, **options)

    def answer(self, exchange):
        exchange.read_body()
        if exchange.request.target == "/held":
            self.release.wait(20)
        exchange.respond(200, "whole")


@pytest.fixture
def held(scenario):
    held = Held(scenario)
    yield held
    held.release.set()


class TestTranslation:
    """The `h2` package of the origin refuses what RFC 9113 forbids; a refusal fails the test."""

    def test_request_of_http1(self, gateway):
        with gateway.client() as client:
            seen = json.loads(client.exchange(
                "POST", "/a?b", "X-Own: Value", "Cookie: a=1; b=2", "TE: trailers, gzip", "Connection: TE, X-Gone",
                "X-Gone: 1", "Keep-Alive: 1", "Proxy-Connection: x", body=b"hello").body)
        fields = dict(seen["fields"])
        assert (seen["method"], seen["target"], seen["scheme"], seen["authority"]) == (
            "POST", "/a?b", "http", "example.test")
        assert seen["body"] == "hello" and fields["content-length"] == "5" and fields["x-own"] == "Value"
        assert fields["cookie"] == "a=1; b=2" and fields["via"] == "1.1 penstock"
        assert fields.get("te", "trailers") == "trailers"
        assert not {"host", "connection", "x-gone", "keep-alive", "proxy-connection"} & fields.keys()

    def test_request_of_http2(self, gateway):
        with gateway.http2() as client:
            seen = json.loads(client.exchange("POST", "/a", ("te", "trailers"), ("x-own", "Value"), body=b"hi").body)
        fields = dict(seen["fields"])
        assert seen["body"] == "hi" and fields["te"] == "trailers" and fields["x-own"] == "Value"
        assert fields["via"] in ("2 penstock", "2.0 penstock")

    def test_content_of_http2_that_comes_later_has_no_length(self, gateway, origin):
        with gateway.http2() as client:
            number = client.open(client.head("POST", "/"), end=False)
            origin.wait_for_requests(1)
            client.send_content(number, b"hi", end=True)
            seen = json.loads(client.response(number).body)
        assert seen["body"] == "hi" and "content-length" not in dict(seen["fields"])

    def test_chunked_request_with_trailers(self, gateway):
        with gateway.client() as client:
            client.request("POST", "/", "Transfer-Encoding: chunked", "Trailer: X-Sum")
            client.send(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
            seen = json.loads(client.response("POST").body)
        assert seen["body"] == "hello" and seen["trailers"] == [["x-sum", "1"]]
        assert "transfer-encoding" not in dict(seen["fields"])

    def test_response_without_a_length_is_chunked_for_http1(self, start, scenario):
        def answer(exchange):
            exchange.read_body()
            exchange.head(200)
            exchange.data(b"hello")
            exchange.trailers(("x-sum", "1"))

        gateway = start(scenario.http2_origin(answer))
        with gateway.client() as client:
            response = client.exchange()
            assert response.is_chunked and response.body == b"hello" and response.trailers == [("x-sum", "1")]
            client.expect_open()
        with gateway.http2() as client:
            response = client.exchange()
            assert response.body == b"hello" and response.trailers == [("x-sum", "1")]

    @pytest.mark.parametrize("status", [204, 304])
    def test_response_without_content(self, start, scenario, status):
        gateway = start(scenario.http2_origin(lambda exchange: (exchange.read_body(), exchange.head(status, end=True))))
        with gateway.client() as client:
            assert client.exchange().status == status
            assert client.exchange("HEAD", "/").status == status

    def test_interim_responses_pass(self, start, scenario):
        seen = threading.Event()

        def answer(exchange):
            exchange.interim(103, ("link", "</a>"))
            seen.wait(10)
            exchange.respond(200, "done")

        gateway = start(scenario.http2_origin(answer))
        with gateway.client() as client:
            client.request("GET", "/")
            assert client.head().value("link") == "</a>"
            seen.set()
            assert client.response().body == b"done"
        seen.clear()
        with gateway.http2() as client:
            number = client.request()
            client.pump(lambda: client.streams[number].interim, "an interim response")
            assert client.streams[number].interim[0].value("link") == "</a>"
            seen.set()
            assert client.response(number).body == b"done"

    @pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 3_000_000])
    def test_content_passes_both_ways(self, start, scenario, size):
        gateway = start(scenario.http2_origin(lambda exchange: exchange.respond(200, exchange.read_body())))
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        with gateway.client(seconds=30) as client:
            assert client.exchange("POST", "/", body=body).body == body
        with gateway.http2(seconds=30) as client:
            assert client.exchange("POST", "/", body=body).body == body

    @pytest.mark.parametrize("fields", [
        [("Upper", "1")], [("connection", "close")], [("transfer-encoding", "chunked")], [("x", "a\r\nSmuggled: 1")],
        [("x\r\ny", "1")], [("content-length", "3")], [(":path", "/")]])
    def test_malformed_response_is_502(self, start, scenario, fields):
        def answer(exchange):
            exchange.read_body()
            exchange.connection.send_headers(exchange.stream, [(":status", "200"), *fields], False)
            exchange.data(b"hello", end=True)

        gateway = start(scenario.http2_origin(answer))
        with gateway.client() as client:
            try:
                response = client.exchange()
                assert response.status == 502 and not response.has("smuggled")
            except AssertionError as error:
                # The head was good; the content was not.
                assert fields[0][0] == "content-length", error
        gateway.check_health()

    @pytest.mark.parametrize("status", ["", "20", "abc", "099", "600"])
    def test_status_that_is_none_is_502(self, start, scenario, status):
        def answer(exchange):
            exchange.read_body()
            exchange.connection.send_headers(exchange.stream, [(":status", status)], True)

        assert start(scenario.http2_origin(answer)).get().status == 502

    @pytest.mark.parametrize("status, flags", [("101", 0), ("101", h2.END_STREAM), ("103", h2.END_STREAM)])
    def test_interim_status_that_cannot_be_is_502(self, start, scenario, status, flags):
        """HTTP/2 has no 101 (RFC 9113 section 8.6), and nothing ends with an interim response (section 8.1)."""
        def answer(exchange):
            exchange.read_body()
            block = b"\x08" + bytes([len(status)]) + status.encode()  # :status, not indexed (RFC 7541 section 6.2.2)
            exchange.connection.send_raw(h2.frame(h2.HEADERS, h2.END_HEADERS | flags, exchange.stream, block))

        assert start(scenario.http2_origin(answer)).get().status == 502


class TestConnections:
    def test_requests_share_a_connection(self, gateway, origin):
        with gateway.http2() as client:
            streams = [client.request("GET", f"/{number}") for number in range(50)]
            assert {client.response(number).status for number in streams} == {200}
        assert origin.connection_count == 1

    def test_limit_of_the_file_makes_another_connection(self, start, held):
        gateway = start(held.origin, http2={"streams": 2, "connections": 3})
        with gateway.http2() as client:
            streams = [client.request("GET", "/held") for _ in range(6)]
            held.origin.wait_for_requests(6)
            assert held.origin.connection_count == 3
            # The seventh waits for a stream.
            waiting = client.request("GET", "/waiting")
            client.ping()
            assert len(held.origin.requests) == 6
            held.release.set()
            assert {client.response(number).status for number in [*streams, waiting]} == {200}
        assert held.origin.connection_count == 3

    def test_limit_of_the_origin_counts(self, scenario, start):
        held = Held(scenario, settings={h2.MAX_CONCURRENT_STREAMS: 1})
        gateway = start(held.origin, http2={"connections": 2})
        with gateway.http2() as client:
            streams = []
            for count in (1, 2):  # one after the other, so that the settings of each connection are known
                streams.append(client.request("GET", "/held"))
                held.origin.wait_for_requests(count)
            streams += [client.request("GET", "/held") for _ in range(2)]
            client.ping()
            assert len(held.origin.requests) == 2
            held.release.set()
            assert {client.response(number).status for number in streams} == {200}
        assert held.origin.connection_count == 2

    def test_goaway_finishes_what_is_in_flight_and_others_go_elsewhere(self, start, held):
        gateway = start(held.origin)
        with gateway.http2() as client:
            flying = client.request("GET", "/held")
            held.origin.wait_for_requests(1)
            held.origin.connections[0].goaway()
            wait_until(lambda: client.exchange("GET", "/next").status == 200 and held.origin.connection_count == 2,
                       "requests use a new connection")
            held.release.set()
            assert client.response(flying).body == b"whole"
        wait_until(lambda: held.origin.connections[0].socket.fileno() < 0, "the old connection is closed")

    def test_stream_above_the_last_one_is_sent_again(self, scenario, start):
        """RFC 9113 section 8.7: the origin has not begun with it, whatever the method."""
        def answer(exchange):
            if exchange.connection.number == 1:
                exchange.connection.goaway(last_stream=0)
                return
            exchange.respond(200, "second")

        gateway = start(scenario.http2_origin(answer), retries={"attempts": 1})
        with gateway.client() as client:
            assert client.exchange("POST", "/", body=b"hello").body == b"second"

    def test_refused_stream_is_sent_again(self, scenario, start):
        refused = []

        def answer(exchange):
            if not refused:
                refused.append(exchange)
                exchange.reset(h2.REFUSED_STREAM)
                return
            exchange.respond(200, "second")

        gateway = start(scenario.http2_origin(answer), retries={"attempts": 1})
        with gateway.client() as client:
            assert client.exchange("POST", "/", body=b"hello").body == b"second"

    def test_pings_of_the_origin_are_answered(self, gateway, origin):
        assert gateway.get().status == 200
        state = origin.connections[0]
        with state._changed:
            state.state.ping(b"12345678")
            state._flush()
        assert gateway.get().status == 200  # `h2` would have seen a wrong answer

    def test_connections_that_idle_are_closed_with_goaway(self, scenario, start, origin):
        gateway = start(origin, pool={"idleTimeout": "200ms"})
        assert gateway.get().status == 200
        wait_until(lambda: origin.connections[0].socket.fileno() < 0, "the connection is closed")
        assert origin.connections[0].goaway_code == h2.NO_ERROR
        assert gateway.get().status == 200


class TestTrouble:
    @pytest.mark.parametrize("code", [h2.INTERNAL_ERROR, h2.CANCEL, h2.ENHANCE_YOUR_CALM, h2.HTTP_1_1_REQUIRED])
    def test_reset_before_the_head_is_502(self, scenario, start, code):
        gateway = start(scenario.http2_origin(lambda exchange: exchange.reset(code)))
        with gateway.client() as client:
            assert client.exchange().status == 502
            assert client.exchange().status == 502  # the client's connection stays

    def test_reset_of_one_stream_leaves_the_others(self, scenario, start):
        release = threading.Event()

        def answer(exchange):
            if exchange.request.target == "/bad":
                exchange.reset(h2.INTERNAL_ERROR)
                return
            release.wait(10)
            exchange.respond(200, "fine")

        origin = scenario.http2_origin(answer)
        with start(origin).http2() as client:
            good = client.request("GET", "/good")
            assert client.exchange("GET", "/bad").status == 502
            release.set()
            assert client.response(good).body == b"fine"
        assert origin.connection_count == 1

    def test_reset_in_the_content_is_passed_on(self, scenario, start):
        def answer(exchange):
            exchange.read_body()
            exchange.head(200)
            exchange.data(b"half")
            exchange.reset(h2.INTERNAL_ERROR)

        gateway = start(scenario.http2_origin(answer))
        with gateway.http2() as client:
            with pytest.raises(StreamReset):
                client.exchange()
            client.ping()
        with gateway.client() as client:
            with pytest.raises(AssertionError):
                client.exchange()

    def test_answer_before_the_request_is_whole(self, scenario, start):
        """RFC 9113 section 8.1: a whole response, then RST_STREAM with NO_ERROR."""
        def answer(exchange):
            exchange.head(413, ("content-length", "5"))
            exchange.data(b"large", end=True)
            exchange.reset(h2.NO_ERROR)

        gateway = start(scenario.http2_origin(answer))
        with gateway.http2() as client:
            number = client.open(client.head("POST", "/"), end=False)
            assert client.wait_for_head(number).status == 413
            client.pump(lambda: client.streams[number].is_ended, "the answer is whole")
            assert client.streams[number].body == b"large"
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 1000000")
            assert client.response("POST").status == 413

    def test_client_that_leaves_resets_the_stream(self, scenario, start):
        origin = scenario.http2_origin(lambda exchange: exchange.wait_for_reset())
        gateway = start(origin)
        with gateway.http2() as client:
            number = client.request("GET", "/")
            origin.wait_for_requests(1)
            client.reset(number)
            wait_until(lambda: origin.exchanges[0].reset_code == h2.CANCEL, "the origin's stream is cancelled")
        with gateway.client() as client:
            client.request("GET", "/")
            origin.wait_for_requests(2)
        wait_until(lambda: origin.exchanges[1].reset_code == h2.CANCEL, "the origin's stream is cancelled")
        assert origin.connection_count == 1

    def test_response_that_does_not_come_is_504(self, scenario, start):
        origin = scenario.http2_origin(lambda exchange: exchange.wait_for_reset())
        gateway = start(origin, timeouts={"response": "200ms"})
        assert gateway.get().status == 504
        wait_until(lambda: origin.exchanges[0].reset_code == h2.CANCEL, "the origin's stream is cancelled")
        assert gateway.get().status == 504
        assert origin.connection_count == 1  # one slow answer is no reason to leave the others

    def test_origin_whose_window_stays_shut_holds_one_upload_only(self, scenario, start):
        origin = scenario.http2_origin(
            lambda exchange: exchange.wait_for_reset() if exchange.request.method == "POST" else exchange.respond(),
            gives_windows=False)
        gateway = start(origin, timeouts={"idle": "300ms", "response": "300ms"})
        with gateway.client() as client:
            client.request("POST", "/", "Content-Length: 1000000")
            try:
                client.send(b"x" * 1_000_000)
            except OSError:
                pass
            assert client.head().status == 504
        assert gateway.get().status == 200

    def test_origin_that_floods_with_content_waits_for_the_client(self, scenario, start):
        """The gateway gives window only as the client takes what has come."""
        sent = []

        def answer(exchange):
            exchange.read_body()
            exchange.head(200)
            for _ in range(1_000):
                exchange.data(b"x" * 16_384)
                sent.append(16_384)
            exchange.data(b"", end=True)

        gateway = start(scenario.http2_origin(answer))
        with gateway.http2(keeps_windows=True, seconds=20) as client:
            number = client.request()
            client.pump(lambda: len(client.streams[number].body) == h2.DEFAULT_WINDOW, "the window is used up")
            client.ping()
            assert sum(sent) < 4_000_000
            client.give_window(0, 20_000_000)
            client.give_window(number, 20_000_000)
            assert len(client.response(number).body) == 16_384_000

    @pytest.mark.parametrize("data", [
        b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100, h2.settings_frame({h2.MAX_FRAME_SIZE: 1}),
        h2.settings_frame({}) + h2.frame(h2.HEADERS, 5, 2, b"\x88"),
        h2.settings_frame({}) + h2.frame(h2.HEADERS, 5, 1, b"\xff\xff\xff"),
        h2.settings_frame({}) + h2.frame(h2.PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"),
        h2.settings_frame({}) + h2.goaway_frame(0, h2.PROTOCOL_ERROR), b"",
    ])
    def test_origin_that_does_not_speak_http2_is_502(self, scenario, start, data):
        def serve(connection, _):
            connection.recv(65_536)
            connection.sendall(data)
            if data:
                connection.recv(65_536)
            connection.close()

        gateway = start(scenario.raw_origin(serve))
        assert gateway.get().status == 502
        gateway.check_health()

    def test_origin_that_dies_fails_all_its_streams_and_is_tried_again(self, scenario, start, held):
        gateway = start(held.origin)
        with gateway.http2() as client:
            streams = [client.request("GET", "/held") for _ in range(5)]
            held.origin.wait_for_requests(5)
            held.origin.connections[0].close()
            assert {client.response(number).status for number in streams} == {502}
            assert client.exchange("GET", "/next").status == 200
