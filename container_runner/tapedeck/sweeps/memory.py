"""What a sweep remembers of indicators: worked out once on the whole span, cut for each chunk that asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WHOLE_BYTES = 256 << 20  # of answers on whole spans
CUT_BYTES = 64 << 20  # of answers on single chunks
_PLAIN = (int, float, str, bool, np.integer, np.floating, type(None))
Array = NDArray[Any]


class Cut(NamedTuple):
    """An array that is the rows from `start` on of `whole`; it is `whole` itself where nothing was cut off."""

    array: Array
    whole: Array
    start: int


class Shelf:
    """Answers up to a number of bytes; those not asked for the longest go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._answers: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        """Return an answer, or None."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: Any, answer: Any) -> None:
        """Keep an answer, unless it alone is more than may be kept."""
        size = sum(part.nbytes for part in _parts(answer))
        if size > self._limit:
            return
        self._answers[key] = answer
        self._held += size
        while self._held > self._limit:
            self._held -= sum(part.nbytes for part in _parts(self._answers.popitem(last=False)[1]))

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._held = 0


class Memory:
    """`tapedeck.indicators.recall.Memory` for arrays that it was told of: read-only, and alive as long as it is used.

    What it answers is read-only, and equal to what the indicator gives, to the byte and in memory order.
    """

    def __init__(self, whole_bytes: int = WHOLE_BYTES, cut_bytes: int = CUT_BYTES) -> None:
        self.made = 0  # answers on whole spans that were worked out
        self._wholes: dict[int, Array] = {}  # kept alive, so that no other array gets their id
        self._cuts: dict[int, Cut] = {}
        self._of_wholes, self._of_cuts = Shelf(whole_bytes), Shelf(cut_bytes)

    def know(self, array: Array, whole: Array, start: int) -> None:
        """Take note of a chunk's array, rows of `whole` from `start` on."""
        self._wholes[id(whole)] = whole
        self._cuts[id(array)] = Cut(array, whole, start)

    def forget_cuts(self) -> None:
        """Forget the chunks' arrays and the answers on them; answers on whole spans stay."""
        self._cuts.clear()
        self._of_cuts.clear()

    def recall(self, function: Callable[..., Any], windowed: bool, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Return `function(*args, **named)`, remembered when all of its arrays are known."""
        arrays = [value for value in args if id(value) in self._cuts]
        plain = [value for value in (*args, *named.values()) if isinstance(value, _PLAIN)]
        if not arrays or len(arrays) + len(plain) != len(args) + len(named):
            return function(*args, **named)
        said = tuple((type(v), v) if isinstance(v, _PLAIN) else id(v) for v in args)
        key = (function, said, *((name, type(v), v) for name, v in named.items()))
        answer = self._of_cuts.get(key)
        if answer is None:
            if windowed and len(args) == 2:
                answer = self._cut(function, self._cuts[id(args[0])], args[1])
            else:
                answer = _closed(function(*args, **named))
            self._of_cuts.put(key, answer)
        return answer

    def _cut(self, function: Callable[..., Any], cut: Cut, window: Any) -> Array:
        """Cut the answer on the whole span: the same values, NaN where the chunk has not enough bars."""
        key = (function, id(cut.whole), type(window), window)
        whole = self._of_wholes.get(key)
        if whole is None:
            self.made += 1
            whole = _closed(function(cut.whole, window))
            self._of_wholes.put(key, whole)
        rows = slice(cut.start, cut.start + len(cut.array))
        own: Array = np.empty_like(cut.array, dtype=whole.dtype)
        own[window - 1 :] = whole[rows][window - 1 :]
        own[: window - 1] = np.nan
        own.flags.writeable = False
        return own


def _parts(answer: Any) -> tuple[Array, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _closed(answer: Any) -> Any:
    for part in _parts(answer):
        part.flags.writeable = False
    return answer
