"""Submit: one verb for the API and for a drop in the upload bucket.

Nothing is written before everything is checked. Then, in this order: the code under its digest, the run manifest, the
row, the message. A row without its message is found by the reconciler; objects without a row harm nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from aws_lambda_powertools import Logger

import run_objects
from backtest import catalogue, layout
from backtest.desk import Desk
from backtest.errors import CallerError, PlatformError
from backtest.request import BacktestRequest, read_request
from backtest.run_manifest import canonical, digest, run_manifest
from backtest.store.jobs import NewJob
from backtest.store.rows import Job
from backtest.universe import resolve
from tapedeck.market import snapshot as snapshots
from tapedeck.submission import SubmissionError, inspect_source, resolve_parameters

logger = Logger(child=True)

TOKEN = re.compile(r"[\x21-\x7e]{1,128}")
_STRANGE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Submission:
    """What came in: `params` as the call says them, `token` what makes a repetition the same job."""

    user_id: str
    name: str
    body: bytes
    params: Mapping[str, object]
    token: str | None = None

    @property
    def digest(self) -> str:
        """What the token stands for."""
        return digest(canonical({"name": self.name, "code": digest(self.body), "params": self.params}))


@dataclass(frozen=True)
class Submitted:
    """The job, and whether this submission made it."""

    job: Job
    created: bool


@dataclass(frozen=True)
class _Checked:
    """A submission that will be run."""

    code: run_objects.CodeRef
    manifest: run_objects.RunManifest
    request: BacktestRequest


def submit(submission: Submission, desk: Desk) -> Submitted:
    """Check a submission and make its job; raises `CallerError` before anything is written, or `PlatformError`."""
    _must_be_storable(submission.params)
    if submission.token is not None:
        if not TOKEN.fullmatch(submission.token):
            raise CallerError(400, "BAD_TOKEN", "a Client-Request-Token has 1 to 128 printable characters, no blanks")
        if (job := desk.store.jobs.of_token(submission.user_id, submission.token)) is not None:
            return _same(job, submission)
    checked = _check(submission, desk)
    job_id = str(uuid4())
    body = canonical(checked.manifest)
    desk.runs.put(checked.code["key"], submission.body)
    desk.runs.put(run_objects.run_manifest(job_id), body, "application/json")
    new = _new_job(job_id, submission, checked, digest(body), desk.runs.uri(checked.code["key"]))
    if not desk.store.jobs.insert(new):
        assert submission.token is not None  # only a token can be there already
        other = desk.store.jobs.of_token(submission.user_id, submission.token)
        assert other is not None
        return _same(other, submission)
    made = desk.store.jobs.get(job_id)
    assert made is not None
    try:
        desk.tasks.send(made.task)
    except PlatformError:
        logger.exception("the job's message was not sent; the reconciler will", job_id=job_id)
    return Submitted(made, created=True)


def _same(job: Job, submission: Submission) -> Submitted:
    if job.request_digest == submission.digest:
        return Submitted(job, created=False)
    message = "this Client-Request-Token was used for another submission"
    raise CallerError(409, "TOKEN_REUSED", message, job_id=job.id)


def _check(submission: Submission, desk: Desk) -> _Checked:
    name, limit = _plain_name(submission.name), desk.policy.source["file_bytes"]
    if len(submission.body) > limit:
        message = f"{name} has {len(submission.body):,} bytes; at most {limit:,} are taken"
        raise CallerError(413, "TOO_LARGE", message)
    try:
        inspection = inspect_source(name, submission.body)
        request = read_request(inspection.header, submission.params)
        params = resolve_parameters(inspection, request.params)
    except SubmissionError as e:
        status = 413 if e.code == "TOO_LARGE" else 400
        raise CallerError(status, e.code, e.message, line=e.line, column=e.column, cell=e.cell) from e
    row = catalogue.resolve(desk.store.snapshots, request.dataset, request.snapshot)
    snapshot = snapshots.load(desk.market, row.dataset, row.id)
    universe = resolve(
        request,
        snapshot,
        fields=inspection.fields,
        level=inspection.level,
        chunk_bytes=desk.policy.chunk_bytes(inspection.level, len(inspection.fields)),
    )
    sealed = digest(submission.body)
    code = run_objects.CodeRef(key=layout.code(sealed, name), digest=sealed, name=name, kind=inspection.kind)
    manifest = run_manifest(
        code=code,
        inspection=inspection,
        request=request,
        params=params,
        snapshot=snapshot,
        universe=universe,
        images=desk.images,
    )
    _must_be_storable(manifest)
    return _Checked(code, manifest, request)


def _must_be_storable(said: object) -> None:
    """Refuse text that JSON can write and UTF-8 or PostgreSQL cannot hold: half a surrogate pair, a NUL."""
    try:
        stored = canonical(said)
    except ValueError as e:  # UnicodeEncodeError is one
        raise CallerError(400, "BAD_VALUE", "the parameters hold text or a number that cannot be stored") from e
    if rb"\u0000" in stored:
        raise CallerError(400, "BAD_VALUE", "the parameters hold a NUL character")


def _new_job(job_id: str, submission: Submission, checked: _Checked, manifest_digest: str, code_path: str) -> NewJob:
    manifest = checked.manifest
    asked = checked.request.model_dump(mode="json")
    return NewJob(
        id=job_id,
        user_id=submission.user_id,
        code_s3_path=code_path,
        params={
            **asked,
            "symbols": manifest["symbols"],
            "universe": asked["symbols"] if isinstance(asked["symbols"], str) else None,  # whose list they were
            "params": manifest["params"],
            "snapshot": manifest["snapshot"],
        },
        name=checked.code["name"],
        client_request_token=submission.token,
        request_digest=submission.digest,
        code_digest=checked.code["digest"],
        manifest_digest=manifest_digest,
        dataset=manifest["dataset"],
        snapshot=manifest["snapshot"],
    )


def _plain_name(name: str) -> str:
    """Return a file name that is one everywhere: no folders, no blanks, no leading dot."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _STRANGE.sub("_", last).lstrip(".")[-100:] or "strategy"
