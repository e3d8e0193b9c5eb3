"""An exception of the user's code as `contract.Failure`: the place in the submitted file, the traceback from it on."""

from __future__ import annotations

import resource
import traceback
from typing import Literal

import contract
from tapedeck import source

_MESSAGE_CHARS = 2_000
_TRACEBACK_CHARS = 20_000
_MIB = 1024 * 1024


def from_exception(error: BaseException, asked: object = None) -> contract.Failure:
    """Return the failure that `error` is, seen from the submitted file.

    Where no line of the file is in its traceback, because what the user's code returned is wrong, the place is that of
    the function `asked`.
    """
    place = source.locate(error) or source.where(asked)
    return {
        "kind": "OUT_OF_MEMORY" if isinstance(error, MemoryError) else _kind(error),
        "message": _message(error)[:_MESSAGE_CHARS],
        "file": place.file if place else None,
        "line": place.line if place else None,
        "cell": place.cell if place else None,
        "traceback": _traceback(error)[-_TRACEBACK_CHARS:],
    }


def _kind(error: BaseException) -> Literal["CODE", "LIMIT", "DATA"]:
    """Return whose fault the engine says it is: prices that nothing trades at are the data's."""
    said = getattr(type(error), "failure_kind", None)
    return said if said in ("LIMIT", "DATA") else "CODE"


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the strategy called sys.exit({error.code!r})"
    try:
        message = "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # noqa: BLE001 - __str__ is the user's code as well
        message = type(error).__name__
    return f"{message} ({_memory()})" if isinstance(error, MemoryError) else message


def _memory() -> str:
    """Return peak and limit in words."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    allowed = "no limit" if limit == resource.RLIM_INFINITY else f"{limit // _MIB} MiB of addresses allowed"
    return f"{peak} MiB in memory at the peak, {allowed}"


def _traceback(error: BaseException) -> str:
    try:
        return source.describe(error)
    except Exception:  # noqa: BLE001 - see _message
        return ""
