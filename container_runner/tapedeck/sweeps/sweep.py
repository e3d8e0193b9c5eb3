"""The sweep itself; see `tapedeck.sweeps`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tapedeck import query
from tapedeck.bars import Bars
from tapedeck.laptop import asked
from tapedeck.laptop.run import prepare
from tapedeck.market import calendar as calendars
from tapedeck.submission import reader, resolve_parameters
from tapedeck.sweeps import figures
from tapedeck.sweeps.grid import Grid, combinations
from tapedeck.sweeps.held import Held
from tapedeck.sweeps.result import Sweep
from tapedeck.sweeps.trials import Run, Trials, own_random_numbers


def sweep(strategy: str | Path, grid: Grid, data: query.Data | Bars | None = None, *, calendar: str = "XNYS") -> Sweep:
    """Run the strategy file on each of the grid's parameters.

    `grid`: lists by parameter name, of which every combination is tried, or an iterable of mappings. `data`: a folder,
    "s3://bucket", or bars in memory (`tapedeck.bars`), which stand in for the header's dataset, symbols and dates and
    are taken to be of `calendar`; by default what the variable TAPEDECK_DATA says.

    The file is loaded once: what it keeps outside of its strategy object is shared by all trials. Its code runs in this
    process: only for code that one trusts. Raises what `tapedeck.laptop.run` raises; a note says in which trial.
    """
    path, trials = Path(strategy), combinations(grid)
    found = reader.read(path.name, path.read_bytes())  # in this process, where the code itself will run
    params = [resolve_parameters(found, one) for one in trials]
    if isinstance(data, Bars):
        held = Held(data)
        run = Run(path, found, asked.read({**found.header, **held.header()}), None, held, held.chunks(found.level))
        return _tried(run, params, calendar)
    plan = prepare(path, query.open_store(data), {}, found)
    run = Run(path, found, plan.wish, plan.snapshot.id, plan.market, plan.chunks)
    return _tried(run, params, plan.snapshot.calendar)


def _tried(run: Run, params: list[dict[str, Any]], calendar: str) -> Sweep:
    with own_random_numbers(run.wish.seed):
        trials = Trials(run, params)
        equity = np.empty((len(params), trials.sessions))
        fills = np.empty(len(params), np.int64)
        for at in trials.order:
            fills[at] = trials.run(params[at], equity[at])
    cash, risk_free = run.wish.engine.cash, run.wish.risk_free
    periods = calendars.get(calendar).periods_per_year
    told = figures.of_trials(equity, cash, periods, risk_free)
    known = np.flatnonzero(~np.isnan(told.sharpe))
    best = int(known[np.argmax(told.sharpe[known])]) if len(known) else 0
    believed = figures.deflated(equity[best], told.sharpe, cash, periods, risk_free)
    name = run.found.class_name or "main"
    return Sweep(name, run.market.symbols, run.snapshot, params, told, fills, believed)
