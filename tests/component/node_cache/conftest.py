"""The market that is read through the node's cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapedeck.market import publish
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.node_cache.market import DATASET, SYMBOLS, Market, month


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
