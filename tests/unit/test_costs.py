"""Costs and market model, on numbers small enough to check by hand. Prices are 10 where nothing is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tapedeck.book import OrderError
from tapedeck.engine import EngineError, EngineSettings, StepResult, finish, order_pass, order_state, start, step
from tapedeck.engine.liquidity import Lots
from tapedeck.engine.settings import PriceError
from tapedeck.engine.share_targets import ShareTargets
from tapedeck.engine.state import actions
from tests.unit.small_bars import CALM, FREE, Block, Split, bars, block, day, flat, many, trade, with_ranges

NAN = float("nan")


def decided(block: Block, targets: Any, settings: EngineSettings) -> StepResult:
    weights = np.array(targets, dtype=np.float64).reshape(len(block.ts), -1)
    return step(start(block.symbols, settings, [], []), block, weights)


def test_a_share_and_an_order_have_a_price() -> None:
    # 50 shares: 5 bps of 500 = 0.25, and 50 x 0.005 = 0.25, together 0.50; an order pays 1 at least
    costly = replace(FREE, commission_bps=5.0, commission_per_share=0.005)
    done = decided(flat(4), [0.5, NAN, 0.0, NAN], costly)
    assert done.fills.commission.tolist() == pytest.approx([0.5, 0.5])
    least = decided(flat(4), [0.5, NAN, 0.0, NAN], replace(costly, commission_minimum=1.0))
    assert least.fills.commission.tolist() == [1.0, 1.0]
    assert least.equity.tolist() == [1000.0, 999.0, 999.0, 998.0]


def test_an_order_that_fills_in_parts_pays_its_minimum_once() -> None:
    # 20 + 20 + 10 shares at 0.04: 0.80 is less than 1; 1.60 is 0.60 more than was paid; then 0.40
    settings = replace(FREE, commission_per_share=0.04, commission_minimum=1.0, volume_cap=0.2)
    for done in (
        decided(flat(5), [0.5] * 5, settings).fills,
        trade(bars(*[CALM] * 5), {0: lambda book: book.buy("A", 50)}, settings)[1],
    ):
        assert done.quantity.tolist() == [20.0, 20.0, 10.0]
        assert done.commission.tolist() == pytest.approx([1.0, 0.6, 0.4])


def test_buys_leave_room_for_the_minimum_of_their_commission() -> None:
    done = decided(flat(2), [1.0, NAN], replace(FREE, commission_minimum=5.0))
    assert done.fills.quantity.tolist() == pytest.approx([99.00497512437812])  # 100 x (1000 - 5) / (1000 + 5)
    settings = replace(FREE, commission_minimum=600.0)
    two = block([[10.0, 10.0]] * 2)
    assert len(decided(two, [[0.5, 0.5], [NAN, NAN]], settings).fills) == 0  # 1000 does not pay two minimums of 600


def test_half_the_spread_is_paid_by_who_takes() -> None:
    settings = replace(FREE, slippage_bps=100.0, half_spread_per_share=0.02)
    done = decided(flat(4), [0.5, NAN, 0.0, NAN], settings).fills
    assert done.price.tolist() == pytest.approx([10.12, 9.88])
    assert done.slippage.tolist() == pytest.approx([6.0, 6.0])  # 50 x 0.12
    _, limit, _ = trade(bars(CALM, CALM), {0: lambda book: book.buy("A", 5, limit=9.5)}, settings)
    assert limit.price.tolist() == [9.5]
    _, stop, _ = trade(bars(CALM, CALM), {0: lambda book: book.sell("A", 5, stop=9.5)}, settings)
    assert stop.price.tolist() == pytest.approx([9.385])  # 9.5 x 0.99 - 0.02
    cheap = decided(flat(3, closes=[0.01, 0.01, 0.01]), [-0.5, NAN, NAN], settings).fills
    assert cheap.price.tolist() == [0.0]  # a sale brings nothing where the spread is wider than the price


def test_impact_grows_with_the_square_root_of_the_share_of_the_volume() -> None:
    settings = replace(FREE, impact_bps=100.0)
    quarter = decided(flat(2), [0.25, NAN], settings).fills  # 25 of 100 shares: 100 bps x 0.5
    assert quarter.price.tolist() == pytest.approx([10.05])
    _, whole, _ = trade(bars(CALM, CALM), {0: lambda book: book.sell("A", 100)}, settings)
    assert whole.price.tolist() == pytest.approx([9.9])


def test_a_bar_takes_a_share_of_its_volume_and_the_rest_of_the_order_waits() -> None:
    settings = replace(FREE, volume_cap=0.2)
    rising = flat(5, volume=[100, 100, 150, 0, 400])
    for done in (
        decided(rising, [0.9, NAN, NAN, NAN, NAN], settings),
        ShareTargets(("A",), settings, [], []).step(with_ranges(rising), np.full((5, 1), 90.0)),
        trade(with_ranges(rising), {0: lambda book: book.buy("A", 90)}, settings)[0].step,
    ):
        assert done.fills.quantity.tolist() == [20.0, 30.0, 40.0]  # nothing of a bar without volume
        assert done.net.tolist() == [0.0, 200.0, 500.0, 500.0, 900.0]


def test_a_new_target_replaces_the_rest_of_the_old_and_a_split_multiplies_it() -> None:
    settings = replace(FREE, volume_cap=0.2)
    done = decided(flat(4), [0.9, 0.1, NAN, NAN], settings).fills
    assert done.quantity.tolist() == [20.0, -10.0]
    halved = flat(4, closes=[10.0, 10.0, 5.0, 5.0])
    halved.fields["open"][2:] = 5.0
    state = start(("A",), settings, [Split("A", day(2), 2.0)], [])
    fills = step(state, halved, np.array([[0.5], [NAN], [NAN], [NAN]])).fills
    assert fills.quantity.tolist() == [20.0, 20.0, 20.0]  # 50, of which 30 are left: 60 after the split
    assert state.pending.tolist() == [20.0]
    assert finish(state).waiting == 1


def test_a_weight_that_is_sized_at_the_fill_is_sized_again_for_its_rest() -> None:
    settings = replace(FREE, volume_cap=0.2, size_at="fill")
    moved = flat(4, closes=[10.0, 10.0, 20.0, 20.0])  # opens at 10, 10, 10, 20
    done = decided(moved, [0.5, NAN, NAN, NAN], settings).fills
    # 50 of which 20; then 20; at 20 half of the equity 1400 is 35 shares, 5 fewer than held
    assert done.quantity.tolist() == [20.0, 20.0, -5.0]


def test_a_sale_that_waits_for_volume_keeps_the_buys_of_its_account_waiting() -> None:
    settings = replace(FREE, volume_cap=0.25)
    two = block([[10.0, 10.0]] * 5)
    two.fields["volume"] = np.array([[1000.0, 1000.0], [1000.0, 1000.0], *[[200.0, 1000.0]] * 3])
    done = decided(two, [[1.0, 0.0], [0.0, 1.0], *[[NAN, NAN]] * 3], settings).fills
    assert done.quantity.tolist() == [100.0, -50.0, 50.0, -50.0, 50.0]


def test_orders_of_a_symbol_share_what_a_bar_takes() -> None:
    settings = replace(FREE, volume_cap=0.3, cash=10_000.0)

    def ask(book: Any) -> None:
        for _ in range(2):
            book.buy("A", 20)
        book.buy("A", 20, limit=9.5)

    _, fills, _ = trade(bars(*[CALM] * 4), {0: ask}, settings)
    assert list(zip(fills.ts.tolist(), fills.quantity.tolist(), fills.price.tolist(), strict=True)) == [
        (bars(*[CALM] * 4).ts[row], shares, price)
        for row, shares, price in [(1, 20.0, 10.0), (1, 10.0, 10.0), (2, 10.0, 10.0), (2, 20.0, 9.5)]
    ]


def test_what_is_left_of_a_stop_is_a_market_order() -> None:
    settings = replace(FREE, volume_cap=0.3)
    moved = bars(CALM, (10.0, 12.0, 9.0, 12.0), CALM)
    _, fills, _ = trade(moved, {0: lambda book: book.buy("A", 50, stop=11)}, settings)
    assert (fills.quantity.tolist(), fills.price.tolist()) == ([30.0, 20.0], [11.0, 10.0])


def test_the_first_part_of_a_fill_ends_the_alternatives_and_not_the_order() -> None:
    def ask(book: Any) -> None:
        first = book.buy("A", 50, limit=9.5)
        book.buy("A", 50, stop=11, instead_of=first)

    _, fills, _ = trade(bars(CALM, (10.0, 10.5, 9.0, 10.0), CALM), {0: ask}, replace(FREE, volume_cap=0.3))
    assert (fills.quantity.tolist(), fills.price.tolist()) == ([30.0, 20.0], [9.5, 9.5])


def test_a_bar_with_a_price_and_no_volume_is_a_halt_where_that_is_asked_for() -> None:
    quiet = with_ranges(flat(4, volume=[100, 0, NAN, 100]))
    for settings, at in ((FREE, 1), (replace(FREE, halt_zero_volume=True), 3)):
        for done in (
            decided(quiet, [0.5, NAN, NAN, NAN], settings),
            trade(quiet, {0: lambda book: book.buy("A", 50, limit=10.0)}, settings)[0].step,
        ):
            assert done.fills.ts.tolist() == [quiet.ts[at]]


def test_borrowed_shares_cost_by_the_day_and_the_days_without_a_session_count() -> None:
    # 50 short at 10 since day 1; 500 x 73 % / 365 = 1 a day; day 4 is three days after day 1
    weekend = with_ranges(flat(4))
    weekend.session[2:] += 2
    settings = replace(FREE, borrow_fee_annual=0.73)
    for done in (
        decided(weekend, [-0.5, NAN, NAN, NAN], settings),
        trade(weekend, {0: lambda book: book.sell("A", 50)}, settings)[0].step,
    ):
        assert done.equity.tolist() == [1000.0, 1000.0, 997.0, 996.0]
        assert done.fills.commission.tolist() == [0.0]
    state = start(("A",), settings, [], [])
    step(state, weekend, np.array([[-0.5], [NAN], [NAN], [NAN]]))
    assert (finish(state).borrow_fee, finish(state).interest) == (4.0, 0.0)


def test_cash_earns_and_debt_costs_interest() -> None:
    settings = replace(FREE, leverage=2.0, interest_credit_annual=0.365, interest_debit_annual=0.73)
    block = with_ranges(flat(4))
    # 1000 in cash earn 1 a day; 200.2 shares are bought with 1002.001: a debt of 999.999 costs 0.2 % a day
    state = start(("A",), settings, [], [])
    done = step(state, block, np.array([[NAN], [2.0], [NAN], [NAN]]))
    assert done.equity.tolist() == pytest.approx([1000.0, 1001.0, 1002.001, 1002.001 - 999.999 * 0.002])
    closing = finish(state)
    assert (closing.borrow_fee, closing.interest) == (0.0, pytest.approx(done.equity[-1] - 1000.0))
    held = order_state.new(("A",), settings)
    replayed = order_pass.replay(held, block, actions(("A",), [], []), b"")
    assert replayed.equity.tolist() == pytest.approx([1000.0, 1001.0, 1002.001, 1003.003001])
    assert order_pass.finish(held).interest == pytest.approx(3.003001)


def test_shares_are_traded_in_whole_lots() -> None:
    settings = replace(FREE, lot_size=10.0)
    assert decided(flat(2), [0.555, NAN], settings).fills.quantity.tolist() == [50.0]
    assert decided(flat(2), [0.555, NAN], replace(FREE, lot_size=0.25)).fills.quantity.tolist() == [55.5]
    capped = decided(flat(3), [0.555, NAN, NAN], replace(settings, volume_cap=0.39)).fills
    assert capped.quantity.tolist() == [30.0, 20.0]
    for ask in (lambda book: book.buy("A", 15), lambda book: book.target_shares("A", -5)):
        with pytest.raises(OrderError, match="lots of 10 shares"):
            trade(bars(CALM), {0: ask}, settings)
    with pytest.raises(EngineError, match="the target of A"):
        ShareTargets(("A",), settings, [], []).step(bars(CALM), np.array([[15.0]]))


def test_a_multiple_of_a_lot_is_one_whatever_its_binary_fraction() -> None:
    cents = Lots(0.01)
    assert cents.are_whole(np.array([0.29, 0.07, 1234567.89, 0.295, NAN, np.inf])).tolist() == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    assert (cents.down(0.29), cents.down(0.2999), cents.down(-0.2999)) == pytest.approx((0.29, 0.29, -0.29))
    assert (cents.up(0.29), cents.up(0.2901), Lots(10.0).up(-11.0)) == pytest.approx((0.29, 0.30, -20.0))


LEVERED = replace(FREE, leverage=2.0, maintenance_margin=0.25)


def test_a_margin_call_sells_at_the_next_open_until_leverage_holds_again() -> None:
    # 200 shares at 10 with 1000 borrowed; at 6 the equity is 200 of 1200 held, less than a quarter.
    # A third may stay (2 x 200 of 1200): 133.33 are sold at 6, and 400 are held with an equity of 200.
    fall = with_ranges(flat(5, closes=[10.0, 10.0, 6.0, 6.0, 6.0]))
    for done in (
        decided(fall, [2.0, NAN, NAN, NAN, NAN], LEVERED),
        trade(fall, {0: lambda book: book.buy("A", 200)}, LEVERED)[0].step,
        ShareTargets(("A",), LEVERED, [], []).step(fall, np.full((5, 1), 200.0)),
    ):
        (call,) = done.calls
        assert (call.ts, call.account, call.equity, call.held) == (fall.ts[3], 0, 200.0, 1200.0)
        assert call.traded == ((0, pytest.approx(-400 / 3), 6.0),)
        assert done.equity.tolist() == pytest.approx([1000.0, 1000.0, 200.0, 200.0, 200.0])
        assert done.gross.tolist() == pytest.approx([0.0, 2000.0, 1200.0, 400.0, 400.0])


def test_an_account_without_equity_is_sold_out_and_the_run_goes_on() -> None:
    ruin = flat(5, closes=[10.0, 10.0, 4.0, 4.0, 20.0])
    done = decided(ruin, [2.0, NAN, NAN, NAN, NAN], LEVERED)
    assert [call.traded for call in done.calls] == [((0, -200.0, 4.0),)]
    assert done.equity.tolist() == [1000.0, 1000.0, -200.0, -200.0, -200.0]


def test_a_margin_call_comes_before_all_orders_of_its_account_and_ends_them() -> None:
    fall = with_ranges(flat(5, closes=[10.0, 10.0, 6.0, 6.0, 6.0]))
    more = {0: lambda book: book.buy("A", 200), 2: lambda book: (book.buy("A", 10), book.sell("A", 200, stop=1.0))}
    played, fills, _ = trade(fall, more, LEVERED)
    assert fills.quantity.tolist() == pytest.approx([200.0, -400 / 3])
    assert decided(fall, [2.0, NAN, 0.1, NAN, NAN], LEVERED).fills.quantity.tolist() == pytest.approx([200.0, -400 / 3])
    assert len(played.step.calls) == 1


def test_a_short_position_is_called_too_and_longs_are_sold_before_shorts_are_covered() -> None:
    # 100 short at 10 and 50 long: at (16, 10) the equity is 400 of 2100 held; 0.8 of everything may stay at leverage 4
    two = block([[10.0, 10.0], [10.0, 10.0], [10.0, 10.0], [16.0, 10.0]], [[10, 10], [10, 10], [16, 10], [16, 10]])
    settings = replace(FREE, leverage=4.0, maintenance_margin=0.25)
    done = decided(two, [[-1.0, 0.5], *[[NAN, NAN]] * 3], settings)
    (call,) = done.calls
    assert (call.equity, call.held) == (400.0, 2100.0)
    kept = 4 * 400 / 2100
    assert call.traded == ((1, pytest.approx(-50 * (1 - kept)), 10.0), (0, pytest.approx(100 * (1 - kept)), 16.0))


def test_only_the_sleeve_that_is_below_its_margin_is_called_and_lots_are_rounded_up() -> None:
    closes = [[10.0, 10.0], [10.0, 10.0], [6.0, 10.0], [6.0, 10.0]]
    two = block([closes[0], *closes[:-1]], closes)
    settings = replace(LEVERED, accounts="sleeves", cash=2000.0, lot_size=10.0)
    done = decided(two, [[2.0, 2.0], *[[NAN, NAN]] * 3], settings)
    (call,) = done.calls
    assert (call.account, call.traded) == (0, ((0, -140.0, 6.0),))  # 133.33 in lots of 10


def test_what_does_not_trade_at_the_next_open_is_sold_when_it_does() -> None:
    closes = np.array([10.0, 10.0, 6.0, NAN, 6.0, 6.0])
    gap = block([10.0, 10.0, 10.0, NAN, 6.0, 6.0], closes)
    done = decided(gap, [2.0, *[NAN] * 5], LEVERED)
    assert [(call.ts, call.traded[0][2]) for call in done.calls] == [(gap.ts[4], 6.0)]


@pytest.mark.parametrize("price", [0.0, -37.63])
def test_nothing_trades_at_a_price_of_zero_or_below(price: float) -> None:
    oil = with_ranges(flat(3, closes=[10.0, 10.0, 10.0]))
    oil.fields["open"][1] = price
    says = rf"A has the price {price:g} at bar 2000-02-14 00:00 UTC: nothing trades at that"
    with pytest.raises(PriceError, match=says):
        decided(oil, [0.5, NAN, NAN], FREE)
    with pytest.raises(PriceError, match=says):
        trade(oil, {0: lambda book: book.buy("A", 1)})


def test_a_weight_waits_for_a_price_above_zero_and_what_is_worth_nothing_can_be_held() -> None:
    worthless = flat(4, closes=[0.0, 10.0, 10.0, 0.0])
    worthless.fields["open"][1:] = 10.0
    done = decided(worthless, [0.5, NAN, NAN, NAN], FREE)
    assert done.fills.ts.tolist() == [worthless.ts[2]]
    assert done.equity.tolist() == [1000.0, 1000.0, 1000.0, 500.0]
    with pytest.raises(EngineError, match="no price"):
        trade(many([[(0.0, 0.0, 0.0, 0.0)]]), {0: lambda book: book.target_weight("A", 0.5)})


def test_a_block_without_volumes_is_refused_where_fills_depend_on_them() -> None:
    bare = block([10.0, 10.0])
    with pytest.raises(EngineError, match="the block has no volume"):
        decided(bare, [0.5, NAN], replace(FREE, volume_cap=0.1))
