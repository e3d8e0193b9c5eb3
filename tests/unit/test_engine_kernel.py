"""The compiled pass gives the bytes of the reference in Python, however bars lie in memory and are cut."""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections import ChainMap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck import compiled
from tapedeck.engine import EngineError, EngineSettings, EngineState, core, fills, kernel, plan, start, step
from tapedeck.engine.settings import SizeError
from tests.unit.random_bars import cut, market, weights
from tests.unit.small_bars import FREE, Block, block, run

DRAWN: dict[str, tuple[Any, ...]] = {
    "cash": (1_000_000.0, 50.0),
    "accounts": ("one", "sleeves"),
    "size_at": ("decision", "fill"),
    "rebalance": ("change", "day", "month"),
    "leverage": (1.0, 1.3, 4.0),
    "fractional": (True, False),
    "lot_size": (0.0, 0.0, 0.01, 10.0),
    "commission_bps": (0.0, 5.0, 900.0),
    "commission_per_share": (0.0, 0.01),
    "commission_minimum": (0.0, 0.0, 1.0, 5000.0),
    "slippage_bps": (0.0, 2.0),
    "half_spread_per_share": (0.0, 0.02, 30.0),
    "impact_bps": (0.0, 50.0, 10_000.0),
    "volume_cap": (0.0, 0.001, 0.1, 1.0),
    "halt_zero_volume": (False, True),
    "borrow_fee_annual": (0.0, 0.03, 10.0),
    "interest_credit_annual": (0.0, 0.02, 10.0),
    "interest_debit_annual": (0.0, 0.07, 10.0),
    "maintenance_margin": (0.0, 0.5, 1.0),
}
"""What each setting is drawn from; the margin is a fraction of the most that the leverage leaves."""


def made_of(drawn: dict[str, Any]) -> EngineSettings:
    """Return the settings that are nearest to what was drawn and do not exclude each other."""
    fractional = drawn["fractional"] or drawn["lot_size"] == 0.01
    margin = drawn["maintenance_margin"] / drawn["leverage"]
    return EngineSettings(**{**drawn, "fractional": fractional, "maintenance_margin": margin})


COSTLY = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in DRAWN.items()}).map(made_of)
MODELS: list[dict[str, Any]] = [
    {"commission_minimum": 1.0},
    {"impact_bps": 50.0},
    {"volume_cap": 0.1},
    {"halt_zero_volume": True},
    {"borrow_fee_annual": 0.05},
    {"interest_credit_annual": 0.02, "interest_debit_annual": 0.06},
    {"maintenance_margin": 0.5},
]
ORDERS = ("C", "F", "row slice", "reversed", "unaligned")


@pytest.fixture(autouse=True, scope="module")
def _built() -> None:
    if compiled.library() is None:
        pytest.fail("the engine is not compiled: run `make kernel`")


def laid_out(array: Any, order: str) -> Any:
    """Return the same values with other strides."""
    if order == "row slice":
        padded = np.asfortranarray(np.vstack([np.full((3, array.shape[1]), 7.0), array, array]))
        return padded[3 : 3 + len(array)]
    if order == "reversed":
        return np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    if order == "unaligned":  # so that a copy has to be made, which has to live as long as the pass
        return np.frombuffer(b"x" + array.tobytes(), offset=1, dtype=np.float64).reshape(array.shape)
    return np.array(array, order=order)  # type: ignore[call-overload]


def wild(seed: int, shape: tuple[int, int]) -> Any:
    """Return weights that change often, drift, repeat, and hold both zeros."""
    rng = np.random.default_rng(seed)
    made = np.where(rng.random(shape) < 0.5, rng.normal(0, 0.7, shape), rng.choice([0.0, -0.0, 0.5, 1.0, 3.0], shape))
    made[rng.random(shape) < rng.choice([0.0, 0.5, 0.95])] = np.nan
    return made


def huge(seed: int, shape: tuple[int, int]) -> Any:
    """Return weights at the ends of what a float can be, as somebody hostile decides."""
    rng = np.random.default_rng(seed)
    return rng.choice([1e300, -1e300, 1.7e308, 5e-324, -0.0, 1.0, 1e18, np.nan], shape)


def traded(seed: int, shape: tuple[int, int]) -> Any:
    """Return volumes as markets and vendors have them: none, unknown, parts of a share, many."""
    rng = np.random.default_rng(seed)
    return rng.choice([0.0, np.nan, 0.37, 90.0, 1e3, 12_345.0, 4e4, 4e4], shape)


def assert_equal(state: EngineState, done: Any, reference: EngineState, expected: core.StepResult) -> None:
    assert done.calls == expected.calls
    assert done.fills.to_bytes() == expected.fills.to_bytes()
    for values, name in zip(done.values, ("equity", "net", "gross"), strict=True):
        assert values.tobytes() == getattr(expected, name).tobytes(), name
    for name in ("cash", "shares", "basis", "target", "pending", "unsized", "decided", "mark", "accrued", "carried"):
        assert getattr(state, name).tobytes() == getattr(reference, name).tobytes(), name


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 100_000),
    width=st.integers(1, 5),
    per_session=st.sampled_from([1, 3]),
    gaps=st.sampled_from([0.0, 0.2, 0.7]),
    options=COSTLY,
    made=st.sampled_from([weights, wild, huge]),
    orders=st.tuples(*[st.sampled_from(ORDERS)] * 4),
    cuts=st.lists(st.integers(0, 120), max_size=5),
)
def test_the_compiled_pass_gives_the_references_bytes(  # noqa: PLR0917 - hypothesis names them
    seed: int,
    width: int,
    per_session: int,
    gaps: float,
    options: EngineSettings,
    made: Any,
    orders: tuple[str, ...],
    cuts: list[int],
) -> None:
    bars, splits, dividends = market(seed, 120, width, per_session, gaps)
    bars.fields["volume"] = traded(seed, (120, width))
    targets = made(seed, (120, width))
    ours, reference = (start(bars.symbols, options, splits, dividends) for _ in range(2))
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 120], strict=True):
        part = cut(bars, first, last)
        try:
            expected = core.by_books(reference, part, targets[first:last])
        except SizeError:
            with pytest.raises(SizeError, match="is too large"):
                step(ours, part, targets[first:last])
            return
        fields = {name: laid_out(part.fields[name], order) for name, order in zip(part.fields, orders, strict=False)}
        done = kernel.passed(ours, replace(part, fields=fields), laid_out(targets[first:last], orders[3]))
        assert_equal(ours, done, reference, expected)
        ours = EngineState.from_bytes(reference.to_bytes())


def test_every_setting_is_drawn() -> None:
    assert set(DRAWN) == {field.name for field in dataclasses.fields(EngineSettings)} == kernel.KNOWN


@pytest.mark.parametrize("accounts", DRAWN["accounts"])
@pytest.mark.parametrize("size_at", DRAWN["size_at"])
def test_every_combination_of_models_gives_the_references_bytes(accounts: Any, size_at: Any) -> None:
    bars, splits, dividends = market(3, 60, 3, 3, 0.1)
    targets = weights(3, (60, 3)) * 2
    seen = set()
    for chosen in itertools.product([False, True], repeat=len(MODELS)):
        asked = dict(ChainMap(*itertools.compress(MODELS, chosen)))
        options = EngineSettings(accounts=accounts, size_at=size_at, leverage=2.0, **asked)
        ours, reference = (start(bars.symbols, options, splits, dividends) for _ in range(2))
        expected = core.by_books(reference, bars, targets)
        assert_equal(ours, kernel.passed(ours, bars, targets), reference, expected)
        seen.add((len(chosen) - sum(chosen), expected.equity.tobytes()))
    assert len({equity for missing, equity in seen if missing == len(MODELS) - 1}) == len(MODELS)  # each does something


@pytest.mark.parametrize(("rows", "width"), [(9000, 1), (700, 100), (40, 1500)])
@pytest.mark.parametrize("accounts", ["one", "sleeves"])
def test_tables_of_many_tiles_give_the_references_bytes(rows: int, width: int, accounts: Any) -> None:
    rng = np.random.default_rng(rows)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, width)), axis=0))
    close[rng.random(close.shape) < 0.01] = np.nan
    session = (12_000 + np.arange(rows) // 390).astype(np.int32)
    names = tuple(f"S{i}" for i in range(width))
    bars = Block(names, np.arange(rows), session, {"open": close * 1.001, "close": close})
    targets = np.where(rng.random(close.shape) < 0.05, rng.random(close.shape) / width, np.nan)
    options = EngineSettings(accounts=accounts, rebalance="day")
    ours, reference = (start(names, options, [], []) for _ in range(2))
    expected = core.by_books(reference, bars, targets)
    assert len(expected.fills) > 50
    assert_equal(ours, kernel.passed(ours, bars, targets), reference, expected)


def test_step_takes_the_compiled_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "by_books", None)
    result, state = run(block([10, 10, 11]), [1, 1, 1])
    assert len(result.fills) == 1
    assert (state.bars, state.session) == (3, 11_002)


def test_step_without_a_compiled_library_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = run(block([10, 10, 11]), [1, 1, 0])
    monkeypatch.setattr(compiled, "library", lambda: None)
    result, _ = run(block([10, 10, 11]), [1, 1, 0])
    assert result.equity.tobytes() == expected.equity.tobytes()


def test_settings_that_the_kernel_does_not_follow_go_to_the_reference() -> None:
    @dataclass(frozen=True)
    class Later(EngineSettings):
        interest: float = 0.0

    assert kernel.knows(Later(leverage=3.0, half_spread_per_share=0.01, lot_size=10.0))
    assert not kernel.knows(Later(interest=0.02))


def test_an_infinite_weight_leaves_the_state_as_it_was_and_is_named() -> None:
    bars = block([[10, 10]] * 4)
    state = start(bars.symbols, FREE, [], [])
    before = state.to_bytes()
    with pytest.raises(EngineError, match=r"weight of B at bar .* is inf"):
        step(state, bars, np.array([[1, 0], [0.5, 0], [0.5, np.inf], [np.inf, 0]]))
    assert state.to_bytes() == before


@pytest.mark.parametrize("price", [0.0, -1.0])
@pytest.mark.parametrize("size_at", ["decision", "fill"])
@pytest.mark.parametrize("path", ["compiled", "reference"])
def test_a_weight_waits_for_a_price_above_zero(price: float, size_at: Any, path: str) -> None:
    bars = block([10.0, price, price, 20.0, 20.0])
    targets = np.array([[np.nan], [1.0], [1.0], [1.0], [1.0]])
    state = start(bars.symbols, replace(FREE, size_at=size_at), [], [])
    plan.check(state, bars, targets)
    done: Any = (core.by_books if path == "reference" else kernel.passed)(state, bars, targets)
    assert done.fills.quantity.tolist() == [50.0]
    assert done.fills.price.tolist() == [20.0]


@pytest.mark.parametrize("path", ["compiled", "reference"])
def test_a_buy_of_which_the_bar_takes_nothing_is_not_cut_for_lack_of_cash(path: str) -> None:
    bars = block([[10.0, 10.0]] * 2)
    bars.fields["volume"] = np.array([[1000.0, 1000.0], [5.0, 1000.0]])  # 5 shares are no lot
    state = start(bars.symbols, replace(FREE, volume_cap=1.0, lot_size=10.0), [], [])
    done: Any = (core.by_books if path == "reference" else kernel.passed)(state, bars, np.array([[0.5, 1.5]] * 2))
    assert done.fills.quantity.tolist() == [100.0]
    np.testing.assert_array_equal(state.pending, [50.0, np.nan])


@pytest.mark.parametrize("path", ["step", "reference"])
def test_a_trade_at_a_price_of_zero_is_refused_by_name(path: str) -> None:
    bars = block([10.0, 10.0, 10.0, 10.0], [10.0, 10.0, 10.0, 10.0])
    bars.fields["open"][2] = 0.0
    state = start(bars.symbols, FREE, [], [])
    with pytest.raises(EngineError, match=r"A has the price 0 at bar"):
        (step if path == "step" else core.by_books)(state, bars, np.array([[0.0], [1.0], [1.0], [1.0]]))


def test_more_fills_than_a_run_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = block([10.0] * 40)
    targets = np.array([[0.5], [0.0]] * 20)
    monkeypatch.setattr(fills, "MOST", 39)
    assert len(step(start(bars.symbols, FREE, [], []), bars, targets).fills) == 39
    monkeypatch.setattr(fills, "MOST", 38)
    with pytest.raises(EngineError, match="more than 38 fills"):
        step(start(bars.symbols, FREE, [], []), bars, targets)


def test_a_block_whose_times_do_not_fit_is_refused() -> None:
    bars = block([10.0, 10.0, 11.0])
    with pytest.raises(EngineError, match="2 sessions for 3 bars"):
        step(start(bars.symbols, FREE, [], []), replace(bars, session=bars.session[:2]), np.zeros((3, 1)))


def test_an_installation_compiles_every_source_that_there_is() -> None:
    folder = Path(compiled.__file__).parents[1]
    (module,) = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    for named, ending in (("sources", "*.c"), ("depends", "*.h")):
        assert sorted(module[named]) == sorted(str(p.relative_to(folder)) for p in folder.glob(f"tapedeck/**/{ending}"))
