"""An S3 that throttles, stalls, breaks off or lies costs time, or is an error that says where: never wrong bars."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from threading import Event, Lock, Thread
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.credentials import Credentials

from tapedeck.market import publish, reader, s3_reads, sealing, snapshot
from tapedeck.market.block import Block
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.errors import DataError, StoreError
from tapedeck.market.publish import Change
from tapedeck.market.s3_reads import S3Reads
from tapedeck.market.store import FolderStore, ObjectStore
from tests.unit.closed_years import DATASET, NAMES, month

FIELDS = COLUMNS[1:]
FIRST, LAST = date(2020, 1, 2), date(2021, 1, 20)  # a sealed year and a month
MONTH = "equities-1d/AAPL/2021/01.parquet"


@dataclass
class Bucket:
    """A folder over HTTP, with `trouble(key, how often it was asked for)` that may change what is answered."""

    folder: FolderStore
    trouble: Callable[[str, int], str | None] = lambda key, count: None
    asked: Counter[str] = field(default_factory=Counter)
    stop: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        key, version = unquote(parts.path).split("/", 2)[2], parse_qs(parts.query).get("versionId", [None])[0]
        with self.lock:
            self.asked[key] += 1
            trouble = self.trouble(key, self.asked[key])
        try:
            status, body = 200, self.folder.get(key, version)
        except KeyError:
            status, body = 404, b"<Error><Code>NoSuchKey</Code></Error>"
        promised = len(body)
        if trouble in ("503", "500", "429"):
            status, body = int(trouble), b"<Error><Code>SlowDown</Code></Error>"
            promised = len(body)
        elif trouble == "cut":
            body = body[: len(body) // 2]
        elif trouble == "short":
            body = body[: len(body) // 2]
            promised = len(body)
        elif trouble == "flipped":
            body = bytes([*body[:60], body[60] ^ 4, *body[61:]])
        elif trouble == "stalled":
            self.stop.wait(10)
        elif trouble == "reset":
            request.connection.shutdown(SHUT_RDWR)
            return
        request.send_response(status)
        request.send_header("Content-Length", str(promised))
        request.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        request.send_header("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = trouble is not None


@contextmanager
def served(bucket: Bucket) -> Iterator[Bucket]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                bucket.answer(self)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield bucket
        finally:
            bucket.stop.set()
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    store = FolderStore(tmp_path_factory.mktemp("market"))
    at = publish.publish(store, DATASET, None, {"AAPL": Change({name: month(name) for name in NAMES})}).snapshot
    assert sealing.seal(store, at).now == 2
    return store


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, nothing_kept: None) -> None:
    monkeypatch.setattr(s3_reads, "_PAUSE_S", 0.001)


@pytest.fixture
def bucket(market: FolderStore) -> Iterator[Bucket]:
    with served(Bucket(market)) as bucket:
        yield bucket


def reads(bucket: Bucket, *, tries: int = 4, timeout_s: float = 20) -> S3Reads:
    client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=bucket.url, region_name="us-east-1"))
    return S3Reads(client, "market", Credentials("key", "secret"), timeout_s=timeout_s, tries=tries)


def read(store: ObjectStore) -> Block:
    held = snapshot.latest(store, DATASET.name)
    assert held
    return reader.read_block(store, snapshot.load(store, DATASET.name, held), ["AAPL"], FIELDS, FIRST, LAST)


def right(block: Block, market: FolderStore) -> bool:
    expected = read(market)
    return all(block.fields[name].tobytes() == expected.fields[name].tobytes() for name in FIELDS)


@pytest.mark.parametrize("trouble", ["503", "500", "429", "cut", "reset"])
def test_what_passes_is_tried_again_until_it_is_right(bucket: Bucket, market: FolderStore, trouble: str) -> None:
    bucket.trouble = lambda key, count: trouble if count < 3 else None
    assert right(read(reads(bucket)), market)
    assert set(bucket.asked.values()) == {3}


def test_an_answer_that_does_not_come_is_asked_for_again(bucket: Bucket, market: FolderStore) -> None:
    bucket.trouble = lambda key, count: "stalled" if key == MONTH and count == 1 else None
    assert right(read(reads(bucket, timeout_s=0.5)), market)
    assert bucket.asked[MONTH] == 2


@pytest.mark.parametrize("trouble", ["short", "flipped"])
def test_a_body_that_is_not_what_was_stored_is_fetched_again(bucket: Bucket, market: FolderStore, trouble: str) -> None:
    bucket.trouble = lambda key, count: trouble if key.endswith(".parquet") and count == 1 else None
    assert right(read(reads(bucket)), market)
    assert {count for key, count in bucket.asked.items() if key.endswith(".parquet")} == {2}


@pytest.mark.parametrize("trouble", ["short", "flipped"])
def test_a_month_that_stays_damaged_is_named(bucket: Bucket, trouble: str) -> None:
    bucket.trouble = lambda key, count: trouble if key == MONTH else None
    with pytest.raises(DataError) as caught:
        read(reads(bucket))
    assert (caught.value.symbol, caught.value.month, caught.value.key) == ("AAPL", "2021-01", MONTH)


def test_a_sealed_year_that_stays_damaged_gives_way_to_its_months(bucket: Bucket, market: FolderStore) -> None:
    bucket.trouble = lambda key, count: "flipped" if key.startswith("sealed/") else None
    assert right(read(reads(bucket)), market)
    assert sum(key.startswith("equities-1d/AAPL/2020/") for key in bucket.asked) == 12


def test_a_store_that_never_answers_is_no_fault_of_the_data_and_is_named(bucket: Bucket) -> None:
    bucket.trouble = lambda key, count: "503" if key == MONTH else None
    with pytest.raises(StoreError, match=f"AAPL 2021-01: S3 did not give {re.escape(MONTH)} in 4 tries"):
        read(reads(bucket))
    assert bucket.asked[MONTH] == 4


def test_a_version_that_is_gone_is_named(bucket: Bucket, market: FolderStore, tmp_path: Path) -> None:
    gone = FolderStore(tmp_path)
    for path in market.root.rglob("*"):
        key = path.relative_to(market.root).as_posix()
        if path.is_file() and not key.startswith(f".versions/{MONTH}"):
            (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / key).write_bytes(path.read_bytes())
    bucket.folder = gone
    with pytest.raises(DataError, match=r"AAPL 2021-01 \(.*01.parquet\): the object is gone"):
        read(reads(bucket))
    assert bucket.asked[MONTH] == 1
