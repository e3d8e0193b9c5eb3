"""Did you mean ...? For parameters, fields, symbols, dataset names: whatever a person types."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of the known words that look like `word`, best first; upper and lower case are alike."""
    by_fold: dict[str, str] = {}
    for name in known:
        by_fold.setdefault(name.casefold(), name)
    return [by_fold[fold] for fold in get_close_matches(word.casefold()[:100], by_fold, n=count, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``. Did you mean 'x'?`` to append to a message, or an empty string when nothing is near."""
    near = closest(word, known)
    return f". Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
