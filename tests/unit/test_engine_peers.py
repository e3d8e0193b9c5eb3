"""The engine comes to what the peers come to; their figures are kept here, they themselves need not be installed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.engine import agreement, inputs, peers

KEPT: dict[str, Any] = json.loads(agreement.FIGURES.read_text())
CASES = {f"{case.peer}, {case.name}": case for case in agreement.CASES}


def kept(name: str) -> dict[str, Any]:
    """Return the figures of a case."""
    found: dict[str, Any] = next(case for case in KEPT["cases"] if f"{case['peer']}, {case['name']}" == name)
    return found


def test_the_input_is_the_one_that_the_peers_saw(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "FOLDER", tmp_path)
    assert inputs.digest(inputs.load(1)) == KEPT["input_sha256"]
    assert json.loads(json.dumps(peers.PINS)) == KEPT["pins"]


@pytest.mark.parametrize("name", CASES)
def test_s1_ends_with_the_equity_of_the_peer(name: str) -> None:
    theirs, mine = kept(name), agreement.ours(CASES[name])
    assert mine["fills"] == theirs["fills"]
    assert mine["equity"] == pytest.approx(theirs["equity"], rel=agreement.BOUND, abs=0)


@pytest.mark.parametrize("peer", ["vectorbt", "vectorbt-rust"])
def test_with_the_default_sizing_every_bar_is_worth_what_vectorbt_says(peer: str) -> None:
    name = f"{peer}, target percent, valued at the close before"
    theirs, mine = kept(name), agreement.ours(CASES[name])
    assert mine["sessions"] == pytest.approx(theirs["sessions"], rel=agreement.BOUND, abs=0)
    assert mine["curve_sha256"] == theirs["curve_sha256"]
