"""grpcio from PyPI on both sides: a server of every kind of call, and its client.

Messages are bytes as they are, so that nothing has to be generated.
"""

import json
import os
import threading
from concurrent import futures
from typing import Any, Iterator

# The tests start processes while grpcio's threads run; its handlers of `fork` would wait for them.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc  # noqa: E402
from google.protobuf import any_pb2  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # noqa: E402
from grpc_status import rpc_status  # noqa: E402

from .ports import free_port  # noqa: E402

SERVICE = "test.v1.Echo"
LIMIT = 64 * 1024 * 1024
OPTIONS = [("grpc.max_receive_message_length", LIMIT), ("grpc.max_send_message_length", LIMIT),
           ("grpc.so_reuseport", 0)]


def same(message: bytes) -> bytes:
    return message


class Calls:
    """What each method does."""

    def __init__(self, server: "GRPCServer"):
        self.server = server

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.server.note("Unary", context)
        return request

    def metadata(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        """Sends metadata before and after, and answers with what came."""
        self.server.note("Metadata", context)
        context.send_initial_metadata((("initial", "one"), ("initial-bin", b"\0\1\xff")))
        context.set_trailing_metadata((("trailing", "two"), ("trailing-bin", b"\xfe\0")))
        return json.dumps([
            [name, value if isinstance(value, str) else value.hex()]
            for name, value in context.invocation_metadata()]).encode()

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Ends with the status and the text that the request names."""
        self.server.note("Fail", context)
        asked = json.loads(request)
        context.abort(next(code for code in grpc.StatusCode if code.value[0] == asked["code"]), asked["text"])

    def details(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        """Ends with a status that carries details (google.rpc.Status)."""
        self.server.note("Details", context)
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason="TEST", domain="example.test"))
        context.abort_with_status(rpc_status.to_status(status_pb2.Status(
            code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="with details", details=[detail])))

    def remaining(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        """What is left of the deadline, in seconds; -1 without one."""
        self.server.note("Remaining", context)
        left = context.time_remaining()
        return str(-1 if left is None or left > 1e9 else left).encode()

    def wait(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        """Answers when the call is cancelled, which nobody sees."""
        self.server.note("Wait", context)
        ended = threading.Event()
        if not context.add_callback(ended.set):
            ended.set()
        self.server.waiting.release()
        if ended.wait(30):
            self.server.cancelled.release()
        return b""

    def server_stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """As many messages as the request says."""
        self.server.note("ServerStream", context)
        for number in range(int(request)):
            yield b"message %d" % number

    def client_stream(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        self.server.note("ClientStream", context)
        return b"|".join(requests)

    def both(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Echoes each message as it comes."""
        self.server.note("Both", context)
        for message in requests:
            yield message


class GRPCServer:
    """grpcio's server in this process, on a port of its own, in clear text; with the health protocol."""

    def __init__(self, name: str = "grpc", port: int | None = None, connection_age_ms: int | None = None):
        self.name = name
        self.calls: list[str] = []
        self.peers: set[str] = set()
        self.waiting = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)
        self.health = health.HealthServicer()
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._connection_age_ms = connection_age_ms
        self.start()

    def start(self) -> None:
        options = list(OPTIONS)
        if self._connection_age_ms is not None:
            options.append(("grpc.max_connection_age_ms", self._connection_age_ms))
        self._server = grpc.server(futures.ThreadPoolExecutor(32), options=options)
        self._server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self._server.add_insecure_port(self.address)
        self._server.start()

    def _handlers(self) -> grpc.GenericRpcHandler:
        calls = Calls(self)
        unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        return grpc.method_handlers_generic_handler(SERVICE, {
            "Unary": unary(calls.unary), "Metadata": unary(calls.metadata), "Fail": unary(calls.fail),
            "Details": unary(calls.details), "Remaining": unary(calls.remaining), "Wait": unary(calls.wait),
            "ServerStream": grpc.unary_stream_rpc_method_handler(calls.server_stream),
            "ClientStream": grpc.stream_unary_rpc_method_handler(calls.client_stream),
            "Both": streaming(calls.both),
        })

    def note(self, method: str, context: grpc.ServicerContext) -> None:
        self.calls.append(method)
        self.peers.add(context.peer())
        context.set_trailing_metadata((("x-origin", self.name),))

    def set_health(self, serving: bool, service: str = "") -> None:
        states = health_pb2.HealthCheckResponse
        self.health.set(service, states.SERVING if serving else states.NOT_SERVING)

    def stop(self, grace: float | None = None) -> None:
        self._server.stop(grace).wait()


class GRPCClient:
    """grpcio's client: one channel, which makes one connection to the gateway."""

    def __init__(self, port: int, authority: str = "example.test", *, root_certificates: bytes | None = None,
                 retries: bool = False):
        """`retries`: as its default is; calls that met a GOAWAY before they were sent begin anew then."""
        # Without its own pool of connections per process, each client has a connection of its own.
        options = [*OPTIONS, ("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1),
                   ("grpc.enable_retries", int(retries)), ("grpc.enable_http_proxy", 0)]
        if root_certificates is None:
            self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        else:
            options.append(("grpc.ssl_target_name_override", authority))
            self.channel = grpc.secure_channel(
                f"127.0.0.1:{port}", grpc.ssl_channel_credentials(root_certificates), options=options)

    def __enter__(self) -> "GRPCClient":
        return self

    def __exit__(self, *_: Any) -> None:
        self.channel.close()

    def unary(self, method: str = "Unary", service: str = SERVICE) -> grpc.UnaryUnaryMultiCallable:
        return self.channel.unary_unary(f"/{service}/{method}", same, same)

    def server_stream(self) -> grpc.UnaryStreamMultiCallable:
        return self.channel.unary_stream(f"/{SERVICE}/ServerStream", same, same)

    def client_stream(self) -> grpc.StreamUnaryMultiCallable:
        return self.channel.stream_unary(f"/{SERVICE}/ClientStream", same, same)

    def both(self) -> grpc.StreamStreamMultiCallable:
        return self.channel.stream_stream(f"/{SERVICE}/Both", same, same)

    def status(self, method: str, request: bytes = b"", service: str = SERVICE, **options: Any) -> grpc.RpcError:
        """The error that a call has to end with."""
        options.setdefault("timeout", 10)
        try:
            answer = self.unary(method, service)(request, **options)
        except grpc.RpcError as error:
            return error
        raise AssertionError(f"the call succeeded with {answer!r}")


