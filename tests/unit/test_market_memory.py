"""Blocks' memory is used again, and what waits unused stays below its limit."""

from __future__ import annotations

import numpy as np

from tapedeck.market.memory import Memory

MIB = 1 << 20


def address(table: np.ndarray) -> int:
    return int(table.__array_interface__["data"][0])


def test_a_table_that_nobody_holds_lends_its_memory_to_the_next() -> None:
    memory = Memory(64 * MIB)
    first = memory.table(100_000, 5)
    assert first.shape == (100_000, 5) and first.flags.f_contiguous and first.flags.writeable
    place, part = address(first), first[10:, 2]
    del first
    other = memory.table(100_000, 5)
    assert address(other) != place  # a part of it is held
    del part
    assert memory.waiting >= 100_000 * 5 * 8
    assert address(memory.table(90_000, 5)) == place


def test_what_waits_stays_below_the_limit_and_what_does_not_fit_goes() -> None:
    memory = Memory(8 * MIB)
    held = [memory.table(MIB // 2, 1) for _ in range(4)]  # 4 MiB each
    held.clear()
    assert memory.waiting == 8 * MIB
    larger = memory.table(MIB, 1)
    assert memory.waiting == 0
    del larger
    assert memory.waiting == 8 * MIB
    memory.table(MIB // 4, 1)  # by far smaller
    assert memory.waiting <= 8 * MIB


def test_small_tables_and_a_memory_without_limit_are_numpys_own() -> None:
    assert Memory(0).table(MIB, 1).base is None and Memory(0).waiting == 0
    assert Memory(8 * MIB).table(10, 10).flags.f_contiguous
