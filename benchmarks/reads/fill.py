"""Put the market into the server's buckets where it is not yet, and say what a row takes as we store it."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import market
from benchmarks.reads.client import client
from benchmarks.reads.where import BUCKETS, DECIMALS, FIELDS, SYMBOLS, arrays
from tapedeck.market import publish, reader, sealing, snapshot
from tapedeck.market.store import S3Store

_ZSTD_SYMBOLS = 10  # are enough to know what a row of float64 takes


def main() -> None:
    """Print the bytes a row by the number of decimals: ours, a year's object, and float64 in zstd."""
    s3 = client()
    known = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in {*BUCKETS, *(f"arctic{decimals}" for decimals in DECIMALS)} - known:
        s3.create_bucket(Bucket=bucket)
    for bucket in BUCKETS:
        _fill(s3, bucket)
    print(json.dumps({str(decimals): _sizes(decimals) for decimals in DECIMALS}))


def _fill(s3: Any, bucket: str) -> None:
    store, name = S3Store(s3, bucket), market.DATASET.name
    held = snapshot.latest(store, name)
    if held is None:
        held = publish.publish(store, market.DATASET, None, market.changes(2)).snapshot.id
    if bucket == "years":
        done = sealing.seal(store, snapshot.load(store, name, held))
        assert done.now + done.before == len(SYMBOLS), done


def _sizes(decimals: int) -> dict[str, float]:
    store, at = market.load(decimals)
    leaves = at.leaves(SYMBOLS).values()
    rows = sum(ref.rows for leaf in leaves for ref in leaf.months.values())
    folder = arrays(decimals)
    if not folder.exists():
        folder.mkdir(parents=True)
        for symbol in SYMBOLS:
            block = reader.read_block(store, at, [symbol], FIELDS["all"], market.FIRST, market.LAST)
            np.save(folder / f"{symbol}.ts.npy", block.ts)
            for field in FIELDS["all"]:
                np.save(folder / f"{symbol}.{field}.npy", np.ascontiguousarray(block.fields[field][:, 0]))
    few = SYMBOLS[:_ZSTD_SYMBOLS]
    return {
        "months": sum(place.bytes for leaf in leaves for place in leaf.places.values()) / rows,
        "zstd": sum(_zstd(decimals, symbol) for symbol in few) / (rows / len(SYMBOLS) * len(few)),
    }


def _zstd(decimals: int, symbol: str) -> int:
    """Return the bytes of a symbol's months as float64 in zstd, without a dictionary."""
    columns = {name: np.load(arrays(decimals) / f"{symbol}.{name}.npy") for name in ("ts", *FIELDS["all"])}
    month = columns["ts"].view("M8[us]").astype("M8[M]")
    size = 0
    for which in np.unique(month):
        sink = io.BytesIO()
        table = pa.table({name: values[month == which] for name, values in columns.items()})
        pq.write_table(table, sink, compression="zstd", use_dictionary=False)
        size += sink.tell()
    return size


if __name__ == "__main__":
    main()
