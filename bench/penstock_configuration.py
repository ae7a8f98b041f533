"""Penstock's configuration. Every default stays as it is: they are what the peers are made to match."""

from scenarios import hosts


def configuration(setup, port: int, admin_port: int) -> dict:
    listener: dict = {"name": "web", "address": f"127.0.0.1:{port}"}
    service: dict = {"name": "origin", "endpoints": [f"127.0.0.1:{setup.origin_port}"]}
    document = {
        "listeners": [listener],
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "services": [service],
        "routes": [
            {"name": host.partition(".")[0], "hosts": [host], "match": [{"path": "/api"}],
             "service": "origin"}
            for host in hosts()],
    }
    if setup.work.has_tls:
        listener["tls"] = {} if setup.work.tickets else {"tickets": "off"}
        document["certificates"] = [{
            "name": "bench", "certificate": str(setup.certificate.chain), "key": str(setup.certificate.key),
            "default": True}]
    if setup.work.origin == "grpc":
        service["protocol"] = "h2"
    if setup.access_log:
        document["accessLog"] = {"format": "json", "path": str(setup.folder / "access.log")}
    return document
