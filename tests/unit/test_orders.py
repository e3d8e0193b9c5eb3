"""How orders fill, on bars small enough to check by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tapedeck.bars import Bars
from tapedeck.book import Bar, Book, OrderError
from tapedeck.engine import EngineError, EngineSettings, order_pass, order_state, orders
from tapedeck.engine.fills import Fills
from tapedeck.engine.liquidity import Lots
from tapedeck.engine.state import actions
from tapedeck.on_bar import Played, Player
from tests.unit.test_engine import FIRST, FREE, Block, Dividend, Split, day

NAN = float("nan")
Plan = dict[int, Callable[[Book], object]]  # row -> what is asked at its close


def bars(*rows: tuple[float, float, float, float], per_session: int = 1) -> Block:
    """One symbol's bars: open, high, low, close."""
    return many([[row] for row in rows], per_session)


def many(rows: list[list[tuple[float, float, float, float]]], per_session: int = 1) -> Block:
    values = np.array(rows, dtype=np.float64)
    session = (FIRST + np.arange(len(values)) // per_session).astype(np.int32)
    fields = {name: values[:, :, i].copy() for i, name in enumerate(("open", "high", "low", "close"))}
    fields["volume"] = np.where(np.isnan(fields["close"]), 0.0, 100.0)
    ts = session.astype(np.int64) * 86_400_000_000 + np.arange(len(values)) % per_session * 60_000_000
    return Block(("A", "B", "C")[: values.shape[1]], ts, session, fields)


def trade(
    block: Block, plan: Plan, settings: EngineSettings = FREE, splits: Any = (), dividends: Any = ()
) -> tuple[Played, Fills, list[tuple[float, float, dict[str, float]]]]:
    """Play a plan; return what was played, its fills and (cash, equity, positions) as the book showed them."""
    state = order_state.new(block.symbols, settings)
    known = actions(block.symbols, splits, dividends)
    seen: list[tuple[float, float, dict[str, float]]] = []

    def on_bar(bar: Bar, book: Book) -> None:
        seen.append((book.cash, book.equity, book.positions))
        plan.get(len(seen) - 1, lambda book: None)(book)

    shown = Bars(symbols=block.symbols, ts=block.ts, session=block.session, fields=block.fields)
    played = Player(state, 0, on_bar).play(block, known, shown)
    again = order_state.new(block.symbols, settings)
    step = order_pass.replay(again, block, known, played.orders)
    assert step.fills.to_bytes() == played.step.fills.to_bytes()  # every case is replayed as the platform does
    assert (step.equity.tobytes(), again.to_bytes()) == (played.step.equity.tobytes(), state.to_bytes())
    return played, played.step.fills, seen


CALM = (10.0, 11.0, 9.0, 10.0)


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
