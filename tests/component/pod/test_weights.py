"""Honest runs through both halves of a pod: the numbers of an in-process computation, however bars are cut."""

import csv
import hashlib
import io
import json
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import contract
import run_objects
from backtest.events import read_event, read_result
from sidecar import attempt
from tapedeck import engine, source, strategy
from tapedeck.bars import Bars
from tapedeck.market import adjust, reader
from tapedeck.market.snapshot import Snapshot
from tests.component.pod.halves import (
    DIVIDEND,
    END,
    JOB,
    MONTHLY,
    SESSIONS,
    SPLIT,
    START,
    SYMBOLS,
    WHOLE,
    Pod,
    manifest,
)

CROSSOVER = """
import numpy as np
from tapedeck import Strategy

class Mine(Strategy):
    fast: int = 3
    slow: int = 10
    fields = ("close",)

    def lookback(self):
        return self.slow

    def weights(self, bars):
        def mean(n):
            total = np.nancumsum(np.vstack([np.zeros(bars.width), np.round(bars.close * 2**20)]), axis=0)
            out = np.full(bars.shape, np.nan)
            out[n - 1:] = (total[n:] - total[:-n]) / n
            return out
        print("deciding", len(bars))
        return (mean(self.fast) > mean(self.slow)) / bars.width
"""
SHORT = [("2020-03-02", "2020-03-04"), ("2020-03-05", "2020-03-06"), ("2020-03-09", "2020-08-31")]  # than the history


def in_process(snapshot: Snapshot, tmp_path: Path, lookback: int, params: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return decisions, fills and bar equity of CROSSOVER, computed at once in this process."""
    path = tmp_path / "strategy.py"
    path.write_text(CROSSOVER)
    loaded = source.load(path, "strategy.py", "script", "Mine")
    assert isinstance(loaded, type)
    sys.modules.pop("strategy")
    start, end = date.fromisoformat(START), date.fromisoformat(END)
    history = SESSIONS[SESSIONS.index(start) - lookback]
    block = reader.read_block(snapshot.store, snapshot, SYMBOLS, contract.FIELDS, history, end)
    factors = adjust.forward_factors([SPLIT], [DIVIDEND], None, SYMBOLS, block.session, start, "split")
    bars = Bars(symbols=SYMBOLS, ts=block.ts, session=block.session, fields=adjust.adjusted(block, factors))
    decisions = np.array(strategy.create(loaded, params).weights(bars), dtype=np.float64)[lookback:]
    own = reader.read_block(snapshot.store, snapshot, SYMBOLS, contract.FIELDS, start, end)
    state = engine.start(SYMBOLS, engine.EngineSettings(), [SPLIT], [DIVIDEND])
    done = engine.step(state, own, decisions)
    return decisions, done.fills, done.equity


def test_an_honest_run_gives_the_numbers_of_an_in_process_computation(
    pod: Pod, market: tuple[Path, Snapshot], tmp_path: Path
) -> None:
    last = pod.run(manifest(market[1].id, CROSSOVER, params={"slow": 8}), CROSSOVER)
    assert last["type"] == "COMPLETED", last
    decisions, fills, equity = in_process(market[1], tmp_path, 8, {"slow": 8})
    result = pod.result()
    assert result["decisions_digest"] == hashlib.sha256(decisions.tobytes()).hexdigest()
    assert pod.artifact("trades.csv").decode() == fills.to_csv(SYMBOLS)
    assert len(fills) > 50
    rows = list(csv.DictReader(io.StringIO(pod.artifact("equity.csv").decode())))
    assert [float(row["equity"]) for row in rows] == equity.tolist()
    assert [row["session"] for row in rows] == [day.isoformat() for day in SESSIONS if day.isoformat() >= START]
    assert (
        min(float(row["drawdown"]) for row in rows)
        == json.loads(pod.artifact("metrics.json"))["values"]["max_drawdown"]
    )
    assert result["bars"] == len(equity)


def test_completed_pins_the_result_and_every_event_is_in_order(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    last = pod.run(manifest(market[1].id, CROSSOVER), CROSSOVER)
    events = pod.events()
    assert [e["seq"] for e in events] == list(range(len(events)))
    assert events[0]["type"] == "STARTED" and {e["type"] for e in events[1:-1]} == {"PROGRESS"}
    final = events[-2]["progress"]
    assert final and final["done"] == final["total"] and final["session"] == END
    assert last["result"] is not None
    body = pod.runs.get(last["result"]["key"])
    assert last["result"]["sha256"] == hashlib.sha256(body).hexdigest()
    assert pod.runs.get(last["result"]["key"], last["result"]["version_id"]) == body
    assert set(json.loads(body)) == set(run_objects.Result.__annotations__)
    read_result(JOB, 1, json.loads(body)["manifest_digest"], body)
    for seq in range(len(events)):
        key = run_objects.event(JOB, 1, seq)
        read_event(key, pod.runs.get(key))
    assert json.loads(pod.artifact("actions.json")) == [
        {"symbol": "IBM", "session": "2020-05-15", "kind": "dividend", "value": 1.25},
        {"symbol": "AAPL", "session": "2020-06-01", "kind": "split", "value": 2.0},
    ]
    assert [line["text"] for line in pod.log()] == [
        f"deciding {10 + sum(a <= day.isoformat() <= b for day in SESSIONS)}" for a, b in MONTHLY
    ]


@pytest.mark.parametrize("adjustment", ["split", "total", "raw"])
def test_the_bytes_of_a_run_do_not_depend_on_the_chunk_plan(
    tmp_path: Path, market: tuple[Path, Snapshot], adjustment: str
) -> None:
    (tmp_path / "market").symlink_to(market[0])
    digests = set()
    for at, chunks in enumerate((MONTHLY, WHOLE, SHORT)):
        pod = Pod(tmp_path / f"pod{at}", attempt=at + 1)
        last = pod.run(manifest(market[1].id, CROSSOVER, chunks=chunks, adjust=adjustment), CROSSOVER)
        assert last["type"] == "COMPLETED", last
        digests.add((pod.result()["decisions_digest"], pod.result()["result_digest"]))
        shutil.rmtree(tmp_path / f"pod{at}")
    assert len(digests) == 1


def test_main_gets_the_whole_run_at_once(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = """
def main(run):
    bars = run.bars()
    print(bars.shape, run.params)
    run.submit((bars.close > bars.close[0]) / bars.width)
    print("done")
"""
    run = manifest(market[1].id, code, level="main", class_name=None, chunks=WHOLE, params={"a": 1})
    last = pod.run(run, code)
    assert last["type"] == "COMPLETED", last
    days = sum(day.isoformat() >= START for day in SESSIONS)
    assert [line["text"] for line in pod.log()] == [f"({days}, 3) {{'a': 1}}", "done"]
    assert pod.result()["warnings"] == []


def test_history_ends_where_the_data_begins(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = CROSSOVER.replace("return self.slow", "return 500")
    last = pod.run(manifest(market[1].id, code), code)
    assert last["type"] == "COMPLETED", last
    before = sum(day.isoformat() < START for day in SESSIONS)
    march = sum("2020-03-01" < day.isoformat() < "2020-04-01" for day in SESSIONS)
    assert pod.log()[0]["text"] == f"deciding {before + march}"


def test_nothing_of_a_chunk_stays_in_the_exchange(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    pod.run(manifest(market[1].id, CROSSOVER), CROSSOVER)
    assert sorted(p.name for p in pod.inside.iterdir()) == ["run.json", "source", "stop"]
    assert sorted(p.name for p in pod.out.iterdir()) == ["exit.bin"]


def test_a_process_that_does_not_leave_after_its_last_decision_is_a_warning(
    pod: Pod, market: tuple[Path, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "END_WITHIN_S", 0.3)
    monkeypatch.setattr(attempt, "LEAVE_WITHIN_S", 0.1)
    code = CROSSOVER + "\nimport threading, time\nthreading.Thread(target=time.sleep, args=[30]).start()\n"
    last = pod.run(manifest(market[1].id, code), code)
    assert last["type"] == "COMPLETED", last
    assert "did not leave" in pod.result()["warnings"][0]
