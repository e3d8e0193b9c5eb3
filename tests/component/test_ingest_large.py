"""Drops larger than the memory there is for them: read in parts out of S3, in bounded memory and time, or refused."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError

from backtest.cloud import clients
from backtest.ingest.deadline import Time
from tapedeck.market import snapshot
from tapedeck.market.ranged import S3Object
from tapedeck.market.store import S3Store
from tapedeck.market.vendor import reading
from tests.component.vendor_drops import HEADER, Folders, daily

ROOT = Path(__file__).parents[2]
BODY = random.Random(4).randbytes(100_000)
CHILD = """
import json, os, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from types import SimpleNamespace
from backtest.ingest import ingest
from backtest.ingest.drop import Drop
from tapedeck.market.store import FolderStore, S3Store

class Refused(Exception):
    pass

class Client:
    '''Answers ranges of one file as S3 does, and keeps what is put.'''
    exceptions = SimpleNamespace(ClientError=Refused)
    kept = {}

    def get_object(self, Bucket, Key, Range=None, **which):
        if not Key.startswith("incoming/") or Key.endswith("policy.json"):
            error = Refused()
            error.response = {"Error": {"Code": "NoSuchKey"}}
            raise error
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        with open(sys.argv[1], "rb") as file:
            file.seek(first)
            body = file.read(last - first + 1)
        size = os.path.getsize(sys.argv[1])
        return {"Body": SimpleNamespace(read=lambda: body), "ContentRange": f"bytes {first}-{last}/{size}", "ETag": "1"}

    def put_object(self, Bucket, Key, Body, **condition):
        self.kept[Key] = Body
        return {}

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

drop = Drop("incoming/equities-1d/" + Path(sys.argv[1]).name, None, "1", os.path.getsize(sys.argv[1]), "dana")
before = peak()
listed = SimpleNamespace(publish=lambda **told: None)
answer = ingest(vendor=S3Store(Client(), "vendor"), market=FolderStore(Path(sys.argv[2])), snapshots=listed, drop=drop)
print(json.dumps({"grown": peak() - before, "rows": answer["rows"], "status": answer["status"]}))
"""


def test_a_drop_much_larger_than_the_memory_it_takes_is_ingested(tmp_path: Path) -> None:
    path, note = tmp_path / "a.csv", "x" * 8_000
    symbols = [f"S{number}" for number in range(20)]
    with path.open("w") as file:
        file.write(HEADER.strip() + ",note\n")
        for day in range(2, 31):
            for symbol in symbols * 90:
                file.write(f"{symbol},2020-01-{day:02},1,1,1,1,5,{note}\n")
    size = path.stat().st_size
    roots = [str(ROOT / "layers"), str(ROOT / "container_runner"), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(tmp_path / "market"), *roots],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
    )
    path.unlink()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["rows"]) == ("INGESTED", 20 * 20)  # the other 89 of each day are repeats
    assert size > 390 * 2**20
    assert answer["grown"] < 120 * 2**20, answer


@pytest.fixture
def held(aws: None) -> str:
    clients.s3().create_bucket(Bucket="vendor")
    clients.s3().put_bucket_versioning(Bucket="vendor", VersioningConfiguration={"Status": "Enabled"})
    return str(clients.s3().put_object(Bucket="vendor", Key="a", Body=BODY)["VersionId"])


@pytest.mark.parametrize("part", [999, 33_333, 100_000, 200_000])
def test_an_object_is_the_same_in_whatever_parts_it_is_read(held: str, part: int) -> None:
    clients.s3().put_object(Bucket="vendor", Key="a", Body=b"another version")
    with io.BufferedReader(S3Object(clients.s3(), "vendor", "a", held, part), 128) as file:
        assert file.read() == BODY
        file.seek(-500, io.SEEK_END)
        assert file.read(100) == BODY[-500:-400]
        file.seek(5)
        assert file.read(2_000) == BODY[5:2_005]


def test_an_empty_object_is_empty_and_one_that_is_gone_is_a_key_error(held: str) -> None:
    clients.s3().put_object(Bucket="vendor", Key="empty", Body=b"")
    store = S3Store(clients.s3(), "vendor")
    with store.open("empty") as file:
        assert file.read() == b""
    with pytest.raises(KeyError):
        store.open("none")


def test_a_body_that_breaks_off_is_asked_for_again(held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, breaks = clients.s3().get_object, iter([True, False, True, True, False] + [False] * 20)

    def shaky(**asked: Any) -> Any:
        answer = real(**asked)
        if next(breaks):
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)
        return answer

    monkeypatch.setattr(clients.s3(), "get_object", shaky)
    with io.BufferedReader(S3Object(clients.s3(), "vendor", "a", held, 30_000)) as file:
        assert file.read() == BODY


def test_an_unversioned_object_that_changes_meanwhile_is_not_mixed(aws: None) -> None:
    clients.s3().create_bucket(Bucket="plain")
    clients.s3().put_object(Bucket="plain", Key="a", Body=BODY)
    with io.BufferedReader(S3Object(clients.s3(), "plain", "a", None, 10_000)) as file:
        file.read(5_000)
        clients.s3().put_object(Bucket="plain", Key="a", Body=BODY[::-1])
        with pytest.raises(clients.s3().exceptions.ClientError, match="PreconditionFailed"):
            file.read()


def refusal(tmp_path: Path, name: str, size: int, time: Time | None = None) -> tuple[str, str]:
    folders = Folders(tmp_path)
    answer = folders.ingest(folders.put(f"equities-1d/{name}", daily("A", "2020-01-02"), size), time)
    assert answer["status"] == "REFUSED"
    assert not (tmp_path / "market").exists()
    (problem,) = answer["problems"]
    return problem["code"], problem["message"]


def test_what_cannot_be_read_in_time_is_refused_with_what_to_do(tmp_path: Path) -> None:
    code, message = refusal(tmp_path, "a.csv", 50, Time(until=0.0))
    assert code == "time"
    assert "drop it in parts smaller than that, each with its own header" in message


def test_what_cannot_be_written_in_time_is_refused_and_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapedeck.market.vendor.source.monotonic", lambda: -1.0)  # reading is quick enough
    folders = Folders(tmp_path)
    answer = folders.ingest(folders.put("equities-1d/a.csv", daily("A", "2020-01-02")), Time(until=0.0))
    assert [one["code"] for one in answer["problems"]] == ["time"]
    assert snapshot.latest(folders.market, "equities-1d") is None


@pytest.mark.parametrize(("name", "size"), [("a.csv", 17 * 2**30), ("a.zip", 4 * 2**30), ("a.parquet", 4 * 2**30)])
def test_what_no_disk_or_time_can_hold_is_refused_before_it_is_read(tmp_path: Path, name: str, size: int) -> None:
    code, message = refusal(tmp_path, name, size)
    assert code == "size"
    assert "drop it in parts" in message


def test_a_full_disk_refuses_the_drop_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "HELD_ROWS", 1)
    monkeypatch.setattr("tapedeck.market.vendor.spill.os.pwrite", full)
    code, message = refusal(tmp_path, "a.csv", 50)
    assert (code, "fit on this function's disk" in message) == ("size", True)
