"""Service-account tokens: the cluster's key, its public half as the OIDC discovery shows it, and what it signs."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_NAMESPACE = uuid.UUID("6b8d4f0e-6d0b-4b57-9f0a-0c6e0e7b7c11")  # a service account's uid follows from its name


class Issuer:
    """Signs tokens as the API server does; the key lives in `state` so that a restart keeps tokens valid."""

    def __init__(self, issuer: str, state: Path) -> None:
        self.url = issuer
        self._key = _load_or_create(state / "service-account.key")
        public = self._key.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._key_id = _base64url(hashlib.sha256(der).digest())
        self._numbers = public.public_numbers()

    def jwks(self) -> dict[str, Any]:
        """Return the key set of GET /openid/v1/jwks."""
        n, e = (_base64url(i.to_bytes((i.bit_length() + 7) // 8, "big")) for i in (self._numbers.n, self._numbers.e))
        return {"keys": [{"use": "sig", "kty": "RSA", "kid": self._key_id, "alg": "RS256", "n": n, "e": e}]}

    def discovery(self) -> dict[str, Any]:
        """Return GET /.well-known/openid-configuration."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def token(
        self, *, audience: str, seconds: int, namespace: str, service_account: str, pod: str, pod_uid: str
    ) -> str:
        """Return a token bound to one pod, valid from now for `seconds`."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": [audience],
            "sub": f"system:serviceaccount:{namespace}:{service_account}",
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                "pod": {"name": pod, "uid": pod_uid},
                "serviceaccount": {
                    "name": service_account,
                    "uid": str(uuid.uuid5(_NAMESPACE, f"{namespace}/{service_account}")),
                },
            },
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})


def _load_or_create(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise ValueError(f"{path} is no RSA key")
    return loaded


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
