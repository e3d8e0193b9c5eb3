"""The run manifest: a pure function whose bytes are the run's name."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from backtest.request import BacktestRequest, read_request
from backtest.run_manifest import Images, canonical, digest, run_manifest
from backtest.universe import Universe
from contract import CodeRef, EngineRef, RunManifest
from tapedeck import engine, metrics
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tapedeck.submission import Inspection

SAID = {"dataset": "equities-1d", "symbols": ["IBM", "AAPL"], "start": "2020-02-03", "end": "2020-03-31"}


def manifest(request: BacktestRequest, **changed: object) -> RunManifest:
    inputs = {
        "code": CodeRef(key="code/aa/s.py", digest="aa", name="s.py", kind="script"),
        "inspection": Inspection("script", "weights", "Crossover", ["close"]),
        "request": request,
        "params": {"fast": 3},
        "snapshot": Snapshot("f" * 64, "equities-1d", "XNYS", "1d", None, {}, FolderStore(Path("unused"))),
        "universe": Universe(("IBM", "AAPL"), ((date(2020, 2, 3), date(2020, 2, 28)),)),
        "images": Images("sidecar@1", "strategy@1"),
    }
    return run_manifest(**{**inputs, **changed})  # type: ignore[arg-type]


def test_the_manifest_says_all_that_a_runs_bytes_depend_on_and_no_more() -> None:
    request = read_request(SAID, {"cash": 5000, "seed": 7})
    assert manifest(request) == RunManifest(
        schema=1,
        code=CodeRef(key="code/aa/s.py", digest="aa", name="s.py", kind="script"),
        level="weights",
        class_name="Crossover",
        params={"fast": 3},
        fields=["close"],
        dataset="equities-1d",
        snapshot="f" * 64,
        calendar="XNYS",
        bar="1d",
        symbols=["IBM", "AAPL"],
        start="2020-02-03",
        end="2020-03-31",
        adjust="split",
        chunks=[("2020-02-03", "2020-02-28")],
        engine=EngineRef(
            version=engine.ENGINE_VERSION,
            cash=5000,
            accounts="one",
            size_at="decision",
            rebalance="change",
            leverage=1.0,
            fractional=True,
            commission_bps=5.0,
            slippage_bps=2.0,
        ),
        seed=7,
        audit=None,
        risk_free=0.0,
        metric_schema=metrics.METRIC_SCHEMA,
        sidecar_image="sidecar@1",
        strategy_image="strategy@1",
    )


def test_equal_inputs_give_equal_bytes_and_any_change_another_digest() -> None:
    request = read_request(SAID, {})
    one = digest(canonical(manifest(request)))
    assert digest(canonical(manifest(read_request({}, SAID)))) == one
    for changed in ({"cash": 1}, {"seed": 1}, {"adjust": "raw"}, {"slippage_bps": 0}, {"risk_free": 0.01}):
        assert digest(canonical(manifest(read_request(SAID, changed)))) != one
    assert digest(canonical(manifest(request, images=Images("sidecar@2", "strategy@1")))) != one


def test_the_defaults_are_the_engines_own() -> None:
    asked, own = read_request(SAID, {}), engine.EngineSettings()
    for field in fields(own):
        assert getattr(asked, field.name) == getattr(own, field.name), field.name


def test_the_call_goes_over_the_header() -> None:
    assert read_request({**SAID, "cash": 1}, {"cash": 2}).cash == 2
    assert read_request({**SAID, "params": {"fast": 1}}, {"params": {"slow": 2}}).params == {"slow": 2}


def test_canonical_json_takes_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"x": float("nan")})


@pytest.mark.parametrize(
    ("level", "asked", "audit"),
    [("weights", True, {"cuts": 8}), ("main", True, {"cuts": 8}), ("on_bar", True, None), ("weights", False, None)],
)
def test_an_audit_that_is_asked_for_is_made_where_a_strategy_can_look_ahead(
    level: str, asked: bool, audit: object
) -> None:
    request = read_request({**SAID, "audit": asked}, {})
    inspection = Inspection("script", level, "Crossover", ["close"])  # type: ignore[arg-type]
    assert manifest(request, inspection=inspection)["audit"] == audit
