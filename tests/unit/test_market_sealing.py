"""Sealed years hold what the months hold, change no id, and are named only when they are whole."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.cli import main
from tapedeck.market import encoding, layout, sealing, snapshot, year_file
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.errors import EncodingError, UnknownSymbolError
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.unit.closed_years import DATASET, market, month

pytestmark = pytest.mark.usefixtures("nothing_kept")


def again(store: FolderStore, at: Snapshot) -> Snapshot:
    return snapshot.load(store, at.dataset, at.id)


def names(at: Snapshot, symbol: str) -> list[str]:
    leaf = at.leaf(symbol)
    return [name for name in ("2019", "2020", "2021") if leaf.sealed_year(name)]


def digests(at: Snapshot, symbol: str, year: str) -> dict[str, str]:
    return {name: ref.digest for name, ref in at.leaf(symbol).year(year).items()}


def objects(store: FolderStore) -> list[Path]:
    return sorted(store.root.glob("sealed/**/*.parquet"))


def test_closed_years_become_an_object_a_symbol_and_no_id_changes(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    before = {symbol: entry.leaf for symbol, entry in at.entries.items()}
    assert sealing.seal(store, at) == sealing.Outcome(now=3)
    sealed = again(store, at)
    assert (sealed.id, {symbol: entry.leaf for symbol, entry in sealed.entries.items()}) == (at.id, before)
    assert snapshot.latest(store, DATASET.name) == at.id
    assert names(sealed, "AAPL") == ["2019", "2020"]
    assert names(sealed, "IBM") == ["2020"]
    assert [path.parts[-4:-1] for path in objects(store)] == [
        ("equities-1d", "AAPL", "2019"),
        ("equities-1d", "AAPL", "2020"),
        ("equities-1d", "IBM", "2020"),
    ]
    for symbol in ("AAPL", "IBM"):
        leaf = sealed.leaf(symbol)
        body = store.get(layout.sealed_key(DATASET.name, symbol, "2020", leaf.content_of("2020")))
        assert list(year_file.checked(body, digests(sealed, symbol, "2020"))) == list(leaf.year("2020"))


def test_sealing_again_does_nothing_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    turns = iter([True, False, False])
    assert sealing.seal(store, at, ["AAPL"], go_on=lambda: next(turns)) == sealing.Outcome(now=1, left=1)
    assert names(again(store, at), "AAPL") == ["2019"]
    assert sealing.seal(store, again(store, at)) == sealing.Outcome(now=2, before=1)
    before = {path: path.stat().st_mtime_ns for path in objects(store)}
    assert sealing.seal(store, again(store, at)) == sealing.Outcome(before=3)
    assert {path: path.stat().st_mtime_ns for path in objects(store)} == before


def test_what_was_stored_and_not_named_is_checked_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "_name", _killed)
        with pytest.raises(KeyboardInterrupt):
            sealing.seal(store, at, ["IBM"])
    assert names(again(store, at), "IBM") == []
    (path,) = objects(store)
    made = path.stat().st_mtime_ns
    assert sealing.seal(store, again(store, at), ["IBM"]).now == 1
    assert path.stat().st_mtime_ns == made
    assert names(again(store, at), "IBM") == ["2020"]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_damaged_object_of_an_interrupted_sealing_is_made_anew(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    key = layout.sealed_key(DATASET.name, "IBM", "2020", at.leaf("IBM").content_of("2020"))
    store.put(key, b"half of a file")
    assert sealing.seal(store, at, ["IBM"]).now == 1
    year_file.checked(store.get(key), digests(at, "IBM", "2020"))


def test_a_check_makes_anew_what_is_gone_or_damaged(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    sealing.seal(store, at)
    one, other, third = objects(store)
    bodies = [path.read_bytes() for path in (one, other, third)]
    one.write_bytes(bodies[0][:-1])
    other.unlink()
    assert sealing.seal(store, again(store, at)) == sealing.Outcome(before=3)
    assert sealing.seal(store, again(store, at), check=True) == sealing.Outcome(now=2, before=1)
    assert [path.read_bytes() for path in objects(store)] == bodies
    assert sealing.seal(store, again(store, at), check=True) == sealing.Outcome(before=3)


def test_a_year_is_named_only_after_every_month_had_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    honest = year_file.encode
    swapped = month("2020-04")
    monkeypatch.setattr(
        year_file, "encode", lambda read: honest({n: swapped if n == "2020-03" else read[n] for n in read})
    )
    done = sealing.seal(store, at, ["AAPL"])
    assert done.now == 1
    assert "AAPL 2020" in done.problems[0]
    assert names(again(store, at), "AAPL") == ["2019"]


def test_a_damaged_month_is_told_and_seals_nothing_of_its_year(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    for path in (store.root / ".versions/equities-1d/AAPL/2020/05.parquet").iterdir():
        path.write_bytes(encoding.encode(month("2020-05", 1)))
    done = sealing.seal(store, at)
    assert (done.now, len(done.problems)) == (2, 1)
    assert "AAPL 2020-05 (equities-1d/AAPL/2020/05.parquet)" in done.problems[0]


def test_a_correction_leaves_its_year_unsealed_and_the_old_snapshots_year_alone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    old = market(store)
    sealing.seal(store, old)
    new = market(store, {"AAPL": {"2020-06": month("2020-06", 777)}})
    assert new.id != old.id
    assert names(again(store, new), "AAPL") == ["2019"]
    assert names(again(store, old), "AAPL") == ["2019", "2020"]
    assert names(again(store, new), "IBM") == ["2020"]  # its leaf is shared
    kept = {path: path.read_bytes() for path in objects(store)}
    assert sealing.seal(store, again(store, new)).now == 1
    assert names(again(store, new), "AAPL") == ["2019", "2020"]
    assert {path: path.read_bytes() for path in kept} == kept
    assert len(objects(store)) == len(kept) + 1


def test_a_side_index_that_names_another_years_content_names_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    sealing.seal(store, at)
    leaf = again(store, at).leaf("AAPL")
    other = dict(leaf.months) | {"2020-01": leaf.months["2020-02"]}
    assert type(leaf)(leaf.symbol, other, places=leaf.places, sealed=leaf.sealed).sealed_year("2020") is None


def test_others_that_name_years_meanwhile_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    at = market(store)
    swap: Callable[..., bool] = store.swap
    first: list[int] = []

    def interrupted(key: str, body: bytes, expected: bytes | None) -> bool:
        if not first:
            first.append(1)
            sealing.seal(FolderStore(tmp_path), again(store, at), ["AAPL"])
        return swap(key, body, expected)

    monkeypatch.setattr(store, "swap", interrupted)
    sealing.seal(store, at, ["AAPL"])
    assert names(again(store, at), "AAPL") == ["2019", "2020"]


def test_the_last_session_closes_the_year(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    at = market(store, {"AAPL": {name: month(name) for name in ("2019-11", "2019-12")}})
    assert sealing.seal(store, at).now == 1
    other = FolderStore(tmp_path / "other")
    whole = month("2019-12")
    short = Month({name: whole.columns[name][:-1] for name in COLUMNS}, whole.price_scale, whole.volume_scale)
    assert sealing.seal(other, market(other, {"AAPL": {"2019-12": short}})) == sealing.Outcome()


def test_an_unknown_symbol_is_named(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(UnknownSymbolError, match="MSFT"):
        sealing.seal(store, market(store), ["MSFT"])


def test_the_command_line_seals_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market(FolderStore(tmp_path))
    command = ["data", "seal", "--dataset", DATASET.name, "--data", str(tmp_path)]
    assert main(command) == 0
    assert "3 years sealed, 0 were; 0 could not be" in capsys.readouterr().out
    assert main(command) == 0
    assert "0 years sealed, 3 were" in capsys.readouterr().out


COUNT = st.integers(1, 3)
VALUES = st.integers(-(2**40), 2**40)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(COUNT, st.integers(0, 3), st.integers(0, 2), VALUES), min_size=1, max_size=12))
def test_months_of_any_scales_come_back_from_a_year_as_they_were(kinds: list[tuple[int, int, int, int]]) -> None:
    held = {}
    for number, (rows, price, volume, value) in enumerate(kinds, 1):
        columns = {name: array("q", [value + at * row for row in range(rows)]) for at, name in enumerate(COLUMNS)}
        scales = dict.fromkeys(COLUMNS[1:5], price) | {"volume": volume}
        held[f"2020-{number:02}"] = encoding.month(columns, scales)
    body, wanted = year_file.encode(held), {name: encoding.digest(one) for name, one in held.items()}
    assert year_file.checked(body, wanted) == held
    some = sorted(held)[::2]
    narrow = year_file.decode(body, some, ("ts", "close"), narrow=True)
    assert list(narrow.columns) == ["ts", "close"]
    expected = [v / 10 ** held[name].price_scale for name in some for v in held[name].columns["close"]]
    assert [v / 10**narrow.price_scale for v in narrow.columns["close"]] == expected
    for others in ({"2020-01": "0" * 64}, {"2021-01": wanted["2020-01"]}):
        with pytest.raises(EncodingError):
            year_file.checked(body, wanted | others)
    with pytest.raises(EncodingError):
        year_file.checked(encoding.encode(held["2020-01"]), {})  # a month's file
