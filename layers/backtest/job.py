"""A job's life: one small state machine, stated once.

    PENDING --started--> RUNNING --completed--> COMPLETED
       |  ^                 |  |
       |  +----- retry -----+  +--failed-------> FAILED         every arrow also leaves PENDING, because events
       |    (attempt + 1)   |                                   reorder and get lost; none leaves a terminal state
       +----- cancel -------+------------------> CANCELLED

A job moves forward only: in the order (attempt, rank of the status) it never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backtest.events import Event, Failure

MAX_CRASHES = 3  # the third crash without a cause of the run's own fails the job
MAX_ATTEMPTS = 50  # spot losses do not count as tries, but nothing goes on for ever


class Status(StrEnum):
    """A job's status, as in the table."""

    PENDING = "PENDING"  # waits for its attempt to start
    RUNNING = "RUNNING"  # its sidecar has spoken
    COMPLETED = "COMPLETED"  # every artifact is readable
    FAILED = "FAILED"  # `failure` says why and whose fault
    CANCELLED = "CANCELLED"  # its owner's wish


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
RANK = {Status.PENDING: 0, Status.RUNNING: 1, Status.COMPLETED: 2, Status.FAILED: 2, Status.CANCELLED: 2}


class Move(StrEnum):
    """What an event does to its job."""

    IGNORE = "ignore"  # stale, repeated, or too late
    START = "start"  # PENDING -> RUNNING, by STARTED or by the first PROGRESS that is heard
    PROGRESS = "progress"  # stays RUNNING
    COMPLETE = "complete"  # -> COMPLETED
    FAIL = "fail"  # -> FAILED
    RETRY = "retry"  # -> PENDING with the next attempt; nobody's fault
    CRASH = "crash"  # -> PENDING with the next attempt; counts as one of MAX_CRASHES


@dataclass(frozen=True)
class State:
    """What decides: `sequence` is the highest event applied of this attempt (-1: none), `crashes` the tries lost."""

    status: Status
    attempt: int
    sequence: int = -1
    crashes: int = 0


@dataclass(frozen=True)
class Step:
    """A move and, where it fails or retries, why."""

    move: Move
    failure: Failure | None = None


def step(state: State, event: Event) -> Step:
    """Return what `event` does to a job in `state`: the same event twice, late or out of order does no harm."""
    if state.status in TERMINAL or event.attempt != state.attempt:
        return Step(Move.IGNORE)
    pending = state.status is Status.PENDING
    match event.type:
        case "STARTED" | "PROGRESS":
            later = Move.PROGRESS if event.type == "PROGRESS" and event.seq > state.sequence else Move.IGNORE
            return Step(Move.START if pending else later)
        case "COMPLETED":
            return Step(Move.COMPLETE)
        case "DRAINED":
            return after(state, Failure(kind="SPOT_LOST", message="the machine was taken back"))
        case "FAILED":
            assert event.failure is not None  # the schema says so
            return after(state, event.failure)


def after(state: State, failure: Failure) -> Step:
    """Return what follows when the current attempt ended with `failure`: the run's own faults are not retried."""
    if failure.kind not in ("SPOT_LOST", "PLATFORM"):
        return Step(Move.FAIL, failure)
    if failure.kind == "PLATFORM" and state.crashes + 1 >= MAX_CRASHES:
        return Step(Move.FAIL, failure.because(f"{MAX_CRASHES} attempts crashed; the last one: "))
    if state.attempt >= MAX_ATTEMPTS:
        return Step(Move.FAIL, Failure(kind="PLATFORM", message=f"gave up after {MAX_ATTEMPTS} attempts"))
    return Step(Move.RETRY if failure.kind == "SPOT_LOST" else Move.CRASH, failure)
