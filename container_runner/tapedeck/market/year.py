"""A sealed year: a symbol's months of a year in one file, a row group a month, each found again to the byte.

Its months share one scale, the finest of them; each month's own stands in the leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tapedeck.market import encoding
from tapedeck.market.encoding import COLUMNS, Body, Month
from tapedeck.market.errors import EncodingError
from tapedeck.market.leaf import MonthRef


def encode(months: Mapping[str, Month]) -> bytes:
    """Return the months, in the order of their names, as one file. Raises EncodingError when no scale fits them all."""
    price = max(month.price_scale for month in months.values())
    volume = max(month.volume_scale for month in months.values())
    return encoding.encode(*(_at(months[name], price, volume) for name in sorted(months)))


def decode(
    body: Body, refs: Mapping[str, MonthRef], columns: Iterable[str] = COLUMNS, *, narrow: bool = False
) -> dict[str, Month]:
    """Return the months by name, at the year's scale; `narrow` as in `encoding.decode`.

    Raises EncodingError when it is not a file of these months.
    """
    groups = encoding.decode_groups(body, columns, narrow=narrow)
    if [len(group) for group in groups] != [refs[name].rows for name in sorted(refs)]:
        raise EncodingError("is no file of this year: its months have other bars")
    return dict(zip(sorted(refs), groups, strict=True))


def checked(body: Body, refs: Mapping[str, MonthRef]) -> dict[str, Month]:
    """Return the months by name, each at its own scale and with its digest. Raises EncodingError for any other."""
    out = {}
    for name, month in decode(body, refs).items():
        ref = refs[name]
        out[name] = own = _at(month, ref.price_scale, ref.volume_scale)
        if encoding.digest(own) != ref.digest:
            raise EncodingError(f"the content of {name} does not have the snapshot's digest")
    return out


def _at(month: Month, price_scale: int, volume_scale: int) -> Month:
    if (month.price_scale, month.volume_scale) == (price_scale, volume_scale):
        return month
    columns = {
        name: values
        if name == "ts"
        else encoding.rescale(values, month.volume_scale, volume_scale)
        if name == "volume"
        else encoding.rescale(values, month.price_scale, price_scale)
        for name, values in month.columns.items()
    }
    return Month(columns, price_scale, volume_scale)
