"""A run on market data that is gone, cut short or not its snapshot's ends as DATA, with symbol, month and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tapedeck.market import layout
from tapedeck.market.errors import StoreError
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.component.pod.halves import Pod, manifest, publish_market
from tests.component.pod.honest import HONEST

Damage = Callable[[Path], None]


def gone(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def overwritten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """Change a digit or a bit in the middle."""
    body = bytearray(path.read_bytes())
    at = len(body) // 2
    at = next((n for n in range(at, len(body)) if chr(body[n]) in "123456789"), at)
    body[at] ^= 1
    path.write_bytes(bytes(body))


def another(path: Path) -> None:
    """Put another month's bytes there, which are whole and not the ones."""
    path.write_bytes(_only(path.parents[1] / "06.parquet").read_bytes())


def _only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def places(root: Path, snapshot: Snapshot) -> dict[str, tuple[Path, str]]:
    """Return where the bytes of a month, a leaf and the root lie, and their keys."""
    month = layout.month_name_key(snapshot.dataset, "IBM", "2020-05")
    leaf = layout.snapshot_leaf_key(snapshot.dataset, snapshot.entries["IBM"].leaf)
    top = layout.snapshot_root_key(snapshot.dataset, snapshot.id)
    version = root / ".versions" / month
    return {"month": (_only(version), month), "leaf": (root / leaf, leaf), "root": (root / top, top)}


@pytest.mark.parametrize(
    ("part", "damage", "says"),
    [
        ("month", gone, "the object is gone"),
        ("month", cut, "is no file of bars"),
        ("month", overwritten, "is no file of bars"),
        ("month", empty, "is no file of bars"),
        ("month", flipped, ""),
        ("month", another, "does not have the snapshot's digest"),
        ("leaf", gone, "the snapshot's leaf is gone"),
        ("leaf", flipped, "the snapshot's leaf does not"),
        ("root", gone, "has no snapshot"),
        ("root", flipped, "the snapshot's root does not have its digest"),
    ],
)
def test_damage_is_data_with_symbol_month_and_key(tmp_path: Path, part: str, damage: Damage, says: str) -> None:
    store = FolderStore(tmp_path / "market")
    seed = f"{part} {damage.__name__}: months are kept in memory by their content"
    snapshot = publish_market(store, seed=seed)
    path, key = places(store.root, snapshot)[part]
    damage(path)
    pod = Pod(tmp_path / "pod")
    last = pod.run(manifest(snapshot.id, HONEST), HONEST)
    assert last["type"] == "FAILED"
    told = last["failure"]
    assert told and told["kind"] == "DATA", told
    expected = {"month": ("IBM", "2020-05"), "leaf": ("IBM",), "root": ()}[part]
    for word in (*expected, key, says):
        assert word in told["message"]


class Silent(FolderStore):
    """A store that gives no answer about a month, however often it is asked."""

    def get(self, key: str, version: str | None = None) -> bytes:
        if key.endswith("IBM/2020/05.parquet"):
            raise StoreError(f"S3 did not give {key} in 5 tries: 503")
        return super().get(key, version)


def test_a_store_that_never_answers_is_the_platforms_fault_and_is_named(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "market")
    snapshot = publish_market(store, seed="silent: months are kept in memory by their content")
    pod = Pod(tmp_path / "pod")
    pod.market = Silent(store.root)
    told = pod.run(manifest(snapshot.id, HONEST), HONEST)["failure"]
    assert told and told["kind"] == "PLATFORM"
    assert "IBM 2020-05: S3 did not give" in told["message"]
