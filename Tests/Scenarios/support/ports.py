"""Loopback ports that no other test, in this process or another, is given at the same time."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

_FIRST_PORT = 12_000
_reserved: set[int] = set()  # by this process


def _first_outgoing_port() -> int:
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        return int(file.read().split()[0])


def _range() -> range:
    """Below the ports of outgoing connections, so that none of those can take one away."""
    return range(_FIRST_PORT, max(_FIRST_PORT + 4_000, _first_outgoing_port()))


def _lock_file() -> int:
    """One file for all processes; its n-th byte is locked by the process that has port n."""
    if _lock_file.handle < 0:
        path = Path(tempfile.gettempdir()) / "penstock-scenario-ports.lock"
        _lock_file.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    return _lock_file.handle


_lock_file.handle = -1


def reserve_port(port: int) -> bool:
    """Reserves a port until this process ends; false when it is reserved or in use."""
    if port in _reserved:
        return False
    try:
        fcntl.lockf(_lock_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _reserved.add(port)
    return _is_free(port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether a connection to the port is accepted."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
