"""The look-ahead audit of a strategy in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapedeck import audit, source
from tapedeck.laptop.run import Plan, prepare
from tapedeck.market.store import ObjectStore
from tapedeck.submission import Inspection


@dataclass(frozen=True)
class Checked:
    """What a check found; `warm_up` says in words what the second check, with twice the history, found."""

    found: Inspection
    bars: int
    symbols: tuple[str, ...]
    lookback: int
    verdict: audit.Verdict
    warm_up: str


def check(
    path: Path, store: ObjectStore, params: Mapping[str, object] | None = None, cuts: int = audit.CUTS
) -> Checked:
    """Run the strategy in `path` as `run` would, then again on data that ends early and with twice its history.

    The strategy's code runs in this process: only for code that one trusts. Raises what `run` raises.
    """
    plan = prepare(path, store, params or {})
    lookback, decide = plan.load()
    plan.market.load(lookback, plan.wish.adjust)
    bars = sum(rows.stop - rows.start for rows in plan.chunks())
    if plan.found.level not in audit.LEVELS:
        verdict = audit.Verdict("by_construction", 0)
        return Checked(plan.found, bars, plan.market.symbols, lookback, verdict, "not checked")
    chunks = plan.chunks()
    record = audit.Record([rows.stop - rows.start for rows in chunks], cuts, plan.wish.seed)
    for rows in chunks:
        decisions = np.array(decide(plan.market.bars(rows, plan.found.fields)))  # kept, as they are now
        missing = np.isnan(plan.market.books(rows).fields["close"])
        record.see(decisions[len(decisions) - len(missing) :], missing)
    player = Replayer(plan, lookback)
    symbols = plan.market.symbols
    verdict = audit.audit(record, player, symbols)
    again = verdict.kind in ("audited", "leaked")
    warm_up = _warm_up(plan, record, player, lookback) if again else "not checked"
    return Checked(plan.found, bars, symbols, lookback, verdict, warm_up)


class Replayer:
    """`tapedeck.audit.Player` in this process."""

    def __init__(self, plan: Plan, lookback: int) -> None:
        self._plan = plan
        self._lookback = self._loaded = lookback

    def replay(self, chunks: int, rows: int | None, lookback: int | None = None) -> Iterator[audit.Part]:
        """Yield the decisions on the first `chunks` chunks, of the last of them on its first `rows` rows."""
        plan, market = self._plan, self._plan.market
        wanted = self._lookback if lookback is None else lookback
        if wanted != self._loaded:
            market.load(wanted, plan.wish.adjust)
            self._loaded = wanted
        _, decide = plan.load()
        for index, own in enumerate(plan.chunks()[:chunks]):
            seen = own if rows is None or index < chunks - 1 else slice(own.start, own.start + rows)
            bars = market.bars(seen, plan.found.fields)
            try:
                decisions = np.array(decide(bars))
            except Exception as error:
                raise audit.ReplayFailedError(_failure(error)) from error
            count = seen.stop - seen.start
            yield audit.Part(bars.ts[-count:], bars.session[-count:], decisions[-count:])


def _warm_up(plan: Plan, record: audit.Record, player: Replayer, lookback: int) -> str:
    more = audit.longer(plan.found.level, lookback)
    if not more or not record.begin:
        return "not checked: main(run) asks for no history" if not more else "not checked: the run is too wide"
    try:
        difference = audit.warm_up(record, player, plan.market.symbols, more)
    except audit.ReplayFailedError as error:
        return f"with {more} bars of history {error}"
    return audit.warm_up_words(difference, lookback, more)


def _failure(error: Exception) -> str:
    place = source.locate(error)
    where = f" (line {place.line} of {place.file}" + (f", cell {place.cell})" if place.cell else ")") if place else ""
    return f"the strategy failed in a replay: {type(error).__name__}: {error}{where}"
