"""S3: a thousand parameter pairs on one symbol, `tapedeck.sweep` against vectorbt's Rust engine and a compiled pass."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.engine import peers
from benchmarks.environments import STRATEGY
from benchmarks.row import Row

ROUNDS, HOT = 3, 3
TO_LIMIT, TO_PEER = 1.6, 40.0


def rows() -> list[Row]:
    """Measure S3, hot: ours and the limit in interleaved rounds, the peer, which takes a hundred times longer, once."""
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "limit": []}
    peer: dict[str, Any] = {}
    for at in range(ROUNDS):
        for name, module in (("limit", "limit_sweep"), ("ours", "ours_sweep")):
            seen[name].append(peers.call(STRATEGY, f"benchmarks.engine.{module}", hot=HOT))
        if at == ROUNDS // 2:
            peer = peers.vectorbt("S3", "rust", hot=2)
    agree(seen["ours"][0], seen["limit"][0])
    ours, limit = (median(seen[name], "wall") for name in ("ours", "limit"))
    theirs = statistics.median(peer["wall"])
    colds = {name: statistics.median(run["cold"] for run in runs) for name, runs in (*seen.items(), ("peer", [peer]))}
    void = peers.disturbed("S3", theirs, limit)
    row = Row(
        measure="S3, sweep of 1,000 pairs with drawdown and Sharpe, one symbol x 98,280 minute bars, hot",
        unit="s",
        ours=ours,
        ours_cpu=median(seen["ours"], "cpu"),
        peer=theirs,
        peer_name=f"vectorbt {peer['version']} with its Rust engine, no figures",
        limit=limit,
        limit_name="compiled single pass a pair",
        reach=f"<= {TO_LIMIT:g} times the limit and >= {TO_PEER:g} times faster than the peer",
        note=f"first call: {', '.join(f'{name} {cold:.2g} s' for name, cold in colds.items())}",
        ok=void is None and ours / limit <= TO_LIMIT and theirs / ours >= TO_PEER,
    )
    return [row if void is None else peers.voided(row, void)]


def median(runs: list[dict[str, Any]], what: str) -> float:
    """Return the median of all hot calls of several processes."""
    return statistics.median(float(value) for run in runs for value in run[what])


def agree(ours: dict[str, Any], limit: dict[str, Any]) -> None:
    """Refuse to compare speeds of runs that do not come to the same result."""
    apart = max(abs(ours[name] / limit[name] - 1) for name in ("equity", "sharpe"))
    if ours["fills"] != limit["fills"] or apart > 1e-6:
        raise SystemExit(f"ours and the limit do not agree: {ours} {limit}")
