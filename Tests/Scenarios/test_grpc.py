"""gRPC through the gateway, with grpcio on both sides."""

import json
import queue
import threading

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from support.gateway import route, service
from support.grpc_peer import SERVICE, GRPCClient
from support.http2_origin import HTTP2Exchange
from support.waiting import wait_until

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def server(shared):
    return shared.grpc_server()


@pytest.fixture(scope="module")
def gateway(shared, server):
    return shared.gateway([service("app", server, protocol="h2", retries="off", ejection="off")])


@pytest.fixture
def client(gateway):
    with GRPCClient(gateway.port) as client:
        yield client
    gateway.check_health()


class TestKindsOfCalls:
    def test_unary(self, client):
        assert client.unary()(b"hello", timeout=10) == b"hello"

    def test_empty_message(self, client):
        assert client.unary()(b"", timeout=10) == b""

    def test_server_streaming(self, client):
        messages = list(client.server_stream()(b"500", timeout=20))
        assert messages == [b"message %d" % number for number in range(500)]

    def test_server_streaming_of_nothing(self, client):
        assert list(client.server_stream()(b"0", timeout=10)) == []

    def test_client_streaming(self, client):
        sent = [b"%d" % number for number in range(500)]
        assert client.client_stream()(iter(sent), timeout=20) == b"|".join(sent)

    def test_both_ways_message_by_message(self, client):
        """Each message comes back before the next is sent: nothing waits for a buffer to fill."""
        outgoing: queue.Queue = queue.Queue()
        call = client.both()(iter(outgoing.get, None), timeout=20)
        for number in range(50):
            outgoing.put(b"%d" % number)
            assert next(call) == b"%d" % number
        outgoing.put(None)
        assert list(call) == [] and call.code() == Code.OK

    @pytest.mark.parametrize("size", [16_384, 65_536, 10_000_000])
    def test_large_messages(self, client, size):
        message = bytes(range(256)) * (size // 256)
        assert client.unary()(message, timeout=60) == message
        assert list(client.both()(iter([message] * 2), timeout=60)) == [message] * 2

    def test_many_calls_at_once(self, client):
        calls = [client.unary().future(b"%d" % number, timeout=30) for number in range(300)]
        assert [call.result() for call in calls] == [b"%d" % number for number in range(300)]

    def test_by_tls(self, shared, server):
        authority = shared.authority()
        gateway = shared.gateway(
            [service("app", server, protocol="h2")], tls={},
            certificates=[authority.issue("example.test").described("example")])
        with GRPCClient(gateway.port, root_certificates=authority.file.read_bytes()) as client:
            assert client.unary()(b"hello", timeout=10) == b"hello"


class TestMetadata:
    def test_metadata_passes_both_ways(self, client):
        answer, call = client.unary("Metadata").with_call(
            b"", timeout=10, metadata=[("x-own", "value"), ("x-own", "again"), ("bytes-bin", b"\0\xff")])
        seen = json.loads(answer)
        assert [value for name, value in seen if name == "x-own"] in (["value", "again"], ["value, again"])
        assert ["bytes-bin", "00ff"] in seen
        assert dict(call.initial_metadata())["initial"] == "one"
        assert dict(call.initial_metadata())["initial-bin"] == b"\0\1\xff"
        assert dict(call.trailing_metadata())["trailing"] == "two"
        assert dict(call.trailing_metadata())["trailing-bin"] == b"\xfe\0"

    @pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
    def test_every_status_passes(self, client, code):
        error = client.status("Fail", json.dumps({"code": code.value[0], "text": "weil es so ist: ä %"}).encode())
        assert error.code() is code and error.details() == "weil es so ist: ä %"

    def test_details_of_a_status_pass(self, client):
        error = client.status("Details")
        status = rpc_status.from_call(error)
        detail = error_details_pb2.ErrorInfo()
        assert status.code == Code.FAILED_PRECONDITION.value[0] and status.details[0].Unpack(detail)
        assert (detail.reason, detail.domain) == ("TEST", "example.test")

    def test_unknown_method_is_the_servers_answer(self, client):
        assert client.status("Nothing").code() is Code.UNIMPLEMENTED


class TestCancellation:
    def test_cancellation_reaches_the_server(self, client, server):
        call = client.unary("Wait").future(b"", timeout=30)
        assert server.waiting.acquire(timeout=10)
        call.cancel()
        assert server.cancelled.acquire(timeout=10)

    def test_client_that_leaves_cancels_its_calls(self, gateway, server):
        client = GRPCClient(gateway.port)
        call = client.unary("Wait").future(b"", timeout=30)
        assert server.waiting.acquire(timeout=10)
        client.channel.close()
        assert server.cancelled.acquire(timeout=10) and call.code() is Code.CANCELLED

    def test_stream_that_the_client_ends_early(self, client):
        call = client.server_stream()(b"1000000", timeout=30)
        assert next(call) == b"message 0"
        call.cancel()
        assert client.unary()(b"still", timeout=10) == b"still"


class TestDeadlines:
    def test_deadline_is_passed_on(self, client):
        left = float(client.unary("Remaining")(b"", timeout=20))
        assert 10 < left < 21

    def test_without_one_there_is_none(self, client):
        assert client.unary("Remaining")(b"") == b"-1"

    def test_gateway_ends_calls_at_their_deadline(self, shared):
        """Also where the client does not: `grpc-timeout` counts for the gateway, and the server is told."""
        exchanges: list[HTTP2Exchange] = []
        origin = shared.http2_origin(lambda exchange: (exchanges.append(exchange), exchange.wait_for_reset()))
        gateway = shared.gateway([service("app", origin, protocol="h2")])
        with gateway.http2() as client:
            response = client.exchange(
                "POST", "/a.B/C", ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "300m"),
                body=b"\0\0\0\0\0")
            assert response.status == 200
            assert status_of(response) == str(Code.DEADLINE_EXCEEDED.value[0])
        wait_until(lambda: exchanges[0].reset_code is not None, "the origin's stream is cancelled")

    @pytest.mark.parametrize("text", ["", "5", "S", "-1S", "1.5S", "123456789S", "1x"])
    def test_malformed_deadline_is_no_deadline_or_refused(self, gateway, text):
        with gateway.http2() as client:
            response = client.exchange(
                "POST", f"/{SERVICE}/Unary", ("content-type", "application/grpc"), ("te", "trailers"),
                ("grpc-timeout", text), body=b"\0\0\0\0\x02hi")
            assert response.status in (200, 400)
        gateway.check_health()


def status_of(response) -> str | None:
    """grpc-status from the trailers, or from the head of an answer that has only one."""
    return dict([*response.fields, *response.trailers]).get("grpc-status")


class TestErrorsOfTheGateway:
    """A gRPC client understands only statuses of gRPC; others get plain HTTP."""

    def call(self, gateway, *fields):
        with gateway.http2() as client:
            return client.exchange("POST", f"/{SERVICE}/Unary", ("te", "trailers"), *fields, body=b"\0\0\0\0\0")

    @pytest.mark.parametrize("what, codes, status", [
        ("no route", {Code.UNIMPLEMENTED}, 404),
        ("no endpoint answers", {Code.UNAVAILABLE}, 502),
        # gRPC's table has UNAVAILABLE for 504; what has happened is the other.
        ("no answer in time", {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}, 504),
        ("no room", {Code.UNAVAILABLE}, 503),
    ])
    def test_errors_are_statuses(self, scenario, what, codes, status):
        slow = scenario.http2_origin(lambda exchange: exchange.wait_for_reset())
        endpoint = scenario.dead_port() if what == "no endpoint answers" else slow
        settings = {"protocol": "h2", "retries": "off", "ejection": "off"}
        if what == "no answer in time":
            settings["timeouts"] = {"response": "200ms"}
        if what == "no room":
            settings["limits"] = {"inFlight": 1, "pending": 1, "pendingTimeout": "100ms"}
        routes = [route("other", "app", hosts=["other.test"])] if what == "no route" else None
        gateway = scenario.gateway([service("app", endpoint, **settings)], routes)
        with gateway.http2() as other:
            if what == "no room":
                other.request()
                slow.wait_for_requests(1)
            response = self.call(gateway, ("content-type", "application/grpc+proto"))
            assert response.status == 200 and response.value("content-type").startswith("application/grpc")
            assert status_of(response) in {str(code.value[0]) for code in codes} and response.body == b""
            plain = self.call(gateway, ("content-type", "application/json"))
            assert plain.status == status and status_of(plain) is None

    @pytest.mark.parametrize("status, code", [
        (400, Code.INTERNAL), (401, Code.UNAUTHENTICATED), (403, Code.PERMISSION_DENIED), (404, Code.UNIMPLEMENTED),
        (429, Code.UNAVAILABLE), (502, Code.UNAVAILABLE), (503, Code.UNAVAILABLE), (504, Code.UNAVAILABLE)])
    def test_clients_read_plain_answers_of_servers_by_the_table(self, shared, status, code):
        """The server's own answer passes as it is; gRPC's clients know what it means."""
        origin = shared.http2_origin(lambda exchange: exchange.respond(status, "plain"))
        gateway = shared.gateway([service("app", origin, protocol="h2", retries="off", ejection="off")])
        with GRPCClient(gateway.port) as client:
            assert client.status("Unary").code() is code

    def test_grpcio_sees_the_status(self, scenario):
        gateway = scenario.gateway([service("app", scenario.dead_port(), protocol="h2", retries="off")])
        with GRPCClient(gateway.port) as client:
            assert client.status("Unary").code() is Code.UNAVAILABLE

    def test_server_that_breaks_off_is_unavailable(self, scenario):
        def answer(exchange):
            exchange.read_body()
            exchange.head(200, ("content-type", "application/grpc"))
            exchange.data(b"\0\0\0\0\x05he")
            exchange.connection.close()

        gateway = scenario.gateway([service("app", scenario.http2_origin(answer), protocol="h2")])
        with GRPCClient(gateway.port) as client:
            assert client.status("Unary").code() in (Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN)
        gateway.check_health()


class TestBalancing:
    def test_calls_of_one_connection_are_spread(self, scenario):
        servers = [scenario.grpc_server(name=name) for name in ("one", "two", "three")]
        gateway = scenario.gateway([service("app", *servers, protocol="h2")])
        with GRPCClient(gateway.port) as client:
            for _ in range(30):
                client.unary()(b"", timeout=10)
        assert [len(server.calls) for server in servers] == [10, 10, 10]

    def test_routes_by_service_and_method(self, scenario):
        servers = {name: scenario.grpc_server(name=name) for name in ("method", "service", "rest")}
        gateway = scenario.gateway(
            [service(name, server, protocol="h2") for name, server in servers.items()],
            [route("method", "method", match=[{"grpc": {"service": SERVICE, "method": "Metadata"}}]),
             route("service", "service", match=[{"grpc": {"service": SERVICE}}]),
             route("rest", "rest", match=[{"grpc": {}}])])
        with GRPCClient(gateway.port) as client:
            client.unary("Metadata")(b"", timeout=10)
            client.unary()(b"", timeout=10)
            assert client.status("Unary", service="other.v1.Other").code() is Code.UNIMPLEMENTED
        assert (servers["method"].calls, servers["service"].calls) == (["Metadata"], ["Unary"])
        assert gateway.get(f"/{SERVICE}/Unary").status == 404  # which is no call


class TestRetries:
    @staticmethod
    def flaky(scenario, *answers):
        """A server of gRPC that gives these answers one after the other, then a good one."""
        left = list(answers)

        def answer(exchange):
            exchange.read_body()
            kind = left.pop(0) if left else "good"
            grpc_type = ("content-type", "application/grpc")
            if kind == "good":
                exchange.head(200, grpc_type)
                exchange.data(b"\0\0\0\0\x04good")
                exchange.trailers(("grpc-status", "0"))
            elif kind == "message first":
                exchange.head(200, grpc_type)
                exchange.data(b"\0\0\0\0\x01x")
                exchange.trailers(("grpc-status", "14"))
            else:
                exchange.head(200, grpc_type, ("grpc-status", kind), ("grpc-message", "as asked"), end=True)

        return scenario.http2_origin(answer)

    @pytest.mark.parametrize("word, status", [
        ("grpc-cancelled", "1"), ("grpc-deadline-exceeded", "4"), ("grpc-internal", "13"),
        ("grpc-resource-exhausted", "8"), ("grpc-unavailable", "14")])
    def test_statuses_that_the_file_names_are_retried(self, scenario, word, status):
        origin = self.flaky(scenario, status)
        gateway = scenario.gateway([service(
            "app", origin, protocol="h2", retries={"attempts": 2, "on": [word]}, ejection="off")])
        with GRPCClient(gateway.port) as client:
            assert client.unary()(b"", timeout=10) == b"good"
        assert len(origin.requests) == 2

    def test_others_are_passed_on(self, scenario):
        origin = self.flaky(scenario, "5")
        gateway = scenario.gateway([service(
            "app", origin, protocol="h2", retries={"attempts": 2, "on": ["grpc-unavailable"]})])
        with GRPCClient(gateway.port) as client:
            error = client.status("Unary")
            assert error.code() is Code.NOT_FOUND and error.details() == "as asked"
        assert len(origin.requests) == 1

    def test_call_that_has_had_a_message_is_not_retried(self, scenario):
        origin = self.flaky(scenario, "message first")
        gateway = scenario.gateway([service(
            "app", origin, protocol="h2", retries={"attempts": 2, "on": ["grpc-unavailable"]})])
        with GRPCClient(gateway.port) as client:
            assert client.status("Unary").code() is Code.UNAVAILABLE
        assert len(origin.requests) == 1

    def test_last_answer_counts(self, scenario):
        origin = self.flaky(scenario, "14", "14", "14")
        gateway = scenario.gateway([service(
            "app", origin, protocol="h2", retries={"attempts": 2, "on": ["grpc-unavailable"]}, ejection="off")])
        with GRPCClient(gateway.port) as client:
            assert client.status("Unary").code() is Code.UNAVAILABLE
        assert len(origin.requests) == 3


class TestHealth:
    FAST = {"interval": "50ms", "timeout": "1s", "rise": 1, "fall": 1}

    def start(self, scenario, server, name, **health):
        return scenario.gateway([service(
            "app", server, protocol="h2", ejection="off", health={"grpc": name, **self.FAST, **health})])

    @pytest.mark.parametrize("settings, name", [(True, ""), ({"service": "orders"}, "orders")])
    def test_status_of_the_health_protocol_decides(self, scenario, settings, name):
        server = scenario.grpc_server()
        server.set_health(True, name)
        gateway = self.start(scenario, server, settings)
        with GRPCClient(gateway.port) as client:
            assert client.unary()(b"hello", timeout=10) == b"hello"
            server.set_health(False, name)
            wait_until(lambda: fails(client), "the endpoint takes no calls")
            server.set_health(True, name)
            wait_until(lambda: not fails(client), "the endpoint takes calls again")

    def test_service_that_the_server_does_not_know_is_unhealthy(self, scenario):
        gateway = self.start(scenario, scenario.grpc_server(), {"service": "unknown"})
        with GRPCClient(gateway.port) as client:
            wait_until(lambda: fails(client), "the endpoint takes no calls")

    def test_server_that_is_started_again(self, scenario):
        server = scenario.grpc_server()
        server.set_health(True)
        gateway = self.start(scenario, server, True)
        with GRPCClient(gateway.port) as client:
            assert not fails(client)
            server.stop()
            wait_until(lambda: fails(client), "the endpoint takes no calls")
            server.start()
            wait_until(lambda: not fails(client), "the endpoint takes calls again")


def fails(client) -> bool:
    try:
        client.unary()(b"", timeout=5)
        return False
    except grpc.RpcError:
        return True


def test_drain_finishes_calls_and_streams(scenario, server):
    gateway = scenario.gateway([service("app", server, protocol="h2")], http={"timeouts": {"drain": "20s"}})
    outgoing: queue.Queue = queue.Queue()
    with GRPCClient(gateway.port) as client:
        call = client.both()(iter(outgoing.get, None), timeout=20)
        outgoing.put(b"before")
        assert next(call) == b"before"
        ended = threading.Thread(target=gateway.stop)
        ended.start()
        wait_until(lambda: (answer := gateway.admin("/readyz")) is not None and answer.status == 503, "it drains")
        outgoing.put(b"after")
        assert next(call) == b"after"
        outgoing.put(None)
        assert list(call) == [] and call.code() == Code.OK
        ended.join(20)
