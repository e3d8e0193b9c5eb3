"""Fills are packed as they happen and written down piece by piece, and come out as if they were not."""

from __future__ import annotations

import pytest

from tapedeck.engine import fills
from tapedeck.engine.fills import Tape, from_rows

ROWS: list[tuple[float, ...]] = [
    (day * 86_400_000_000, day, 0, 1.5, 10.0, 9.0, 0.1, 0.2, float("nan") if day % 2 else -3.0) for day in range(11)
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fills, "_SLAB", 4)


def taped(count: int) -> Tape:
    tape = Tape()
    for row in ROWS[:count]:
        tape.append(row)
    return tape


@pytest.mark.parametrize("count", range(len(ROWS) + 1))
def test_a_tape_has_what_happened_in_order(count: int) -> None:
    tape, expected = taped(count), from_rows(ROWS[:count])
    assert len(tape) == count
    assert tape.fills().to_bytes() == expected.to_bytes()
    for first in range(count + 1):
        assert from_rows(tape.since(first)).to_bytes() == from_rows(ROWS[first:count]).to_bytes()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
def test_the_pieces_of_the_table_are_the_table_and_none_is_large(count: int) -> None:
    pieces = list(taped(count).fills().csv_parts(["A"]))
    lines = "".join(pieces).splitlines()
    assert lines[0] == "time,session,symbol,quantity,price,reference,commission,slippage,realised"
    assert lines[1:] == [
        f"1970-01-{day + 1:02}T00:00:00Z,1970-01-{day + 1:02},A,1.5,10.0,9.0,0.1,0.2,{'' if day % 2 else '-3.0'}"
        for day in range(count)
    ]
    assert all(piece.count("\n") <= 4 for piece in pieces)
