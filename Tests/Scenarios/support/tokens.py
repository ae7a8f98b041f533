"""Signed tokens and the keys that they are verified with, made by PyJWT and `cryptography`."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import algorithms

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class SigningKey:
    """A key pair for one algorithm."""

    def __init__(self, algorithm: str = "RS256", kid: str | None = "first", bits: int = 2_048):
        self.algorithm = algorithm
        self.kid = kid
        if algorithm in CURVES:
            self.private: Any = ec.generate_private_key(CURVES[algorithm])
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(public_exponent=65_537, key_size=bits)

    @property
    def pem(self) -> str:
        """The public key."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def jwk(self, **more: Any) -> dict:
        """The public key, as sets have it; None takes a member out."""
        makers = {"R": algorithms.RSAAlgorithm, "P": algorithms.RSAAlgorithm, "E": algorithms.ECAlgorithm}
        maker = algorithms.OKPAlgorithm if self.algorithm == "EdDSA" else makers[self.algorithm[0]]
        members = json.loads(maker.to_jwk(self.private.public_key()))
        members.pop("key_ops", None)
        members = {**members, "use": "sig", "alg": self.algorithm, "kid": self.kid, **more}
        return {name: value for name, value in members.items() if value is not None}

    def token(self, *, headers: dict | None = None, algorithm: str | None = None, **claims: Any) -> str:
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(claims, self.private, algorithm or self.algorithm, headers={**named, **(headers or {})})


def key_set(*keys: SigningKey | dict) -> str:
    return json.dumps({"keys": [key if isinstance(key, dict) else key.jwk() for key in keys]})


def shared_token(secret: str | bytes, algorithm: str = "HS256", headers: dict | None = None, **claims: Any) -> str:
    return jwt.encode(claims, secret, algorithm, headers=headers)


def soon(seconds: float = 60) -> int:
    return int(time.time() + seconds)


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"
