"""Indicators that are asked for again and again on the same array, as in a sweep, are worked out once.

Outside of `remembering` a remembered function is the function itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Memory(Protocol):
    """What knows earlier answers."""

    def recall(self, function: Callable[..., Any], windowed: bool, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Return `function(*args, **named)`, read-only where it is kept.

        `windowed`: it maps (values, window) to values of the same shape, each out of its own window's bars alone.
        """
        ...


class _Current:
    memory: Memory | None = None


def remembered(function: Callable[Asked, Answer], *, windowed: bool = False) -> Callable[Asked, Answer]:
    """Let a pure function of arrays and plain values ask the memory that is in use, if one is."""

    @wraps(function)
    def asked(*args: Asked.args, **named: Asked.kwargs) -> Answer:
        memory = _Current.memory
        if memory is None:
            return function(*args, **named)
        answer: Answer = memory.recall(function, windowed, args, named)
        return answer

    return asked


@contextmanager
def remembering(memory: Memory | None) -> Iterator[None]:
    """Use `memory` for all indicators of this process; None: none, as ever."""
    before, _Current.memory = _Current.memory, memory
    try:
        yield
    finally:
        _Current.memory = before
