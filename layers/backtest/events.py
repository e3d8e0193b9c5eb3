"""What a sidecar writes into the runs bucket, as closed schemas: an unknown key or a strange number is refused.

A sidecar is ours, but the machine that it runs on also runs hostile code; so nothing is taken on trust here. The
shapes are those of `run_objects.Event` and `run_objects.Result`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from backtest import layout
from run_objects import EventType, FailureKind

EVENT_BYTES = 128 * 1024
RESULT_BYTES = 4 * 1024 * 1024

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(max_length=65536)]
Key = Annotated[str, StringConstraints(max_length=1024)]
Uuid = Annotated[str, StringConstraints(pattern=rf"^{layout.UUID}$")]


class Closed(BaseModel):
    """A frozen record that knows every key it may have; NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Progress(Closed):
    """How far a run is, in bars."""

    done: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    session: Annotated[str, StringConstraints(max_length=32)] | None


class Failure(Closed):
    """Why a run failed and whose fault it is."""

    kind: FailureKind
    message: Text
    file: Key | None = None
    line: int | None = None
    cell: int | None = None
    traceback: Text | None = None
    last_lines: list[Text] = []

    def because(self, prefix: str) -> Failure:
        """Return the same failure with `prefix` before its message."""
        return self.model_copy(update={"message": prefix + self.message})


class Usage(Closed):
    """What the strategy's container took, and who says so."""

    peak_memory_bytes: Annotated[int, Field(ge=0)] | None
    cpu_seconds: Annotated[float, Field(ge=0)] | None
    sandbox: Text | None
    reported_by: Literal["strategy", "node"]


class ResultRef(Closed):
    """The result that COMPLETED pins."""

    key: Key
    version_id: Key | None
    sha256: Digest


class Event(Closed):
    """One event of an attempt; `failure` goes with FAILED, `result` with COMPLETED, `progress` with PROGRESS."""

    schema_: Literal[1] = Field(alias="schema")
    job: Uuid
    attempt: Annotated[int, Field(ge=1, le=9999)]
    seq: Annotated[int, Field(ge=0, le=99_999_999)]
    type: EventType
    at: Annotated[AwareDatetime, Field(strict=False)]
    progress: Progress | None
    failure: Failure | None
    usage: Usage | None = None
    result: ResultRef | None

    @model_validator(mode="after")
    def _says_what_its_type_needs(self) -> Self:
        needed = {"PROGRESS": self.progress, "FAILED": self.failure, "COMPLETED": self.result}
        if self.type in needed and needed[self.type] is None:
            raise ValueError(f"{self.type} without what it speaks of")
        return self


class Artifact(Closed):
    """An artifact of a result."""

    key: Key
    sha256: Digest
    bytes: Annotated[int, Field(ge=0)]


class Result(Closed):
    """`result.json`: every artifact with its digest."""

    schema_: Literal[1] = Field(alias="schema")
    job: Uuid
    attempt: Annotated[int, Field(ge=1, le=9999)]
    manifest_digest: Digest
    decisions_digest: Digest
    result_digest: Digest
    causality: Literal["by_construction", "audited", "leaked", "unchecked"]
    snapshot: Key
    metrics: dict[str, JsonValue]
    artifacts: dict[Key, Artifact]
    dropped_decisions: Annotated[int, Field(ge=0)]
    warnings: list[Text]
    started_at: Annotated[AwareDatetime, Field(strict=False)]
    first_bar_at: Annotated[AwareDatetime, Field(strict=False)]
    finished_at: Annotated[AwareDatetime, Field(strict=False)]
    bars: Annotated[int, Field(ge=0)]
    log_parts: Annotated[int, Field(ge=0, le=100_000)]
    usage: Usage

    @model_validator(mode="after")
    def _metrics_are_finite(self) -> Self:
        if not _finite(self.metrics):
            raise ValueError("metrics: NaN or infinite")
        return self


def _finite(value: JsonValue) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(_finite, value.values()))
        case list():
            return all(map(_finite, value))
        case _:
            return True


class MalformedError(ValueError):
    """What was read is not what its key says; nobody can use it, now or later."""


def read_event(key: str, body: bytes) -> Event:
    """Return the event in `body`; raises `MalformedError` when it is not one or speaks of another job than its key."""
    named = layout.parse_event(key)
    if named is None:
        raise MalformedError(f"no event's key: {key}")
    if len(body) > EVENT_BYTES:
        raise MalformedError(f"{key}: more than {EVENT_BYTES} bytes")
    try:
        event = Event.model_validate_json(body)
    except ValidationError as e:
        raise MalformedError(f"{key}: {e}") from e
    if (event.job, event.attempt, event.seq) != (named.job, named.attempt, named.seq):
        raise MalformedError(f"{key}: speaks of another event than its key")
    return event.model_copy(update={"at": min(event.at, datetime.now(UTC))})


def read_result(job: str, attempt: int, manifest_digest: str, body: bytes) -> Result:
    """Return the result in `body`; raises `MalformedError` when it is none, or another run's."""
    try:
        result = Result.model_validate_json(body)
    except ValidationError as e:
        raise MalformedError(f"result.json: {e}") from e
    if (result.job, result.attempt, result.manifest_digest) != (job, attempt, manifest_digest):
        raise MalformedError("result.json: speaks of another run than its key")
    own = layout.attempt_prefix(job, attempt)
    if stray := [a.key for a in result.artifacts.values() if not a.key.startswith(own)]:
        raise MalformedError(f"result.json: artifacts outside of the attempt's own prefix: {stray[0]}")
    return result
