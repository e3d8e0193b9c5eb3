"""The cache daemon's parts: what it may be asked, how a decoded year lies in its file, who leaves first."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.ask import BODY_BYTES, NAMES, YEARS, Asked, AskedYear, AskError, Held, parse_bring, parse_held
from cache.counts import Counts
from cache.settings import Settings
from cache.tiers import Tiers
from sidecar import near
from tapedeck.market import gridded, years
from tapedeck.market.errors import EncodingError
from tapedeck.market.gridded import FIELDS
from tapedeck.market.leaf import Leaf, MonthRef

DIGEST = "ab" * 32
YEAR = ["equities-1m", "BRK.B", [["2004-01", "v1", DIGEST], ["2004-03", None, DIGEST]], None]


def body(**changes: object) -> bytes:
    return json.dumps({"years": [YEAR], "wait_ms": 1000, **changes}).encode()


def test_an_ask_names_months_by_key_version_and_digest() -> None:
    [year] = parse_bring(body()).years
    months = (
        Asked("2004-01", "equities-1m/BRK.B/2004/01.parquet", "v1", DIGEST),
        Asked("2004-03", "equities-1m/BRK.B/2004/03.parquet", None, DIGEST),
    )
    assert year == AskedYear("equities-1m", "BRK.B", months)
    assert parse_held(json.dumps({"names": [DIGEST], "doubt": [DIGEST]}).encode()) == Held((DIGEST,), (DIGEST,))
    largest = ["equities-1m", "A" * 32, [[f"2004-{month:02}", "v" * 64, DIGEST] for month in range(1, 13)], DIGEST]
    assert len(body(years=[largest] * near._YEARS)) < BODY_BYTES
    assert len(json.dumps({"names": [DIGEST] * near._NAMES, "doubt": []})) < BODY_BYTES
    assert (near._YEARS, near._NAMES) == (YEARS, NAMES)


def test_the_sidecar_and_the_daemon_come_to_the_same_name() -> None:
    [asked] = parse_bring(body()).years
    day = date(2004, 1, 2)
    leaf = Leaf("BRK.B", {month: MonthRef(DIGEST, 1, 2, 0, day, day) for month in ("2004-01", "2004-03")})
    assert years.Year("equities-1m", leaf, tuple(leaf.months)).name == asked.name
    others = [
        ["crypto-1m", *YEAR[1:]],
        ["equities-1h", *YEAR[1:]],
        [*YEAR[:2], YEAR[2][:1], None],
        [*YEAR[:2], [["2004-02", "v1", DIGEST], YEAR[2][1]], None],
        [*YEAR[:2], [["2004-01", "v1", "cd" * 32], YEAR[2][1]], None],
    ]
    assert len({year.name for year in parse_bring(body(years=[YEAR, *others])).years}) == 6


@pytest.mark.parametrize(
    ("dataset", "symbol", "month"),
    [
        ("snapshots", "A", "2004-01"),
        ("../equities-1m", "A", "2004-01"),
        ("equities-1m", "..", "2004-01"),
        ("equities-1m", "A", "2004-13"),
        ("equities-1m", "A", "2004-01\n"),
        ("equities-1m", "a", "2004-01"),
        ("bonds-1m", "A", "2004-01"),
        ("equities-1m", "A/B", "2004-01"),
        ("equities-1m", "A", "٢٠٠٤-01"),
        ("equities-1m", "A", "0000-01"),
        ("equities-1m", "A", 7),
        (None, "A", "2004-01"),
        ("equities-1m", None, "2004-01"),
    ],
)
def test_what_is_no_symbols_year_is_refused(dataset: object, symbol: object, month: object) -> None:
    with pytest.raises(AskError):
        parse_bring(body(years=[[dataset, symbol, [[month, "v1", DIGEST]], None]]))


def test_a_sealed_year_is_named_by_its_content_alone() -> None:
    [year] = parse_bring(body(years=[[*YEAR[:3], "cd" * 32]])).years
    assert year.sealed_key == f"sealed/equities-1m/BRK.B/2004/{'cd' * 32}.parquet"
    assert year.name == parse_bring(body()).years[0].name  # what the file holds is the months'


def months_of(*found: object) -> bytes:
    return body(years=[["equities-1m", "A", list(found), None]])


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        body(more=1),
        body(years=None),
        body(years=[YEAR[:2]]),
        body(years=[YEAR[:3]]),
        body(years=[[*YEAR[:3], "../../etc/passwd"]]),
        body(years=[[*YEAR[:3], 1]]),
        body(years=[YEAR] * (YEARS + 1)),
        months_of(),
        months_of(["2004-01", "v1"]),
        months_of(["2004-01", "v 1", DIGEST]),
        months_of(["2004-01", 1, DIGEST]),
        months_of(["2004-01", "v1", DIGEST.upper()]),
        months_of(["2004-01", "v1", "../../etc/passwd"]),
        months_of(["2004-02", "v1", DIGEST], ["2004-01", "v1", DIGEST]),
        months_of(["2004-01", "v1", DIGEST], ["2004-01", "v1", DIGEST]),
        months_of(["2004-12", "v1", DIGEST], ["2005-01", "v1", DIGEST]),
        body(wait_ms=0),
        body(wait_ms=True),
        body(wait_ms=1e3),
        body(wait_ms=10**9),
    ],
)
def test_anything_else_is_refused(wrong: bytes) -> None:
    with pytest.raises(AskError):
        parse_bring(wrong)


@pytest.mark.parametrize(
    "wrong", [{"names": ["x"], "doubt": []}, {"names": [], "doubt": ["/etc/passwd"]}, {"names": []}]
)
def test_a_name_that_is_no_digest_is_refused(wrong: object) -> None:
    with pytest.raises(AskError):
        parse_held(json.dumps(wrong).encode())


def fields(bars: int) -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(1)
    made = {name: numbers.random(bars) for name in FIELDS}
    made["close"][::3] = np.nan
    return made


def read(path: Path, bars: int, begin: int, end: int, *names: str) -> dict[str, np.ndarray]:
    into = {name: np.empty(end - begin) for name in names or FIELDS}
    gridded.read(path, DIGEST, bars, begin, into)
    return into


@pytest.mark.parametrize("bars", [0, 1, 7, 511, 512, 513, 8190])
def test_a_year_is_read_as_it_was_written(tmp_path: Path, bars: int) -> None:
    path, made = tmp_path / "year", fields(bars)
    path.write_bytes(gridded.to_bytes(DIGEST, made))
    assert path.stat().st_size % gridded.ALIGN == 0
    for begin, end in {(0, bars), (bars // 3, bars), (0, bars // 2), (bars // 3, bars // 2)}:
        for name, values in read(path, bars, begin, end).items():
            assert values.tobytes() == made[name][begin:end].tobytes()
    table = np.empty((bars, 3), order="C")  # no column of it lies in one piece
    gridded.read(path, DIGEST, bars, 0, {"close": table[:, 1]})
    assert table[:, 1].tobytes() == made["close"].tobytes()
    gridded.check(path, DIGEST)


BARS = 700
MADE = fields(BARS)
BODY = gridded.to_bytes(DIGEST, MADE)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(0, 7), st.integers(0, len(BODY) + 64))
def test_a_flipped_bit_or_another_length_is_never_read_as_another_value(at: int, bit: int, length: int) -> None:
    path = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"tapedeck-year-{os.getpid()}"
    for harmed in (BODY[:at] + bytes([BODY[at] ^ 1 << bit]) + BODY[at + 1 :], BODY[:length].ljust(length, b"\0")):
        path.write_bytes(harmed)
        try:
            found = read(path, BARS, 0, BARS)
        except EncodingError:
            continue
        finally:
            path.unlink()
        assert all(found[name].tobytes() == MADE[name].tobytes() for name in FIELDS)  # only the padding differs


def test_a_page_in_anothers_place_is_found(tmp_path: Path) -> None:
    path, page = tmp_path / "year", gridded.PAGE * 8
    swapped = bytearray(gridded.to_bytes(DIGEST, fields(2048)))
    start = len(swapped) - 5 * 2048 * 8
    swapped[start : start + 2 * page] = swapped[start + page : start + 2 * page] + swapped[start : start + page]
    path.write_bytes(swapped)
    with pytest.raises(EncodingError, match="open"):
        read(path, 2048, 0, 2048)
    assert read(path, 2048, 1024, 2048)  # those pages are unharmed


def test_a_year_under_anothers_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "year"
    path.write_bytes(BODY)
    for name, bars in (("cd" * 32, BARS), (DIGEST, BARS + 1)):
        with pytest.raises(EncodingError, match="another"):
            gridded.read(path, name, bars, 0, {})
    with pytest.raises(EncodingError, match="another"):
        gridded.check(path, "cd" * 32)
    with pytest.raises(ValueError, match="no digest"):
        gridded.path("../../x")


def test_damage_that_keeps_the_sums_is_found_at_the_daemons_start(tmp_path: Path) -> None:
    path, harmed = tmp_path / "year", bytearray(BODY)
    harmed[-64 * 8 : -63 * 8], harmed[-70 * 8 : -69 * 8] = BODY[-70 * 8 : -69 * 8], BODY[-64 * 8 : -63 * 8]
    path.write_bytes(harmed)
    with pytest.raises(EncodingError, match="digest"):
        gridded.check(path, DIGEST)


def digest(number: int) -> str:
    return f"{number:064x}"


def test_the_least_recently_used_leaves_and_the_encoded_keep_a_quarter(tmp_path: Path) -> None:
    counts = Counts()
    tiers = Tiers(tmp_path, 12_500, counts)  # 10,000 bytes of room
    for number in range(20):
        assert tiers.keep(tiers.encoded, digest(number), b"e" * 100)
        assert tiers.keep(tiers.decoded, digest(number), b"d" * 900)
        assert tiers.decoded.held + tiers.encoded.held <= 10_000
        tiers.decoded.use(digest(0))
    assert len(tiers.encoded) == 20  # 2,000 bytes: less than their quarter
    assert len(tiers.decoded) == 8
    assert tiers.decoded.use(digest(0)) and not tiers.decoded.use(digest(1))
    assert counts.evicted == 12
    assert not tiers.keep(tiers.decoded, digest(99), b"d" * 10_001)


def test_the_order_of_use_outlives_the_daemon(tmp_path: Path) -> None:
    tiers = Tiers(tmp_path, None, Counts())
    for number in range(3):
        tiers.decoded.put(digest(number), b"d")
        os.utime(tiers.decoded.path(digest(number)), (number, number))
    tiers.decoded.use(digest(0))
    (tmp_path / "decoded" / "stranger").write_bytes(b"")
    again = Tiers(tmp_path, None, Counts())
    again.load()
    assert not (tmp_path / "decoded" / "stranger").exists()
    assert again.decoded.remove_oldest()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [digest(0), digest(2)]


def test_the_environment_says_where_to_listen_and_how_much_to_keep() -> None:
    environ = {"MARKET_BUCKET": "m", "CACHE_DIR": "/c", "CACHE_LISTEN": "0.0.0.0:8471"}
    assert Settings.from_env(environ) == Settings("m", None, Path("/c"), None, "0.0.0.0", 8471)
    assert Settings.from_env({**environ, "CACHE_BYTES": "1000"}).quota == 1000
    with pytest.raises(ValueError):
        Settings.from_env({**environ, "CACHE_LISTEN": "here"})
