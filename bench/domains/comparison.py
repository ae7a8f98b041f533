"""The same additions with nginx, HAProxy, Envoy and Caddy: time to the first response, what was cut, memory."""

import time
from statistics import median

from domains.clients import PROBE_SECONDS_MAX, Probe, SteadyLoad, Window
from domains.gateway import Operations, transaction
from domains.peer_caddy import Caddy
from domains.peer_envoy import Envoy
from domains.peer_haproxy import HAProxy, HAProxyRuntime
from domains.peer_nginx import Nginx
from domains.peers import STEADY_HOST, WEBSOCKET_HOST, Peer, Place
from domains.setup import Setup
from measure import resident_bytes
from process import BenchError, Server, free_port
from report import print_table

NAME = "peers"
PEERS = {peer.name: peer for peer in (Nginx, HAProxy, HAProxyRuntime, Envoy, Caddy)}
ADDITIONS = 3
OUR_ADDITIONS = 20
START_SECONDS_MAX = 120
CONNECTIONS = {"http1": (50, 500), "websocket": (50, 100)}
SETTLE_SECONDS = 3


def run(setup: Setup) -> None:
    measured = []
    for count in setup.options.sizes:
        measured.append(guarded("penstock", count, lambda: measure_penstock(setup, count)))
        for name in setup.options.peers:
            measured.append(guarded(name, count, lambda: measure_peer(setup, name, count)))
    rows = [("one more domain", "there are", "first 200 after (median)", "slowest", "http1 cut", "failed",
             "WebSocket cut", "start", "memory", "bytes/domain", "memory after")]
    for one in measured:
        rows.append((one["name"], f"{one['domains']:,}", *cells(one)))
    print(f"\n{NAME}: seconds from the change to the first response with the new certificate, and what was cut")
    print_table(rows)
    setup.results.add(NAME, {f"{one['name']}-{one['domains']}": one for one in measured}, [])


def cells(one: dict) -> tuple[str, ...]:
    if "problem" in one:
        return (one["problem"], *[""] * 8)
    taken = one["seconds"]
    return (f"{median(taken):.4f}", f"{max(taken):.4f}", str(one["http1"]["cut"] + one["http1"]["refused"]),
            str(one["http1"]["failed"] + one["websocket"]["failed"]), str(one["websocket"]["cut"]),
            f"{one['start']:.1f}" if one["start"] else "", f"{one['memory'] / 1e6:.0f} MB",
            f"{one['bytesPerDomain']:,.0f}", f"{one['memoryAfter'] / 1e6:.0f} MB")


def guarded(name: str, count: int, measure) -> dict:
    """What a peer cannot do is a result, too."""
    try:
        return {"name": name, "domains": count} | measure()
    except BenchError as error:
        return {"name": name, "domains": count, "problem": str(error).splitlines()[0][:60]}


def measure_penstock(setup: Setup, count: int) -> dict:
    gateway = setup.gateway(f"peers-penstock-{count}").start()
    try:
        empty = gateway.resident()
        gateway.fill(setup.domains, range(count))
        full = gateway.resident()

        def additions() -> list[float]:
            taken = []
            with Probe("https", gateway.tls_port, gateway.admin_port) as probe:
                for number in range(OUR_ADDITIONS):
                    domain = setup.domains[count + number]
                    answer = probe.call(
                        domain.host, domain.leaf_digest(), transaction(Operations.add(domain)), waits=False)
                    taken.append(answer["nanoseconds"] / 1e9)
            return taken

        seen = under_load(gateway.server, gateway.port, additions)
    finally:
        gateway.stop()
    return seen | {"start": None, "memory": full, "bytesPerDomain": (full - empty) / count}


def under_load(server: Server, port: int, additions) -> dict:
    """Runs `additions` while steady clients watch. At the end, old processes may still serve some of them."""
    loads = {}
    try:
        for protocol, (connections, rate) in CONNECTIONS.items():
            host = WEBSOCKET_HOST if protocol == "websocket" else STEADY_HOST
            loads[protocol] = SteadyLoad(protocol, host, port, connections, rate)
        time.sleep(2)
        for protocol, load in loads.items():
            before: Window = load.window()
            if before.open < CONNECTIONS[protocol][0] or before.failed:
                raise BenchError(f"{protocol} does not work before anything changed: {before} {load.stop()}")
        taken = additions()
        time.sleep(SETTLE_SECONDS)
        found = {protocol: vars(load.window()) for protocol, load in loads.items()}
        return found | {"seconds": taken, "memoryAfter": resident_bytes(server.pids())}
    finally:
        for load in loads.values():
            load.stop()


def measure_peer(setup: Setup, name: str, count: int) -> dict:
    empty = started(setup, name, 0)
    try:
        base = settled_bytes(empty.server)
    finally:
        empty.server.stop()
    full = started(setup, name, count)
    try:
        memory = settled_bytes(full.server)
        seen = under_load(full.server, full.peer.place.port, lambda: add_domains(full, count))
    finally:
        full.server.stop()
    return seen | {"start": full.seconds, "memory": memory, "bytesPerDomain": (memory - base) / count}


class Started:
    def __init__(self, peer: Peer, server: Server, seconds: float):
        self.peer, self.server, self.seconds = peer, server, seconds


def started(setup: Setup, name: str, count: int) -> Started:
    """Starts a peer and waits until its last domain is served."""
    folder = setup.folder / f"{name}-{count}"
    folder.mkdir()
    peer = PEERS[name](Place(
        folder, setup.domains, free_port(), free_port(), free_port(), setup.origin("http").port,
        setup.origin("websocket").port))
    command = peer.command(count)
    begun = time.monotonic_ns()
    server = Server(name, command, folder, setup.cores, peer.place.port)
    front, port = ("https", peer.place.tls_port) if count else ("http", peer.place.port)
    host = setup.domains[count - 1].host if count else STEADY_HOST
    try:
        with Probe(front, port, seconds_max=START_SECONDS_MAX, pause=5_000) as probe:
            taken = probe.poll(host, "-", begun)
        if taken is None:
            tail = server.output_tail()[-200:]
            raise BenchError(f"did not serve in {START_SECONDS_MAX} s {tail}")
    except BaseException:
        server.stop()
        raise
    return Started(peer, server, taken / 1e9)


def add_domains(running: Started, count: int) -> list[float]:
    taken = []
    place = running.peer.place
    with Probe("https", place.tls_port, pause=1_000) as probe:
        for number in range(count, count + ADDITIONS):
            domain = place.domains[number]
            change = running.peer.addition(number, running.server.pids()[0])
            begun = time.monotonic_ns()
            change()
            seconds = probe.poll(domain.host, domain.leaf_digest(), begun)
            if seconds is None:
                raise BenchError(f"not served in {PROBE_SECONDS_MAX} s")
            taken.append(seconds / 1e9)
            time.sleep(SETTLE_SECONDS)
    return taken


def settled_bytes(server: Server) -> int:
    time.sleep(SETTLE_SECONDS)
    return resident_bytes(server.pids())
