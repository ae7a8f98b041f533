"""Envoy with files as its xDS: a listener with a filter chain (by SNI) for each domain, and a route table.

One more is both files written anew and renamed into place, the routes first. Only filter chains change, so that
Envoy updates its listener in place. Its other way, one SDS file for each certificate, changes certificates
and adds none: the chains are in the listener.
"""

import json
from typing import Callable

from domains.authority import Domain
from domains.peers import STEADY_HOST, WEBSOCKET_HOST, Peer, replace
from proxies import find_envoy

TYPE = "type.googleapis.com/envoy."
MANAGER = "envoy.filters.network.http_connection_manager"


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


class Envoy(Peer):
    name = "envoy"

    def command(self, count: int) -> list[str]:
        folder = self.place.folder
        self._chains = [self._chain(domain) for domain in self.domains(count)]
        self._hosts = [self._virtual_host(domain) for domain in self.domains(count)]
        replace(folder / "listeners.json", self._listeners())()
        replace(folder / "routes.json", self._routes())()
        bootstrap = {
            "node": {"id": "scale", "cluster": "scale"},
            "admin": {"address": address(self.place.admin_port)},
            "static_resources": {"clusters": [
                self._cluster("app", self.place.origin_port),
                self._cluster("websocket", self.place.websocket_port)]},
            "dynamic_resources": {"lds_config": self._source("listeners.json")},
        }
        (folder / "envoy.json").write_text(json.dumps(bootstrap))
        return [str(find_envoy()), "-c", "envoy.json", "--concurrency", "2", "--disable-hot-restart",
                "--log-level", "error"]

    def _source(self, name: str) -> dict:
        return {"path_config_source": {"path": str(self.place.folder / name)}, "resource_api_version": "V3"}

    @staticmethod
    def _cluster(name: str, port: int) -> dict:
        return {"name": name, "type": "STATIC", "connect_timeout": "3s", "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]}}

    def _filters(self) -> list[dict]:
        return [{"name": MANAGER, "typed_config": {
            "@type": TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "web",
            "common_http_protocol_options": {"idle_timeout": "3600s"},
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "rds": {"route_config_name": "routes", "config_source": self._source("routes.json")},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": TYPE + "extensions.filters.http.router.v3.Router"}}]}}]

    def _chain(self, domain: Domain) -> str:
        chain, key = self.certificate_files(domain)
        return json.dumps({
            "name": domain.name,
            "filter_chain_match": {"server_names": [domain.host]},
            "filters": self._filters(),
            "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
                "@type": TYPE + "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": ["http/1.1"],
                    "tls_certificates": [{"certificate_chain": {"filename": str(chain)},
                                          "private_key": {"filename": str(key)}}]}}}})

    @staticmethod
    def _virtual_host(domain: Domain) -> str:
        return json.dumps(virtual_host(domain.name, domain.host, "app"))

    def _listeners(self) -> str:
        """The parts that stay are kept as text: only the file is written anew each time."""
        kind = json.dumps(TYPE + "config.listener.v3.Listener")
        plain = json.dumps({
            "@type": TYPE + "config.listener.v3.Listener", "name": "plain", "address": address(self.place.port),
            "filter_chains": [{"filters": self._filters()}]})
        inspector = json.dumps([{"name": "envoy.filters.listener.tls_inspector", "typed_config": {
            "@type": TYPE + "extensions.filters.listener.tls_inspector.v3.TlsInspector"}}])
        # A listener without any chain is refused: one for a name that nobody asks for.
        never = json.dumps({"name": "never", "filter_chain_match": {"server_names": ["never.example.org"]},
                            "filters": self._filters()})
        chains = ",\n".join([never, *self._chains])
        secure = (f'{{"@type": {kind}, "name": "secure", "address": {json.dumps(address(self.place.tls_port))}, '
                  f'"listener_filters": {inspector}, "filter_chains": [{chains}]}}')
        return f'{{"resources": [{plain},\n{secure}]}}'

    def _routes(self) -> str:
        kind = json.dumps(TYPE + "config.route.v3.RouteConfiguration")
        own = [json.dumps(virtual_host("steady", STEADY_HOST, "app")),
               json.dumps(virtual_host("websocket", WEBSOCKET_HOST, "websocket"))]
        hosts = ",\n".join(own + self._hosts)
        return f'{{"resources": [{{"@type": {kind}, "name": "routes", "virtual_hosts": [{hosts}]}}]}}'

    def addition(self, number: int, pid: int) -> Callable[[], None]:
        domain = self.place.domains[number]
        self._chains.append(self._chain(domain))
        self._hosts.append(self._virtual_host(domain))
        routes = replace(self.place.folder / "routes.json", self._routes())
        listeners = replace(self.place.folder / "listeners.json", self._listeners())

        def change() -> None:
            routes()
            listeners()

        return change


def virtual_host(name: str, host: str, cluster: str) -> dict:
    return {"name": name, "domains": [host],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}
