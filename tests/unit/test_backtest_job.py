"""The state machine, whatever happens to its events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from backtest.events import Event, Failure, ResultRef
from backtest.job import MAX_CRASHES, RANK, TERMINAL, Move, State, Status, Step, after, step
from run_objects import EventType, FailureKind

JOB = "00000000-0000-4000-8000-000000000001"
AT = datetime(2024, 1, 2, tzinfo=UTC)


def event(kind: str, seq: int, attempt: int = 1, failure: str = "CODE") -> Event:
    return Event.model_construct(
        schema_=1,
        job=JOB,
        attempt=attempt,
        seq=seq,
        type=kind,
        at=AT,
        progress=None,
        failure=Failure(kind=failure, message="why") if kind == "FAILED" else None,
        result=ResultRef(key="k", version_id=None, sha256="0" * 64) if kind == "COMPLETED" else None,
    )


def move(state: State, todo: Step, seq: int) -> State:
    """What the table does with a step."""
    match todo.move:
        case Move.IGNORE:
            return state
        case Move.START | Move.PROGRESS:
            return State(Status.RUNNING, state.attempt, max(state.sequence, seq), state.crashes)
        case Move.COMPLETE:
            return State(Status.COMPLETED, state.attempt, seq, state.crashes)
        case Move.FAIL:
            return State(Status.FAILED, state.attempt, seq, state.crashes)
        case Move.RETRY | Move.CRASH:
            return State(Status.PENDING, state.attempt + 1, -1, state.crashes + (todo.move is Move.CRASH))


EVENTS = st.builds(
    event,
    st.sampled_from(get_args(EventType)),
    st.integers(0, 20),
    st.integers(1, 5),
    st.sampled_from(get_args(FailureKind)),
)


@given(st.lists(EVENTS, max_size=40), st.randoms())
def test_repeated_reordered_and_lost_events_never_move_a_job_back(told: list[Event], random: object) -> None:
    told = told + told[: len(told) // 2]
    random.shuffle(told)  # type: ignore[attr-defined]
    state = State(Status.PENDING, 1)
    for e in told:
        before = state
        state = move(state, step(state, e), e.seq)
        assert (state.attempt, RANK[state.status]) >= (before.attempt, RANK[before.status])
        if before.status in TERMINAL:
            assert state == before
        assert state.crashes < MAX_CRASHES


@given(st.lists(EVENTS, max_size=20))
def test_an_event_applied_twice_does_what_it_does_once(told: list[Event]) -> None:
    state = State(Status.PENDING, 1)
    for e in told:
        state = move(state, step(state, e), e.seq)
        again = move(state, step(state, e), e.seq)
        assert again == state or again.attempt == state.attempt  # a retry makes the event that caused it stale


def test_a_completed_event_completes_a_job_whose_start_was_never_heard() -> None:
    assert step(State(Status.PENDING, 1), event("COMPLETED", 3)).move is Move.COMPLETE


def test_the_runs_own_failures_are_not_retried() -> None:
    own = {kind for kind in get_args(FailureKind) if kind not in ("SPOT_LOST", "PLATFORM")}
    assert {after(State(Status.RUNNING, 1), Failure(kind=k, message="")).move for k in own} == {Move.FAIL}


def test_the_third_crash_fails_the_job_and_says_so() -> None:
    state = State(Status.RUNNING, 3, crashes=2)
    todo = after(state, Failure(kind="PLATFORM", message="no cause"))
    assert todo.move is Move.FAIL
    assert todo.failure is not None
    assert "3 attempts crashed" in todo.failure.message


def test_a_spot_loss_does_not_count_as_a_try() -> None:
    state = State(Status.RUNNING, 40, crashes=2)
    assert step(state, event("DRAINED", 5, attempt=40)).move is Move.RETRY


def test_an_event_of_an_earlier_attempt_is_stale() -> None:
    assert step(State(Status.RUNNING, 2), event("FAILED", 9, attempt=1)).move is Move.IGNORE
