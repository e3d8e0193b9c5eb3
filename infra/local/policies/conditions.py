"""The condition operators of IAM policies; one that is not known here raises by its name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.local.policies.wildcard import Context, expand, matches

Test = Callable[[str, str, Context], bool]
"""Whether the request's value (second) satisfies what the policy wants (first)."""


class UnknownPolicyElementError(ValueError):
    """A policy says something that the evaluation does not know; guessing would open or close a door."""


@dataclass(frozen=True)
class Condition:
    """One operator on one key, with the values that the policy lists."""

    test: Test
    key: str
    wanted: tuple[str, ...]
    negated: bool = False
    if_exists: bool = False
    quantifier: str = ""

    def holds(self, context: Context) -> bool:
        """Tell whether the request's values of the key satisfy the condition, as AWS defines it."""
        found = context.get(self.key)
        values = [found] if isinstance(found, str) else list(found or ())
        if found is None and self.if_exists:
            return True
        if self.quantifier == "forallvalues":
            return all(self._one(v, context) for v in values)
        if self.quantifier == "foranyvalue":
            return any(self._one(v, context) for v in values)
        if not values:
            return self.negated
        if self.negated:
            return all(self._one(v, context) for v in values)
        return any(self._one(v, context) for v in values)

    def _one(self, value: str, context: Context) -> bool:
        return any(self.test(want, value, context) for want in self.wanted) != self.negated


@dataclass(frozen=True)
class Null(Condition):
    """Whether the key is absent ("true") or present ("false")."""

    def holds(self, context: Context) -> bool:
        """Tell whether the key's absence is the wanted one."""
        return any((self.key not in context) == (want.lower() == "true") for want in self.wanted)


def parse(block: dict[str, dict[str, object]]) -> tuple[Condition, ...]:
    """Return the conditions of a statement's Condition block; all of them must hold."""
    return tuple(_condition(op, key, value) for op, keys in block.items() for key, value in keys.items())


def _condition(operator: str, key: str, value: object) -> Condition:
    quantifier, _, name = operator.rpartition(":")
    quantifier, name = quantifier.lower(), name.lower()
    if quantifier not in ("", "foranyvalue", "forallvalues"):
        raise UnknownPolicyElementError(f"condition operator {operator!r} is not known")
    wanted = tuple(_text(v) for v in value) if isinstance(value, list | tuple) else (_text(value),)
    if name == "null":
        return Null(_equals, key.lower(), wanted)
    base = name.removesuffix("ifexists")
    if base not in _OPERATORS:
        raise UnknownPolicyElementError(f"condition operator {operator!r} is not known")
    test, negated = _OPERATORS[base]
    return Condition(test, key.lower(), wanted, negated, base != name, quantifier)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UnknownPolicyElementError(f"condition value {value!r} is neither text nor number")


def _equals(want: str, value: str, context: Context) -> bool:
    return expand(want, context) == value


def _equals_ignoring_case(want: str, value: str, context: Context) -> bool:
    expanded = expand(want, context)
    return expanded is not None and expanded.casefold() == value.casefold()


def _arn(want: str, value: str, context: Context) -> bool:
    """Compare the six parts of two ARNs one by one, so that a wildcard stays inside its part."""
    wants, has = want_parts(want), value.split(":", 5)
    return len(wants) == len(has) == 6 and all(matches(w, h, context) for w, h in zip(wants, has, strict=True))


def want_parts(pattern: str) -> Sequence[str]:
    """Split an ARN pattern at its first five colons, leaving the colons inside of `${aws:userid}` alone."""
    parts: list[str] = []
    depth = start = 0
    for i, char in enumerate(pattern):
        depth += (char == "{") - (char == "}")
        if char == ":" and not depth and len(parts) < 5:
            parts.append(pattern[start:i])
            start = i + 1
    return [*parts, pattern[start:]]


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(want: str, value: str, _: Context) -> bool:
        try:
            return compare(float(value), float(want))
        except ValueError:
            return False

    return test


def _date(compare: Callable[[float, float], bool]) -> Test:
    def test(want: str, value: str, _: Context) -> bool:
        try:
            return compare(_epoch(value), _epoch(want))
        except ValueError:
            return False

    return test


def _epoch(text: str) -> float:
    """Return seconds since 1970 of an ISO 8601 instant (UTC where it names no zone) or of such a number."""
    try:
        return float(text)
    except ValueError:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _address(want: str, value: str, _: Context) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(want, strict=False)
    except ValueError:
        return False


_COMPARE: dict[str, tuple[Callable[[float, float], bool], bool]] = {
    "equals": (lambda a, b: a == b, False),
    "notequals": (lambda a, b: a == b, True),
    "lessthan": (lambda a, b: a < b, False),
    "lessthanequals": (lambda a, b: a <= b, False),
    "greaterthan": (lambda a, b: a > b, False),
    "greaterthanequals": (lambda a, b: a >= b, False),
}
_OPERATORS: dict[str, tuple[Test, bool]] = {
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_ignoring_case, True),
    "stringlike": (matches, False),
    "stringnotlike": (matches, True),
    "arnequals": (_arn, False),
    "arnlike": (_arn, False),
    "arnnotequals": (_arn, True),
    "arnnotlike": (_arn, True),
    "bool": (_equals_ignoring_case, False),
    "ipaddress": (_address, False),
    "notipaddress": (_address, True),
    **{f"numeric{name}": (_number(compare), negated) for name, (compare, negated) in _COMPARE.items()},
    **{f"date{name}": (_date(compare), negated) for name, (compare, negated) in _COMPARE.items()},
}
