"""Where a run is cut: bars that are drawn at random, with a seed, some of them where a leak would show."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate


@dataclass(frozen=True, order=True)
class Cut:
    """The data ends after `rows` bars of chunk number `chunk`, before that chunk's own end."""

    chunk: int
    rows: int


@dataclass(frozen=True)
class Marked:
    """Cuts of one chunk where a leak would show, in the order of the run.

    `turns`: the last bar seen is one on which a decision changes; `gaps`: one on which a symbol has not traded and the
    next bar is one on which it has. `told` ones are those where the decision in question is a weight that is neither 0
    nor NaN, as what looks into nothing mostly ends up as one of the two.
    """

    turns: Sequence[Cut]
    turns_told: Sequence[Cut]
    gaps: Sequence[Cut]
    gaps_told: Sequence[Cut]


class Draw:
    """Draws `count` cuts as the run's chunks go by, from four sources.

    *Spread*: one at random from each part of the run, from the first part always. *Ends*: just before the last bar of a
    chunk, that of the first one, where a strategy may remember what it has seen, always among them. *Turns*: at bars
    where a decision changes, where a strategy that looks ahead has looked. *Gaps*: between a bar that a symbol did not
    trade on and one that it did, where a backward fill shows. The last two are known only as the run goes by and are
    drawn from all of them with equal chances (reservoir sampling).
    """

    def __init__(self, rows: Sequence[int], count: int, seed: int) -> None:
        self._random = random.Random(f"audit {seed}")  # noqa: S311 - a cut is to be repeatable, not secret
        self._count = count
        inner = [max(0, n - 1) for n in rows]  # how many cuts a chunk has: one bar at least on either side
        ends = [Cut(chunk, n) for chunk, n in enumerate(inner) if n]
        more = self._random.sample(ends[1:], min((count + 6) // 8, max(0, len(ends) - 1)))
        self._ends = ends[: count // 2][:1] + more
        self._spread = self._spread_over(inner)
        self._marked = {field.name: _Reservoir(count // 4, self._random) for field in fields(Marked)}

    def offer(self, marked: Marked) -> None:
        """Take what the next chunk has shown."""
        for name, kept in self._marked.items():
            kept.offer(getattr(marked, name))

    @property
    def possible(self) -> set[Cut]:
        """The cuts that may still be chosen."""
        return {*self._ends, *self._spread, *(cut for kept in self._marked.values() for cut in kept.items)}

    def chosen(self) -> list[Cut]:
        """Return the cuts in the order of the run: at most `count`, fewer where the run has fewer."""
        items = {name: kept.items for name, kept in self._marked.items()}
        quota = self._count // 4
        turns = [*items["turns_told"], *items["turns"]][:quota]
        gaps = [*items["gaps_told"], *items["gaps"]][:quota]
        return sorted(list(dict.fromkeys([*self._ends, *turns, *gaps, *self._spread]))[: self._count])

    def _spread_over(self, inner: Sequence[int]) -> list[Cut]:
        upto = list(accumulate(inner))
        total = upto[-1] if upto else 0
        parts = min(self._count, total)
        drawn = []
        for part in range(parts):
            at = self._random.randrange(total * part // parts, total * (part + 1) // parts)
            chunk = next(i for i, end in enumerate(upto) if at < end)
            drawn.append(Cut(chunk, at - (upto[chunk] - inner[chunk]) + 1))
        later = drawn[1:]
        self._random.shuffle(later)
        return drawn[:1] + later


class _Reservoir:
    """Keeps `size` of the items that go by, each with the same chance."""

    def __init__(self, size: int, source: random.Random) -> None:
        self._size = size
        self._random = source
        self._seen = 0
        self.items: list[Cut] = []

    def offer(self, items: Iterable[Cut]) -> None:
        for item in items:
            self._seen += 1
            if len(self.items) < self._size:
                self.items.append(item)
            elif (at := self._random.randrange(self._seen)) < self._size:
                self.items[at] = item
