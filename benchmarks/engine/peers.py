"""The engine's peers: their pins, one measurement of one, and whether it was disturbed."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from benchmarks import environments, process
from benchmarks.row import Row

_VECTORBT = ("vectorbt==1.2.0", "numba==0.68.1", "numpy==2.4.6", "pandas==3.1.1")
PINS = {
    "vectorbt": _VECTORBT,
    "vectorbt-rust": (*_VECTORBT, "vectorbt-rust==1.2.0"),
    "backtrader": ("backtrader==1.9.78.123", "numpy==2.4.6", "pandas==3.1.1"),
}
# Peer's time / limit's time on this kind of machine, measured when the targets were set. A peer that is more than SLOW
# times slower than that, relative to the limit of the same run, was disturbed, and its row says nothing.
SEEN = {
    "S2 with figures": 4.07 / 0.045,  # vectorbt, the better engine, with drawdown and Sharpe
    "S2, own NumPy": 2.12 / 0.146,  # vectorbt without figures
    "S3": 13.6 / 0.202,  # vectorbt with its Rust engine, without figures
}
SLOW = 1.5
ONE_CORE = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "NUMBA", "RAYON")}


def measure(peer: str, **asked: object) -> dict[str, Any]:
    """Return what a peer's script, `peer_vectorbt` or `peer_backtrader`, says of one workload, in its own process."""
    script = f"benchmarks.engine.peer_{peer.partition('-')[0]}"
    return call(environments.pinned(f"peer-{peer}", PINS[peer]), script, **asked)


def vectorbt(workload: str, engine: str = "numba", **asked: object) -> dict[str, Any]:
    """Measure vectorbt; see `peer_vectorbt.main` for what can be asked and what is answered."""
    return measure("vectorbt" if engine == "numba" else "vectorbt-rust", workload=workload, engine=engine, **asked)


def call(python: Path, module: str, **asked: object) -> dict[str, Any]:
    """Run `module` with what is asked as JSON; return its answer, and `process_wall`: from its start to its end."""
    begun = time.perf_counter()
    told = process.answer(python, module, json.dumps(asked), environ=ONE_CORE)
    return {**told, "process_wall": time.perf_counter() - begun}


def disturbed(seen: str, peer: float, limit: float) -> str | None:
    """Return why a row is void: the peer was much slower than it is known to be; None when it was not."""
    slower = peer / limit / SEEN[seen]
    return f"void, the peer was {slower:.2g} times slower than seen" if slower > SLOW else None


def voided(row: Row, why: str) -> Row:
    """Return a row that says that it says nothing."""
    return dataclasses.replace(row, reach=f"{row.reach} ({why})", ok=False)
