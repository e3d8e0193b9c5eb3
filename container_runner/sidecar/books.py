"""The run's books: fills and equity from the sealed decisions, by the engine, outside of the sandbox."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import run_objects
from sidecar.failures import RunError
from sidecar.keepers import Kept, bar_time, keeper
from tapedeck import engine
from tapedeck.engine import fills, margin
from tapedeck.engine.margin import MarginCall
from tapedeck.engine.settings import LimitError, PriceError, SizeError
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.block import Block


@dataclass(frozen=True)
class Closed:
    """The books at the end of the run."""

    fills: engine.Fills
    session: NDArray[np.int32]  # (n,) days since 1970-01-01
    equity: NDArray[np.float64]  # (n,) at each bar's close
    net: NDArray[np.float64]  # (n,) value held at the close, shorts negative
    gross: NDArray[np.float64]  # (n,) the same, shorts positive
    closing: engine.Closing
    calls: list[MarginCall]
    decisions_digest: str
    result_digest: str


class Books:
    """Takes sealed decisions chunk by chunk; the numbers are the same to the byte however the run was cut."""

    def __init__(
        self, manifest: run_objects.RunManifest, splits: Sequence[Split], dividends: Sequence[Dividend]
    ) -> None:
        asked = {name: value for name, value in manifest["engine"].items() if name != "version"}
        self.settings = engine.EngineSettings(**asked)  # type: ignore[arg-type]  # the manifest's schema is theirs
        self.orders = manifest["level"] == "on_bar"
        kept = Kept(manifest["symbols"], self.settings, splits, dividends)
        self._keeper = keeper(manifest["level"], kept)
        self._decisions = hashlib.sha256()
        self._records = np.empty(fills.MOST, fills.RECORD)  # pages that nothing is written to take no memory
        self._filled = 0
        self._calls: list[MarginCall] = []
        self._session: list[NDArray[np.int32]] = []
        self._values: list[tuple[NDArray[np.float64], ...]] = []

    def book(self, own: Block, sealed: bytes) -> None:
        """Take what was decided on a chunk's own rows, as `contract` has it for the run's level.

        Raises `RunError`: CODE for what cannot be decided, with bar and symbol, DATA for a price that nothing trades
        at, LIMIT for too many fills or trades by margin call, TAMPERED for orders that cannot be.
        """
        try:
            decisions, done = self._keeper.book(own, sealed)
            fills.check_count(self._filled + len(done.fills))
            margin.check_count(sum(len(call.traded) for call in (*self._calls, *done.calls)))
        except (PriceError, SizeError, LimitError) as error:
            raise RunError(error.failure_kind, str(error)) from error
        for part in decisions:
            self._decisions.update(part)
        beyond = np.flatnonzero(~np.isfinite(done.equity))
        if len(beyond):
            value, bar = done.equity[beyond[0]], bar_time(own, int(beyond[0]))
            raise RunError("CODE", f"the equity at bar {bar} is {value}: what was decided is too large")
        self._records[self._filled : self._filled + len(done.fills)] = done.fills.records
        self._filled += len(done.fills)
        self._calls += done.calls
        self._session.append(own.session)
        self._values.append((done.equity, done.net, done.gross))

    def close(self) -> Closed:
        """End the run."""
        closing = self._keeper.finish()
        records = self._records[: self._filled]
        equity, net, gross = (np.concatenate(parts) for parts in zip(*self._values, strict=True))
        decisions = self._decisions.hexdigest()
        digest = hashlib.sha256(decisions.encode())
        digest.update(records.data)  # the bytes of `Fills.to_bytes`, without a copy
        digest.update(equity.astype("<f8").tobytes())
        return Closed(
            fills=engine.Fills(records),
            session=np.concatenate(self._session),
            equity=equity,
            net=net,
            gross=gross,
            closing=closing,
            calls=self._calls,
            decisions_digest=decisions,
            result_digest=digest.hexdigest(),
        )
