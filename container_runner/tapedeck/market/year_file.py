"""A sealed year: a symbol's months of a year in one file, a row group a month, each found again to the byte.

Its months share one scale, the finest of them. The file's metadata `tapedeck.months` names them in the order of the row
groups, each with its own scales: "2004-01:2:0 2004-02:2:0".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from tapedeck.market import encoding
from tapedeck.market.encoding import Body, Month
from tapedeck.market.errors import EncodingError

_MONTHS = "tapedeck.months"
_MONTH = re.compile(r"([0-9]{4}-[0-9]{2}):([0-9]{1,2}):([0-9]{1,2})", re.ASCII)


def encode(months: Mapping[str, Month]) -> bytes:
    """Return the months, in the order of their names, as one file. Raises EncodingError when no scale fits them all."""
    price = max(month.price_scale for month in months.values())
    volume = max(month.volume_scale for month in months.values())
    names = sorted(months)
    said = " ".join(f"{name}:{months[name].price_scale}:{months[name].volume_scale}" for name in names)
    return encoding.encode(*(_at(months[name], price, volume) for name in names), metadata={_MONTHS: said})


def decode(body: Body, names: Sequence[str], columns: Iterable[str], *, narrow: bool = False) -> Month:
    """Return the bars of these months, one after the other, at the year's scale; `narrow` as in `encoding.decode`.

    Raises EncodingError when it is not a file with these months.
    """
    with encoding.opened(body) as file:
        order = [name for name, _, _ in _said(file)]
        if not set(names) <= set(order):
            raise EncodingError("is no file of these months")
        return encoding.read(file, columns, groups=[order.index(name) for name in names], narrow=narrow)


def checked(body: Body, digests: Mapping[str, str]) -> dict[str, Month]:
    """Return the months by name, each at its own scale, after those of `digests` were found to have them.

    Raises EncodingError when one is missing, has another, or this is no file of a year.
    """
    out = {}
    with encoding.opened(body) as file:
        for at, (name, price, volume) in enumerate(_said(file)):
            out[name] = _at(encoding.read(file, groups=[at]), price, volume)
    for name, digest in digests.items():
        if name not in out or encoding.digest(out[name]) != digest:
            raise EncodingError(f"the content of {name} does not have the snapshot's digest")
    return out


def _said(file: encoding.File) -> list[tuple[str, int, int]]:
    """Return the months' names and scales, one a row group."""
    found = [_MONTH.fullmatch(part) for part in file.metadata.get(_MONTHS, "").split(" ")]
    said = [(match[1], int(match[2]), int(match[3])) for match in found if match]
    if len(said) != len(found) or len(said) != file.groups or len({name for name, _, _ in said}) != len(said):
        raise EncodingError("is no file of a year")
    return said


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
