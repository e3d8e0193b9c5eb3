"""The audit's parts: where a run is cut, what counts as the same decision, what is said of a run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tapedeck import audit, laptop, source
from tapedeck.audit.compare import digest, first_difference
from tapedeck.bars import Array
from tapedeck.cli import main
from tapedeck.laptop import Checked
from tapedeck.market.store import FolderStore
from tests.unit import zoo

CHUNKS = [21, 1, 19, 22, 20, 1]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    folder = tmp_path_factory.mktemp("market")
    zoo.publish_market(folder)
    return FolderStore(folder)


@pytest.fixture
def check(data: FolderStore, tmp_path: Path) -> Callable[..., Checked]:
    def checked(body: str, **changes: object) -> Checked:
        path = tmp_path / "mine.py"
        path.write_text(zoo.WEIGHTS.format(body=body, **{**zoo.DAILY, **changes}))
        return laptop.check(path, data)

    return checked


def record(seed: int, decisions: Callable[[int], Array], count: int = 8) -> audit.Record:
    kept = audit.Record(CHUNKS, count, seed)
    for rows in CHUNKS:
        kept.see(decisions(rows), np.zeros((rows, 2), np.bool_))
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_cuts_lie_in_different_chunks_with_a_bar_on_either_side_and_two_hide_only_a_chunks_last(seed: int) -> None:
    cuts = [cut for cut, _ in record(seed, lambda rows: np.zeros((rows, 2))).cuts()]
    assert len(cuts) in (6, 7, 8) and cuts == sorted(set(cuts))
    assert all(1 <= cut.rows < CHUNKS[cut.chunk] for cut in cuts)
    assert len({cut.chunk for cut in cuts}) == 4 or len({cut.chunk for cut in cuts}) == 3
    assert audit.Cut(0, CHUNKS[0] - 1) in cuts
    assert sum(cut.rows == CHUNKS[cut.chunk] - 1 for cut in cuts) >= 2
    assert cuts == [cut for cut, _ in record(seed, lambda rows: np.zeros((rows, 2))).cuts()]


def test_the_one_bar_on_which_a_decision_changes_is_cut_after() -> None:
    def decisions(rows: int) -> Array:
        weights = np.zeros((rows, 2))
        weights[13:, 1] = 0.5 if rows == 22 else 0
        return weights

    assert all(audit.Cut(3, 14) in [cut for cut, _ in record(seed, decisions).cuts()] for seed in range(20))


def test_decisions_are_the_same_whatever_their_nan_is_made_of_and_with_either_zero() -> None:
    other = np.array([[np.nan, 0.0]])
    other.view(np.uint64)[0, 0] |= np.uint64(1 << 63 | 5)
    assert digest(other) == digest(np.array([[np.nan, -0.0]])) != digest(np.array([[0.0, np.nan]]))


def test_the_first_difference_is_the_earliest_bars_and_rounding_is_told_apart() -> None:
    ts, session = np.arange(3, dtype=np.int64), np.arange(3, dtype=np.int32)
    full = np.array([[0.1, np.nan], [0.3, 0.2], [0.5, np.nan]])
    near, far = full.copy(), full.copy()
    near[0, 0] += 1e-17 + 2e-16
    far[0, 0], far[2, 1], far[1, 1] = near[0, 0], 0.0, 0.21
    assert first_difference(full, full.copy(), ts, session, "AB") == (None, False)
    assert first_difference(full, near, ts, session, "AB") == (
        audit.Difference(0, 0, "A", full[0, 0], near[0, 0]),
        False,
    )
    assert first_difference(full, far, ts, session, "AB") == (audit.Difference(1, 1, "B", 0.2, 0.21), True)
    assert first_difference(full, np.nan_to_num(full), ts, session, "AB")[1]


def test_rounding_that_depends_on_the_number_of_rows_is_noted_and_is_no_leak(check: Callable[..., Checked]) -> None:
    verdict = check("return np.nan_to_num(bars.close) / 1000 * (1 + 2.3e-16 * (len(bars) % 2))").verdict
    assert verdict.kind == "audited"
    assert "rounding: on the bar" in verdict.notes()[0] and verdict.warnings() == verdict.notes()


@pytest.mark.parametrize(
    "body",
    [
        "return np.random.default_rng().random(bars.shape)",
        "return np.full(bars.shape, time.perf_counter_ns() % 1e6)",
        "import sys; sys.tapedeck_runs = getattr(sys, 'tapedeck_runs', 0) + 1; return close * 0 + sys.tapedeck_runs",
    ],
)
def test_chance_is_not_repeatable_rather_than_a_leak(check: Callable[..., Checked], body: str) -> None:
    done = check(body)
    assert (done.verdict.kind, done.verdict.causality) == ("unrepeatable", "unchecked")
    assert "2010-06-" in str(done.verdict) and done.warm_up == "not checked"


def test_a_strategy_that_fails_on_less_data_is_not_audited_and_its_line_is_named(check: Callable[..., Checked]) -> None:
    verdict = check("assert len(bars) > 44; return close * 0").verdict
    assert (verdict.kind, verdict.causality) == ("failed", "unchecked")
    assert "AssertionError" in str(verdict) and "line 22 of mine.py" in str(verdict)


@pytest.mark.parametrize(
    ("body", "lookback", "words"),
    [
        ("return (tapedeck.sma(bars.close, 5) > tapedeck.sma(bars.close, 20)) / 3", 20, "sufficient: with 40 bars"),
        ("return (close > close.rolling(20, min_periods=1).mean()) / 3", 8, "too short? on the bar 2010-06-"),
        ("return close.rolling(20).mean() / 1000", 0, "too short? on the bar 2010-06-"),
        ("return tapedeck.ema(bars.close, 5) / 1000", 200, "sufficient: with 400 bars"),
        ("return tapedeck.ema(bars.close, 50) / 1000", 60, "60, 0.00"),
    ],
)  # fmt: skip
def test_twice_the_lookback_shows_a_warm_up_that_is_too_short(
    check: Callable[..., Checked], body: str, lookback: int, words: str
) -> None:
    done = check(body, lookback=lookback)
    assert done.verdict.kind == "audited" and words in done.warm_up, done.warm_up


def test_a_zips_own_modules_start_afresh_in_every_replay_and_its_files_lie_there_once(
    data: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = zoo.WEIGHTS.format(body="import mine_side; return mine_side.count(bars.shape)", **zoo.DAILY)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        packed.writestr("strategy.py", text)
        packed.writestr(
            "mine_side.py", "import numpy as np\nn = 0\ndef count(s):\n global n; n += 1\n return np.full(s, n)"
        )
    path = tmp_path / "mine.zip"
    path.write_bytes(held.getvalue())
    assert laptop.check(path, data).verdict.kind == "audited"
    assert len(list(tmp_path.glob("submission-*"))) == 1
    source.forget()
    assert not list(tmp_path.glob("submission-*"))


@pytest.mark.parametrize(
    ("body", "code"), [("return close.shift(1) > close", 0), ("return close.shift(-1) > close", 1)]
)
def test_the_command_says_what_the_file_is_and_what_the_audit_found(
    data: FolderStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, code: int
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(zoo.WEIGHTS.format(body=body, **zoo.DAILY))
    assert main(["check", str(path), "--data", str(data.root)]) == code
    said = capsys.readouterr().out
    assert said.startswith("Strategy    Mine in mine.py") and len(said.splitlines()) <= 24
    assert ("Look-ahead  audited: 8 replays" if code == 0 else "the strategy looks ahead") in said


def test_an_error_of_the_first_run_is_the_strategys(data: FolderStore, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(zoo.WEIGHTS.format(body="return 1 / 0", **zoo.DAILY))
    with pytest.raises(ZeroDivisionError):
        laptop.check(path, data)
    assert main(["check", str(path), "--data", str(data.root)]) == 1


@pytest.mark.parametrize(("code", "leaves", "says"), [("0", 0, "audited: 8 replays"), ("3", 1, "sys.exit(3)")])
def test_a_script_that_ends_by_exit_is_checked_all_the_same(  # noqa: PLR0917 - fixtures and cases by name
    data: FolderStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, leaves: int, says: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(zoo.MAIN.format(body=f"run.submit((close > 60) / 3); import sys; sys.exit({code})"))
    assert main(["check", str(path), "--data", str(data.root)]) == leaves
    said = capsys.readouterr()
    assert says in (said.out if leaves == 0 else said.err)
