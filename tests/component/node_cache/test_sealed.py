"""The node's cache brings a sealed year with one request, and its months where there is none that is right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tapedeck.market import layout, publish, reader, sealing, snapshot
from tapedeck.market.block import Block
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tests.component.node_cache.daemon import Daemon, running
from tests.component.node_cache.market import Watched
from tests.unit.closed_years import DATASET, NAMES, month

pytestmark = pytest.mark.usefixtures("nothing_kept")

FIRST, LAST = date(2020, 1, 2), date(2020, 12, 31)
FIELDS = COLUMNS[1:]


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    store = Watched(tmp_path / "market")
    at = publish.publish(store, DATASET, None, {"AAPL": Change({name: month(name) for name in NAMES})}).snapshot
    assert sealing.seal(store, at).now == 2
    store.gets = 0
    return store


@pytest.fixture
def daemon(tmp_path: Path, store: Watched) -> Iterator[Daemon]:
    with running(tmp_path / "cache", store) as daemon:
        yield daemon


def load(store: Watched) -> Snapshot:
    held = snapshot.latest(store, DATASET.name)
    assert held
    return snapshot.load(store, DATASET.name, held)


def read(store: Watched, near: object, first: date, last: date, within: tuple[date, date] | None = None) -> Block:
    return reader.read_block(store, load(store), ["AAPL"], FIELDS, first, last, near=near, within=within)  # type: ignore[arg-type]


def same(one: Block, other: Block) -> bool:
    return all(one.fields[name].tobytes() == other.fields[name].tobytes() for name in FIELDS)


def test_a_year_comes_with_one_request_and_every_chunk_of_it_hits(store: Watched, daemon: Daemon) -> None:
    near = daemon.near()
    for name in NAMES[2:14]:  # 2020, a month after the other
        days = date.fromisoformat(f"{name}-01"), date.fromisoformat(f"{name}-28")
        block = read(store, near, *days, within=(FIRST, LAST))
        before = store.gets
        assert same(block, read(store, None, *days))
        store.gets = before
    assert store.gets == 1
    assert daemon.told()["fetched"] == 1
    assert near._taken == near._asked == 12


def test_a_run_over_two_months_brings_two_months(store: Watched, daemon: Daemon) -> None:
    read(store, daemon.near(), date(2020, 3, 2), date(2020, 4, 30))
    assert store.gets == 2


def test_what_was_fetched_sealed_is_made_again_of_the_encoded_tier(store: Watched, daemon: Daemon) -> None:
    block = read(store, daemon.near(), FIRST, LAST)
    for path in daemon.decoded():
        daemon.tiers.decoded.remove(path.name)
    assert same(read(store, daemon.near(), FIRST, LAST), block)
    assert store.gets == 1
    assert daemon.told()["decoded"] == 1


@pytest.mark.parametrize("damage", ["gone", "cut", "another"])
def test_a_sealed_year_that_is_not_right_gives_way_to_the_months(store: Watched, daemon: Daemon, damage: str) -> None:
    leaf = load(store).leaf("AAPL")
    paths = [
        store.root / layout.sealed_key(DATASET.name, "AAPL", year, leaf.content_of(year)) for year in ("2019", "2020")
    ]
    body = paths[1].read_bytes()
    if damage == "gone":
        paths[1].unlink()
    else:
        paths[1].write_bytes(body[:-5] if damage == "cut" else paths[0].read_bytes())
    near = daemon.near()
    block = read(store, near, FIRST, LAST)
    assert near._taken == 1
    assert store.gets == 13
    assert daemon.told()["corrupt"] == (0 if damage == "gone" else 1)
    assert same(block, read(store, None, FIRST, LAST))
