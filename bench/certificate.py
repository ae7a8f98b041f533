"""The certificate that every proxy shows: ECDSA with P-256, signed by an authority of its own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from process import BenchError

# `localhost` is what wrk names in SNI: it resolves what it names.
NAMES = "DNS:*.bench.test,DNS:localhost"
DAYS = "30"

# For wrk, which has no options for them. OpenSSL applies what is here to every context of a process.
OPENSSL_SETTINGS = """
openssl_conf = settings
[settings]
ssl_conf = ssl
[ssl]
system_default = everything
[everything]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""


@dataclass(frozen=True)
class Certificate:
    chain: Path
    key: Path
    both: Path  # chain and key in one file, as HAProxy wants them
    openssl_settings: Path


def make_certificate(folder: Path) -> Certificate:
    folder.mkdir(parents=True)
    files = Certificate(
        folder / "chain.pem", folder / "key.pem", folder / "both.pem", folder / "openssl.cnf")
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=Bench authority", "-days", DAYS, "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=bench.test", "-addext", f"subjectAltName={NAMES}", "-keyout", files.key.name,
            "-out", "request.pem")
    openssl(folder, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
            "-copy_extensions", "copy", "-days", DAYS, "-out", files.chain.name)
    files.both.write_text(files.chain.read_text() + files.key.read_text())
    files.openssl_settings.write_text(OPENSSL_SETTINGS)
    return files


def openssl(folder: Path, *arguments: str) -> None:
    try:
        result = subprocess.run(
            ["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError as error:
        raise BenchError("openssl is not installed: scripts/bootstrap bench") from error
    if result.returncode != 0:
        raise BenchError(f"openssl {arguments[0]} failed:\n{result.stderr}")
