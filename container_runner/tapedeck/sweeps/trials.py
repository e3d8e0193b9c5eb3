"""One trial after the other: what `tapedeck run` does with the same parameters, on bars that are read once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck import metrics, source, strategy
from tapedeck.bars import Array, Bars
from tapedeck.decisions import as_decisions
from tapedeck.indicators.recall import remembering
from tapedeck.laptop import asked
from tapedeck.laptop.deciding import decider, lookback_of
from tapedeck.laptop.keepers import keeper
from tapedeck.market.block import Block
from tapedeck.submission import Inspection
from tapedeck.sweeps.held import Market
from tapedeck.sweeps.memory import Memory
from tapedeck.sweeps.single import Single, knows


@dataclass(frozen=True)
class Run:
    """What all trials share. `chunks`: gives their own rows in the loaded market."""

    path: Path
    found: Inspection
    wish: asked.Asked
    snapshot: str | None  # None for bars in memory
    market: Market
    chunks: Callable[[], Sequence[slice]]


class Trials:
    """Runs trials, in `order`: the longest history first; those with the same share the bars handed out."""

    def __init__(self, run: Run, params: Sequence[dict[str, Any]]) -> None:
        """Load the strategy, and the market with the longest history that one of `params` asks for."""
        self._run = run
        self._loaded: Any = source.load(run.path, run.path.name, run.found.kind, run.found.class_name)
        self._random = _Numbers(run.wish.seed)
        lookbacks = [self._lookback(one) for one in params]
        self.order = sorted(range(len(params)), key=lambda trial: -lookbacks[trial])
        run.market.load(max(lookbacks), run.wish.adjust)
        self._memory: Memory | None = Memory()
        self._chunks = run.chunks()
        self._blocks = [run.market.books(rows) for rows in self._chunks]
        self.session = np.concatenate([block.session for block in self._blocks])
        self._history, self._bars = -1, list[Bars]()
        self._single = self._prepare()
        if self._single:
            self._flags = np.empty(len(self.session), np.bool_)
            self._weights = np.empty(len(self.session))

    @property
    def sessions(self) -> int:
        """The number of sessions."""
        return len(np.unique(self.session))

    def _lookback(self, params: dict[str, Any]) -> int:
        return lookback_of(strategy.create(self._loaded, params)) if self._run.found.class_name else 0

    def run(self, params: dict[str, Any], equity: Array) -> int:
        """Write equity at each session's close into `equity`, (sessions,); return the number of fills.

        An indicator's remembered values are read-only, as nobody else's are: where a trial fails, it is tried again
        as `tapedeck run` would, and those after it do without the memory. Raises what the strategy raises, with the
        parameters noted.
        """
        try:
            with remembering(self._memory):
                return self._once(params, equity)
        except Exception:  # noqa: BLE001 - tried again just below, and raised from there
            self._memory = None
        try:
            self._random.rewind()
            return self._in_full(params, equity)
        except Exception as error:
            error.add_note(f"in the trial with {params}")
            raise

    def _once(self, params: dict[str, Any], equity: Array) -> int:
        self._random.rewind()
        if self._single is None:
            return self._in_full(params, equity)
        instance = strategy.create(self._loaded, params)
        decided = self._decided(instance, self._hand_out(lookback_of(instance)))
        fills = self._single.run(decided, equity)
        if fills is None:
            raise ValueError("a weight is infinite: the engine says where")
        return fills

    def _in_full(self, params: dict[str, Any], equity: Array) -> int:
        """Keep the books of `tapedeck run`."""
        run = self._run
        of = {"dataset": run.wish.dataset, "snapshot": run.snapshot or "", "adjust": run.wish.adjust}
        lookback, decide = decider(self._loaded, run.found, params, of)
        books = keeper(run.found.level, run.market, run.wish.engine, lookback, decide)
        values, fills = [], 0
        for block, bars in zip(self._blocks, self._hand_out(lookback), strict=True):
            step = books.book(block, bars)[1]
            values.append(step.equity)
            fills += len(step.fills)
        equity[:] = metrics.daily_equity(self.session, np.concatenate(values))[1]
        return fills

    def _decided(self, instance: strategy.Strategy, handed: list[Bars]) -> Array | NDArray[np.bool_]:
        """Return the weights of the whole run: as booleans when that is what the strategy returns throughout."""
        weigh, first = instance.weights, 0
        decided: NDArray[Any] = self._flags
        for bars, block in zip(handed, self._blocks, strict=True):
            value, count = weigh(bars), len(block.ts)
            known = type(value) is np.ndarray and value.shape == bars.shape
            if not known or value.dtype != np.bool_:
                if not known or value.dtype != np.float64 or np.isinf(value[: len(value) - count]).any():
                    value = as_decisions(value, bars)
                if decided is self._flags:
                    decided = self._weights
                    decided[:first] = self._flags[:first]
            decided[first : first + count] = value[len(value) - count :, 0]
            first += count
        return decided

    def _hand_out(self, lookback: int) -> list[Bars]:
        """Return the chunks' bars as the strategy sees them, the same for all trials with this history."""
        if lookback == self._history:
            return self._bars
        run, fields = self._run, self._run.found.fields
        self._bars = [run.market.bars(rows, fields, lookback) for rows in self._chunks]
        self._history = lookback
        if self._memory:
            self._memory.forget_cuts()
            for bars, rows in zip(self._bars, self._chunks, strict=True):
                for name in fields:
                    self._memory.know(getattr(bars, name), run.market.whole(name), rows.stop - len(bars))
        return self._bars

    def _prepare(self) -> Single | None:
        """Return the pass without records where it serves: for weights on one symbol with plain costs."""
        run = self._run
        market, settings = run.market, run.wish.engine
        if run.found.level != "weights" or len(market.symbols) != 1:
            return None
        fields = {name: np.concatenate([b.fields[name] for b in self._blocks]) for name in ("open", "close")}
        ts = np.concatenate([block.ts for block in self._blocks])
        whole = Block(market.symbols, ts, self.session, fields)
        actions = len(market.splits) + len(market.dividends)
        return Single(whole, settings) if knows(whole, settings, actions) else None


class _Numbers:
    """The random numbers as they are now: when the strategy's file has been loaded, where each trial starts from."""

    def __init__(self, seed: int) -> None:
        self._seed, self._plain, self._numpy = seed, random.getstate(), np.random.get_state(legacy=False)
        np.random.seed(seed)
        fresh = np.random.get_state(legacy=False)
        self._unused = repr(fresh) == repr(self._numpy) and bool(
            (fresh["state"]["key"] == self._numpy["state"]["key"]).all()
        )

    def rewind(self) -> None:
        """Set them back."""
        random.setstate(self._plain)
        if self._unused:  # the same state, at a thirtieth of the time
            np.random.seed(self._seed)
        else:
            np.random.set_state(self._numpy)


@contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Seed `random` and NumPy as a run does; afterwards the caller's own random numbers go on as if nothing was."""
    before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
