"""`tapedeck data synthesize`: seeded, the same to the byte, and like a market where it matters."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tapedeck.cli import main
from tapedeck.data import synthesize
from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, reader, snapshot
from tapedeck.market.encoding import PRICES
from tapedeck.market.grid import grid
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor.bar import faults

MINUTE = layout.parse_dataset("equities-1m")
DAILY = layout.parse_dataset("equities-1d")
START, END = date(2023, 11, 20), date(2023, 12, 5)  # Thanksgiving's early close of the 24th within


def made(folder: Path, seed: int, end: date = END) -> str:
    return synthesize.into(folder, MINUTE.name, symbols=2, start=START, end=end, seed=seed).snapshot.id


def test_the_same_seed_makes_the_same_snapshot_and_another_seed_another(tmp_path: Path) -> None:
    first = made(tmp_path / "a", 1)
    assert made(tmp_path / "b", 1) == first
    assert made(tmp_path / "a", 1) == first  # on top of itself
    assert made(tmp_path / "c", 2) != first
    month = synthesize.Maker(MINUTE, "S0001", START, END, 1).month("2023-11")
    pinned = hashlib.sha256(b"".join(month.columns[name].tobytes() for name in PRICES)).hexdigest()
    assert pinned == "964cd0c8988a3e1a47526ba3798ec450e2f640935b93f573b189db924b305a69"


def test_the_bars_are_read_back_on_the_calendars_grid(tmp_path: Path) -> None:
    held = made(tmp_path, 1)
    store = FolderStore(tmp_path)
    at = snapshot.load(store, MINUTE.name, held)
    assert at.symbols == ("S0000", "S0001")
    assert at.span("S0000") == (START, END)
    block = reader.read_block(store, at, at.symbols, ["close", "volume"], START, END)
    assert len(block.ts) == len(grid("XNYS", "1m", START, END))
    assert np.sum(block.session == calendars.day_number(date(2023, 11, 24))) == 210
    missing = np.isnan(block.fields["close"])
    assert 0 < missing.sum() < 0.1 * missing.size


def test_no_bar_has_a_fault_and_volume_is_a_u_over_the_session() -> None:
    maker = synthesize.Maker(MINUTE, "S0003", date(2023, 8, 1), date(2023, 8, 31), 5)
    month = maker.month("2023-08")
    rows = zip(*(month.columns[name] for name in (*PRICES, "volume")), strict=True)
    assert [faults(tuple((value, 2) for value in row)) for row in rows].count(None) == len(month)  # type: ignore[arg-type]
    minute = (np.array(month.columns["ts"]) // 60_000_000 - 13 * 60 - 30) % 1440
    volume = np.array(month.columns["volume"])
    ends, middle = volume[(minute < 30) | (minute >= 360)].mean(), volume[(minute >= 165) & (minute < 225)].mean()
    assert 2 < ends / middle < 4


def test_a_split_divides_raw_prices_and_multiplies_volume() -> None:
    span = date(2020, 1, 2), date(2021, 12, 31)
    makers = [synthesize.Maker(DAILY, f"S{number:04}", *span, 1) for number in range(20)]
    split = [maker for maker in makers if maker.splits]
    assert 2 <= len(split) <= 14
    for maker in split:
        session, ratio = maker.splits[0].session, maker.splits[0].ratio
        assert 1 < ratio <= 10
        closes = {}
        for name in maker.months:
            month = maker.month(name)
            scale = 10**month.price_scale
            closes |= {ts: close / scale for ts, close in zip(month.columns["ts"], month.columns["close"], strict=True)}
        ordered = sorted(closes)
        opens = calendars.get("XNYS").starts("1d", session)[0]
        before = max(ts for ts in ordered if ts < opens)
        after = min(ts for ts in ordered if ts >= opens)
        assert closes[after] * ratio / closes[before] == pytest.approx(1, abs=0.25)


def runs_of(missing: np.ndarray) -> list[int]:
    """The lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()  # type: ignore[no-any-return]


def test_thin_symbols_have_gaps_and_some_sessions_a_halt() -> None:
    span = date(2022, 1, 3), date(2022, 12, 30)
    starts = {day: calendars.get("XNYS").starts("1m", day) for day in calendars.get("XNYS").sessions(*span)}
    halts, gaps = 0, 0
    for number in range(3):
        maker = synthesize.Maker(MINUTE, f"S{number:04}", *span, 3)
        there = {ts for name in maker.months for ts in maker.month(name).columns["ts"]}
        for session in starts.values():
            lengths = runs_of(np.array([ts not in there for ts in session]))
            halts += sum(5 <= length <= 60 for length in lengths)
            gaps += sum(length < 5 for length in lengths)
            assert max(lengths, default=0) <= 60
    assert 1 <= halts <= 20  # of 3 x 251 sessions, one in two hundred
    assert gaps > 100


def test_a_market_that_never_closes_has_every_minute_of_every_day() -> None:
    crypto = layout.parse_dataset("crypto-1m")
    month = synthesize.Maker(crypto, "S0000", date(2024, 2, 1), date(2024, 2, 29), 1).month("2024-02")
    assert 0.9 * 29 * 1440 < len(month) <= 29 * 1440
    assert (month.columns["ts"][-1] - month.columns["ts"][0]) / 60_000_000 > 0.99 * 29 * 1440


def test_a_symbol_is_the_same_however_many_are_made_beside_it_and_whatever_the_range(tmp_path: Path) -> None:
    alone = synthesize.into(tmp_path / "one", "equities-1d", symbols=1, start=START, end=END, seed=4).snapshot
    many = synthesize.into(tmp_path / "many", "equities-1d", symbols=300, start=START, end=END, seed=4).snapshot
    assert many.entries["S0000"] == alone.entries["S0000"]
    assert len(many.symbols) == 300


def test_months_are_the_same_in_whatever_order_they_are_made() -> None:
    forward, backward = (synthesize.Maker(MINUTE, "S0000", START, END, 9) for _ in range(2))
    names = list(forward.months)
    one = {name: encoding.digest(forward.month(name)) for name in names}
    assert one == {name: encoding.digest(backward.month(name)) for name in reversed(names)}


def test_a_range_without_sessions_or_that_the_calendar_does_not_know_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["data", "synthesize", "--dataset", "equities-1m", "--symbols", "1", "--data", str(tmp_path)]
    assert main([*asked, "--start", "1900-01-01", "--end", "1900-02-01"]) == 2
    assert "XNYS is known from" in capsys.readouterr().err
    for start, end in (("2024-01-06", "2024-01-07"), ("2024-01-10", "2024-01-02")):
        assert main([*asked, "--start", start, "--end", end]) == 2
        assert f"XNYS has no session from {start} to {end}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main([*asked[:5], "0", *asked[6:], "--start", "2023-01-03", "--end", "2023-01-04"]) == 2
