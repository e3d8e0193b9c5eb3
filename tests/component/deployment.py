"""A deployment in this process: buckets, queues and the database's secret in moto, market data of three symbols."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from datetime import date
from typing import Any

from backtest.cloud import clients
from backtest.store import Store
from backtest.store.connection import Secret
from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, publish
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import S3Store

BUCKETS = {name: f"tapedeck-{name}" for name in ("runs", "market", "upload", "vendor")}
QUEUES = ("tasks", "dead-letters")
ACCOUNT = "123456789012"
OPERATOR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/Operator"
XNYS = calendars.get("XNYS")
FIRST, LAST = date(2020, 1, 2), date(2020, 4, 30)
FB_FIRST = date(2020, 3, 2)

STRATEGY = b"""\
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM"]
# start = 2020-02-03
# end = 2020-03-31
# params = { fast = 3 }
# ///
from tapedeck import Strategy, sma

class Crossover(Strategy):
    fast: int = 20
    slow: int = 50
    fields = ("close",)

    def lookback(self):
        return self.slow

    def weights(self, bars):
        return (sma(bars.close, self.fast) > sma(bars.close, self.slow)) / bars.width
"""


@dataclass(frozen=True)
class Deployment:
    """What a test looks at."""

    store: Store
    snapshot: Snapshot
    queues: dict[str, str]  # name -> URL
    environment: dict[str, str]

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Keys in a bucket."""
        found = clients.s3().list_objects_v2(Bucket=BUCKETS[bucket], Prefix=prefix)
        return [o["Key"] for o in found.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
        return clients.s3().get_object(Bucket=BUCKETS[bucket], Key=key)["Body"].read()

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """Write an object; return its version."""
        return clients.s3().put_object(Bucket=BUCKETS[bucket], Key=key, Body=body)["VersionId"]

    def messages(self, queue: str = "tasks") -> list[dict[str, Any]]:
        """Take all messages off a queue."""
        client, found = clients.sqs(), []
        while batch := client.receive_message(QueueUrl=self.queues[queue], MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(m["Body"]) for m in batch]
            for m in batch:
                client.delete_message(QueueUrl=self.queues[queue], ReceiptHandle=m["ReceiptHandle"])
        return found


def deploy(store: Store, secret: Secret) -> Deployment:
    """Make the resources and publish a first snapshot."""
    s3, sqs = clients.s3(), clients.sqs()
    for bucket in BUCKETS.values():
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
    arn = clients.secrets_manager().create_secret(Name="database", SecretString=json.dumps(secret))["ARN"]
    environment = {
        "DB_SECRET_ARN": arn,
        **{f"{name.upper()}_BUCKET": bucket for name, bucket in BUCKETS.items()},
        "TASKS_QUEUE_URL": queues["tasks"],
        "DEAD_LETTER_QUEUE_URL": queues["dead-letters"],
        "SIDECAR_IMAGE": "registry/sidecar@sha256:1",
        "STRATEGY_IMAGE": "registry/strategy@sha256:2",
        "OPERATOR_ROLE_ARN": OPERATOR_ROLE,
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "Tapedeck",
    }
    return Deployment(store, publish_market(store), queues, environment)


def publish_market(store: Store, close: int = 10_000) -> Snapshot:
    """Publish daily bars of AAPL and IBM from FIRST on, of FB from FB_FIRST on, all to LAST; prices in cents."""
    objects = S3Store(clients.s3(), BUCKETS["market"])
    begins = {"AAPL": FIRST, "IBM": FIRST, "FB": FB_FIRST}
    changes = {symbol: _bars(XNYS.sessions(begin, LAST), close) for symbol, begin in begins.items()}
    made = publish.publish(objects, layout.parse_dataset("equities-1d"), None, changes).snapshot
    store.snapshots.publish(
        id=made.id, dataset=made.dataset, symbols=len(made.symbols), first_session=FIRST, last_session=LAST
    )
    return made


def _bars(sessions: list[date], close: int) -> Change:
    months: dict[str, list[date]] = {}
    for day in sessions:
        months.setdefault(f"{day:%Y-%m}", []).append(day)
    return Change({name: _month(days, close) for name, days in months.items()})


def _month(days: list[date], close: int) -> encoding.Month:
    columns = {"ts": array("q", [XNYS.starts("1d", day)[0] for day in days])}
    for name in COLUMNS[1:]:
        columns[name] = array("q", [close + day.day for day in days])
    return encoding.month(columns, dict.fromkeys(COLUMNS, 2))
