"""One attempt from its first event to its last: hands out bars, seals decisions, keeps the books, ends in one event."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from pathlib import Path

import contract
import run_objects
from sandbox.policy import Policy
from sidecar import audit, chunks, inputs, results
from sidecar.books import Books
from sidecar.clock import now
from sidecar.events import EventLog
from sidecar.exchange import Exchange, IrregularError
from sidecar.failures import DrainedError, RunError, from_exit, read_claim
from sidecar.feed import Feed, Handout
from sidecar.logs import LogBook
from sidecar.settings import Settings
from sidecar.shipping import LogShipper
from sidecar.usage import claimed, in_words
from sidecar.watch import ProcessEndedError, VanishedError, Watch
from tapedeck.audit import Record
from tapedeck.market.calendar import from_day_number
from tapedeck.market.errors import MarketError, StoreError
from tapedeck.market.store import ObjectStore, Parted
from tapedeck.market.years import Near

END_WITHIN_S = 30.0  # how long the strategy's process may take to leave after its last decision
LEAVE_WITHIN_S = 10.0  # and after a failure; then whoever watches the pod ends it


class Attempt:
    """Runs one attempt; `state` is a folder that outlives a restart of the container."""

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        *,
        runs: Parted,
        market: ObjectStore,
        exchange: Exchange,
        state: Path,
        terminated: threading.Event,
        near: Near | None = None,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._runs = runs
        self._market = market
        self._near = near
        self._exchange = exchange
        self._events = EventLog(runs, settings.job, settings.attempt, state / "events.json")
        self._logs = LogShipper(exchange, runs, settings.job, settings.attempt, LogBook(**policy.logs))
        margin = min(policy.termination_grace_seconds, settings.deadline_seconds // 4)
        self._watch = Watch(exchange, time.monotonic() + settings.deadline_seconds - margin, terminated)

    def run(self) -> int:
        """Run; return 0 when the attempt's last event is written, 1 when only the pod's status can name the end."""
        if not self._events.ended:
            self._logs.start()
            try:
                self._last_event()
            finally:
                self._exchange.publish("stop", [b""])
        self._watch.wait_for_end(LEAVE_WITHIN_S)
        self._exchange.reclaim(everything=True)
        return 0 if self._events.ended else 1

    def _last_event(self) -> None:
        """Run to the end; whatever happens, upload the logs and then write the event that says it.

        One end has no event of ours: the strategy's container was killed from outside (out of memory, deadline). Who
        reads the pod's status names it.
        """
        try:
            result = self._run()
        except DrainedError:
            self._close_logs()
            self._events.drained()
        except VanishedError as error:
            self._close_logs()
            print(error, file=sys.stderr)  # noqa: T201 - the sidecar's own log
        except RunError as failed:
            self._fail(failed)
        except ProcessEndedError as ended:
            self._close_logs()  # first: the last lines of stderr may be all that it left
            self._fail(self._named(ended.status))
        except MarketError as error:
            self._fail(RunError("DATA", str(error)))
        except StoreError as error:
            self._fail(RunError("PLATFORM", str(error)))
        except Exception as error:  # noqa: BLE001 - a failure that nobody named is ours
            traceback.print_exc()
            self._fail(RunError("PLATFORM", f"the sidecar failed: {type(error).__name__}"))
        else:
            self._events.completed(result)

    def _run(self) -> run_objects.ResultRef:
        if self._events.resumed:
            raise RunError("PLATFORM", "the sidecar was restarted in the middle of the attempt")
        started = now()
        manifest = inputs.fetch_manifest(self._runs, self._settings)
        code = inputs.fetch_code(self._runs, manifest)
        inputs.lay_out(self._exchange, manifest, code)
        self._events.started()
        feed = Feed(self._market, manifest, self._near)
        try:
            books = Books(manifest, feed.splits, feed.dividends)
            lookback = self._hello()
            feed.check(lookback, self._policy)
            record = audit.record_of(manifest, feed)
            first_bar = self._decide(feed, books, record, lookback)
            heard = self._audit(manifest, feed, record, lookback) if record else audit.unheard(manifest)
        finally:
            feed.close()
        warnings = [*heard.warnings, *self._end(replayed=heard.replayed)]
        self._logs.close()
        facts = results.Facts(
            self._settings,
            manifest,
            started_at=started,
            first_bar_at=first_bar,
            log_parts=self._logs.parts,
            usage=self._usage(),
            causality=heard.causality,
        )
        return results.upload(self._runs, facts, books, feed, warnings)

    def _hello(self) -> int:
        body = self._watch.take("hello.bin", contract.HELLO.size, "the strategy's first sign")
        magic, version, lookback = contract.HELLO.unpack(body)
        if magic != contract.HELLO_MAGIC or version != contract.HELLO_VERSION:
            raise RunError("CODE", "hello.bin is not what the contract says")
        if lookback > contract.MAX_LOOKBACK_BARS:
            most = contract.MAX_LOOKBACK_BARS
            raise RunError("LIMIT", f"a lookback of {lookback} bars is asked for, at most {most} are given")
        return int(lookback)

    def _decide(self, feed: Feed, books: Books, record: Record | None, lookback: int) -> str:
        """Take every chunk through the strategy and the books; return when the first one was handed in."""
        first_bar = ""
        done, total = 0, sum(feed.rows)
        for handout in feed.handouts(lookback, self._watch.check):
            self._hand_in(handout)
            first_bar = first_bar or now()
            sealed = self._seal(handout, orders=books.orders)
            books.book(handout.own, sealed)
            if record:
                audit.see(record, handout.own, sealed)
            done += len(handout.own)
            session = from_day_number(int(handout.own.session[-1])).isoformat()
            self._events.progress({"done": done, "total": total, "session": session})
            del handout, sealed  # before the chunk after the next one is read: there are two in memory, never three
        return first_bar

    def _audit(self, manifest: run_objects.RunManifest, feed: Feed, record: Record, lookback: int) -> audit.Heard:
        """Have the run decided again, by fresh processes, on less data and on more history."""

        def decide(handout: Handout) -> bytes:
            self._hand_in(handout)
            return self._seal(handout, orders=False)

        replays = audit.Replays(
            self._exchange, feed, lookback, hello=self._hello, decide=decide, named=self._named, watch=self._watch
        )
        return audit.hear(manifest, record, replays, self._policy)

    def _hand_in(self, handout: Handout) -> None:
        index, columns = handout.index, handout.columns
        self._exchange.reclaim()
        self._exchange.discard(contract.decisions(index))  # decisions on bars not yet seen are none
        self._exchange.publish(contract.chunk_data(index), chunks.parts(columns))
        header = chunks.header(index, len(handout.own), handout.history, columns, handout.actions)
        self._exchange.publish(contract.chunk_header(index), [header])

    def _seal(self, handout: Handout, *, orders: bool) -> bytes:
        name, what = contract.decisions(handout.index), f"decisions on chunk {handout.index}"
        if orders:
            bound = {"record": contract.ORDER.size, "most": contract.MOST_ORDERS}
            sealed = self._watch.take(name, contract.CLAIM_BYTES, what, **bound)
        else:
            sealed = self._watch.take(name, len(handout.own) * len(handout.own.symbols) * 8, what)
        self._exchange.retire(handout.index)
        return sealed

    def _end(self, *, replayed: bool) -> list[str]:
        """Let the process leave; a failure after its last decision is the strategy's as well, but not a replay's."""
        self._exchange.publish("stop", [b""])
        status = self._watch.wait_for_end(END_WITHIN_S)
        if status is None:
            return [f"the strategy's process did not leave within {END_WITHIN_S:.0f} s of its last decision"]
        if status != 0 and not self._watch.drained(status) and not replayed:
            raise ProcessEndedError(status)
        return []

    def _named(self, status: int) -> RunError:
        try:
            body = self._exchange.take("failure.json", contract.FAILURE_BYTES)
        except IrregularError:
            body = None
        claim = read_claim(body) if body is not None else None
        memory = in_words(self._exchange.exit(), self._policy)
        return claim or from_exit(status, self._logs.last_lines("stderr"), memory)

    def _fail(self, failed: RunError) -> None:
        self._close_logs()
        self._events.failed(failed.as_failure(self._logs.latest()), self._usage())

    def _usage(self) -> run_objects.Usage:
        return claimed(self._exchange.exit(), self._policy, self._settings.sandbox)

    def _close_logs(self) -> None:
        try:
            self._logs.close()
        except Exception:  # noqa: BLE001 - without its logs a failure is still to be named
            traceback.print_exc()
