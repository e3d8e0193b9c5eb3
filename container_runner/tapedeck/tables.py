"""Bars as tables of other libraries, each imported when it is asked for.

The long form has a row for each bar and symbol: `ts`, `session`, `symbol` and the fields; what did not trade is null.
For DuckDB `ts` is UTC without a zone: with one, hours and days would be those of the machine's own zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tapedeck.bars import Bars

LOCKED = {  # what a query may not do in a run, whatever it says; the sandbox has no network in any case
    "threads": "1",  # sums do not depend on which thread was first
    "TimeZone": "'UTC'",  # nor hours on where the machine is
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}


def to_arrow(bars: Bars) -> Any:  # a pyarrow.Table, which this library has no types for
    """Return the long form as a pyarrow table, ordered by time, then as the symbols are."""
    import pyarrow as pa  # noqa: PLC0415 - only who asks for it waits for it

    count, width = bars.shape
    names = pa.array(bars.symbols, pa.string())
    codes = pa.array(np.tile(np.arange(width, dtype=np.int32), count))
    columns = {
        "ts": pa.array(np.repeat(bars.ts, width)).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        "session": pa.array(np.repeat(bars.session, width)).cast(pa.date32()),
        "symbol": pa.DictionaryArray.from_arrays(codes, names),
        **{name: pa.array(values.ravel(), from_pandas=True) for name, values in bars.fields().items()},
    }
    return pa.table(columns)


def to_pandas(bars: Bars) -> Any:  # a pandas.DataFrame
    """Return a DataFrame with a row for each bar (UTC) and columns (field, symbol): `frame["close"]["AAPL"]`."""
    import pandas as pd  # noqa: PLC0415 - only who asks for it waits for it

    fields = bars.fields()
    columns = pd.MultiIndex.from_product([list(fields), list(bars.symbols)], names=["field", "symbol"])
    values = np.concatenate(list(fields.values()), axis=1)
    index = pd.DatetimeIndex(pd.to_datetime(bars.ts, unit="us", utc=True), name="ts")
    return pd.DataFrame(values, index=index, columns=columns)


def relation(bars: Bars, connection: Any = None) -> Any:  # a duckdb.DuckDBPyRelation
    """Return the long form as a DuckDB relation of `connection`, or of a new database in memory; `ts` is UTC."""
    import duckdb  # noqa: PLC0415 - only who asks for it waits for it

    return (connection or duckdb.connect()).from_arrow(_zoneless(bars))


def _zoneless(bars: Bars) -> Any:  # a pyarrow.Table
    import pyarrow as pa  # noqa: PLC0415 - as above

    table = to_arrow(bars)
    return table.set_column(0, "ts", table["ts"].cast(pa.timestamp("us")))


def database(bars: Bars) -> Any:  # a duckdb.DuckDBPyConnection
    """Return a DuckDB database in memory that holds the long form as `bars`, and reaches nothing else."""
    import duckdb  # noqa: PLC0415 - only who asks for it waits for it

    connection = duckdb.connect(":memory:")
    connection.register("arrived", _zoneless(bars))
    connection.execute("CREATE TABLE bars AS SELECT * FROM arrived")
    connection.unregister("arrived")
    for name, value in LOCKED.items():
        connection.execute(f"SET {name} = {value}")
    return connection
