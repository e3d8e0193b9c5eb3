"""The look-ahead audit through both halves of a pod: new processes, the same bars, and fewer of them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import contract
from sidecar import attempt
from tapedeck.market.snapshot import Snapshot
from tests.component.pod.halves import MONTHLY, SYMBOLS, WHOLE, Pod, manifest

STRATEGY = """
import numpy as np
from tapedeck import Strategy, ema, sma

class Mine(Strategy):
    fields = ("close",)

    def lookback(self):
        return 10

    def weights(self, bars):
        print("deciding", len(bars))
        {body}
"""
CLEAN = "return (sma(bars.close, 3) > sma(bars.close, 10)) / bars.width"
SHIFTED = "return np.vstack([bars.close[1:] > bars.close[:-1], np.zeros((1, 3))]) / 3"


def run(pod: Pod, snapshot: Snapshot, body: str, cuts: int = 3, source: str = STRATEGY, **changes: Any) -> Any:
    code = source.format(body=body)
    last = pod.run(manifest(snapshot.id, code, **{"audit": {"cuts": cuts}, **changes}), code)
    assert last["type"] == "COMPLETED", last
    result = pod.result()
    return result["causality"], result["warnings"]


def test_a_clean_run_is_audited_with_the_numbers_and_the_log_of_an_unaudited_one(
    tmp_path: Path, market: tuple[Path, Snapshot]
) -> None:
    (tmp_path / "market").symlink_to(market[0])
    audited, plain = Pod(tmp_path / "audited"), Pod(tmp_path / "plain")
    assert run(audited, market[1], CLEAN) == ("audited", [])
    assert run(plain, market[1], CLEAN, audit=None) == ("unchecked", [])
    for digest in ("decisions_digest", "result_digest"):
        assert audited.result()[digest] == plain.result()[digest]  # type: ignore[literal-required]
    assert [line["text"] for line in audited.log()] == [line["text"] for line in plain.log()]
    assert len(audited.log()) == len(MONTHLY)
    replays = sorted(path.name for path in audited.inside.glob("replay-*.json"))
    assert replays == [contract.replay(n) for n in (1, 2, 3, 4)]  # three cuts, then twice the lookback
    headers = [json.loads((audited.inside / name).read_bytes()) for name in replays]
    assert headers[0]["first"] == len(MONTHLY) and headers[-1]["chunks"] == len(MONTHLY)
    assert all(b["first"] == a["first"] + a["chunks"] for a, b in pairwise(headers))
    assert not list(audited.inside.glob("chunk-*")) and [p.name for p in audited.out.iterdir()] == ["exit.bin"]


def test_a_leak_completes_and_names_bar_and_symbol(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    causality, warnings = run(pod, market[1], SHIFTED)
    assert causality == "leaked"
    assert warnings[0].startswith("leaked: on the bar 2020-0") and any(symbol in warnings[0] for symbol in SYMBOLS)


@pytest.mark.parametrize(
    ("body", "causality"),
    [("run.submit((b.close > b.close[0]) / 3)", "audited"), ("run.submit((b.close > b.close.mean(0)) / 3)", "leaked")],
)
def test_a_free_form_script_is_audited_on_its_one_chunk(
    pod: Pod, market: tuple[Path, Snapshot], body: str, causality: str
) -> None:
    source = "fields = ('close',)\ndef main(run):\n    b = run.bars()\n    {body}\n"
    asked = {"level": "main", "class_name": None, "chunks": WHOLE}
    assert run(pod, market[1], body, cuts=4, source=source, **asked)[0] == causality


def test_what_a_module_or_the_interpreter_holds_does_not_reach_a_replay(
    pod: Pod, market: tuple[Path, Snapshot]
) -> None:
    body = "import sys; sys.seen = getattr(sys, 'seen', 0) + 1; return np.full(bars.shape, sys.seen / 100)"
    assert run(pod, market[1], body) == ("audited", [])


def test_chance_is_unchecked_with_a_warning(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    causality, warnings = run(pod, market[1], "return np.random.default_rng().random(bars.shape) / 3")
    assert causality == "unchecked" and warnings[0].startswith("not repeatable: ")


def test_a_lookback_that_is_too_short_is_a_warning_of_an_audited_run(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    causality, warnings = run(pod, market[1], "return ema(bars.close, 20) / 1e4")
    assert causality == "audited"
    assert warnings[0].startswith("warm-up: too short? on the bar 2020-03-02") and "20 bars" in warnings[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("assert len(bars) > 28; return bars.close * 0", "AssertionError (line 13 of strategy.py)"),
        ("import os; len(bars) > 28 or os._exit(3); return bars.close * 0", "left with exit code 3"),
        (
            "import sys, time; from pathlib import Path\n"
            "        if len(bars) > 28: return bars.close * 0\n"
            "        (Path(sys.argv[2]) / 'decisions-000006.bin').write_bytes(b'short')\n"
            "        while not (Path(sys.argv[1]) / 'stop').exists(): time.sleep(0.01)",
            "holds 5 bytes",
        ),
    ],
)
def test_a_replay_that_fails_leaves_the_run_as_it_is_and_unchecked(
    pod: Pod, market: tuple[Path, Snapshot], monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    monkeypatch.setattr(attempt, "END_WITHIN_S", 5.0)
    causality, warnings = run(pod, market[1], body)
    assert causality == "unchecked"
    assert warnings[0].startswith("not audited: in a replay, ") and words in warnings[0]


def test_a_script_that_leaves_after_its_decisions_completes_unchecked(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    source = "import os\nfields = ('close',)\ndef main(run):\n    run.submit(run.bars().close * 0)\n    {body}\n"
    asked = {"level": "main", "class_name": None, "chunks": WHOLE}
    causality, warnings = run(pod, market[1], "os._exit(0)", source=source, **asked)
    assert causality == "unchecked" and "exit code 0" in warnings[0]


def test_a_script_that_fails_after_its_decisions_fails_audited_or_not(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = "fields = ('close',)\ndef main(run):\n    run.submit(run.bars().close * 0)\n    1 / 0\n"
    asked = {"level": "main", "class_name": None, "chunks": WHOLE, "audit": {"cuts": 2}}
    last = pod.run(manifest(market[1].id, code, **asked), code)
    assert last["type"] == "FAILED" and last["failure"] is not None
    assert (last["failure"]["kind"], last["failure"]["line"]) == ("CODE", 4)
