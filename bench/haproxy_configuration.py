"""HAProxy's configuration."""

HAPROXY = """
global
  nbthread {workers}
  maxconn {connections}
{log_target}{tls}
defaults
  mode http
  timeout connect 3s
  timeout client 3600s
  timeout server 60s
  timeout tunnel 3600s
  timeout http-keep-alive 3600s
  option http-keep-alive
  http-reuse always
{log_use}
frontend web
  bind 127.0.0.1:{port}{bind} backlog 4096
  option forwardfor
{log_fields}  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  http-request set-header X-Forwarded-Proto {scheme}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request add-header Via "1.1 haproxy"
  http-response add-header Via "1.1 haproxy"
  acl routed path /api
  acl routed path_beg /api/
  use_backend %[req.hdr(host),host_only,lower,map_str({folder}/hosts.map)] if routed
backend origin
  server origin 127.0.0.1:{origin_port}{server}
frontend metrics
  bind 127.0.0.1:{metrics_port}
  http-request use-service prometheus-exporter if {{ path /metrics }}
"""

LOG_FORMAT = (
    '{"time":"%Tl","client":"%ci","id":"%ID","method":"%HM","host":"%[capture.req.hdr(0),json(utf8s)]",'
    '"path":"%[capture.req.uri,json(utf8s)]","protocol":"%HV","status":%ST,"requestBytes":%U,'
    '"responseBytes":%B,"seconds":%Ta,"upstream":"%si:%sp","retries":"%rc","connectSeconds":%Tc,'
    '"headSeconds":%Tr,"upstreamSeconds":%Td,"userAgent":"%[capture.req.hdr(1),json(utf8s)]"}')


def configuration(setup, port: int, metrics_port: int, connections_max: int) -> str:
    """Its log goes to standard output, which `Server` points at a file."""
    work = setup.work
    log_fields = ""
    if setup.access_log:
        escaped = LOG_FORMAT.replace('"', '\\"').replace(" ", "\\ ")
        log_fields = ("  capture request header Host len 64\n"
                      f"  capture request header User-Agent len 128\n  log-format \"{escaped}\"\n")
    return HAPROXY.format(
        workers=setup.workers, port=port, folder=setup.folder, origin_port=setup.origin_port,
        metrics_port=metrics_port, connections=connections_max,
        log_target="  log stdout format raw local0\n" if setup.access_log else "",
        log_use="  log global" if setup.access_log else "", log_fields=log_fields,
        tls="  ssl-default-bind-options ssl-min-ver TLSv1.2" + ("" if work.tickets else " no-tls-tickets"),
        bind=bind(setup), scheme="https" if work.has_tls else "http",
        server=" proto h2" if work.origin == "grpc" else "")


def bind(setup) -> str:
    protocols = {"https": "http/1.1", "h2": "h2,http/1.1"}
    if setup.work.has_tls:
        return f" ssl crt {setup.certificate.both} alpn {protocols[setup.work.front]}"
    return " proto h2" if setup.work.front == "h2c" else ""
