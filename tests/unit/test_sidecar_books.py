"""The sidecar's books name whose fault it is that they cannot be kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from sidecar.books import Books
from sidecar.failures import RunError
from tapedeck import compiled
from tapedeck.decisions import to_bytes
from tapedeck.engine import EngineSettings, fills, margin
from tapedeck.market.block import Block
from tapedeck.versions import ENGINE_VERSION
from tests.unit.small_bars import flat, with_ranges


def books(level: str, **settings: Any) -> Books:
    asked: Any = {
        "level": level,
        "symbols": ["A"],
        "engine": {"version": ENGINE_VERSION, **asdict(EngineSettings(**settings))},
    }
    return Books(asked, [], [])


def block(count: int, start: int = 0) -> Block:
    return rows(with_ranges(flat(start + count)), start, start + count)


def falling(count: int) -> Block:
    """Return bars that lose 3 % each."""
    return with_ranges(flat(count, closes=[100.0 * 0.97**i for i in range(count)]))


def rows(made: Any, begin: int, end: int) -> Block:
    fields = {name: values[begin:end].copy() for name, values in made.fields.items()}
    return Block(made.symbols, made.ts[begin:end], made.session[begin:end], fields)


def wanting(rows: int, level: str) -> bytes:
    """Return decisions that trade at every bar: half the account or some shares, and nothing, in turn."""
    return to_bytes(np.resize([0.5 if level == "weights" else 10.0, 0.0], (rows, 1)))


@pytest.mark.parametrize("settings", [{}, {"commission_minimum": 1.0}], ids=["plain", "models"])
@pytest.mark.parametrize("level", ["weights", "shares"])
def test_a_price_of_zero_that_something_would_trade_at_is_the_datas_fault(level: str, settings: dict[str, Any]) -> None:
    own = block(4)
    own.fields["open"][2] = 0.0
    with pytest.raises(RunError, match="A has the price 0 at bar 2000-02-15 00:00 UTC: nothing trades") as failed:
        books(level, **settings).book(own, wanting(4, level))
    assert failed.value.kind == "DATA"


@pytest.mark.parametrize("settings", [{}, {"commission_minimum": 1.0}], ids=["plain", "models"])
@pytest.mark.parametrize("level", ["weights", "shares"])
def test_fills_are_bounded_over_all_chunks_of_a_run(
    level: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fills, "MOST", 10)
    kept = books(level, **settings)
    kept.book(block(8), wanting(8, level))
    with pytest.raises(RunError, match="more than 10 fills") as failed:
        kept.book(block(8, start=8), wanting(8, level))
    assert failed.value.kind == "LIMIT"


@pytest.mark.parametrize("path", ["compiled", "reference"])
def test_trades_by_margin_call_are_bounded_over_all_chunks_of_a_run(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if path == "reference":
        monkeypatch.setattr(compiled, "library", lambda: None)
    monkeypatch.setattr(margin, "MOST", 3)
    kept, whole = books("weights", leverage=4.0, maintenance_margin=0.25), falling(20)
    with pytest.raises(RunError, match="more than 3 trades") as failed:
        for row in range(20):  # a chunk each, and from the third on a call each
            kept.book(rows(whole, row, row + 1), to_bytes(np.array([[3.9]])))
    assert (failed.value.kind, row) == ("LIMIT", 5)
    assert sum(len(call.traded) for call in kept.close().calls) == 3


@pytest.mark.parametrize("weight", [np.inf, -np.inf])
def test_an_infinite_weight_is_the_codes_fault(weight: float) -> None:
    with pytest.raises(RunError, match="the weight of A at bar 2000-02-13T00:00") as failed:
        books("weights").book(block(1), to_bytes(np.array([[weight]])))
    assert failed.value.kind == "CODE"
