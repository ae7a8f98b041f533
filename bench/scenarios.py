"""What is measured, and the bar that each result is held to."""

from dataclasses import dataclass, field

ROUTES = 1_000
HOSTS_REQUESTED = 16

ALL_PEERS = ("nginx", "haproxy", "envoy")


@dataclass(frozen=True)
class Scenario:
    """Load from wrk, the same for every proxy.

    `bars` are the most that Penstock's CPU per request may be, as a share of the named peer's.
    """

    name: str
    title: str
    path: str = "/api/small"
    method: str = "GET"
    content_bytes: int = 0
    connections: int = 64
    close: bool = False
    access_log: bool = False
    bars: dict[str, float] = field(default_factory=dict)
    user_microseconds_max: float | None = None


SCENARIOS = (
    Scenario(
        "keepalive-small", "keep-alive, 100-byte response",
        bars={"nginx": 0.95, "haproxy": 0.92, "envoy": 0.45}, user_microseconds_max=1.5),
    Scenario(
        "keepalive-logs", "keep-alive, 100-byte response, JSON access log",
        access_log=True, bars={"nginx": 0.95}),
    Scenario("response-64k", "keep-alive, 64 KB response", path="/api/large", bars={"nginx": 0.95}),
    Scenario(
        "post-16k", "keep-alive, POST of 16 KB", path="/api/post", method="POST", content_bytes=16_384,
        bars={"nginx": 0.95}),
    Scenario("connection-per-request", "a new client connection for every request", close=True,
             bars={"nginx": 0.95}),
)

IDLE_NAME = "idle-memory"
IDLE_CONNECTIONS = 10_000
IDLE_BYTES_MAX = 1_024

WORKERS_NAME = "two-workers"
WORKERS_DIFFERENCE_MAX = 0.05


def hosts() -> list[str]:
    """The host of each route."""
    return [f"h{number:04}.bench.test" for number in range(ROUTES)]


def requested_hosts() -> list[str]:
    """Those that the load asks for, spread over all."""
    return hosts()[:: ROUTES // HOSTS_REQUESTED][:HOSTS_REQUESTED]
