"""The market, chunk by chunk: raw bars for the books, adjusted and raw ones with history for the strategy.

The next chunk's bars are read by a thread while the strategy works on this one; they leave this process only when they
are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

import contract
import run_objects
from sandbox.policy import Policy
from sidecar import limits
from sidecar.chunks import Column
from tapedeck.engine.state import actions as engine_actions
from tapedeck.market import adjust, reader, years
from tapedeck.market import snapshot as snapshots
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.block import Block
from tapedeck.market.calendar import day_number
from tapedeck.market.memory import BLOCKS
from tapedeck.market.store import ObjectStore
from tapedeck.market.years import Near

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Handout:
    """A chunk: its own bars (raw, all five fields) and the columns for the strategy, history included."""

    index: int
    own: Block
    history: int
    columns: list[Column]
    actions: list[tuple[int, int, int, float]]  # since the chunk before, where the strategy keeps books of its own


class Feed:
    """Bars of one run. Errors of reading are `tapedeck.market.errors.MarketError`."""

    def __init__(self, store: ObjectStore, manifest: run_objects.RunManifest, near: Near | None = None) -> None:
        self._store = store
        self._near = near
        self._manifest = manifest
        self._chunks = [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in manifest["chunks"]]
        self._within = self._chunks[0][0], self._chunks[-1][1]  # what the node's cache is to have of each symbol
        self._anchor = date.fromisoformat(manifest["start"])
        self._snapshot = snapshots.load(store, manifest["dataset"], manifest["snapshot"])
        leaves = self._snapshot.leaves(manifest["symbols"]).values()
        end = date.fromisoformat(manifest["end"])
        self.splits: list[Split] = sorted(s for leaf in leaves for s in leaf.splits if s.session <= end)
        self.dividends: list[Dividend] = sorted(d for leaf in leaves for d in leaf.dividends if d.session <= end)
        self.rows = [self._bars(first, last) for first, last in self._chunks]
        # The memory of one chunk's bars waits while it goes from the chunk that is done to the next one that is read.
        BLOCKS.limit = len(contract.FIELDS) * 8 * max(self.rows) * len(manifest["symbols"]) if len(self.rows) > 1 else 0
        self._closes: dict[Dividend, float] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._ahead: Future[Block] | None = self._pool.submit(self._own, 0)

    def check(self, lookback: int, policy: Policy) -> None:
        """Raise `RunError` LIMIT when a chunk with so much history does not fit into the pod."""
        audited = self._manifest["audit"] is not None and self._manifest["level"] in ("weights", "shares")
        symbols = self._manifest["symbols"]
        begin = min(self._snapshot.span(symbol)[0] for symbol in symbols)
        before = self._bars(begin, self._chunks[0][0] - timedelta(days=1))
        for rows in self.rows:
            history = min(lookback, before)
            fields = len(self._manifest["fields"])
            size = {"rows": rows, "history": history, "symbols": len(symbols), "fields": fields}
            limits.check(policy, **size, audited=audited)
            before += rows

    def handouts(
        self, lookback: int, check: Callable[[], None], chunks: int | None = None, rows: int | None = None
    ) -> Iterator[Handout]:
        """Yield every chunk, with up to `lookback` bars of history; `check` is called while waiting and may raise.

        With `chunks`, only the first so many, and with `rows`, of the last of them only its first so many bars.
        """
        last = (len(self._chunks) if chunks is None else chunks) - 1
        history = self._history(lookback)
        for index in range(last + 1):
            own = _result(self._ahead or self._pool.submit(self._own, index), check)
            self._ahead = self._pool.submit(self._own, index + 1) if index < last else None
            if index == last and rows is not None:
                own = _first(own, rows)
            yield Handout(index, own, len(history), self._columns(history, own), self._due(index))
            history = _history(history, own, self._manifest["fields"], lookback)

    def _due(self, index: int) -> list[tuple[int, int, int, float]]:
        """Return the actions since the chunk before, where the strategy keeps books of its own."""
        if self._manifest["level"] != "on_bar":
            return []
        known = engine_actions(self._manifest["symbols"], self.splits, self.dividends)
        told = day_number(self._chunks[index - 1][1]) if index else -1
        low, high = np.searchsorted(known["session"], [told, day_number(self._chunks[index][1])], side="right")
        due: list[tuple[int, int, int, float]] = known[low:high].tolist()
        return due

    def close(self) -> None:
        """Read no further."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _bars(self, first: date, last: date) -> int:
        return years.count(self._manifest["dataset"], first, last)

    def _own(self, index: int) -> Block:
        first, last = self._chunks[index]
        return self._read(contract.FIELDS, first, last, within=self._within)

    def _read(self, fields: Sequence[str], first: date, last: date, within: tuple[date, date] | None = None) -> Block:
        asked = self._store, self._snapshot, self._manifest["symbols"], fields, first, last
        return reader.read_block(*asked, near=self._near, within=within)

    def _history(self, lookback: int) -> Block:
        first = self._chunks[0][0]
        symbols, fields = self._manifest["symbols"], self._manifest["fields"]
        begin = reader.history_start(self._snapshot, symbols, first, lookback) if lookback else first
        if self._manifest["adjust"] == "total":
            last = self._chunks[-1][1]
            asked = self._store, self._snapshot, symbols, begin, last
            self._closes = reader.dividend_closes(*asked, near=self._near, within=self._within)
        # from `first` to the day before it: an empty block of the right form
        before = first - timedelta(days=1)
        read = self._read(fields, begin, before)
        return _history(_last(read, 0), read, fields, lookback)

    def _columns(self, history: Block, own: Block) -> list[Column]:
        session = np.concatenate([history.session, own.session])
        factors = self._factors(session, self._manifest["adjust"])
        volume = self._factors(session, "split") if self._manifest["adjust"] == "total" else factors
        flat, table = (len(session),), (len(session), len(own.symbols))
        columns = [
            Column("ts", "<i8", flat, lambda: [history.ts, own.ts]),
            Column("session", "<i4", flat, lambda: [session]),
        ]
        for name in self._manifest["fields"]:
            raw, by = f"raw.{name}", volume if name == "volume" else factors
            columns += [
                Column(raw, "<f8", table, partial(_raw, history, own, name)),
                Column(name, "<f8", table, partial(_seen, history, own, name, by), same_as=None if by else raw),
            ]
        return columns

    def _factors(self, session: NDArray[np.int32], mode: adjust.Mode) -> adjust.Factors:
        symbols = self._manifest["symbols"]
        return adjust.forward_factors(self.splits, self.dividends, self._closes, symbols, session, self._anchor, mode)


def _result(future: Future[Block], check: Callable[[], None]) -> Block:
    while True:
        try:
            return future.result(timeout=contract.POLL_LAST_S)
        except TimeoutError:
            if future.done():
                raise  # the reader's own
            check()


def _first(block: Block, rows: int) -> Block:
    fields = {name: values[:rows] for name, values in block.fields.items()}
    return Block(block.symbols, block.ts[:rows], block.session[:rows], fields)


def _last(block: Block, rows: int) -> Block:
    cut = slice(len(block) - rows, None)
    fields = {name: values[cut] for name, values in block.fields.items()}
    return Block(block.symbols, block.ts[cut], block.session[cut], fields)


def _history(before: Block, own: Block, fields: Sequence[str], rows: int) -> Block:
    """Return the last `rows` bars of both, or as many as there are: copied, so that nothing keeps `own` in memory."""
    late = min(rows, len(own))
    parts = _last(before, min(rows - late, len(before))), _last(own, late)
    tables = {name: [part.fields[name] for part in parts] for name in fields}
    return Block(
        own.symbols,
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.session for part in parts]),
        {name: np.asfortranarray(np.concatenate(pair)) for name, pair in tables.items()},
    )


def _raw(history: Block, own: Block, name: str) -> Iterator[Array]:
    """Yield a field, symbol by symbol, the history before the chunk's own rows."""
    old, new = history.fields[name], own.fields[name]
    if not len(old):
        yield new
        return
    for column in range(new.shape[1]):
        yield old[:, column]
        yield new[:, column]


def _seen(history: Block, own: Block, name: str, factors: adjust.Factors) -> Iterator[Array]:
    """Yield a field as signals see it, in the same order."""
    old, new = history.fields[name], own.fields[name]
    for column in range(new.shape[1]):
        factor = factors.get(column)
        for part, rows in ((old, slice(len(old))), (new, slice(len(old), None))):
            values = part[:, column]
            yield values if factor is None else adjust.seen(name, values, factor[rows])
