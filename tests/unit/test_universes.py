"""Universes: named lists of symbols, part of a snapshot, from a drop, by the command line, in runs and queries."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

import tapedeck
from tapedeck.cli import main
from tapedeck.laptop.run import prepare
from tapedeck.market import diff, history, layout, publish, snapshot
from tapedeck.market.errors import DataError, MarketError, UniverseError, UnknownUniverseError
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop
from tapedeck.market.vendor.accept import accept
from tapedeck.submission import SubmissionError
from tests.unit.daily_market import DATASET, change, put

JANUARY, MARCH = date(2020, 1, 2), date(2020, 3, 2)
NAME = DATASET.name


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Three symbols in January, a fourth from March on."""
    store = FolderStore(tmp_path / "market")
    old = {symbol: change({JANUARY: 100, MARCH: 110}) for symbol in ("AAPL", "IBM", "MSFT")}
    put(store, old | {"NEW": change({MARCH: 100})})
    return store


def listed(store: FolderStore, name: str, *symbols: str) -> snapshot.Snapshot:
    base = snapshot.load(store, NAME, history.resolve(store, NAME))
    return publish.publish(store, DATASET, base, {}, {name: symbols}).snapshot


def test_a_universe_is_part_of_the_snapshot_and_its_content_of_the_id(store: FolderStore, tmp_path: Path) -> None:
    bare = snapshot.load(store, NAME, history.resolve(store, NAME))
    tech = listed(store, "tech", "MSFT", "AAPL", "MSFT")
    assert tech.universe("tech") == ("AAPL", "MSFT")
    assert tech.universe("*") == ("AAPL", "IBM", "MSFT", "NEW")
    assert tech.id != bare.id
    assert listed(store, "tech", "AAPL", "MSFT").id == tech.id  # the same list is the same snapshot
    more = listed(store, "tech", "AAPL", "MSFT", "IBM")
    assert snapshot.load(store, NAME, tech.id).universe("tech") == ("AAPL", "MSFT")  # the old one reads the old list
    publish.publish(store, DATASET, more, {}, {"tech": None})
    assert history.resolve(store, NAME) == bare.id
    other = FolderStore(tmp_path / "other")
    base = put(other, {"NEW": change({MARCH: 100})})
    old = {symbol: change({JANUARY: 100, MARCH: 110}) for symbol in ("MSFT", "IBM", "AAPL")}
    assert publish.publish(other, DATASET, base, old, {"tech": ("AAPL", "MSFT")}).snapshot.id == tech.id


def test_bars_that_come_later_keep_the_universes(store: FolderStore) -> None:
    listed(store, "tech", "AAPL")
    assert put(store, {"IBM": change({JANUARY: 200})}).universe("tech") == ("AAPL",)


@pytest.mark.parametrize(
    ("name", "symbols", "says"),
    [
        ("tech", ("APPL",), "no bars of APPL. Did you mean 'AAPL'?"),
        ("tech", ("AAPL", "X", "Y"), "no bars of X and 1 more"),
        ("tech", (), "names no symbol"),
        ("TECH", ("AAPL",), "no universe's name"),
        ("*", ("AAPL",), "no universe's name"),
    ],
)
def test_a_list_that_cannot_be_is_refused(store: FolderStore, name: str, symbols: tuple[str, ...], says: str) -> None:
    before = history.resolve(store, NAME)
    with pytest.raises(UniverseError, match=re.escape(says)):
        listed(store, name, *symbols)
    assert history.resolve(store, NAME) == before


def test_an_unknown_universe_suggests_the_nearest(store: FolderStore) -> None:
    at = listed(store, "tech", "AAPL")
    with pytest.raises(UnknownUniverseError, match=r"no universe 'tehc'\. Did you mean 'tech'"):
        at.universe("tehc")
    with pytest.raises(UnknownUniverseError, match=r"there are: \*, tech"):
        at.universe("bonds")


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_list_is_named_by_its_key(store: FolderStore, damage: str) -> None:
    at = listed(store, "tech", "AAPL")
    path = store.root / layout.snapshot_universe_key(NAME, at.universes["tech"].digest)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"AAPL", b"MSFT"))
    with pytest.raises(DataError, match="universe 'tech'") as raised:
        at.universe("tech")
    assert raised.value.key == path.relative_to(store.root).as_posix()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("universes/tech.csv", "symbol\nMSFT\naapl\n"),
        ("universes/tech.txt", "# mine\nAAPL\n\nMSFT\nAAPL\n"),
        ("universes/tech.csv", "ticker,weight\nAAPL,1\nMSFT,2\n"),
    ],
)
def test_a_drop_sets_a_universe(store: FolderStore, path: str, text: str) -> None:
    reading = drop.read(DATASET, path, text.encode())
    assert reading.problems.shown == []
    at = accept(store, reading).snapshot
    assert at.universe("tech") == ("AAPL", "MSFT")


def test_a_wrong_line_of_a_list_is_named() -> None:
    (problem,) = drop.read(DATASET, "universes/tech.csv", b"symbol\nAAPL\nA/B\n").problems.shown
    assert (problem.file, problem.line, problem.code) == ("universes/tech.csv", 3, "symbol")
    (problem,) = drop.read(DATASET, "universes/Tech!.csv", b"AAPL\n").problems.shown
    assert problem.code == "name"
    assert drop.read(DATASET, "tech.txt", b"AAPL\n").problems.shown[0].code == "format"


def test_a_diff_tells_who_came_and_who_left(store: FolderStore) -> None:
    one, two = listed(store, "tech", "AAPL", "IBM"), listed(store, "tech", "AAPL", "MSFT")
    found = diff.diff(one, two)
    assert found.universes == {"tech": diff.Members(("MSFT",), ("IBM",))}
    assert (found.added, found.removed, found.changed) == ((), (), ())
    assert diff.as_json(found)["universes"] == {"tech": {"added": ["MSFT"], "removed": ["IBM"]}}


STRATEGY = """
# /// backtest
# dataset = "equities-1d"
# symbols = "tech"
# start = 2020-01-02
# end = 2020-01-31
# ///
from tapedeck import Strategy

class Mine(Strategy):
    def weights(self, bars):
        return bars.close * 0
"""


def test_a_run_on_a_laptop_takes_those_with_bars_in_its_dates(store: FolderStore, tmp_path: Path) -> None:
    listed(store, "tech", "MSFT", "NEW", "AAPL")
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY)
    assert prepare(path, store, {}).market.symbols == ("AAPL", "MSFT")
    path.write_text(STRATEGY.replace('"tech"', '"*"'))
    assert prepare(path, store, {}).market.symbols == ("AAPL", "IBM", "MSFT")
    path.write_text(STRATEGY.replace('"tech"', '"teck"'))
    with pytest.raises(SubmissionError, match="Did you mean 'tech'"):
        prepare(path, store, {})


def test_bars_of_a_universe(store: FolderStore) -> None:
    listed(store, "tech", "MSFT", "AAPL")
    asked = {"start": JANUARY, "end": JANUARY, "dataset": NAME, "data": store}
    assert tapedeck.bars("tech", **asked).symbols == ("AAPL", "MSFT")
    assert tapedeck.bars("IBM", **asked).symbols == ("IBM",)
    with pytest.raises(MarketError, match="Did you mean 'tech'"):
        tapedeck.bars("tec", **asked)


def test_the_command_line_sets_lists_and_removes_universes(
    store: FolderStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text("MSFT\nAAPL\n")
    where = ["--dataset", NAME, "--data", str(store.root)]
    assert main(["data", "universe", "tech", str(tmp_path / "list.txt"), *where]) == 0
    made = capsys.readouterr().out.split()[-1]
    assert main(["data", "universe", "tech", *where]) == 0
    assert capsys.readouterr().out == "AAPL\nMSFT\n"
    assert main(["data", "show", "latest", *where]) == 0
    assert "universe tech: 2 symbols" in capsys.readouterr().out
    assert main(["data", "universe", "tech", "--remove", *where]) == 0
    assert main(["data", "universe", "tech", *where]) == 2
    assert "has no universe 'tech'" in capsys.readouterr().err
    assert main(["data", "universe", "tech", "--snapshot", made[:8], *where]) == 0  # the old snapshot has it
    (tmp_path / "list.txt").write_text("MSFT\nAPPL\n")
    assert main(["data", "universe", "tech", str(tmp_path / "list.txt"), *where]) == 2
    assert "Did you mean 'AAPL'" in capsys.readouterr().err
