"""The proxies under test, each configured as its experts would, with the same features on.

Every one of them: 1,000 hosts with one route each (path prefix /api), keep-alive connections to one origin,
X-Forwarded-For, -Proto, -Host and -Port, X-Request-ID, Via in both directions, metrics, one worker.
"""

import json
import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

from origin import find_nginx, user_directive
from process import BenchError, Server, free_port
from scenarios import hosts

REPOSITORY = Path(__file__).resolve().parent.parent
NAMES = ("penstock", "nginx", "haproxy", "envoy")


@dataclass(frozen=True)
class ProxySetup:
    """Where a proxy runs and what it does."""

    folder: Path
    origin_port: int
    cores: set[int]
    workers: int = 1
    access_log: bool = False


def start_proxy(name: str, setup: ProxySetup) -> Server:
    """Starts a proxy and waits until it forwards a request; raises `BenchError` if it does not."""
    setup.folder.mkdir(parents=True)
    port = free_port()
    command = {
        "penstock": penstock_command, "nginx": nginx_command,
        "haproxy": haproxy_command, "envoy": envoy_command,
    }[name](setup, port)
    server = Server(name, command, setup.folder, setup.cores, port)
    try:
        for host in (hosts()[0], hosts()[-1]):
            server.wait_until_ready(host, "/api/small")
    except BenchError:
        server.stop()
        raise
    return server


def connections_max(name: str) -> int:
    """Client connections that a proxy accepts here: HAProxy insists on two descriptors for each."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100
    return min(12_000, descriptors // 2 if name == "haproxy" else descriptors)


def penstock_binary() -> Path:
    return Path(os.environ.get("PENSTOCK_BINARY", REPOSITORY / ".build" / "release" / "penstock")).resolve()


def penstock_command(setup: ProxySetup, port: int) -> list[str]:
    """Every default stays as it is: they are what the peers are made to match."""
    configuration = {
        "listeners": [{"name": "web", "address": f"127.0.0.1:{port}"}],
        "admin": {"address": f"127.0.0.1:{free_port()}"},
        "services": [{"name": "origin", "endpoints": [f"127.0.0.1:{setup.origin_port}"]}],
        "routes": [
            {"name": host.partition(".")[0], "hosts": [host], "match": [{"path": "/api"}],
             "service": "origin"}
            for host in hosts()],
    }
    if setup.access_log:
        configuration["accessLog"] = {"format": "json", "path": str(setup.folder / "access.log")}
    # JSON is YAML too.
    file = setup.folder / "penstock.yaml"
    file.write_text(json.dumps(configuration, indent=1))
    return [str(penstock_binary()), "run", "-c", str(file), "--workers", str(setup.workers)]


NGINX = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 12288; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  log_format structured escape=json '{log_format}';
  access_log {access_log};
  server_names_hash_max_size 8192;
  server_names_hash_bucket_size 128;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  client_body_buffer_size 64k;
  proxy_buffers 8 16k;
  proxy_busy_buffers_size 32k;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $host;
  proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header X-Request-ID $request_id;
  proxy_set_header Via "1.1 nginx";
  add_header Via "1.1 nginx";
  upstream origin {{
    server 127.0.0.1:{origin_port};
    keepalive 128;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
  }}
  server {{
    listen 127.0.0.1:{metrics_port};
    location = /metrics {{ stub_status; }}
  }}
  server {{
    listen 127.0.0.1:{port} default_server backlog=4096{reuseport};
    return 404;
  }}
{servers}
}}
"""

NGINX_SERVER = """  server {{
    listen 127.0.0.1:{port};
    server_name {host};
    location /api/ {{ proxy_pass http://origin; }}
  }}"""

NGINX_LOG_FORMAT = json.dumps({
    "time": "$time_iso8601", "client": "$remote_addr", "id": "$request_id", "method": "$request_method",
    "host": "$host", "path": "$request_uri", "protocol": "$server_protocol", "status": "$status",
    "requestBytes": "$request_length", "responseBytes": "$bytes_sent", "seconds": "$request_time",
    "upstream": "$upstream_addr", "upstreamStatus": "$upstream_status",
    "connectSeconds": "$upstream_connect_time", "headSeconds": "$upstream_header_time",
    "upstreamSeconds": "$upstream_response_time", "userAgent": "$http_user_agent",
})


def nginx_command(setup: ProxySetup, port: int) -> list[str]:
    log = f"{setup.folder}/access.log structured buffer=64k flush=1s" if setup.access_log else "off"
    (setup.folder / "nginx.conf").write_text(NGINX.format(
        user=user_directive(), workers=setup.workers, folder=setup.folder, log_format=NGINX_LOG_FORMAT,
        access_log=log, origin_port=setup.origin_port, metrics_port=free_port(), port=port,
        reuseport=" reuseport" if setup.workers > 1 else "",
        servers="\n".join(NGINX_SERVER.format(port=port, host=host) for host in hosts())))
    return [find_nginx(), "-p", str(setup.folder), "-c", "nginx.conf", "-e", f"{setup.folder}/error.log"]


HAPROXY = """
global
  nbthread {workers}
  maxconn {connections}
{log_target}
defaults
  mode http
  timeout connect 3s
  timeout client 3600s
  timeout server 60s
  timeout http-keep-alive 3600s
  option http-keep-alive
  http-reuse always
{log_use}
frontend web
  bind 127.0.0.1:{port} backlog 4096
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request add-header Via "1.1 haproxy"
  http-response add-header Via "1.1 haproxy"
  acl routed path /api
  acl routed path_beg /api/
  use_backend %[req.hdr(host),host_only,lower,map_str({folder}/hosts.map)] if routed
backend origin
  server origin 127.0.0.1:{origin_port}
frontend metrics
  bind 127.0.0.1:{metrics_port}
  http-request use-service prometheus-exporter if {{ path /metrics }}
"""

HAPROXY_LOG_FORMAT = (
    '{"time":"%Tl","client":"%ci","id":"%ID","method":"%HM","host":"%[capture.req.hdr(0),json(utf8s)]",'
    '"path":"%[capture.req.uri,json(utf8s)]","protocol":"%HV","status":%ST,"requestBytes":%U,'
    '"responseBytes":%B,"seconds":%Ta,"upstream":"%si:%sp","retries":"%rc","connectSeconds":%Tc,'
    '"headSeconds":%Tr,"upstreamSeconds":%Td,"userAgent":"%[capture.req.hdr(1),json(utf8s)]"}')


def haproxy_command(setup: ProxySetup, port: int) -> list[str]:
    """Its log goes to standard output, which `Server` points at a file."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise BenchError("haproxy is not installed: scripts/bootstrap bench")
    (setup.folder / "hosts.map").write_text("".join(f"{host} origin\n" for host in hosts()))
    text = HAPROXY.format(
        workers=setup.workers, port=port, folder=setup.folder, origin_port=setup.origin_port,
        metrics_port=free_port(), connections=connections_max("haproxy"),
        log_target="  log stdout format raw local0" if setup.access_log else "",
        log_use="  log global" if setup.access_log else "")
    if setup.access_log:
        escaped = HAPROXY_LOG_FORMAT.replace('"', '\\"').replace(" ", "\\ ")
        text = text.replace(
            "  option forwardfor\n",
            "  option forwardfor\n  capture request header Host len 64\n"
            f"  capture request header User-Agent len 128\n  log-format \"{escaped}\"\n")
    (setup.folder / "haproxy.cfg").write_text(text)
    return [program, "-db", "-f", "haproxy.cfg"]


def envoy_command(setup: ProxySetup, port: int) -> list[str]:
    from envoy_configuration import configuration
    file = setup.folder / "envoy.json"
    file.write_text(json.dumps(configuration(setup, port, free_port())))
    return [
        str(find_envoy()), "-c", str(file), "--concurrency", str(setup.workers), "--disable-hot-restart",
        "--log-level", "error"]


def find_envoy() -> Path:
    """The program itself: what the package puts on the path is a script around it."""
    on_path = shutil.which("envoy")
    candidates = sorted((REPOSITORY / "build" / "venv").glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    if os.environ.get("ENVOY_BINARY"):
        candidates.insert(0, Path(os.environ["ENVOY_BINARY"]))
    if on_path:
        candidates.append(Path(on_path))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise BenchError("envoy is not installed: scripts/bootstrap bench")
