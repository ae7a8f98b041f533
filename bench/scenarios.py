"""What is measured, and the bar that each result is held to."""

from dataclasses import dataclass, field

ROUTES = 1_000
HOSTS_REQUESTED = 16

SMALL_BYTES = 100
MESSAGE_BYTES = 125  # of WebSocket: the most that a frame's short form carries
GRPC_MESSAGE_BYTES = 16


@dataclass(frozen=True)
class Work:
    """What a proxy has to do.

    `front` is what clients speak: `http`, `https` (HTTP/1.1 by TLS), `h2` (HTTP/2 by TLS) or `h2c` (HTTP/2 in
    clear text, by prior knowledge). `origin` is what stands behind: `http`, `grpc` (h2c) or `websocket`.
    """

    front: str = "http"
    origin: str = "http"
    tickets: bool = True

    @property
    def has_tls(self) -> bool:
        return self.front in ("https", "h2")


@dataclass(frozen=True)
class Scenario:
    """Load, the same for every proxy.

    `tool` is what makes it (`load.py`). `bars` are the most that Penstock's CPU per request may be, as a share
    of the named peer's; `user_bars` the same for its part in user mode.
    """

    name: str
    title: str
    work: Work = Work()
    tool: str = "wrk"
    path: str = "/api/small"
    method: str = "GET"
    content_bytes: int = 0
    connections: int = 64
    streams: int = 1
    close: bool = False
    access_log: bool = False
    bars: dict[str, float] = field(default_factory=dict)
    user_bars: dict[str, float] = field(default_factory=dict)


SCENARIOS = (
    Scenario(
        "keepalive-small", "keep-alive, 100-byte response",
        # User time: 1.5 µs where nginx took 2.4. The share holds on any machine, the microseconds do not.
        bars={"nginx": 0.95, "haproxy": 0.92, "envoy": 0.45}, user_bars={"nginx": 0.63}),
    Scenario(
        "keepalive-logs", "keep-alive, 100-byte response, JSON access log",
        access_log=True, bars={"nginx": 0.95}),
    Scenario("response-64k", "keep-alive, 64 KB response", path="/api/large", bars={"nginx": 0.95}),
    Scenario(
        "post-16k", "keep-alive, POST of 16 KB", path="/api/post", method="POST", content_bytes=16_384,
        bars={"nginx": 0.95}),
    Scenario("connection-per-request", "a new client connection for every request", close=True,
             bars={"nginx": 0.95}),
    Scenario("https", "HTTPS/1.1 keep-alive, 100-byte response", Work("https"), bars={"nginx": 0.95}),
    Scenario(
        "handshake-full", "a full TLS 1.3 handshake for every request", Work("https", tickets=False),
        tool="handshakes-full", connections=32, bars={"nginx": 1.0}),
    Scenario(
        "handshake-resumed", "a resumed TLS 1.3 handshake for every request", Work("https"),
        tool="handshakes-resumed", connections=32, bars={"nginx": 1.0}),
    Scenario(
        "h2-tls", "HTTP/2 by TLS to HTTP/1.1, 8 connections x 32 streams, 100-byte response", Work("h2"),
        tool="h2load", connections=8, streams=32, bars={"haproxy": 1.0, "nginx": 0.75}),
    Scenario(
        "grpc", "gRPC's unary call, h2c to h2c, 8 connections x 32 streams", Work("h2c", "grpc"),
        tool="h2load", path="/api/Echo", method="POST", content_bytes=5 + GRPC_MESSAGE_BYTES, connections=8,
        streams=32, bars={"haproxy": 1.0, "envoy": 0.35}),
    Scenario(
        "websocket", "WebSocket, 1,000 connections that echo 125 bytes", Work("http", "websocket"),
        tool="websocket", connections=1_000, bars={"haproxy": 1.0}),
)

IDLE_CONNECTIONS = 10_000


@dataclass(frozen=True)
class IdleScenario:
    """Connections that say nothing after one response."""

    name: str
    title: str
    work: Work
    bytes_max: int


IDLE_SCENARIOS = (
    IdleScenario("idle-memory", "idle keep-alive connections", Work(), 1_024),
    IdleScenario("idle-tls", "idle TLS connections", Work("https"), 14_000),
)

WORKERS_NAME = "two-workers"
WORKERS_DIFFERENCE_MAX = 0.05


def hosts() -> list[str]:
    """The host of each route."""
    return [f"h{number:04}.bench.test" for number in range(ROUTES)]


def requested_hosts() -> list[str]:
    """Those that the load asks for, spread over all."""
    return hosts()[:: ROUTES // HOSTS_REQUESTED][:HOSTS_REQUESTED]
