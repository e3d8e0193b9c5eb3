"""Ingest that dies at any write leaves what was there readable whole, and done again comes to the same snapshot."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.market import history, layout, reader, snapshot
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop
from tapedeck.market.vendor.accept import accept

DAILY = layout.parse_dataset("equities-1d")
HEADER = "symbol,date,open,high,low,close,volume\n"
DAYS = ("2020-01-02", "2020-01-03", "2020-02-03")
FIRST, LAST = date(2020, 1, 2), date(2020, 2, 28)


class PowerCutError(Exception):
    """The process is gone."""


class Dying(FolderStore):
    """A store whose process dies at its n-th write, before it or after it."""

    def __init__(self, root: Path, left: int, *, after: bool) -> None:
        super().__init__(root)
        self.left, self.after, self.writes = left, after, 0

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        self._spend(now=not self.after)
        done = super().put(key, body, if_absent)
        self._spend(now=self.after)
        return done

    def _spend(self, *, now: bool) -> None:
        if now:
            self.writes += 1
            if self.writes == self.left:
                raise PowerCutError


def rows(price: str) -> bytes:
    lines = [f"{symbol},{day},{price},{price},{price},{price},5\n" for symbol in "AB" for day in DAYS]
    return (HEADER + "".join(lines)).encode()


def take(store: FolderStore, price: str) -> str:
    return accept(store, drop.read(DAILY, "a.csv", rows(price))).snapshot.id


def closes(store: FolderStore, at: str) -> set[float]:
    block = reader.read_block(store, snapshot.load(store, DAILY.name, at), ["A", "B"], ["close"], FIRST, LAST)
    return set(block.fields["close"][~np.isnan(block.fields["close"])].tolist())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 9))  # four months, two leaves, the root, the pointer, the index
def test_death_at_any_write_leaves_the_old_or_the_new_whole(tmp_path: Path, nth: int, after: bool) -> None:
    store = FolderStore(tmp_path)
    old = take(store, "1")
    with pytest.raises(PowerCutError):
        take(Dying(tmp_path, nth, after=after), "2")
    held = history.resolve(store, DAILY.name)
    assert closes(store, held) == ({1.0} if held == old else {2.0})
    assert closes(store, old) == {1.0}
    again = take(store, "2")
    assert history.resolve(store, DAILY.name) == again
    assert closes(store, again) == {2.0}
    assert [one.id for one in history.load(store, DAILY.name).list()] == [again, old]
    assert take(FolderStore(tmp_path / "elsewhere"), "2") == again


def test_there_are_as_many_writes_as_are_tried(tmp_path: Path) -> None:
    take(FolderStore(tmp_path), "1")
    counting = Dying(tmp_path, 0, after=False)
    take(counting, "2")
    assert counting.writes == 9


cells = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(DAYS)), st.sampled_from(["1", "2.5", "0.0001"]), min_size=1
)


@settings(deadline=None, max_examples=25)
@given(cells, st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_same_content_has_the_same_id_in_any_bucket_and_any_order_of_ingest(
    tmp_path_factory: pytest.TempPathFactory, wanted: dict[tuple[str, str], str], random: object, parts: int
) -> None:
    lines = [f"{symbol},{day},{at},{at},{at},{at},5\n" for (symbol, day), at in wanted.items()]
    random.shuffle(lines)  # type: ignore[attr-defined]
    one, two = (FolderStore(tmp_path_factory.mktemp("bucket")) for _ in range(2))
    whole = accept(one, drop.read(DAILY, "a.csv", (HEADER + "".join(sorted(lines))).encode())).snapshot.id
    for part in range(parts):
        if mine := lines[part::parts]:
            last = accept(two, drop.read(DAILY, f"{part}.csv", (HEADER + "".join(mine)).encode())).snapshot.id
    assert last == whole
