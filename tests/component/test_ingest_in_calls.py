"""A drop that takes several calls comes to what it comes to in one, wherever each of them has to stop."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from backtest import ingest as ingest_package
from backtest.cloud import clients
from backtest.ingest import working
from backtest.ingest.deadline import Time
from backtest.ingest.report import Report
from tapedeck.market import publish, snapshot
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import reading, spill, tabular
from tests.component.vendor_drops import DANA, HEADER, Bench, Folders, daily, zipped


def bars(symbols: str, days: int, *, adjusted: bool = False, note: str = "") -> bytes:
    """Daily bars, of some days twice, out of order, outside of the calendar, and at another price from half on."""
    lines = [HEADER.strip() + ",adj_close" * adjusted + ",note" * bool(note)]
    for at in range(days):
        day = date(2020, 1, 2) + timedelta(at * 4 - at % 3 * 5)
        for symbol in symbols:
            price, whole = ("50", "50") if at > days // 2 else ("100", "50")
            row = f"{symbol},{day},{price},{price},{price},{price},{at % 5}"
            lines += [row + f",{whole}" * adjusted + f",{note}" * bool(note)] * (1 + (at % 7 == 3))
    return "\n".join(lines).encode() + b"\n"


def parquet() -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(io.BytesIO(bars("AB", 40))), out)
    return out.getvalue()


def hours(price: int) -> bytes:
    return "".join(
        f"202001{day:02} {hour:02}:00,{price},{price},{price},{price},1\n" for day in (2, 3, 6) for hour in range(9, 17)
    ).encode()


WRONG = daily("A", "2020-01-03") + "A,2020-01-06,1,1,2,1,5\nA,2020-01-07,x,1,1,1,5\nA,2020-01-03,2,2,2,2,5\n"
DATABENTO = "ts_event,rtype,open,high,low,close,volume,symbol\n" + "".join(
    f"2020-01-{day:02}T00:00:00Z,35,{price},{price},{price},{price},5,A\n"
    for day, price in ((2, "1000000000"), (3, "1000000000"), (6, "1.5"), (7, "1000000000"))
)
TREE = {
    "equity/usa/daily/aapl.zip": zipped({"aapl.csv": hours(10_000)}),  # of another bar: left out
    "equity/usa/hour/aapl.zip": zipped({"aapl.csv": hours(10_000), "more.csv": hours(20_000)}),
    "equity/usa/hour/spy.zip": zipped({"spy.csv": hours(30_000)}),
    "factor_files/aapl.csv": b"20200103,1,0.5,100\n20501231,1,1,0\n",
    "map_files/aapl.csv": b"20200101,old\n20501231,aapl\n",
    "tables/own.csv": b"symbol,date,open,high,low,close,volume\n" + b"IBM,2020-01-02 10:00,1,1,1,1,5\n" * 9,
    "universes/tech.csv": b"AAPL\nSPY\n",
}
QUOTED = bars("AB", 30) + b'C,2020-01-02,"1",1,1,1,"5"\n' + bars("C", 30).partition(b"\n")[2]
DROPS: dict[str, bytes] = {
    "equities-1d/plain.csv": bars("ABC", 60),
    "equities-1d/marked.csv": b"\xef\xbb\xbf\r\n" + bars("AB", 20).replace(b"\n", b"\r\n"),
    "equities-1d/adjusted.csv": bars("AB", 40, adjusted=True),
    "equities-1d/quoted.csv": QUOTED,
    "equities-1d/lines.csv": bars("AB", 20, note='"two\nlines"'),
    "equities-1d/umlaut.csv.zst": bytes(pa.compress(bars("AB", 40, note="ä"), "zstd", asbytes=True)),
    "equities-1d/packed.csv.gz": gzip.compress(bars("AB", 60)),
    "equities-1d/wrong.csv": WRONG.encode(),
    "equities-1d/databento.csv": DATABENTO.encode(),
    "equities-1d/none.csv": daily("A", "2020-01-04", "2020-01-05").encode(),
    "equities-1h/tree.zip": zipped(TREE | {"wide.csv.gz": gzip.compress(b"symbol,date\n")}),
    "equities-1h/lean.zip": zipped(TREE),
}


def said(answer: Report | None) -> dict[str, object]:
    """What an answer says, but for when it was given."""
    assert answer
    return {name: value for name, value in answer.items() if name != "at"}


def calls(lengths: Iterator[int]) -> Iterator[Time]:
    """Yield what each call has: it asks so many times whether to go on, and then is told not to."""
    for length in lengths:
        left = iter([True] * (length - 1))
        yield Time(go_on=lambda left=left: next(left, False))  # type: ignore[misc]


def in_calls(folders: Folders, path: str, body: bytes, lengths: Iterator[int]) -> tuple[Report, list[Report]]:
    """Drop a file and call until it is answered; return the answer and what was said before."""
    drop, before = folders.put(path, body), list[Report]()
    for time in calls(lengths):
        answer = folders.ingest(drop, time)
        if answer["status"] != "UNDER_WAY":
            assert folders.call(drop) is None
            return answer, before
        before.append(answer)
    raise AssertionError


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bytes and rows are many here."""
    monkeypatch.setattr(ingest_package, "MAX_CALLS", 10_000)
    monkeypatch.setattr(publish, "_TOGETHER", 3)
    monkeypatch.setattr(spill, "PIECE", 1_000)
    monkeypatch.setattr(reading, "HELD_ROWS", 7)


@settings(deadline=None, max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(
    st.sampled_from(["reject", "quarantine"]),
    st.lists(st.integers(2, 60), min_size=1, max_size=6),
    st.integers(30, 1500),
)
@example("quarantine", [1], 400)
@pytest.mark.parametrize("path", DROPS)
def test_wherever_calls_stop_the_answer_and_the_snapshot_are_those_of_one(
    path: str, bad_rows: str, lengths: list[int], block: int
) -> None:
    dataset = path.partition("/")[0]
    with TemporaryDirectory() as one, TemporaryDirectory() as other, patch.object(tabular, "BLOCK", block):
        whole, cut = Folders(Path(one)), Folders(Path(other))
        for folders in (whole, cut):
            folders.drop(f"{dataset}/policy.json", f'{{"bad_rows": "{bad_rows}"}}')
            folders.drop(f"{dataset}/first.csv", daily("A", "2020-01-02", "2020-01-09", "2019-12-30"))
        answer, before = in_calls(cut, path, DROPS[path], cycle(lengths))
        assert said(answer) == said(whole.drop(path, DROPS[path]))
        assert [one["progress"] and one["progress"]["calls"] for one in before] == [*range(1, len(before) + 1)]


PATH, BODY = "equities-1d/plain.csv", DROPS["equities-1d/plain.csv"]


def never() -> bool:
    return False


def test_while_it_is_under_way_the_status_says_how_far_it_is_and_nothing_is_published(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    drop, stages = folders.put(PATH, BODY), list[str]()
    with patch.object(tabular, "BLOCK", 500):
        while (answer := folders.ingest(drop, Time(never)))["status"] == "UNDER_WAY":
            assert (tmp_path / "vendor/status/incoming/equities-1d/plain.csv.json").read_text().count("UNDER_WAY") == 1
            assert answer["progress"]
            stages.append(answer["progress"]["stage"])
            assert 0 < answer["progress"]["bytes_read"] <= answer["progress"]["bytes_dropped"] == len(BODY)
            assert snapshot.latest(folders.market, "equities-1d") is None
    assert list(dict.fromkeys(stages)) == ["reading", "sorting", "publishing"]
    assert (answer["status"], answer["progress"]) == ("INGESTED", None)


def test_of_two_calls_that_do_the_same_work_one_is_kept(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    drop = folders.put(PATH, BODY)
    whole = Folders(tmp_path / "whole").drop(PATH, BODY)

    def meanwhile() -> bool:
        with patch.object(ingest_package, "MAX_CALLS", 1_000):
            other.append(folders.call(drop, Time(never)))
        return False

    with patch.object(tabular, "BLOCK", 500):
        while True:
            other: list[Report | None] = []
            mine = folders.call(drop, Time(meanwhile))
            if mine or (other and other[0] and other[0]["status"] != "UNDER_WAY"):
                break
            assert other[0]
    assert (mine or other[0] or {})["snapshot"] == whole["snapshot"]


class PowerCutError(Exception):
    """The process is gone."""


class Dying(FolderStore):
    """A vendor's bucket whose process dies at some of its writes."""

    dice = Random(1)

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        if self.dice.random() < 0.1:
            raise PowerCutError
        return super().put(key, body, if_absent)


def test_a_call_that_dies_is_done_again_and_comes_to_the_same(tmp_path: Path) -> None:
    folders, died = Folders(tmp_path), 0
    drop = folders.put(PATH, BODY)
    folders.vendor = Dying(tmp_path / "vendor")
    with patch.object(tabular, "BLOCK", 500):
        for time in calls(cycle([1, 2, 5])):
            try:
                answer = folders.ingest(drop, time)
            except PowerCutError:
                died += 1
                continue
            if answer["status"] != "UNDER_WAY":
                break
    assert died > 3
    assert answer["snapshot"] == Folders(tmp_path / "whole").drop(PATH, BODY)["snapshot"]


def test_what_another_version_of_the_code_kept_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = Folders(tmp_path)
    drop = folders.put(PATH, BODY)
    monkeypatch.setattr(tabular, "BLOCK", 500)
    assert folders.ingest(drop, Time(never))["status"] == "UNDER_WAY"
    with monkeypatch.context() as patched:
        patched.setattr(working, "SCHEMA", 2)
        answer = folders.ingest(drop, Time(never))
        assert answer["progress"]
        assert answer["progress"]["calls"] == 1
        answer = folders.ingest(drop)
    assert answer["snapshot"] == Folders(tmp_path / "whole").drop(PATH, BODY)["snapshot"]


def test_a_drop_that_is_overwritten_meanwhile_gives_way_to_the_later_one(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    old = folders.put(PATH, BODY)
    assert folders.ingest(old, Time(never))["status"] == "UNDER_WAY"
    new = folders.put(PATH, daily("A", "2020-01-02"))
    assert folders.ingest(new)["status"] == "INGESTED"
    at = folders.latest("equities-1d").id
    assert folders.call(old, Time(never)) is None
    assert folders.call(old) is None
    assert folders.latest("equities-1d").id == at


def test_a_drop_that_is_overwritten_while_its_call_runs_does_not_speak_over_the_later_one(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    old, new = folders.put(PATH, BODY), folders.put(PATH, daily("A", "2020-01-02"))

    def meanwhile() -> bool:
        folders.call(new)
        return False

    assert folders.call(old, Time(meanwhile)) is None
    said = json.loads((tmp_path / "vendor/status/incoming/equities-1d/plain.csv.json").read_text())
    assert (said["status"], said["version"]) == ("INGESTED", new.version)


def test_a_version_that_is_deleted_meanwhile_is_gone(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    drop = folders.put(PATH, BODY)
    with patch.object(tabular, "BLOCK", 500):
        folders.ingest(drop, Time(never))
    for version in (tmp_path / "vendor/.versions/incoming").rglob("*/*"):
        version.unlink() if version.is_file() else None
    assert [one["code"] for one in folders.ingest(drop)["problems"]] == ["gone"]


def test_a_drop_without_a_version_or_an_end_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = Folders(tmp_path)
    drop = folders.put(PATH, BODY)
    refused = folders.ingest(replace(drop, version=None), Time(never))
    assert [one["code"] for one in refused["problems"]] == ["time"]
    monkeypatch.setattr(ingest_package, "MAX_CALLS", 3)
    monkeypatch.setattr(tabular, "BLOCK", 100)
    again = folders.put("equities-1d/again.csv", BODY)
    for status in ("UNDER_WAY", "UNDER_WAY", "REFUSED"):
        answer = folders.ingest(again, Time(never))
        assert answer["status"] == status
    assert "the time was up 3 times" in answer["problems"][0]["message"]


def test_drops_of_one_dataset_that_take_several_calls_each_all_end_in_the_latest_snapshot(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    left = {symbol: folders.put(f"equities-1d/{symbol}.csv", bars(symbol, 30)) for symbol in "ABC"}
    with patch.object(tabular, "BLOCK", 300):
        while left:
            for symbol, drop in [*left.items()]:
                if folders.ingest(drop, Time(never))["status"] == "INGESTED":
                    del left[symbol]
    assert folders.latest("equities-1d").symbols == ("A", "B", "C")
    assert folders.latest("equities-1d").id == Folders(tmp_path / "whole").drop(PATH, bars("ABC", 30))["snapshot"]


def test_what_a_call_does_not_finish_goes_back_to_the_queue(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Time, "of", lambda left_s: Time(never))
    url, message, sent = os.environ["VENDOR_QUEUE_URL"], bench.put("equities-1d/my prices+1.csv", BODY), 0
    while message:
        assert bench.deliver(message) == []
        received = clients.sqs().receive_message(QueueUrl=url).get("Messages", [])
        message = json.loads(received[0]["Body"]) if received else {}
        for one in received:
            clients.sqs().delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            sent += 1
    answer = bench.status("equities-1d/my prices+1.csv")
    assert (answer["status"], answer["owner"]) == ("INGESTED", DANA)
    assert sent > 3
    assert bench.latest("equities-1d").id == answer["snapshot"]
    kept = clients.s3().list_objects_v2(Bucket="vendor", Prefix="working/equities-1d/")["Contents"]
    assert any(one["Key"].endswith("state.json") for one in kept)
