"""A run on bars that are in memory already: in a notebook, a test, or between other people's arrays."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tapedeck import compiled, source
from tapedeck.bars import Bars
from tapedeck.laptop import asked
from tapedeck.laptop.deciding import decider
from tapedeck.laptop.keepers import keeper
from tapedeck.laptop.result import Finished, Of, replay
from tapedeck.submission import reader, resolve_parameters
from tapedeck.sweeps.held import Held


def backtest(
    strategy: str | Path, bars: Bars, params: Mapping[str, object] | None = None, *, calendar: str = "XNYS"
) -> Finished:
    """Run a strategy file on bars in memory, month by month, as `tapedeck.sweep` does with each of its trials.

    The bars stand in for the header's dataset, symbols and dates, and are taken to be of `calendar`; the rest of the
    header counts, and `params` override its own. The strategy's code runs in this process: only for code that one
    trusts. Raises `SubmissionError`, `ValueError` for bars that the books cannot be kept on, `DecisionError`, and what
    the strategy raises.
    """
    compiled.keep_memory()
    path, held = Path(strategy), Held(bars)
    found = reader.read(path.name, path.read_bytes())
    missing = [name for name in found.fields if name not in bars.fields()]
    if missing:
        raise ValueError(f"{path.name} reads {', '.join(missing)}, which these bars do not have")
    wish = asked.read({**found.header, **held.header()})
    random.seed(wish.seed)
    np.random.seed(wish.seed)
    loaded = source.load(path, path.name, found.kind, found.class_name)
    of = {"dataset": wish.dataset, "adjust": wish.adjust}
    lookback, decide = decider(loaded, found, resolve_parameters(found, params or {}), of)
    books = keeper(found.level, held, wish.engine, lookback, decide)
    chunks = ((held.books(rows), held.bars(rows, found.fields, lookback)) for rows in held.chunks(found.level)())
    name = found.class_name or path.stem
    return replay(books, chunks, Of(name, held.symbols, "", calendar, wish))
