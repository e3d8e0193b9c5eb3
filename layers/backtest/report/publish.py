"""Render: a run's result in, its report in the runs bucket out."""

from __future__ import annotations

from backtest import layout
from backtest.cloud.objects import Bucket, TooLargeError
from backtest.events import MalformedError
from backtest.report import page
from backtest.report.facts import gather
from backtest.store import Store


def render(store: Store, runs: Bucket, key: str) -> bool:
    """Render the report of the result at `key`; False when there is nothing to do (no result's key, an old attempt).

    Raises `MalformedError` when the result is not what it should be (the report is marked FAILED) and `PlatformError`
    when S3 or the database does not answer (to be tried again).
    """
    named = layout.parse_result(key)
    job = store.jobs.get(named.job) if named else None
    if named is None or job is None or job.attempt != named.attempt:
        return False
    try:
        facts = gather(runs, job.id, job.attempt, job.manifest_digest)
        html = page.render(facts)
    except (TooLargeError, MalformedError, ValueError, KeyError, TypeError, RecursionError) as error:
        store.jobs.report_done(job.id, job.attempt, ready=False)
        raise MalformedError(f"{key} cannot be rendered: {error!r}") from error
    for name, body, kind in (
        ("equity.csv", facts.equity_csv, "text/csv"),
        ("report.json", page.as_json(facts), "application/json"),
        ("report.html", html.encode(), "text/html; charset=utf-8"),
    ):
        runs.put(layout.report(job.id, name), body, kind)
    fills = facts.result["artifacts"]["trades.csv"]["key"]
    runs.copy(fills, facts.trades_etag, layout.report(job.id, "trades.csv"), "text/csv")
    store.jobs.report_done(job.id, job.attempt, ready=True)
    return True
