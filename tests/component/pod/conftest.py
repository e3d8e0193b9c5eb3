"""A published market, and a pod that reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar import attempt
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.pod.halves import Pod, publish_market


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    root = tmp_path_factory.mktemp("published") / "market"
    return root, publish_market(FolderStore(root))


@pytest.fixture
def pod(tmp_path: Path, market: tuple[Path, Snapshot]) -> Pod:
    (tmp_path / "market").symlink_to(market[0])
    return Pod(tmp_path / "pod")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy that does not leave is not waited for long."""
    monkeypatch.setattr(attempt, "LEAVE_WITHIN_S", 0.2)
