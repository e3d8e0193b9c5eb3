import json
from pathlib import Path

import numpy as np
import pytest

import contract
from sandbox.exchange import Exchange as StrategySide
from sidecar import chunks
from sidecar.chunks import Column
from sidecar.exchange import Exchange


def test_what_the_sidecar_encodes_the_strategy_reads_without_a_copy(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    ts = np.arange(5, dtype=np.int64)
    session = np.arange(5, dtype=np.int32)
    close = np.arange(15, dtype=np.float64).reshape(5, 3)
    columns = [
        Column("ts", "<i8", (5,), lambda: [ts[:2], ts[2:]]),
        Column("session", "<i4", (5,), lambda: [session]),
        Column("close", "<f8", (5, 3), lambda: [part for one in close.T for part in (one[:2], one[2:])]),
        Column("raw.close", "<f8", (5, 3), lambda: [close * 2]),
        Column("open", "<f8", (5, 3), lambda: [], same_as="close"),
    ]
    exchange = Exchange(tmp_path / "in", tmp_path / "out")
    exchange.publish(contract.chunk_data(0), chunks.parts(columns))
    exchange.publish(contract.chunk_header(0), [chunks.header(0, 3, 2, columns)])
    [chunk] = StrategySide(tmp_path / "in", tmp_path / "out").chunks(1)
    assert (chunk.index, chunk.rows, chunk.history) == (0, 3, 2)
    for name, expected in (
        ("ts", ts),
        ("session", session),
        ("close", close),
        ("raw.close", close * 2),
        ("open", close),
    ):
        np.testing.assert_array_equal(chunk.arrays[name], expected)
        assert not chunk.arrays[name].flags.writeable and not chunk.arrays[name].flags.owndata
        assert chunk.arrays[name].flags.f_contiguous
    header: contract.ChunkHeader = json.loads((tmp_path / "in/chunk-000000.json").read_bytes())
    assert all(spec["offset"] % contract.ALIGN == 0 for spec in header["arrays"])


def test_an_array_of_another_shape_than_stated_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        list(chunks.parts([Column("ts", "<i8", (5,), lambda: [np.zeros(4, np.int64)])]))


def test_a_chunk_that_is_given_back_leaves_no_memory_behind_and_one_that_is_held_stays(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    ours, theirs = (side(tmp_path / "in", tmp_path / "out") for side in (Exchange, StrategySide))
    for index in range(3):
        column = Column("ts", "<i8", (5,), lambda index=index: [np.full(5, index)])
        ours.publish(contract.chunk_data(index), chunks.parts([column]))
        ours.publish(contract.chunk_header(index), [chunks.header(index, 5, 0, [column])])
    handed, held = theirs.chunks(3), []
    files = {index: (tmp_path / "in" / contract.chunk_data(index)).open("rb") for index in range(3)}
    for index in range(3):
        chunk = next(handed)
        theirs.decide(chunk, np.zeros((5, 1)))
        if index != 1:
            held.append(chunk.arrays["ts"])  # a strategy that keeps what it saw
        del chunk
        ours.discard(contract.decisions(index))
        ours.retire(index)
        ours.reclaim()
    assert not list((tmp_path / "in").iterdir())
    assert [file.seek(0, 2) > 0 for _, file in sorted(files.items())] == [True, False, True]
    assert [array.tolist() for array in held] == [[0] * 5, [2] * 5]
    ours.reclaim(everything=True)
    assert not any(file.seek(0, 2) for file in files.values())
    for file in files.values():
        file.close()
    held.clear()


def test_decisions_that_were_taken_are_emptied_and_others_are_not(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    ours, theirs = (side(tmp_path / "in", tmp_path / "out") for side in (Exchange, StrategySide))
    column = Column("ts", "<i8", (5,), lambda: [np.zeros(5)])
    for index in range(3):
        ours.publish(contract.chunk_data(index), chunks.parts([column]))
        ours.publish(contract.chunk_header(index), [chunks.header(index, 5, 0, [column])])
    handed = theirs.chunks(3)
    theirs.decide(next(handed), np.zeros((5, 1)))
    with (tmp_path / "out" / contract.decisions(0)).open("rb") as file:
        ours.discard(contract.decisions(0))
        theirs.decide(next(handed), np.zeros((5, 1)))
        assert file.seek(0, 2) == 0
    next(handed)
    assert len(ours.take(contract.decisions(1), 100) or b"") == 40
