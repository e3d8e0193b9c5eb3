"""Where the generated data lie; imported by the peer too, in whose environment our code is not."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench" / "data"
ARRAYS = FOLDER / "arrays"
ARCTIC = FOLDER / "arctic"
SYMBOLS = [f"S{number:03}" for number in range(100)]
