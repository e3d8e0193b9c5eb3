"""What the sidecar leaves in the runs bucket for the control plane, and finds there: keys, and the objects' schemas.

Job ids are UUIDs in lower case, attempts count from 1, sequence numbers from 0.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from contract import EngineRef, Kind, Level

FailureKind = Literal[
    "CODE",  # the user's code failed: file and line
    "OUT_OF_MEMORY",  # peak and limit
    "TIMEOUT",
    "DATA",  # symbol and dates
    "LIMIT",  # which
    "TAMPERED",
    "SPOT_LOST",  # does not count as a try
    "PLATFORM",  # ours: retried
]
Causality = Literal[
    "by_construction",  # handed one bar at a time
    "audited",  # replayed on data that ends early: the same decisions
    "leaked",  # replayed on data that ends early: another decision, named in the warnings
    "unchecked",
]
EventType = Literal["STARTED", "PROGRESS", "COMPLETED", "FAILED", "DRAINED"]


class CodeRef(TypedDict):
    """The sealed code: the object under its digest."""

    key: str
    digest: str  # SHA-256, hex
    name: str
    kind: Kind


class Audit(TypedDict):
    """How a run is audited for look-ahead: see `tapedeck.audit`."""

    cuts: int


class RunManifest(TypedDict):
    """`runs/{job}/run.json`: everything that a run's bytes depend on, and nothing else (no job id, no time).

    Stored as canonical JSON (sorted keys, no blanks, UTF-8); its digest is the SHA-256 of those bytes.
    """

    schema: int  # 1
    code: CodeRef
    level: Level
    class_name: str | None
    params: dict[str, int | float | str | bool]
    fields: list[str]
    dataset: str
    snapshot: str
    calendar: str  # "XNYS" or "24/7"
    bar: str  # "1d", "1h", "1m"
    symbols: list[str]
    start: str  # session dates, ISO, both inclusive
    end: str
    adjust: Literal["split", "raw", "total"]
    chunks: list[tuple[str, str]]  # first and last session of each chunk
    engine: EngineRef
    seed: int
    audit: Audit | None
    risk_free: float  # annual
    metric_schema: int
    sidecar_image: str
    strategy_image: str


class Progress(TypedDict):
    """How far a run is, in bars."""

    done: int
    total: int
    session: str | None  # the last session decided


class RunFailure(TypedDict):
    """Why a run failed and whose fault it is; `detail` holds the user's own file, line, cell and traceback for CODE."""

    kind: FailureKind
    message: str
    file: str | None
    line: int | None
    cell: int | None
    traceback: str | None
    last_lines: list[str]  # of its log, both streams, as they were read


class ResultRef(TypedDict):
    """The result that COMPLETED pins."""

    key: str
    version_id: str | None
    sha256: str


class Usage(TypedDict):
    """What the strategy's container took; null where nobody tells."""

    peak_memory_bytes: int | None
    cpu_seconds: float | None
    sandbox: str | None  # "gvisor": the cluster's RuntimeClass; on one machine the engine and its limits
    reported_by: Literal["strategy", "node"]  # "strategy": peak and CPU are the untrusted container's own claim


class Event(TypedDict):
    """`runs/{job}/{attempt}/events/{seq}.json`.

    PROGRESS carries `progress`, FAILED `failure` and `usage`, COMPLETED `result`.
    """

    schema: int  # 1
    job: str
    attempt: int
    seq: int
    type: EventType
    at: str  # ISO 8601, UTC, microseconds
    progress: Progress | None
    failure: RunFailure | None
    usage: Usage | None  # COMPLETED: stands in the result
    result: ResultRef | None


class ArtifactRef(TypedDict):
    """An artifact below `runs/{job}/{attempt}/artifacts/`."""

    key: str
    sha256: str
    bytes: int


class Result(TypedDict):
    """`runs/{job}/{attempt}/result.json`, written after every artifact."""

    schema: int  # 1
    job: str
    attempt: int
    manifest_digest: str
    decisions_digest: str  # SHA-256 over the sealed decisions, bar by bar, or over the orders; no matter the chunks
    result_digest: str  # SHA-256 over decisions, fills and equity: equal runs are equal here
    causality: Causality
    snapshot: str
    metrics: dict[str, object]  # see tapedeck.metrics: values, reasons of nulls, conventions
    artifacts: dict[str, ArtifactRef]  # {equity,trades}.csv, {metrics,actions,margin_calls}.json
    dropped_decisions: int
    warnings: list[str]
    started_at: str
    first_bar_at: str
    finished_at: str
    bars: int
    log_parts: int
    usage: Usage


def run_manifest(job: str) -> str:
    """Return the key of a job's run manifest, written once by submit."""
    return f"runs/{job}/run.json"


def event(job: str, attempt: int, seq: int) -> str:
    """Return the key of an attempt's event."""
    return f"runs/{job}/{attempt}/events/{seq:08}.json"


def log(job: str, attempt: int, seq: int) -> str:
    """Return the key of an attempt's log part (JSON lines)."""
    return f"runs/{job}/{attempt}/logs/{seq:08}.jsonl"


def artifact(job: str, attempt: int, name: str) -> str:
    """Return the key of an artifact (`equity.csv`, `trades.csv`, `metrics.json` ...)."""
    return f"runs/{job}/{attempt}/artifacts/{name}"


def result(job: str, attempt: int) -> str:
    """Return the key of the result, written last: it names every artifact with its digest."""
    return f"runs/{job}/{attempt}/result.json"
