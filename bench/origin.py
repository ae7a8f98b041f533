"""The origin that every proxy forwards to: one nginx worker that does as little as it can."""

import os
import shutil
from pathlib import Path

from process import BenchError, Server, free_port

SMALL_BYTES = 100
LARGE_BYTES = 65_536

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 12288; }}
http {{
  access_log off;
  default_type text/plain;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_buffer_size 64k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder};
    location = /api/small {{ return 200 "{small}"; }}
    location = /api/large {{ alias {folder}/large; }}
    # A `return` here would answer before the content has come. A mirrored request waits for all of it,
    # and the static file that does not exist for a POST becomes the answer.
    location = /api/post {{
      mirror /sink;
      error_page 405 =200 @received;
    }}
    location = /sink {{ internal; return 204; }}
    location @received {{ return 200 "received"; }}
  }}
}}
"""


def find_nginx() -> str:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise BenchError("nginx is not installed: scripts/bootstrap bench")
    return program


def user_directive() -> str:
    """As root, the worker must stay root: the folder of a run is not open to www-data."""
    return "user root;" if os.geteuid() == 0 else ""


def start_origin(folder: Path, cores: set[int]) -> Server:
    folder.mkdir(parents=True)
    port = free_port()
    (folder / "large").write_bytes(b"x" * LARGE_BYTES)
    # The static handler refuses a POST with 405 only for a file that exists.
    (folder / "api").mkdir()
    (folder / "api" / "post").write_bytes(b"")
    (folder / "nginx.conf").write_text(CONFIGURATION.format(
        folder=folder, port=port, small="x" * SMALL_BYTES, user=user_directive()))
    server = Server(
        "origin", [find_nginx(), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")],
        folder, cores, port)
    server.wait_until_ready("origin.bench.test", "/api/small")
    return server
