"""Real daily bars for the demo and the tests: AAPL, FB, GOOG, IBM and MSFT, 2000 to 2013."""

from __future__ import annotations

import gzip
from pathlib import Path

from bokeh_sampledata import package_path

DROP = "incoming/equities-1d/bokeh.csv"  # where the data owner puts it
HEADER = b"Ticker,Date,Open,High,Low,Close,Volume,Adj Close"


def vendor_csv() -> bytes:
    """Return the real daily bars as one CSV: raw prices with the vendor's adjusted close beside them."""
    header, rows = gzip.decompress(Path(package_path("stocks.csv.gz")).read_bytes()).split(b"\n", 1)
    if header.strip() != HEADER:
        raise ValueError(f"bokeh_sampledata's stocks.csv.gz has another header: {header!r}")
    return b"symbol,date,open,high,low,close,volume,adj_close\n" + rows
