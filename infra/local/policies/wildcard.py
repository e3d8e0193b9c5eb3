"""The patterns of IAM policies: `*`, `?` and policy variables such as `${aws:userid}`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

Value = str | Sequence[str]
Context = Mapping[str, Value]
"""What is known of a request; keys in lower case, because condition keys ignore case."""

_TOKEN = re.compile(r"\$\{(?P<variable>[^}]*)\}|(?P<wild>[*?])|(?P<text>[^$*?]+|\$)", re.DOTALL)
_DEFAULT = re.compile(r"(?P<name>[^,]+?)\s*,\s*'(?P<default>[^']*)'")
_WILD = {"*": ".*", "?": "."}


def matches(pattern: str, value: str, context: Context, *, ignore_case: bool = False) -> bool:
    """Tell whether the whole of `value` fits `pattern`; a variable that the context does not know fits nothing."""
    regex = _regex(pattern, context)
    return regex is not None and _compiled(regex, ignore_case).fullmatch(value) is not None


def expand(text: str, context: Context) -> str | None:
    """Return `text` with its variables replaced and `*`, `?` kept as they are; None when a variable is unknown."""
    parts: list[str] = []
    for token in _TOKEN.finditer(text):
        value = _variable(token["variable"], context) if token["variable"] is not None else token[0]
        if value is None:
            return None
        parts.append(value)
    return "".join(parts)


def _regex(pattern: str, context: Context) -> str | None:
    if "${" not in pattern:
        return _plain(pattern)
    parts: list[str] = []
    for token in _TOKEN.finditer(pattern):
        if token["variable"] is not None:
            value = _variable(token["variable"], context)
            if value is None:
                return None
            parts.append(re.escape(value))
        else:
            parts.append(_WILD.get(token[0]) or re.escape(token[0]))
    return "".join(parts)


@lru_cache(maxsize=4096)
def _plain(pattern: str) -> str:
    return "".join(_WILD.get(token[0]) or re.escape(token[0]) for token in _TOKEN.finditer(pattern))


@lru_cache(maxsize=4096)
def _compiled(regex: str, ignore_case: bool) -> re.Pattern[str]:
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _variable(name: str, context: Context) -> str | None:
    """Return a variable's value: `${*}`, `${?}`, `${$}` are these characters; `${key, 'default'}` has a default."""
    if name in ("*", "?", "$"):
        return name
    default = _DEFAULT.fullmatch(name)
    value = context.get((default["name"] if default else name).strip().lower())
    if isinstance(value, str):
        return value
    return default["default"] if default and value is None else None
