"""Where everything lies and what is asked; imported by the peers too, in whose environments our code is not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench" / "reads"
SYMBOLS = [f"S{number:03}" for number in range(100)]
YEAR, ROWS = 2019, 97_740  # bars a symbol
KEY, SECRET = "bench", "benchsecret"
FIELDS = {"close": ("close",), "all": ("open", "high", "low", "close", "volume")}
BUCKETS = ("months", "years")  # ours: monthly files only, and sealed as well
DECIMALS = (2, 4)  # ArcticDB has a bucket for each, and it is measured at 2


def port() -> int:
    """Return the server's port."""
    return int(os.environ["BENCH_S3_PORT"])


def endpoint() -> str:
    """Return the server's URL."""
    return f"http://127.0.0.1:{port()}"


def arrays(decimals: int) -> Path:
    """Return the folder of plain arrays, from which a peer's store is written."""
    return FOLDER / f"arrays-{decimals}"


def month_keys(symbols: Sequence[str] = SYMBOLS) -> list[str]:
    """Return the keys of monthly files."""
    return [f"equities-1m/{symbol}/{YEAR}/{month:02}.parquet" for symbol in symbols for month in range(1, 13)]
