"""The inputs of S1, S2 and S3: seeded minute bars on disk, the same files for ours, the peers and the limits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.s1 import bars

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench" / "engine"
SYMBOLS, SEED = 100, 7  # symbol k is `bars.make(SEED + k)`, so S1 is S2's first symbol
WEIGHT = 0.95  # of equity, where a peer is to agree with ours: leaves room for the fee
FIELDS = ("open", "close")


def symbols_of(workload: str) -> int:
    """Return the number of symbols of S1, S2 or S3."""
    return SYMBOLS if workload == "S2" else 1


def load(symbols: int, fields: Sequence[str] = FIELDS) -> dict[str, np.ndarray]:
    """Return `fields` as (symbols, bars), each symbol's bars contiguous, and ts (us) and session as (bars,)."""
    _make(symbols, fields)
    values = {name: np.load(FOLDER / f"{name}-{symbols}.npy") for name in fields}
    days = np.busday_offset("2024-01-01", np.arange(bars.SESSIONS), roll="forward").astype(np.int64)  # twelve months
    opening = np.arange(bars.MINUTES) * 60_000_000 + 52_200_000_000  # from 14:30 UTC on
    ts = (days[:, None] * 86_400_000_000 + opening).reshape(-1)
    return {**values, "ts": ts, "session": np.repeat(days.astype(np.int32), bars.MINUTES)}


def pairs() -> np.ndarray:
    """Return S3's 1,000 pairs (fast, slow), (1000, 2): 50 fast and 20 slow windows, so 70 averages."""
    fast, slow = np.arange(5, 55), np.arange(60, 160, 5)
    return np.stack([np.tile(fast, len(slow)), np.repeat(slow, len(fast))], axis=1)


def digest(data: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of the opens' bytes, then the closes', little-endian float64."""
    whole = hashlib.sha256()
    for name in FIELDS:
        whole.update(np.ascontiguousarray(data[name]).astype("<f8").tobytes())
    return whole.hexdigest()


def _make(symbols: int, fields: Sequence[str]) -> None:
    missing = [name for name in fields if not (FOLDER / f"{name}-{symbols}.npy").exists()]
    if not missing:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = [bars.make(SEED + k) for k in range(symbols)]
    for name in missing:
        np.save(FOLDER / f"{name}-{symbols}.npy", np.stack([one[name] for one in made]))
