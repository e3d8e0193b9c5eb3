"""The calendar against exchange_calendars, an independent oracle."""

from __future__ import annotations

from datetime import date

import exchange_calendars
import pytest

from tapedeck.market import calendar as calendars
from tapedeck.market.errors import CalendarError
from tapedeck.market.grid import grid

FIRST, LAST = date(1998, 1, 1), date(2026, 12, 31)


# exchange_calendars 4.13 uses what pandas 3.1 deprecates
@pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops timezone")
def test_xnys_has_the_sessions_opens_and_closes_of_exchange_calendars() -> None:
    oracle = exchange_calendars.get_calendar("XNYS", start="1998-01-01", end="2026-12-31")
    ours = calendars.get("XNYS")
    sessions = ours.sessions(FIRST, LAST)
    assert sessions == [stamp.date() for stamp in oracle.sessions]
    opens = oracle.opens.astype("datetime64[us, UTC]").astype("int64").tolist()
    closes = oracle.closes.astype("datetime64[us, UTC]").astype("int64").tolist()
    assert [ours.hours(session) for session in sessions] == list(zip(opens, closes, strict=True))


def test_a_daily_bar_starts_at_the_open_in_new_york() -> None:
    xnys = calendars.get("XNYS")
    assert list(xnys.starts("1d", date(2005, 2, 28))) == [1_109_601_000_000_000]  # 14:30 UTC, winter
    assert list(xnys.starts("1d", date(2005, 7, 1))) == [1_120_224_600_000_000]  # 13:30 UTC, summer


def test_hourly_bars_are_the_hours_that_overlap_the_session() -> None:
    xnys = calendars.get("XNYS")
    regular, early = date(2020, 11, 25), date(2020, 11, 27)
    assert [(ts // 3_600_000_000 - 5) % 24 for ts in xnys.starts("1h", regular)] == [9, 10, 11, 12, 13, 14, 15]
    assert [(ts // 3_600_000_000 - 5) % 24 for ts in xnys.starts("1h", early)] == [9, 10, 11, 12]


def test_a_regular_session_has_390_minutes_and_an_early_close_210() -> None:
    xnys = calendars.get("XNYS")
    assert xnys.bars_per_session("1m", date(2020, 11, 25)) == 390
    assert xnys.bars_per_session("1m", date(2020, 11, 27)) == 210


def test_the_grid_joins_the_sessions_bars() -> None:
    xnys = calendars.get("XNYS")
    start, end = date(2019, 3, 1), date(2019, 3, 31)  # the clocks change on the 10th
    rows = grid("XNYS", "1h", start, end)
    expected = [ts for session in xnys.sessions(start, end) for ts in xnys.starts("1h", session)]
    assert rows.ts.tolist() == expected
    assert {calendars.from_day_number(day) for day in rows.session.tolist()} == set(xnys.sessions(start, end))
    assert all(
        xnys.session_of(ts) == calendars.from_day_number(day)
        for ts, day in zip(rows.ts.tolist(), rows.session.tolist(), strict=True)
    )


def test_24_7_trades_every_minute_of_every_utc_day() -> None:
    always = calendars.get("24/7")
    assert len(always.sessions(date(2020, 1, 1), date(2020, 12, 31))) == 366
    assert len(grid("24/7", "1m", date(2020, 2, 29), date(2020, 2, 29))) == 1440
    assert always.starts("1d", date(1970, 1, 2)) == range(86_400_000_000, 86_400_000_001)
    assert always.periods_per_year == 365


def test_dates_outside_of_what_is_known_are_refused() -> None:
    xnys = calendars.get("XNYS")
    with pytest.raises(CalendarError, match="known from 1990-01-01 to 2030-12-31"):
        xnys.sessions(date(2030, 1, 1), date(2031, 1, 1))
    with pytest.raises(CalendarError, match="is no calendar"):
        calendars.get("XLON")
    with pytest.raises(CalendarError, match="is no bar"):
        xnys.starts("5m", date(2020, 1, 2))


def test_an_inverted_range_is_empty() -> None:
    assert calendars.get("XNYS").sessions(date(2020, 1, 2), date(2020, 1, 1)) == []


def test_the_next_session_skips_weekends_and_holidays() -> None:
    xnys = calendars.get("XNYS")
    assert xnys.next_session(date(2020, 11, 25)) == date(2020, 11, 27)
    assert xnys.next_session(date(2020, 11, 28)) == date(2020, 11, 30)


def test_the_digest_changes_with_the_range_and_only_with_it() -> None:
    xnys = calendars.get("XNYS")
    assert xnys.digest(FIRST, LAST) == xnys.digest(FIRST, LAST)
    assert xnys.digest(date(2020, 11, 25), date(2020, 11, 27)) != xnys.digest(date(2020, 11, 24), date(2020, 11, 27))
    assert xnys.digest(date(2020, 11, 27), date(2020, 11, 28)) == xnys.digest(date(2020, 11, 26), date(2020, 11, 27))
