"""What the overload bench starts: the gateway, nginx beside it, and their origins."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import ready
from origin import user_directive
from process import Server, free_port
from programs import built_tool, find_program
from proxies import penstock_binary

GATEWAY_CORES, OTHER_CORES = {0}, {1}
SMALL, LARGE = "/small", "/large"
LARGE_BYTES = 1 << 20
BUFFER_BYTES = 512 << 20
SLOW_CLIENTS = 10_000
# For the origin that only abusers use.
WHEN_IDLE = ["chrt", "--idle", "0"]
# Paths of a route of the good client's host, which no request has, and which are tried before the one that it has.
EXPRESSIONS = 300

ORIGIN = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 65536;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 30000; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  send_timeout 3600s;
  server {{
    listen 127.0.0.1:{port} backlog=16384 sndbuf=16k;
    root {folder};
    location = /large {{ }}
  }}
}}
"""


# The same work as the gateway's, streamed as there. Debian's nginx takes one protocol at an address without TLS.
NGINX = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 65536;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 30000; }}
http {{
  access_log off;
  proxy_temp_path {folder}/proxy;
  keepalive_requests 1000000000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_max_temp_file_size 0;
  upstream small {{ server 127.0.0.1:{small_port}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    listen 127.0.0.1:{http2_port} http2 backlog=4096;
    location / {{ proxy_pass http://small; }}
    location /large {{ proxy_pass http://127.0.0.1:{large_port}; }}
{expressions}
  }}
}}
"""


@contextmanager
def before_others(pids: list[int]):
    """Gives processes a core as soon as they want it, where that is allowed.

    Otherwise the wait of the good client and of its origin for each other, up to 3 ms by default, would be in
    what is measured of the gateway, which waits for nobody.
    """
    try:
        for pid in pids:
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        print("  (not allowed to use real-time scheduling: the good client waits for its core)")
    try:
        yield
    finally:
        for pid in pids:
            try:
                os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
            except ProcessLookupError:
                pass


def start_small_origin(folder: Path) -> Server:
    """Cheaper than any proxy, or it would be the bottleneck."""
    folder.mkdir()
    port = free_port()
    server = Server("origin", [built_tool("overload_load"), "origin", str(port)], folder, OTHER_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", SMALL))
    return server


def start_large_origin(folder: Path) -> Server:
    folder.mkdir()
    port = free_port()
    (folder / "large").write_bytes(b"x" * LARGE_BYTES)
    (folder / "nginx.conf").write_text(
        ORIGIN.format(folder=folder, port=port, user=user_directive()))
    command = [*WHEN_IDLE, find_program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]
    server = Server("origin (large)", command, folder, OTHER_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", LARGE))
    return server


def start_gateway(folder: Path, small: Server, large: Server) -> Server:
    """The defaults, but for limits of the service that is to hold all that the abusers ask for."""
    folder.mkdir()
    port, admin_port = free_port(), free_port()
    many = 4 * SLOW_CLIENTS
    (folder / "penstock.json").write_text(json.dumps({
        "listeners": [{"name": "web", "address": f"127.0.0.1:{port}", "connections": "none"}],
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "http": {"limits": {"bufferBytes": f"{BUFFER_BYTES >> 20}MiB", "connectionsPerAddress": "none"}},
        "services": [{"name": "small", "endpoints": [f"127.0.0.1:{small.port}"]},
                     {"name": "large", "endpoints": [f"127.0.0.1:{large.port}"],
                      "limits": {"connections": many, "inFlight": many, "pending": many}}],
        "routes": [{"name": "small", "service": "small"},
                   {"name": "large", "match": [{"path": LARGE}], "service": "large"},
                   {"name": "costly", "service": "small", "hosts": ["bench.test"], "match": [
                       {"path": {"regex": f"/[a-z]+/{number}"}} for number in range(EXPRESSIONS)]}]}))
    command = [str(penstock_binary()), "run", "-c", str(folder / "penstock.json"), "--workers", "1"]
    server = Server("penstock", command, folder, GATEWAY_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", SMALL))
    return server


def start_nginx(folder: Path, small: Server, large: Server) -> tuple[Server, int]:
    """What else there is on this machine: how much of a bar is missed by it under the same attack.

    Returns the server and its port for HTTP/2.
    """
    folder.mkdir()
    port, http2_port = free_port(), free_port()
    expressions = "\n".join(
        f"    location ~ ^/[a-z]+/{number}$ {{ return 404; }}" for number in range(EXPRESSIONS))
    (folder / "nginx.conf").write_text(NGINX.format(
        folder=folder, user=user_directive(), port=port, http2_port=http2_port, small_port=small.port,
        large_port=large.port, expressions=expressions))
    command = [find_program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]
    server = Server("nginx", command, folder, GATEWAY_CORES, port)
    server.wait_until_ready(lambda: ready.status_of("http", port, "bench.test", SMALL))
    return server, http2_port
