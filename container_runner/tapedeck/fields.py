"""The fields of a bar, in the order in which they are shipped (a test holds them equal to `contract.FIELDS`)."""

from __future__ import annotations

FIELDS = ("open", "high", "low", "close", "volume")
