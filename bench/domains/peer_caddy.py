"""Caddy with its admin API: certificates as PEM in its configuration (`load_pem`) and a route for each host.

One more is a call to `/load` with the whole configuration. Calls that append would send less, but there would be
two of them, for the route and for the certificate, and each loads the whole anew.
"""

import http.client
import json
from typing import Callable

from domains.authority import Domain
from domains.peers import STEADY_HOST, WEBSOCKET_HOST, Peer
from process import BenchError
from programs import find_program

CALL_SECONDS_MAX = 130


def proxy(host: str, port: int) -> dict:
    return {"match": [{"host": [host]}], "terminal": True, "handle": [
        {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{port}"}]}]}


class Caddy(Peer):
    name = "caddy"

    def command(self, count: int) -> list[str]:
        place = self.place
        plain = {"listen": [f"127.0.0.1:{place.port}"], "automatic_https": {"disable": True}, "routes": [
            proxy(STEADY_HOST, place.origin_port), proxy(WEBSOCKET_HOST, place.websocket_port)]}
        secure = {"listen": [f"127.0.0.1:{place.tls_port}"], "automatic_https": {"disable": True},
                  "protocols": ["h1"], "tls_connection_policies": [{}],
                  "routes": [proxy(domain.host, place.origin_port) for domain in self.domains(count)]}
        self._routes: list[dict] = secure["routes"]
        self._certificates = [pem(domain) for domain in self.domains(count)]
        self._configuration = {
            "admin": {"listen": f"127.0.0.1:{place.admin_port}", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "ERROR"}}},
            "apps": {"http": {"servers": {"plain": plain, "secure": secure}},
                     "tls": {"certificates": {"load_pem": self._certificates}}}}
        (place.folder / "caddy.json").write_text(json.dumps(self._configuration))
        return [find_program("caddy"), "run", "--config", "caddy.json"]

    def addition(self, number: int, pid: int) -> Callable[[], None]:
        domain = self.place.domains[number]
        self._routes.append(proxy(domain.host, self.place.origin_port))
        self._certificates.append(pem(domain))
        content = json.dumps(self._configuration)
        return lambda: self._load(content)

    def _load(self, content: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.place.admin_port, timeout=CALL_SECONDS_MAX)
        connection.request("POST", "/load", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise BenchError(f"caddy: POST /load: {answer.status} {text[:500].decode(errors='replace')}")


def pem(domain: Domain) -> dict:
    return {"certificate": domain.chain, "key": domain.key}
