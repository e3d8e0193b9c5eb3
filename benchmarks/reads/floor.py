"""What bounds a read: the GETs alone, or decoding what they bring, whichever takes longer; no code of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from obstore.store import S3Store

from benchmarks.reads.report import best, layout
from benchmarks.reads.where import FIELDS, KEY, ROWS, SECRET, SYMBOLS, YEAR, endpoint, month_keys

THREADS = 16
_PRICE_SCALE = 100


def main() -> None:
    """Print wall, cpu and sum by set of fields, of which `gets` and `decoding` say what they consist of."""
    store = S3Store(
        layout(),
        endpoint=endpoint(),
        region="us-east-1",
        access_key_id=KEY,
        secret_access_key=SECRET,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    keys = month_keys() if layout() == "months" else _year_keys(store)

    def get(key: str) -> Any:
        return obstore.get(store, key).bytes()

    with ThreadPoolExecutor(THREADS) as pool:
        bodies, gets, gets_cpu = best(lambda: list(pool.map(get, keys)))
    said = {}
    for name, fields in FIELDS.items():
        total, decoding, taken = best(partial(_decode, bodies, fields))
        wall = max(gets, decoding)
        said[name] = {"wall": wall, "cpu": gets_cpu + taken, "sum": total, "gets": gets, "decoding": decoding}
    print(json.dumps(said))


def _year_keys(store: S3Store) -> list[str]:
    """Return each symbol's one year object, whose name is a digest."""
    found = [meta["path"] for part in obstore.list(store, prefix="sealed/") for meta in part]
    by = {path.split("/")[2]: path for path in found if f"/{YEAR}/" in path}
    return [by[symbol] for symbol in SYMBOLS]


def _decode(bodies: Sequence[Any], fields: Sequence[str]) -> float:
    """Decode everything into one block, symbol by symbol, on one thread."""
    block = {field: np.empty((len(SYMBOLS), ROWS)) for field in fields}
    ts = np.empty((len(SYMBOLS), ROWS), np.int64)
    each = len(bodies) // len(SYMBOLS)
    for number in range(len(SYMBOLS)):
        start = 0
        for body in bodies[number * each : (number + 1) * each]:
            start = _into(body, block, ts, number, start)
        assert start == ROWS
    return float(block["close"].sum())


def _into(body: Any, block: dict[str, NDArray[np.float64]], ts: NDArray[np.int64], number: int, start: int) -> int:
    with pq.ParquetFile(pa.BufferReader(pa.py_buffer(body))) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, ["ts", *block], use_threads=False)
            stop = start + table.num_rows
            ts[number, start:stop] = table.column("ts").chunk(0).to_numpy()
            for field, values in block.items():
                ticks = table.column(field).chunk(0).to_numpy()
                np.divide(ticks, 1.0 if field == "volume" else _PRICE_SCALE, out=values[number, start:stop])
            start = stop
    return start


main()
