"""Longer bars: hand-computed ones, pandas' own, the calendar's edges, and nothing from later."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.fields import FIELDS
from tapedeck.market import calendar as calendars
from tapedeck.market import resample
from tapedeck.market.errors import CalendarError
from tapedeck.market.grid import grid as rows

XNYS, ALWAYS = calendars.get("XNYS"), calendars.get("24/7")
SHORT_DAY = date(2019, 11, 29)  # closes at 13:00
SUMMER_TIME = (date(2020, 3, 6), date(2020, 3, 9))  # New York's clocks change in between


def grid(calendar: calendars.Calendar, bar: str, first: date, last: date) -> tuple[np.ndarray, np.ndarray]:
    made = rows(calendar.name, bar, first, last)
    return made.ts, made.session


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def clock(ts: np.ndarray) -> list[str]:
    return [f"{when:%d %H:%M}" for when in pd.to_datetime(ts, unit="us", utc=True).tz_convert("America/New_York")]


def market(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Two symbols' minutes, a third of them without a trade."""
    rng = np.random.default_rng(seed)
    prices = {name: rng.uniform(1, 100, (rows, 2)).round(2) for name in FIELDS[:-1]}
    volume = rng.integers(1, 1000, (rows, 2)).astype(float)
    idle = rng.random((rows, 2)) < 1 / 3
    return {**{name: np.where(idle, np.nan, values) for name, values in prices.items()}, "volume": volume * ~idle}


def test_five_minutes_by_hand() -> None:
    nan = float("nan")
    ts, session = (side[:12] for side in grid(XNYS, "1m", SHORT_DAY, SHORT_DAY))
    at = resample.intervals(XNYS, "1m", "5m", ts, session)
    assert clock(at.ts) == ["29 09:30", "29 09:35", "29 09:40"]
    values = column(nan, 2, 9, 1, nan, nan, nan, nan, nan, nan, 5, 7)
    assert at.fold("open", values)[:, 0].tolist() == pytest.approx([2, nan, 5], nan_ok=True)
    assert at.fold("high", values)[:, 0].tolist() == pytest.approx([9, nan, 7], nan_ok=True)
    assert at.fold("low", values)[:, 0].tolist() == pytest.approx([1, nan, 5], nan_ok=True)
    assert at.fold("close", values)[:, 0].tolist() == pytest.approx([1, nan, 7], nan_ok=True)
    volume = column(0, 2, 9, 1, 0, 0, 0, 0, 0, 0, 5, 7)
    assert at.fold("volume", volume)[:, 0].tolist() == [12, 0, 12]


def test_hours_are_those_of_a_dataset_of_hours_and_end_with_the_session() -> None:
    ts, session = grid(XNYS, "1m", date(2019, 11, 27), SHORT_DAY)
    at = resample.intervals(XNYS, "1m", "1h", ts, session)
    assert at.ts.tolist() == grid(XNYS, "1h", date(2019, 11, 27), SHORT_DAY)[0].tolist()
    assert clock(at.ts)[0] == "27 09:00"
    assert clock(at.ts)[-1] == "29 12:00"
    counts = np.diff([*at.rows, len(ts)])
    assert counts.tolist() == [30, *[60] * 6, 30, *[60] * 3]  # 09:30-16:00, then 09:30-13:00


def test_a_bar_that_goes_over_the_sessions_end_is_cut_there() -> None:
    ts, session = grid(XNYS, "1m", date(2019, 11, 27), SHORT_DAY)
    at = resample.intervals(XNYS, "1m", "4h", ts, session)
    assert clock(at.ts) == ["27 08:00", "27 12:00", "29 08:00", "29 12:00"]
    assert np.diff([*at.rows, len(ts)]).tolist() == [150, 240, 150, 60]


def test_a_session_bears_its_open_and_none_is_mixed_with_the_next() -> None:
    ts, session = grid(XNYS, "1m", *SUMMER_TIME)
    at = resample.intervals(XNYS, "1m", "1d", ts, session)
    assert at.ts.tolist() == grid(XNYS, "1d", *SUMMER_TIME)[0].tolist()
    assert clock(at.ts) == ["06 09:30", "09 09:30"]
    hours = resample.intervals(XNYS, "1m", "2h", ts, session)
    assert clock(hours.ts) == [f"{day} {hour}:00" for day in ("06", "09") for hour in ("08", "10", "12", "14")]


@pytest.mark.parametrize("freq", ["2m", "5m", "15m", "30m", "1h", "2h", "4h", "1d"])
def test_pandas_makes_the_same_of_a_market_that_never_closes(freq: str) -> None:
    days = date(2020, 2, 28), date(2020, 3, 1)
    ts, session = grid(ALWAYS, "1m", *days)
    fields = market(len(ts), 7)
    at = resample.intervals(ALWAYS, "1m", freq, ts, session)
    made = resample.fold(at, fields)
    index = pd.to_datetime(ts, unit="us", utc=True)
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    for name, method in how.items():
        told = getattr(
            pd.DataFrame(fields[name], index=index).resample(freq.replace("m", "min").replace("d", "D")), method
        )()
        np.testing.assert_array_equal(at.ts, told.index.as_unit("us").asi8)
        np.testing.assert_allclose(made[name], told.to_numpy(), rtol=1e-12)


@pytest.mark.parametrize("freq", ["5m", "30m", "1h", "2h"])
def test_pandas_makes_the_same_of_new_yorks_sessions(freq: str) -> None:
    ts, session = grid(XNYS, "1m", *SUMMER_TIME)
    fields = market(len(ts), 11)
    made = resample.fold(resample.intervals(XNYS, "1m", freq, ts, session), fields)
    local = pd.to_datetime(ts, unit="us", utc=True).tz_convert("America/New_York").tz_localize(None)
    parts = [pd.DataFrame(fields["close"][session == day], index=local[session == day]) for day in np.unique(session)]
    told = pd.concat([part.resample(freq.replace("m", "min"), origin="start_day").last() for part in parts])
    np.testing.assert_array_equal(made["close"], told.to_numpy())


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["5m", "1h", "3h", "1d"]), st.integers(1, 389), st.integers(0, 9))
def test_a_bar_never_depends_on_what_comes_after_it(freq: str, cut: int, seed: int) -> None:
    ts, session = grid(XNYS, "1m", date(2020, 1, 2), date(2020, 1, 2))
    fields = market(len(ts), seed)
    whole = resample.intervals(XNYS, "1m", freq, ts, session)
    early = resample.intervals(XNYS, "1m", freq, ts[:cut], session[:cut])
    begun = int(np.searchsorted(whole.rows, cut))
    assert early.ts.tolist() == whole.ts[:begun].tolist()
    done = begun if begun < len(whole.rows) and whole.rows[begun] == cut else begun - 1  # that were over by then
    for name, values in fields.items():
        np.testing.assert_array_equal(early.fold(name, values[:cut])[:done], whole.fold(name, values)[:done])


def test_bars_of_bars_are_the_bars() -> None:
    ts, session = grid(XNYS, "1m", *SUMMER_TIME)
    fields = market(len(ts), 3)
    minutes = resample.intervals(XNYS, "1m", "1h", ts, session)
    hours = resample.fold(minutes, fields)
    again = resample.intervals(XNYS, "1h", "1d", minutes.ts, minutes.session)
    at_once = resample.fold(resample.intervals(XNYS, "1m", "1d", ts, session), fields)
    for name, values in resample.fold(again, hours).items():
        np.testing.assert_array_equal(values, at_once[name])


def test_no_bars_are_no_bars() -> None:
    nothing = np.empty(0, np.int64), np.empty(0, np.int32)
    at = resample.intervals(XNYS, "1m", "1h", *nothing)
    assert at.fold("close", np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("freq", ["7m", "45m", "100m", "5h", "2d", "1s", "h", "0m", "1w", ""])
def test_a_length_that_does_not_divide_a_day_is_refused(freq: str) -> None:
    with pytest.raises(CalendarError, match="no length"):
        resample.minutes(freq)


def test_shorter_bars_are_not_made_of_longer_ones() -> None:
    with pytest.raises(CalendarError, match="cannot be made"):
        resample.intervals(XNYS, "1h", "5m", *grid(XNYS, "1h", *SUMMER_TIME))
