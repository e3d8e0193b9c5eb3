"""Whatever is harmed, in the cache or in the bucket, no run reads it: it is read anew, or named."""

from __future__ import annotations

import threading
from array import array
from pathlib import Path

import pytest

from tapedeck.market import encoding, gridded, publish, reader
from tapedeck.market.encoding import Month
from tapedeck.market.errors import DataError
from tapedeck.market.publish import Change
from tapedeck.market.store import FolderStore
from tests.component.node_cache.daemon import damage, running
from tests.component.node_cache.market import DATASET, FIRST, Market, Watched, month

pytestmark = pytest.mark.usefixtures("nothing_kept")


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


def test_another_months_object_never_enters_under_a_digest_that_is_not_its_own(tmp_path: Path, market: Market) -> None:
    class Swapped(Watched):
        def get(self, key: str, version: str | None = None) -> bytes:
            other = key.startswith("crypto-1m/ETH/2021/02")
            return super().get("crypto-1m/BTC/2021/02.parquet" if other else key, None if other else version)

    market.store = Swapped(market.store.root)
    with running(tmp_path / "cache", market.store) as daemon, pytest.raises(DataError, match="ETH 2021-02"):
        market.read(daemon.near())
    assert (daemon.counts.corrupt, len(daemon.decoded())) == (1, 1)
