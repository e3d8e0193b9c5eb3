"""Every test runs on the instruction set that strategies run on: its NumPy ends in the same bits as a pod's."""

from __future__ import annotations

from tapedeck import instructions

assert instructions.pin(), "something has imported NumPy before the tests: a plug-in of pytest's?"
