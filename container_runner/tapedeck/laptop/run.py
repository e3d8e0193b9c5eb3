"""One run: the strategy's decisions chunk by chunk, as the platform plans them, then the engine's books."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tapedeck import compiled, source
from tapedeck.laptop import asked
from tapedeck.laptop.deciding import Decide, decider
from tapedeck.laptop.keepers import keeper
from tapedeck.laptop.result import Finished, Of, replay
from tapedeck.market import calendar, chunks, history, snapshot
from tapedeck.market.errors import UnknownUniverseError
from tapedeck.market.store import ObjectStore
from tapedeck.submission import Inspection, SubmissionError, did_you_mean, inspect_source, resolve_parameters

if TYPE_CHECKING:
    from tapedeck.laptop.market import Market

NO_LIMIT = 1 << 62  # bytes: a laptop's chunks are calendar months, as on the platform where they fit its memory


def run(path: Path, store: ObjectStore, params: Mapping[str, object] | None = None) -> Finished:
    """Run the strategy in `path` on the dataset that its header block names; `params` override the header's.

    The strategy's code runs in this process: only for code that one trusts. Raises `SubmissionError`,
    `tapedeck.market.errors.MarketError`, `DecisionError`, and what the strategy raises.
    """
    compiled.keep_memory()
    plan = prepare(path, store, params or {})
    lookback, decide = plan.load()
    market, fields = plan.market, plan.found.fields
    market.load(lookback, plan.wish.adjust)
    books = keeper(plan.found.level, market, plan.wish.engine, lookback, decide)
    chunks = ((market.books(rows), market.bars(rows, fields)) for rows in plan.chunks())
    name = plan.found.class_name or plan.path.stem
    return replay(books, chunks, Of(name, market.symbols, plan.snapshot.id, plan.snapshot.calendar, plan.wish))


@dataclass(frozen=True)
class Plan:
    """What a file asks for, on the data that is there."""

    path: Path
    found: Inspection
    params: dict[str, Any]
    wish: asked.Asked
    snapshot: snapshot.Snapshot
    market: Market  # not loaded yet: how much history it needs, the strategy says

    def load(self) -> tuple[int, Decide]:
        """Load the strategy afresh, seeded; return its lookback in bars, and what decides on bars."""
        random.seed(self.wish.seed)
        np.random.seed(self.wish.seed)
        loaded = source.load(self.path, self.path.name, self.found.kind, self.found.class_name)
        of = {"dataset": self.wish.dataset, "snapshot": self.snapshot.id, "adjust": self.wish.adjust}
        return decider(loaded, self.found, self.params, of)

    def chunks(self) -> list[slice]:
        """Return the chunks' own rows in the loaded market."""
        wish, found = self.wish, self.found
        span = wish.start, wish.end, len(self.market.symbols), len(found.fields), found.level, NO_LIMIT
        planned = chunks.plan(calendar.get(self.snapshot.calendar), self.snapshot.bar, *span)
        return [self.market.rows(first, last) for first, last in planned]


def prepare(path: Path, store: ObjectStore, params: Mapping[str, object], found: Inspection | None = None) -> Plan:
    """Read the file, unless it is `found` already, and what it asks for.

    Raises `SubmissionError` and `tapedeck.market.errors.MarketError`.
    """
    from tapedeck.laptop.market import Market  # noqa: PLC0415 - it reads Parquet, and bars in memory need none of that

    found = found or inspect_source(path.name, path.read_bytes())
    values, wish = resolve_parameters(found, params), asked.read(found.header)
    snap = _snapshot(store, wish)
    market = Market(store, snap, _symbols(snap, wish), wish.start, wish.end)
    return Plan(path, found, values, wish, snap, market)


def _snapshot(store: ObjectStore, wish: asked.Asked) -> snapshot.Snapshot:
    if snapshot.latest(store, wish.dataset) is None:
        raise SubmissionError("BAD_HEADER", f"There is no dataset {wish.dataset!r} here.")
    return snapshot.load(store, wish.dataset, history.resolve(store, wish.dataset, wish.snapshot))


def _symbols(snap: snapshot.Snapshot, wish: asked.Asked) -> tuple[str, ...]:
    if isinstance(wish.symbols, str):
        return _members(snap, wish, wish.symbols)
    known = set(snap.symbols)
    for symbol in wish.symbols:
        if symbol not in known:
            hint = did_you_mean(symbol, known)
            raise SubmissionError("BAD_HEADER", f"{wish.dataset} has no symbol {symbol!r}{hint}")
    return tuple(wish.symbols)


def _members(snap: snapshot.Snapshot, wish: asked.Asked, name: str) -> tuple[str, ...]:
    """Return the symbols of a universe that have bars in the run's dates, as the platform does."""
    try:
        listed = snap.universe(name)
    except UnknownUniverseError as error:
        raise SubmissionError("BAD_HEADER", str(error)) from error
    spans = ((symbol, snap.span(symbol)) for symbol in listed)
    return tuple(symbol for symbol, (first, last) in spans if first <= wish.end and last >= wish.start)
