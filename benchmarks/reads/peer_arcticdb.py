"""The peer: ArcticDB on the same server, one frame a symbol, read in one batch; `size` writes what is missing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import arcticdb
import numpy as np
import pandas as pd
from arcticdb import ReadRequest

from benchmarks.reads.report import report
from benchmarks.reads.where import DECIMALS, FIELDS, KEY, SECRET, SYMBOLS, arrays, port


def library(decimals: int) -> arcticdb.library.Library:
    """Return the library of prices with so many decimals, written when it is not whole yet."""
    uri = f"s3://127.0.0.1:arctic{decimals}?access={KEY}&secret={SECRET}&port={port()}&use_virtual_addressing=false"
    made = arcticdb.Arctic(uri).get_library("bars", create_if_missing=True)
    for symbol in sorted(set(SYMBOLS) - set(made.list_symbols())):
        columns = {field: np.load(arrays(decimals) / f"{symbol}.{field}.npy") for field in FIELDS["all"]}
        index = pd.DatetimeIndex(np.load(arrays(decimals) / f"{symbol}.ts.npy").view("M8[us]"), name="ts")
        made.write(symbol, pd.DataFrame(columns, index=index))
    return made


def read(fields: Sequence[str]) -> float:
    frames = HELD.read_batch([ReadRequest(symbol, columns=list(fields)) for symbol in SYMBOLS])
    return sum(float(frame.data["close"].to_numpy().sum()) for frame in frames)


if sys.argv[1] == "size":
    for number in DECIMALS:
        library(number)
    print(json.dumps({}), flush=True)
else:
    HELD = library(2)
    report(read)
os._exit(0)  # its threads outlive it otherwise
