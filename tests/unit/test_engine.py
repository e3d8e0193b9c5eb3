"""The engine's semantics, on numbers small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tapedeck.engine import EngineError, EngineSettings, EngineState, concat, finish, start, step
from tapedeck.engine.fills import from_bytes
from tests.unit.small_bars import FIRST, FREE, Block, Dividend, Split, block, day, run

NAN = np.nan


def test_a_decision_is_sized_at_its_close_and_fills_at_the_next_open() -> None:
    result, state = run(block([10, 11, 12], [10, 12, 15]), [0.5, 0.5, 0.5])
    assert result.fills.quantity.tolist() == [50.0]  # half of 1000 at the close of 10
    assert result.fills.reference.tolist() == [11.0]
    assert result.equity.tolist() == [1000.0, 450 + 50 * 12, 450 + 50 * 15]
    assert (result.net[2], result.gross[2]) == (750.0, 750.0)
    assert finish(state).dropped == 0


def test_sized_at_the_fill_the_open_and_the_equity_there_count() -> None:
    result, _ = run(block([10, 20, 40], [10, 20, 40]), [0.5, NAN, 1.0], replace(FREE, size_at="fill"))
    assert result.fills.quantity.tolist() == [25.0]  # half of 1000 at the open of 20
    result, _ = run(block([10, 20, 40, 40]), [0.5, 1.0, NAN, NAN], replace(FREE, size_at="fill"))
    assert result.fills.quantity.tolist() == [25.0, 1500 / 40 - 25]


def test_a_target_that_stays_is_not_traded_when_prices_drift() -> None:
    result, _ = run(block([10, 10, 20, 30, 40]), [0.5, 0.5, NAN, 0.5, 0.25])
    assert len(result.fills) == 1


def test_nan_leaves_the_position_alone_and_zero_closes_it() -> None:
    result, state = run(block([10, 10, 20, 20, 20]), [0.5, NAN, 0.0, NAN, NAN])
    assert result.fills.quantity.tolist() == [50.0, -50.0]
    assert state.shares.tolist() == [0.0]
    assert result.fills.realised[1] == 500.0


def test_the_last_bars_decision_is_dropped_and_counted() -> None:
    result, state = run(block([10, 10, 10]), [NAN, NAN, 1.0])
    assert len(result.fills) == 0
    assert (finish(state).dropped, finish(state).waiting) == (1, 0)


def test_a_symbol_without_a_bar_waits_for_its_next() -> None:
    bars = block([[10, 10], [NAN, 10], [NAN, 10], [8, 10]], [[10, 10], [NAN, 10], [NAN, 10], [8, 10]])
    result, _ = run(bars, [[0.5, 0.5]] * 4)
    assert result.fills.records["session"].tolist() == [FIRST + 1, FIRST + 3]
    assert result.fills.symbol.tolist() == [1, 0]
    assert result.equity.tolist() == [1000.0] * 4


def test_a_waiting_order_is_replaced_by_a_new_target() -> None:
    result, state = run(block([10, NAN, NAN, 10]), [0.5, NAN, 0.0, NAN])
    assert len(result.fills) == 0
    assert finish(state).waiting == 0


def test_a_target_for_a_symbol_never_seen_waits_for_a_first_price() -> None:
    result, _ = run(block([NAN, NAN, 10, 20, 20]), [0.5, 0.5, 0.5, 0.5, 0.5])
    assert result.fills.quantity.tolist() == [50.0]  # sized at the close of 10
    assert result.fills.reference.tolist() == [20.0]
    _, state = run(block([NAN, NAN]), [0.5, NAN])
    assert finish(state).waiting == 1


def test_sells_come_before_buys_and_pay_for_them() -> None:
    bars = block([[10, 10]] * 4)
    result, _ = run(bars, [[0, 1], [NAN, NAN], [1, 0], [NAN, NAN]])
    assert result.fills.symbol.tolist() == [1, 1, 0]
    assert result.fills.quantity.tolist() == [100.0, -100.0, 100.0]


def test_buys_are_scaled_pro_rata_to_cash_and_the_cut_is_final() -> None:
    bars = block([[10, 10], [20, 10], [5, 5]])
    result, state = run(bars, [[0.5, 0.5], [NAN, NAN], [NAN, NAN]])
    share = 1000 / (50 * 20 + 50 * 10)
    assert result.fills.quantity.tolist() == [50 * share, 50 * share]
    assert state.cash[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(state.pending).all()


def test_a_buy_that_waits_for_the_proceeds_of_a_sale_is_filled_after_it() -> None:
    bars = block([[10, 10], [10, 10], [NAN, 10], [NAN, 10], [10, 10], [10, 10]])
    result, state = run(bars, [[1, 0], [0, 1], *[[NAN, NAN]] * 4])
    assert result.fills.symbol.tolist() == [0, 0, 1]
    assert result.fills.records["session"].tolist() == [FIRST + 1, FIRST + 4, FIRST + 4]
    assert state.shares.tolist() == [0.0, 100.0]


def test_leverage_lets_cash_go_below_zero() -> None:
    result, state = run(block([10, 10, 11]), [2.0, NAN, NAN], replace(FREE, leverage=2.0))
    assert state.shares.tolist() == [200.0]
    assert state.cash.tolist() == [-1000.0]
    assert result.equity[-1] == 1200.0


def test_costs_are_basis_points_of_the_traded_value() -> None:
    settings = replace(FREE, commission_bps=100.0, slippage_bps=200.0)
    result, state = run(block([10, 10, 10, 10]), [0.5, 0.0, NAN, NAN], settings)
    buy, sell = 50 * 10 * 1.02, 50 * 10 * 0.98
    np.testing.assert_allclose(result.fills.price, [10.2, 9.8])
    np.testing.assert_allclose(result.fills.commission, [buy * 0.01, sell * 0.01])
    np.testing.assert_allclose(result.fills.slippage, [10.0, 10.0])
    assert state.cash[0] == pytest.approx(1000 - buy * 1.01 + sell * 0.99)
    assert result.fills.realised[1] == pytest.approx(sell * 0.99 - buy * 1.01)


def test_a_split_multiplies_shares_and_waiting_orders_before_the_session_trades() -> None:
    splits = [Split("A", day(2), 2.0), Split("Z", day(2), 3.0)]
    result, state = run(block([10, 10, 5, 5]), [0.5, NAN, NAN, NAN], splits=splits)
    assert state.shares.tolist() == [100.0]
    assert result.equity.tolist() == [1000.0] * 4
    result, state = run(block([10, NAN, 5, 5]), [0.5, NAN, NAN, NAN], splits=splits)
    assert result.fills.quantity.tolist() == [100.0]  # ordered as 50 old shares


def test_a_split_on_a_day_without_a_bar_does_not_show_in_the_equity() -> None:
    splits = [Split("A", day(2), 2.0), Split("A", day(3), 0.5)]
    result, _ = run(block([10, 10, NAN, NAN, 12]), [0.5, NAN, NAN, NAN, NAN], splits=splits)
    assert result.equity.tolist() == [1000.0, 1000.0, 1000.0, 1000.0, 1100.0]


def test_a_dividend_pays_the_holders_of_the_previous_close_and_shorts_pay_it() -> None:
    dividends = [Dividend("A", day(1), 1.0), Dividend("A", day(2), 1.0)]
    result, _ = run(block([10, 10, 10]), [0.5, NAN, NAN], dividends=dividends)
    assert result.equity.tolist() == [1000.0, 1000.0, 1050.0]  # bought on day 1: not a holder of its previous close
    result, _ = run(block([10, 10, 10]), [-0.5, NAN, NAN], dividends=dividends)
    assert result.equity.tolist() == [1000.0, 1000.0, 950.0]


def test_a_dividend_counts_the_shares_before_a_split_of_the_same_session() -> None:
    _, state = run(
        block([10, 10, 5]), [0.5, NAN, NAN], splits=[Split("A", day(2), 2.0)], dividends=[Dividend("A", day(2), 1.0)]
    )
    assert state.cash.tolist() == [550.0]


def test_an_action_on_a_day_off_applies_at_the_next_session() -> None:
    bars = block([10, 10, 5, 5])
    shifted = replace(bars, session=bars.session + np.array([0, 0, 3, 3], dtype=np.int32))
    result, _ = run(shifted, [0.5, NAN, NAN, NAN], splits=[Split("A", day(3), 2.0)])
    assert result.equity.tolist() == [1000.0] * 4


def test_actions_apply_at_a_sessions_first_bar_only() -> None:
    bars = block([10, 10, 10, 10], per_session=2)
    result, _ = run(bars, [0.5, NAN, NAN, NAN], dividends=[Dividend("A", day(1), 1.0)])
    assert result.equity.tolist() == [1000.0, 1000.0, 1050.0, 1050.0]


def test_sleeves_are_independent() -> None:
    settings = replace(FREE, accounts="sleeves")
    result, state = run(block([[10, 10], [10, 20], [20, 20]]), [[1.0, 1.0], [NAN] * 2, [NAN] * 2], settings)
    assert state.shares.tolist() == [50.0, 25.0]  # 500 each; the second sleeve is cut to its own cash
    assert result.equity.tolist() == [1000.0, 1000.0, 1500.0]


def test_a_short_profits_when_the_price_falls_and_a_flip_closes_it() -> None:
    result, state = run(block([10, 10, 5, 5, 5]), [-1.0, NAN, 0.5, NAN, NAN])
    assert result.fills.quantity.tolist() == [-100.0, 250.0]
    assert result.fills.realised[1] == 500.0
    assert state.basis.tolist() == [750.0]
    assert result.equity[-1] == 1500.0


def test_partial_sales_realise_against_the_average_cost() -> None:
    result, _ = run(block([10, 10, 20, 20, 20]), [1.0, NAN, 0.5, NAN, NAN])
    assert result.fills.quantity.tolist() == [100.0, -50.0]
    assert result.fills.realised[1] == 500.0


def test_whole_shares_round_towards_zero() -> None:
    settings = replace(FREE, fractional=False)
    _, state = run(block([[7, 7], [7, 7], [7, 7]]), [[0.5, -0.5], [NAN] * 2, [NAN] * 2], settings)
    assert state.shares.tolist() == [71.0, -71.0]
    _, state = run(block([10, 10.5, 10]), [1.0, NAN, NAN], settings)
    assert state.shares.tolist() == [95.0]


@pytest.mark.parametrize(("rhythm", "fills"), [("change", 1), ("day", 3), ("month", 2)])
def test_the_rhythm_trades_unchanged_targets_at_the_first_bar_of_a_period(rhythm: Any, fills: int) -> None:
    bars = block([10, 10, 20, 30, 40, 50, 60, 70], per_session=2)
    days = np.array([0, 0, 1, 1, 17, 17, 18, 18], dtype=np.int32)  # 2000-02-13, -14, 2000-03-01, -02
    bars = replace(bars, session=FIRST + days)
    result, _ = run(bars, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, NAN, NAN], replace(FREE, rebalance=rhythm))
    assert len(result.fills) == fills


def test_a_ruined_account_buys_back_what_its_cash_reaches_and_opens_nothing() -> None:
    result, state = run(block([10, 10, 30, 30, 30]), [-1.0, NAN, -0.9, NAN, NAN])
    assert result.equity[2] == -1000.0
    assert result.fills.quantity.tolist() == pytest.approx([-100.0, 2000 / 30])
    assert state.cash[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (np.zeros((2, 1)), r"targets have shape \(2, 1\), expected \(3, 1\)"),
        (np.array([[0.0], [-np.inf], [0.0]]), "the weight of A at bar 2000-02-14T00:00:00.000000 UTC is -inf"),
    ],
)
def test_bad_targets_are_refused_by_name(targets: Any, says: str) -> None:
    bars = block([10, 10, 10])
    with pytest.raises(EngineError, match=says):
        step(start(("A",), FREE, [], []), bars, targets)
    with pytest.raises(EngineError, match="expected"):
        step(start(("Z",), FREE, [], []), bars, np.zeros((3, 1)))


@pytest.mark.parametrize(
    "bad",
    [
        {"cash": 0.0},
        {"cash": NAN},
        {"cash": "much"},
        {"cash": 1e13},
        {"leverage": True},
        {"leverage": 101},
        {"fractional": "yes"},
        {"halt_zero_volume": 1},
        {"leverage": 0.5},
        {"commission_bps": -1.0},
        {"slippage_bps": NAN},
        {"accounts": "two"},
        {"size_at": "close"},
        {"rebalance": "week"},
    ],
)
def test_bad_settings_are_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match=next(iter(bad))):
        EngineSettings(**bad)


def test_damaged_state_is_refused() -> None:
    body = start(("A",), FREE, [], []).to_bytes()
    for damaged in (b"", body[:-8], body + b"x" * 8, b"XXXX" + body[4:], body.replace(b'"version":"', b'"version":"9')):
        with pytest.raises(ValueError, match=r"state|buffer"):
            EngineState.from_bytes(damaged)


def test_fills_are_told_as_csv_and_as_bytes() -> None:
    result, _ = run(block([10, 10, 10, 10]), [0.5, 0.0, NAN, NAN])
    lines = result.fills.to_csv(["A"]).splitlines()
    assert lines[0] == "time,session,symbol,quantity,price,reference,commission,slippage,realised"
    assert lines[1] == "2000-02-14T00:00:00Z,2000-02-14,A,50.0,10.0,10.0,0.0,0.0,"
    joined = concat([result.fills, result.fills])
    assert from_bytes(joined.to_bytes()).to_bytes() == result.fills.to_bytes() * 2
    assert len(concat([])) == 0


def test_a_ruined_account_opens_no_position() -> None:
    bars = block([[10, 10], [10, 10], [30, 10], [30, 10], [30, 10]])
    result, state = run(bars, [[-1, 0], [NAN, NAN], [NAN, 0.5], [NAN, NAN], [NAN, NAN]])
    assert result.equity[2] == -1000.0
    assert state.shares.tolist() == [-100.0, 0.0]


def test_crumbs_of_cash_buy_nothing_while_a_sale_waits() -> None:
    bars = block([[10, 10], [10, 10], [NAN, 10], [NAN, 10], [10, 10]])
    targets = np.array([[1, 0], [0, 1], *[[NAN, NAN]] * 3], dtype=np.float64)
    state = start(bars.symbols, FREE, [], [])
    cut = [
        Block(bars.symbols, bars.ts[at], bars.session[at], {name: v[at] for name, v in bars.fields.items()})
        for at in (slice(0, 2), slice(2, 5))
    ]
    step(state, cut[0], targets[:2])
    state.cash[0] = 1e-7
    result = step(state, cut[1], targets[2:])
    assert result.fills.symbol.tolist() == [0, 1]


def test_an_order_sized_by_a_first_price_on_the_last_bar_is_dropped() -> None:
    _, state = run(block([NAN, NAN, 10]), [0.5, NAN, NAN])
    assert (finish(state).dropped, finish(state).waiting) == (1, 0)
