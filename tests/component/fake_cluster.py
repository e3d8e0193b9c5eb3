"""The Kubernetes API over HTTPS as a client sees it: Jobs and pods in two dictionaries, keys of one test issuer.

The local stack's cluster runs pods; this one only answers, so that a test can say what has become of them.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NAMESPACE = "backtests"


class FakeCluster:
    """`jobs` and `pods` are what it answers; `asked` what it was asked, `refuses` makes every answer a 500."""

    def __init__(self, folder: Path) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, str]] = []  # method, path, bearer token
        self.refuses = False
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = self._certify(folder)
        self.ca = base64.b64encode(pem.read_bytes()).decode()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, folder / "key.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, pod: str, **changed: Any) -> str:
        """A token as the cluster projects it into a pod; `changed` claims make it a wrong one."""
        claims = {
            "iss": self.endpoint,
            "aud": ["tapedeck-credentials"],
            "sub": f"system:serviceaccount:{NAMESPACE}:sidecar",
            "exp": int(time.time()) + 600,
            "kubernetes.io": {"namespace": NAMESPACE, "pod": {"name": pod, "uid": "u"}},
        }
        return jwt.encode({**claims, **changed}, self._key, algorithm="RS256", headers={"kid": "k1"})

    def finish(self, name: str, kind: str, reason: str) -> None:
        """Give a Job its end: kind Complete or Failed."""
        self.jobs[name]["status"] = {"conditions": [{"type": kind, "status": "True", "reason": reason}]}

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        url = urlsplit(target)
        jobs, pods = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", f"/api/v1/namespaces/{NAMESPACE}/pods"
        if self.refuses:
            return 500, {"kind": "Status", "message": "the cluster has a bad day"}
        if url.path == "/openid/v1/jwks":
            return 200, self._jwks()
        if url.path == pods:
            wanted = parse_qs(url.query)["labelSelector"][0].split(",")[0].split("=")[1]
            return 200, {"metadata": {}, "items": [p for p in self.pods if wanted in p["metadata"]["name"]]}
        return self._job(method, url.path.removeprefix(jobs).lstrip("/"), body)

    def _job(self, method: str, name: str, body: bytes) -> tuple[int, Any]:
        if method == "POST":
            job = json.loads(body)
            if self.jobs.setdefault(job["metadata"]["name"], job) is not job:
                return 409, {"kind": "Status", "reason": "AlreadyExists"}
            return 201, job
        if method == "DELETE" and self.jobs.pop(name, None):
            return 200, {"kind": "Status", "status": "Success"}
        if method == "GET" and not name:
            return 200, {"metadata": {}, "items": list(self.jobs.values())}
        return 404, {"kind": "Status", "reason": "NotFound"}

    def _jwks(self) -> dict[str, Any]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": "k1", "use": "sig", "alg": "RS256"}]}

    def _certify(self, folder: Path) -> Path:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake-cluster")])
        now = datetime.datetime.now(datetime.UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(address, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "key.pem").write_bytes(private)
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return folder / "certificate.pem"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                cluster.asked.append((self.command, self.path, token))
                status, said = cluster._answer(self.command, self.path, body)
                sent = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            do_POST = do_DELETE = do_GET  # noqa: N815 - the standard library's names

            def log_message(self, *_: object) -> None:
                pass

        return Handler
