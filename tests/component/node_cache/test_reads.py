"""What is read through the cache is, to the byte, what is read without it; the second time S3 is asked for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.market import reader
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.node_cache.daemon import Daemon, running
from tests.component.node_cache.market import SYMBOLS, Market

pytestmark = pytest.mark.usefixtures("nothing_kept")


def test_the_second_read_hits_and_asks_s3_for_nothing(tmp_path: Path, market: Market) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        near = daemon.near()
        assert market.reads_right(near)
        assert market.store.gets == 4  # the daemon's
        assert market.reads_right(near)
        assert market.store.gets == 4
        told = daemon.told()
        assert (told["hits"], told["made"], told["fetched"], told["absent"]) == (2, 2, 4, 0)
        assert (told["decoded_files"], told["encoded_files"]) == (2, 4)
        assert told["fetched_bytes"] == told["encoded_bytes"] - 4 * 4  # a checksum each


def test_two_runs_at_once_fetch_a_month_once(tmp_path: Path, market: Market) -> None:
    market.store.before = lambda: time.sleep(0.1)
    with running(tmp_path / "cache", market.store) as daemon, ThreadPoolExecutor(2) as runs:
        assert all(runs.map(market.reads_right, [daemon.near(), daemon.near()]))
        assert market.store.gets == 4


@pytest.fixture(scope="module")
def cached(published: tuple[Path, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("held") / "cache", FolderStore(published[0])) as daemon:
        yield daemon


@settings(max_examples=15, deadline=None)
@given(
    symbols=st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True),
    fields=st.lists(st.sampled_from(COLUMNS[1:]), min_size=1, unique=True),
    days=st.lists(st.dates(date(2021, 1, 1), date(2021, 2, 28)), min_size=2, max_size=2).map(sorted),
)
def test_what_the_cache_gives_is_what_the_store_gives(
    cached: Daemon, published: tuple[Path, Snapshot], symbols: list[str], fields: list[str], days: list[date]
) -> None:
    root, snapshot = published
    one, other = (
        reader.read_block(FolderStore(root), snapshot, symbols, fields, *days, near=near)
        for near in (cached.near(), None)
    )
    assert list(one.fields) == list(other.fields) == fields
    assert all(one.fields[name].tobytes() == other.fields[name].tobytes() for name in fields)
