"""500 symbols x five years of minute bars, all of them different; made once, in parts, and kept below build/."""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path

from tapedeck.data import synthesize
from tapedeck.market import snapshot as snapshots
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench" / "memory"
DATASET = "equities-1m"
FIRST, LAST = date(2015, 1, 1), date(2019, 12, 31)
SYMBOLS = [f"S{number:04}" for number in range(500)]
_PART = 50  # symbols published at once
_SEED = 7


def load() -> tuple[FolderStore, Snapshot]:
    """Return the market; what is missing of it is made first, in about ten minutes of one core, and 2.5 GB."""
    folder = FOLDER / "market"
    folder.mkdir(parents=True, exist_ok=True)
    while (held := _held(folder)) < len(SYMBOLS):
        began = time.monotonic()
        upto = min(held + _PART, len(SYMBOLS))
        synthesize.into(folder, DATASET, symbols=upto, start=FIRST, end=LAST, seed=_SEED, begin=held)
        print(f"made {upto} of {len(SYMBOLS)} symbols, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if sys.argv[1:] == ["part"]:
            break
    store = FolderStore(folder)
    latest = snapshots.latest(store, DATASET)
    assert latest is not None
    return store, snapshots.load(store, DATASET, latest)


def _held(folder: Path) -> int:
    store = FolderStore(folder)
    latest = snapshots.latest(store, DATASET)
    return len(snapshots.load(store, DATASET, latest).symbols) if latest else 0


if __name__ == "__main__":
    load()
