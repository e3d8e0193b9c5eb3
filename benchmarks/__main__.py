"""`make bench`: interleaved rounds of ours, peer and limit; medians; one row and one object a measure."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / "build" / "venvs" / "tools" / "bin" / "uv"
STRATEGY = ROOT / "build" / "venvs" / "strategy" / "bin" / "python"
PEER = ROOT / "build" / "venvs" / "peer-backtesting"
RESULTS = Path(__file__).parent / "results" / "latest.json"
ROUNDS = 5
REACH_TO_PEER = 4.0  # times faster than the peer, at least: what plain-Python strategies are to reach, the slower level


@dataclass(frozen=True)
class Row:
    """A measure's result; seconds of wall time, CPU beside; `ok` follows from the ratios and `reach` alone."""

    measure: str
    unit: str
    ours: float
    ours_cpu: float
    peer: float
    peer_name: str
    limit: float
    limit_name: str
    ratio_to_peer: float
    ratio_to_limit: float
    reach: str
    ok: bool


def main() -> None:
    """Measure, print the table, write `benchmarks/results/latest.json`."""
    rows = [s1()]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    for row in rows:
        print(
            f"{row.measure}: ours {row.ours * 1e3:.2f} ms (CPU {row.ours_cpu * 1e3:.2f}), "
            f"{row.peer_name} {row.peer * 1e3:.1f} ms, {row.limit_name} {row.limit * 1e3:.2f} ms; "
            f"{row.ratio_to_peer:.0f} times faster than the peer, {row.ratio_to_limit:.1f} times the limit; "
            f"reach {row.reach}: {'ok' if row.ok else 'MISSED'}"
        )


def s1() -> Row:
    """Measure S1 against backtesting.py and a compiled single pass."""
    peer = peer_environment()
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": [], "limit": []}
    for _ in range(ROUNDS):
        for name, python in (("ours", STRATEGY), ("peer", peer), ("limit", STRATEGY)):
            seen[name].append(measure(python, f"benchmarks.s1.{name}"))
    agree(seen["ours"][0], seen["limit"][0])
    wall = {name: statistics.median(m["wall"] for m in runs) for name, runs in seen.items()}
    faster = wall["peer"] / wall["ours"]
    return Row(
        measure="S1, weights, one symbol x 98,280 minute bars, hot",
        unit="s",
        ours=wall["ours"],
        ours_cpu=statistics.median(m["cpu"] for m in seen["ours"]),
        peer=wall["peer"],
        peer_name="backtesting.py 0.6.6",
        limit=wall["limit"],
        limit_name="compiled single pass",
        ratio_to_peer=faster,
        ratio_to_limit=wall["ours"] / wall["limit"],
        reach=f">= {REACH_TO_PEER:g} times faster than the peer",
        ok=faster >= REACH_TO_PEER,
    )


def measure(python: Path, module: str) -> dict[str, Any]:
    """Return one measurement, made in a process of its own."""
    path = f"{ROOT}:{ROOT / 'container_runner'}"
    out = subprocess.run(
        [python, "-m", module],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
        check=True,
    ).stdout
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


def agree(ours: dict[str, Any], limit: dict[str, Any]) -> None:
    """Refuse to compare speeds of runs that do not come to the same result."""
    if ours["fills"] != limit["fills"] or abs(ours["equity"] / limit["equity"] - 1) > 1e-6:
        raise SystemExit(f"ours and the limit do not agree: {ours} {limit}")


def peer_environment() -> Path:
    """Return the Python of the peer's own environment, made when it is missing."""
    python = PEER / "bin" / "python"
    if not python.exists():
        subprocess.run([UV, "venv", "--quiet", "--python", "3.11", PEER], check=True, timeout=120)
        packages = ["backtesting==0.6.6", "pandas==2.3.3", "numpy==2.3.5"]
        subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *packages], check=True, timeout=300)
    return python


if __name__ == "__main__":
    main()
