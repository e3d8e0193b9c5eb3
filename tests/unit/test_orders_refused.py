"""Orders and records of orders that cannot be are refused by name, and change nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapedeck.book import Book, OrderError
from tapedeck.engine import EngineError, orders
from tapedeck.engine.liquidity import Lots
from tests.unit.small_bars import CALM, FREE, NAN, bars, many, trade


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda book: book.buy("A", 0), "buy('A', 0): the number of shares is positive"),
        (lambda book: book.sell("A", float("inf")), "sell('A', inf): the number of shares is positive"),
        (lambda book: book.buy("A", NAN), "positive"),
        (lambda book: book.buy("A", "many"), "is no number"),
        (lambda book: book.buy("A", 1, limit=-2), "buy('A'): limit=-2 is no price"),
        (lambda book: book.buy("A", 1, stop=0), "stop=0 is no price"),
        (lambda book: book.buy("A", 1, limit=NAN), "is no price"),
        (lambda book: book.buy("Aa", 1), "'Aa' is not in this run. Did you mean 'A'?"),
        (lambda book: book.buy("A", 1, tif="IOC"), '"GTC" or "DAY", not \'IOC\''),
        (lambda book: book.buy("A", 1, instead_of=7), "instead_of=7 is no open order"),
        (lambda book: book.cancel(9), "cancel(9): this run has given out no such order id"),
        (lambda book: book.target_weight("A", float("inf")), "target_weight('A', inf)"),
        (lambda book: book.target_weight("A", None), "target_weight('A', None)"),
        (lambda book: book.target_weight("B", 0.5), "B has not traded yet"),
    ],
)
def test_an_impossible_order_is_refused_by_name(ask: Any, says: str) -> None:
    block = many([[CALM, (NAN, NAN, NAN, NAN)]] * 2)
    with pytest.raises(EngineError) as refused:
        trade(block, {0: ask})
    assert says in str(refused.value)
    assert refused.value.__notes__ == ["in on_bar(bar, book) at the bar 2000-02-13 00:00 UTC"]


def test_fractions_are_refused_where_whole_shares_are_traded() -> None:
    whole = replace(FREE, fractional=False)
    for ask in (lambda book: book.buy("A", 1.5), lambda book: book.target_shares("A", 0.5)):
        with pytest.raises(OrderError, match="whole shares"):
            trade(bars(CALM), {0: ask}, whole)
    _, fills, _ = trade(bars(CALM, CALM), {0: lambda book: book.target_weight("A", 0.555)}, whole)
    assert fills.quantity.tolist() == [55.0]


GOOD = (0, orders.LIMIT, 0, orders.GTC, 0, 0, 1.0, 5.0, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {0: -1}, {0: 2}, {1: 7}, {1: -1}, {2: 1}, {2: -1}, {3: 2}, {4: 1}, {5: -1},
        {6: 0.0}, {6: NAN}, {6: float("inf")}, {6: 1e16}, {6: 0.5},
        {7: 0.0}, {7: -1.0}, {7: NAN}, {7: float("inf")}, {8: 1.0}, {8: NAN},
        {1: orders.CANCEL}, {1: orders.MARKET}, {1: orders.STOP}, {1: orders.STOP_LIMIT},
    ],
)  # fmt: skip
def test_a_record_that_no_book_writes_is_refused(change: dict[int, Any]) -> None:
    bad = tuple(change.get(i, value) for i, value in enumerate(GOOD))
    orders.from_bytes(orders.to_bytes([GOOD]), first=0, rows=2, width=1, lots=Lots(1.0))
    with pytest.raises(EngineError, match="order 1 of the chunk"):
        orders.from_bytes(orders.to_bytes([GOOD, bad]), first=0, rows=2, width=1, lots=Lots(1.0))  # type: ignore[list-item]


def test_records_come_whole_and_in_the_order_of_bars() -> None:
    late = (1, *GOOD[1:])
    with pytest.raises(EngineError, match="bars in order"):
        orders.from_bytes(orders.to_bytes([late, GOOD]), first=0, rows=2, width=1, lots=Lots(0.0))
    with pytest.raises(EngineError, match="no whole number"):
        orders.from_bytes(orders.to_bytes([GOOD])[:-1], first=0, rows=2, width=1, lots=Lots(0.0))


def test_an_order_that_was_refused_and_caught_has_changed_nothing() -> None:
    def insist(book: Book) -> None:
        with pytest.raises(EngineError, match="has not traded yet"):
            book.target_weight("B", 0.5)

    block = many([[CALM, (NAN, NAN, NAN, NAN)]] * 3 + [[CALM, CALM]])
    _, fills, _ = trade(block, {0: lambda book: book.buy("B", 5), 1: insist})  # `trade` replays it as well
    assert fills.quantity.tolist() == [5.0]


def test_open_orders_are_bounded() -> None:
    def flood(book: Book) -> None:
        for _ in range(orders.MOST_OPEN + 1):
            book.buy("A", 1, limit=1)

    with pytest.raises(EngineError, match="10,000 open orders"):
        trade(bars(CALM), {0: flood})
