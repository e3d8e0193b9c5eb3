"""How orders fill, on bars small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapedeck.book import Book
from tapedeck.engine import order_pass, order_state, orders
from tapedeck.engine.state import actions
from tests.unit.small_bars import CALM, FIRST, FREE, NAN, Dividend, Plan, Split, bars, day, many, trade


@pytest.mark.parametrize(
    ("ask", "bar", "price"),
    [
        (lambda book: book.buy("A", 5), (10, 12, 9, 11), 10),
        (lambda book: book.sell("A", 5), (10, 12, 9, 11), 10),
        (lambda book: book.buy("A", 5, limit=9.5), (10, 12, 9, 11), 9.5),
        (lambda book: book.buy("A", 5, limit=9), (10, 12, 9, 11), 9),
        (lambda book: book.buy("A", 5, limit=11), (10, 12, 9, 11), 10),  # it opens better than asked
        (lambda book: book.buy("A", 5, limit=8.9), (10, 12, 9, 11), None),
        (lambda book: book.sell("A", 5, limit=11.5), (10, 12, 9, 11), 11.5),
        (lambda book: book.sell("A", 5, limit=8), (10, 12, 9, 11), 10),
        (lambda book: book.sell("A", 5, limit=12.1), (10, 12, 9, 11), None),
        (lambda book: book.buy("A", 5, stop=11), (10, 12, 9, 11), 11),
        (lambda book: book.buy("A", 5, stop=9), (10, 12, 9, 11), 10),  # it opens beyond the stop
        (lambda book: book.buy("A", 5, stop=12.1), (10, 12, 9, 11), None),
        (lambda book: book.sell("A", 5, stop=9.5), (10, 12, 9, 11), 9.5),
        (lambda book: book.sell("A", 5, stop=10.5), (10, 12, 9, 11), 10),
        (lambda book: book.sell("A", 5, stop=8.9), (10, 12, 9, 11), None),
        (lambda book: book.buy("A", 5, stop=11, limit=11.5), (10, 12, 9, 11), 11),
        (lambda book: book.buy("A", 5, stop=11, limit=10.5), (10, 12, 9, 11), None),  # triggered, waits as a limit
        (lambda book: book.sell("A", 5, stop=9.5, limit=9.2), (10, 12, 9, 11), 9.5),
        (lambda book: book.target_shares("A", -3), (10, 12, 9, 11), 10),
        (lambda book: book.target_weight("A", 0.5), (10, 12, 9, 11), 10),
    ],
)
def test_an_order_fills_at_the_next_bar_that_reaches_it(ask: Any, bar: Any, price: float | None) -> None:
    _, fills, seen = trade(bars(CALM, bar), {0: ask})
    assert fills.price.tolist() == ([] if price is None else [price])
    assert seen[0][:2] == (1000.0, 1000.0)
    assert seen[1][1] == pytest.approx(1000 + sum(fills.quantity * (11 - fills.price)))


def test_an_order_is_not_filled_by_the_bar_that_it_was_decided_on() -> None:
    _, fills, _ = trade(bars((10, 12, 8, 10), (10, 10.5, 9.5, 10)), {0: lambda book: book.buy("A", 1, limit=9)})
    assert len(fills) == 0


def test_a_triggered_stop_limit_waits_as_a_limit_order() -> None:
    block = bars(CALM, (10, 12, 10, 12), (12, 12, 11.2, 12), (12, 12, 10.4, 12))
    _, fills, _ = trade(block, {0: lambda book: book.buy("A", 5, stop=11, limit=10.5)})
    assert (fills.price.tolist(), fills.session.tolist()) == ([10.5], [FIRST + 3])


def test_slippage_worsens_market_and_stop_orders_and_spares_limits() -> None:
    costly = replace(FREE, slippage_bps=100.0, commission_bps=10.0)
    plan: Plan = {0: lambda book: (book.buy("A", 1), book.buy("A", 1, stop=11), book.buy("A", 1, limit=9.5))}
    _, fills, _ = trade(bars(CALM, (10, 12, 9, 11)), plan, costly)
    assert fills.price.tolist() == pytest.approx([10.1, 11.11, 9.5])
    assert fills.commission.tolist() == pytest.approx([0.0101, 0.01111, 0.0095])
    assert fills.slippage.tolist() == pytest.approx([0.1, 0.11, 0.0])


def test_of_two_alternatives_that_one_bar_reaches_the_worse_fills_and_the_other_is_over() -> None:
    def protect(book: Book) -> None:
        profit = book.sell("A", 10, limit=12)
        book.sell("A", 10, stop=9, instead_of=profit)

    block = bars(CALM, CALM, (10, 13, 8, 10), (10, 13, 8, 10))
    _, fills, seen = trade(block, {0: lambda book: book.buy("A", 10), 1: protect})
    assert (fills.quantity.tolist(), fills.price.tolist()) == ([10.0, -10.0], [10.0, 9.0])
    assert seen[-1][2] == {}


def test_a_day_order_ends_with_the_session_of_its_first_bar() -> None:
    block = bars(CALM, CALM, (10, 11, 8, 10), (10, 11, 8, 10), per_session=2)
    for at, force, count in ((0, "DAY", 0), (1, "DAY", 1), (0, "GTC", 1)):
        _, fills, _ = trade(block, {at: lambda book, tif=force: book.buy("A", 1, limit=8.5, tif=tif)})  # type: ignore[misc]
        assert len(fills) == count


def test_a_cancelled_order_is_not_filled() -> None:
    plan: Plan = {0: lambda book: book.buy("A", 1, limit=8), 1: lambda book: book.cancel(1)}
    played, fills, _ = trade(bars(CALM, CALM, (10, 11, 7, 10)), plan)
    assert len(fills) == 0
    assert len(played.orders) == 2 * orders.RECORD.itemsize
    _, fills, _ = trade(bars(CALM, CALM, (10, 11, 7, 10)), {**plan, 1: lambda book: book.cancel_all("A")})
    assert len(fills) == 0


def test_a_buy_is_cut_back_to_the_cash_and_the_rest_is_over() -> None:
    _, fills, seen = trade(bars(CALM, CALM, CALM), {0: lambda book: book.buy("A", 150)})
    assert fills.quantity.tolist() == [100.0]
    assert seen[-1][0] == 0.0
    whole = replace(FREE, fractional=False, commission_bps=50.0)
    _, fills, _ = trade(bars(CALM, CALM), {0: lambda book: book.buy("A", 150)}, whole)
    assert fills.quantity.tolist() == [99.0]
    _, fills, seen = trade(bars(CALM, CALM), {0: lambda book: book.buy("A", 150)}, replace(FREE, leverage=1.25))
    assert (fills.quantity.tolist(), seen[-1][0]) == ([125.0], -250.0)


def test_buys_at_one_open_share_the_cash_after_the_sales() -> None:
    block = many([[CALM, CALM]] * 4)
    plan: Plan = {
        0: lambda book: book.buy("A", 100),
        1: lambda book: (book.buy("A", 50), book.buy("B", 150), book.sell("A", 100)),
    }
    _, fills, _ = trade(block, plan)
    assert fills.quantity.tolist() == [100.0, -100.0, 25.0, 75.0]


def test_a_cut_buy_waits_while_a_sale_waits_for_its_symbol() -> None:
    gone = (NAN, NAN, NAN, NAN)
    block = many([[CALM, CALM], [CALM, CALM], [gone, CALM], [CALM, CALM], [CALM, CALM]])
    plan: Plan = {0: lambda book: book.buy("A", 100), 1: lambda book: (book.close("A"), book.buy("B", 60))}
    _, fills, seen = trade(block, plan)
    assert fills.quantity.tolist() == [100.0, -100.0, 60.0]
    assert seen[-1][2] == {"B": 60.0}


def test_a_split_adjusts_holdings_and_open_orders_and_a_dividend_pays_the_holder() -> None:
    block = bars(CALM, CALM, (5, 5.5, 4.6, 5), (5, 5.5, 4.4, 5))

    def ask(book: Book) -> None:
        book.buy("A", 10)
        book.sell("A", 10, stop=8.9)  # 20 at 4.45 after the split

    dividend = [Dividend("A", day(1), 1.0), Dividend("A", day(2), 0.5)]
    _, fills, seen = trade(block, {0: ask}, splits=[Split("A", day(2), 2.0)], dividends=dividend)
    assert fills.quantity.tolist() == [10.0, -20.0]
    assert fills.price.tolist() == [10.0, 4.45]
    assert seen[2] == (905.0, 1005.0, {"A": 20.0})  # ten shares were held at the close before
    assert seen[3][:2] == (994.0, 994.0)


def test_a_target_replaces_the_market_orders_of_its_symbol_that_wait() -> None:
    gone = (NAN, NAN, NAN, NAN)
    plan: Plan = {0: lambda book: book.buy("A", 50), 1: lambda book: book.target_shares("A", 20)}
    _, fills, _ = trade(bars(CALM, gone, CALM, CALM), plan)
    assert fills.quantity.tolist() == [20.0]


def test_sized_at_the_fill_a_weight_is_of_the_equity_at_the_open() -> None:
    plan: Plan = {0: lambda book: book.target_weight("A", 0.5)}
    _, fills, _ = trade(bars(CALM, (20, 20, 20, 20)), plan, replace(FREE, size_at="fill"))
    assert fills.quantity.tolist() == [25.0]


def test_a_short_gains_when_the_price_falls_and_pays_the_dividend() -> None:
    block = bars(CALM, CALM, (8, 8, 8, 8))
    _, fills, seen = trade(block, {0: lambda book: book.sell("A", 50)}, dividends=[Dividend("A", day(2), 0.1)])
    assert seen[1] == (1500.0, 1000.0, {"A": -50.0})
    assert seen[2][1] == pytest.approx(1095.0)
    assert fills.quantity.tolist() == [-50.0]


def test_orders_of_the_last_bar_are_dropped_and_older_ones_wait() -> None:
    block = bars(CALM, CALM)
    state = order_state.new(block.symbols, FREE)
    asked = [
        (0, orders.LIMIT, 0, orders.GTC, 0, 0, 1.0, 5.0, 0.0),
        (1, orders.MARKET, 0, orders.GTC, 0, 0, 1.0, 0.0, 0.0),
    ]
    order_pass.replay(state, block, actions(("A",), [], []), orders.to_bytes(asked))
    closing = order_pass.finish(state)
    assert (closing.dropped, closing.waiting) == (1, 1)
    assert order_state.OrderState.from_bytes(state.to_bytes()).to_bytes() == state.to_bytes()
