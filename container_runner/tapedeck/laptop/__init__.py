"""Runs a strategy in this process on a folder of market data: no account, no server, the platform's numbers."""

from __future__ import annotations

from tapedeck.laptop.check import Checked, check
from tapedeck.laptop.result import Finished
from tapedeck.laptop.run import run

__all__ = ["Checked", "Finished", "check", "run"]
