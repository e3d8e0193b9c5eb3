"""The compiled pass over bars and weights, kernel.c: the bytes of `Books`, for the settings that it knows."""

from __future__ import annotations

import ctypes
import dataclasses
from ctypes import POINTER, c_double, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck import compiled
from tapedeck.engine import costs, fills, margin, plan
from tapedeck.engine.inputs import Array, Block
from tapedeck.engine.margin import MarginCall
from tapedeck.engine.settings import EngineSettings
from tapedeck.engine.state import EngineState

_SIZES = {"cash", "accounts", "size_at", "rebalance", "leverage", "fractional", "lot_size"}
_COSTS = {
    "commission_bps",
    "commission_per_share",
    "commission_minimum",
    "slippage_bps",
    "half_spread_per_share",
    "impact_bps",
}
_MARKET = {"volume_cap", "halt_zero_volume"}
_CARRY = {"borrow_fee_annual", "interest_credit_annual", "interest_debit_annual"}
KNOWN = frozenset(_SIZES | _COSTS | _MARKET | _CARRY | {"maintenance_margin"})
"""The settings that kernel.c follows; each further one has to be at its default."""
_STATE = ("cash", "shares", "basis", "target", "pending", "unsized", "decided", "mark", "accrued", "carried")
_DUE = np.dtype([("row", "<i8"), ("kind", "<i4"), ("column", "<i4"), ("value", "<f8")])
_CALL = np.dtype(
    [
        ("ts", "<i8"),
        ("first", "<i8"),
        ("count", "<i8"),
        ("session", "<i4"),
        ("account", "<i4"),
        ("equity", "<f8"),
        ("held", "<f8"),
    ]
)
_DAYS = 2  # a kind of what is due, after those of `state`
_TO_BE_NAMED, _NO_MEMORY, _TOO_MANY = 1, 2, 3


def knows(settings: EngineSettings) -> bool:
    """Return whether the compiled pass keeps books by these settings."""
    return all(
        field.name in KNOWN or getattr(settings, field.name) == field.default for field in dataclasses.fields(settings)
    )


class _Table(ctypes.Structure):
    _fields_ = [("at", c_void_p), ("row", c_int64), ("column", c_int64)]


class _Commission(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("rate", "per_share", "minimum")]


class _Slippage(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("rate", "half_spread", "impact")]


class _Liquidity(ctypes.Structure):
    _fields_ = [("lot", c_double), ("cap", c_double), ("volume", _Table)]


class _Carry(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("borrow", "credit", "debit")]


class _Margin(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("maintenance", "leverage")]


class _Pass(ctypes.Structure):
    _fields_ = [
        *(
            (name, c_int64)
            for name in ("rows", "columns", "bars", "dues", "filled", "room", "most", "called", "calls_room")
        ),
        *((name, _Table) for name in ("open", "close", "targets")),
        *((name, c_void_p) for name in ("ts", "session", "rhythm", "due")),
        *((name, c_void_p) for name in _STATE),
        *((name, c_void_p) for name in ("equity", "net", "gross", "fills", "calls")),
        *((name, c_double) for name in ("start_cash", "credit")),
        ("commission", _Commission),
        ("slippage", _Slippage),
        ("liquidity", _Liquidity),
        ("carry", _Carry),
        ("margin", _Margin),
        *((name, c_int32) for name in ("sleeves", "at_fill", "error")),
    ]


@dataclass(frozen=True)
class Passed:
    """What the pass brought: fills, (3, n) equity, net and gross value at each bar's close, and margin calls."""

    fills: fills.Fills
    values: Array
    calls: tuple[MarginCall, ...]


def passed(state: EngineState, block: Block, targets: Array) -> Passed | None:
    """Carry the books over a block, as `core.by_books` does; None, and nothing changed, where that has to be asked.

    That is: for settings that kernel.c does not know, where it was not built, and for an infinite target or a trade
    that cannot be, which `by_books` names. The block's shape has been checked.
    """
    library = compiled.library() if knows(state.settings) else None
    if library is None:
        return None
    kept = {name: getattr(state, name).copy() for name in _STATE}
    values = np.zeros((3, len(block.ts)))
    read = ("open", "close", "volume") if state.settings.by_volume else ("open", "close")
    tables = {name: _strided(block.fields[name]) for name in read} | {"targets": _strided(targets)}
    arrays = {
        "ts": np.ascontiguousarray(block.ts, np.int64),
        "session": np.ascontiguousarray(block.session, np.int32),
        "due": _due(state, block),
        **kept,
        **dict(zip(("equity", "net", "gross"), values, strict=True)),
    }
    if state.settings.rebalance != "change":
        arrays["rhythm"] = plan.rhythm(state, block).astype(np.uint8)
    call = _call(state, len(block.ts), len(arrays["due"]), arrays, tables)
    _functions(library).kernel_pass(call)
    try:
        if call.error == _NO_MEMORY:
            raise MemoryError("the engine's pass over a block has no memory left")
        if call.error == _TOO_MANY:
            fills.check_count(fills.MOST + 1)
        if call.error == _TO_BE_NAMED:
            return None
        records = _copied(call.fills, call.filled, fills.RECORD)
        calls = _margin_calls(_copied(call.calls, call.called, _CALL), records)
    finally:
        library.kernel_free(call.fills)
        library.kernel_free(call.calls)
    for name, array in kept.items():
        getattr(state, name)[:] = array
    return Passed(fills.Fills(records), values, calls)


def _call(state: EngineState, rows: int, dues: int, arrays: dict[str, NDArray[Any]], tables: dict[str, Array]) -> _Pass:
    """Return the argument of `kernel_pass`; its pointers are into `arrays` and `tables`, which have to outlive it."""
    settings = state.settings
    call = _Pass(rows=rows, columns=len(state.symbols), bars=state.bars, dues=dues, most=fills.MOST)
    for name in ("open", "close", "targets"):
        setattr(call, name, _table(tables[name]))
    for name, array in arrays.items():
        setattr(call, name, array.ctypes.data)
    call.start_cash, call.credit = settings.cash, settings.leverage - 1.0
    commission, slippage = costs.commission(settings), costs.slippage(settings)
    call.commission = _Commission(commission.rate, commission.per_share, commission.minimum)
    call.slippage = _Slippage(slippage.rate, slippage.half_spread, slippage.impact)
    call.liquidity = _Liquidity(settings.lot, settings.volume_cap, _table(tables.get("volume")))
    call.carry = _Carry(settings.borrow_fee_annual, settings.interest_credit_annual, settings.interest_debit_annual)
    call.margin = _Margin(settings.maintenance_margin, settings.leverage)
    call.sleeves, call.at_fill = settings.accounts == "sleeves", settings.size_at == "fill"
    return call


def _copied(memory: int | None, count: int, record: np.dtype[np.void]) -> NDArray[np.void]:
    """Return the records that the pass wrote."""
    size = count * record.itemsize
    return np.frombuffer(ctypes.string_at(memory, size) if memory and size else b"", record)


def _margin_calls(calls: NDArray[np.void], records: NDArray[np.void]) -> tuple[MarginCall, ...]:
    """Return margin calls with what each of them traded. Raises `LimitError` for more than a run may have."""
    margin.check_count(int(calls["count"].sum()))
    traded = records[["symbol", "quantity", "price"]]
    return tuple(
        MarginCall(ts, session, account, equity, held, tuple(traded[first : first + count].tolist()))
        for ts, first, count, session, account, equity, held in calls.tolist()
    )


def _due(state: EngineState, block: Block) -> NDArray[np.void]:
    """Return what happens to the accounts before a row's open: the days that passed, then dividends and splits."""
    days = plan.days_passed(state.settings, state.session, block.session)
    found = {row: [(_DAYS, 0, float(passed))] for row, passed in days.items()}
    for row, actions in plan.due(state, block).items():
        found.setdefault(row, []).extend(actions)
    return np.array([(row, *what) for row in sorted(found) for what in found[row]], _DUE)


def _table(array: Array | None) -> _Table:
    """Return where an array lies; NULL for None."""
    return _Table() if array is None else _Table(array.ctypes.data, *(step // 8 for step in array.strides))


def _strided(array: Array) -> Array:
    """Return `array` as native float64 at whole strides: itself, but for arrays that somebody made by hand."""
    fits = array.dtype == np.float64 and array.flags.aligned and all(step % 8 == 0 for step in array.strides)
    return array if fits else np.array(array, np.float64)


def _functions(library: ctypes.CDLL) -> ctypes.CDLL:
    library.kernel_pass.argtypes, library.kernel_pass.restype = [POINTER(_Pass)], None
    library.kernel_free.argtypes, library.kernel_free.restype = [c_void_p], None
    return library
