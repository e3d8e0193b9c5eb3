"""The peer: ArcticDB on LMDB, one frame a symbol, read in one batch."""

from __future__ import annotations

import arcticdb
import numpy as np
import pandas as pd
from arcticdb import ReadRequest

from benchmarks.data.report import FIELDS, asked, second
from benchmarks.data.where import ARCTIC, ARRAYS, SYMBOLS


def library() -> arcticdb.library.Library:
    """Return the library, written from the plain arrays when it is not there yet."""
    fresh = not ARCTIC.exists()
    made = arcticdb.Arctic(f"lmdb://{ARCTIC}?map_size=8GB").get_library("bars", create_if_missing=True)
    for symbol in SYMBOLS if fresh else ():
        columns = {field: np.load(ARRAYS / f"{symbol}.{field}.npy") for field in FIELDS["all"]}
        index = pd.DatetimeIndex(np.load(ARRAYS / f"{symbol}.ts.npy").view("M8[us]"), name="ts")
        made.write(symbol, pd.DataFrame(columns, index=index))
    return made


def main() -> None:
    """Print one measurement."""
    held, fields = library(), list(asked())

    def run() -> float:
        frames = held.read_batch([ReadRequest(symbol, columns=fields) for symbol in SYMBOLS])
        return sum(float(frame.data[field].to_numpy().sum()) for frame in frames for field in fields)

    second(run)


main()
