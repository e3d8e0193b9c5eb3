"""The node's cache: a daemon over HTTP, a sidecar's reader in front of it, a store behind. It costs or saves time only.

What is read through the cache is compared, to the byte, with what is read without it, whatever happens to the cache.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.counts import Counts
from cache.node import Node
from cache.server import Server
from cache.shelf import Shelf
from cache.tiers import Tiers
from sidecar.near import NodeCache
from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, gridded, layout, months, publish, reader, years
from tapedeck.market.block import Block
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.errors import DataError
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore

DATASET = layout.parse_dataset("crypto-1m")
CALENDAR = calendars.get("24/7")
SYMBOLS = ["BTC", "ETH"]
FIRST, LAST = date(2021, 1, 30), date(2021, 2, 2)


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months._CACHE, "_limit", 0)  # what is read is read anew


class Watched(FolderStore):
    """A store that counts its months' GETs and does what `before` does before each."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gets = 0
        self.before: Callable[[], None] = lambda: None

    def get(self, key: str, version: str | None = None) -> bytes:
        if key.endswith(".parquet"):
            self.gets += 1
            self.before()
        return super().get(key, version)


def month(name: str, seed: int) -> Month:
    first = date.fromisoformat(f"{name}-01")
    last = date(first.year, first.month, 31 if first.month == 1 else 28)
    ts = np.frombuffer(CALENDAR.grid("1m", first, last).ts, np.int64)
    numbers = np.random.default_rng(seed)
    columns = {"ts": array("q", ts.tobytes())}
    for column in COLUMNS[1:]:
        columns[column] = array("q", numbers.integers(1, 10**9, len(ts)).tobytes())
    return encoding.month(columns, dict.fromkeys(COLUMNS, 2))


class Market:
    """A market of two symbols and two months, and what is read of it without a cache."""

    def __init__(self, root: Path, snapshot: Snapshot) -> None:
        self.store, self.snapshot = Watched(root), snapshot
        self.direct = self.read(None)
        self.store.gets = 0

    def read(self, near: years.Near | None) -> Block:
        return reader.read_block(self.store, self.snapshot, SYMBOLS, COLUMNS[1:], FIRST, LAST, near=near)

    def reads_right(self, near: NodeCache) -> bool:
        read = self.read(near)
        return all(read.fields[name].tobytes() == self.direct.fields[name].tobytes() for name in COLUMNS[1:])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    root = tmp_path_factory.mktemp("market")
    changes = {
        symbol: Change({name: month(name, at * 2 + n) for n, name in enumerate(("2021-01", "2021-02"))})
        for at, symbol in enumerate(SYMBOLS)
    }
    return root, publish.publish(FolderStore(root), DATASET, None, changes).snapshot


@pytest.fixture
def market(published: tuple[Path, Snapshot]) -> Market:
    return Market(*published)


class Daemon:
    """A daemon in this process."""

    def __init__(self, folder: Path, store: FolderStore, quota: int | None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.counts = folder, Counts()
        self.tiers = Tiers(folder, quota, self.counts)
        self.tiers.load()
        self.server = Server(("127.0.0.1", 0), Node(store, self.tiers, self.counts), self.tiers, self.counts)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def near(self) -> NodeCache:
        return NodeCache(self.url, self.folder)

    def told(self) -> dict[str, int]:
        connection = http.client.HTTPConnection(*self.server.server_address[:2], timeout=5)  # type: ignore[arg-type]
        connection.request("GET", "/metrics")
        told: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return told

    def decoded(self) -> list[Path]:
        return sorted(path for path in (self.folder / "decoded").rglob("*") if path.is_file())


@contextmanager
def running(folder: Path, store: FolderStore, quota: int | None = 1 << 30) -> Iterator[Daemon]:
    daemon = Daemon(folder, store, quota)
    thread = threading.Thread(target=daemon.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield daemon
    finally:
        daemon.server.shutdown()
        thread.join()
        daemon.server.server_close()
        daemon.server.node.close()


def test_the_second_read_hits_and_asks_s3_for_nothing(tmp_path: Path, market: Market) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        near = daemon.near()
        assert market.reads_right(near)
        assert market.store.gets == 4  # the daemon's
        assert market.reads_right(near)
        assert market.store.gets == 4
        told = daemon.told()
        assert (told["hits"], told["made"], told["fetched"], told["absent"]) == (2, 2, 4, 0)
        assert (told["decoded_files"], told["encoded_files"]) == (2, 4)
        assert told["fetched_bytes"] == told["encoded_bytes"] - 4 * 4  # a checksum each


def test_two_runs_at_once_fetch_a_month_once(tmp_path: Path, market: Market) -> None:
    market.store.before = lambda: time.sleep(0.1)
    with running(tmp_path / "cache", market.store) as daemon, ThreadPoolExecutor(2) as runs:
        assert all(runs.map(market.reads_right, [daemon.near(), daemon.near()]))
        assert market.store.gets == 4


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "swap", "header", "fifo", "link"])
def test_a_harmed_file_is_read_from_s3_and_found_at_the_next_use(tmp_path: Path, market: Market, harm: str) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        near = daemon.near()
        market.read(near)
        damage(daemon.decoded()[0], daemon.decoded()[1], harm)
        assert market.reads_right(near)
        assert market.store.gets == 6  # the sidecar's own
        assert market.reads_right(near)  # doubts: the daemon checks, throws away, makes it again
        assert market.store.gets == 6  # from the encoded tier
        told = daemon.told()
        assert (told["corrupt"], told["decoded"]) == (1, 2)
        gridded.check(daemon.decoded()[0], daemon.decoded()[0].name)


def damage(path: Path, other: Path, how: str) -> None:
    body = bytearray(path.read_bytes())
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
        return
    if how == "link":
        path.symlink_to(other)
        return
    if how == "flip":
        body[len(body) // 2] ^= 1
    elif how == "header":
        body[9] ^= 1
    elif how == "swap":
        body = bytearray(other.read_bytes())
    else:
        body = body[: len(body) // 2 if how == "truncate" else 0]
    path.write_bytes(body)


def test_what_was_harmed_before_the_start_goes_and_is_counted(tmp_path: Path, market: Market) -> None:
    folder = tmp_path / "cache"
    with running(folder, market.store) as daemon:
        market.read(daemon.near())
        damage(daemon.decoded()[0], daemon.decoded()[1], "flip")
        harmed = sorted((folder / "encoded").rglob("??????*"))[1]
        damage(harmed, harmed, "flip")
        (daemon.decoded()[1].parent / ".new-half").write_bytes(b"half")
    with running(folder, market.store) as daemon:
        daemon.tiers.check(threading.Event())
        told = daemon.told()
        assert (told["corrupt"], told["decoded_files"], told["encoded_files"]) == (2, 1, 3)
        assert not list(folder.rglob(".new-*"))
        assert market.reads_right(daemon.near())


@pytest.mark.parametrize("state", ["dead", "silent", "error", "nonsense", "short", "no port"])
def test_a_daemon_that_does_not_answer_is_asked_once(
    tmp_path: Path, market: Market, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MARGIN_S", 0.1)
    monkeypatch.setattr("sidecar.near._WAIT_MS", 100)
    with running(tmp_path / "cache", market.store) as daemon:
        url = daemon.url if state != "no port" else "http://127.0.0.1"
        asked: list[int] = []

        def held(_: object) -> list[bool]:
            asked.append(1)
            if state == "silent":
                time.sleep(0.6)
            elif state == "error":
                raise OSError("broken")
            return [True] * (1 if state == "short" else 0)

        monkeypatch.setattr(daemon.server.node, "held", held)
        if state == "dead":
            daemon.server.socket.close()
        near = NodeCache(url, daemon.folder)
        for _ in range(3):
            assert market.reads_right(near)
        assert len(asked) <= 1
        assert market.store.gets == 12
        if state == "dead":
            daemon.server.socket = type(daemon.server.socket)()  # serve_forever's selector ends with it


def test_a_daemon_that_comes_later_is_found(tmp_path: Path, market: Market) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        url = daemon.url
    near = NodeCache(url, tmp_path / "cache")
    assert market.reads_right(near)
    with running(tmp_path / "cache", market.store) as daemon:
        near._address = near._address._replace(netloc=daemon.url.removeprefix("http://"))
        assert market.reads_right(near)
        assert daemon.told()["requests"] == 0  # the pause is not over
        near._not_before = 0.0
        assert market.reads_right(near)
        assert daemon.told()["made"] == 2


def test_a_slow_s3_makes_the_daemon_answer_what_it_has_and_make_the_rest_later(
    tmp_path: Path, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MOST_WAIT_MS", 50)
    slow, let_go = Watched(market.store.root), threading.Event()
    slow.before = lambda: (let_go.wait(20), None)[1]
    with running(tmp_path / "cache", slow) as daemon:
        assert market.reads_right(daemon.near())
        assert market.store.gets == 4
        assert daemon.told()["absent"] == 2
        let_go.set()
        while daemon.told()["made"] < 2:
            time.sleep(0.01)
        assert market.reads_right(daemon.near())
        assert (market.store.gets, slow.gets) == (4, 4)


def test_a_daemon_that_gives_nothing_three_times_is_not_asked_again(
    tmp_path: Path, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MOST_WAIT_MS", 1)
    slow, let_go = Watched(market.store.root), threading.Event()
    slow.before = lambda: (let_go.wait(20), None)[1]
    with running(tmp_path / "cache", slow) as daemon:
        near = daemon.near()
        for _ in range(5):
            assert market.reads_right(near)
        assert daemon.told()["requests"] == 3 * 2
        let_go.set()


def test_a_damaged_object_is_the_sidecars_to_name(tmp_path: Path, market: Market) -> None:
    class Harmed(Watched):
        def get(self, key: str, version: str | None = None) -> bytes:
            body = super().get(key, version)
            return body[:-100] if key.startswith("crypto-1m/ETH/2021/02") else body

    market.store = Harmed(market.store.root)
    with running(tmp_path / "cache", market.store) as daemon, pytest.raises(DataError, match="ETH 2021-02") as caught:
        market.read(daemon.near())
    assert caught.value.key == "crypto-1m/ETH/2021/02.parquet"
    assert daemon.counts.corrupt == 1


def test_what_is_harmed_in_the_cache_and_gone_from_s3_fails_with_its_name(tmp_path: Path, market: Market) -> None:
    class Gone(Watched):
        gone = False

        def get(self, key: str, version: str | None = None) -> bytes:
            if self.gone and key.startswith("crypto-1m/BTC/2021/01"):
                raise KeyError(key)
            return super().get(key, version)

    market.store = gone = Gone(market.store.root)
    with running(tmp_path / "cache", gone) as daemon:
        near = daemon.near()
        assert market.reads_right(near)
        gone.gone = True
        assert market.reads_right(near)  # the cache has it
        for path in daemon.decoded():
            damage(path, path, "flip")
        with pytest.raises(DataError, match="BTC 2021-01") as caught:
            market.read(near)
        assert caught.value.key == "crypto-1m/BTC/2021/01.parquet"


def test_a_bar_off_the_grid_is_not_laid_down_and_named_by_the_sidecar(tmp_path: Path) -> None:
    root, one = tmp_path / "market", month("2021-01", 1)
    columns = {**one.columns, "ts": array("q", [ts + 1 for ts in one.columns["ts"]])}
    off = Month(columns, one.price_scale, one.volume_scale)
    snapshot = publish.publish(FolderStore(root), DATASET, None, {"BTC": Change({"2021-01": off})}).snapshot
    with running(tmp_path / "cache", FolderStore(root)) as daemon, pytest.raises(DataError, match=r"BTC 2021-01.*grid"):
        reader.read_block(snapshot.store, snapshot, ["BTC"], ["close"], FIRST, FIRST, near=daemon.near())
    assert (daemon.counts.corrupt, daemon.decoded()) == (1, [])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{", b"HTTP/1.1 200 OK\r\n"])
def test_a_daemon_that_hangs_is_waited_for_once(
    tmp_path: Path, market: Market, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.near._MARGIN_S", 0.1)
    monkeypatch.setattr("sidecar.near._WAIT_MS", 100)
    held = []

    def answer(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)  # and never another byte
                connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        near = NodeCache(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path)
        for _ in range(2):
            assert market.reads_right(near)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(held) == 1
    held[0].close()


def test_another_months_object_never_enters_under_a_digest_that_is_not_its_own(tmp_path: Path, market: Market) -> None:
    class Swapped(Watched):
        def get(self, key: str, version: str | None = None) -> bytes:
            other = key.startswith("crypto-1m/ETH/2021/02")
            return super().get("crypto-1m/BTC/2021/02.parquet" if other else key, None if other else version)

    market.store = Swapped(market.store.root)
    with running(tmp_path / "cache", market.store) as daemon, pytest.raises(DataError, match="ETH 2021-02"):
        market.read(daemon.near())
    assert (daemon.counts.corrupt, len(daemon.decoded())) == (1, 1)


def test_the_least_recently_used_leaves_at_80_percent(tmp_path: Path, market: Market) -> None:
    with running(
        tmp_path / "cache", market.store, quota=8_000_000
    ) as daemon:  # a decoded year of two months takes 3.4 MB, an encoded month 1.2 MB
        near = daemon.near()
        for _ in range(2):
            assert market.reads_right(near)
        told = daemon.told()
        assert told["evicted"] > 0
        assert told["encoded_bytes"] + told["decoded_bytes"] <= told["limit_bytes"] == 6_400_000
        assert told["decoded_bytes"] == sum(path.stat().st_size for path in daemon.decoded())


def test_a_year_that_does_not_fit_at_all_is_not_kept(tmp_path: Path, market: Market) -> None:
    with running(tmp_path / "cache", market.store, quota=1_000_000) as daemon:
        assert market.reads_right(daemon.near())
        assert daemon.told()["full"] > 0
        assert not daemon.decoded()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing_costs_no_run(
    tmp_path: Path, market: Market, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with running(tmp_path / "cache", market.store) as daemon:
        monkeypatch.setattr(Shelf, "put", put)
        near = daemon.near()
        for _ in range(2):
            assert market.reads_right(near)
        told = daemon.told()
        assert told["full"] == 2 * 6  # four months and two years, twice: none was there the second time
        assert not daemon.decoded()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small tmpfs")
def test_a_really_full_disk_is_survived(tmp_path: Path, market: Market) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    try:
        with running(folder, market.store, quota=1 << 30) as daemon:  # believes in more than there is
            for _ in range(2):
                assert market.reads_right(daemon.near())
            assert daemon.told()["evicted"] > 0
            for path in daemon.decoded():
                gridded.check(path, path.name)
        damage(path, path, "flip")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with running(folder, market.store, quota=None) as daemon:
            assert market.reads_right(daemon.near())
            assert daemon.told()["corrupt"] == 1  # it cannot go, and is not given to anybody
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_year_that_leaves_while_it_is_read_is_read_whole_or_from_s3(tmp_path: Path, market: Market) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        near, take = daemon.near(), gridded._fill
        market.read(near)

        def late(handle: int, values: Any, offset: int) -> None:
            while daemon.tiers.decoded.remove_oldest():  # after the file was opened
                pass
            take(handle, values, offset)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(gridded, "_fill", late)
            assert market.reads_right(near)
        assert not daemon.decoded()
        assert market.store.gets == 4 + 2  # the second symbol's, which was gone before it was opened


def test_a_daemon_killed_in_the_middle_leaves_whole_files_and_the_run_goes_on(tmp_path: Path, market: Market) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    with started(folder, market.store.root) as (process, url):
        near = NodeCache(url, folder)
        killer = threading.Timer(0.05, process.kill)
        killer.start()
        assert market.reads_right(near)
        killer.join()
        assert market.reads_right(near)
    with started(folder, market.store.root) as (process, url):
        assert market.reads_right(NodeCache(url, folder))
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=10)[1]
    assert process.returncode == 0
    assert json.loads(said.splitlines()[-1])["corrupt"] == 0
    assert not list(folder.rglob(".new-*"))


_DAEMON = """
import sys; from pathlib import Path; from cache import __main__ as cache; from tapedeck.market.store import FolderStore
cache.connect = lambda settings: FolderStore(Path(sys.argv[1]))
sys.exit(cache.main())
"""


@contextmanager
def started(folder: Path, market: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    code = Path(__file__).parents[2] / "container_runner"
    environ = {"MARKET_BUCKET": "m", "CACHE_DIR": str(folder), "CACHE_LISTEN": "127.0.0.1:0", "PYTHONPATH": str(code)}
    command = [sys.executable, "-B", "-c", _DAEMON, str(market)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


@settings(max_examples=15, deadline=None)
@given(
    symbols=st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True),
    fields=st.lists(st.sampled_from(COLUMNS[1:]), min_size=1, unique=True),
    days=st.lists(st.dates(date(2021, 1, 1), date(2021, 2, 28)), min_size=2, max_size=2).map(sorted),
)
def test_what_the_cache_gives_is_what_the_store_gives(
    cached: Daemon, published: tuple[Path, Snapshot], symbols: list[str], fields: list[str], days: list[date]
) -> None:
    root, snapshot = published
    one, other = (
        reader.read_block(FolderStore(root), snapshot, symbols, fields, *days, near=near)
        for near in (cached.near(), None)
    )
    assert list(one.fields) == list(other.fields) == fields
    assert all(one.fields[name].tobytes() == other.fields[name].tobytes() for name in fields)


@pytest.fixture(scope="module")
def cached(published: tuple[Path, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("held") / "cache", FolderStore(published[0])) as daemon:
        yield daemon


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty"])
def test_a_harmed_encoded_file_is_fetched_again_before_any_parser_sees_it(
    tmp_path: Path, market: Market, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "cache", market.store) as daemon:
        market.read(daemon.near())
        path = sorted((daemon.folder / "encoded").rglob("??????*"))[0]
        while daemon.tiers.decoded.remove_oldest():
            pass
        damage(path, path, harm)
        seen: list[int] = []
        decode = encoding.decode
        monkeypatch.setattr(encoding, "decode", lambda body: (seen.append(len(body)), decode(body))[1])
        assert market.reads_right(daemon.near())
        assert seen.count(path.stat().st_size - 4) == 1 and len(seen) == 4
        assert (daemon.told()["corrupt"], market.store.gets) == (1, 5)
