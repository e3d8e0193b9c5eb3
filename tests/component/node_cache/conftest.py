"""What the tests of the node's cache share: nothing kept in memory, and a market."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapedeck.market import months, publish
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.node_cache.market import DATASET, SYMBOLS, Market, month


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months._CACHE, "_limit", 0)  # what is read is read anew


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    root = tmp_path_factory.mktemp("market")
    changes = {
        symbol: Change({name: month(name, at * 2 + n) for n, name in enumerate(("2021-01", "2021-02"))})
        for at, symbol in enumerate(SYMBOLS)
    }
    return root, publish.publish(FolderStore(root), DATASET, None, changes).snapshot


@pytest.fixture
def market(published: tuple[Path, Snapshot]) -> Market:
    return Market(*published)
