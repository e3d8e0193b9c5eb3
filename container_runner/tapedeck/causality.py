"""What an audit for look-ahead is asked with; here, because the control plane, which has no NumPy, asks for it."""

from __future__ import annotations

from typing import Literal

Causality = Literal["by_construction", "audited", "leaked", "unchecked"]
CUTS = 8  # replays on data that ends early
LEVELS = ("weights", "shares", "main")  # that can look ahead
