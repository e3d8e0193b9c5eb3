"""Strategies loaded and run: parameters, read-only bars, and errors that name the researcher's own line."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapedeck
from tapedeck import Bars, Run, Strategy, source
from tapedeck.decisions import DecisionError, as_decisions
from tapedeck.strategy import create

SCRIPT = """\
from tapedeck import Strategy, sma

class Mine(Strategy):
    fast: int = 3

    def __init__(self):
        self.twice = 2 * self.fast

    def lookback(self):
        return self.twice

    def weights(self, bars):
        return sma(bars.close, self.fast) / 0
"""


def bars(rows: int = 6, symbols: tuple[str, ...] = ("AAPL", "IBM")) -> Bars:
    close = np.arange(1.0, rows * len(symbols) + 1).reshape(rows, len(symbols))
    days = np.arange(rows, dtype=np.int32)
    return Bars(
        symbols=symbols,
        ts=days.astype(np.int64) * 86_400_000_000,
        session=days,
        fields={"close": close},
        raw={"close": close * 2},
    )


def load(tmp_path: Path, name: str, body: str | bytes, class_name: str | None = "Mine") -> Any:
    path = tmp_path / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    kind = {".py": "script", ".ipynb": "notebook", ".zip": "zip"}[path.suffix]
    return source.load(path, name, kind, class_name)  # type: ignore[arg-type]


def notebook(*cells: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": c, "metadata": {}} for c in cells]})


def test_parameters_are_set_before_the_strategys_own_init(tmp_path: Path) -> None:
    strategy = create(load(tmp_path, "mine.py", SCRIPT), {"fast": 5})
    assert strategy.lookback() == 10
    with pytest.raises(TypeError, match="Did you mean 'fast'"):
        create(type(strategy), {"fsat": 1})


def test_the_same_class_can_be_made_by_hand() -> None:
    class Mine(Strategy):
        fast: int = 20

    assert (Mine().fast, Mine(fast=3).fast, Mine().lookback()) == (20, 3, 0)


def test_an_error_is_located_in_the_script(tmp_path: Path) -> None:
    strategy = create(load(tmp_path, "mine.py", SCRIPT.replace("/ 0", "/ bars.volume")), {})
    with pytest.raises(AttributeError) as caught:
        strategy.weights(bars())
    assert source.locate(caught.value) == source.Location("mine.py", 13, None)
    assert "write fields = ('close', 'volume',)" in str(caught.value)
    said = source.describe(caught.value)
    assert said.index('File "mine.py", line 13') < said.index("return sma(bars.close")
    assert "test_source" not in said


def test_an_error_in_a_notebook_is_located_by_cell_and_line(tmp_path: Path) -> None:
    cell = "%matplotlib inline\n" + SCRIPT.replace("/ 0", "/ missing")
    strategy = create(load(tmp_path, "mine.ipynb", notebook("import tapedeck", cell)), {})
    with pytest.raises(NameError) as caught:
        strategy.weights(bars())
    assert source.locate(caught.value) == source.Location("mine.ipynb", 14, 2)
    assert source.where(strategy.weights) == source.Location("mine.ipynb", 13, 2)


def test_an_error_while_the_module_runs_is_located_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        load(tmp_path, "mine.py", "x = 1\ny = x / 0\n")
    assert source.locate(caught.value) == source.Location("mine.py", 2, None)


def test_an_error_in_a_zips_side_file_is_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as out:
        out.writestr("strategy.py", "from side.tool import f\ndef main(run):\n    f()\n")
        out.writestr("side/tool.py", "\ndef f():\n    raise RuntimeError('x')\n")
    main = load(tmp_path, "s.zip", body.getvalue(), None)
    with pytest.raises(RuntimeError) as caught:
        main(None)
    assert source.locate(caught.value) == source.Location("side/tool.py", 3, None)


def test_an_error_outside_of_the_submission_has_no_place(tmp_path: Path) -> None:
    load(tmp_path, "mine.py", SCRIPT)
    assert source.locate(ValueError()) is None


def test_a_name_that_running_the_file_does_not_define_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="does not define Mine"):
        load(tmp_path, "mine.py", "x = 1")


def test_bars_are_read_only_and_tell_their_shape() -> None:
    seen = bars()
    assert (len(seen), seen.width, seen.shape, seen.index("IBM")) == (6, 2, (6, 2), 1)
    assert seen.raw.close[0, 0] == 2.0
    assert str(seen.time[1]) == "1970-01-02T00:00:00.000000"
    for array in (seen.close, seen.raw.close, seen.ts, seen.session):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(KeyError, match="Did you mean 'AAPL'"):
        seen.index("APPL")
    with pytest.raises(AttributeError, match="Did you mean 'close'"):
        seen.closes  # noqa: B018
    with pytest.raises(TypeError, match=r"use bars\.close"):
        np.asarray(seen)


def test_bars_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'close' has shape \(3, 2\), expected \(2, 2\)"):
        Bars(
            symbols=("A", "B"),
            ts=np.zeros(2, np.int64),
            session=np.zeros(2, np.int32),
            fields={"close": np.zeros((3, 2))},
        )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, r"return an array of shape \(6, 2\)"),
        (np.zeros((6,)), r"shape \(6,\), expected \(6, 2\): 6 bars x 2 symbols"),
        ([["a", "b"]], "no array of numbers"),
        (np.where(bars().close == 4, np.inf, 0), "the weight of IBM at bar 1970-01-02T00:00:00.000000 UTC is inf"),
    ],
)
def test_decisions_that_are_no_weights_are_refused_by_name(value: object, says: str) -> None:
    with pytest.raises(DecisionError, match=says):
        as_decisions(value, bars())


def test_decisions_are_a_copy_as_float64() -> None:
    given = bars().close > 5
    made = as_decisions(given, bars())
    assert made.dtype == np.float64
    assert made.flags.f_contiguous
    assert as_decisions(bars().close, bars()) is not bars().close


class Port:
    def __init__(self) -> None:
        self.decisions: Any = None

    def bars(self) -> Bars:
        return bars()

    def submit(self, decisions: Any) -> None:
        self.decisions = decisions


def test_a_run_hands_in_its_decisions_once(capsys: pytest.CaptureFixture[str]) -> None:
    port = Port()
    run = Run(port, ["AAPL", "IBM"], {"fast": 3})
    assert run.bars(["close"]).shape == (6, 2)
    run.log("hello", 1)
    assert capsys.readouterr().out == "hello 1\n"
    run.submit(run.bars().close * 0)
    assert port.decisions.shape == (6, 2)
    with pytest.raises(DecisionError, match="once"):
        run.submit(run.bars().close * 0)
    with pytest.raises(AttributeError, match="'close', 'volume'"):
        run.bars(["volume"])


def test_the_package_offers_its_names_lazily() -> None:
    assert tapedeck.Strategy is Strategy
    assert "sma" in dir(tapedeck)
    with pytest.raises(AttributeError, match="Did you mean 'Strategy'"):
        tapedeck.Stratgy  # noqa: B018
