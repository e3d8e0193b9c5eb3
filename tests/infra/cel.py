"""A small interpreter of CEL, as much as infra/k8s/admission.yaml uses, so that its rules run in tests.

Strict: an unknown field, a wrong type or an unknown name raises `CelError`, as an API server would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(?:(\d+)|'([^']*)'|([A-Za-z_]\w*)|(&&|\|\||[=!<>]=|[-+!<>?:.,()\[\]]))")
_LEVELS: list[dict[str, Callable[[Any, Any], Any]]] = [
    {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "in": lambda a, b: a in b,
    },
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
]
_MACROS = {"all", "exists", "filter", "map"}
Node = tuple[Any, ...]


class CelError(Exception):
    """The expression cannot be read or evaluated."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, Any]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            if not (m := _TOKEN.match(text, at)):
                raise CelError(f"cannot read {text[at : at + 20]!r}")
            kind = ("number", "string", "name", "sign")[m.lastindex - 1 if m.lastindex else 0]
            self.tokens.append((kind, int(m[1]) if kind == "number" else m[m.lastindex or 0]))
            at = m.end()
        self.at = 0

    def peek(self, *values: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] in [(k, v) for v in values for k in ("sign", "name")]

    def take(self, *values: str) -> Any:
        if self.at >= len(self.tokens) or (values and not self.peek(*values)):
            raise CelError(f"expected {values or 'more'} at token {self.at}")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def ternary(self) -> Node:
        test = self.junction("||", lambda: self.junction("&&", lambda: self.binary(0)))
        if not self.peek("?"):
            return test
        self.take("?")
        yes = self.ternary()
        self.take(":")
        return ("if", test, yes, self.ternary())

    def junction(self, sign: str, deeper: Callable[[], Node]) -> Node:
        left = deeper()
        while self.peek(sign):
            self.take()
            left = (sign, left, deeper())
        return left

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek(*_LEVELS[level]):
            sign = self.take()
            left = ("binary", _LEVELS[level][sign], left, self.binary(level + 1))
        return left

    def unary(self) -> Node:
        if self.peek("!"):
            self.take()
            return ("not", self.unary())
        return self.postfix(self.primary())

    def postfix(self, node: Node) -> Node:
        while self.peek(".", "["):
            if self.take() == "[":
                node = ("index", node, self.ternary())
                self.take("]")
                continue
            name = self.take()
            node = ("call", node, name, self.arguments()) if self.peek("(") else ("field", node, name)
        return node

    def arguments(self, end: str = ")") -> list[Node]:
        self.take()
        found: list[Node] = []
        while not self.peek(end):
            found.append(self.ternary())
            if not self.peek(end):
                self.take(",")
        self.take(end)
        return found

    def primary(self) -> Node:
        if self.peek("("):
            self.take()
            inner = self.ternary()
            self.take(")")
            return inner
        if self.peek("["):
            return ("list", self.arguments("]"))
        kind, value = self.tokens[self.at] if self.at < len(self.tokens) else ("end", None)
        if kind == "name" and value in ("true", "false"):
            self.take()
            return ("constant", value == "true")
        if kind == "name":
            self.take()
            return ("has", self.arguments()[0]) if value == "has" and self.peek("(") else ("name", value)
        if kind in ("number", "string"):
            self.take()
            return ("constant", value)
        raise CelError(f"unexpected {value!r}")


def evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    """Return an expression's value; `names` may hold callables, which are called when the name is used."""
    reader = _Reader(expression)
    tree = reader.ternary()
    if reader.at != len(reader.tokens):
        raise CelError(f"unexpected {reader.tokens[reader.at]}")
    return _value(tree, names)


def _value(node: Node, names: Mapping[str, Any]) -> Any:  # noqa: PLR0911, PLR0912  one branch a kind of node
    match node:
        case ("constant", value):
            return value
        case ("list", items):
            return [_value(i, names) for i in items]
        case ("name", name):
            if name not in names:
                raise CelError(f"no such name: {name}")
            return names[name]
        case ("has", ("field", owner, name)):
            return name in _value(owner, names)
        case ("field", owner, name):
            return _field(_value(owner, names), name)
        case ("index", owner, key):
            return _value(owner, names)[_value(key, names)]
        case ("not", inner):
            return not _truth(_value(inner, names))
        case ("&&", left, right):
            return _truth(_value(left, names)) and _truth(_value(right, names))
        case ("||", left, right):
            return _truth(_value(left, names)) or _truth(_value(right, names))
        case ("if", test, yes, no):
            return _value(yes if _truth(_value(test, names)) else no, names)
        case ("binary", operation, left, right):
            return operation(_value(left, names), _value(right, names))
        case ("call", owner, name, arguments):
            return _call(_value(owner, names), name, arguments, names)
    raise CelError(f"cannot evaluate {node!r}")


def _field(owner: Any, name: str) -> Any:
    if not isinstance(owner, Mapping) or name not in owner:
        raise CelError(f"no such field: {name}")
    value = owner[name]
    return value() if callable(value) else value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError(f"{value!r} is no boolean")
    return value


def _call(owner: Any, name: str, arguments: list[Node], names: Mapping[str, Any]) -> Any:
    if name in _MACROS:
        (_, variable), body = arguments
        values = [(item, _value(body, {**names, variable: item})) for item in owner]
        if name == "map":
            return [v for _, v in values]
        if name == "filter":
            return [item for item, v in values if _truth(v)]
        return (all if name == "all" else any)(_truth(v) for _, v in values)
    given = [_value(a, names) for a in arguments]
    if name == "size" and not given:
        return len(owner)
    if name == "startsWith" and len(given) == 1:
        return owner.startswith(given[0])
    raise CelError(f"no such function: {name}")
