"""`tapedeck.bars(...)`: bars of any symbols and sessions, outside of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tapedeck import within
from tapedeck.bars import Array, Bars
from tapedeck.fields import FIELDS
from tapedeck.market import adjust as adjusting
from tapedeck.market import calendar as calendars
from tapedeck.market import history, layout, reader, reference, resample, snapshot, universe
from tapedeck.market.adjust import Mode
from tapedeck.market.block import Block
from tapedeck.market.errors import MarketError, SnapshotReferenceError
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import THREADS, FolderStore, ObjectStore, S3Store

if TYPE_CHECKING:
    from tapedeck.run import Run

VARIABLE = "TAPEDECK_DATA"
_KEPT_LEAVES = 1000  # of symbols, between one call and the next
_LAST: WeakKeyDictionary[ObjectStore, Snapshot] = WeakKeyDictionary()  # what is in a snapshot never changes
Day = date | str
Data = ObjectStore | Path | str


@dataclass(frozen=True)
class Missing:
    """Sessions, both inclusive, in which a symbol has no bar at all, though they were asked for."""

    symbol: str
    first: date
    last: date
    sessions: int
    why: str  # "before its first bar", "after its last bar", "no bar"


class Read(Bars):
    """Bars, and what they are: the `snapshot` they were read from, `freq`, `adjust`, and what is `missing`."""

    def __init__(
        self, bars: Bars, *, dataset: str, snapshot: str, freq: str, adjust: Mode, missing: Sequence[Missing]
    ) -> None:
        super().__init__(
            symbols=bars.symbols, ts=bars.ts, session=bars.session, fields=bars.fields(), raw=bars.raw.fields()
        )
        self.dataset = dataset
        self.snapshot = snapshot
        self.freq = freq
        self.adjust = adjust
        self.missing = tuple(missing)


def bars(
    symbols: str | Sequence[str],
    start: Day,
    end: Day,
    *,
    dataset: str,
    fields: Sequence[str] = FIELDS,
    freq: str | None = None,
    snapshot: str = reference.LATEST,
    as_of: datetime | str | None = None,
    adjust: Mode = "split",
    data: Data | None = None,
) -> Read:
    """Return bars of the sessions from `start` to `end`, both inclusive, on the calendar's grid.

    `symbols`: one, several, a universe's name or "*" for all. `freq`: longer bars than the dataset's, "5m", "1h", "1d"
    (`tapedeck.market.resample`). `snapshot`: an id, the begin of one, a name or "latest"; `as_of`: the newest as of a
    time, with its zone. `adjust`: prices as a run from `start` sees them: "split", "total" or "raw". `data`: a
    folder or "s3://bucket"; by default what the variable TAPEDECK_DATA says.

    Raises `tapedeck.market.errors.MarketError` for an unknown dataset, snapshot or symbol, for a symbol that is there
    twice, and for damaged data.
    """
    first, last = _day(start), _day(end)
    _check(symbols, adjust)
    if data is None and (run := within.current()):
        within.check(run, dataset, snapshot, as_of, adjust)
        return _of_run(run, within.pick(run, symbols, first, last, fields), freq, adjust)
    store = open_store(data)
    snap, wanted = find(store, dataset, snapshot, as_of, symbols)
    asked = tuple(dict.fromkeys([*fields, "close"]))  # the close says whether a bar is there
    block = reader.read_block(store, snap, wanted, asked, first, last)
    opens = _opens(block)
    missing = [one for at in range(len(wanted)) for one in _missing(snap.span(wanted[at]), block, at, opens)]
    seen = _adjusted(store, snap, block, first, last, adjust)
    whole = Bars(symbols=wanted, ts=block.ts, session=block.session, fields=seen, raw=block.fields).only(fields)
    length = freq or snap.bar
    longer = resampled(whole, snap.calendar, snap.bar, length)
    return Read(longer, dataset=snap.dataset, snapshot=snap.id, freq=length, adjust=adjust, missing=missing)


def _of_run(run: Run, picked: Bars, freq: str | None, adjust: Mode) -> Read:
    """Return a part of a run's bars as a reading; of what is missing a run does not know where the data begins."""
    if adjust == "raw":
        picked = Bars(symbols=picked.symbols, ts=picked.ts, session=picked.session, fields=picked.raw.fields())
    said = layout.parse_dataset(run.dataset)
    opens = _opens(picked)
    missing = [one for at in range(picked.width) for one in _missing(None, picked, at, opens)]
    longer, told = resampled(picked, said.calendar, said.bar, freq or said.bar), {"snapshot": run.snapshot}
    return Read(longer, dataset=run.dataset, **told, freq=freq or said.bar, adjust=adjust, missing=missing)


def find(
    store: ObjectStore, dataset: str, text: str, as_of: datetime | str | None, symbols: str | Sequence[str]
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the snapshot and the symbols that are meant. Raises MarketError for one that is not there."""
    snap = _load(store, dataset, text, as_of)
    wanted = _symbols(snap, symbols)
    for symbol in wanted:
        snap.span(symbol)
    return snap, wanted


def resampled(bars: Bars, calendar: str, bar: str, freq: str) -> Bars:
    """Return longer bars of whole sessions of `bar`. Raises CalendarError when `freq` is no multiple of `bar`."""
    if freq == bar:
        return bars
    at = resample.intervals(calendars.get(calendar), bar, freq, bars.ts, bars.session)
    fields, raw = (resample.fold(at, side) for side in (bars.fields(), bars.raw.fields()))
    return Bars(symbols=bars.symbols, ts=at.ts, session=at.session, fields=fields, raw=raw)


def open_store(data: Data | None) -> ObjectStore:
    """Return where the data is. Raises MarketError when nothing says so, or there is no such folder."""
    said = os.environ.get(VARIABLE) if data is None else data
    if not said:
        raise MarketError(
            f'say where the data is: data="FOLDER", data="s3://BUCKET" or the variable {VARIABLE}. '
            "Within a run on the platform there is only the run's own data: run.bars(freq=...), run.sql(...)"
        )
    if not isinstance(said, str | Path):
        return said
    if str(said).startswith("s3://"):
        return _bucket(str(said).removeprefix("s3://").rstrip("/"))
    if not Path(said).is_dir():
        raise MarketError(f"{said} is no folder of market data")
    return FolderStore(Path(said))


def _bucket(name: str) -> S3Store:
    said = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
    return _connected(name, tuple(sorted(said.items())))


@lru_cache(maxsize=4)  # connections and credentials serve the next call as well
def _connected(name: str, environment: tuple[tuple[str, str], ...]) -> S3Store:
    """Connect to a bucket by what `environment` says, which botocore reads by itself."""
    try:
        from botocore.config import Config  # noqa: PLC0415 - a folder needs no AWS client
        from botocore.session import get_session  # noqa: PLC0415
    except ImportError:
        raise MarketError('reading from S3 needs botocore: pip install "tapedeck[client]"') from None
    session = get_session()
    client = session.create_client("s3", config=Config(max_pool_connections=THREADS))
    credentials = session.get_credentials()
    try:
        from tapedeck.market.s3_reads import S3Reads  # noqa: PLC0415 - obstore is not needed, only faster
    except ImportError:
        return S3Store(client, name)
    return S3Reads(client, name, credentials, timeout_s=30, tries=5) if credentials else S3Store(client, name)


def _load(store: ObjectStore, dataset: str, text: str, as_of: datetime | str | None) -> Snapshot:
    if as_of is not None:
        if text != reference.LATEST:
            raise SnapshotReferenceError("say snapshot= or as_of=, not both")
        text = f"as_of:{as_of.isoformat() if isinstance(as_of, datetime) else as_of}"
    found = history.resolve(store, dataset, text)
    held = _LAST.get(store)
    if held is None or (held.dataset, held.id) != (dataset, found) or held.leaves_read > _KEPT_LEAVES:
        _LAST[store] = held = snapshot.load(store, dataset, found)
    return held


def _symbols(snap: Snapshot, said: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(said, str):
        return tuple(said)
    named = said == universe.ALL or said != said.upper()  # no symbol has small letters, no universe has large ones
    return snap.universe(said) if named else (said,)


def _check(symbols: str | Sequence[str], adjust: str) -> None:
    """Raise MarketError for what would be answered with something else."""
    if adjust not in get_args(Mode):
        raise MarketError(f"adjust is one of {', '.join(get_args(Mode))}, not {adjust!r}")
    twice = [name for name, count in Counter([] if isinstance(symbols, str) else symbols).items() if count > 1]
    if twice:
        raise MarketError(f"{twice[0]} stands twice in symbols")


def _day(said: Day) -> date:
    """Return a session's date, also of its midnight. Raises MarketError."""
    try:
        day = date.fromisoformat(said) if isinstance(said, str) else said
    except ValueError:
        raise MarketError(f"{said!r} is no session's date: YYYY-MM-DD") from None
    if isinstance(day, datetime):
        if day.time() != time():
            raise MarketError(f"{day} is no session's date: both ends are whole sessions")
        return day.date()
    return day


def _adjusted(  # noqa: PLR0917 -- as `adjust.forward_factors`
    store: ObjectStore, snap: Snapshot, block: Block, first: date, last: date, mode: Mode
) -> dict[str, Array]:
    leaves = snap.leaves(block.symbols).values()
    splits = [split for leaf in leaves for split in leaf.splits if split.session <= last]
    paid = [one for leaf in leaves for one in leaf.dividends if one.session <= last]
    closes = reader.dividend_closes(store, snap, block.symbols, first, last) if mode == "total" else None
    known = splits, paid, closes, block.symbols, block.session, first
    factors = adjusting.forward_factors(*known, mode)
    volume = adjusting.forward_factors(*known, "split") if mode == "total" else factors
    return adjusting.adjusted(block, factors, volume)


def _opens(block: Block | Bars) -> NDArray[np.intp]:
    """Return the row at which each session begins."""
    return np.flatnonzero(np.diff(block.session, prepend=-1))


def _missing(span: tuple[date, date] | None, block: Block | Bars, at: int, row: NDArray[np.intp]) -> Iterator[Missing]:
    """Yield the runs of sessions, which begin at `row`, in which a symbol has no bar; `span`: what is known it has."""
    fields = block.fields() if isinstance(block, Bars) else block.fields
    told = next((name for name in ("close", "open", "high", "low") if name in fields), None)
    values = fields[told or "volume"][:, at]
    if not len(row) or (told and not np.isnan(values[row]).any()):  # a bar at every open: there is nothing to look for
        return
    days, bar = block.session[row], ~np.isnan(values) if told else values > 0
    gaps = np.flatnonzero(~np.logical_or.reduceat(bar, row))
    symbol = block.symbols[at]
    begin, end = span or (date.min, date.max)
    for run in np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1):
        if len(run):
            low, high = (calendars.from_day_number(int(days[edge])) for edge in (run[0], run[-1]))
            why = "before its first bar" if high < begin else "after its last bar" if low > end else "no bar"
            yield Missing(symbol, low, high, len(run), why)
