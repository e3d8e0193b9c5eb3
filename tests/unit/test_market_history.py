"""The life of snapshots in a folder: listed, named, withdrawn, resolved as of a time, compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tapedeck.market import diff, history, layout, publish, reference, snapshot
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.errors import (
    AmbiguousSnapshotError,
    DataError,
    NameTakenError,
    SnapshotReferenceError,
    UnknownSnapshotError,
    WithdrawnSnapshotError,
)
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.unit.daily_market import DATASET, change, closes, put

DAY = date(2020, 1, 2)
NAME = DATASET.name
Counted = list[str]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def three(store: FolderStore) -> list[Snapshot]:
    """A first state, a correction of it, and one month more."""
    return [
        put(store, {"A": change({DAY: 100}), "B": change({DAY: 1})}),
        put(store, {"A": change({DAY: 200})}),
        put(store, {"A": change({date(2020, 2, 3): 300})}),
    ]


def test_all_snapshots_are_listed_in_one_request_the_newest_first(
    store: FolderStore, three: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counted = []
    real = store.get
    monkeypatch.setattr(store, "get", lambda key, version=None: asked.append(key) or real(key, version))
    listed = history.load(store, NAME).list()
    assert [one.id for one in listed] == [made.id for made in reversed(three)]
    assert asked == [layout.history_key(NAME)]
    assert (listed[0].symbols, listed[0].first_session, listed[0].last_session) == (2, DAY, date(2020, 2, 3))


def test_a_snapshot_is_resolved_by_id_begin_name_and_time(store: FolderStore, three: list[Snapshot]) -> None:
    history.name(store, NAME, three[0].id, "paper-2026")
    at = history.load(store, NAME).published[1][0]
    second = three[1].id
    assert history.resolve(store, NAME) == three[2].id
    assert history.resolve(store, NAME, second) == second
    assert history.resolve(store, NAME, second[:8]) == second
    assert history.resolve(store, NAME, "paper-2026") == three[0].id
    assert history.resolve(store, NAME, f"as_of:{at.isoformat()}") == second
    assert history.resolve(store, NAME, f"as_of:{(at - timedelta(microseconds=1)).isoformat()}") == three[0].id
    with pytest.raises(UnknownSnapshotError, match="published up to 2000"):
        history.resolve(store, NAME, "as_of:2000-01-01T00:00:00Z")
    with pytest.raises(UnknownSnapshotError):
        history.resolve(store, NAME, second[:5])  # too short for the begin of an id
    with pytest.raises(SnapshotReferenceError, match="zone"):
        history.resolve(store, NAME, "as_of:2026-01-01T00:00:00")


def test_what_was_published_again_is_found_at_both_times(store: FolderStore) -> None:
    first = put(store, {"A": change({DAY: 100})})
    second = put(store, {"A": change({DAY: 200})})
    assert put(store, {"A": change({DAY: 100})}).id == first.id
    times = [when for when, _ in history.load(store, NAME).published]
    found = [history.resolve(store, NAME, f"as_of:{when.isoformat()}") for when in times]
    assert found == [first.id, second.id, first.id]
    assert len(history.load(store, NAME).list()) == 2


def test_the_begin_of_two_ids_names_neither(store: FolderStore) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    two = [history.Listed("abcdef" + end * 58, 1, DAY, DAY, at) for end in "01"]
    assert reference.the_one("abcdef0", NAME, reference.matching("abcdef0", two)) is two[0]
    with pytest.raises(AmbiguousSnapshotError, match="abcdef000000, abcdef111111"):
        reference.the_one("abcdef", NAME, reference.matching("abcdef", two))


@pytest.mark.parametrize("name", ["latest", "", "deadbeef", "as_of:2026", "UPPER", "a b", "é", "-a", "x" * 65])
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(SnapshotReferenceError):
        reference.check_name(name)


def test_a_name_belongs_to_one_snapshot_until_it_is_taken_away(store: FolderStore, three: list[Snapshot]) -> None:
    history.name(store, NAME, three[0].id, "golden")
    with pytest.raises(NameTakenError, match=three[0].id):
        history.name(store, NAME, three[1].id, "golden")
    history.name(store, NAME, three[0].id, None)
    history.name(store, NAME, three[1].id, "golden")
    assert history.resolve(store, NAME, "golden") == three[1].id


def test_a_withdrawn_snapshot_is_read_by_those_who_pinned_it_and_resolved_by_nobody(
    store: FolderStore, three: list[Snapshot]
) -> None:
    bad = three[2]
    published = history.load(store, NAME).published[2][0]
    history.withdraw(store, NAME, bad.id, "a wrong month")
    history.withdraw(store, NAME, bad.id, "said again")
    assert history.resolve(store, NAME) == three[1].id
    assert history.resolve(store, NAME, f"as_of:{published.isoformat()}") == three[1].id
    for text in (bad.id, bad.id[:10]):
        with pytest.raises(WithdrawnSnapshotError, match="a wrong month"):
            history.resolve(store, NAME, text)
    assert closes(store, snapshot.load(store, NAME, bad.id), "A")[date(2020, 2, 3)] == 3.02 + 0.01


def test_what_is_published_after_a_withdrawal_is_not_built_on_what_was_withdrawn(
    store: FolderStore, three: list[Snapshot]
) -> None:
    history.withdraw(store, NAME, three[2].id, "a wrong month")
    made = put(store, {"B": change({date(2020, 3, 2): 7})})
    assert "2020-02" not in made.leaf("A").months
    with pytest.raises(WithdrawnSnapshotError):
        publish.publish(store, DATASET, three[1], {"A": change({date(2020, 2, 3): 300})})


def test_when_all_is_withdrawn_the_next_publication_starts_from_nothing(store: FolderStore) -> None:
    only = put(store, {"A": change({DAY: 100})})
    history.withdraw(store, NAME, only.id, "all wrong")
    assert snapshot.latest(store, NAME) is None
    with pytest.raises(UnknownSnapshotError):
        history.resolve(store, NAME)
    made = put(store, {"B": change({DAY: 5})})
    assert made.symbols == ("B",)
    assert history.resolve(store, NAME) == made.id


def test_a_folder_from_before_the_index_still_resolves(store: FolderStore) -> None:
    only = put(store, {"A": change({DAY: 100})})
    (store.root / layout.history_key(NAME)).unlink()
    assert history.resolve(store, NAME) == history.resolve(store, NAME, only.id) == only.id
    history.name(store, NAME, only.id, "old")
    assert history.resolve(store, NAME, "old") == only.id


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"snapshot": "12', b'{"published": [], "snapshots": [1]}'])
@pytest.mark.parametrize("part", [layout.latest_key, layout.history_key])
def test_a_damaged_pointer_or_index_is_named_and_nothing_is_built_on_it(
    store: FolderStore, three: list[Snapshot], part: Callable[[str], str], body: bytes
) -> None:
    """An empty index would be one without withdrawals."""
    (store.root / part(NAME)).write_bytes(body)
    for fails in (
        lambda: history.resolve(store, NAME),
        lambda: put(store, {"A": change({DAY: 7})}),
        lambda: history.withdraw(store, NAME, three[-1].id, "bad"),
    ):
        with pytest.raises(DataError) as raised:
            fails()
        assert raised.value.key == part(NAME)
    assert (store.root / part(NAME)).read_bytes() == body


def test_a_diff_tells_symbols_months_and_actions(store: FolderStore) -> None:
    split, other = Split("A", DAY, 2.0), Split("A", DAY, 3.0)
    paid, renamed = Dividend("A", DAY, 0.25), ((DAY, "OLD"),)
    old = put(store, {"A": change({DAY: 100, date(2020, 3, 2): 1}, splits=(split,)), "B": change({DAY: 1})})
    new = put(
        store,
        {
            "A": change({DAY: 200, date(2020, 2, 3): 3}, splits=(other,), dividends=(paid,), names=renamed),
            "B": change({DAY: 1}),
            "C": change({DAY: 9}),
        },
    )
    forth, back = diff.diff(old, new), diff.diff(new, old)
    assert (forth.added, forth.removed, forth.changed) == (("C",), (), ("A",))
    assert (back.added, back.removed, back.changed) == ((), ("C",), ("A",))
    a = forth.symbols["A"]
    assert a.months == diff.Months(added=("2020-02",), removed=(), changed=("2020-01",))
    assert (a.added.splits, a.added.dividends, a.added.names) == ((other,), (paid,), renamed)
    assert (a.removed.splits, a.removed.dividends, a.removed.names) == ((split,), (), ())
    assert back.symbols["A"].months == diff.Months(added=(), removed=("2020-02",), changed=("2020-01",))
    assert diff.diff(old, new, 0).symbols == {}
    assert diff.diff(new, new) == diff.Diff(new.id, new.id, (), (), ())


def test_a_change_of_actions_alone_is_a_change_of_the_symbol(store: FolderStore) -> None:
    old = put(store, {"A": change({DAY: 100})})
    new = put(store, {"A": Change(dividends=(Dividend("A", DAY, 0.5),))})
    found = diff.diff(old, new).symbols["A"]
    assert found.months == diff.Months((), (), ())
    assert found.added.dividends == (Dividend("A", DAY, 0.5),)
