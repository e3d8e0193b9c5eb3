"""What names a snapshot: its id, the begin of it, its name, `latest`, or `as_of:` a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from tapedeck.market.errors import (
    AmbiguousSnapshotError,
    SnapshotReferenceError,
    UnknownSnapshotError,
    WithdrawnSnapshotError,
)

LATEST = "latest"
_AS_OF = "as_of:"
_BEGIN = re.compile(r"[0-9a-f]{6,64}")
_HEX = re.compile(r"[0-9a-f]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Reference:
    """One of: `text`, an id, the begin of one or a name; `at`, the newest as of a time; neither, the newest."""

    text: str | None = None
    at: datetime | None = None


class Known(Protocol):
    """A snapshot as far as references care."""

    @property
    def id(self) -> str:
        """The whole id."""
        ...

    @property
    def name(self) -> str | None:
        """The name that people gave it."""
        ...

    @property
    def withdrawn_at(self) -> datetime | None:
        """When it was withdrawn."""
        ...

    @property
    def withdrawn_reason(self) -> str | None:
        """Why."""
        ...


_K = TypeVar("_K", bound=Known)


def parse(text: str) -> Reference:
    """Return what a reference says. Raises SnapshotReferenceError for a time that is none or has no zone."""
    if text == LATEST:
        return Reference()
    if not text.startswith(_AS_OF):
        return Reference(text=text)
    try:
        at = datetime.fromisoformat(text.removeprefix(_AS_OF))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise SnapshotReferenceError(f"{text!r}: a time is written with its zone, as_of:2026-01-01T00:00:00Z")
    return Reference(at=at)


def is_moving(text: str) -> bool:
    """Say whether this names another snapshot after the next publication."""
    return text == LATEST or text.startswith(_AS_OF)


def is_begin(text: str) -> bool:
    """Say whether this may be the begin of an id: six hexadecimal digits or more."""
    return bool(_BEGIN.fullmatch(text))


def check_name(name: str) -> str:
    """Return the name itself. Raises SnapshotReferenceError when it could be taken for another reference."""
    if not _NAME.fullmatch(name) or name == LATEST or _HEX.fullmatch(name):
        raise SnapshotReferenceError(
            f"{name!r} is no name: 1 to 64 of a-z 0-9 . _ - are, not {LATEST!r}, nor hexadecimal digits alone"
        )
    return name


def matching(text: str, known: Iterable[_K]) -> list[_K]:
    """Return the snapshots that have this name or whose ids begin so."""
    begin = is_begin(text)
    return [one for one in known if text in (one.name, one.id) or (begin and one.id.startswith(text))]


def the_one(text: str, dataset: str, found: Sequence[_K]) -> _K:
    """Return the only one of `found`, what matches `text`.

    Raises UnknownSnapshotError, AmbiguousSnapshotError, WithdrawnSnapshotError.
    """
    if not found:
        raise UnknownSnapshotError(f"{dataset} has no snapshot {text!r}")
    if len(found) > 1:
        ids = ", ".join(one.id[:12] for one in found[:5])
        raise AmbiguousSnapshotError(f"{text!r} is the begin of {len(found)} snapshots of {dataset}: {ids}")
    if found[0].withdrawn_at is not None:
        raise WithdrawnSnapshotError(f"the snapshot {found[0].id} was withdrawn: {found[0].withdrawn_reason}")
    return found[0]
