"""Every test runs on the instruction set that strategies run on: its NumPy ends in the same bits as a pod's."""

from __future__ import annotations

import pytest

from tapedeck import instructions

assert instructions.pin(), "something has imported NumPy before the tests: a plug-in of pytest's?"


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Months that were read are not kept in this process: what is read again comes from the store again."""
    from tapedeck.market import months

    monkeypatch.setattr(months._CACHE, "_limit", 0)
