"""The node's cache, as the sidecar uses it: asked over HTTP, read through a read-only mount, left alone once it fails.

Whatever the cache does wrong costs this run time, once, and nothing else: an answer that is late or says nothing ends
the asking for the rest of the run; a daemon that is not there yet is tried again half a minute later; a file that is
gone or damaged is read from S3 instead.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from tapedeck.market import mapped
from tapedeck.market.encoding import Month
from tapedeck.market.errors import EncodingError
from tapedeck.market.months import Wanted

_WAIT_MS, _WAIT_MS_A_MONTH = 1000, 15  # what the daemon may take to fetch
_CONNECT_S, _MARGIN_S = 0.5, 1.0
_PAUSE_S = 30.0  # after which a daemon that was not there is tried again: a new node starts runs and daemon at once
_ANSWER_BYTES = 64 * 1024
_DAMAGED = 3  # files, after which nothing of this cache is believed


class _AbsentError(Exception):
    """Nobody listens."""


class NodeCache:
    """The cache of the node behind `url`, its files below `folder`; may be used by several threads."""

    def __init__(self, url: str, folder: Path) -> None:
        self._address, self._folder = urlsplit(url), folder
        self._doubt: list[str] = []
        self._damaged = 0
        self._broken = False
        self._not_before = 0.0
        self._lock = Lock()
        self._asked = self._taken = 0

    def ask(self, months: Sequence[Wanted]) -> Sequence[bool]:
        """Say which months the daemon has, or has fetched just now; none once something went wrong."""
        with self._lock:
            self._asked += len(months)
            if not self._broken and time.monotonic() >= self._not_before:
                try:
                    there = self._present(months)
                except _AbsentError as error:
                    self._not_before = time.monotonic() + _PAUSE_S
                    self._say(f"node cache: not there: {error}")
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self._give_up(f"{type(error).__name__}: {error}")
                else:
                    if not any(there):
                        self._give_up("it gave none of the months asked for")
                    return there
        return [False] * len(months)

    def take(self, want: Wanted, columns: Collection[str]) -> Month | None:
        """Return a month of the cache; None when its file is not there or not what it should be."""
        digest = want.ref.digest
        try:
            month = mapped.read(self._folder / mapped.name(digest), digest, columns)
        except FileNotFoundError:  # it had to go just now
            return None
        except (EncodingError, OSError) as error:
            with self._lock:
                self._doubt.append(digest)
                self._damaged += 1
                if self._damaged >= _DAMAGED:
                    self._give_up(str(error))
            return None
        with self._lock:
            self._taken += 1
        return month

    def tell(self) -> None:
        """Say how much came from the cache."""
        with self._lock:
            self._say(f"node cache: {self._taken} of {self._asked} months")

    def _present(self, months: Sequence[Wanted]) -> list[bool]:
        wait_ms = _WAIT_MS + _WAIT_MS_A_MONTH * len(months)
        body = {
            "months": [[want.key, want.place.version, want.ref.digest] for want in months],
            "doubt": self._doubt,
            "wait_ms": wait_ms,
        }
        said = self._post(json.dumps(body).encode(), wait_ms / 1000 + _MARGIN_S)
        there = said.get("present") if isinstance(said, dict) else None
        if not isinstance(there, list) or len(there) != len(months):
            raise ValueError("the answer says nothing")
        self._doubt = []
        return [found is True for found in there]

    def _post(self, body: bytes, timeout_s: float) -> object:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_CONNECT_S
        )  # one a question: a kept one would be stale after a long chunk
        with closing(connection):
            try:
                connection.connect()
            except OSError as error:
                raise _AbsentError(str(error)) from error
            connection.sock.settimeout(timeout_s)
            connection.request("POST", "/v1/months", body, {"Content-Type": "application/json", "Connection": "close"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError(f"the answer is {answer.status}")
            return json.loads(answer.read(_ANSWER_BYTES))

    def _give_up(self, why: str) -> None:
        self._broken = True
        self._say(f"node cache: not asked any more: {why}")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr)  # noqa: T201 - the sidecar's own log
