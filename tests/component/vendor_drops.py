"""A data owner's drops: on S3 and PostgreSQL through the handler (`Bench`), or on two folders (`Folders`)."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from backtest.cloud import clients
from backtest.ingest import ingest
from backtest.ingest.deadline import Time
from backtest.ingest.drop import Drop
from backtest.ingest.report import Report
from backtest.store import Store
from functions import ingest as function
from tapedeck.market import reader, snapshot
from tapedeck.market.store import FolderStore, ObjectStore, S3Store
from tests.component.handlers import deliver

HEADER = "symbol,date,open,high,low,close,volume\n"
DANA = "AROAEXAMPLE:dana"


def daily(symbol: str, *days: str) -> str:
    """Return a file of one bar a day."""
    return HEADER + "".join(f"{symbol},{day},1,2,1,2,5\n" for day in days)


def zipped(members: dict[str, bytes]) -> bytes:
    """Return an archive of these files."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def latest(market: ObjectStore, dataset: str) -> snapshot.Snapshot:
    """Return the latest snapshot of a bucket."""
    held = snapshot.latest(market, dataset)
    assert held
    return snapshot.load(market, dataset, held)


def close(bench: Bench, at: snapshot.Snapshot, symbol: str, day: date) -> float:
    """Return a day's close as a snapshot has it."""
    return float(reader.read_block(bench.market, at, [symbol], ["close"], day, day).fields["close"][0, 0])


@dataclass
class Bench:
    """The two buckets, and the function as S3 and SQS call it."""

    vendor: str
    market: S3Store
    store: Store
    dropped: int = 0

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
        return deliver(function, *notifications)

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
        return latest(self.market, dataset)

    def objects(self) -> list[str]:
        """Return the keys of what the market's bucket holds."""
        listed = clients.s3().list_objects_v2(Bucket=self.market.bucket)
        return [one["Key"] for one in listed.get("Contents", [])]


@dataclass
class Listed:
    """Where snapshots are listed, for runs without PostgreSQL."""

    ids: list[str] = field(default_factory=list)

    def publish(self, *, id: str, dataset: str, symbols: int, first_session: date, last_session: date) -> None:
        self.ids.append(id)


@dataclass
class Folders:
    """The two buckets as folders, and ingest called on them, without S3 and PostgreSQL."""

    root: Path
    listed: Listed = field(default_factory=Listed)
    dropped: int = 0

    def __post_init__(self) -> None:
        self.vendor, self.market = FolderStore(self.root / "vendor"), FolderStore(self.root / "market")

    def put(self, path: str, body: bytes | str, size: int | None = None) -> Drop:
        """Drop a file as its owner; return what S3 says of it, of another size if one is named."""
        key, raw = f"incoming/{path}", body.encode() if isinstance(body, str) else body
        self.dropped += 1
        return Drop(key, self.vendor.put(key, raw), f"{self.dropped:016X}", len(raw) if size is None else size, DANA)

    def call(self, drop: Drop, time: Time | None = None) -> Report | None:
        """Call ingest once; return what it said."""
        return ingest(vendor=self.vendor, market=self.market, snapshots=self.listed, drop=drop, time=time)

    def ingest(self, drop: Drop, time: Time | None = None) -> Report:
        """Ingest a drop; return the answer."""
        told = self.call(drop, time)
        assert told
        return told

    def drop(self, path: str, body: bytes | str) -> Report:
        """Drop a file and ingest it; return the answer."""
        return self.ingest(self.put(path, body))

    def latest(self, dataset: str) -> snapshot.Snapshot:
        """Return the latest snapshot."""
        return latest(self.market, dataset)
