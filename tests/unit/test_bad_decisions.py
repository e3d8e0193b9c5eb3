"""Bad input at every level: a named error, the researcher's own line, and the bar where there is one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tapedeck.bars import Bars
from tapedeck.cli import main
from tapedeck.decisions import DecisionError, as_decisions

HEAD = """# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM"]
# start = 2010-09-01
# end = 2010-10-29
# ///
import numpy as np
import pandas as pd
from tapedeck import Strategy

class Bad(Strategy):
    def {method}:
        {line}
        return np.zeros(bars.shape)
"""
LINE, ASKED = 13, 12  # of what is wrong, of the method that returned it
METHODS = {
    "weights": "weights(self, bars)",
    "shares": "shares(self, bars)",
    "on_bar": "on_bar(self, bar, book, bars=None)",
    "main": "main(self, run)",
}
FRAME = "pd.DataFrame(0.5, index=range(len(bars)), columns=['AAPL', 'IBN'])"
RETURNED = {  # what an array method returns -> what is said
    "bars.close * np.inf": "is inf",
    "np.zeros(3)": "have shape (3,), expected (21, 2): 21 bars x 2 symbols",
    "np.zeros((2, 21))": "have shape (2, 21), expected (21, 2)",
    "None": "returned None: return an array of shape (21, 2)",
    "'all in'": "no array of numbers",
    "{'APPL': bars.close[:, 0]}": "are for 'APPL', which is not in this run. Did you mean 'AAPL'?",
    FRAME: "are for 'IBN', which is not in this run. Did you mean 'IBM'?",
    "{'AAPL': bars.close[1:, 0]}": "of AAPL have shape (20,), expected (21,): one for each bar",
}


def said(data: Path, folder: Path, level: str, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    path = folder / "bad.py"
    text = HEAD.format(method=METHODS[level], line=line)
    path.write_text(
        text if level in ("weights", "shares") else text.replace("        return np.zeros(bars.shape)\n", "")
    )
    assert main(["run", str(path), "--data", str(data)]) == 1
    sys.modules.pop("strategy", None)
    return capsys.readouterr().err


@pytest.mark.parametrize("level", ["weights", "shares"])
@pytest.mark.parametrize(("value", "says"), RETURNED.items())
def test_what_an_array_method_returns_is_refused_with_its_line(  # noqa: PLR0917 - fixtures and cases by name
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], level: str, value: str, says: str
) -> None:
    error = said(data, tmp_path, level, f"return {value}", capsys)
    assert says in error
    assert f"CODE: {'the' if 'inf' in says else level}" in error
    assert f"line {ASKED} of bad.py" in error
    assert "inf" not in says or "of AAPL at bar 2010-09-01T13:30" in error


@pytest.mark.parametrize(("value", "says"), RETURNED.items())
def test_what_main_submits_is_refused_at_the_line_that_submits(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str, says: str
) -> None:
    says = says.replace("21", "42").replace("20", "41")
    line = f"bars = run.bars(); run.submit({value.replace('21', '42')})"
    error = said(data, tmp_path, "main", line, capsys)
    assert says in error
    assert f"(line {LINE} of bad.py)" in error


@pytest.mark.parametrize("level", ["weights", "shares"])
@pytest.mark.parametrize(
    ("line", "says"),
    [("raise KeyError('x')", "KeyError: 'x'"), ("bars.close[3, 0] = 1.0", "assignment destination is read-only")],
)
def test_what_an_array_method_raises_names_its_line_and_the_bars(  # noqa: PLR0917 - fixtures and cases by name
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], level: str, line: str, says: str
) -> None:
    error = said(data, tmp_path, level, line, capsys)
    assert says in error
    assert f"(line {LINE} of bad.py)" in error
    assert f"in {level}(bars) on the bars from 2010-09-01 13:30 to 2010-09-30 13:30 UTC" in error


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("book.buy('AAPL', 0)", "buy('AAPL', 0): the number of shares is positive"),
        ("book.sell('IBM', float('inf'))", "sell('IBM', inf): the number of shares is positive and at most"),
        ("book.buy('IBM', float('nan'))", "buy('IBM', nan): the number of shares"),
        ("book.buy('AAPL', 1, limit=-0.01)", "buy('AAPL'): limit=-0.01 is no price"),
        ("book.sell('AAPL', 1, stop=0)", "sell('AAPL'): stop=0 is no price"),
        ("book.target_weight('AAPL', float('inf'))", "target_weight('AAPL', inf)"),
        ("book.target_shares('IBN', 1)", "'IBN' is not in this run. Did you mean 'IBM'?"),
        ("bar['AAPL'].nothing", "nothing"),
        ("bar['AAPL'].close = 1.0", "can't set attribute"),
        ("bar.history(1)[0, 0] = 1.0", "assignment destination is read-only"),
        ("raise ValueError('mine')", "mine"),
    ],
)
def test_what_goes_wrong_bar_by_bar_names_line_bar_and_symbol(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    error = said(data, tmp_path, "on_bar", f"if bar.session.day == 14: {line}", capsys)
    assert says in error
    assert f"(line {LINE} of bad.py)" in error
    assert "in on_bar(bar, book) at the bar 2010-09-14 13:30 UTC" in error


def bars() -> Bars:
    ts = np.arange(4, dtype=np.int64) * 60_000_000
    close = np.arange(1.0, 9.0).reshape(4, 2)
    return Bars(symbols=("A", "B"), ts=ts, session=np.zeros(4, np.int32), fields={"close": close})


def test_a_view_of_the_input_is_copied_and_the_input_cannot_be_changed() -> None:
    seen = bars()
    for value in (seen.close, seen.close[:], seen.close.T.T):
        decided = as_decisions(value, seen)
        assert not np.shares_memory(decided, seen.close)
    assert not seen.close.flags.writeable and not seen.raw.close.flags.writeable


def test_a_table_is_put_in_the_order_of_the_runs_symbols_and_may_leave_some_alone() -> None:
    seen = bars()
    expected = np.array([[2.0, 1.0], [4.0, 3.0], [6.0, 5.0], [8.0, 7.0]])
    frame = pd.DataFrame({"B": seen.close[:, 0], "A": seen.close[:, 1]}, index=pd.to_datetime(seen.ts, unit="us"))
    for table in (frame, frame.tz_localize("UTC"), {"B": seen.close[:, 0], "A": seen.close[:, 1]}):
        assert as_decisions(table, seen).tolist() == expected.tolist()
    np.testing.assert_array_equal(as_decisions(frame[["B"]], seen), np.stack([np.full(4, np.nan), expected[:, 1]], 1))
    assert as_decisions(seen.to_pandas()["close"], seen).tolist() == seen.close.tolist()
    assert as_decisions(pd.DataFrame(seen.close), seen).tolist() == seen.close.tolist()  # no names: by place


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.iloc[::-1], "the rows of weights are not the bars"),
        (lambda frame: frame.iloc[1:], "3 times, expected those of bars.time"),
        (lambda frame: pd.concat([frame, frame[["A"]]], axis=1), "have a symbol twice: A, B, A"),
        (lambda frame: frame.astype(str) + "x", "no array of numbers"),
    ],
)
def test_a_table_that_does_not_fit_the_bars_is_refused(change: object, says: str) -> None:
    seen = bars()
    frame = seen.to_pandas()["close"]
    with pytest.raises(DecisionError, match=says):
        as_decisions(change(frame), seen)  # type: ignore[operator]  # a function
