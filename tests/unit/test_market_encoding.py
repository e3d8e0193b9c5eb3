from __future__ import annotations

import io
from array import array

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck.market import encoding
from tapedeck.market.encoding import COLUMNS, PRICES, Month
from tapedeck.market.errors import EncodingError

INTS = st.integers(-(2**52), 2**52)


def months(max_scale: int = 4) -> st.SearchStrategy[tuple[dict[str, array[int]], dict[str, int]]]:
    def build(rows: list[tuple[int, ...]], scales: tuple[int, ...]) -> tuple[dict[str, array[int]], dict[str, int]]:
        columns = {name: array("q", [row[at] for row in rows]) for at, name in enumerate(COLUMNS)}
        return columns, dict(zip(COLUMNS[1:], scales, strict=True))

    bounded = st.integers(-(2**53 // 10**max_scale), 2**53 // 10**max_scale)
    row = st.tuples(INTS, bounded, bounded, bounded, bounded, bounded)
    return st.builds(build, st.lists(row, min_size=1, max_size=50), st.tuples(*[st.integers(0, max_scale)] * 5))


def example(scale: int = 2) -> Month:
    columns = {name: array("q", [10_000 + at, 10_100 + at, 9_999 + at]) for at, name in enumerate(COLUMNS)}
    return encoding.month(columns, dict.fromkeys(COLUMNS, scale))


@given(months())
def test_encoding_gives_every_value_back(given_month: tuple[dict[str, array[int]], dict[str, int]]) -> None:
    columns, scales = given_month
    stored = encoding.month(columns, scales)
    read = encoding.decode(encoding.encode(stored))
    assert read == stored
    assert encoding.digest(read) == encoding.digest(stored)
    for name in PRICES:
        assert encoding.rescale(columns[name], scales[name], 12 if read.price_scale > 4 else 4) == encoding.rescale(
            read.columns[name], read.price_scale, 12 if read.price_scale > 4 else 4
        )


def test_equal_values_at_other_scales_are_the_same_content() -> None:
    columns = {name: array("q", [100 * at]) for at, name in enumerate(COLUMNS, 1)}
    finer = {name: array("q", [values[0] * 100]) if name != "ts" else values for name, values in columns.items()}
    one = encoding.month(columns, dict.fromkeys(COLUMNS, 2))
    other = encoding.month(finer, dict.fromkeys(COLUMNS, 4))
    assert encoding.digest(one) == encoding.digest(other)
    assert one.price_scale == 0


def test_the_digest_of_a_known_month_never_changes() -> None:
    assert encoding.digest(example()) == "b2b967b0469154c62bdefe8b4a199ddcf86ed6cd1c3e61b56e960c115c289497"


def test_the_file_is_delta_packed_lz4_without_dictionary_or_statistics() -> None:
    group = pq.ParquetFile(io.BytesIO(encoding.encode(example()))).metadata.row_group(0)
    for at in range(group.num_columns):
        column = group.column(at)
        assert "DELTA_BINARY_PACKED" in column.encodings
        assert column.compression == "LZ4"
        assert not column.has_dictionary_page
        assert not column.is_stats_set


@pytest.mark.parametrize("top", [2**31 - 1, 2**31])
def test_integers_are_as_wide_as_the_range_needs(top: int) -> None:
    columns = {name: array("q", [1, top]) for name in COLUMNS}
    stored = encoding.month(columns, dict.fromkeys(COLUMNS, 0))
    file = pq.ParquetFile(io.BytesIO(encoding.encode(stored)))
    assert str(file.schema_arrow.field("close").type) == ("int32" if top < 2**31 else "int64")
    assert str(file.schema_arrow.field("ts").type) == "int64"
    assert encoding.decode(encoding.encode(stored)) == stored


def test_nothing_is_rounded_to_fit_a_scale() -> None:
    with pytest.raises(EncodingError, match="more than 2 decimals"):
        encoding.rescale([12_345], 3, 2)
    with pytest.raises(EncodingError, match=r"2\*\*53"):
        encoding.rescale([2**52], 0, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.50", (15, 1)),
        ("100", (100, 0)),
        ("-0.0001", (-1, 4)),
        (" 7. ", (7, 0)),
        ("1.2e3", (1200, 0)),
        ("5E-2", (5, 2)),
    ],
)
def test_a_decimal_becomes_ticks_of_the_least_scale(text: str, expected: tuple[int, int]) -> None:
    assert encoding.ticks(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-", "nan", "inf", "1,5", "1_0", "1.-5", "0x1", "\uff11", "1e", "9" * 17, "1e-13", "1e400"]
)
def test_what_is_no_exact_decimal_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        encoding.ticks(text)


@given(st.decimals(0, 10**6, places=6).map(str))
def test_a_stored_price_is_the_double_nearest_to_the_vendors_decimal(text: str) -> None:
    value, scale = encoding.ticks(text)
    assert value / 10**scale == float(text)


@given(st.data())
def test_a_damaged_file_never_reads_as_the_same_content_nor_crashes(data: st.DataObject) -> None:
    stored = example()
    body = bytearray(encoding.encode(stored))
    at = data.draw(st.integers(0, len(body) - 1))
    damaged = (
        bytes(body[:at]) if data.draw(st.booleans()) else bytes(body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :])
    )
    try:
        read = encoding.decode(damaged)
    except EncodingError:
        return
    assert read == stored or encoding.digest(read) != encoding.digest(stored)
