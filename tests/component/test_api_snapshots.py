"""Snapshots over the API: resolved by runs, compared, and, by operators alone, withdrawn and named."""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.credentials import Credentials

import tapedeck
from backtest.cloud import clients
from tapedeck import query, remote
from tapedeck.cli import main
from tapedeck.client import ApiError, Client
from tapedeck.market import history, layout, publish, snapshot
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import S3Store
from tests.component.api_calls import call, post
from tests.component.deployment import BUCKETS, FB_FIRST, FIRST, LAST, XNYS, Deployment, _bars

NAME = "equities-1d"
OTTO = {"user": "otto", "role": "Operator"}


def market() -> S3Store:
    return S3Store(clients.s3(), BUCKETS["market"])


@pytest.fixture
def corrected(deployment: Deployment) -> Snapshot:
    """A second snapshot: FB's prices corrected."""
    return republish(deployment, {"FB": _bars(XNYS.sessions(FB_FIRST, LAST), 20_000)})


def republish(deployment: Deployment, changes: dict[str, Change], **universes: tuple[str, ...]) -> Snapshot:
    base = snapshot.load(market(), NAME, snapshot.latest(market(), NAME) or "")
    made = publish.publish(market(), layout.parse_dataset(NAME), base, changes, universes).snapshot
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
    deployment: Deployment, corrected: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tapedeck.market.s3_reads", None)  # obstore does not know the AWS of this process
    query._connected.cache_clear()
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


def test_a_run_on_a_universe_pins_its_symbols_as_they_were(deployment: Deployment) -> None:
    republish(deployment, {}, tech=("AAPL", "IBM"))
    status, job = post(params={"symbols": "tech"})
    assert (status, job["params"]["symbols"], job["params"]["universe"]) == (201, ["AAPL", "IBM"], "tech")
    manifest = json.loads(deployment.read("runs", f"runs/{job['job_id']}/run.json"))
    assert manifest["symbols"] == ["AAPL", "IBM"]
    now = republish(deployment, {}, tech=("IBM",))
    assert post(params={"symbols": "tech"})[1]["params"]["symbols"] == ["IBM"]
    old = post(params={"symbols": "tech", "snapshot": job["snapshot"]})[1]
    assert (old["params"]["symbols"], old["snapshot"]) == (["AAPL", "IBM"], job["snapshot"])
    assert json.loads(deployment.read("runs", f"runs/{old['job_id']}/run.json")) == manifest  # repeatable to the byte
    assert now.id != job["snapshot"]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("tehc", "Did you mean 'tech'"),
        ("bonds", "there are: *, tech"),
        ("AAPL", 'One symbol is written symbols = ["AAPL"]'),
    ],
)
def test_an_unknown_universe_is_refused_with_what_to_do(deployment: Deployment, said: str, says: str) -> None:
    republish(deployment, {}, tech=("AAPL",))
    status, answer = post(params={"symbols": said})
    assert (status, answer["error"]["code"], answer["error"]["key"]) == (400, "UNKNOWN_UNIVERSE", "symbols")
    assert says in answer["error"]["message"]


def test_universes_are_listed_and_compared(deployment: Deployment) -> None:
    one = republish(deployment, {}, tech=("AAPL", "IBM"))
    two = republish(deployment, {}, tech=("AAPL", "FB"), all_of_them=("AAPL", "FB", "IBM"))
    seen = call("GET", f"/v1/snapshots/{two.id}", query={"diff": one.id})[1]
    assert seen["universes"] == {"all_of_them": 3, "tech": 2}
    assert seen["diff"]["universes"]["tech"] == {"added": ["FB"], "removed": ["IBM"]}
    told = call("GET", f"/v1/snapshots/{one.id[:8]}/universes/tech")[1]
    assert (told["symbols"], told["snapshot"]) == (["AAPL", "IBM"], one.id)
    assert call("GET", "/v1/snapshots/latest/universes/tech", query={"dataset": NAME})[1]["symbols"] == ["AAPL", "FB"]
    status, answer = call("GET", f"/v1/snapshots/{one.id}/universes/tec")
    assert (status, answer["error"]["code"]) == (404, "UNKNOWN_UNIVERSE")


class Signed(Client):
    """The client, its requests handed to the handler in place of the gateway."""

    def __init__(self, **who: str) -> None:
        super().__init__("https://api", Credentials("id", "secret"))
        self._who, self.paths = who, list[str]()

    def _json(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        self.paths.append(path)
        headers = {"Content_Type": "application/json"} if how.pop("headers", None) else {}
        status, answer = call(method, unquote(path), **how, **headers, **self._who)
        if status >= 400:
            raise ApiError(status, answer["error"])
        return dict(answer)


def test_the_command_line_has_the_same_verbs_on_the_platform(
    deployment: Deployment, corrected: Snapshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*words: str, who: Any = OTTO) -> str:
        client = Signed(**who)
        monkeypatch.setattr(remote, "_client", lambda: client)
        code = main(["data", *words])
        said = capsys.readouterr()
        assert (code == 0) == (not said.err), said.err
        if words[0] == "list":
            assert len(client.paths) == 1  # one request, however many
        return said.err or said.out

    of, first = ("--dataset", NAME), deployment.snapshot.id
    assert told("list").split()[0] == corrected.id[:12]
    assert [line.split()[0] for line in told("list", *of).splitlines()] == [corrected.id[:12], first[:12]]
    assert told("show", "latest", *of).splitlines()[0] == corrected.id
    assert told("show", "as_of:2999-01-01T00:00:00Z", *of).splitlines()[0] == corrected.id
    assert "changed: 1 symbols: FB" in told("diff", first, *of)
    assert told("name", first[:8], "paper", *of).rstrip().endswith("paper")
    assert "OPERATORS_ONLY" in told("withdraw", corrected.id, "--reason", "wrong", *of, who={})
    assert "withdrawn" in told("withdraw", corrected.id, "--reason", "wrong", *of)
    assert told("show", "latest", *of).splitlines()[0] == first
    republish(deployment, {}, tech=("AAPL", "IBM"))
    assert told("universe", "tech", *of) == "AAPL\nIBM\n"
    assert "data drop tech.csv --dataset equities-1d --under universes" in told("universe", "tech", "list.txt", *of)


@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_a_snapshot_whose_objects_are_damaged_is_named_with_its_key(deployment: Deployment, damage: str) -> None:
    key = layout.snapshot_root_key(NAME, deployment.snapshot.id)
    if damage == "gone":
        clients.s3().delete_object(Bucket=BUCKETS["market"], Key=key)
    else:
        market().put(key, market().get(key).replace(b"2020", b"2021"))
    for status, answer in (post(), call("GET", f"/v1/snapshots/{deployment.snapshot.id}")):
        assert (status, answer["error"]["code"]) == (500, "DATA")
        assert key in answer["error"]["message"]
