"""A vendor's file from its drop to the snapshot: the handler on S3 and PostgreSQL, seen by what it leaves there."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import bokeh_sampledata
import numpy as np
import pytest

from backtest import ingest as ingest_package
from backtest.cloud import clients
from backtest.ingest.drop import Drop
from backtest.store import Store
from functions import ingest as function
from tapedeck.cli import main
from tapedeck.data import drop_cli, vendor_bucket
from tapedeck.market import adjust, reader, snapshot
from tapedeck.market.store import FolderStore, S3Store

ROOT = Path(__file__).parents[2]
LEAN = ROOT.parent / "shared/data/lean/equity/usa"
HEADER = "symbol,date,open,high,low,close,volume\n"
DANA = "AROAEXAMPLE:dana"


@dataclass
class Bench:
    """The two buckets, and the function as S3 and SQS call it."""

    vendor: str
    market: S3Store
    store: Store
    dropped: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)

    def put(self, path: str, body: bytes | str) -> dict[str, Any]:
        """Drop a file as its owner; return S3's notification."""
        raw = body.encode() if isinstance(body, str) else body
        answer = clients.s3().put_object(Bucket=self.vendor, Key=f"incoming/{path}", Body=raw)
        self.dropped += 1
        stored = {
            "key": quote_plus(f"incoming/{path}", safe="/"),
            "versionId": answer["VersionId"],
            "size": len(raw),
            "sequencer": f"{self.dropped:016X}",
        }
        record = {"userIdentity": {"principalId": f"AWS:{DANA}"}, "s3": {"object": stored}}
        return {"Records": [record]}

    def deliver(self, *notifications: dict[str, Any]) -> list[str]:
        """Call the function with these messages; return the ids of those that failed."""
        records = [
            {"messageId": str(at), "eventSource": "aws:sqs", "body": json.dumps(one)}
            for at, one in enumerate(notifications)
        ]
        context = SimpleNamespace(
            function_name="ingest",
            memory_limit_in_mb=1,
            invoked_function_arn="arn",
            aws_request_id="1",
            get_remaining_time_in_millis=lambda: 900_000,
        )
        answer = function.handler({"Records": records}, context)  # type: ignore[arg-type]
        return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]

    def drop(self, path: str, body: bytes | str) -> dict[str, Any]:
        """Drop a file, deliver its message, return the answer."""
        assert self.deliver(self.put(path, body)) == []
        return self.status(path)

    def status(self, path: str) -> dict[str, Any]:
        """Return the answer to a drop."""
        body = clients.s3().get_object(Bucket=self.vendor, Key=f"status/incoming/{path}.json")["Body"].read()
        answer: dict[str, Any] = json.loads(body)
        return answer

    def latest(self, dataset: str) -> snapshot.Snapshot:
        """Return the latest snapshot."""
        held = snapshot.latest(self.market, dataset)
        assert held
        return snapshot.load(self.market, dataset, held)


@pytest.fixture
def bench(aws: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for bucket in ("vendor", "market"):
        clients.s3().create_bucket(Bucket=bucket)
        clients.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        monkeypatch.setenv(f"{bucket.upper()}_BUCKET", bucket)
    monkeypatch.setenv("DB_SECRET_ARN", "arn:secret")
    monkeypatch.setattr(function, "open_store", lambda arn: store)
    return Bench("vendor", S3Store(clients.s3(), "market"), store)


def zipped(members: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def keys(store: S3Store) -> list[str]:
    return [one["Key"] for one in store.client.list_objects_v2(Bucket=store.bucket).get("Contents", [])]


def close(bench: Bench, at: snapshot.Snapshot, symbol: str, day: date) -> float:
    return float(reader.read_block(bench.market, at, [symbol], ["close"], day, day).fields["close"][0, 0])


def test_real_daily_bars_become_months_actions_and_a_snapshot(bench: Bench) -> None:
    body = gzip.decompress((Path(bokeh_sampledata.__file__).parent / "_data/stocks.csv.gz").read_bytes())
    answer = bench.drop("equities-1d/stocks.csv", body)
    assert (answer["status"], answer["problems"], answer["rows"]) == ("INGESTED", [], 12_154)
    assert answer["owner"] == DANA
    assert {"session": "2005-02-28", "ratio": 2.0} in answer["symbols"]["AAPL"]["splits"]
    assert answer["symbols"]["GOOG"]["splits"] == []
    at = bench.latest("equities-1d")
    assert at.id == answer["snapshot"]
    assert at.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert at.span("FB") == (date(2012, 5, 18), date(2013, 3, 1))
    assert close(bench, at, "AAPL", date(2005, 2, 25)) == 88.99
    assert close(bench, at, "AAPL", date(2005, 2, 28)) == 44.86
    assert "equities-1d/AAPL/2005/02.parquet" in keys(bench.market)
    row = bench.store.snapshots.latest("equities-1d")
    assert row and (row.id, row.symbols, row.first_session) == (at.id, 5, date(2000, 3, 1))


def test_a_signal_sees_no_jump_at_a_split(bench: Bench) -> None:
    rows = "A,2020-01-02,88,89,88,88.99,1,44.495\nA,2020-01-03,44,45,44,44.86,2,44.86\n"
    bench.drop("equities-1d/a.csv", HEADER.strip() + ",adj_close\n" + rows)
    at = bench.latest("equities-1d")
    first, last = at.span("A")
    block = reader.read_block(bench.market, at, ["A"], ["close"], first, last)
    factors = adjust.forward_factors(at.leaf("A").splits, (), None, ["A"], block.session, first, "split")
    assert adjust.adjusted(block, factors)["close"][:, 0].tolist() == [88.99, 89.72]


def test_a_broken_row_refuses_the_whole_file_and_nothing_is_published(bench: Bench) -> None:
    rows = "A,2020-01-02,1,1,1,1,5\nA,2020-01-03,1,x,1,1,5\nA,2020-01-06,0,1,0,1,5\n"
    answer = bench.drop("equities-1d/bad.csv", HEADER + rows)
    assert answer["status"] == "REFUSED"
    assert answer["snapshot"] is None
    assert [(one["file"], one["line"], one["code"]) for one in answer["problems"]] == [
        ("bad.csv", 3, "number"),
        ("bad.csv", 4, "price"),
    ]
    assert keys(bench.market) == []
    assert bench.store.snapshots.latest("equities-1d") is None


def test_a_name_that_is_no_dataset_is_refused(bench: Bench) -> None:
    assert bench.drop("prices/a.csv", HEADER)["problems"][0]["code"] == "name"
    assert bench.drop("a.csv", HEADER)["problems"][0]["code"] == "name"


def test_a_key_with_blanks_and_signs_is_answered_under_its_own_name(bench: Bench) -> None:
    answer = bench.drop("equities-1d/my prices+1 é.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    assert (answer["status"], answer["key"]) == ("INGESTED", "incoming/equities-1d/my prices+1 é.csv")


def test_a_new_file_changes_only_its_own_months(bench: Bench) -> None:
    bench.drop("equities-1d/1.csv", HEADER + "A,2020-01-02,1,1,1,1,5\nA,2020-02-03,1,1,1,1,5\nB,2020-01-02,1,1,1,1,5\n")
    answer = bench.drop("equities-1d/2.csv", HEADER + "A,2020-02-04,2.25,2.25,2.25,2.25,5\n")
    assert answer["months_written"] == 1
    at = bench.latest("equities-1d")
    assert close(bench, at, "A", date(2020, 2, 3)) == 1.0
    assert close(bench, at, "A", date(2020, 2, 4)) == 2.25
    assert close(bench, at, "B", date(2020, 1, 2)) == 1.0


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


def test_a_message_delivered_again_brings_no_old_content_back(bench: Bench) -> None:
    first = bench.put("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    second = bench.put("equities-1d/a.csv", HEADER + "A,2020-01-02,2,2,2,2,5\n")
    bench.deliver(second)
    corrected = bench.latest("equities-1d").id
    assert bench.deliver(first) == []
    assert bench.latest("equities-1d").id == corrected
    assert bench.drop("equities-1d/b.csv", HEADER + "A,2020-01-02,3,3,3,3,5\n")["snapshot"] != corrected
    again = bench.latest("equities-1d").id
    assert bench.deliver(second) == []
    assert bench.latest("equities-1d").id == again
    assert bench.status("equities-1d/a.csv")["version"] == second["Records"][0]["s3"]["object"]["versionId"]


def test_what_fails_for_our_reasons_comes_back_and_ends_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    good = bench.put("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    real = bench.store.snapshots.publish

    def broken(**told: Any) -> None:
        monkeypatch.setattr(bench.store.snapshots, "publish", real)
        raise ConnectionError("the database is away")

    monkeypatch.setattr(bench.store.snapshots, "publish", broken)
    assert bench.deliver(good) == ["0"]
    assert bench.deliver(good) == []
    row = bench.store.snapshots.latest("equities-1d")
    assert row and row.id == bench.status("equities-1d/a.csv")["snapshot"]


def test_the_data_owner_states_what_a_bad_row_does(bench: Bench) -> None:
    rows = HEADER + "A,2020-01-02,1,1,1,1,5\nA,2020-01-03,1,1,0,1,5\n"
    assert bench.drop("equities-1d/a.csv", rows)["status"] == "REFUSED"
    stated = bench.drop("equities-1d/policy.json", '{"bad_rows": "quarantine"}')
    assert (stated["status"], stated["bad_rows"]) == ("STATED", "quarantine")
    answer = bench.drop("equities-1d/a.csv", rows)
    assert (answer["status"], answer["rows"], answer["finding_counts"]) == ("INGESTED", 1, {"price": 1})
    assert (answer["findings"][0]["line"], answer["bad_rows"]) == (3, "quarantine")
    assert bench.drop("equities-1d-other/a.csv", rows)["status"] == "REFUSED"
    assert bench.drop("equities-1d/policy.json", '{"bad_rows": "keep"}')["problems"][0]["code"] == "policy"
    assert bench.drop("equities-1d/b.csv", rows)["problems"][0]["code"] == "policy"


def test_a_data_owner_drops_a_universe(bench: Bench) -> None:
    bench.drop("equities-1d/a.csv", HEADER + "AAPL,2020-01-02,1,1,1,1,5\nIBM,2020-01-02,1,1,1,1,5\n")
    answer = bench.drop("equities-1d/universes/tech.csv", "symbol\nIBM\n")
    assert (answer["status"], answer["universes"], answer["rows"]) == ("INGESTED", {"tech": 1}, 0)
    at = bench.latest("equities-1d")
    assert (at.id, at.universe("tech")) == (answer["snapshot"], ("IBM",))
    row = bench.store.snapshots.latest("equities-1d")
    assert row and row.id == at.id
    refused = bench.drop("equities-1d/universes/tech.csv", "APPL\n")
    assert (refused["status"], refused["problems"][0]["code"]) == ("REFUSED", "universe")
    assert "Did you mean 'AAPL'" in refused["problems"][0]["message"]
    assert bench.drop("equities-1h/universes/tech.csv", "AAPL\n")["problems"][0]["code"] == "universe"  # no bars yet
    assert bench.latest("equities-1d").id == at.id


def test_the_command_line_drops_files_and_prints_the_answers(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The platform's half is played while the command waits."""
    dropped: list[str] = []
    real = vendor_bucket.put

    def put(client: Any, bucket: str, key: str, path: Path) -> str | None:
        dropped.append(key.removeprefix("incoming/"))
        return real(client, bucket, key, path)

    def meanwhile(seconds: float) -> None:
        bench.drop(dropped[-1], (tmp_path / Path(dropped[-1]).name).read_bytes())

    def told(*words: str) -> tuple[int, str]:
        code = main(["data", "drop", *words, "--dataset", "equities-1d", "--bucket", "vendor", "--wait", "9"])
        said = capsys.readouterr()
        return code, said.out + said.err

    monkeypatch.setattr(vendor_bucket, "put", put)
    monkeypatch.setattr(vendor_bucket.time, "sleep", meanwhile)
    monkeypatch.setattr(drop_cli, "_client", clients.s3)
    answer = vendor_bucket.answer
    monkeypatch.setattr(vendor_bucket, "answer", lambda c, b, k, _, s: answer(c, b, k, None, s))  # it was put twice
    (tmp_path / "bars.csv").write_text(HEADER + "AAPL,2020-01-02,1,1,1,1,5\nAAPL,2020-01-01,1,1,1,1,5\n")
    code, said = told(str(tmp_path / "bars.csv"))
    assert (code, "1 bars, 1 months written" in said, "left out: 1 no session" in said) == (0, True, True)
    (tmp_path / "tech.csv").write_text("AAPL\n")
    assert told(str(tmp_path / "tech.csv"), "--under", "universes")[0] == 0
    assert bench.latest("equities-1d").universe("tech") == ("AAPL",)
    (tmp_path / "bad.csv").write_text(HEADER + "AAPL,2020-01-02,1,1,2,1,5\n")
    code, said = told(str(tmp_path / "bad.csv"), str(tmp_path / "never.csv"))
    assert (code, "bad.csv:2: price: AAPL: high 1 is below low 2" in said) == (2, True)
    assert dropped == ["equities-1d/bars.csv", "equities-1d/universes/tech.csv", "equities-1d/bad.csv"]


def test_an_answer_is_the_one_to_this_version_and_does_not_come_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor_bucket, "POLL_SECONDS", 0.0)
    bench.drop("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    version = bench.status("equities-1d/a.csv")["version"]
    key = "incoming/equities-1d/a.csv"
    assert vendor_bucket.answer(clients.s3(), "vendor", key, version, 1)["status"] == "INGESTED"
    with pytest.raises(vendor_bucket.NoAnswerError, match=r"status/incoming/equities-1d/a\.csv\.json"):
        vendor_bucket.answer(clients.s3(), "vendor", key, "a later version", 0.2)


def test_s3s_test_message_is_taken_for_what_it_is(bench: Bench) -> None:
    assert bench.deliver({"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []


def test_factors_may_come_before_the_prices(bench: Bench) -> None:
    bench.drop("equities-1h/factor_files/spy.csv", "20200630,1,0.5,100\n20501231,1,1,0\n")
    assert bench.store.snapshots.latest("equities-1h") is None
    bench.drop("equities-1h/spy.zip", zipped({"spy.csv": b"20200702 10:00,10000,10000,10000,10000,1\n"}))
    leaf = bench.latest("equities-1h").leaf("SPY")
    assert [(one.session, one.ratio) for one in leaf.splits] == [(date(2020, 7, 1), 2.0)]


@dataclass
class Listed:
    """Where snapshots are listed, for runs without PostgreSQL."""

    ids: list[str] = field(default_factory=list)

    def publish(self, *, id: str, dataset: str, symbols: int, first_session: date, last_session: date) -> None:
        self.ids.append(id)


def test_drops_at_the_same_time_all_end_in_the_latest_snapshot(tmp_path: Path) -> None:
    vendor, market = FolderStore(tmp_path / "vendor"), FolderStore(tmp_path / "market")
    drops = []
    for at, symbol in enumerate("ABCD"):
        key = f"incoming/equities-1d/{symbol}.csv"
        version = vendor.put(key, (HEADER + f"{symbol},2020-01-02,1,1,1,1,5\n").encode())
        drops.append(Drop(key, version, f"{at:016X}", 100, DANA))
    ingest = ingest_package.ingest
    threads = [
        Thread(target=ingest, kwargs={"vendor": vendor, "market": market, "snapshots": Listed(), "drop": one})
        for one in drops
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = snapshot.latest(market, "equities-1d")
    assert held and snapshot.load(market, "equities-1d", held).symbols == ("A", "B", "C", "D")


def test_what_was_published_last_is_listed_last_whoever_was_slower(tmp_path: Path) -> None:
    vendor, market = FolderStore(tmp_path / "vendor"), FolderStore(tmp_path / "market")

    def drop(symbol: str, listed: Listed) -> None:
        key, body = f"incoming/equities-1d/{symbol}.csv", (HEADER + f"{symbol},2020-01-02,1,1,1,1,5\n").encode()
        one = Drop(key, vendor.put(key, body), "0", len(body), DANA)
        ingest_package.ingest(vendor=vendor, market=market, snapshots=listed, drop=one)

    class Slow(Listed):
        """Another drop is published and listed while this one is about to be listed."""

        def publish(self, **told: Any) -> None:
            if not self.ids:
                self.ids.append("")
                drop("B", self)
            super().publish(**told)

    listed = Slow()
    drop("A", listed)
    assert listed.ids[-1] == snapshot.latest(market, "equities-1d")
    assert snapshot.load(market, "equities-1d", listed.ids[-1]).symbols == ("A", "B")


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


def test_ingest_runs_from_the_layer_without_numpy(tmp_path: Path) -> None:
    """The layer's own pyarrow, on the very folder that is deployed, in a process that has nothing else."""
    code = f"""
import sys
sys.path[:0] = [{str(ROOT / "build/layer/python")!r}, {str(ROOT / "layers")!r}, {str(ROOT / "container_runner")!r}]
from pathlib import Path
from types import SimpleNamespace
from backtest.ingest import ingest
from backtest.ingest.drop import Drop
from tapedeck.market.store import FolderStore
vendor, market = FolderStore(Path({str(tmp_path)!r}) / "vendor"), FolderStore(Path({str(tmp_path)!r}) / "market")
listed = SimpleNamespace(publish=lambda **told: None)
for n, row in enumerate(["A,2020-01-02,1.5,1.5,1.5,1.5,5", "A,2020-01-03,1,1,1,1,5", "A,2020-01-06,1,1,1,1,5"]):
    key = f"incoming/equities-1d/{{n}}.csv"
    version = vendor.put(key, f"symbol,date,open,high,low,close,volume\\n{{row}}\\n".encode())
    answer = ingest(vendor=vendor, market=market, snapshots=listed, drop=Drop(key, version, f"{{n:016X}}", 100, "dana"))
import pyarrow, pyarrow.parquet
from datetime import date
rows = {{"date": [date(2020, 1, 7)], "open": [2.5], "high": [2.5], "low": [2.5], "close": [2.5], "volume": [7]}}
pyarrow.parquet.write_table(pyarrow.table(rows), {str(tmp_path / "A.parquet")!r})
body = Path({str(tmp_path / "A.parquet")!r}).read_bytes()
drop = Drop("incoming/equities-1d/A.parquet", vendor.put("incoming/equities-1d/A.parquet", body), "F", 100, "dana")
answer = ingest(vendor=vendor, market=market, snapshots=listed, drop=drop)
assert "numpy" not in sys.modules and pyarrow.__version__.startswith("20."), pyarrow.__version__
print(answer["snapshot"])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    market = FolderStore(tmp_path / "market")
    held = snapshot.latest(market, "equities-1d")
    assert held == done.stdout.strip()
    at = snapshot.load(market, "equities-1d", held)
    block = reader.read_block(market, at, ["A"], ["close"], *at.span("A"))
    assert block.fields["close"][:, 0].tolist() == [1.5, 1.0, 1.0, 2.5]


@pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")
def test_leans_hours_of_spy_and_apple_are_read_back_whole(tmp_path: Path) -> None:
    vendor, market = FolderStore(tmp_path / "vendor"), FolderStore(tmp_path / "market")
    names = [f"{folder}/{ticker}" for ticker in ("spy", "aapl") for folder in ("hour", "factor_files", "map_files")]
    paths = [LEAN / (name + (".zip" if name.startswith("hour") else ".csv")) for name in names]
    body = zipped({f"equity/usa/{path.parent.name}/{path.name}": path.read_bytes() for path in paths})
    key = "incoming/equities-1h/lean.zip"
    drop = Drop(key, vendor.put(key, body), "0", len(body), DANA)
    answer = ingest_package.ingest(vendor=vendor, market=market, snapshots=Listed(), drop=drop)
    assert answer and answer["status"] == "INGESTED"
    assert answer["rows"] == 40_784 + 40_785
    assert answer["left_out"] == {"outside of the session": 94}  # hours after early closes
    held = snapshot.latest(market, "equities-1h")
    assert held
    at = snapshot.load(market, "equities-1h", held)
    assert [split.ratio for split in at.leaf("AAPL").splits] == [2.0, 2.0, 7.0, 4.0]

    first, last = date(2014, 6, 2), date(2014, 6, 13)
    block = reader.read_block(market, at, ["SPY", "AAPL"], ["open", "high", "low", "close", "volume"], first, last)
    assert block.fields["close"].shape == (10 * 7, 2)
    with zipfile.ZipFile(LEAN / "hour/aapl.zip") as archive:
        rows = [line.split(",") for line in archive.read("aapl.csv").decode().splitlines()]
    wanted = [row for row in rows if "20140602" <= row[0][:8] <= "20140613"]
    for column, name in enumerate(("open", "high", "low", "close"), 1):
        assert block.fields[name][:, 1].tolist() == [int(row[column]) / 10_000 for row in wanted]
    assert block.fields["volume"][:, 1].tolist() == [float(row[5]) for row in wanted]

    factors = adjust.forward_factors(at.leaf("AAPL").splits, (), None, ["SPY", "AAPL"], block.session, first, "split")
    seen = adjust.adjusted(block, factors)["close"][:, 1]
    assert np.abs(np.diff(np.log(seen))).max() < 0.03  # 645.57 to 92.23 is no jump


def sealed_years(bench: Bench, dataset: str, symbol: str) -> list[str]:
    leaf = bench.latest(dataset).leaf(symbol)
    return sorted(year for year in leaf.sealed if leaf.sealed_year(year))


def daily(symbol: str, *days: str) -> str:
    return HEADER + "".join(f"{symbol},{day},1,2,1,2,5\n" for day in days)


def test_a_drop_that_closes_a_year_has_it_sealed_and_a_correction_again(bench: Bench) -> None:
    bench.drop("equities-1d/a.csv", daily("A", "2019-11-01", "2019-12-30"))
    assert sealed_years(bench, "equities-1d", "A") == []
    bench.drop("equities-1d/b.csv", daily("A", "2020-01-02"))
    assert sealed_years(bench, "equities-1d", "A") == ["2019"]
    old = bench.latest("equities-1d")
    bench.drop("equities-1d/c.csv", daily("A", "2019-12-31"))
    assert sealed_years(bench, "equities-1d", "A") == ["2019"]
    listed = clients.s3().list_objects_v2(Bucket="market", Prefix="sealed/equities-1d/A/2019/")["Contents"]
    assert len(listed) == 2  # the old snapshot keeps its own
    first, last = date(2019, 1, 2), date(2019, 12, 31)
    for at, bars in ((old, 2), (bench.latest("equities-1d"), 3)):
        block = reader.read_block(bench.market, at, ["A"], ["close"], first, last)
        assert np.count_nonzero(~np.isnan(block.fields["close"])) == bars


def test_a_sealing_that_fails_or_has_no_time_brings_no_drop_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(function, "seal", lambda *_, **__: 1 / 0)
        answer = bench.drop("equities-1d/a.csv", daily("A", "2019-11-01", "2019-12-30", "2020-01-02"))
    assert answer["status"] == "INGESTED"
    with monkeypatch.context() as patch:
        patch.setattr(function, "MARGIN_S", 10_000)
        bench.drop("equities-1d/b.csv", daily("A", "2020-01-03"))
    assert sealed_years(bench, "equities-1d", "A") == []
    bench.drop("equities-1d/c.csv", daily("A", "2020-01-06"))
    assert sealed_years(bench, "equities-1d", "A") == ["2019"]
