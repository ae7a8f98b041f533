"""nginx's configuration."""

import json

from origin import user_directive
from scenarios import hosts

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
{tls}{forwarding}
  add_header Via "1.1 nginx" always;
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
    listen 127.0.0.1:{port}{listen} default_server backlog=4096{reuseport};
    {default_server_name}
    return 404;
  }}
{servers}
}}
"""

SERVER = """  server {{
    listen 127.0.0.1:{port}{listen};
    server_name {host};
    location /api/ {{ {handler}_pass {handler_scheme}://origin; }}
  }}"""

FORWARDING_FIELDS = {
    "Host": "$host",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Host": "$host",
    "X-Forwarded-Port": "$server_port",
    "X-Request-ID": "$request_id",
    "Via": '"1.1 nginx"',
}

PROXY = """  proxy_buffers 8 16k;
  proxy_busy_buffers_size 32k;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
"""

# One context of OpenSSL for each of the 1,000 servers, as nginx makes them. Tickets go with a cache for
# clients of TLS 1.2, as its documentation advises.
TLS = """  ssl_certificate {chain};
  ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache {cache};
  ssl_session_tickets {tickets};
"""

LISTEN = {"http": "", "https": " ssl", "h2": " ssl http2", "h2c": " http2"}

LOG_FORMAT = json.dumps({
    "time": "$time_iso8601", "client": "$remote_addr", "id": "$request_id", "method": "$request_method",
    "host": "$host", "path": "$request_uri", "protocol": "$server_protocol", "status": "$status",
    "requestBytes": "$request_length", "responseBytes": "$bytes_sent", "seconds": "$request_time",
    "upstream": "$upstream_addr", "upstreamStatus": "$upstream_status",
    "connectSeconds": "$upstream_connect_time", "headSeconds": "$upstream_header_time",
    "upstreamSeconds": "$upstream_response_time", "userAgent": "$http_user_agent",
})


def configuration(setup, port: int, metrics_port: int) -> str:
    work = setup.work
    handler, scheme = ("grpc", "grpc") if work.origin == "grpc" else ("proxy", "http")
    log = f"{setup.folder}/access.log structured buffer=64k flush=1s" if setup.access_log else "off"
    listen = LISTEN[work.front]
    return NGINX.format(
        user=user_directive(), workers=setup.workers, folder=setup.folder, log_format=LOG_FORMAT,
        access_log=log, origin_port=setup.origin_port, metrics_port=metrics_port, port=port, listen=listen,
        reuseport=" reuseport" if setup.workers > 1 else "",
        tls=tls(setup) if work.has_tls else "", forwarding=forwarding(work, handler),
        # A name of its own, so that nobody asks for this server by one of the routes'.
        default_server_name="server_name localhost;",
        servers="\n".join(
            SERVER.format(port=port, host=host, listen=listen, handler=handler, handler_scheme=scheme)
            for host in hosts()))


def tls(setup) -> str:
    tickets = setup.work.tickets
    return TLS.format(
        chain=setup.certificate.chain, key=setup.certificate.key, tickets="on" if tickets else "off",
        cache="shared:sessions:10m" if tickets else "off")


def forwarding(work, handler: str) -> str:
    fields = dict(FORWARDING_FIELDS)
    before = ""
    if handler == "grpc":
        before = "  grpc_read_timeout 60s;\n"
    else:
        before = PROXY
        if work.origin == "websocket":
            before += "  proxy_read_timeout 3600s;\n"
            before += "  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n"
            fields |= {"Upgrade": "$http_upgrade", "Connection": "$connection_upgrade"}
        else:
            fields["Connection"] = '""'
    return before + "".join(f"  {handler}_set_header {name} {value};\n" for name, value in fields.items())
