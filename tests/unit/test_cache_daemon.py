"""The cache daemon's parts: what it may be asked, how a decoded month lies in its file, who leaves first."""

from __future__ import annotations

import json
import os
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.ask import BODY_BYTES, MONTHS, Ask, Asked, AskError, parse
from cache.counts import Counts
from cache.settings import Settings
from cache.tiers import Tiers
from tapedeck.market import encoding, mapped
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.errors import EncodingError

DIGEST = "ab" * 32
KEY = "equities-1m/BRK.B/2004/01.parquet"


def body(**changes: object) -> bytes:
    return json.dumps({"months": [[KEY, "v1", DIGEST]], "doubt": [], "wait_ms": 1000, **changes}).encode()


def test_an_ask_names_months_by_key_version_and_digest() -> None:
    assert parse(body(doubt=[DIGEST])) == Ask((Asked(KEY, "v1", DIGEST),), (DIGEST,), 1.0)
    assert parse(body(months=[[KEY, None, DIGEST]])).months[0].version is None
    assert len(body(months=[[f"equities-1m/{'A' * 32}/2004/01.parquet", "v" * 64, DIGEST]] * MONTHS)) < BODY_BYTES


@pytest.mark.parametrize(
    "key",
    [
        "snapshots/equities-1m/latest.json",
        "../equities-1m/A/2004/01.parquet",
        "equities-1m/../2004/01.parquet",
        "equities-1m/A/2004/13.parquet",
        "equities-1m/A/2004/01.parquet\n",
        "equities-1m/a/2004/01.parquet",
        "bonds-1m/A/2004/01.parquet",
        "equities-1m/A/B/2004/01.parquet",
        "equities-1m/A/٢٠٠٤/01.parquet",
        7,
        None,
    ],
)
def test_a_key_that_is_no_months_is_refused(key: object) -> None:
    with pytest.raises(AskError):
        parse(body(months=[[key, "v1", DIGEST]]))


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        body(more=1),
        body(months=None),
        body(months=[[KEY, "v1"]]),
        body(months=[[KEY, "v1", DIGEST]] * (MONTHS + 1)),
        body(months=[[KEY, "v 1", DIGEST]]),
        body(months=[[KEY, 1, DIGEST]]),
        body(months=[[KEY, "v1", DIGEST.upper()]]),
        body(months=[[KEY, "v1", "../../etc/passwd"]]),
        body(doubt=["/etc/passwd"]),
        body(doubt=[1]),
        body(wait_ms=0),
        body(wait_ms=True),
        body(wait_ms=1e3),
        body(wait_ms=10**9),
    ],
)
def test_anything_else_is_refused(wrong: bytes) -> None:
    with pytest.raises(AskError):
        parse(wrong)


def month(rows: int, seed: int = 1) -> Month:
    numbers = np.random.default_rng(seed)
    columns = {"ts": array("q", (np.arange(rows, dtype=np.int64) * 60_000_000).tobytes())}
    columns |= {name: array("q", numbers.integers(1, 2**40, rows).tobytes()) for name in COLUMNS[1:]}
    return Month(columns, 2, 0)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 22, 8190])
def test_a_month_is_read_as_it_was_written(tmp_path: Path, rows: int) -> None:
    one = month(rows)
    digest = encoding.digest(one)
    path = tmp_path / "month"
    path.write_bytes(mapped.to_bytes(one, digest))
    assert path.stat().st_size % mapped.ALIGN == 0
    read = mapped.read(path, digest)
    assert {name: bytes(values) for name, values in read.columns.items()} == {
        name: bytes(values) for name, values in one.columns.items()
    }
    assert (read.price_scale, read.volume_scale, len(read)) == (2, 0, rows)
    assert set(mapped.read(path, digest, ["close"]).columns) == {"ts", "close"}
    mapped.check(path, digest)


BODY = mapped.to_bytes(month(22), encoding.digest(month(22)))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(0, 7), st.integers(0, len(BODY) + 64))
def test_a_flipped_bit_or_another_length_is_never_read_as_another_value(at: int, bit: int, length: int) -> None:
    path = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"tapedeck-month-{os.getpid()}"
    digest = encoding.digest(month(22))
    for harmed in (BODY[:at] + bytes([BODY[at] ^ 1 << bit]) + BODY[at + 1 :], BODY[:length].ljust(length, b"\0")):
        path.write_bytes(harmed)
        try:
            read = mapped.read(path, digest)
        except EncodingError:
            continue
        finally:
            path.unlink()
        assert bytes(read.columns["close"]) == bytes(month(22).columns["close"])  # only the padding differs
        assert encoding.digest(read) == digest


def test_a_month_under_anothers_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "month"
    path.write_bytes(BODY)
    with pytest.raises(EncodingError, match="another"):
        mapped.read(path, DIGEST)
    with pytest.raises(ValueError, match="no digest"):
        mapped.name("../../x")


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
