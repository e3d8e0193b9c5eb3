"""What differs from the template in the environment of a function or of a pod of ours: this table, and nothing else.

Handlers do not know that they are local. They read the template's variables; the AWS SDK reads AWS_ENDPOINT_URL by
itself; the private API's https URL becomes the local gateway's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from infra.local.wires import Function, RestApi

_EXECUTE_API = re.compile(r"^https://([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com/([^/]+)")


class Credentials(Protocol):
    """What signs the requests of a function."""

    @property
    def access_key(self) -> str: ...  # noqa: D102

    @property
    def secret_key(self) -> str: ...  # noqa: D102

    @property
    def token(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True)
class Endpoints:
    """Where the local services listen."""

    aws: str
    gateway: str
    cache: str  # host:port
    apis: Mapping[str, RestApi]

    def api_url(self, api: RestApi) -> str:
        """Return the local URL of a REST API's stage, without a slash at its end."""
        return f"{self.gateway}/{api.name}/{api.stage}"

    def local(self, url: str) -> str:
        """Return the gateway's URL for one of the template's execute-api URLs; another URL comes back as it is."""
        match = _EXECUTE_API.match(url)
        if match is None or match[1] not in self.apis:
            return url
        return self.api_url(self.apis[match[1]]) + url[match.end() :]

    def overrides(self, template: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that are not the template's: the table of local endpoints."""
        table = {"AWS_ENDPOINT_URL": self.aws}
        if "CREDENTIALS_URL" in template:
            table["CREDENTIALS_URL"] = self.local(template["CREDENTIALS_URL"])
        return table

    def sidecar(self) -> dict[str, str]:
        """Return what a sidecar's container gets beside its manifest's variables."""
        return {"AWS_ENDPOINT_URL": self.aws, "CACHE_URL": f"http://{self.cache}"}

    def cache_daemon(self) -> dict[str, str]:
        """Return what differs in the environment of the node's cache."""
        return {"AWS_ENDPOINT_URL": self.aws, "CACHE_LISTEN": self.cache}


def runtime(function: Function, credentials: Credentials) -> dict[str, str]:
    """Return the variables that the Lambda runtime itself sets, on AWS as here."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token or "",
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_REGION": function.region,
        "LAMBDA_TASK_ROOT": str(function.task_root),
        "LANG": "C.UTF-8",  # "en_US.UTF-8" on AWS, which a small machine lacks
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }


def environment(function: Function, credentials: Credentials, endpoints: Endpoints) -> dict[str, str]:
    """Return the whole environment of a function's process."""
    template = dict(function.environment)
    return {**runtime(function, credentials), **template, **endpoints.overrides(template)}
