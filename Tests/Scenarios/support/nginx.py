"""nginx from Debian, as an origin that others wrote."""

import os
from pathlib import Path

from .certificates import Leaf
from .client import try_get
from .ports import free_port, is_listening
from .programs import Program, find_program

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000;
  keepalive_timeout {keepalive};
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}{listen} backlog=4096;
    {tls}
    root {folder};
    add_header X-Origin nginx always;
    location = /healthz {{ return 200 "healthy"; }}
    location = /small {{ return 200 "{small}"; }}
    location / {{ }}
    {locations}
  }}
}}
"""


class Nginx(Program):
    """Serves `/small` (100 bytes), `/healthz`, and the files of its folder.

    `http2` without a certificate is HTTP/2 by prior knowledge, and nothing else.
    """

    def __init__(self, folder: Path, locations: str = "", keepalive: str = "75s", *, http2: bool = False,
                 certificate: Leaf | None = None):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "nginx.conf"
        # As root, the worker must stay root: the folder is not open to www-data.
        user = "user root;" if os.geteuid() == 0 else ""
        file.write_text(CONFIGURATION.format(
            user=user, folder=folder, port=self.port, small="x" * 100, locations=locations, keepalive=keepalive,
            listen=(" ssl" if certificate else "") + (" http2" if http2 else ""),
            tls=f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};" if certificate
            else ""))
        program = find_program("nginx")
        assert program, "nginx is not installed: scripts/bootstrap test"
        super().__init__([program, "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")],
                         folder, "nginx")
        if http2 or certificate:
            self.wait_until_ready(lambda: is_listening(self.port))
        else:
            self.wait_until_ready(lambda: try_get(self.port, "/healthz") is not None)

    def stop(self) -> None:
        self.process.terminate()
        self.wait_for_end()
