"""What one scenario starts, so that all of it is stopped at its end."""

from pathlib import Path
from typing import Any, Callable

from .certificates import Authority
from .client import try_get
from .gateway import Gateway
from .grpc_peer import GRPCServer
from .http2_origin import HTTP2Origin
from .http2_origin import echo as http2_echo
from .nghttpd import Nghttpd
from .nginx import Nginx
from .origin import Answer, FullQueue, Origin, RawOrigin, echo
from .ports import free_port
from .programs import Program, penstock_binary
from .redis import Redis
from .websocket import WebSocketOrigin


class Scenario:
    """Starts gateways and origins in a folder of its own, and stops them in the reverse order."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._started: list[Any] = []
        self._count = 0

    def __enter__(self) -> "Scenario":
        return self

    def __exit__(self, *_) -> None:
        failures: list[BaseException] = []
        for thing in reversed(self._started):
            try:
                thing.stop()
            except AssertionError as error:
                failures.append(error)
        for origin in self._started:
            if isinstance(origin, (Origin, HTTP2Origin)):
                failures += origin.violations
        if failures:
            raise failures[0]

    def _add(self, thing: Any) -> Any:
        self._started.append(thing)
        return thing

    def _folder(self, name: str) -> Path:
        self._count += 1
        return self.folder / f"{self._count}-{name}"

    # What can be started

    def gateway(self, services: list[dict], routes: list[dict] | None = None, **options: Any) -> Gateway:
        return self._add(Gateway(self._folder("penstock"), services, routes, **options))

    def origin(self, answer: Answer = echo, name: str = "origin", **options: Any) -> Origin:
        return self._add(Origin(answer, name, **options))

    def raw_origin(self, serve: Callable, **options: Any) -> RawOrigin:
        return self._add(RawOrigin(serve, **options))

    def authority(self, name: str = "Test authority") -> Authority:
        return Authority(self._folder("authority"), name)

    def http2_origin(self, answer: Callable = http2_echo, name: str = "origin", **options: Any) -> HTTP2Origin:
        return self._add(HTTP2Origin(answer, name, **options))

    def nghttpd(self, **options: Any) -> Nghttpd:
        return self._add(Nghttpd(self._folder("nghttpd"), **options))

    def grpc_server(self, **options: Any) -> GRPCServer:
        return self._add(GRPCServer(**options))

    def websocket_origin(self, **options: Any) -> WebSocketOrigin:
        return self._add(WebSocketOrigin(**options))

    def full_queue(self) -> FullQueue:
        return self._add(FullQueue())

    def nginx(self, locations: str = "", **options: Any) -> Nginx:
        return self._add(Nginx(self._folder("nginx"), locations, **options))

    def redis(self, *arguments: str, **options: Any) -> Redis:
        return self._add(Redis(self._folder("redis"), *arguments, **options))

    def echo_origin(self, name: str = "origin") -> "EchoOrigin":
        return self._add(EchoOrigin(self._folder("echo"), name))

    def program(self, command: list[str], name: str, **options: Any) -> Program:
        """Any other program; it is killed at the end if it still runs."""
        program = Program(command, self._folder(name), name, **options)
        self._started.append(_Killed(program))
        return program

    def dead_port(self) -> str:
        """An address where nobody listens."""
        return f"127.0.0.1:{free_port()}"


class _Killed:
    def __init__(self, program: Program):
        self._program = program

    def stop(self) -> None:
        self._program.kill()


class EchoOrigin(Program):
    """`penstock origin`, the echo server for trying things out."""

    def __init__(self, folder: Path, name: str):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        super().__init__([penstock_binary(), "origin", "--port", str(self.port), "--name", name], folder, "origin")
        self.wait_until_ready(lambda: try_get(self.port) is not None)

    def stop(self) -> None:
        self.process.terminate()
        self.wait_for_end()
