"""Apple's 7:1 split of 2014-06-09 in LEAN's real minutes, from the vendor's files to equity, shares and signals."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import tapedeck
from tapedeck import laptop
from tapedeck.cli import main
from tapedeck.market import history, snapshot
from tapedeck.market.store import FolderStore

LEAN = Path(__file__).parents[3] / "shared/data/lean/equity/usa"
SPLIT = date(2014, 6, 9)
DAYS = ("20140605", "20140606", "20140609")
HOLD = """
# /// backtest
# dataset = "equities-1m"
# symbols = ["AAPL"]
# start = 2014-06-05
# end = 2014-06-09
# commission_bps = 0
# slippage_bps = 0
# ///
import numpy as np
from tapedeck import Strategy

class Hold(Strategy):
    def weights(self, bars):
        decided = np.full(bars.shape, np.nan)
        decided[0] = 1.0
        decided[-2] = 0.0  # so that the shares that there are at the end show as a sale
        return decided
"""

pytestmark = pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of Apple's minutes with its factor and map file, ingested by the command line."""
    folder = tmp_path_factory.mktemp("lean")
    paths = [
        *(LEAN / f"minute/aapl/{day}_trade.zip" for day in DAYS),
        LEAN / "factor_files/aapl.csv",
        LEAN / "map_files/aapl.csv",
    ]
    with zipfile.ZipFile(folder / "lean.zip", "w") as bundle:
        for path in paths:
            bundle.write(path, f"equity/usa/{path.relative_to(LEAN)}")
    market = folder / "market"
    assert main(["data", "ingest", str(folder / "lean.zip"), "--dataset", "equities-1m", "--data", str(market)]) == 0
    return market


def vendors(day: str) -> list[list[str]]:
    """The rows of a day as the vendor wrote them, within the session."""
    with zipfile.ZipFile(LEAN / f"minute/aapl/{day}_trade.zip") as packed:
        rows = list(csv.reader(io.StringIO(packed.read(packed.namelist()[0]).decode())))
    return [row for row in rows if 34_200_000 <= int(row[0]) < 57_600_000]


def test_the_bar_that_holds_both_scales_is_told_and_is_in_no_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = LEAN / "minute/aapl/20140609_trade.zip"
    assert main(["data", "ingest", str(path), "--dataset", "equities-1m", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "found: 1 two-scales" in said
    assert "the bar of 2014-06-09 04:00 holds two scales, 7 to 1; outside of the session, left out" in said


def test_raw_bars_are_the_vendors_and_the_split_is_in_the_table(data: Path) -> None:
    bars = tapedeck.bars("AAPL", SPLIT, SPLIT, dataset="equities-1m", adjust="raw", data=data)
    assert bars.close[:, 0].tolist() == [int(row[4]) / 10_000 for row in vendors("20140609")]
    at = snapshot.load(FolderStore(data), "equities-1m", history.resolve(FolderStore(data), "equities-1m"))
    assert [(one.session, one.ratio) for one in at.leaf("AAPL").splits if one.session == SPLIT] == [(SPLIT, 7.0)]


def test_a_signal_on_adjusted_prices_sees_no_jump(data: Path) -> None:
    bars = tapedeck.bars("AAPL", "2014-06-05", SPLIT, dataset="equities-1m", data=data)
    change = np.abs(np.diff(np.log(bars.close[:, 0])))
    assert change.max() < 0.01
    assert np.abs(np.diff(np.log(bars.raw.close[:, 0]))).max() > 1.9  # 7 to 1
    after = bars.session == bars.session[-1]
    np.testing.assert_allclose(bars.close[after], 7 * bars.raw.close[after], rtol=1e-15)
    np.testing.assert_array_equal(bars.close[~after], bars.raw.close[~after])  # what was seen before never changes
    daily = tapedeck.bars("AAPL", "2014-06-05", SPLIT, dataset="equities-1m", freq="1d", data=data)
    assert daily.close[:, 0].tolist() == [bars.close[bars.session == day][-1, 0] for day in np.unique(bars.session)]


def test_a_backtest_across_it_keeps_its_equity_and_has_seven_times_the_shares(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "hold.py"
    path.write_text(HOLD)
    done = laptop.run(path, FolderStore(data))
    bought, sold = done.fills.quantity.tolist()
    assert sold == pytest.approx(-7 * bought, rel=1e-12)
    first, last = vendors(DAYS[0]), vendors(DAYS[-1])
    opened, closed = int(first[1][1]) / 10_000, int(last[-1][1]) / 10_000  # bought at the second bar's open
    assert done.fills.price.tolist() == [opened, closed]
    assert done.equity[-1] == pytest.approx(1_000_000 + bought * (7 * closed - opened))
    moved = [int(vendors(day)[-1][4]) / 10_000 for day in DAYS]
    expected = [1_000_000 + bought * (price - opened) for price in (moved[0], moved[1])]
    assert done.equity[:2] == pytest.approx(expected)
    assert np.abs(np.diff(np.log(done.equity))).max() < 0.03


def test_the_tables_of_actions_are_versioned_with_the_snapshot(data: Path, tmp_path: Path) -> None:
    """A correction of the factor file is a new snapshot; the old one has the old splits."""
    store = FolderStore(data)
    before = history.resolve(store, "equities-1m")
    (tmp_path / "factor_files").mkdir()
    path = tmp_path / "factor_files/aapl.csv"
    path.write_text("20140606,1,0.2,645.57\n20501231,1,1,0\n")  # 5:1, wrong
    assert main(["data", "ingest", str(path), "--dataset", "equities-1m", "--data", str(data)]) == 0
    after = history.resolve(store, "equities-1m")
    ratios = [
        [split.ratio for split in snapshot.load(store, "equities-1m", at).leaf("AAPL").splits] for at in (before, after)
    ]
    assert ratios == [[2.0, 2.0, 7.0, 4.0], [5.0]]
    asked = {"dataset": "equities-1m", "data": data}
    jumps = [
        np.abs(np.diff(np.log(tapedeck.bars("AAPL", "2014-06-05", SPLIT, snapshot=at, **asked).close[:, 0]))).max()
        for at in (before, after)
    ]
    assert jumps[0] < 0.01
    assert jumps[1] > 0.3
