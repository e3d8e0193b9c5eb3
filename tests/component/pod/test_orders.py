"""Strategies that decide bar by bar, through both halves of a pod: replayed outside, and never believed."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import contract
import run_objects
from tapedeck import laptop
from tapedeck.engine import ENGINE_VERSION, EngineSettings
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.pod.halves import END, MONTHLY, START, SYMBOLS, WHOLE, Pod, failure, manifest

pytestmark = pytest.mark.usefixtures("impatient")

STRATEGY = f"""# /// backtest
# dataset = "equities-1d"
# symbols = {SYMBOLS!r}
# start = {START}
# end = {END}
# seed = 7
# ///
import os, sys
from tapedeck import Strategy

OUT = sys.argv[2] if len(sys.argv) > 2 else ""

class Mine(Strategy):
    bars = 0

    def lookback(self):
        return 5

    def on_bar(self, bar, book):
        self.bars += 1
        # attack
        for symbol in bar:
            mean = bar.history(6, symbol).mean()
            if bar[symbol].signal < mean and not book.position(symbol):
                cost = book.equity / 4 / bar[symbol].close
                book.buy(symbol, cost, limit=bar[symbol].close * 0.995, tif="DAY")
            elif book.position(symbol) and not any(order.symbol == symbol for order in book.orders.values()):
                gain = book.sell(symbol, book.position(symbol), limit=bar[symbol].close * 1.02)
                book.sell(symbol, book.position(symbol), stop=bar[symbol].close * 0.97, instead_of=gain)
"""
NAMES = {"level": "on_bar", "fields": list(contract.FIELDS)}


def attack(*lines: str) -> str:
    return STRATEGY.replace("# attack", "\n        ".join(lines))


def failed(pod: Pod, market: tuple[Path, Snapshot], code: str) -> run_objects.RunFailure:
    return failure(pod, manifest(market[1].id, code, **NAMES), code)


MODELS = {
    "commission_minimum": 1,
    "impact_bps": 20,
    "volume_cap": 0.02,
    "interest_debit_annual": 0.06,
    "borrow_fee_annual": 0.03,
    "leverage": 2,
    "maintenance_margin": 0.5,
}


@pytest.mark.parametrize("settings", [{}, MODELS], ids=["plain", "models"])
def test_a_run_by_bars_is_causal_by_construction_and_has_the_laptops_digest_however_it_is_cut(
    tmp_path: Path, market: tuple[Path, Snapshot], settings: dict[str, Any]
) -> None:
    (tmp_path / "market").symlink_to(market[0])
    path = tmp_path / "strategy.py"
    head = "".join(f"# {key} = {value}\n" for key, value in settings.items())
    path.write_text(STRATEGY.replace("# ///\n", f"{head}# ///\n"))
    asked: Any = {"version": ENGINE_VERSION, **asdict(EngineSettings(**settings))}
    done = laptop.run(path, FolderStore(market[0]))
    sys.modules.pop("strategy")
    assert len(done.fills) > 40
    for at, chunks in enumerate((MONTHLY, WHOLE)):
        pod = Pod(tmp_path / f"pod{at}")
        last = pod.run(manifest(market[1].id, STRATEGY, chunks=chunks, engine=asked, **NAMES), STRATEGY)
        assert last["type"] == "COMPLETED", last
        result = pod.result()
        assert (result["result_digest"], result["causality"]) == (done.result_digest, "by_construction")
        assert pod.artifact("trades.csv").decode() == done.fills.to_csv(SYMBOLS)
        assert json.loads(pod.artifact("margin_calls.json")) == done.margin_calls
        assert result["metrics"]["values"] == done.metrics["values"]


def test_target_shares_have_the_laptops_digest(pod: Pod, market: tuple[Path, Snapshot], tmp_path: Path) -> None:
    head = STRATEGY[: STRATEGY.index("import os")]
    code = (
        head
        + """from tapedeck import Strategy

class Mine(Strategy):
    fields = ("close",)

    def shares(self, bars):
        return (bars.close > 100.0) * 100.0
"""
    )
    path = tmp_path / "strategy.py"
    path.write_text(code)
    done = laptop.run(path, FolderStore(market[0]))
    sys.modules.pop("strategy")
    last = pod.run(manifest(market[1].id, code, level="shares"), code)
    assert last["type"] == "COMPLETED", last
    assert pod.result()["result_digest"] == done.result_digest
    assert pod.result()["causality"] == "unchecked"
    assert len(done.fills) > 10


@pytest.mark.parametrize(
    "made",
    [
        "book._view.broker.cash[0] += 1e6 if self.bars == 30 else 0",
        "book._view.broker.shares[1] += 1.0 if self.bars == 30 else 0",
        "book._view.broker.commission = type(book._view.broker.commission)(0.0, 0.0, 0.0)",
        "book._view.broker.__class__._within = lambda self, when, order, *rest: self._sell(when, order, 9.0, 1.0)",
        "book._view.asked.append(book._view.asked[-1]) if self.bars == 50 else None",
        "book._view.asked[-1:] = [] if self.bars == 50 else book._view.asked[-1:]",
    ],
    ids=["cash", "shares", "no commission", "better fills", "one order more", "one order less"],
)
def test_a_strategy_that_changes_the_engine_in_its_process_has_tampered(
    pod: Pod, market: tuple[Path, Snapshot], made: str
) -> None:
    named = failed(pod, market, attack(made))
    assert named["kind"] == "TAMPERED"
    assert "saw other fills or equity than its orders lead to" in named["message"]


def _forged(record: str) -> str:
    write = f"f = open(OUT + '/x', 'wb'); f.write(bytes(32) + {record}); f.close()"
    return attack(write, "os.rename(OUT + '/x', OUT + '/decisions-000000.bin')", "__import__('time').sleep(60)")


@pytest.mark.parametrize(
    ("record", "kind", "says"),
    [
        ("b''", "TAMPERED", "saw other fills"),
        ("bytes(56)", "TAMPERED", "quantities that are not zero"),
        ("b'\\xff' * 56", "TAMPERED", "bars in order within the chunk"),
        ("bytes(55)", "CODE", "expected 32 bytes and at most 500000 records of 56"),
    ],
)
def test_forged_orders_are_named(pod: Pod, market: tuple[Path, Snapshot], record: str, kind: str, says: str) -> None:
    named = failed(pod, market, _forged(record))
    assert named["kind"] == kind
    assert says in named["message"]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("book.buy('AAPL', 0)", "buy('AAPL', 0): the number of shares is positive"),
        ("book.sell('APPL', 1)", "Did you mean 'AAPL'?"),
        ("book.buy('IBM', 1, limit=-1.0)", "buy('IBM'): limit=-1.0 is no price"),
        ("if self.bars == 1: raise KeyError('x')", "KeyError: 'x'"),
    ],
)
def test_an_error_names_line_bar_and_symbol(pod: Pod, market: tuple[Path, Snapshot], made: str, says: str) -> None:
    named = failed(pod, market, attack(made))
    line = STRATEGY.splitlines().index("        # attack") + 1
    assert (named["kind"], named["file"], named["line"]) == ("CODE", "strategy.py", line)
    assert says in named["message"]
    assert "at the bar 2020-03-02 14:30 UTC" in named["message"]


def test_the_records_are_the_contracts() -> None:
    from tapedeck import on_bar
    from tapedeck.engine.orders import RECORD, to_bytes

    assert RECORD.itemsize == contract.ORDER.size
    fields: Any = (5, 1, 2, 1, 0, 3, -4.5, 10.25, 0.5)
    assert contract.ORDER.pack(*fields) == to_bytes([fields])
    assert on_bar.MOST_ORDERS == contract.MOST_ORDERS
    assert len(hashlib.sha256().digest()) == contract.CLAIM_BYTES
