"""The cache keeps what was used last, and a disk that is full or broken costs no run."""

from __future__ import annotations

import errno
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest

from cache.counts import Counts
from cache.shelf import Shelf
from cache.tiers import Tiers
from tapedeck.market import gridded
from tests.component.node_cache.daemon import damage, running
from tests.component.node_cache.market import Market

pytestmark = pytest.mark.usefixtures("nothing_kept")


def test_the_least_recently_used_leaves_at_80_percent(tmp_path: Path, market: Market) -> None:
    quota = 8_000_000  # bytes; a decoded year of two months takes 3.4 MB, an encoded month 1.2 MB
    with running(tmp_path / "cache", market.store, quota) as daemon:
        near = daemon.near()
        for _ in range(2):
            assert market.reads_right(near)
        told = daemon.told()
        assert told["evicted"] > 0
        assert told["encoded_bytes"] + told["decoded_bytes"] <= told["limit_bytes"] == 6_400_000
        assert told["decoded_bytes"] == sum(path.stat().st_size for path in daemon.decoded())


def test_two_files_that_are_written_at_once_have_room_for_both_or_one_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = Tiers(tmp_path, 1000, Counts())  # of which 800 may be used
    both, put = Barrier(2), Shelf.put

    def together(shelf: Shelf, digest: str, body: bytes) -> None:
        with suppress(BrokenBarrierError):
            both.wait(1)
        put(shelf, digest, body)

    monkeypatch.setattr(Shelf, "put", together)
    with ThreadPoolExecutor(2) as pool:
        kept = list(pool.map(lambda digit: tiers.keep(tiers.decoded, digit * 64, bytes(500)), "ab"))
    assert sorted(kept) == [False, True]
    assert tiers.decoded.held == 500
    assert tiers.keep(tiers.encoded, "c" * 64, bytes(300))  # what was promised to them is free again


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
