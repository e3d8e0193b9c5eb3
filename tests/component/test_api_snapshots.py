"""Snapshots over the API: resolved by runs, compared, and, by operators alone, withdrawn and named."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tapedeck
from backtest.cloud import clients
from tapedeck.market import history, layout, publish, snapshot
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import S3Store
from tests.component.deployment import BUCKETS, FB_FIRST, FIRST, LAST, XNYS, Deployment, _bars
from tests.component.test_api import call, post

NAME = "equities-1d"
OTTO = {"user": "otto", "role": "Operator"}


def market() -> S3Store:
    return S3Store(clients.s3(), BUCKETS["market"])


@pytest.fixture
def corrected(deployment: Deployment) -> Snapshot:
    """A second snapshot: FB's prices corrected."""
    return republish(deployment, {"FB": _bars(XNYS.sessions(FB_FIRST, LAST), 20_000)})


def republish(deployment: Deployment, changes: dict[str, Change]) -> Snapshot:
    base = snapshot.load(market(), NAME, snapshot.latest(market(), NAME) or "")
    made = publish.publish(market(), layout.parse_dataset(NAME), base, changes).snapshot
    deployment.store.snapshots.publish(
        id=made.id, dataset=NAME, symbols=len(made.symbols), first_session=FIRST, last_session=LAST
    )
    return made


def tell(path: str, body: object, **who: str) -> tuple[int, Any]:
    return call("POST", path, body=json.dumps(body).encode(), Content_Type="application/json", **who)


def pinned(**params: object) -> Any:
    return post(params=params)[1].get("snapshot")


def test_a_run_pins_the_whole_id_however_the_snapshot_was_named(deployment: Deployment, corrected: Snapshot) -> None:
    first = deployment.snapshot.id
    rows = {row.id: row for row in deployment.store.snapshots.list(NAME)}
    tell(f"/v1/snapshots/{first}/name", {"name": "paper"}, **OTTO)
    as_of = f"as_of:{rows[first].published_at.isoformat()}"
    for said in (first, first[:8], "paper", as_of):
        status, job = post(params={"snapshot": said})
        assert (status, job["snapshot"], job["params"]["snapshot"]) == (201, first, first)
        manifest = json.loads(deployment.read("runs", f"runs/{job['job_id']}/run.json"))
        assert manifest["snapshot"] == first
    assert pinned() == pinned(snapshot="latest") == corrected.id


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("nothing-called-so", "UNKNOWN_SNAPSHOT"),
        ("as_of:1999-01-01T00:00:00Z", "UNKNOWN_SNAPSHOT"),
        ("as_of:yesterday", "BAD_VALUE"),
        ("as_of:2026-01-01", "BAD_VALUE"),
    ],
)
def test_what_names_no_snapshot_is_refused(deployment: Deployment, said: str, code: str) -> None:
    status, answer = post(params={"snapshot": said})
    assert (status, answer["error"]["code"], answer["error"]["key"]) == (400, code, "snapshot")


def test_a_diff_says_which_symbols_and_months_changed(deployment: Deployment, corrected: Snapshot) -> None:
    status, answer = call(
        "GET", f"/v1/snapshots/{corrected.id[:12]}", query={"diff": deployment.snapshot.id, "dataset": NAME}
    )
    assert (status, answer["id"], answer["dataset"]) == (200, corrected.id, NAME)
    told = answer["diff"]
    assert (told["from"], told["to"]) == (deployment.snapshot.id, corrected.id)
    assert (told["added"], told["removed"], told["changed"]) == ([], [], ["FB"])
    assert told["symbols"]["FB"]["months"] == {"added": [], "removed": [], "changed": ["2020-03", "2020-04"]}
    assert call("GET", "/v1/snapshots/0123456789")[0] == 404
    assert call("GET", f"/v1/snapshots/{corrected.id}", query={"diff": "nowhere"})[0] == 404


def test_a_withdrawn_snapshot_is_history_and_no_new_run_resolves_to_it(
    deployment: Deployment, corrected: Snapshot
) -> None:
    path = f"/v1/snapshots/{corrected.id}/withdraw"
    status, answer = tell(path, {"reason": "FB is wrong"}, **OTTO)
    assert (status, answer["withdrawn_reason"]) == (200, "FB is wrong")
    assert tell(path, {"reason": "again"}, **OTTO)[1]["withdrawn_reason"] == "FB is wrong"
    assert pinned() == deployment.snapshot.id
    refused = post(params={"snapshot": corrected.id[:12]})[1]["error"]
    assert refused["code"] == "WITHDRAWN_SNAPSHOT"
    assert "FB is wrong" in refused["message"]
    row = deployment.store.snapshots.get(corrected.id, NAME)
    assert row and row.withdrawn_by and row.withdrawn_by.endswith(":otto")
    assert snapshot.latest(market(), NAME) == deployment.snapshot.id  # what the next drop is built on
    assert history.resolve(market(), NAME) == deployment.snapshot.id
    listed = call("GET", "/v1/snapshots", query={"dataset": NAME})[1]["snapshots"]
    assert [(one["id"], one["withdrawn_at"] is None) for one in listed] == [
        (corrected.id, False), (deployment.snapshot.id, True),
    ]  # fmt: skip


def test_only_operators_withdraw_and_name(deployment: Deployment) -> None:
    for what, body in (("withdraw", {"reason": "I do not like it"}), ("name", {"name": "mine"})):
        status, answer = tell(f"/v1/snapshots/{deployment.snapshot.id}/{what}", body)
        assert (status, answer["error"]["code"]) == (403, "OPERATORS_ONLY")
    row = deployment.store.snapshots.get(deployment.snapshot.id, NAME)
    assert row and (row.withdrawn_at, row.name) == (None, None)


def test_a_name_is_given_once_and_can_be_taken_away(deployment: Deployment, corrected: Snapshot) -> None:
    mine, other = (f"/v1/snapshots/{id}/name" for id in (deployment.snapshot.id, corrected.id))
    assert tell(mine, {"name": "golden"}, **OTTO)[1]["name"] == "golden"
    assert tell(other, {"name": "golden"}, **OTTO)[1]["error"]["code"] == "NAME_TAKEN"
    assert call("GET", "/v1/snapshots/golden")[1]["id"] == deployment.snapshot.id
    assert tell(mine, {"name": None}, **OTTO)[1]["name"] is None
    assert tell(other, {"name": "golden"}, **OTTO)[0] == 200
    assert history.resolve(market(), NAME, "golden") == corrected.id


def test_bars_are_read_from_the_bucket_with_the_readers_own_credentials(
    deployment: Deployment, corrected: Snapshot
) -> None:
    where = {"dataset": NAME, "data": f"s3://{BUCKETS['market']}", "fields": ("close",)}
    new = tapedeck.bars("FB", FB_FIRST, "2020-03-31", **where)  # type: ignore[arg-type]
    old = tapedeck.bars("FB", FB_FIRST, "2020-03-31", snapshot=deployment.snapshot.id[:8], **where)  # type: ignore[arg-type]
    assert (new.snapshot, old.snapshot) == (corrected.id, deployment.snapshot.id)
    assert ((new.close - old.close).round(9) == 100).all()


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": 5}, {"reason": "x" * 501}, [], {"reason": "a\0b"}])
def test_withdrawing_takes_a_reason(deployment: Deployment, body: object) -> None:
    assert tell(f"/v1/snapshots/{deployment.snapshot.id}/withdraw", body, **OTTO)[0] == 400
    for name in ("latest", "", "deadbeef", "a\0", 5, "x" * 65):
        assert tell(f"/v1/snapshots/{deployment.snapshot.id}/name", {"name": name}, **OTTO)[0] == 400
    assert tell(f"/v1/snapshots/{deployment.snapshot.id}/name", {}, **OTTO)[0] == 400
