"""Cancel: the row first, then the message that makes the cluster agree with it."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from backtest.cloud.queue import Queue
from backtest.errors import CallerError, PlatformError
from backtest.job import Status
from backtest.store import Store
from backtest.store.rows import Job

logger = Logger(child=True)


def cancel(job: Job, store: Store, tasks: Queue) -> Job:
    """Cancel a job and return it; a cancelled one stays so. Raises `CallerError` 409 when it ended before."""
    after = store.jobs.cancel(job.id)
    assert after is not None  # jobs are never removed
    if after.status is not Status.CANCELLED:
        raise CallerError(409, "ALREADY_ENDED", f"the backtest is {after.status}", job_status=after.status)
    try:
        tasks.send(after.task)
    except PlatformError:
        logger.exception("the cancelled job's message was not sent; the reconciler ends its pod", job_id=job.id)
    return after
