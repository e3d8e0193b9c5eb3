"""The peer: polars over the monthly files, whose keys it is given."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from benchmarks.reads.report import report
from benchmarks.reads.where import KEY, SECRET, endpoint, month_keys

OPTIONS = {
    "aws_access_key_id": KEY,
    "aws_secret_access_key": SECRET,
    "aws_region": "us-east-1",
    "aws_endpoint_url": endpoint(),
    "aws_allow_http": "true",
}
FILES = [f"s3://months/{key}" for key in month_keys()]


def read(fields: Sequence[str]) -> float:
    frame = pl.scan_parquet(FILES, storage_options=OPTIONS).select("ts", *fields).collect()
    arrays = {name: frame[name].to_physical().to_numpy() for name in ("ts", *fields)}
    prices = {name: values / 100 for name, values in arrays.items() if name not in ("ts", "volume")}
    return float(prices["close"].sum())


report(read)
