"""What is kept of a drop between the calls that take it in: below `working/` in the vendor bucket.

One object of JSON says where the last call stopped; the rows lie beside it in pieces, each pinned by its version. A
call puts its pieces first and then swaps that object for its own, if it still is the one from which the call went on:
of two calls that do the same work one is kept, and a call that dies leaves what the one before left.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

from backtest.ingest import policy
from backtest.ingest.drop import Drop
from tapedeck.market.layout import Dataset
from tapedeck.market.publish import Begun, Made
from tapedeck.market.snapshot import Entry
from tapedeck.market.store import ObjectStore, for_each
from tapedeck.market.vendor import kept
from tapedeck.market.vendor.reading import Reading
from tapedeck.market.vendor.spill import Piece, Spill

SCHEMA = 1  # raise it with what `save` and `tapedeck.market.vendor.kept` write


@dataclass
class Working:
    """A drop that is being taken in: what was read of it, what was written, and how many calls that took."""

    reading: Reading
    begun: Begun = field(default_factory=Begun)
    calls: int = 0
    came_from: bytes | None = None  # the object that says so; None: this is the first call

    @property
    def stage(self) -> Literal["reading", "sorting", "publishing"]:
        """What is being done."""
        if not self.reading.bookmark.whole:
            return "reading"
        return "publishing" if all(series.closed for series in self.reading.series.values()) else "sorting"


def load(vendor: ObjectStore, drop: Drop, dataset: Dataset) -> Working:
    """Return how far a drop has come; at its begin the dataset's policy is read, which holds to its end.

    What another version of this code kept is not read: the drop begins again. Raises `policy.PolicyError`.
    """
    body = _kept(vendor, _key(drop, dataset))
    said: dict[str, Any] = json.loads(body) if body else {}
    if said.get("schema") != SCHEMA:
        return Working(Reading(dataset, policy.read(vendor, dataset.name)), came_from=body)
    pieces = [Piece(*one) for one in said["pieces"]]
    spill = Spill(pieces, lambda piece: vendor.get(_piece_key(drop, dataset, piece.begin), piece.version))
    made = {symbol: _made(one) for symbol, one in said["made"].items()}
    return Working(kept.load(dataset, said["reading"], spill), Begun(made), said["calls"], body)


def _kept(vendor: ObjectStore, key: str) -> bytes | None:
    try:
        return vendor.get(key)
    except KeyError:
        return None


def save(vendor: ObjectStore, drop: Drop, working: Working) -> bool:
    """Keep how far a drop has come; False when another call did so since, and goes on with it."""
    dataset = working.reading.dataset
    said = kept.dump(working.reading)
    spill = working.reading.spill_all()
    pieces: dict[int, Piece] = {}

    def put(part: tuple[int, int]) -> None:
        version = vendor.put(_piece_key(drop, dataset, part[0]), spill.cut(*part))
        assert version, "the vendor bucket keeps versions"
        pieces[part[0]] = Piece(*part, version)

    for_each(put, list(spill.new()))
    body = {
        "schema": SCHEMA,
        "calls": working.calls + 1,
        "pieces": [list(asdict(one).values()) for one in (*spill.pieces, *(pieces[at] for at in sorted(pieces)))],
        "made": {symbol: _made_json(made) for symbol, made in working.begun.made.items()},
        "reading": said,
    }
    return vendor.swap(_key(drop, dataset), json.dumps(body).encode(), working.came_from)


def _key(drop: Drop, dataset: Dataset) -> str:
    of = hashlib.sha256(f"{drop.key}\0{drop.version}\0{drop.sequencer}".encode()).hexdigest()
    return f"working/{dataset.name}/{of}/state.json"


def _piece_key(drop: Drop, dataset: Dataset, begin: int) -> str:
    return _key(drop, dataset).replace("state.json", f"rows/{begin:014}")


def _made_json(made: Made) -> list[object]:
    first, last = (day.isoformat() if day else None for day in (made.entry.first, made.entry.last))
    return [made.before, made.entry.leaf, first, last, made.months_written]


def _made(said: list[Any]) -> Made:
    before, leaf, first, last, months_written = said
    days = (date.fromisoformat(day) if day else None for day in (first, last))
    return Made(before, Entry(leaf, *days), months_written)
