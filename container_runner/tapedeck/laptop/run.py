"""One run: the strategy's decisions chunk by chunk, as the platform plans them, then the engine's books."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck import engine, metrics, source, strategy, within
from tapedeck.bars import Array, Bars
from tapedeck.decisions import DecisionError, as_decisions, by_bar
from tapedeck.engine import margin, order_pass, order_state
from tapedeck.engine.share_targets import ShareTargets
from tapedeck.engine.state import actions
from tapedeck.laptop import asked
from tapedeck.laptop.market import Market
from tapedeck.market import calendar, chunks, history, snapshot
from tapedeck.market.block import Block
from tapedeck.market.errors import UnknownUniverseError
from tapedeck.market.store import ObjectStore
from tapedeck.on_bar import Player
from tapedeck.run import Run
from tapedeck.submission import Inspection, SubmissionError, did_you_mean, inspect_source, resolve_parameters

Decide = Callable[..., Any]  # of bars to weights; for "on_bar" of bar and book
NO_LIMIT = 1 << 62  # bytes: a laptop's chunks are calendar months, as on the platform where they fit its memory


@dataclass(frozen=True)
class Finished:
    """What a run brought. `sessions` and `equity`: (n,) at each session's close; `metrics`: see `tapedeck.metrics`."""

    name: str
    symbols: tuple[str, ...]
    snapshot: str
    sessions: NDArray[np.int32]
    equity: Array
    fills: engine.Fills
    closing: engine.Closing
    metrics: dict[str, Any]
    engine: engine.EngineSettings
    margin_calls: list[dict[str, object]]  # `tapedeck.engine.margin.records`
    result_digest: str  # of decisions, fills and equity: the platform's, for the same chunks


def run(path: Path, store: ObjectStore, params: Mapping[str, object] | None = None) -> Finished:
    """Run the strategy in `path` on the dataset that its header block names; `params` override the header's.

    The strategy's code runs in this process: only for code that one trusts. Raises `SubmissionError`,
    `tapedeck.market.errors.MarketError`, `DecisionError`, and what the strategy raises.
    """
    plan = prepare(path, store, params or {})
    lookback, decide = plan.load()
    plan.market.load(lookback, plan.wish.adjust)
    keepers: dict[str, type[_ByWeights | _ByOrders]] = {"on_bar": _ByOrders, "shares": _ByShares}
    keep = keepers.get(plan.found.level, _ByWeights)
    return _keep_books(plan, keep(plan.market, plan.wish.engine, lookback, decide))


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
        return _strategy(self.path, self.found, self.params, (self.wish.dataset, self.snapshot.id))

    def chunks(self) -> list[slice]:
        """Return the chunks' own rows in the loaded market."""
        wish, found = self.wish, self.found
        span = wish.start, wish.end, len(self.market.symbols), len(found.fields), found.level, NO_LIMIT
        planned = chunks.plan(calendar.get(self.snapshot.calendar), self.snapshot.bar, *span)
        return [self.market.rows(first, last) for first, last in planned]


def prepare(path: Path, store: ObjectStore, params: Mapping[str, object]) -> Plan:
    """Read the file and what it asks for; raises `SubmissionError` and `tapedeck.market.errors.MarketError`."""
    found = inspect_source(path.name, path.read_bytes())
    values, wish = resolve_parameters(found, params), asked.read(found.header)
    snap = _snapshot(store, wish)
    market = Market(store, snap, _symbols(snap, wish), wish.start, wish.end)
    return Plan(path, found, values, wish, snap, market)


class _ByWeights:
    """The books of what decides by weights."""

    def __init__(self, market: Market, settings: engine.EngineSettings, lookback: int, decide: Decide) -> None:
        self._state = engine.start(market.symbols, settings, market.splits, market.dividends)
        self._decide = decide

    def book(self, block: Block, bars: Bars) -> tuple[Iterable[bytes | memoryview], engine.StepResult]:
        """Ask for the decisions on a chunk; return the bytes that count of them, and what they led to."""
        targets = self._decide(bars)[len(bars) - len(block) :]
        return by_bar(targets), self._step(block, targets)

    def _step(self, block: Block, targets: Array) -> engine.StepResult:
        return engine.step(self._state, block, targets)

    def finish(self) -> engine.Closing:
        return engine.finish(self._state)


class _ByShares(_ByWeights):
    """The books of what decides by shares."""

    def __init__(self, market: Market, settings: engine.EngineSettings, lookback: int, decide: Decide) -> None:
        super().__init__(market, settings, lookback, decide)
        self._targets = ShareTargets(market.symbols, settings, market.splits, market.dividends)

    def _step(self, block: Block, targets: Array) -> engine.StepResult:
        return self._targets.step(block, targets)

    def finish(self) -> engine.Closing:
        return self._targets.finish()


class _ByOrders:
    """The books of what decides bar by bar."""

    def __init__(self, market: Market, settings: engine.EngineSettings, lookback: int, decide: Decide) -> None:
        self._state = order_state.new(market.symbols, settings)
        self._actions = actions(market.symbols, market.splits, market.dividends)
        self._player = Player(self._state, lookback, decide)

    def book(self, block: Block, bars: Bars) -> tuple[Iterable[bytes | memoryview], engine.StepResult]:
        """Play a chunk; return its orders as they would be sealed, and what they led to."""
        played = self._player.play(block, self._actions, bars)
        return [played.orders], played.step

    def finish(self) -> engine.Closing:
        return order_pass.finish(self._state)


def _keep_books(plan: Plan, keeper: _ByWeights | _ByOrders) -> Finished:
    snap, market, wish = plan.snapshot, plan.market, plan.wish
    digest = hashlib.sha256()
    steps, sessions = [], []
    for rows in plan.chunks():
        block = market.books(rows)
        decided, step = keeper.book(block, market.bars(rows, plan.found.fields))
        for part in decided:
            digest.update(part)
        steps.append(step)
        sessions.append(block.session)
    fills = engine.concat([step.fills for step in steps])
    equity, net, gross = (np.concatenate([getattr(step, of) for step in steps]) for of in ("equity", "net", "gross"))
    session = np.concatenate(sessions)
    closing, calls = keeper.finish(), [call for step in steps for call in step.calls]
    days, daily = metrics.daily_equity(session, equity)
    whole = hashlib.sha256(digest.hexdigest().encode() + fills.to_bytes() + equity.astype("<f8").tobytes())
    summary = metrics.summarise(
        sessions=days,
        equity=daily,
        start_cash=wish.engine.cash,
        fills=fills,
        calendar_name=snap.calendar,
        risk_free=wish.risk_free,
        bar_equity=equity,
        net=metrics.daily_equity(session, net)[1],
        gross=metrics.daily_equity(session, gross)[1],
        borrow_fee=closing.borrow_fee,
        interest=closing.interest,
        margin_calls=len(calls),
    )
    name = plan.found.class_name or plan.path.stem
    return Finished(
        name=name,
        symbols=market.symbols,
        snapshot=snap.id,
        sessions=days,
        equity=daily,
        fills=fills,
        closing=closing,
        metrics=summary,
        engine=wish.engine,
        margin_calls=margin.records(calls, market.symbols, sleeves=wish.engine.accounts == "sleeves"),
        result_digest=whole.hexdigest(),
    )


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


def _strategy(path: Path, found: Inspection, values: dict[str, Any], of: tuple[str, str]) -> tuple[int, Decide]:
    """Load the strategy; return its lookback in bars, and what decides on bars."""
    loaded: Any = source.load(path, path.name, found.kind, found.class_name)
    instance = strategy.create(loaded, values) if found.class_name else None
    lookback = int(instance.lookback()) if instance else 0
    if lookback < 0:
        raise ValueError(f"lookback() returned {lookback}: it is a number of bars, 0 or more")
    if instance and found.level in ("weights", "shares"):
        return lookback, partial(_vectorised, instance, found.level)
    if instance and found.level == "on_bar":
        return lookback, instance.on_bar
    main = instance.main if instance else loaded
    return lookback, lambda bars: _free(main, bars, values, of)


def _vectorised(instance: strategy.Strategy, level: str, bars: Bars) -> Array:
    method = instance.shares if level == "shares" else instance.weights
    value = method(bars)
    try:
        return as_decisions(value, bars, level)
    except DecisionError as error:
        place = source.where(method)
        if place:
            error.add_note(f"returned by {level}(self, bars), line {place.line} of {place.file}")
        raise


def _free(main: Callable[[Run], object], bars: Bars, values: dict[str, Any], of: tuple[str, str]) -> Array:
    port = _Port(bars)
    try:
        with within.running(Run(port, bars.symbols, values, *of)) as run:  # of a dataset and a snapshot
            main(run)
    except SystemExit as left:  # a script may end by sys.exit() once it has decided
        if left.code not in (0, None):
            raise DecisionError(f"main(run) called sys.exit({left.code!r})") from left
    if port.decisions is None:
        raise DecisionError("main(run) has ended without decisions: call run.submit(weights)")
    return port.decisions


class _Port:
    """`tapedeck.run.Port` within this process."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self.decisions: Array | None = None

    def bars(self) -> Bars:
        return self._bars

    def submit(self, decisions: Array) -> None:
        self.decisions = decisions
