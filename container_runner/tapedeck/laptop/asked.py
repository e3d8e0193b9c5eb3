"""What a file's header block asks for, as far as a run on a laptop needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Literal, get_args

from tapedeck.engine import EngineSettings
from tapedeck.submission import SubmissionError, did_you_mean

Adjust = Literal["split", "raw", "total"]
_ENGINE = tuple(field.name for field in fields(EngineSettings))


@dataclass(frozen=True)
class Asked:
    """A run: `symbols` a list or a universe's name, "*" for all; dates are sessions, inclusive; `risk_free` annual."""

    dataset: str
    symbols: list[str] | str
    start: date
    end: date
    snapshot: str  # what names it: `tapedeck.market.reference`
    adjust: Adjust
    risk_free: float
    seed: int
    audit: bool  # on the platform; here `tapedeck check` does it
    engine: EngineSettings


_KEYS = (*(field.name for field in fields(Asked) if field.name != "engine"), "params", *_ENGINE)


def read(header: Mapping[str, Any]) -> Asked:
    """Return what the header block asks for; raises `SubmissionError` BAD_HEADER, naming the key."""
    for key in header:
        if key not in _KEYS:
            raise _refused(f"there is no key {key!r}{did_you_mean(key, _KEYS)}")
    for key in ("dataset", "symbols", "start", "end"):
        if key not in header:
            raise _refused(f"{key} is missing")
    symbols = header["symbols"]
    listed = isinstance(symbols, list) and symbols and all(isinstance(s, str) for s in symbols)
    if not (listed or (isinstance(symbols, str) and symbols)):
        raise _refused('symbols is a list of names, "*" or the name of a universe of the dataset')
    start, end = _day(header, "start"), _day(header, "end")
    if end < start:
        raise _refused(f"end {end} is before start {start}")
    if header.get("adjust", "split") not in get_args(Adjust):
        raise _refused(f"adjust is one of {', '.join(get_args(Adjust))}")
    if not isinstance(header.get("audit", False), bool):
        raise _refused("audit is true or false")
    try:
        return Asked(
            dataset=str(header["dataset"]),
            symbols=symbols,
            start=start,
            end=end,
            snapshot=str(header.get("snapshot", "latest")),
            adjust=header.get("adjust", "split"),
            risk_free=float(header.get("risk_free", 0.0)),
            seed=int(header.get("seed", 0)),
            audit=header.get("audit", False),
            engine=EngineSettings(**{key: header[key] for key in _ENGINE if key in header}),
        )
    except (TypeError, ValueError) as error:
        raise _refused(str(error)) from None


def _day(header: Mapping[str, Any], key: str) -> date:
    try:
        return date.fromisoformat(header[key])
    except (TypeError, ValueError):
        raise _refused(f"{key} is a date: {key} = 2004-01-02") from None


def _refused(reason: str) -> SubmissionError:
    return SubmissionError("BAD_HEADER", f"The header block: {reason}.")
