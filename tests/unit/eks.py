"""A token as the dispatcher makes it, and a small STS that answers it, for the tests of the local cluster."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from botocore.signers import RequestSigner

ROLE = "arn:aws:iam::123456789012:role/tapedeck/Dispatch"
SESSION = "arn:aws:sts::123456789012:assumed-role/Dispatch/worker"


def eks_token(cluster: str = "demo", action: str = "GetCallerIdentity", header: str = "x-k8s-aws-id") -> str:
    session = boto3.Session("AKIDEXAMPLE", "secret", region_name="us-east-1")
    client = session.client("sts")
    signer = RequestSigner(
        client.meta.service_model.service_id, "us-east-1", "sts", "v4", session.get_credentials(), session.events
    )
    request = {
        "method": "GET",
        "url": f"https://sts.us-east-1.amazonaws.com/?Action={action}&Version=2011-06-15",
        "body": {},
        "headers": {header: cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name="us-east-1", expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


class Sts(ThreadingHTTPServer):
    """Answers like GetCallerIdentity for the cluster named demo; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str | None]] = []
        sts = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cluster = self.headers.get("x-k8s-aws-id")
                sts.asked.append((self.path, self.headers.get("Host"), cluster))
                self.send_response(200 if cluster == "demo" else 403)
                self.end_headers()
                self.wfile.write(f"<Result><Arn>{SESSION}</Arn></Result>".encode())

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)


@contextmanager
def answering() -> Iterator[Sts]:
    """An STS that answers until the block ends."""
    server = Sts()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
