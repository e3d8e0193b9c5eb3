"""Tapedeck: replay the market for a strategy.

A strategy file needs one import: ``from tapedeck import Strategy, sma``. Names are loaded when first used, so that
`tapedeck.submission` (which runs where there is no NumPy) costs nothing but itself.
"""

from __future__ import annotations

from importlib import import_module

_HOME: dict[str, str] = {}  # public name -> module that defines it


def __getattr__(name: str) -> object:
    if name.startswith("__") or name not in _HOME:
        from tapedeck.suggest import did_you_mean  # noqa: PLC0415 - difflib is needed for a mistake only

        raise AttributeError(f"module 'tapedeck' has no attribute {name!r}{did_you_mean(name, _HOME)}")
    value: object = getattr(import_module(f"tapedeck.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
