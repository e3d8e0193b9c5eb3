"""One call for market data: `tapedeck.bars` in a pod (through the sidecar), on a laptop and beside it say the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapedeck
from tapedeck import laptop
from tapedeck.fields import FIELDS
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.pod.halves import END, START, SYMBOLS, WHOLE, Pod, manifest

HEADER = f"""
# /// backtest
# dataset = "equities-1d"
# symbols = {json.dumps(SYMBOLS)}
# start = {START}
# end = {END}
# ///
"""
SOURCE = (
    HEADER
    + f"""
import hashlib, json
import numpy as np
import tapedeck

def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()

def main(run):
    said = {{}}
    asked = {{"dataset": "equities-1d", "fields": ("close",)}}
    for symbols in ("*", "IBM", ["IBM", "AAPL"]):
        read = tapedeck.bars(symbols, "{START}", "{END}", **asked)
        said[str(symbols)] = [list(read.symbols), sha(read.ts), sha(read.close), sha(read.raw.close), read.snapshot]
    daily = tapedeck.bars("*", "{START}", "{END}", freq="1d", adjust="raw", **asked)
    said["raw"] = sha(daily.close)
    for wrong in (
        lambda: tapedeck.bars("APPL", "{START}", "{END}", **asked),
        lambda: tapedeck.bars("AAPL", "{START}", "2031-01-02", **asked),
        lambda: tapedeck.bars("AAPL", "{START}", "{END}", dataset="equities-1m"),
        lambda: tapedeck.bars("AAPL", "{START}", "{END}", snapshot="0123456789", **asked),
        lambda: tapedeck.bars("AAPL", "{START}", "{END}", as_of="2020-01-01T00:00:00Z", **asked),
        lambda: tapedeck.bars("AAPL", "{START}", "{END}", adjust="total", **asked),
    ):
        try:
            wrong()
            said.setdefault("errors", []).append("none")
        except Exception as error:
            said.setdefault("errors", []).append(str(error))
    print("SAID " + json.dumps(said))
    run.submit(np.full(run.bars().shape, np.nan))
"""
)


def in_pod(folder: Path, market: tuple[Path, Snapshot]) -> dict[str, Any]:
    (folder / "market").symlink_to(market[0])
    pod = Pod(folder / "pod")
    asked = manifest(market[1].id, SOURCE, level="main", class_name=None, chunks=WHOLE, fields=list(FIELDS))
    last = pod.run(asked, SOURCE)
    assert last["type"] == "COMPLETED", last
    lines = [line["text"] for line in pod.log()]
    return json.loads(next(line for line in lines if line.startswith("SAID "))[5:])


def sha(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_bars_are_the_same_in_a_pod_on_a_laptop_and_outside(
    tmp_path: Path, market: tuple[Path, Snapshot], capsys: pytest.CaptureFixture[str]
) -> None:
    said = in_pod(tmp_path, market)
    (tmp_path / "mine.py").write_text(SOURCE)
    laptop.run(tmp_path / "mine.py", FolderStore(market[0]))
    assert json.loads(capsys.readouterr().out.partition("SAID ")[2]) == said
    asked: dict[str, Any] = {"dataset": "equities-1d", "fields": ("close",), "data": market[0]}
    for symbols in ("*", "IBM", ["IBM", "AAPL"]):
        read = tapedeck.bars(symbols, START, END, **asked)
        outside = [list(read.symbols), sha(read.ts), sha(read.close), sha(read.raw.close), read.snapshot]
        assert said[str(symbols)] == outside, symbols
    assert said["raw"] == sha(tapedeck.bars("*", START, END, adjust="raw", **asked).close)
    says = ("Did you mean 'AAPL'", "data goes from", "cannot be read", "has pinned", "has pinned", "adjusted by")
    for expected, error in zip(says, said["errors"], strict=True):
        assert expected in error
