"""What several modules run strategies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.three_years import published


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of market data: three years of three stocks, not to be changed."""
    return published(tmp_path_factory.mktemp("market"))
