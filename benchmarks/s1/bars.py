"""The input of S1: 98,280 seeded minute bars (252 sessions x 390), a random walk with six decimals."""

from __future__ import annotations

import numpy as np

SESSIONS, MINUTES, CASH = 252, 390, 1_000_000.0
COMMISSION, SLIPPAGE, FAST, SLOW = 5e-4, 2e-4, 20, 100


def make(seed: int = 7) -> dict[str, np.ndarray]:
    """Return ts (us), session (days) and open, high, low, close, volume as arrays (bars,)."""
    rng = np.random.default_rng(seed)
    n = SESSIONS * MINUTES
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 4e-4, n))), 6)
    opened = np.round(np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, 5e-5, n)), 6)
    session = np.repeat(np.arange(SESSIONS, dtype=np.int32) + 19_000, MINUTES)
    ts = session.astype(np.int64) * 86_400_000_000 + np.tile(np.arange(MINUTES, dtype=np.int64) * 60_000_000, SESSIONS)
    return {
        "ts": ts,
        "session": session,
        "open": opened,
        "high": np.maximum(opened, close) * 1.0001,
        "low": np.minimum(opened, close) * 0.9999,
        "close": close,
        "volume": rng.integers(100, 10_000, n).astype(np.float64),
    }
