"""The HTTP API: an event becomes a typed call, its answer JSON; errors become statuses in one table."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from backtest import catalogue, view
from backtest.caller import Caller, caller_of
from backtest.cancel import cancel
from backtest.cloud.objects import TooLargeError
from backtest.desk import NEEDED, Desk, open_desk
from backtest.errors import BacktestError, CallerError
from backtest.logs import read_log
from backtest.multipart import parse_form
from backtest.settings import Settings
from backtest.store.rows import Snapshot
from backtest.submit import Submission, submit
from sandbox import policy
from tapedeck.market.errors import MarketError

logger = Logger()
app = APIGatewayRestResolver()
JSON = "application/json"


@cache
def settings() -> Settings:
    """Return the environment, read at the first call."""
    return Settings.read(*NEEDED, "operator_role_arn")


@cache
def desk() -> Desk:
    """Return what every route works with; its connections last as long as the process."""
    return open_desk(settings())


def caller() -> Caller:
    """Return who calls."""
    return caller_of(app.current_event.raw_event["requestContext"].get("identity", {}), settings().operator_role_arn)


def answer(status: int, body: dict[str, Any]) -> Response[str]:
    """Return a JSON response."""
    return Response(status, JSON, json.dumps(body, allow_nan=False))


@app.post("/v1/backtest")
def post_backtest() -> Response[str]:
    """Submit: the parts `code` (a file) and `params` (JSON); 201 for a new job, 200 for one that the token names."""
    done = submit(_submission(caller().user_id), desk())
    return answer(201 if done.created else 200, view.job_view(done.job))


def _submission(user_id: str) -> Submission:
    event, body = app.current_event, _body()
    limit = policy.load().source["file_bytes"]
    if len(body) > limit:
        raise CallerError(413, "TOO_LARGE", f"the body has {len(body):,} bytes; at most {limit:,} are taken")
    headers = {k.lower(): v for k, v in (event.headers or {}).items()}
    form = parse_form(headers.get("content-type", ""), body)
    if (code := form.get("code")) is None:
        raise CallerError(400, "MISSING_PART", "the form has no part 'code', the strategy's file", part="code")
    if not code.filename:
        raise CallerError(400, "MISSING_PART", "the part 'code' has no file name", part="code")
    params = _object(form["params"].body, "part 'params'") if "params" in form else {}
    token = headers.get("client-request-token") or headers.get("client_request_token")
    token = token or params.pop("client_request_token", None)
    if token is not None and not isinstance(token, str):
        raise CallerError(400, "BAD_TOKEN", "client_request_token is text")
    return Submission(user_id, code.filename, code.body, params, token)


def _body() -> bytes:
    raw = app.current_event.body or ""
    return base64.b64decode(raw) if app.current_event.is_base64_encoded else raw.encode()


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise CallerError(400, "BAD_JSON", f"the {what} is not JSON: {e}") from e
    if not isinstance(said, dict):
        raise CallerError(400, "BAD_JSON", f"the {what} is no JSON object")
    return said


@app.get("/v1/backtest")
def list_backtests() -> Response[str]:
    """List own jobs, newest first; an operator lists everybody's, or with ?user_id= somebody's."""
    query, who = app.current_event.query_string_parameters or {}, caller()
    user_id = _text(query, "user_id") if who.operator else who.user_id
    limit = _number(query, "limit", 20)
    found = view.list_jobs(desk().store, user_id, status=query.get("status"), page=query.get("page"), limit=limit)
    return answer(200, found)


@app.get("/v1/backtest/<job_id>")
def get_backtest(job_id: str) -> Response[str]:
    """Return a job."""
    return answer(200, view.job_view(caller().job(desk().store, job_id)))


@app.get("/v1/backtest/<job_id>/logs")
def get_logs(job_id: str) -> Response[str]:
    """Return log lines from ?after= on."""
    query = app.current_event.query_string_parameters or {}
    job = caller().job(desk().store, job_id)
    after, limit = _number(query, "after", 0), _number(query, "limit", 1000)
    return answer(200, read_log(job, desk().runs, after=after, limit=limit))


@app.get("/v1/backtest/<job_id>/report")
def get_report(job_id: str) -> Response[str]:
    """Return links to the report, or the page itself to who asks for text/html."""
    job = caller().job(desk().store, job_id)
    accept = {k.lower(): v for k, v in (app.current_event.headers or {}).items()}.get("accept", "")
    if "text/html" in accept:
        try:
            return Response(200, "text/html; charset=utf-8", view.report_page(job, desk().runs).decode())
        except TooLargeError:
            return Response(303, headers={"Location": view.report_view(job, desk().runs)["url"]})
    return answer(200, view.report_view(job, desk().runs))


@app.get("/v1/backtest/<job_id>/results")
def get_results(job_id: str) -> Response[str]:
    """Return metrics and links to the artifacts."""
    return answer(200, view.results_view(caller().job(desk().store, job_id), desk().runs))


@app.post("/v1/backtest/<job_id>/cancel")
def post_cancel(job_id: str) -> Response[str]:
    """Cancel a job that has not ended."""
    return answer(200, view.job_view(cancel(caller().job(desk().store, job_id), desk().store, desk().tasks)))


@app.get("/v1/snapshots")
def get_snapshots() -> Response[str]:
    """List snapshots, newest first, of ?dataset= or of all."""
    dataset = _text(app.current_event.query_string_parameters or {}, "dataset")
    return answer(200, {"snapshots": [view.snapshot_view(s) for s in desk().store.snapshots.list(dataset)]})


@app.get("/v1/snapshots/<reference>")
def get_snapshot(reference: str) -> Response[str]:
    """Return a snapshot by what names it, with its universes; with ?diff= what leads from that other one to it."""
    query = app.current_event.query_string_parameters or {}
    row, other = _snapshot(reference), _text(query, "diff")
    seen = view.snapshot_view(row)
    seen["universes"] = catalogue.universes(desk().market, row)
    if other:
        seen["diff"] = catalogue.compare(desk().store.snapshots, desk().market, row, other)
    return answer(200, seen)


@app.get("/v1/snapshots/<reference>/universes/<name>")
def get_universe(reference: str, name: str) -> Response[str]:
    """Return the symbols of a snapshot's universe."""
    row = _snapshot(reference)
    found = catalogue.members(desk().market, row, name)
    return answer(200, {"dataset": row.dataset, "snapshot": row.id, "universe": name, "symbols": found})


@app.post("/v1/snapshots/<reference>/withdraw")
def post_withdraw(reference: str) -> Response[str]:
    """Withdraw a snapshot, `{"reason": ...}`: operators only."""
    who = caller()
    who.must_operate()
    row, said = _snapshot(reference), _object(_body(), "body")
    done = catalogue.withdraw(desk().store.snapshots, desk().market, row, reason=said.get("reason"), by=who.user_id)
    return answer(200, view.snapshot_view(done))


@app.post("/v1/snapshots/<reference>/name")
def post_name(reference: str) -> Response[str]:
    """Name a snapshot, `{"name": ...}`, null to take the name away: operators only."""
    caller().must_operate()
    row, said = _snapshot(reference), _object(_body(), "body")
    if "name" not in said:
        raise CallerError(400, "MISSING_KEY", "name is missing: a text, or null to take it away", key="name")
    done = catalogue.name(desk().store.snapshots, desk().market, row, name=said["name"])
    return answer(200, view.snapshot_view(done))


def _snapshot(reference: str) -> Snapshot:
    dataset = _text(app.current_event.query_string_parameters or {}, "dataset")
    return catalogue.find(desk().store.snapshots, reference, dataset)


@app.get("/v1/datasets")
def get_datasets() -> Response[str]:
    """List datasets, each with its newest snapshot."""
    return answer(200, {"datasets": [view.snapshot_view(s) for s in desk().store.snapshots.datasets()]})


def _text(query: dict[str, str], key: str) -> str | None:
    said = query.get(key)
    if said is not None and not said.isprintable():  # PostgreSQL takes no NUL
        raise CallerError(400, "BAD_VALUE", f"{key} is printable text", key=key)
    return said


def _number(query: dict[str, str], key: str, default: int) -> int:
    said = query.get(key, str(default))
    if not said.isdecimal() or len(said) > 18:
        raise CallerError(400, "BAD_VALUE", f"{key} is a whole number", key=key)
    return int(said)


@app.exception_handler(CallerError)  # type: ignore[untyped-decorator]  # the library's, untyped
def caller_is_wrong(error: CallerError) -> Response[str]:
    """The caller's error, as it says itself."""
    return answer(error.status, error.body())


@app.exception_handler(MarketError)  # type: ignore[untyped-decorator]
def data_is_damaged(error: MarketError) -> Response[str]:
    """Market data that is listed and is not there, or is not what it should be: for an operator to look at."""
    logger.exception("market data")
    return answer(500, CallerError(500, "DATA", str(error)).body())


@app.not_found
def no_such_route(_: NotFoundError) -> Response[str]:
    """A path that is none of ours."""
    return answer(404, CallerError(404, "NO_ROUTE", f"there is no {app.current_event.path}").body())


@app.exception_handler(BacktestError)  # type: ignore[untyped-decorator]
def platform_failed(_: BacktestError) -> Response[str]:
    """Our error: the same call may be made again."""
    logger.exception("platform error")
    return answer(503, CallerError(503, "UNAVAILABLE", "the platform cannot answer now; try again").body())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Route one call of the gateway."""
    return app.resolve(event, context)
