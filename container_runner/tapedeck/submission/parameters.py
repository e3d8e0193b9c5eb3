"""Parameters: annotated class attributes with a literal default; the header block and the caller override them."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Literal, cast, get_args

from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.inspection import Inspection, Parameter, Scalar
from tapedeck.suggest import did_you_mean

Type = Literal["int", "float", "str", "bool"]
TYPES: tuple[Type, ...] = get_args(Type)
MAX_TEXT = 10_000  # characters of a text parameter
MAX_INT = 2**63 - 1


def declared(body: list[ast.stmt], cell: Cell) -> dict[str, Parameter]:
    """Return the parameters that a class body declares; raises BAD_PARAMETER."""
    found: dict[str, Parameter] = {}
    for statement in body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name, type_ = statement.target.id, _type(statement.annotation)
        if type_ is None or name.startswith("_") or name == "fields":
            continue
        try:
            default = ast.literal_eval(statement.value) if statement.value is not None else None
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            default = None
        try:
            found[name] = {"type": type_, "default": _typed(name, type_, default)}
        except SubmissionError as error:
            message = f"{cell.place(statement.lineno)}: {error.message} Give {name!r} a literal default of that type."
            line, column = statement.lineno, statement.col_offset + 1
            raise SubmissionError("BAD_PARAMETER", message, line=line, column=column, cell=cell.number) from None
    return found


def from_header(header: Mapping[str, object]) -> dict[str, Scalar]:
    """Return the header block's `params`; raises BAD_HEADER when it is no table of plain values."""
    params = header.get("params", {})
    if not isinstance(params, dict):
        raise SubmissionError("BAD_HEADER", "params in the header block is a table: params = { fast = 20 }.")
    for name, value in params.items():
        if not isinstance(value, int | float | str | bool):
            message = f"params.{name} in the header block is neither a number, nor text, nor true or false."
            raise SubmissionError("BAD_HEADER", message)
    return params


def declared_by_header(header: Mapping[str, object]) -> dict[str, Parameter]:
    """Return the parameters of a top-level ``main(run)``: those of the header block, typed by their values."""
    values = from_header(header)
    types: dict[str, Type] = {name: cast("Type", type(value).__name__) for name, value in values.items()}
    return {name: {"type": types[name], "default": _typed(name, types[name], v)} for name, v in values.items()}


def resolve_parameters(inspection: Inspection, overrides: Mapping[str, object]) -> dict[str, Scalar]:
    """Return every parameter's value, typed: class default, then header block, then `overrides`.

    Raises `SubmissionError` BAD_PARAMETER for an unknown name (with the nearest known one) or a value of another type.
    """
    values: dict[str, Scalar] = {name: p["default"] for name, p in inspection.parameters.items()}
    for source in (from_header(inspection.header), overrides):
        for name, value in source.items():
            if name not in inspection.parameters:
                raise SubmissionError("BAD_PARAMETER", _unknown(name, inspection))
            values[name] = _typed(name, inspection.parameters[name]["type"], value)
    return values


def _unknown(name: str, inspection: Inspection) -> str:
    if inspection.parameters:
        known = ", ".join(sorted(inspection.parameters))
        hint = did_you_mean(name, inspection.parameters) or f"; it has {known}."
        return f"The strategy has no parameter {name[:100]!r}{hint}"
    return f"The strategy has no parameter {name[:100]!r}: it declares none, as `fast: int = 20` in the class would."


def _type(annotation: ast.expr) -> Type | None:
    said = annotation.value if isinstance(annotation, ast.Constant) else getattr(annotation, "id", None)
    return cast("Type", said) if said in TYPES else None


def _typed(name: str, type_: Type, value: object) -> Scalar:
    """Return `value` as `type_`; an int is welcome where a float is asked for, nothing else is converted."""
    if type_ == "bool" and isinstance(value, bool):
        return value
    if type_ == "int" and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INT:
        return value
    if type_ == "str" and isinstance(value, str) and len(value) <= MAX_TEXT:
        return value
    if type_ == "float" and isinstance(value, int | float) and not isinstance(value, bool) and _finite(value):
        return float(value)
    raise SubmissionError("BAD_PARAMETER", f"Parameter {name!r} takes {_WORDS[type_]}, not {repr(value)[:60]}.")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond every float
        return False


_WORDS: dict[Type, str] = {
    "int": "a whole number (of at most 63 bits)",
    "float": "a finite number",
    "str": f"text (of at most {MAX_TEXT} characters)",
    "bool": "true or false",
}
