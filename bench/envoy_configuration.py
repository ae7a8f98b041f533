"""Envoy's configuration, as JSON."""

from scenarios import hosts

TYPE = "type.googleapis.com/envoy.extensions."

ACCESS_LOG_FIELDS = {
    "time": "%START_TIME%", "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "id": "%REQ(X-REQUEST-ID)%",
    "method": "%REQ(:METHOD)%", "host": "%REQ(:AUTHORITY)%", "path": "%REQ(:PATH)%",
    "protocol": "%PROTOCOL%", "status": "%RESPONSE_CODE%", "requestBytes": "%BYTES_RECEIVED%",
    "responseBytes": "%BYTES_SENT%", "milliseconds": "%DURATION%", "upstream": "%UPSTREAM_HOST%",
    "retries": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "requestMilliseconds": "%REQUEST_DURATION%",
    "headMilliseconds": "%RESPONSE_DURATION%", "sendMilliseconds": "%RESPONSE_TX_DURATION%",
    "userAgent": "%REQ(USER-AGENT)%",
}


def configuration(setup, port: int, admin_port: int) -> dict:
    return {
        "admin": {"address": socket_address(admin_port)},
        "static_resources": {
            "listeners": [{
                "name": "web",
                "address": socket_address(port),
                "filter_chains": [filter_chain(setup)],
            }],
            "clusters": [cluster(setup)],
        },
    }


def socket_address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def filter_chain(setup) -> dict:
    chain = {"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager(setup),
    }]}
    if setup.work.has_tls:
        chain["transport_socket"] = {
            "name": "envoy.transport_sockets.tls", "typed_config": downstream_tls(setup)}
    return chain


def downstream_tls(setup) -> dict:
    return {
        "@type": TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
        "disable_stateless_session_resumption": not setup.work.tickets,
        "disable_stateful_session_resumption": not setup.work.tickets,
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"] if setup.work.front == "https" else ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{
                "certificate_chain": {"filename": str(setup.certificate.chain)},
                "private_key": {"filename": str(setup.certificate.key)},
            }],
        },
    }


def connection_manager(setup) -> dict:
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "use_remote_address": True,
        "append_x_forwarded_port": True,
        "via": "1.1 envoy",
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": TYPE + "filters.http.router.v3.Router",
                # Fields of Envoy's own that nobody else here adds.
                "suppress_envoy_headers": True,
            },
        }],
        "route_config": {
            "name": "routes",
            "request_headers_to_add": [{
                "header": {"key": "X-Forwarded-Host", "value": "%REQ(:AUTHORITY)%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }],
            "virtual_hosts": [
                {
                    "name": host,
                    "domains": [host],
                    "routes": [{
                        "match": {"path_separated_prefix": "/api"},
                        "route": {"cluster": "origin"},
                    }],
                } for host in hosts()],
        },
    }
    if setup.work.origin == "websocket":
        manager["upgrade_configs"] = [{"upgrade_type": "websocket"}]
    if setup.access_log:
        manager["access_log"] = [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": TYPE + "access_loggers.file.v3.FileAccessLog",
                "path": str(setup.folder / "access.log"),
                "log_format": {"json_format": ACCESS_LOG_FIELDS},
            },
        }]
    return manager


def cluster(setup) -> dict:
    described = {
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "3s",
        "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(setup.origin_port)}}]}],
        },
    }
    if setup.work.origin == "grpc":
        described["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        }
    return described
