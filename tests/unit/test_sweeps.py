"""A sweep's figures are those of `tapedeck run`, exactly, for all kinds of strategies; indicators are made once."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapedeck
from tapedeck import compiled, engine, laptop
from tapedeck.bars import Bars
from tapedeck.cli import main
from tapedeck.data import synthesize
from tapedeck.decisions import DecisionError
from tapedeck.engine.settings import EngineSettings
from tapedeck.indicators import recall, sma
from tapedeck.market.block import Block
from tapedeck.market.store import FolderStore
from tapedeck.metrics import significance
from tapedeck.submission import SubmissionError
from tapedeck.sweeps import grid, trials
from tapedeck.sweeps.memory import Memory, Shelf
from tapedeck.sweeps.single import Single, knows

HEADER = """# /// backtest
# dataset = "equities-1d"
# symbols = {symbols}
# start = 2021-01-04
# end = 2021-06-30
{more}# ///
import numpy as np
from tapedeck import Strategy, ema, rolling_std, sma, zscore


class Swept(Strategy):
    fast: int = 5
    slow: int = 30
    fields = ("open", "high", "low", "close", "volume")

    def lookback(self):
        return self.slow

"""
WEIGHTS = {
    "booleans": "return sma(bars.close, self.fast) > sma(bars.close, self.slow)",
    "floats": "return (sma(bars.close, self.fast) > ema(bars.close, self.slow)) / bars.width",
    "some NaN": "return np.where(np.abs(zscore(bars.close, self.slow)) > 0.5, np.nan, self.fast / 20 / bars.width)",
    "random": "return np.random.random(bars.shape) * self.fast / 50 / bars.width",
    "first booleans": (
        "held = sma(bars.close, self.fast) > sma(bars.close, self.slow)\n        "
        "return held if bars.session[-1] % 2 else held * 0.5"
    ),
    "in place": (
        "spread = rolling_std(bars.close, self.fast)\n        spread[:10] = 0\n        "
        "return (spread > rolling_std(bars.close, self.slow)) * (1.0 / bars.width)"
    ),
}
GRID = {"fast": [3, 8], "slow": [21, 34]}
FIGURES = ("final_equity", "total_return", "max_drawdown", "sharpe", "trades")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three symbols of daily bars, splits among them."""
    folder = tmp_path_factory.mktemp("market")
    synthesize.into(folder, "equities-1d", symbols=3, start=date(2020, 10, 1), end=date(2021, 7, 30), seed=5)
    return folder


def written(folder: Path, symbols: int, body: str, more: str = "") -> Path:
    """Write a strategy file on so many symbols whose method is `body`."""
    names = str([f"S000{k}" for k in range(symbols)]).replace("'", '"')
    path = folder / "swept.py"
    path.write_text(HEADER.format(symbols=names, more=more) + body + "\n")
    return path


def weighing(folder: Path, symbols: int, kind: str, more: str = "") -> Path:
    """Write a strategy file that decides by weights."""
    return written(folder, symbols, f"    def weights(self, bars):\n        {WEIGHTS[kind]}", more)


def alone(path: Path, market: Path, params: dict[str, Any]) -> dict[str, Any]:
    """Return what `tapedeck run` says with these parameters."""
    values = laptop.run(path, FolderStore(market), params).metrics["values"]
    return {"params": params, **{name: values[name] for name in FIGURES}}


def assert_equal_to_runs(path: Path, market: Path) -> None:
    found = tapedeck.sweep(path, GRID, market)
    assert [trial["params"] for trial in found] == grid.combinations(GRID)
    for trial in found:
        assert trial == alone(path, market, trial["params"])
    assert len({trial["final_equity"] for trial in found}) > 1  # the parameters do matter


@pytest.mark.parametrize("symbols", [1, 3])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_each_figure_is_that_of_a_run_with_the_same_parameters(
    kind: str, symbols: int, market: Path, tmp_path: Path
) -> None:
    assert_equal_to_runs(weighing(tmp_path, symbols, kind), market)


@pytest.mark.parametrize(
    "body",
    [
        "    def shares(self, bars):\n        return (bars.close > sma(bars.close, self.fast)) * 10.0",
        "    def on_bar(self, bar, book):\n"
        "        if 'S0000' in bar:\n"
        "            book.target_weight('S0000', 0.5 if bar['S0000'].close > bar['S0000'].open else self.fast / 100)",
        "    def main(self, run):\n"
        "        bars = run.bars()\n"
        "        run.submit((bars.close > sma(bars.close, self.fast)) * 0.2)",
    ],
    ids=["shares", "on_bar", "main"],
)
def test_every_level_can_be_swept(body: str, market: Path, tmp_path: Path) -> None:
    assert_equal_to_runs(written(tmp_path, 2, body), market)


@pytest.mark.parametrize(
    "more",
    ['# size_at = "fill"\n', "# fractional = false\n", '# accounts = "sleeves"\n', '# rebalance = "month"\n',
     "# leverage = 2\n", "# risk_free = 0.02\n", '# adjust = "total"\n', "# commission_minimum = 5.0\n",
     "# lot_size = 10\n", "# commission_per_share = 0.01\n", "# half_spread_per_share = 0.05\n",
     "# volume_cap = 0.01\n# impact_bps = 20.0\n", "# borrow_fee_annual = 0.2\n# interest_credit_annual = 0.1\n",
     "# leverage = 4\n# maintenance_margin = 0.25\n", "# seed = 9\n"],
)  # fmt: skip
def test_the_headers_settings_hold_in_a_sweep(more: str, market: Path, tmp_path: Path) -> None:
    assert_equal_to_runs(weighing(tmp_path, 1, "random", more), market)


def test_settings_beyond_plain_costs_take_the_engines_compiled_pass(
    market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.core, "by_books", None)
    header = "# volume_cap = 0.01\n# borrow_fee_annual = 0.2\n# maintenance_margin = 0.25\n"
    assert len(tapedeck.sweep(weighing(tmp_path, 1, "random", header), GRID, market)) == 4


def one_symbol(seed: int, gaps: bool) -> Block:
    """Return seeded bars of one symbol, with bars missing if asked for."""
    random = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(random.normal(0, 0.02, 600)))
    opened = close * np.exp(random.normal(0, 0.005, 600))
    if gaps:
        close[random.random(600) < 0.2] = np.nan
        close[:7] = np.nan
        opened[np.isnan(close) & (random.random(600) < 0.7)] = np.nan  # some state an open without a trade
    session = np.repeat(np.arange(100, dtype=np.int32) + 18_000, 6)
    fields = {"open": opened[:, None], "close": close[:, None]}
    return Block(("A",), np.arange(600, dtype=np.int64) * 60_000_000, session, fields)


@pytest.mark.skipif(not hasattr(compiled.library(), "single_pass"), reason="`make kernel` has not built the pass")
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(
    "more",
    [{}, {"size_at": "fill"}, {"fractional": False}, {"leverage": 2.0}, {"size_at": "fill", "leverage": 1.5},
     {"accounts": "sleeves"}, {"leverage": 30.0}, {"commission_bps": 0.0, "slippage_bps": 0.0},
     {"cash": 300.0, "fractional": False}],
    ids=str,
)  # fmt: skip
def test_the_pass_without_records_comes_to_what_the_engine_comes_to(more: dict[str, Any], gaps: bool) -> None:
    settings = EngineSettings(**more)
    for seed in range(12):
        block, random = one_symbol(seed, gaps), np.random.default_rng(seed + 100)
        assert knows(block, settings, 0)
        some = [np.nan, np.nan, -0.5, 0.0, 0.0, -0.0, 0.4, 0.4, 1.0, 1.6]
        weights = random.choice(some, (600, 1))
        weights[random.random(600) < 0.7] = np.nan
        if seed % 3 == 0:
            weights = np.nan_to_num(weights)
        weights *= settings.leverage  # far enough to be ruined by
        for decided in (weights, weights > 0):
            equity, full = np.empty(100), engine.start(("A",), settings, [], [])
            step = engine.step(full, block, decided.astype(np.float64))
            assert Single(block, settings).run(np.ascontiguousarray(decided[:, 0]), equity) == len(step.fills)
            np.testing.assert_array_equal(equity, step.equity[5::6])


def test_a_thousand_pairs_need_seventy_averages(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memories = [Memory()]
    monkeypatch.setattr(trials, "Memory", lambda: memories[0])
    found = tapedeck.sweep(weighing(tmp_path, 1, "booleans"), {"fast": range(5, 55), "slow": range(60, 160, 5)}, market)
    assert len(found) == 1000
    assert memories[0].made == 50 + 20


def test_a_remembered_answer_is_read_only_and_the_same_to_the_byte() -> None:
    values = np.asfortranarray(np.random.default_rng(3).random((500, 2)))
    memory, cut = Memory(), np.asfortranarray(values[40:300])
    memory.know(cut, values, 40)
    with recall.remembering(memory):
        first, second = sma(cut, 20), sma(cut, window=20)
        assert sma(cut, 20) is first
        assert sma(values, 20) is not None
    expected = sma(cut, 20)
    for answer in (first, second):
        np.testing.assert_array_equal(answer, expected)
        assert answer.flags.f_contiguous == expected.flags.f_contiguous
    assert not first.flags.writeable
    assert sma(cut, 20).flags.writeable  # outside of a sweep nothing is remembered


@pytest.mark.parametrize("leaked", [False, True])
def test_an_answer_that_somebody_kept_does_not_change(leaked: bool) -> None:
    values = np.asfortranarray(np.random.default_rng(3).random((500, 1)))
    memory, kept, places = Memory(), [], []
    for start in (40, 60, 60, 90, 50):  # histories that grow shorter, and one that does not
        cut = values[start:300]
        memory.forget_cuts()
        memory.know(cut, values, start)
        with recall.remembering(memory):
            answer = sma(cut, 20)
        np.testing.assert_array_equal(answer, sma(cut, 20))
        places.append(answer.base.ctypes.data)
        kept += [(answer[30:], sma(cut, 20)[30:])] if leaked else []
        del answer
    for answer, expected in kept:
        np.testing.assert_array_equal(answer, expected)
    assert len(set(places[:4])) == (4 if leaked else 1)


def test_what_is_remembered_is_bounded() -> None:
    shelf = Shelf(1000)
    for key in range(50):
        shelf.put(key, np.zeros(25))
        shelf.get(0)
    kept = [key for key in range(50) if shelf.get(key) is not None]
    assert kept == [0, 46, 47, 48, 49]


def test_bars_in_memory_can_be_swept(market: Path, tmp_path: Path) -> None:
    path = weighing(tmp_path, 1, "floats")
    path.write_text(path.read_text().replace("return self.slow", "return 0"))
    bars = tapedeck.bars("S0000", "2021-01-04", "2021-06-30", dataset="equities-1d", data=market)
    found = tapedeck.sweep(path, {"fast": [3, 8], "slow": [12]}, bars)
    assert list(found) == [alone(path, market, {"fast": fast, "slow": 12}) for fast in (3, 8)]
    assert found[0]["trades"] > 0


def test_adjusted_bars_in_memory_are_refused(tmp_path: Path) -> None:
    ones = np.ones((4, 1))
    days = np.arange(4, dtype=np.int32)
    fields = dict.fromkeys(("open", "high", "low", "close", "volume"), ones)
    bars = Bars(
        symbols=("A",), ts=days.astype(np.int64), session=days, fields=fields, raw=dict.fromkeys(fields, ones * 2)
    )
    with pytest.raises(ValueError, match="hand in the folder"):
        tapedeck.sweep(weighing(tmp_path, 1, "booleans"), {"fast": [3]}, bars)


def test_the_result_names_the_best_and_says_how_many_were_tried(market: Path, tmp_path: Path) -> None:
    path = weighing(tmp_path, 1, "booleans")
    found = tapedeck.sweep(path, GRID, market)
    table = found.to_pandas()
    assert list(table.columns) == ["fast", "slow", *FIGURES]
    best = found.best()
    assert best["sharpe"] == table.sharpe.max()
    assert found.best("trades")["trades"] == table.trades.max()
    with pytest.raises(ValueError, match="Did you mean 'sharpe'"):
        found.best("sharp")
    values = laptop.run(path, FolderStore(market), best["params"]).metrics["values"]
    assert found.believed is not None
    assert found.believed.probabilistic == pytest.approx(values["psr"], rel=1e-12)
    daily = table.sharpe / np.sqrt(252)
    expected = significance.expected_maximum_sharpe(4, float(daily.var(ddof=1))) * np.sqrt(252)
    assert found.believed.expected_best == pytest.approx(expected, rel=1e-12)
    assert found.believed.deflated < found.believed.probabilistic
    assert "4 trials were run" in str(found)


def test_an_error_says_in_which_trial(market: Path, tmp_path: Path) -> None:
    path = written(
        tmp_path, 1, "    def weights(self, bars):\n        return bars.close * (np.inf if self.fast == 8 else 0)"
    )
    with pytest.raises(DecisionError, match="the weight of S0000") as told:
        tapedeck.sweep(path, GRID, market)
    assert told.value.__notes__[-1] == "in the trial with {'fast': 8, 'slow': 34}"
    with pytest.raises(SubmissionError, match="Did you mean 'fast'"):
        tapedeck.sweep(path, {"fats": [1]}, market)


def test_a_sweep_leaves_the_callers_random_numbers_alone(market: Path, tmp_path: Path) -> None:
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    tapedeck.sweep(weighing(tmp_path, 1, "random"), {"fast": [3]}, market)
    assert np.random.random() == expected


@pytest.mark.parametrize(
    ("text", "values"),
    [("5:20:5", [5, 10, 15, 20]), ("1:3", [1, 2, 3]), ("0.1:0.3:0.1", [0.1, 0.2, 0.30000000000000004]),
     ("3,7", [3, 7]), ("a,b", ["a", "b"]), ("true,false", [True, False]), ("0.5", [0.5])],
)  # fmt: skip
def test_values_are_a_range_or_a_list(text: str, values: list[object]) -> None:
    assert grid.values(text) == values


@pytest.mark.parametrize("text", ["5:1:1", "1:9:0", "a:b", "0:1:1e-9"])
def test_a_range_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(SubmissionError, match="no range"):
        grid.values(text)


@pytest.mark.parametrize(
    ("asked", "why"), [({"a": []}, "no combination"), ({"a": range(2000), "b": range(2000)}, "at most")]
)
def test_a_grid_has_some_and_not_too_many_trials(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        grid.combinations(asked)


def test_the_command_line_prints_the_table(market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = weighing(tmp_path, 1, "booleans")
    arguments = ["sweep", str(path), "--data", str(market), "--param", "fast=3:8:5", "--param", "slow=21,34"]
    assert main([*arguments, "--csv", str(tmp_path / "trials.csv")]) == 0
    said = capsys.readouterr().out
    assert "4 trials were run" in said
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 5
    assert main(["sweep", str(path), "--data", str(market), "--param", "fast=8"]) == 0
    best = capsys.readouterr().out
    assert f"{alone(path, market, {'fast': 8})['final_equity']:,.2f}" in best
