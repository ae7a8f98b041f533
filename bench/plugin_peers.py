"""What the peers of `whole` in plugins.py are set to: the same work as Penstock's, as their users would write it."""

import json
from pathlib import Path

from envoy_configuration import ACCESS_LOG_FIELDS, TYPE, socket_address

LUA_MODULE = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
# Lua modules find each other by names of Debian's package ndk as well.
NDK_MODULE = Path("/usr/lib/nginx/modules/ndk_http_module.so")

NGINX_LUA = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
load_module {ndk};
load_module {lua};
events {{ worker_connections 4096; }}
http {{
  map_hash_max_size 262144;
  map_hash_bucket_size 128;
  variables_hash_max_size 2048;
  lua_shared_dict limits 64m;
  lua_shared_dict metrics 16m;
  log_format json escape=json '{{"time":"$time_iso8601","client":"$remote_addr","id":"$request_id",'
    '"method":"$request_method","host":"$host","path":"$uri","protocol":"$server_protocol","status":$status,'
    '"requestBytes":$request_length,"responseBytes":$bytes_sent,"seconds":$request_time,'
    '"upstream":"$upstream_addr","upstreamSeconds":"$upstream_response_time","route":"$route",'
    '"consumer":"$consumer","userAgent":"$http_user_agent"}}';
  access_log {folder}/access.log json buffer=64k flush=1s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 128; keepalive_requests 1000000000; }}
  map $host $route {{
    default "";
    include {folder}/routes.map;
  }}
  init_by_lua_block {{
    require "resty.core"
    consumers = {{}}
    for number = 0, {consumers} - 1 do
      consumers["key-of-consumer-" .. number] = "consumer-" .. number
    end
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      set $consumer "";
      access_by_lua_block {{
        local route = ngx.var.route
        if route == "" then return ngx.exit(404) end
        if route == "plain" then return end
        local key = ngx.var.http_apikey
        local consumer = key and consumers[key]
        if not consumer then return ngx.exit(401) end
        ngx.var.consumer = consumer
        ngx.req.set_header("X-Consumer-Username", consumer)
        local used = ngx.shared.limits:incr(consumer .. ":" .. math.floor(ngx.now()), 1, 0, 2)
        ngx.header["X-RateLimit-Limit"] = {limit}
        ngx.header["X-RateLimit-Remaining"] = {limit} - used
        if used > {limit} then return ngx.exit(429) end
      }}
      log_by_lua_block {{
        local metrics = ngx.shared.metrics
        local prefix = ngx.var.route .. ":"
        metrics:incr(prefix .. ngx.status, 1, 0)
        metrics:incr(prefix .. "bytes", tonumber(ngx.var.bytes_sent), 0)
        metrics:incr(prefix .. "seconds", tonumber(ngx.var.request_time), 0)
      }}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://origin;
    }}
  }}
}}
"""


def write_nginx_lua(folder: Path, port: int, origin: int, user: str, routes: list[str], consumers: int,
                    limit: int) -> None:
    """Routes by a map of hosts, keys in a table of Lua, limits and metrics in shared dictionaries."""
    (folder / "routes.map").write_text("".join(
        f"{host} {host.split('.')[0]};\n" for host in routes))
    (folder / "nginx.conf").write_text(NGINX_LUA.format(
        folder=folder, port=port, origin=origin, user=user, consumers=consumers, limit=limit, lua=LUA_MODULE,
        ndk=NDK_MODULE))


def write_envoy(folder: Path, port: int, admin_port: int, origin: int, routes: list[str], consumers: int,
                limit: int) -> None:
    """A virtual host for each route, api_key_auth, local_ratelimit with one bucket for all, and a JSON log."""
    filters = [
        ("api_key_auth", {
            "@type": TYPE + "filters.http.api_key_auth.v3.ApiKeyAuth",
            "credentials": [{"key": f"key-of-consumer-{number}", "client": f"consumer-{number}"}
                            for number in range(consumers)],
            "key_sources": [{"header": "apikey"}],
            "forwarding": {"header": "x-consumer-username"}}),
        ("local_ratelimit", {
            "@type": TYPE + "filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "limit",
            "token_bucket": {"max_tokens": limit, "tokens_per_fill": limit, "fill_interval": "1s"},
            "filter_enabled": {"default_value": {"numerator": 100}},
            "filter_enforced": {"default_value": {"numerator": 100}},
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03"}),
        ("router", {"@type": TYPE + "filters.http.router.v3.Router"}),
    ]
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "http_filters": [{"name": f"envoy.filters.http.{name}", "typed_config": settings}
                         for name, settings in filters],
        "route_config": {"name": "routes", "virtual_hosts": [virtual_host(host) for host in routes]},
        "access_log": [{"name": "envoy.access_loggers.file", "typed_config": {
            "@type": TYPE + "access_loggers.file.v3.FileAccessLog", "path": str(folder / "access.log"),
            "log_format": {"json_format": ACCESS_LOG_FIELDS}}}],
    }
    (folder / "envoy.json").write_text(json.dumps({
        "admin": {"address": socket_address(admin_port)},
        "static_resources": {
            "listeners": [{"name": "web", "address": socket_address(port), "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [{"name": "origin", "type": "STATIC", "connect_timeout": "3s", "load_assignment": {
                "cluster_name": "origin",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(origin)}}]}]}}]}}))


def virtual_host(host: str) -> dict:
    described = {"name": host, "domains": [host],
                 "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}]}
    if host.startswith("plain."):
        # It is asked whether the server is ready, by one without a key.
        described["typed_per_filter_config"] = {"envoy.filters.http.api_key_auth": {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True,
            "config": {"@type": TYPE + "filters.http.api_key_auth.v3.ApiKeyAuthPerRoute"}}}
    return described
