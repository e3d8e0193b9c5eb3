"""What a sweep remembers of indicators: worked out once on the whole span, cut for each chunk that asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

WHOLE_BYTES = 256 << 20  # of answers on whole spans
CUT_BYTES = 64 << 20  # of answers on single chunks, and of the places that they lie in
ONLY_HERE = 2  # references to an array that nobody else has, nor a view of it: the owner's, and the question's own
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
        size = _bytes(answer)
        if size > self._limit:
            return
        self._answers[key] = answer
        self._held += size
        while self._held > self._limit:
            self._held -= _bytes(self._answers.popitem(last=False)[1])

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
        self._of_wholes, self._of_cuts, self._places = Shelf(whole_bytes), Shelf(cut_bytes), Shelf(cut_bytes)

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
        if windowed and len(args) == 2 and type(args[1]) is int and not named:  # nearly always
            short = (function, id(args[0]), args[1])
            answer = self._of_cuts.get(short)
            cut = self._cuts.get(short[1])
            if answer is None and cut is not None:
                answer = self._cut(function, cut, args[1])
                self._of_cuts.put(short, answer)
            return function(*args) if answer is None else answer
        return self._in_words(function, args, named)

    def _in_words(self, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        arrays = [value for value in args if id(value) in self._cuts]
        plain = [value for value in (*args, *named.values()) if isinstance(value, _PLAIN)]
        if not arrays or len(arrays) + len(plain) != len(args) + len(named):
            return function(*args, **named)
        said = tuple((type(v), v) if isinstance(v, _PLAIN) else id(v) for v in args)
        key = (function, said, *((name, type(v), v) for name, v in named.items()))
        answer = self._of_cuts.get(key)
        if answer is None:
            answer = _closed(function(*args, **named))
            self._of_cuts.put(key, answer)
        return answer

    def _cut(self, function: Callable[..., Any], cut: Cut, window: int) -> Array:
        """Cut the answer on the whole span: the same values, NaN where the chunk has not enough bars."""
        key = (function, id(cut.whole), window)
        whole = self._of_wholes.get(key)
        if whole is None:
            self.made += 1
            whole = _closed(function(cut.whole, window))
            self._of_wholes.put(key, whole)
        stop = cut.start + len(cut.array)
        if cut.array.size != len(cut.array):  # several columns: the answer lies in one piece, as the chunk does
            own: Array = np.empty_like(cut.array, dtype=whole.dtype)
            own[:] = whole[cut.start : stop]
        else:
            own = self._place((*key, stop), whole, cut.start, stop)
        own[: window - 1] = np.nan
        own.flags.writeable = False
        return own

    def _place(self, key: Any, whole: Array, start: int, stop: int) -> Array:
        """Return a copy of `whole[start:stop]`, in the place of the last one for the same chunk where that is free.

        Histories that grow shorter need the same values less some at the begin, and what was made NaN there before is
        so again, or is cut off.
        """
        place: Place | None = self._places.get(key)
        if place is None or start < place.last or getrefcount(place.values) > ONLY_HERE:
            place = Place(whole[start:stop].copy(), start)
            self._places.put(key, place)
        place.last = start
        return place.values[start - place.start :]


@dataclass(slots=True)
class Place:
    """Rows from `start` on; `last`: where the last copy in this place began."""

    values: Array
    start: int
    last: int = 0

    @property
    def nbytes(self) -> int:
        """The bytes that it takes."""
        return int(self.values.nbytes)


def _bytes(answer: Any) -> int:
    return sum(part.nbytes for part in answer) if isinstance(answer, tuple) else int(answer.nbytes)


def _parts(answer: Any) -> tuple[Array, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _closed(answer: Any) -> Any:
    for part in _parts(answer):
        part.flags.writeable = False
    return answer
