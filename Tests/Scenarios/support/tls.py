"""Clients of TLS: each says exactly what it offers, and what it wants to see."""

import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

from .certificates import Authority, Leaf
from .client import Client
from .http import ConnectionEnded
from .programs import find_program

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(authority: Authority | None = None, *, alpn: list[str] | None = None,
                   certificate: Leaf | None = None, version: str | None = None,
                   ciphers: str | None = None) -> ssl.SSLContext:
    """Verifies the server's chain by `authority`, or not at all; names are checked with `server_name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority.file)
    if alpn:
        context.set_alpn_protocols(alpn)
    if certificate:
        context.load_cert_chain(certificate.chain, certificate.key)
    if version:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    if ciphers:
        context.set_ciphers(ciphers)
    return context


class TLSClient(Client):
    """One connection by TLS; what `Client` does, and what the handshake agreed on."""

    def __init__(self, port: int, server_name: str | None = "example.test", context: ssl.SSLContext | None = None, *,
                 session: ssl.SSLSession | None = None, seconds: float = 10.0, **offers: Any):
        context = context or client_context(**offers)
        super().__init__(port, seconds, wrap=lambda connection: context.wrap_socket(
            connection, server_hostname=server_name, session=session))

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket

    @property
    def certificate(self) -> bytes:
        """The server's, in DER."""
        found = self.tls.getpeercert(binary_form=True)
        assert found is not None
        return found


def shown_certificate(port: int, server_name: str | None, **offers: Any) -> bytes:
    """The certificate that a handshake shows, in DER."""
    with TLSClient(port, server_name, **offers) as client:
        return client.certificate


def refusal(port: int, server_name: str | None = "example.test", **offers: Any) -> str:
    """The reason that OpenSSL gives for a handshake that fails.

    With TLS 1.3 a server refuses a client's certificate when the client's side of the handshake is done; so this
    reads, and sends nothing that could cross the alert.
    """
    try:
        with TLSClient(port, server_name, seconds=5.0, **offers) as client:
            if not client.read_some():
                return "closed"
    except ssl.SSLError as error:
        # Python does not know all of OpenSSL's reasons by name, but has their text.
        return error.reason or re.sub(r"^\[SSL\] | \(_ssl.*", "", str(error)).upper().replace(" ", "_")
    except (ConnectionError, ConnectionEnded) as error:
        return f"closed: {error}"
    except AssertionError:
        pass
    raise AssertionError("the handshake was accepted")


def s_client(port: int, *arguments: str, server_name: str = "example.test", send: str = "") -> str:
    """What `openssl s_client` prints of a connection, which it ends after its input."""
    program = find_program("openssl")
    assert program, "openssl is not installed: scripts/bootstrap test"
    result = subprocess.run(
        [program, "s_client", "-connect", f"127.0.0.1:{port}", "-servername", server_name, *arguments],
        input=send, capture_output=True, text=True, timeout=20, check=False, errors="replace")
    return result.stdout + result.stderr


def stapled_response(port: int, server_name: str) -> str | None:
    """The certificate status of the OCSP response in the handshake; None without a response."""
    output = s_client(port, "-status", server_name=server_name)
    if "OCSP response: no response sent" in output:
        return None
    found = re.search(r"Cert Status: (\w+)", output)
    assert found, output
    return found[1]


def curl(folder: Path, *arguments: str, seconds: float = 30.0) -> subprocess.CompletedProcess:
    """curl, quiet, with what it prints as bytes."""
    program = find_program("curl")
    assert program, "curl is not installed: scripts/bootstrap test"
    return subprocess.run([program, "--silent", "--show-error", "--max-time", str(int(seconds)), *arguments],
                          cwd=folder, capture_output=True, timeout=seconds + 5, check=False)
