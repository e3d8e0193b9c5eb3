"""EventBridge event patterns, compiled to predicates; a matcher that is not known raises by its name."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Predicate = Callable[[Any], bool]
_ABSENT = object()
_NUMERIC: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class UnknownPatternError(ValueError):
    """A pattern says something that the local router does not know."""


def compiled(pattern: Mapping[str, Any]) -> Predicate:
    """Return whether an event (a JSON object) matches: every field must, one of a field's matchers suffices."""
    fields = {name: _field(name, wanted) for name, wanted in pattern.items()}

    def matches(event: Any) -> bool:
        known = event if isinstance(event, Mapping) else {}
        return all(predicate(known.get(name, _ABSENT)) for name, predicate in fields.items())

    return matches


def _field(name: str, wanted: Any) -> Predicate:
    if name.startswith("$"):
        raise UnknownPatternError(f"the pattern's {name!r} is not known")
    if isinstance(wanted, Mapping):
        return compiled(wanted)
    if not isinstance(wanted, list) or not wanted:
        raise UnknownPatternError(f"the pattern of {name!r} is neither an object nor a list with something in it")
    matchers = [_matcher(one) for one in wanted]

    def matches(value: Any) -> bool:
        values = value if isinstance(value, list) else [value]
        return any(matcher(v) for v in values for matcher in matchers)

    return matches


def _matcher(wanted: Any) -> Predicate:
    if not isinstance(wanted, Mapping):
        return lambda value: (type(value) is type(wanted) and value == wanted) or _same_number(value, wanted)
    if len(wanted) != 1:
        raise UnknownPatternError(f"the matcher {dict(wanted)!r} has not exactly one name")
    ((name, argument),) = wanted.items()
    if name == "exists":
        return lambda value: (value is not _ABSENT) is argument
    if name == "anything-but":
        return _anything_but(argument)
    if name == "numeric":
        return _numeric(argument)
    return _text(name, argument)


def _same_number(value: Any, wanted: Any) -> bool:
    numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
    return numbers and not isinstance(value, bool) and not isinstance(wanted, bool) and value == wanted


def _text(name: str, argument: Any) -> Predicate:
    """A matcher of text; what is no text does not match it."""
    if isinstance(argument, Mapping) and set(argument) == {"equals-ignore-case"} and name in ("prefix", "suffix"):
        folded = _text(name, argument["equals-ignore-case"].casefold())
        return lambda value: isinstance(value, str) and folded(value.casefold())
    if not isinstance(argument, str):
        raise UnknownPatternError(f"the matcher {name!r} does not know {argument!r}")
    if name == "prefix":
        return lambda value: isinstance(value, str) and value.startswith(argument)
    if name == "suffix":
        return lambda value: isinstance(value, str) and value.endswith(argument)
    if name == "equals-ignore-case":
        return lambda value: isinstance(value, str) and value.casefold() == argument.casefold()
    if name == "wildcard":
        regex = _wildcard(argument)
        return lambda value: isinstance(value, str) and regex.fullmatch(value) is not None
    raise UnknownPatternError(f"the matcher {name!r} is not known")


def _anything_but(argument: Any) -> Predicate:
    """What is there and is none of these: values, or one matcher of text (whose argument may be a list)."""
    if isinstance(argument, Mapping):
        if len(argument) != 1:
            raise UnknownPatternError(f"anything-but {dict(argument)!r} has not exactly one name")
        ((name, inner),) = argument.items()
        but = [_text(name, one) for one in (inner if isinstance(inner, list) else [inner])]
    else:
        but = [_matcher(one) for one in (argument if isinstance(argument, list) else [argument])]
    return lambda value: value is not _ABSENT and not any(matcher(value) for matcher in but)


def _numeric(argument: list[Any]) -> Predicate:
    pairs = list(zip(argument[::2], argument[1::2], strict=True))
    if unknown := [name for name, _ in pairs if name not in _NUMERIC]:
        raise UnknownPatternError(f"the comparison {unknown[0]!r} is not known")

    def matches(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and all(_NUMERIC[name](value, limit) for name, limit in pairs)

    return matches


def _wildcard(pattern: str) -> re.Pattern[str]:
    """`*` stands for any text, slashes included; a backslash takes the meaning from what follows it."""
    parts = re.findall(r"\\.|\*|[^*\\]+", pattern, re.DOTALL)
    if "".join(parts) != pattern:
        raise UnknownPatternError(f"the wildcard {pattern!r} ends in a lonely backslash")
    texts = [".*" if part == "*" else re.escape(part[1:] if part[0] == "\\" else part) for part in parts]
    return re.compile("".join(texts), re.DOTALL)
