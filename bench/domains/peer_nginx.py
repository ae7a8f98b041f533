"""nginx: a `server` with certificate files for each domain; one more is a line more and a reload."""

import os
import signal
from typing import Callable

from domains.authority import Domain
from domains.peers import STEADY_HOST, WEBSOCKET_HOST, Peer
from origin import user_directive
from programs import find_program

CONFIGURATION = """
daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server_names_hash_max_size 1048576;
  server_names_hash_bucket_size 128;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  ssl_protocols TLSv1.2 TLSv1.3;
  proxy_http_version 1.1;
  proxy_read_timeout 3600s;
  proxy_set_header Host $host;
  upstream app {{
    server 127.0.0.1:{origin_port};
    keepalive 64;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    server_name {steady};
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    location / {{ proxy_pass http://app; }}
  }}
  server {{
    listen 127.0.0.1:{port};
    server_name {websocket};
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    location / {{ proxy_pass http://127.0.0.1:{websocket_port}; }}
  }}
  server {{
    listen 127.0.0.1:{tls_port} ssl default_server backlog=4096;
    ssl_reject_handshake on;
  }}
  include {folder}/domains.conf;
}}
"""

SERVER = """server {{
  listen 127.0.0.1:{port} ssl;
  server_name {host};
  ssl_certificate {chain};
  ssl_certificate_key {key};
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  location / {{ proxy_pass http://app; }}
}}
"""


class Nginx(Peer):
    name = "nginx"

    def command(self, count: int) -> list[str]:
        place = self.place
        (place.folder / "nginx.conf").write_text(CONFIGURATION.format(
            user=user_directive(), folder=place.folder, origin_port=place.origin_port, port=place.port,
            tls_port=place.tls_port, websocket_port=place.websocket_port, steady=STEADY_HOST,
            websocket=WEBSOCKET_HOST))
        with open(place.folder / "domains.conf", "w", encoding="ascii") as file:
            for domain in self.domains(count):
                file.write(self._server(domain))
        return [find_program("nginx"), "-p", str(place.folder), "-c", "nginx.conf",
                "-e", f"{place.folder}/error.log"]

    def _server(self, domain: Domain) -> str:
        chain, key = self.certificate_files(domain)
        return SERVER.format(port=self.place.tls_port, host=domain.host, chain=chain, key=key)

    def addition(self, number: int, pid: int) -> Callable[[], None]:
        text = self._server(self.place.domains[number])

        def change() -> None:
            with open(self.place.folder / "domains.conf", "a", encoding="ascii") as file:
                file.write(text)
            os.kill(pid, signal.SIGHUP)  # what `nginx -s reload` sends

        return change
