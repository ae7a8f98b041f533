"""Certificates of every kind that a test needs, from an authority of the test's own."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def make_key(kind: str):
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def alternative_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass(frozen=True)
class Leaf:
    """A certificate in files, with its key; `chain` holds the intermediate ones too."""

    certificate: x509.Certificate
    chain: Path
    key: Path

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def not_after(self) -> float:
        return self.certificate.not_valid_after_utc.timestamp()

    def described(self, name: str, **settings) -> dict:
        """The entry of the configuration's `certificates`."""
        return {"name": name, "certificate": str(self.chain), "key": str(self.key), **settings}


class Authority:
    """Signs certificates, revocation lists and OCSP responses."""

    def __init__(self, folder: Path, name: str = "Test authority", parent: "Authority | None" = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.parent = parent
        self._count = 0
        self._key = make_key("ecdsa")
        self.subject = named(name)
        issuer = parent or self
        self.certificate = (
            self._builder(self.subject, issuer.subject, self._key, 3_650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(issuer._key, hashes.SHA256()))
        self._stem = name.replace(" ", "-").lower()
        self.file = folder / f"{self._stem}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def _builder(subject: x509.Name, issuer: x509.Name, key, lasts: datetime.timedelta, *,
                 begins: datetime.datetime | None = None) -> x509.CertificateBuilder:
        begins = begins or now() - DAY
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(begins + lasts))

    def intermediate(self, name: str = "Intermediate authority") -> "Authority":
        return Authority(self.folder, name, parent=self)

    def issue(self, *names: str, key: str = "ecdsa", common_name: str | None = None, days: float = 90,
              expired: bool = False, not_yet: bool = False, client: bool = False, file: str | None = None) -> Leaf:
        """A certificate for names and addresses; `file` replaces one that was issued under the same name."""
        private = make_key(key)
        begins = now() - DAY
        if expired:
            begins = now() - (days + 1) * DAY
        if not_yet:
            begins = now() + DAY
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            self._builder(named(common_name or (names[0] if names else "nobody")), self.subject, private,
                          days * DAY, begins=begins)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                           critical=False))
        if names:
            alternatives = x509.SubjectAlternativeName([alternative_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        self._count += 1
        stem = file or f"{self._stem}-{self._count}-{key}"
        leaf = Leaf(certificate, self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        # The key first: whoever watches the chain finds both.
        leaf.key.write_bytes(private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        leaf.chain.write_bytes(b"".join(
            one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *self._chain())))
        return leaf

    def _chain(self) -> list[x509.Certificate]:
        """Its own certificate and those above, without the root, which clients have."""
        return [] if self.parent is None else [self.certificate, *self.parent._chain()]

    def revocations(self, *revoked: Leaf, file: str = "revoked.pem") -> Path:
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.subject)
                   .last_update(now() - DAY).next_update(now() + 30 * DAY))
        for leaf in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(leaf.certificate.serial_number)
                .revocation_date(now() - DAY).build())
        path = self.folder / file
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def ocsp_response(self, leaf: Leaf, file: str = "ocsp.der") -> Path:
        """A signed "good", as a responder gives it."""
        response = (
            ocsp.OCSPResponseBuilder()
            .add_response(leaf.certificate, self.certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD,
                          now() - DAY, now() + 7 * DAY, None, None)
            .responder_id(ocsp.OCSPResponderEncoding.NAME, self.certificate)
            .sign(self._key, hashes.SHA256()))
        path = self.folder / file
        path.write_bytes(response.public_bytes(serialization.Encoding.DER))
        return path
