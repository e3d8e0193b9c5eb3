"""Reads take a sealed year where it pays, and its months where it does not, is gone, or is not what it should be."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tapedeck.market import layout, months, publish, reader, sealing, snapshot
from tapedeck.market.block import Block
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.errors import DataError
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.unit.closed_years import DATASET, NAMES, month

pytestmark = pytest.mark.usefixtures("nothing_kept")

FIELDS = COLUMNS[1:]


class Recorded(FolderStore):
    """Remembers what it was asked for, leaves and roots aside."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def get(self, key: str, version: str | None = None) -> bytes:
        if key.endswith(".parquet"):
            self.asked.append(key)
        return super().get(key, version)


@pytest.fixture
def store(tmp_path: Path) -> Recorded:
    """A store with AAPL and IBM, sealed; IBM has other prices and volumes by the hundred, at another scale."""
    store = Recorded(tmp_path)
    changes = {
        "AAPL": Change({name: month(name) for name in NAMES}),
        "IBM": Change({name: month(name, 90_000 if name < "2020-06" else 90_000_000) for name in NAMES}),
    }
    at = publish.publish(store, DATASET, None, changes).snapshot
    sealing.seal(store, at)
    store.asked.clear()
    return store


def load(store: FolderStore) -> Snapshot:
    held = snapshot.latest(store, DATASET.name)
    assert held
    return snapshot.load(store, DATASET.name, held)


def read(store: FolderStore, first: date, last: date, symbols: tuple[str, ...] = ("AAPL", "IBM")) -> Block:
    return reader.read_block(store, load(store), symbols, FIELDS, first, last)


def unsealed(store: FolderStore, first: date, last: date) -> Block:
    """The same bars out of the months alone."""
    at = load(store)
    for symbol in at.symbols:
        leaf = at.leaf(symbol)
        at._leaves[symbol] = type(leaf)(leaf.symbol, leaf.months, places=leaf.places)
    return reader.read_block(store, at, at.symbols, FIELDS, first, last)


def same(one: Block, other: Block) -> None:
    assert one.ts.tolist() == other.ts.tolist()
    for name in FIELDS:
        np.testing.assert_array_equal(one.fields[name], other.fields[name])


def of(store: Recorded, symbol: str) -> list[str]:
    return [key for key in store.asked if f"/{symbol}/" in key]


@pytest.mark.parametrize(
    ("first", "last", "years", "singles"),
    [
        (date(2020, 1, 2), date(2020, 12, 31), 1, 0),  # a whole year
        (date(2020, 3, 10), date(2020, 6, 20), 1, 0),  # four months of twelve
        (date(2020, 3, 10), date(2020, 5, 20), 0, 3),
        (date(2019, 11, 5), date(2021, 1, 20), 2, 1),  # two closed years and one that is not
        (date(2020, 12, 1), date(2021, 1, 20), 0, 2),
    ],
)
def test_a_year_is_read_where_a_third_of_it_is_asked_for(
    store: Recorded, first: date, last: date, years: int, singles: int
) -> None:
    block = read(store, first, last)
    for symbol in ("AAPL", "IBM"):
        asked = of(store, symbol)
        assert sum(key.startswith("sealed/") for key in asked) == years
        assert len(asked) == years + singles
    same(block, unsealed(store, first, last))


def sealed_key(store: FolderStore, symbol: str, year: str = "2020") -> str:
    return layout.sealed_key(DATASET.name, symbol, year, load(store).leaf(symbol).content_of(year))


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "another"])
def test_a_sealed_year_that_is_not_what_it_should_be_gives_way_to_its_months(store: Recorded, damage: str) -> None:
    path = store.root / sealed_key(store, "AAPL")
    body = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        other = store.get(sealed_key(store, "IBM"))
        flipped = bytes([*body[:200], body[200] ^ 1, *body[201:]])
        path.write_bytes({"cut": body[:-9], "flipped": flipped, "another": other}[damage])
    store.asked.clear()
    block = read(store, date(2020, 1, 2), date(2020, 12, 31))
    assert of(store, "AAPL").count(sealed_key(store, "AAPL")) == (1 if damage == "gone" else 2)  # asked again once
    assert len([key for key in of(store, "AAPL") if not key.startswith("sealed/")]) == 12
    assert len(of(store, "IBM")) == 1
    same(block, unsealed(store, date(2020, 1, 2), date(2020, 12, 31)))


def test_a_year_of_other_bytes_and_the_same_content_is_as_good(store: Recorded) -> None:
    at = load(store)
    leaf = at.leaf("AAPL")
    sealed = {name: type(one)(one.content, one.bytes, "0" * 64) for name, one in leaf.sealed.items()}
    at._leaves["AAPL"] = type(leaf)(leaf.symbol, leaf.months, places=leaf.places, sealed=sealed)
    block = reader.read_block(store, at, ["AAPL", "IBM"], FIELDS, date(2020, 1, 2), date(2020, 12, 31))
    assert len(of(store, "AAPL")) == 1
    same(block, unsealed(store, date(2020, 1, 2), date(2020, 12, 31)))


def test_with_year_and_month_damaged_the_month_is_named(store: Recorded) -> None:
    (store.root / sealed_key(store, "AAPL")).write_bytes(b"")
    for path in (store.root / ".versions/equities-1d/AAPL/2020/07.parquet").iterdir():
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"AAPL 2020-07 \(equities-1d/AAPL/2020/07.parquet\)"):
        read(store, date(2020, 1, 2), date(2020, 12, 31))


def test_a_body_that_was_cut_on_its_way_is_fetched_again(store: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = store.get, set[str]()

    def get(key: str, version: str | None = None) -> bytes:
        body = whole(key, version)
        if key.endswith(".parquet") and key not in cut:
            cut.add(key)
            return body[: len(body) // 2]
        return body

    with monkeypatch.context() as patch:
        patch.setattr(store, "get", get)
        block = read(store, date(2020, 1, 2), date(2021, 1, 20))
    assert len(store.asked) == 2 * 2 * 2  # a year and a month of two symbols, each twice
    same(block, unsealed(store, date(2020, 1, 2), date(2021, 1, 20)))


def test_a_correction_is_read_and_the_old_snapshot_reads_what_it_read(store: Recorded) -> None:
    old = load(store)
    before = reader.read_block(store, old, ["AAPL"], FIELDS, date(2020, 1, 2), date(2020, 12, 31))
    changed = {"AAPL": Change({"2020-06": month("2020-06", 777)})}
    new = publish.publish(store, DATASET, old, changed).snapshot
    store.asked.clear()
    block = reader.read_block(store, new, ["AAPL"], FIELDS, date(2020, 1, 2), date(2020, 12, 31))
    assert not any(key.startswith("sealed/") for key in store.asked)
    june = (block.session >= 18_414) & (block.session < 18_444)
    assert block.fields["open"][june, 0][0] == 7.77
    np.testing.assert_array_equal(block.fields["close"][~june], before.fields["close"][~june])
    again = snapshot.load(store, DATASET.name, old.id)
    same(reader.read_block(store, again, ["AAPL"], FIELDS, date(2020, 1, 2), date(2020, 12, 31)), before)
    assert any(key.startswith("sealed/") for key in store.asked)


def test_what_a_read_takes_a_part_of_is_kept_for_the_next_one(store: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = months.MonthCache()
    monkeypatch.setattr(months.pieces, "__defaults__", (cache,))
    whole = unsealed(store, date(2020, 1, 2), date(2020, 12, 31))
    store.asked.clear()
    first = read(store, date(2020, 1, 2), date(2020, 5, 15), ("AAPL",))
    rest = read(store, date(2020, 5, 18), date(2020, 5, 29), ("AAPL",))
    assert len(store.asked) == 1
    for name in FIELDS:
        joined = np.concatenate([first.fields[name], rest.fields[name]])
        np.testing.assert_array_equal(joined[:, 0], whole.fields[name][: len(joined), 0])
