"""`tapedeck run` on a folder of market data: the oracle's numbers, and errors that say what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sidecar.books import Books
from tapedeck import laptop, sma
from tapedeck.cli import main
from tapedeck.decisions import to_bytes
from tapedeck.engine import ENGINE_VERSION, EngineSettings
from tapedeck.laptop.market import Market
from tapedeck.market import calendar as calendars
from tapedeck.market import snapshot
from tapedeck.market.store import FolderStore
from tests.oracle import crossover
from tests.unit.three_years import DIVIDENDS, PRICES, SESSIONS, SPLITS, START

ROOT = Path(__file__).parents[2]


def written(tmp_path: Path, name: str = "crossover.py", **replaced: str) -> Path:
    text = (ROOT / "examples" / name).read_text().replace("2004-01-02", START.isoformat())
    for old, new in replaced.items():
        text = text.replace(old, new)
    path = tmp_path / name
    path.write_text(text)
    return path


def test_the_crossover_ends_with_the_oracles_equity_and_trades(data: Path, tmp_path: Path) -> None:
    done = laptop.run(written(tmp_path), FolderStore(data))
    rows: list[Any] = []
    for at, session in enumerate(SESSIONS):
        rows.append((session, {symbol: tuple((PRICES[symbol][at] / 100).tolist()) for symbol in PRICES}))
    equity, fills = crossover(
        rows,
        START,
        [(split.symbol, split.session, split.ratio) for split in SPLITS],
        [(paid.symbol, paid.session, paid.amount) for paid in DIVIDENDS],
    )
    assert done.metrics["values"]["trades"] == len(done.fills) == fills > 10
    assert done.metrics["values"]["final_equity"] == pytest.approx(equity, rel=1e-9)
    assert calendars.from_day_number(int(done.sessions[0])) == START


def test_a_run_gives_the_same_digest_again_and_another_for_other_parameters(data: Path, tmp_path: Path) -> None:
    path = written(tmp_path)
    digests = [laptop.run(path, FolderStore(data), params).result_digest for params in ({}, {}, {"fast": 10})]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("adjust", ["split", "raw", "total"])
def test_a_free_form_script_runs_with_each_adjustment(data: Path, tmp_path: Path, adjust: str) -> None:
    path = written(tmp_path, "inverse_volatility.py", **{"# rebalance": f'# adjust = "{adjust}"\n# rebalance'})
    assert len(laptop.run(path, FolderStore(data)).fills) > 50


def test_the_command_prints_a_summary_and_writes_files(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["run", str(written(tmp_path)), "--data", str(data), "--param", "fast=10", "--out", str(out)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for word in ("Crossover on AAPL, IBM, MSFT", "CAGR", "Sharpe", "Maximum drawdown", "result digest"):
        assert word in said
    metrics = json.loads((out / "metrics.json").read_text())
    assert len((out / "trades.csv").read_text().splitlines()) == metrics["values"]["trades"] + 1
    assert float((out / "equity.csv").read_text().splitlines()[-1].split(",")[1]) == metrics["values"]["final_equity"]


@pytest.mark.parametrize(
    ("replaced", "code", "says"),
    [
        ({'"AAPL"': '"APPL"'}, 2, "Did you mean 'AAPL'"),
        ({"# dataset": "# datset"}, 2, "Did you mean 'dataset'"),
        ({"equities-1d": "equities-1m"}, 2, "no dataset"),
        ({"2012-12-31": "2001-12-31"}, 2, "is before start"),
        ({"# params": "# cash = 0\n# params"}, 2, "cash is a positive amount"),
        ({"# params": "# volume_cap = 2\n# params"}, 2, "volume_cap is a number from 0 to 1 (share of a bar's volume"),
        ({"# params": '# lot_size = "x"\n# params'}, 2, "lot_size is a number from 0 to"),
        ({"# params": '# adjust = "x"\n# params'}, 2, "adjust is one of"),
        ({"# params": '# audit = "yes"\n# params'}, 2, "audit is true or false"),
        ({"bars.width": "missing"}, 1, "(line 24 of crossover.py)"),
        ({"/ bars.width": "+ float('inf')"}, 1, "line 23 of crossover.py"),
        ({"return (sma": "return 1, (sma"}, 1, "no array of numbers"),
        ({"return self.slow": "return -1"}, 1, "0 or more"),
        ({"class Crossover(Strategy)": "class Crossover(Strategy"}, 2, "SYNTAX_ERROR"),
    ],
)
def test_what_is_wrong_is_said_with_a_code(  # noqa: PLR0917 - fixtures and cases by name
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], replaced: dict[str, str], code: int, says: str
) -> None:
    assert main(["run", str(written(tmp_path, **replaced)), "--data", str(data)]) == code
    assert says in capsys.readouterr().err


def test_bad_arguments_are_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(written(tmp_path))
    assert main(["run", path, "--data", str(tmp_path / "none")]) == 2
    assert main(["run", path, "--data", str(data), "--param", "fast"]) == 2
    assert main(["run", path, "--data", str(data), "--param", "fats=1"]) == 2
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert main(["check", path]) == 0
    assert json.loads(capsys.readouterr().out)["class_name"] == "Crossover"


MODELS = {
    "commission_per_share": 0.005,
    "commission_minimum": 1,
    "half_spread_per_share": 0.01,
    "impact_bps": 10,
    "borrow_fee_annual": 0.03,
    "interest_credit_annual": 0.01,
    "lot_size": 10,
    "leverage": 2,
    "maintenance_margin": 0.5,
}


@pytest.mark.parametrize("settings", [{}, MODELS], ids=["plain", "models"])
def test_the_sidecars_books_give_the_laptops_digest(data: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    store = FolderStore(data)
    snap = snapshot.load(store, "equities-1d", snapshot.latest(store, "equities-1d") or "")
    market = Market(store, snap, list(PRICES), START, SESSIONS[-1])
    market.load(100, "split")
    rows = market.rows(START, SESSIONS[-1])
    bars = market.bars(rows, ["close"])
    weights = (sma(bars.close, 20) > sma(bars.close, 100)) / bars.width
    asked: Any = {
        "level": "weights",
        "symbols": list(PRICES),
        "engine": {"version": ENGINE_VERSION, **asdict(EngineSettings(**settings))},
    }
    books = Books(asked, market.splits, market.dividends)
    books.book(market.books(rows), to_bytes(weights[100:]))
    header = {"# params": "\n".join([*(f"# {key} = {value}" for key, value in settings.items()), "# params"])}
    done, closed = laptop.run(written(tmp_path, **header), store), books.close()
    assert closed.result_digest == done.result_digest
    assert (closed.closing, len(closed.calls)) == (done.closing, len(done.margin_calls))
    assert (closed.closing.interest > 0) == bool(settings)


def test_the_command_says_how_costs_were_set_and_lists_margin_calls(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "# leverage = 2\n# maintenance_margin = 0.5\n# commission_minimum = 1.0\n# params"
    double = {"# params": header, "/ bars.width": "/ bars.width * 2"}
    out = tmp_path / "out"
    monkeypatch.setattr("tapedeck.cli.CALLS_SHOWN", 1)
    assert main(["run", str(written(tmp_path, **double)), "--data", str(data), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Costs: commission 5 bps of traded value, at least 1 an order; slippage 2 bps of the price" in said
    calls = json.loads((out / "margin_calls.json").read_text())
    assert f"{'Margin calls':<18}{len(calls):>18}" in said and "Interest" not in said
    assert f"margin call {calls[0]['time']}: equity {calls[0]['equity']:,.2f} of" in said
    assert json.loads((out / "metrics.json").read_text())["values"]["margin_calls"] == len(calls) > 1
    assert f"... and {len(calls) - 1} margin calls more" in said
