"""A reading as JSON, for the call that goes on with it; its rows lie in its spill."""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import asdict
from datetime import date
from typing import Any

from tapedeck.market.actions import Dividend, Split
from tapedeck.market.layout import Dataset
from tapedeck.market.vendor.actions import Actions
from tapedeck.market.vendor.bookmark import Bookmark, Line
from tapedeck.market.vendor.problems import Findings, Problem, Problems
from tapedeck.market.vendor.reading import Reading
from tapedeck.market.vendor.series import Series
from tapedeck.market.vendor.spill import Spill

Json = dict[str, Any]


def dump(reading: Reading) -> Json:
    """Return what `load` makes the reading of again; all its rows are in its spill then."""
    reading.spill_all()
    return {
        "bad_rows": reading.bad_rows,
        "series": {name: _series_json(series) for name, series in reading.series.items()},
        "actions": {name: _actions_json(actions) for name, actions in reading.actions.items()},
        "names": {name: [[day.isoformat(), ticker] for day, ticker in names] for name, names in reading.names.items()},
        "universes": dict(reading.universes),
        "problems": [[asdict(one) for one in reading.problems.shown], reading.problems.count],
        "findings": [[asdict(one) for one in reading.findings.shown], dict(reading.findings.counts)],
        "left_out": dict(reading.left_out),
        "places": reading.places,
        "files": list(reading.files),
        "bookmark": asdict(reading.bookmark),
    }


def load(dataset: Dataset, kept: Json, spill: Spill) -> Reading:
    """Return the reading that was dumped."""
    reading = Reading(dataset, kept["bad_rows"], spill=spill)
    reading.series = {name: _series(name, said, spill) for name, said in kept["series"].items()}
    reading.actions = {name: _actions(name, said) for name, said in kept["actions"].items()}
    reading.names = {
        name: tuple((date.fromisoformat(day), ticker) for day, ticker in names) for name, names in kept["names"].items()
    }
    reading.universes = {name: _tuple(symbols) for name, symbols in kept["universes"].items()}
    reading.problems = Problems([Problem(**one) for one in kept["problems"][0]], kept["problems"][1])
    reading.findings = Findings([Problem(**one) for one in kept["findings"][0]], Counter(kept["findings"][1]))
    reading.left_out = Counter(kept["left_out"])
    reading.places = kept["places"]
    reading.files = {name: number for number, name in enumerate(kept["files"])}
    reading.bookmark = _bookmark(kept["bookmark"])
    return reading


def _series_json(series: Series) -> Json:
    counted = ("rows", "duplicates", "unsorted", "missing_sessions", "missing_bars", "closed", "previous")
    return {name: getattr(series, name) for name in counted} | {
        "first": series.first.isoformat(),
        "last": series.last.isoformat(),
        "gaps": [[first.isoformat(), last.isoformat()] for first, last in series.gaps],
        "months": series.months.places(),
        "spilled": {name: b64encode(at.tobytes()).decode() for name, at in series.spilled.items()},
    }


def _series(symbol: str, said: Json, spill: Spill) -> Series:
    first, last = (date.fromisoformat(said.pop(name)) for name in ("first", "last"))
    gaps = [(date.fromisoformat(begin), date.fromisoformat(end)) for begin, end in said.pop("gaps")]
    spilled = {name: array("q", b64decode(at)) for name, at in said.pop("spilled").items()}
    months = said.pop("months")
    series = Series(symbol, first=first, last=last, gaps=gaps, spilled=spilled, **said)
    series.months.at(months, spill)
    return series


def _actions_json(actions: Actions) -> Json:
    return {
        "splits": [[split.session.isoformat(), split.ratio] for split in actions.splits],
        "dividends": [[paid.session.isoformat(), paid.amount] for paid in actions.dividends],
        "after": actions.after.isoformat() if actions.after else None,
        "upto": actions.upto.isoformat() if actions.upto else None,
        "notes": actions.notes,
    }


def _actions(symbol: str, said: Json) -> Actions:
    return Actions(
        splits=tuple(Split(symbol, date.fromisoformat(day), ratio) for day, ratio in said["splits"]),
        dividends=tuple(Dividend(symbol, date.fromisoformat(day), paid) for day, paid in said["dividends"]),
        after=date.fromisoformat(said["after"]) if said["after"] else None,
        upto=date.fromisoformat(said["upto"]) if said["upto"] else None,
        notes=tuple(said["notes"]),
    )


def _bookmark(said: Json) -> Bookmark:
    line = Line(**said["line"]) if said["line"] else None
    return Bookmark(tuple(said["members"]), line, said["taken"], said["whole"])


def _tuple(symbols: list[str] | None) -> tuple[str, ...] | None:
    return None if symbols is None else tuple(symbols)
