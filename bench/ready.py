"""Whether a server answers yet, in what its clients speak."""

import socket
import ssl
import subprocess

from programs import find_program

SECONDS_MAX = 2


def status_of(front: str, port: int, host: str, path: str) -> str:
    """The status line of a GET, or why there is none."""
    try:
        if front in ("http", "https"):
            return http1_status(front, port, host, path)
        return http2_status(front, port, host, path)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def http1_status(front: str, port: int, host: str, path: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as connection:
        if front == "https":
            connection = without_verification().wrap_socket(connection, server_hostname=host)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(4096).split(b"\r\n")[0].decode("latin-1")


def http2_status(front: str, port: int, host: str, path: str) -> str:
    scheme = "https" if front == "h2" else "http"
    result = subprocess.run(
        [find_program("h2load"), "-n", "1", "-c", "1", "--connect-to", f"127.0.0.1:{port}",
         f"{scheme}://{host}{path}"],
        capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    return " 200" if "status codes: 1 2xx" in result.stdout else f"h2load: {result.stdout}{result.stderr}"


def without_verification() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
