"""Loopback ports that no other test, in this process or another, is given at the same time."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

_held: list[int] = []  # descriptors of lock files, open until this process ends
_FIRST_PORT = 12_000


def _first_outgoing_port() -> int:
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        return int(file.read().split()[0])


def _range() -> range:
    """Below the ports of outgoing connections, so that none of those can take one away."""
    return range(_FIRST_PORT, max(_FIRST_PORT + 4_000, _first_outgoing_port()))


def reserve_port(port: int) -> bool:
    """Reserves a port for this process; false when another one has it."""
    folder = Path(tempfile.gettempdir()) / "penstock-scenario-ports"
    folder.mkdir(exist_ok=True)
    handle = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    if not _is_free(port):
        os.close(handle)
        return False
    _held.append(handle)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens on, and that only this process is given."""
    ports = _range()
    start = os.getpid() * 97 % len(ports)
    for step in range(len(ports)):
        port = ports[(start + free_port.step + step) % len(ports)]
        if reserve_port(port):
            free_port.step += step + 1
            return port
    raise AssertionError("no free loopback port is left")


free_port.step = 0
