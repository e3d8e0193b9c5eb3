"""The node's cache, as the sidecar uses it: asked over HTTP, read through a read-only mount, left alone once it fails.

Whatever the cache does wrong costs this run time, once, and nothing else: an answer that is late or says nothing ends
the asking for the rest of the run, and so does one that gives nothing, the third time; a daemon that is not there yet
is tried again half a minute later; a file that is gone or damaged is read from S3 instead.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from tapedeck.market import gridded
from tapedeck.market.errors import EncodingError
from tapedeck.market.years import Array, Year

_WAIT_MS, _WAIT_MS_A_YEAR, _MOST_WAIT_MS = 1000, 60, 5000  # that a question may take: what comes later, comes later
_CONNECT_S, _MARGIN_S = 0.5, 1.0
_PAUSE_S = 30.0  # after which a daemon that was not there is tried again: a new node starts runs and daemon at once
_ANSWER_BYTES = 64 * 1024
_NAMES, _YEARS = 2048, 128  # of one request
_DAMAGED = 3  # files, after which nothing of this cache is believed
_EMPTY = 3  # questions that brought nothing, after which none is asked


class _AbsentError(Exception):
    """Nobody listens."""


class NodeCache:
    """The cache of the node behind `url`, its files below `folder`; may be used by several threads."""

    def __init__(self, url: str, folder: Path) -> None:
        self._address, self._folder = urlsplit(url), folder
        self._doubt: list[str] = []
        self._damaged = self._empty = 0
        self._broken = False
        self._not_before = 0.0
        self._lock = Lock()
        self._asked = self._taken = 0

    def ask(self, years: Sequence[Year]) -> Sequence[bool]:
        """Say which years the daemon has, or has made just now; none once something went wrong."""
        with self._lock:
            self._asked += len(years)
            if not self._broken and time.monotonic() >= self._not_before:
                try:
                    there = self._there(years)
                except _AbsentError as error:
                    self._not_before = time.monotonic() + _PAUSE_S
                    self._say(f"node cache: not there: {error}")
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self._give_up(f"{type(error).__name__}: {error}")
                else:
                    self._empty = 0 if any(there) else self._empty + 1
                    if self._empty >= _EMPTY:
                        self._give_up("it gave nothing of what was asked for")
                    return there
        return [False] * len(years)

    def take(self, year: Year, begin: int, into: Mapping[str, Array]) -> bool:
        """Write a year's bars from number `begin` on into arrays; False when its file is not there or harmed."""
        try:
            gridded.read(self._folder / gridded.path(year.name), year.name, year.bars, begin, into)
        except FileNotFoundError:  # it had to go just now
            return False
        except (EncodingError, OSError) as error:
            with self._lock:
                self._doubt.append(year.name)
                self._damaged += 1
                if self._damaged >= _DAMAGED:
                    self._give_up(str(error))
            return False
        with self._lock:
            self._taken += 1
        return True

    def tell(self) -> None:
        """Say how much came from the cache."""
        with self._lock:
            self._say(f"node cache: {self._taken} of {self._asked} years")

    def _there(self, years: Sequence[Year]) -> list[bool]:
        """Ask what is there, and have made what is not, as much as a few seconds allow."""
        with self._connected() as connection:
            there: list[bool] = []
            for start in range(0, len(years), _NAMES):
                names = [year.name for year in years[start : start + _NAMES]]
                asked, self._doubt = {"names": names, "doubt": self._doubt}, []
                there += _answer(connection, "/v1/held", asked, len(names), _WAIT_MS)
            missing = [at for at, found in enumerate(there) if not found]
            wait_ms = min(_WAIT_MS + _WAIT_MS_A_YEAR * len(missing), _MOST_WAIT_MS)
            until = time.monotonic() + wait_ms / 1000
            for start in range(0, len(missing), _YEARS):
                part = missing[start : start + _YEARS]
                rest_ms = max(1, int((until - time.monotonic()) * 1000))
                body = {"years": [_described(years[at]) for at in part], "wait_ms": rest_ms}
                found = _answer(connection, "/v1/years", body, len(part), rest_ms)
                for at, one in zip(part, found, strict=True):
                    there[at] = one
            return there

    @contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        """Connect for a question: a connection kept would be stale after a long chunk."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=_CONNECT_S)
        try:
            connection.connect()
        except OSError as error:
            raise _AbsentError(str(error)) from error
        try:
            yield connection
        finally:
            connection.close()

    def _give_up(self, why: str) -> None:
        self._broken = True
        self._say(f"node cache: not asked any more: {why}")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr)  # noqa: T201 - the sidecar's own log


def _described(year: Year) -> list[object]:
    months = [[want.name, want.place.version, want.ref.digest] for want in year.months]
    sealed = year.months[0].sealed
    return [year.dataset, year.symbol, months, sealed.content if sealed else None]


def _answer(connection: http.client.HTTPConnection, path: str, body: object, count: int, wait_ms: int) -> list[bool]:
    """Return the daemon's answer, one boolean each. Raises OSError, HTTPException, ValueError."""
    connection.sock.settimeout(wait_ms / 1000 + _MARGIN_S)
    connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise ValueError(f"the answer is {answer.status}")
    said = json.loads(answer.read(_ANSWER_BYTES))
    held = said.get("held") if isinstance(said, dict) else None
    if not isinstance(held, list) or len(held) != count:
        raise ValueError("the answer says nothing")
    return [found is True for found in held]
