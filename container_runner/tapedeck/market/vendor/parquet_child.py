"""The process that opens a vendor's Parquet file: limits itself, then writes the flat columns as CSV to stdout."""

from __future__ import annotations

import csv
import resource
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

NOT_PARQUET, OUT_OF_MEMORY = 65, 70  # exit codes; the first has its reason on stderr
_ROWS = 16_384  # a batch
_EPOCH = datetime(1970, 1, 1)
_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def main(path: str, memory_bytes: int, cpu_seconds: int) -> None:
    """Write the file's rows; the limits hold from before its first byte is read."""
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    import pyarrow as pa  # noqa: PLC0415 - after the limits are set

    try:
        _write(path)
    except MemoryError:  # Arrow's is one
        sys.exit(OUT_OF_MEMORY)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        sys.stderr.write(str(error)[:500])
        sys.exit(NOT_PARQUET)


def _write(path: str) -> None:
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.parquet as pq  # noqa: PLC0415

    pa.set_cpu_count(1)
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    out = csv.writer(sys.stdout, lineterminator="\n")
    with pq.ParquetFile(path, memory_map=False, buffer_size=1 << 16) as file:
        names = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        out.writerow(names)
        for batch in file.iter_batches(batch_size=_ROWS, columns=names, use_threads=False):
            out.writerows(zip(*(_texts(column) for column in batch.columns), strict=True))


def _texts(column: Any) -> list[str]:
    """Return a column's values as text, exactly; nulls are empty."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        return [_moment(value, column.type) for value in column.cast(pa.int64()).to_pylist()]
    return [value or "" for value in column.cast(pa.string()).to_pylist()]


def _moment(value: int | None, kind: Any) -> str:
    if value is None:
        return ""
    if kind.unit == "ns":
        value, rest = divmod(value, 1000)
        if rest:
            raise ValueError("a time has nanoseconds")
    moment = _EPOCH + timedelta(microseconds=value * _UNITS.get(kind.unit, 1))
    return (moment.replace(tzinfo=UTC) if kind.tz else moment).isoformat()
