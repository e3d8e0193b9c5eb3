"""What decides in a run: a strategy's own method, or its `main`, as one function of a chunk's bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tapedeck import source, strategy, within
from tapedeck.bars import Array, Bars
from tapedeck.decisions import DecisionError, as_decisions, asking
from tapedeck.run import Run
from tapedeck.submission import Inspection

Decide = Callable[..., Any]  # of bars to weights; for "on_bar" of bar and book


def decider(loaded: Any, found: Inspection, values: dict[str, Any], of: Mapping[str, str]) -> tuple[int, Decide]:
    """Return the lookback in bars, and what decides on bars, of what `tapedeck.source.load` loaded.

    `of`: the run's "dataset", "snapshot" and "adjust".
    """
    instance = strategy.create(loaded, values) if found.class_name else None
    lookback = lookback_of(instance) if instance else 0
    if instance and found.level in ("weights", "shares"):
        return lookback, partial(_vectorised, instance, found.level)
    if instance and found.level == "on_bar":
        return lookback, instance.on_bar
    main = instance.main if instance else loaded
    return lookback, lambda bars: _free(main, bars, values, of)


def lookback_of(instance: strategy.Strategy) -> int:
    """Return how many bars of history an instance asks for; raises `ValueError` for fewer than none."""
    lookback = int(instance.lookback())
    if lookback < 0:
        raise ValueError(f"lookback() returned {lookback}: it is a number of bars, 0 or more")
    return lookback


def _vectorised(instance: strategy.Strategy, level: str, bars: Bars) -> Array:
    method = instance.shares if level == "shares" else instance.weights
    with asking(level, bars):
        value = method(bars)
    try:
        return as_decisions(value, bars, level, copy=False)
    except DecisionError as error:
        place = source.where(method)
        if place:
            error.add_note(f"returned by {level}(self, bars), line {place.line} of {place.file}")
        raise


def _free(main: Callable[[Run], object], bars: Bars, values: dict[str, Any], of: Mapping[str, str]) -> Array:
    port = _Port(bars)
    try:
        with within.running(Run(port, bars.symbols, values, **of)) as run:
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
