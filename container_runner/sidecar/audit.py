"""The look-ahead audit on this side of the trust line: replays through the exchange, compared with what was sealed.

The strategy has decided on every bar already; it is asked again, in a new process each time, with data that ends early.
What it is not handed, it cannot decide by. A strategy that lies the same way twice is not found out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

import contract
import run_objects
from sandbox.policy import Policy
from sidecar.exchange import Exchange
from sidecar.failures import RunError
from sidecar.feed import Feed, Handout
from sidecar.watch import ProcessEndedError, Watch
from tapedeck import audit
from tapedeck.bars import Array
from tapedeck.decisions import from_bytes
from tapedeck.market.block import Block


@dataclass(frozen=True)
class Heard:
    """What a result says of causality."""

    causality: run_objects.Causality
    warnings: list[str]
    replayed: bool  # the strategy's process is not the one any more that decided on the run


def record_of(manifest: run_objects.RunManifest, feed: Feed) -> audit.Record | None:
    """Return what takes down the run for its audit, None when none is asked for."""
    asked = manifest["audit"]
    return audit.Record(feed.rows, asked["cuts"], manifest["seed"]) if asked else None


def see(record: audit.Record, own: Block, sealed: bytes) -> None:
    """Take down a chunk's sealed decisions."""
    record.see(_decisions(own, sealed), np.isnan(own.fields["close"]))


def unheard(manifest: run_objects.RunManifest) -> Heard:
    """Return what holds without an audit."""
    return Heard("unchecked" if manifest["level"] in audit.LEVELS else "by_construction", [], replayed=False)


def hear(manifest: run_objects.RunManifest, record: audit.Record, replays: Replays, policy: Policy) -> Heard:
    """Replay and compare; a strategy that fails in a replay is not audited, and its run stands."""
    symbols = manifest["symbols"]
    verdict = audit.audit(record, replays, symbols)
    warnings = verdict.warnings()
    more = audit.longer(manifest["level"], replays.lookback)
    if verdict.kind in ("audited", "leaked") and more and record.begin:
        try:
            replays.feed.check(more, policy)
            difference = audit.warm_up(record, replays, symbols, more)
        except (audit.ReplayFailedError, RunError) as error:
            warnings.append(f"warm-up: not checked: {error}")
        else:
            if difference:
                warnings.append(f"warm-up: {audit.warm_up_words(difference, replays.lookback, more)}")
    return Heard(verdict.causality, warnings, replays.started > 0)


class Replays:
    """`tapedeck.audit.Player` over the exchange: one process of the strategy's after the other."""

    def __init__(
        self,
        exchange: Exchange,
        feed: Feed,
        lookback: int,
        *,
        hello: Callable[[], int],
        decide: Callable[[Handout], bytes],
        named: Callable[[int], RunError],
        watch: Watch,
    ) -> None:
        self._exchange = exchange
        self.feed = feed
        self.lookback = lookback
        self._hello = hello
        self._decide = decide
        self._named = named
        self._watch = watch
        self.started = 0
        self._next = len(feed.rows)  # number of the next chunk file

    def replay(self, chunks: int, rows: int | None, lookback: int | None = None) -> Iterator[audit.Part]:
        """Yield the decisions on the first `chunks` chunks, of the last of them on its first `rows` rows.

        Raises `ProcessEndedError` when the process has failed at the end of the run itself.
        """
        self._start(chunks)
        first, self._next = self._next, self._next + chunks
        history = self.lookback if lookback is None else lookback
        try:
            for handout in self.feed.handouts(history, self._watch.check, chunks, rows):
                sealed = self._decide(replace(handout, index=first + handout.index))
                yield audit.Part(handout.own.ts, handout.own.session, _decisions(handout.own, sealed))
        except (ProcessEndedError, RunError) as error:
            raise audit.ReplayFailedError(self._why(error)) from error

    def _start(self, chunks: int) -> None:
        self.started += 1
        header: contract.Replay = {"first": self._next, "chunks": chunks}
        self._exchange.publish(contract.replay(self.started), [json.dumps(header).encode()])
        try:
            lookback = self._hello()
        except (ProcessEndedError, RunError) as error:
            if isinstance(error, ProcessEndedError) and error.status and self.started == 1:
                raise  # the run's own process has failed after its last decision
            raise audit.ReplayFailedError(self._why(error)) from error
        self._exchange.reclaim(everything=True)  # another process: nothing of the one before is mapped
        if lookback != self.lookback:
            raise audit.ReplayFailedError(f"lookback() returned {self.lookback}, and in a replay {lookback}")

    def _why(self, error: ProcessEndedError | RunError) -> str:
        failure = self._named(error.status) if isinstance(error, ProcessEndedError) else error
        said = failure.message.partition("\n")[0]  # without the bars it was on, which are the replay's
        return f"in a replay, {said}" + (f" (line {failure.line} of {failure.file})" if failure.line else "")


def _decisions(own: Block, sealed: bytes) -> Array:
    return from_bytes(sealed, len(own), own.symbols)
