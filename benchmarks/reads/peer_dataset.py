"""The peer: pyarrow.dataset over the monthly files, whose keys it is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.dataset as ds
from pyarrow.fs import S3FileSystem

from benchmarks.reads.report import report
from benchmarks.reads.where import KEY, SECRET, endpoint, month_keys

SYSTEM = S3FileSystem(access_key=KEY, secret_key=SECRET, region="us-east-1", endpoint_override=endpoint())
FILES = [f"months/{key}" for key in month_keys()]


def read(fields: Sequence[str]) -> float:
    table = ds.dataset(FILES, format="parquet", filesystem=SYSTEM).to_table(columns=["ts", *fields])
    arrays = {name: np.asarray(table.column(name)) for name in ("ts", *fields)}
    prices = {name: values / 100 for name, values in arrays.items() if name not in ("ts", "volume")}
    return float(prices["close"].sum())


report(read)
