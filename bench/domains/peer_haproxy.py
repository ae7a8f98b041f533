"""HAProxy: a list of certificates and a map from hosts to backends.

One more is a line more in both and a reload (`haproxy`), or four commands to its runtime API, which change what
runs and no file (`haproxy-runtime`).
"""

import os
import signal
import socket
from pathlib import Path
from typing import Callable

from domains.authority import Domain
from domains.peers import STEADY_HOST, WEBSOCKET_HOST, Peer
from process import BenchError
from programs import find_program

CONFIGURATION = """
global
  nbthread 2
  maxconn 4000
  stats socket {folder}/runtime.sock mode 600 level admin expose-fd listeners
  stats timeout 120s
  hard-stop-after 120s
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 3s
  timeout client 3600s
  timeout server 60s
  timeout tunnel 3600s
  timeout http-keep-alive 3600s
  http-reuse always
frontend web
  bind 127.0.0.1:{port} backlog 4096
  use_backend websocket if {{ req.hdr(host) {websocket} }}
  default_backend app
frontend secure
  bind 127.0.0.1:{tls_port} backlog 4096 ssl strict-sni crt-list {folder}/certificates.list alpn http/1.1
  use_backend %[req.hdr(host),host_only,lower,map_str({folder}/hosts.map)]
backend app
  server origin 127.0.0.1:{origin_port}
backend websocket
  server origin 127.0.0.1:{websocket_port}
"""


class HAProxy(Peer):
    name = "haproxy"

    def command(self, count: int) -> list[str]:
        place = self.place
        (place.folder / "haproxy.cfg").write_text(CONFIGURATION.format(
            folder=place.folder, port=place.port, tls_port=place.tls_port, origin_port=place.origin_port,
            websocket_port=place.websocket_port, websocket=WEBSOCKET_HOST))
        # One of its own, so that the list is not empty.
        first = self._bundle(place.domains.alternate(1), "fallback")
        with open(place.folder / "certificates.list", "w", encoding="ascii") as certificates, \
                open(place.folder / "hosts.map", "w", encoding="ascii") as hosts:
            certificates.write(f"{first} fallback.example.org\n")
            hosts.write(f"{STEADY_HOST} app\n")
            for domain in self.domains(count):
                certificates.write(f"{self._bundle(domain)}\n")
                hosts.write(f"{domain.host} app\n")
        return [find_program("haproxy"), "-W", "-f", "haproxy.cfg"]

    def _bundle(self, domain: Domain, name: str | None = None) -> Path:
        folder = self.place.folder / "certificates" / domain.name[:-3]
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name or domain.name}.pem"
        file.write_text(domain.chain + domain.key)
        return file

    def addition(self, number: int, pid: int) -> Callable[[], None]:
        domain = self.place.domains[number]
        bundle = self._bundle(domain)

        def change() -> None:
            with open(self.place.folder / "certificates.list", "a", encoding="ascii") as file:
                file.write(f"{bundle}\n")
            with open(self.place.folder / "hosts.map", "a", encoding="ascii") as file:
                file.write(f"{domain.host} app\n")
            os.kill(pid, signal.SIGUSR2)  # to the master: a reload

        return change


class HAProxyRuntime(HAProxy):
    name = "haproxy-runtime"

    def addition(self, number: int, pid: int) -> Callable[[], None]:
        domain, folder = self.place.domains[number], self.place.folder
        file = folder / "certificates" / f"{domain.name}.pem"  # only a name: no such file is needed

        def change() -> None:
            self._command(f"new ssl cert {file}")
            self._command(f"set ssl cert {file} <<\n{(domain.chain + domain.key).strip()}\n")
            self._command(f"commit ssl cert {file}", "Success")
            self._command(f"add ssl crt-list {folder}/certificates.list {file}", "Success")
            self._command(f"add map {folder}/hosts.map {domain.host} app")

        return change

    def _command(self, text: str, expected: str = "") -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(120)
            connection.connect(str(self.place.folder / "runtime.sock"))
            connection.sendall(text.encode() + b"\n")
            answer = b""
            while more := connection.recv(65_536):
                answer += more
        if expected not in answer.decode(errors="replace"):
            raise BenchError(f"haproxy: {text.splitlines()[0]}: {answer.decode(errors='replace')}")
