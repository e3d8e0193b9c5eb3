"""What ingest publishes: the same content is the same snapshot, old ones stay, drops at one time all count."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tapedeck.market import snapshot
from tapedeck.market.store import S3Store
from tests.component.vendor_drops import HEADER, Bench, Folders, Listed, close, daily


def test_the_same_content_is_the_same_snapshot_whatever_the_files(bench: Bench) -> None:
    rows = [
        f"{symbol},2020-0{month}-0{day},1,1,1,1,{day}\n" for symbol in "AB" for month in (4, 5) for day in (1, 6, 7)
    ]
    whole = bench.drop("equities-1d-one/all.csv", HEADER + "".join(rows))
    for at in (5, 0, 3):
        part = bench.drop(f"equities-1d-two/{at}.csv", HEADER + "".join(reversed(rows[at::6] + rows[at + 1 :: 6])))
        assert part["status"] == "INGESTED"
    last = bench.drop("equities-1d-two/rest.csv", HEADER + "".join(rows))
    assert last["snapshot"] == whole["snapshot"]
    again = bench.drop("equities-1d-two/again.csv", HEADER + "".join(rows))
    assert (again["snapshot"], again["months_written"]) == (whole["snapshot"], 0)


def test_a_correction_makes_a_new_snapshot_and_the_old_one_reads_the_old_bytes(bench: Bench) -> None:
    day = date(2020, 1, 2)
    before = bench.drop("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")["snapshot"]
    after = bench.drop("equities-1d/a.csv", HEADER + "A,2020-01-02,2,2,2,2,5\n")["snapshot"]
    assert before != after
    old = snapshot.load(bench.market, "equities-1d", before)
    assert (close(bench, old, "A", day), close(bench, bench.latest("equities-1d"), "A", day)) == (1.0, 2.0)


def test_a_reader_sees_the_old_snapshot_until_the_new_one_is_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.drop("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")["snapshot"]
    seen = []
    real = S3Store.put

    def watching(store: S3Store, key: str, body: bytes, if_absent: bool = False) -> str | None:
        done = real(store, key, body, if_absent)
        if store.bucket == "market":
            at = bench.latest("equities-1d")
            seen.append((at.id, close(bench, at, "A", date(2020, 1, 2))))
        return done

    monkeypatch.setattr(S3Store, "put", watching)
    bench.drop("equities-1d/b.csv", HEADER + "A,2020-01-02,2,2,2,2,5\n")
    assert seen == [(before, 1.0)] * 3  # a month, a leaf, the root


def test_drops_at_the_same_time_all_end_in_the_latest_snapshot(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    drops = [folders.put(f"equities-1d/{symbol}.csv", daily(symbol, "2020-01-02")) for symbol in "ABCD"]
    threads = [Thread(target=folders.ingest, args=[one]) for one in drops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders.latest("equities-1d").symbols == ("A", "B", "C", "D")


def test_what_was_published_last_is_listed_last_whoever_was_slower(tmp_path: Path) -> None:
    class Slow(Listed):
        """Another drop is published and listed while this one is about to be listed."""

        def publish(self, **told: Any) -> None:
            if not self.ids:
                self.ids.append("")
                folders.drop("equities-1d/B.csv", daily("B", "2020-01-02"))
            super().publish(**told)

    folders = Folders(tmp_path, Slow())
    folders.drop("equities-1d/A.csv", daily("A", "2020-01-02"))
    at = folders.latest("equities-1d")
    assert (at.id, at.symbols) == (folders.listed.ids[-1], ("A", "B"))


def test_the_s3_store_swaps_only_what_it_expects(bench: Bench) -> None:
    assert bench.market.swap("pointer", b"1", None)
    assert not bench.market.swap("pointer", b"2", None)
    assert not bench.market.swap("pointer", b"2", b"0")
    assert bench.market.swap("pointer", b"2", b"1")
    assert bench.market.get("pointer") == b"2"
    with pytest.raises(FileExistsError):
        bench.market.put("pointer", b"3", if_absent=True)
    with pytest.raises(KeyError):
        bench.market.get("nowhere")
