"""The bridge to Numba: teaches it the book's methods and compiles the walk around a strategy's `on_bar`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.core import ir
from numba.core.typing.templates import infer_getattr, make_overload_method_template
from numba.extending import overload, register_jitable

from tapedeck import columns


def compile_driver(step: Callable[..., Any], *first: Any) -> Callable[..., int]:
    """Return `columns.driver` of an `on_bar`, compiled for arguments of the types of `first`, which hold no row.

    Indices are checked, and arithmetic is IEEE's (no fastmath).
    """
    jitted = njit(boundscheck=True)(step)
    drive: Callable[..., int] = njit(boundscheck=True)(columns.driver(jitted, njit(columns.worth)))
    drive(*first)
    _no_number_is_cut(jitted)
    return drive


def _no_number_is_cut(step: Any) -> None:
    """Raise `TypeError` where `on_bar` stores a fraction in an attribute that began as a whole number.

    Numba would cut the fraction off without a word.
    """
    for compiled in step.overloads.values():
        kinds = compiled.type_annotation.typemap
        for block in compiled.type_annotation.blocks.values():
            for line in block.find_insts(ir.SetAttr):
                owner, value = kinds[line.target.name], kinds[line.value.name]
                fraction = isinstance(owner, types.Record) and isinstance(value, types.Float)
                if fraction and not isinstance(owner.typeof(line.attr), types.Float):
                    begun = f"self.{line.attr} began as a whole number: begin with {line.attr} = 0.0"
                    raise TypeError(f"{begun} (line {line.loc.line} stores a fraction)")


def _teach(name: str, function: Callable[..., Any]) -> None:
    """Give books the method, and other named tuples not: they may have a field of that name."""

    def typing(book: Any, *_: Any, **__: Any) -> Callable[..., Any]:
        return function

    signature = inspect.signature(function)
    typing.__signature__ = signature  # type: ignore[attr-defined]
    overload(typing)(typing)
    template = make_overload_method_template(types.NamedTuple, name, typing, "never")

    class OfBooks(template):  # type: ignore[misc, valid-type]
        def _resolve(self, owner: Any, attribute: str) -> Any:
            return super()._resolve(owner, attribute) if owner.instance_class is columns.ColumnBook else None

    infer_getattr(OfBooks)


register_jitable(columns.request)
for _name, _function in columns.METHODS.items():
    _teach(_name, _function)
