"""The origins that every proxy forwards to; each does as little as it can, in one thread.

nginx for HTTP/1.1, and programs of `tools/` for gRPC and WebSocket.
"""

import os
from pathlib import Path

import ready
from process import Server, free_port
from scenarios import GRPC_MESSAGE_BYTES, SMALL_BYTES
from programs import built_tool, find_program

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
    location = /v2/small {{ return 200 "{small}"; }}
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


def user_directive() -> str:
    """As root, the worker must stay root: the folder of a run is not open to www-data."""
    return "user root;" if os.geteuid() == 0 else ""


def start_origin(kind: str, folder: Path, cores: set[int]) -> Server:
    """The origin of a `Work`: `http`, `grpc` or `websocket`."""
    folder.mkdir(parents=True)
    port = free_port()
    command = {"http": nginx_command, "grpc": grpc_command, "websocket": websocket_command}[kind](folder, port)
    server = Server(f"origin ({kind})", command, folder, cores, port)
    front = "h2c" if kind == "grpc" else "http"
    server.wait_until_ready(lambda: ready.status_of(front, port, "origin.bench.test", "/api/small"))
    return server


def nginx_command(folder: Path, port: int) -> list[str]:
    (folder / "large").write_bytes(b"x" * LARGE_BYTES)
    # The static handler refuses a POST with 405 only for a file that exists.
    (folder / "api").mkdir()
    (folder / "api" / "post").write_bytes(b"")
    (folder / "nginx.conf").write_text(CONFIGURATION.format(
        folder=folder, port=port, small="x" * SMALL_BYTES, user=user_directive()))
    return [find_program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "error.log")]


def grpc_command(_: Path, port: int) -> list[str]:
    return [built_tool("grpc_origin"), str(port), str(GRPC_MESSAGE_BYTES)]


def websocket_command(_: Path, port: int) -> list[str]:
    return [built_tool("websocket_origin"), str(port)]
