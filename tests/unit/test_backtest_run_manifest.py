"""The run manifest: a pure function whose bytes are the run's name."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from backtest.errors import CallerError
from backtest.request import BacktestRequest, read_request
from backtest.run_manifest import Images, canonical, digest, run_manifest
from backtest.universe import Universe
from contract import EngineRef
from run_objects import CodeRef, RunManifest
from tapedeck import engine, metrics
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tapedeck.ranges import RANGES, SETTINGS
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
    request = read_request(SAID, {"cash": 5000, "seed": 7, "volume_cap": 0.25})
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
            commission_per_share=0.0,
            commission_minimum=0.0,
            slippage_bps=2.0,
            half_spread_per_share=0.0,
            impact_bps=0.0,
            volume_cap=0.25,
            halt_zero_volume=False,
            borrow_fee_annual=0.0,
            interest_credit_annual=0.0,
            interest_debit_annual=0.0,
            lot_size=0.0,
            maintenance_margin=0.0,
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


def test_the_defaults_are_the_engines_own_and_the_manifest_has_every_setting() -> None:
    asked, own = read_request(SAID, {}), engine.EngineSettings()
    for field in fields(own):
        assert getattr(asked, field.name) == getattr(own, field.name), field.name
    assert {"version", *(field.name for field in fields(own))} == set(EngineRef.__annotations__)
    assert sorted(SETTINGS) == sorted(field.name for field in fields(own))
    assert own.plain


@pytest.mark.parametrize("key", RANGES)
def test_a_cost_out_of_its_range_is_refused_by_name_here_and_by_the_engine(key: str) -> None:
    for value in (-1, RANGES[key].high * 2, "much", True):
        with pytest.raises(CallerError, match=key) as refused:
            read_request(SAID, {key: value})
        assert refused.value.code == "BAD_VALUE"
        with pytest.raises(engine.EngineError, match=f"{key} is a number from 0 to"):
            engine.EngineSettings(**{key: value})  # type: ignore[arg-type]  # on purpose
    with pytest.raises(CallerError, match=f"{key}: a number from 0 to"):
        read_request(SAID, {key: -1})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"leverage": 4, "maintenance_margin": 0.3}, "maintenance_margin is at most 1 / leverage = 0.25"),
        ({"fractional": False, "lot_size": 0.5}, "lot_size is a whole number"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(CallerError, match=says):
        read_request(SAID, settings)
    with pytest.raises(engine.EngineError, match=says):
        engine.EngineSettings(**settings)  # type: ignore[arg-type]  # on purpose


def test_a_setting_beyond_basis_points_is_not_plain() -> None:
    for key in RANGES:
        changed = engine.EngineSettings(**{key: 0.5})  # type: ignore[arg-type]  # all are numbers
        assert changed.plain is (key in ("commission_bps", "slippage_bps")), key
    assert not engine.EngineSettings(halt_zero_volume=True).plain
    assert engine.EngineSettings(fractional=False).plain


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
