"""What a strategy sees at a bar: what traded, its history, the book and its open orders, then and when kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapedeck.bars import Bars
from tapedeck.book import Bar, Book, OrderError
from tapedeck.engine import EngineSettings, order_state
from tapedeck.engine.state import actions
from tapedeck.on_bar import Player
from tests.unit.small_bars import CALM, FREE, NAN, Block, Split, bars, day, many, trade


def test_a_bar_holds_what_traded_and_says_why_not() -> None:
    gone = (NAN, NAN, NAN, NAN)
    block = many([[CALM, CALM], [(20.0, 22.0, 18.0, 21.0), gone]])
    told: list[Any] = []

    def on_bar(bar: Bar, book: Book) -> None:
        told.append((bar["A"].close, bar["A"].signal, "B" in bar, bar.session, bar.time.isoformat(), bar.symbols))
        if "B" not in bar:
            with pytest.raises(KeyError, match="B did not trade at 2000-02-14 00:00 UTC"):
                bar["B"]
            with pytest.raises(OrderError, match="not in this run"):
                bar["Z"]
        told.append(bar.history(2, "A").tolist())
        with pytest.raises(ValueError, match="so 1 to 2 bars"):
            bar.history(3)

    shown = {name: values * 2 if name == "close" else values for name, values in block.fields.items()}
    seen = Bars(symbols=block.symbols, ts=block.ts, session=block.session, fields=shown, raw=block.fields)
    Player(order_state.new(block.symbols, FREE), 1, on_bar).play(block, actions(block.symbols, [], []), seen)
    assert told[0] == (10.0, 20.0, True, day(0), "2000-02-13T00:00:00+00:00", ("A", "B"))
    assert told[1] == [20.0]  # the data begins here
    assert told[3] == [20.0, 42.0]


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("settings", [FREE, replace(FREE, maintenance_margin=0.25)])
def test_a_bar_holds_what_traded_whatever_else_is_due_at_it(width: int, settings: EngineSettings) -> None:
    block = many([[CALM] * width, [CALM] * width, [(NAN,) * 4] * width, [CALM] * width])
    seen: list[list[str]] = []
    state, known = order_state.new(block.symbols, settings), actions(block.symbols, [Split("A", day(1), 2.0)], [])
    shown = Bars(symbols=block.symbols, ts=block.ts, session=block.session, fields=block.fields)
    Player(state, 0, lambda bar, book: seen.append([*bar])).play(block, known, shown)
    assert seen == [list(block.symbols), list(block.symbols), [], list(block.symbols)]


@pytest.mark.parametrize("width", [1, 2])
def test_a_bar_that_is_kept_stays_what_it_is(width: int) -> None:
    close = [10.0, 11.0, NAN, 13.0]
    block = many([[(price, price + 1, price - 1, price)] * width for price in close])
    kept: list[Bar] = []
    seen: list[tuple[Any, ...]] = []

    def on_bar(bar: Bar, book: Book) -> None:
        seen.append((bar.time, bar.session, dict(bar), bar.history(1).tolist()))
        kept.append(bar)

    state, known = order_state.new(block.symbols, FREE), actions(block.symbols, [], [])
    player = Player(state, 0, on_bar)
    for rows in (slice(0, 3), slice(3, 4)):
        fields = {name: values[rows] for name, values in block.fields.items()}
        piece = Block(block.symbols, block.ts[rows], block.session[rows], fields)
        shown = Bars(symbols=piece.symbols, ts=piece.ts, session=piece.session, fields=piece.fields)
        player.play(piece, known, shown)
    assert repr([(bar.time, bar.session, dict(bar), bar.history(1).tolist()) for bar in kept]) == repr(seen)
    assert [bar["A"].close if "A" in bar else None for bar in kept] == [10.0, 11.0, None, 13.0]


def test_a_book_that_is_kept_takes_orders_in_the_next_chunk() -> None:
    kept: list[Book] = []

    def on_bar(bar: Bar, book: Book) -> None:
        kept.append(book)
        if len(kept) == 2:
            kept[0].buy("A", 1)

    state = order_state.new(("A",), FREE)
    player = Player(state, 0, on_bar)
    for row in range(3):
        piece = bars(CALM)
        piece.session[:] += row
        shown = Bars(symbols=("A",), ts=piece.ts, session=piece.session, fields=piece.fields)
        player.play(piece, actions(("A",), [], []), shown)
    assert state.shares.tolist() == [1.0]


def test_orders_can_be_cancelled_while_going_through_them() -> None:
    def cancel(book: Book) -> None:
        for order in book.orders:
            book.cancel(order)
        assert not book.orders

    ask = lambda book: (book.buy("A", 1, limit=5), book.sell("A", 1, limit=20))  # noqa: E731
    trade(bars(CALM, CALM), {0: ask, 1: cancel})


def test_open_orders_can_be_seen_and_not_changed() -> None:
    def look(book: Book) -> None:
        order = book.orders[1]
        assert (order.symbol, order.kind, order.quantity, order.limit, order.tif) == ("A", "limit", -2.0, 20.0, "GTC")
        with pytest.raises(TypeError):
            book.orders[2] = order  # type: ignore[index]
        with pytest.raises(AttributeError):
            order.quantity = 1  # type: ignore[misc]

    trade(bars(CALM, CALM), {0: lambda book: book.sell("A", 2, limit=20), 1: look})
