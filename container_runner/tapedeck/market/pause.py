"""Long work that stops when its time is up, and goes on from there another time."""

from __future__ import annotations


class PauseError(Exception):
    """There is no more time: what was done so far stands where it was collected, and the rest is to be done."""


def always() -> bool:
    """Say that there is time."""
    return True
