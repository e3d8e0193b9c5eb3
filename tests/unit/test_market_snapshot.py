"""Publishing, resolving and reading snapshots in a folder: what is read is what was published, then and later."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, months, publish, reader, snapshot
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.encoding import COLUMNS, PRICES
from tapedeck.market.errors import DataError, PublishConflictError, UnknownSnapshotError, UnknownSymbolError
from tapedeck.market.publish import Change
from tapedeck.market.store import FolderStore
from tapedeck.market.wanted import wanted
from tests.unit.daily_market import DATASET, SESSIONS, Bars, change, closes, month, put

pytestmark = pytest.mark.usefixtures("nothing_kept")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


BARS = st.dictionaries(st.sampled_from(SESSIONS), st.integers(1, 10**6), min_size=1)
MARKET = st.dictionaries(st.sampled_from(["AAPL", "BRK.B", "IBM"]), BARS, min_size=1)


@settings(max_examples=25, deadline=None)
@given(MARKET)
def test_what_is_published_is_read_back_on_the_calendars_grid(market: dict[str, Bars]) -> None:
    with TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        at = put(store, {symbol: change(bars) for symbol, bars in market.items()})
        symbols = list(market)
        block = reader.read_block(store, at, symbols, COLUMNS[1:], SESSIONS[0], SESSIONS[-1])
        assert block.session.tolist() == [calendars.day_number(day) for day in SESSIONS]
        for row, day in enumerate(SESSIONS):
            for column, symbol in enumerate(symbols):
                cents = market[symbol].get(day)
                for offset, name in enumerate(COLUMNS[1:]):
                    value = block.fields[name][row, column]
                    if cents is not None:
                        assert value == (cents + offset) / 100
                    else:
                        assert value == 0 if name == "volume" else np.isnan(value)


@settings(max_examples=15, deadline=None)
@given(MARKET, st.randoms(use_true_random=False))
def test_the_same_content_has_the_same_id_whatever_the_order_it_came_in(
    market: dict[str, Bars], random: object
) -> None:
    pieces = [(symbol, name, piece) for symbol, bars in market.items() for name, piece in change(bars).months.items()]
    random.shuffle(pieces)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole = put(FolderStore(Path(one)), {symbol: change(bars) for symbol, bars in market.items()})
        for symbol, name, piece in pieces:
            last = put(FolderStore(Path(other)), {symbol: Change({name: piece})})
    assert last.id == whole.id


@settings(max_examples=15, deadline=None)
@given(MARKET, st.lists(st.sampled_from(SESSIONS), max_size=4))
def test_chunking_does_not_change_what_is_read(market: dict[str, Bars], cuts: list[date]) -> None:
    with TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        at = put(store, {symbol: change(bars) for symbol, bars in market.items()})
        whole = reader.read_block(store, at, list(market), ["close", "volume"], SESSIONS[0], SESSIONS[-1])
        begins = sorted({SESSIONS[0], *cuts})
        ends = [SESSIONS[SESSIONS.index(day) - 1] for day in begins[1:]] + [SESSIONS[-1]]
        parts = [
            reader.read_block(store, at, list(market), ["close", "volume"], *pair)
            for pair in zip(begins, ends, strict=True)
        ]
    assert np.concatenate([part.ts for part in parts]).tobytes() == whole.ts.tobytes()
    for name in ("close", "volume"):
        assert np.concatenate([part.fields[name] for part in parts]).tobytes() == whole.fields[name].tobytes()


def test_a_correction_leaves_the_old_snapshot_readable(store: FolderStore) -> None:
    day, later = date(2020, 1, 2), date(2020, 3, 2)
    before = put(store, {"AAPL": change({day: 100, later: 200})})
    after = put(store, {"AAPL": change({day: 150})})
    assert before.id != after.id
    old = snapshot.load(store, DATASET.name, before.id)
    assert closes(store, old, "AAPL") == {day: 1.03, later: 2.03}
    assert closes(store, after, "AAPL") == {day: 1.53, later: 2.03}
    back = put(store, {"AAPL": change({day: 100})})
    assert back.id == before.id
    assert closes(store, back, "AAPL") == closes(store, old, "AAPL")


def test_a_change_writes_only_the_months_that_differ(store: FolderStore) -> None:
    base = put(store, {"AAPL": change(dict.fromkeys(SESSIONS, 100)), "IBM": change(dict.fromkeys(SESSIONS, 50))})
    bars = dict.fromkeys(SESSIONS, 100) | {SESSIONS[-1]: 101}
    done = publish.publish(store, DATASET, base, {"AAPL": change(bars)})
    assert done.months_written == 1
    assert publish.publish(store, DATASET, done.snapshot, {"AAPL": change(bars)}).snapshot is done.snapshot


def test_actions_and_names_are_part_of_the_id_and_come_back(store: FolderStore) -> None:
    day = SESSIONS[3]
    bare = put(store, {"AAPL": change({day: 100})})
    split, paid = Split("AAPL", day, 7.0), Dividend("AAPL", day, 0.47)
    names = ((date(2019, 5, 1), "APLE"), (date(2050, 12, 31), "AAPL"))
    full = put(store, {"AAPL": Change(splits=(split,), dividends=(paid,), names=names)})
    assert bare.id != full.id
    leaf = snapshot.load(store, DATASET.name, full.id).leaf("AAPL")
    assert (leaf.splits, leaf.dividends, leaf.names) == ((split,), (paid,), names)
    assert full.span("AAPL") == (day, day)


def test_a_symbol_with_actions_only_is_not_offered(store: FolderStore) -> None:
    at = put(store, {"AAPL": change({SESSIONS[0]: 100}), "IBM": Change(splits=(Split("IBM", SESSIONS[1], 2.0),))})
    assert at.symbols == ("AAPL",)
    with pytest.raises(UnknownSymbolError, match="IBM: no such symbol in equities-1d"):
        at.span("IBM")
    assert at.leaf("IBM").splits


def test_the_second_of_two_publishers_is_told(store: FolderStore) -> None:
    base = put(store, {"AAPL": change({SESSIONS[0]: 100})})
    put(store, {"AAPL": change({SESSIONS[1]: 100})})
    with pytest.raises(PublishConflictError):
        publish.publish(store, DATASET, base, {"AAPL": change({SESSIONS[2]: 100})})


def test_of_many_swaps_at_once_one_wins(store: FolderStore) -> None:
    won: list[bool] = []
    threads = [Thread(target=lambda n=n: won.append(store.swap("pointer", bytes([n]), None))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 1


def test_an_unknown_snapshot_is_named(store: FolderStore) -> None:
    with pytest.raises(UnknownSnapshotError, match="has no snapshot"):
        snapshot.load(store, DATASET.name, "0" * 64)
    with pytest.raises(UnknownSnapshotError, match="is no snapshot id"):
        snapshot.load(store, DATASET.name, "../../etc")
    assert snapshot.latest(store, DATASET.name) is None


def damaged(body: bytes) -> bytes:
    return body[: len(body) // 2]


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_month_that_is_not_what_the_snapshot_says_is_named(store: FolderStore, damage: str) -> None:
    at = put(store, {"AAPL": change(dict.fromkeys(SESSIONS, 100))})
    key = "equities-1d/AAPL/2020/02.parquet"
    (path,) = (store.root / ".versions" / key).iterdir()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(damaged(path.read_bytes()))
    else:
        path.write_bytes(encoding.encode(month({date(2020, 2, 3): 100})))
    with pytest.raises(DataError) as caught:
        reader.read_block(store, at, ["AAPL"], ["close"], SESSIONS[0], SESSIONS[-1])
    assert (caught.value.symbol, caught.value.month, caught.value.key) == ("AAPL", "2020-02", key)
    assert "AAPL 2020-02" in str(caught.value)


@pytest.mark.parametrize("part", ["roots", "leaves"])
def test_a_damaged_root_or_leaf_is_found(store: FolderStore, part: str) -> None:
    at = put(store, {"AAPL": change(dict.fromkeys(SESSIONS, 100))})
    (path,) = (store.root / "snapshots/equities-1d" / part).iterdir()
    path.write_bytes(path.read_bytes().replace(b"2020", b"2021"))
    with pytest.raises(DataError, match="digest"):
        snapshot.load(store, DATASET.name, at.id).leaf("AAPL")


def test_another_calendar_than_the_snapshots_is_found(store: FolderStore) -> None:
    at = put(store, {"AAPL": change({SESSIONS[0]: 100})})
    root = store.get(layout.snapshot_root_key(DATASET.name, at.id)).replace(at.calendar_digest.encode(), b"0" * 64)  # type: ignore[union-attr]
    other = snapshot.parse(store, DATASET.name, encoding.hashlib.sha256(root).hexdigest(), root)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="another calendar"):
        reader.read_block(store, other, ["AAPL"], ["close"], SESSIONS[0], SESSIONS[-1])


def test_history_starts_where_enough_bars_lie_before_the_run(store: FolderStore) -> None:
    at = put(store, {"AAPL": change(dict.fromkeys(SESSIONS[5:], 100))})
    assert reader.history_start(at, ["AAPL"], SESSIONS[30], 0) == SESSIONS[30]
    assert reader.history_start(at, ["AAPL"], SESSIONS[30], 10) == SESSIONS[20]
    assert reader.history_start(at, ["AAPL"], SESSIONS[30], 100) == SESSIONS[5]
    assert reader.history_start(at, ["AAPL"], SESSIONS[5], 100) == SESSIONS[5]
    assert reader.history_start(at, ["AAPL"], date(2020, 2, 1), 1) == date(2020, 1, 31)


def test_the_close_before_a_dividend_is_found_across_a_gap(store: FolderStore) -> None:
    bars = {SESSIONS[0]: 100, SESSIONS[1]: 110, SESSIONS[70]: 300}
    paid = tuple(Dividend("AAPL", day, 0.1) for day in (SESSIONS[0], SESSIONS[1], SESSIONS[60], SESSIONS[71]))
    at = put(store, {"AAPL": change(bars, dividends=paid)})
    assert reader.dividend_closes(store, at, ["AAPL"], date(2019, 1, 2), SESSIONS[-1]) == {
        paid[1]: 1.03,
        paid[2]: 1.13,
        paid[3]: 3.03,
    }


def test_the_last_months_are_read_once(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    at = put(store, {"AAPL": change(dict.fromkeys(SESSIONS, 100))})
    at.leaf("AAPL")
    cache, asked = months.MonthCache(), []
    real = store.get
    monkeypatch.setattr(store, "get", lambda key, version=None: asked.append(key) or real(key, version))
    asked_for = wanted(DATASET.name, at.leaf("AAPL"), ("2020-01", "2020-02"))
    assert len(list(months.load(store, asked_for, cache))) == 2
    again = wanted(DATASET.name, at.leaf("AAPL"), ("2020-01", "2020-02", "2020-03"))
    assert [want.name for want, _ in months.load(store, again, cache)] == ["2020-01", "2020-02", "2020-03"]
    assert len(asked) == 3


@pytest.mark.parametrize(("before", "after"), [(COLUMNS[1:], ["close"]), (["close"], COLUMNS[1:])])
def test_a_month_in_memory_may_have_more_fields_than_its_neighbours(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, before: list[str], after: list[str]
) -> None:
    monkeypatch.setattr(months._CACHE, "_limit", 1 << 20)
    monkeypatch.setattr(months._CACHE, "_held", 0)
    monkeypatch.setattr(months._CACHE, "_months", OrderedDict())
    at = put(store, {"AAPL": change(dict.fromkeys(SESSIONS, 100))})
    reader.read_block(store, at, ["AAPL"], before, SESSIONS[3], SESSIONS[5])  # a part of a month: the rest is kept
    assert len(months._CACHE._months) == 1
    block = reader.read_block(store, at, ["AAPL"], after, SESSIONS[0], SESSIONS[-1])
    for field in after:
        assert (block.fields[field] == (100 + COLUMNS[1:].index(field)) / 100).all()


def test_the_memory_of_months_is_bounded(store: FolderStore) -> None:
    one = month(dict.fromkeys(SESSIONS[:20], 100))
    cache = months.MonthCache(limit=2 * 20 * 6 * 8)
    for digest in "abc":
        cache.put(digest, one)
    assert [cache.get(digest) is None for digest in "abc"] == [True, False, False]


def test_ingest_and_submit_import_all_but_reading_without_numpy() -> None:
    layer = Path(__file__).parents[2] / "build/layer/python"
    ours = Path(__file__).parents[2] / "container_runner"
    code = (
        f"import sys; sys.path[:0] = [{str(ours)!r}, {str(layer)!r}]\n"
        "from tapedeck.market import actions, calendar, chunks, encoding, leaf, layout, publish, snapshot, store\n"
        "assert 'numpy' not in sys.modules and 'boto3' not in sys.modules\n"
        "try:\n    import numpy\nexcept ImportError:\n    print('none')\n"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout == "none\n"


def test_prices_have_the_names_that_the_contract_has() -> None:
    from contract import FIELDS

    assert (*PRICES, "volume") == FIELDS
