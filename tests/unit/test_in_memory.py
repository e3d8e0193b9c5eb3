"""`tapedeck.backtest`: a strategy file on bars in memory comes to what the same run on a folder comes to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

import tapedeck
from tapedeck import laptop
from tapedeck.bars import Bars
from tapedeck.data import synthesize
from tapedeck.decisions import DecisionError
from tapedeck.fields import FIELDS
from tapedeck.market.store import FolderStore
from tapedeck.submission import SubmissionError

STRATEGY = """# /// backtest
# dataset = "equities-1d"
# symbols = ["S0000", "S0001"]
# start = 2021-01-04
# end = 2021-06-30
# accounts = "sleeves"
# ///
from tapedeck import Strategy, sma


class Crossover(Strategy):
    fast: int = 3
    slow: int = 10

    def lookback(self):
        return self.slow

    def weights(self, bars):
        return sma(bars.close, self.fast) > sma(bars.close, self.slow)
"""


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "crossover.py"
    path.write_text(STRATEGY)
    return path


def bars(symbols: int = 2, rows: int = 60) -> Bars:
    close = 50 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, (rows, symbols)), axis=0))
    session = (19_000 + np.arange(rows)).astype(np.int32)
    names = [f"S{k}" for k in range(symbols)]
    fields = dict.fromkeys(FIELDS, close)
    return Bars(symbols=names, ts=session.astype(np.int64) * 86_400_000_000, session=session, fields=fields)


def test_it_comes_to_what_a_run_on_a_folder_comes_to(strategy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "market"
    synthesize.into(folder, "equities-1d", symbols=2, start=date(2021, 1, 4), end=date(2021, 6, 30), seed=1)
    store = FolderStore(folder)
    read = tapedeck.bars(["S0000", "S0001"], "2021-01-04", "2021-06-30", dataset="equities-1d", data=folder)
    expected = laptop.run(strategy, store)
    done = tapedeck.backtest(strategy, read)
    assert done.fills.to_bytes() == expected.fills.to_bytes()
    assert len(done.fills) > 10
    assert done.equity.tobytes() == expected.equity.tobytes()
    assert done.metrics == expected.metrics
    assert (done.snapshot, done.result_digest) == ("", "")
    assert expected.result_digest


def test_parameters_and_the_headers_settings_count(strategy: Path) -> None:
    done = tapedeck.backtest(str(strategy), bars(), {"fast": 2, "slow": 5})
    assert done.fills.to_bytes() != tapedeck.backtest(strategy, bars()).fills.to_bytes()
    assert done.engine.accounts == "sleeves"
    with pytest.raises(SubmissionError, match="fastt"):
        tapedeck.backtest(strategy, bars(), {"fastt": 2})


def test_bars_without_a_field_that_the_strategy_reads_are_refused(strategy: Path) -> None:
    few = bars().only(["open", "close"])
    with pytest.raises(ValueError, match="reads high, low, volume, which these bars do not have"):
        tapedeck.backtest(strategy, few)


def test_an_infinite_weight_is_refused_with_the_strategys_line(tmp_path: Path) -> None:
    path = tmp_path / "wild.py"
    path.write_text(STRATEGY.replace("return sma", "return bars.close * float('inf')  # sma"))
    with pytest.raises(DecisionError, match=r"the weight of S0 at bar .* is inf") as caught:
        tapedeck.backtest(path, bars())
    assert "wild.py" in caught.value.__notes__[0]


def test_weights_that_a_strategy_changes_afterwards_were_taken_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "reuse.py"
    told = "if len(self.kept) == 0: self.kept.append(np.empty((10_000, bars.width)))\n        "
    told += "out = self.kept[0][: len(bars)]\n        out[:] = 0.1 * (1 + len(bars) % 3)\n        return out"
    body = STRATEGY.replace("return sma(bars.close, self.fast) > sma(bars.close, self.slow)", told)
    body = body.replace("    def lookback", "    def __init__(self):\n        self.kept = []\n\n    def lookback")
    path.write_text(body.replace("from tapedeck", "import numpy as np\nfrom tapedeck"))
    fresh = tmp_path / "fresh.py"
    fresh.write_text(path.read_text().replace("return out", "return out.copy()"))
    made = tapedeck.backtest(path, bars())
    assert len(made.fills) > 2
    assert made.fills.to_bytes() == tapedeck.backtest(fresh, bars()).fills.to_bytes()
