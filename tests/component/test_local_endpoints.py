from pathlib import Path

from infra.local.endpoints import Endpoints, environment, runtime
from infra.local.iam import Principal
from infra.local.wires import Function, RestApi

TEMPLATE = {
    "RUNS_BUCKET": "runs",
    "CREDENTIALS_URL": "https://a1b2.execute-api.us-east-1.amazonaws.com/live/credentials",
    "OTHER_URL": "https://example.com/live/credentials",
}
FUNCTION = Function(
    name="f",
    arn="arn:f",
    path="S/F",
    handler="functions.f.handler",
    task_root=Path("/assembly/asset.f"),
    layers=(),
    environment=TEMPLATE,
    timeout_s=3,
    memory_mb=128,
    role_arn="arn:r",
    workers=1,
    region="us-east-1",
)
ROLE = Principal("arn:aws:sts::1:assumed-role/r/f", "AROA:f", "1", "ASIA", "secret", "token")
API = RestApi("a1b2", "internal", "us-east-1", (), stage="live")


def test_nothing_differs_from_the_template_but_the_table_of_endpoints() -> None:
    endpoints = Endpoints("http://127.0.0.1:8401", "http://127.0.0.1:8400", "127.0.0.1:8404", {"a1b2": API})
    found = environment(FUNCTION, ROLE, endpoints)
    injected = runtime(FUNCTION, ROLE)
    assert not set(injected) & set(TEMPLATE)
    changed = {name: value for name, value in found.items() if {**injected, **TEMPLATE}.get(name) != value}
    assert changed == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8401",
        "CREDENTIALS_URL": "http://127.0.0.1:8400/internal/live/credentials",
    }
    assert set(found) == {*injected, *TEMPLATE, "AWS_ENDPOINT_URL"}


def test_a_function_without_a_private_url_gets_none() -> None:
    endpoints = Endpoints("http://127.0.0.1:8401", "http://127.0.0.1:8400", "127.0.0.1:8404", {})
    assert endpoints.overrides({"RUNS_BUCKET": "runs"}) == {"AWS_ENDPOINT_URL": "http://127.0.0.1:8401"}


def test_a_url_of_another_api_stays_as_it_is() -> None:
    endpoints = Endpoints("http://127.0.0.1:8401", "http://127.0.0.1:8400", "127.0.0.1:8404", {"a1b2": API})
    assert endpoints.local("https://zzzz.execute-api.us-east-1.amazonaws.com/live").startswith("https://zzzz")
