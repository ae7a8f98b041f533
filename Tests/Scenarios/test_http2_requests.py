"""Requests by HTTP/2 to origins of HTTP/1.1: what is translated, and how (RFC 9113 section 8)."""

import threading

import pytest

from support import http2_frames as h2
from support.gateway import service
from support.http2 import StreamReset
from support.origin import raw_answer
from support.waiting import wait_until


@pytest.fixture(scope="module")
def origin(shared):
    return shared.origin()


@pytest.fixture(scope="module")
def gateway(shared, origin):
    return shared.gateway([service("app", origin)])


@pytest.fixture(autouse=True)
def fresh(gateway, origin):
    origin.forget()
    yield
    gateway.check_health()


@pytest.fixture
def client(gateway):
    with gateway.http2() as client:
        yield client


class TestHead:
    def test_head_becomes_one_of_http1(self, client, origin):
        response = client.exchange("GET", "/a/b?c", ("x-own", "Value"), ("accept", "*/*"))
        assert response.status == 200 and response.value("x-origin") == "origin"
        last = origin.last
        assert (last.method, last.target, last.version) == ("GET", "/a/b?c", "HTTP/1.1")
        assert last.value("host") == "example.test" and last.value("x-own") == "Value"
        assert last.value("x-forwarded-proto") == "http" and last.value("x-forwarded-host") == "example.test"
        assert last.value("via") in ("2 penstock", "2.0 penstock")
        assert not any(name.startswith(":") for name, _ in last.fields)
        assert not last.has("content-length") and not last.has("transfer-encoding")

    def test_host_counts_where_there_is_no_authority(self, client, origin):
        fields = [pair for pair in client.head() if pair[0] != ":authority"]
        assert client.response(client.open([*fields, ("host", "by-host.test")])).status == 200
        assert origin.last.value("host") == "by-host.test"

    def test_host_that_agrees_is_one(self, client, origin):
        assert client.exchange("GET", "/", ("host", "example.test")).status == 200
        assert origin.last.values("host") == ["example.test"]

    def test_cookie_crumbs_become_one_line(self, client, origin):
        """RFC 9113 section 8.2.3."""
        client.exchange("GET", "/", ("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2; c=3"), ("cookie", "d"))
        assert origin.last.values("cookie") == ["a=1; b=2; c=3; d"]

    def test_repeated_fields_keep_their_order_and_lines(self, client, origin):
        client.exchange("GET", "/", ("x-list", "1"), ("x-other", "o"), ("x-list", "2"))
        assert origin.last.values("x-list") == ["1", "2"]

    def test_te_is_for_trailers_only(self, client, origin):
        assert client.exchange("GET", "/", ("te", "trailers")).status == 200

    def test_options_asterisk(self, client, origin):
        assert client.exchange("OPTIONS", "*").status == 200
        assert (origin.last.method, origin.last.target) == ("OPTIONS", "*")

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
    def test_methods_pass_as_they_are(self, client, origin, method):
        assert client.exchange(method, "/").status == 200
        assert origin.last.method == method

    def test_path_is_normalised_as_in_http1(self, client, origin):
        assert client.exchange("GET", "/a/../b//c/%7Ed").status == 200
        assert origin.last.target == "/b/c/~d"

    def test_unknown_scheme_is_no_scheme_of_the_gateways(self, client, origin):
        fields = [(name, "gopher" if name == ":scheme" else value) for name, value in client.head()]
        number = client.open(fields)
        try:
            assert client.response(number).status in (200, 400)
        except StreamReset as error:
            assert error.code == h2.PROTOCOL_ERROR
        assert all(request.value("x-forwarded-proto") == "http" for request in origin.requests)

    def test_fields_of_the_origins_connection_stay_on_it(self, client, origin):
        origin.answer = raw_answer(
            b"HTTP/1.1 200 Fine\r\nConnection: X-Gone, keep-alive\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\n"
            b"Upgrade: other\r\nProxy-Connection: x\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok")
        response = client.exchange()  # which also checks that none of them is there
        assert response.body == b"ok" and response.has("x-stays") and not response.has("x-gone")

    def test_response_head_of_12000_bytes(self, client, origin):
        origin.answer = raw_answer(
            b"HTTP/1.1 200 OK\r\nX-Large: " + b"v" * 12_000 + b"\r\nContent-Length: 0\r\n\r\n")
        assert client.exchange().value("x-large") == "v" * 12_000

    def test_same_fields_again_and_again(self, client, origin):
        """The dynamic tables of both directions stay in step over thousands of entries."""
        for number in range(1_000):
            response = client.exchange("GET", f"/{number}", ("x-same", "same"), ("x-number", str(number)))
            assert response.status == 200
        assert origin.last.value("x-number") == "999"

    def test_table_may_be_turned_off(self, gateway):
        with gateway.http2(settings={h2.HEADER_TABLE_SIZE: 0}) as client:
            client.wait_for_settings()
            for _ in range(3):
                assert client.exchange().status == 200


class TestContent:
    @pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 1_000_000])
    def test_content_passes_both_ways(self, client, origin, size):
        origin.answer = lambda exchange: exchange.respond(200, exchange.read_body())
        body = bytes(index & 0xFF for index in range(size))
        response = client.exchange("POST", "/", ("content-length", str(size)), body=body)
        assert response.body == body
        assert origin.last.value("content-length") == str(size)

    def test_content_without_a_length_is_chunked_for_the_origin(self, client, origin):
        seen = len(origin.requests)
        number = client.open(client.head("POST", "/"), end=False)
        origin.wait_for_requests(seen + 1)  # the head goes on before the content is there
        client.send_content(number, b"hello", end=True)
        assert client.response(number).status == 200
        assert origin.last.is_chunked and origin.last.body == b"hello" and not origin.last.has("content-length")

    @pytest.mark.parametrize("body", [b"hello", b""])
    def test_content_that_is_there_at_once_gets_its_length(self, client, origin, body):
        assert client.response(client.request_in_one_piece("/", body=body)).status == 200
        assert origin.last.body == body and not origin.last.has("transfer-encoding")
        assert origin.last.value("content-length") == (str(len(body)) if body else None)

    def test_chunked_response_ends_with_the_stream(self, client, origin):
        origin.answer = raw_answer(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
        response = client.exchange()
        assert response.body == b"hello!" and not response.has("content-length")

    def test_response_to_the_end_of_the_connection(self, client, origin):
        origin.answer = raw_answer(b"HTTP/1.0 200 OK\r\n\r\nto the end", closes=True)
        assert client.exchange().body == b"to the end"

    @pytest.mark.parametrize("answer", [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ])
    def test_response_that_is_cut_off_resets_the_stream_only(self, client, origin, answer):
        origin.answer = raw_answer(answer, closes=True)
        with pytest.raises(StreamReset):
            client.exchange()
        origin.forget()
        client.expect_open()

    def test_trailers_pass_both_ways(self, client, origin):
        origin.answer = raw_answer(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n"
            b"X-Sum: 1\r\nContent-Length: 5\r\n\r\n")
        number = client.request("POST", "/", ("trailer", "x-mine"), body=b"hello", end=False)
        client.send_trailers(number, ("x-mine", "2"))
        response = client.response(number)
        assert response.body == b"ok" and response.trailers == [("x-sum", "1")]
        assert origin.last.body == b"hello" and origin.last.trailers == [("x-mine", "2")]

    def test_head_and_204_and_304_have_no_content(self, client, origin):
        response = client.exchange("HEAD", "/")
        assert response.status == 200 and response.body == b"" and int(response.value("content-length")) > 0
        for status in (204, 304):
            origin.answer = lambda exchange, status=status: exchange.respond(status)
            assert (client.exchange().status, client.streams[max(client.streams)].body) == (status, b"")

    def test_padding_is_no_content(self, client, origin):
        number = client.open(client.head("POST", "/"), end=False)
        client.send(h2.frame(h2.DATA, h2.PADDED, number, b"\x0ahello" + b"\0" * 10),
                    h2.frame(h2.DATA, h2.PADDED | h2.END_STREAM, number, b"\x01!\0"))
        assert client.response(number).status == 200
        assert origin.last.body == b"hello!"


class TestInterimResponses:
    def test_expectation_is_passed_on(self, client, origin):
        def answer(exchange):
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            exchange.respond(200, exchange.read_body())

        origin.answer = answer
        number = client.open(client.head("POST", "/", ("expect", "100-continue")), end=False)
        client.pump(lambda: client.streams[number].interim, "100 (Continue)")
        client.send_content(number, b"hello")
        assert client.response(number).body == b"hello"
        assert [one.status for one in client.streams[number].interim] == [100]

    def test_early_hints_pass(self, client, origin):
        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n")
            exchange.respond(200, "done")

        origin.answer = answer
        number = client.request()
        assert client.response(number).body == b"done"
        hints = client.streams[number].interim
        assert [(one.status, one.value("link")) for one in hints] == [(103, "</a>")]

    def test_switch_that_nobody_asked_for_is_502(self, client, origin):
        """RFC 9113 section 8.6: there is no 101 in HTTP/2."""
        origin.answer = raw_answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        assert client.exchange().status == 502


class TestManyStreams:
    def test_answers_come_in_any_order(self, client, origin):
        release = threading.Event()

        def answer(exchange):
            if exchange.request.target == "/slow":
                release.wait(20)
            exchange.respond(200, exchange.request.target)

        origin.answer = answer
        slow = client.request("GET", "/slow")
        quick = [client.request("GET", f"/{number}") for number in range(20)]
        assert [client.response(number).body for number in quick] == [b"/%d" % n for n in range(20)]
        assert not client.streams[slow].is_ended
        release.set()
        assert client.response(slow).body == b"/slow"

    def test_stalled_stream_does_not_block_the_others(self, gateway, origin):
        """The window of one stream is shut: RFC 9113 section 5.2."""
        origin.answer = lambda exchange: exchange.respond(
            200, b"x" * (1_000_000 if exchange.request.target == "/large" else 100))
        with gateway.http2(keeps_windows=True, seconds=20) as client:
            client.give_window(0, 10_000_000)
            large = client.request("GET", "/large")
            client.pump(lambda: len(client.streams[large].body) == h2.DEFAULT_WINDOW, "the window is used up")
            for _ in range(20):
                assert client.response(client.request("GET", "/small")).body == b"x" * 100
            assert len(client.streams[large].body) == h2.DEFAULT_WINDOW
            client.give_window(large, 1_000_000)
            assert len(client.response(large).body) == 1_000_000

    def test_windows_of_the_client_are_kept(self, gateway, origin):
        """The client counts every byte, and fails when a window is exceeded."""
        origin.answer = lambda exchange: exchange.respond(200, b"x" * 300_000)
        with gateway.http2(settings={h2.INITIAL_WINDOW_SIZE: 1_000}, seconds=20) as client:
            streams = [client.request() for _ in range(10)]
            assert {len(client.response(number).body) for number in streams} == {300_000}

    def test_windows_may_shrink_and_grow(self, gateway, origin):
        """RFC 9113 section 6.9.2: a smaller SETTINGS_INITIAL_WINDOW_SIZE may make windows negative."""
        origin.answer = lambda exchange: exchange.respond(200, b"x" * 200_000)
        with gateway.http2(keeps_windows=True) as client:
            client.give_window(0, 1_000_000)
            number = client.request()
            client.pump(lambda: len(client.streams[number].body) == h2.DEFAULT_WINDOW, "the window is used up")
            client.send(h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 0}))
            client.send(h2.settings_frame({h2.INITIAL_WINDOW_SIZE: 300_000}))
            client.streams[number].receive_window += 300_000 - h2.DEFAULT_WINDOW
            assert len(client.response(number).body) == 200_000

    def test_upload_stops_where_the_origin_stops(self, client, origin):
        """Back-pressure: what the gateway takes ahead of the origin is bounded by the window."""
        release = threading.Event()

        def answer(exchange):
            release.wait(20)
            exchange.respond(200, str(len(exchange.read_body())))

        origin.answer = answer
        number = client.open(client.head("POST", "/"), end=False)
        taken = 0
        stream = client.streams[number]
        client.wait_for_settings()
        while taken < 50_000_000:
            room = min(client.send_window, stream.send_window, h2.FRAME_BYTES_MAX)
            if room <= 0:
                client.ping()  # after which every window update for what was sent has come, or will not
                if min(client.send_window, stream.send_window) <= 0 and not self.grows(client, stream):
                    break
                continue
            client.send(h2.frame(h2.DATA, 0, number, b"x" * room))
            client.send_window -= room
            stream.send_window -= room
            taken += room
        assert taken < 50_000_000, "nothing stops the client"
        other = client.request("GET", "/other")
        release.set()
        client.send_content(number, b"", end=True)
        assert client.response(number).body == str(taken).encode()
        assert client.response(other).status == 200

    @staticmethod
    def grows(client, stream) -> bool:
        """Whether more window comes within a few round trips."""
        for _ in range(50):
            client.ping()
            threading.Event().wait(0.01)
            if min(client.send_window, stream.send_window) > 0:
                return True
        return False

    def test_client_that_cancels_frees_the_origin(self, client, origin):
        ended = threading.Event()

        def answer(exchange):
            exchange.read_body()
            exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            exchange.send_chunk(b"first")
            exchange.wait_for_end()
            ended.set()

        origin.answer = answer
        number = client.request()
        client.wait_for_head(number)
        client.reset(number)
        assert ended.wait(10), "the origin's connection is not closed"
        origin.forget()
        client.expect_open()

    def test_limit_of_streams_is_announced_and_kept(self, scenario):
        release = threading.Event()
        origin = scenario.origin(lambda exchange: (release.wait(20), exchange.respond(200, "done")))
        gateway = scenario.gateway([service("app", origin)], http={"http2": {"streams": 3}})
        with gateway.http2() as client:
            assert client.wait_for_settings()[h2.MAX_CONCURRENT_STREAMS] == 3
            streams = [client.request() for _ in range(4)]
            assert client.expect_reset(streams[3]) == h2.REFUSED_STREAM
            release.set()
            assert [client.response(number).body for number in streams[:3]] == [b"done"] * 3
            assert client.response(client.request()).body == b"done"


class TestSettings:
    def test_announcements_are_the_files(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], http={"http2": {
            "streams": 10, "windowBytes": "32KiB", "connectionWindowBytes": "2MiB", "frameBytes": "32KiB",
            "headerTableBytes": 1_024}})
        with gateway.http2() as client:
            settings = client.wait_for_settings()
            assert settings[h2.MAX_CONCURRENT_STREAMS] == 10
            assert settings[h2.INITIAL_WINDOW_SIZE] == 32_768
            assert settings[h2.MAX_FRAME_SIZE] == 32_768
            assert settings[h2.HEADER_TABLE_SIZE] == 1_024
            client.pump(lambda: client.send_window == 2 * 1_048_576, "the connection's window")

    def test_push_is_never_used_and_websocket_is_on_offer(self, client):
        settings = client.wait_for_settings()
        assert settings.get(h2.ENABLE_PUSH, 0) == 0
        assert settings.get(h2.ENABLE_CONNECT_PROTOCOL) == 1

    def test_prior_knowledge_can_be_turned_off(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], listener={"h2c": False})
        with gateway.client() as client:
            client.send(h2.PREFACE)
            assert client.response().status in (400, 505)

    def test_access_log_names_the_protocol(self, scenario, origin):
        gateway = scenario.gateway([service("app", origin)], access_log={"format": "json", "path": "access.log"})
        with gateway.http2() as client:
            client.exchange("GET", "/logged")
        log = gateway.folder / "access.log"
        wait_until(lambda: log.exists() and log.read_text().endswith("\n"), "the line is there")
        assert '"protocol":"HTTP/2"' in log.read_text().replace('HTTP/2.0', 'HTTP/2').replace(": ", ":")
