"""The API by its effects: rows, objects, messages, and the answers that people read."""

from __future__ import annotations

import hashlib
import json

import pytest

import run_objects
from backtest import layout
from functions import api
from tests.component.api_calls import call, post, raw
from tests.component.deployment import STRATEGY, Deployment


def test_a_submission_becomes_code_manifest_row_and_message(deployment: Deployment) -> None:
    status, job = post(params={"cash": 5000, "params": {"slow": 30}})
    assert status == 201
    digest = hashlib.sha256(STRATEGY).hexdigest()
    assert deployment.read("runs", layout.code(digest, "crossover.py")) == STRATEGY
    sealed = deployment.read("runs", run_objects.run_manifest(job["job_id"]))
    manifest = json.loads(sealed)
    assert hashlib.sha256(sealed).hexdigest() == job["manifest_digest"]
    assert manifest["params"] == {"fast": 3, "slow": 30}
    assert (manifest["symbols"], manifest["fields"], manifest["level"]) == (["AAPL", "IBM"], ["close"], "weights")
    assert manifest["snapshot"] == deployment.snapshot.id
    assert manifest["chunks"] == [["2020-02-03", "2020-02-28"], ["2020-03-02", "2020-03-31"]]
    assert manifest["engine"]["cash"] == 5000
    row = deployment.store.jobs.get(job["job_id"])
    assert row is not None
    assert (row.user_id, row.status, row.attempt) == ("AROARESEARCHER:alice", "PENDING", 1)
    assert deployment.messages() == [
        {
            "job_id": job["job_id"],
            "s3_code_path": f"s3://tapedeck-runs/code/{digest}/crossover.py",
            "symbols": ["AAPL", "IBM"],
            "start_date": "2020-02-03",
            "end_date": "2020-03-31",
            "attempt": 1,
        }
    ]


def test_the_same_token_and_body_give_the_same_job(deployment: Deployment) -> None:
    first, second = post(Client_Request_Token="t-1"), post(Client_Request_Token="t-1")
    assert (first[0], second[0]) == (201, 200)
    assert first[1]["job_id"] == second[1]["job_id"]
    assert len(deployment.messages()) == 1
    by_parameter = post(params={"client_request_token": "t-2"}), post(Client_Request_Token="t-2")
    assert (by_parameter[0][0], by_parameter[1][0]) == (201, 200)


def test_the_same_token_with_another_body_is_a_409(deployment: Deployment) -> None:
    post(Client_Request_Token="t-1")
    status, answer = post(params={"cash": 1}, Client_Request_Token="t-1")
    assert (status, answer["error"]["code"]) == (409, "TOKEN_REUSED")
    assert post(params={"cash": 1}, Client_Request_Token="t-1", user="bob")[0] == 201


DEEP = b"x = " + b"(" * 10_000 + b")" * 10_000


SECOND = STRATEGY[STRATEGY.index(b"class") :].replace(b"Crossover", b"Other")
BAD: list[tuple[bytes | None, object, str, str]] = [  # code, params, error code, what its message says
    (b"\x00\xff\xfe binary", {}, "NOT_PYTHON", ""),
    (b"import os\ndef f(:\n  pass\n", {}, "SYNTAX_ERROR", ""),
    (b"print('hello')\n", {}, "NO_STRATEGY", ""),
    (STRATEGY + SECOND, {}, "TWO_STRATEGIES", ""),
    (STRATEGY.replace(b"2020-02-03", b"2020-02-99"), {}, "BAD_HEADER", ""),
    (DEEP, {}, "TOO_DEEP", ""),
    (STRATEGY, {"symbols": ["APPL"]}, "UNKNOWN_SYMBOL", "'AAPL'"),
    (STRATEGY, {"symbols": ["AAPL", "FB"], "end": "2020-02-20"}, "NO_DATA", "2020-03-02"),
    (STRATEGY, {"start": "2020-03-31", "end": "2020-02-03"}, "EMPTY_RANGE", "before"),
    (STRATEGY, {"start": "2020-02-08", "end": "2020-02-09"}, "EMPTY_RANGE", "no session"),
    (STRATEGY, {"start": "2019-12-02"}, "OUTSIDE_SNAPSHOT", "2020-01-02"),
    (STRATEGY, {"end": "2999-12-31"}, "OUTSIDE_SNAPSHOT", "2020-04-30"),
    (STRATEGY, {"start": "02.01.2020"}, "BAD_VALUE", "2004-01-02"),
    (STRATEGY, {"dataset": "equities-1m"}, "UNKNOWN_DATASET", "'equities-1d'"),
    (STRATEGY, {"snapshot": "0" * 64}, "UNKNOWN_SNAPSHOT", ""),
    (STRATEGY, {"symbol": ["AAPL"]}, "UNKNOWN_KEY", "'symbols'"),
    (STRATEGY, {"params": {"fats": 3}}, "BAD_PARAMETER", "'fast'"),
    (STRATEGY, {"cash": "much"}, "BAD_VALUE", "cash"),
    (STRATEGY, {"cash": -5}, "BAD_VALUE", "cash"),
    (STRATEGY, {"symbols": ["AAPL", "AAPL"]}, "REPEATED_SYMBOL", "AAPL"),
    (STRATEGY, b"{", "BAD_JSON", "params"),
    (STRATEGY, b"[]", "BAD_JSON", "params"),
    (STRATEGY, b"[" * 100_000, "BAD_JSON", "params"),
    (STRATEGY, b'{"cash": NaN}', "BAD_VALUE", ""),
    (STRATEGY, b'{"dataset": "\\ud800"}', "BAD_VALUE", ""),
    (STRATEGY.replace(b'"equities-1d"', b'"equities-1d\\u0000"'), {}, "BAD_VALUE", "dataset"),
    (None, {}, "MISSING_PART", "code"),
]


def test_bad_input_is_refused_before_anything_is_written(deployment: Deployment, subtests: pytest.Subtests) -> None:
    for code, params, error, says in BAD:
        with subtests.test(error=error, params=str(params)[:60]):
            status, answer = post(code, params)
            assert (status, answer["error"]["code"]) == (400, error), answer
            assert says in answer["error"]["message"]
    assert deployment.keys("runs") == []
    assert deployment.messages() == []
    assert deployment.store.jobs.page(user_id=None, status=None, before=None, count=1) == []


def test_a_syntax_error_says_line_and_column(deployment: Deployment) -> None:
    _, answer = post(b"import os\ndef f(:\n  pass\n")
    assert (answer["error"]["line"], answer["error"]["column"]) == (2, 7)


def test_a_body_over_4_mb_is_refused_with_413(deployment: Deployment) -> None:
    status, answer = post(STRATEGY + b"#" * 4 * 1024 * 1024)
    assert (status, answer["error"]["code"]) == (413, "TOO_LARGE")


def test_a_body_that_is_no_form_is_refused(deployment: Deployment) -> None:
    assert call("POST", "/v1/backtest", body=b"{}", Content_Type="application/json")[0] == 415
    assert post(Content_Type="multipart/form-data; boundary=other")[1]["error"]["code"] == "BAD_FORM"


def test_a_withdrawn_snapshot_is_not_resolved(deployment: Deployment) -> None:
    deployment.store.snapshots.withdraw(id=deployment.snapshot.id, dataset="equities-1d", reason="wrong split")
    status, answer = post()
    assert (status, answer["error"]["code"]) == (400, "UNKNOWN_DATASET")


def test_a_star_takes_every_symbol_with_data_in_the_range(deployment: Deployment) -> None:
    assert post(params={"symbols": "*"})[1]["params"]["symbols"] == ["AAPL", "FB", "IBM"]
    assert post(params={"symbols": "*", "end": "2020-02-20"})[1]["params"]["symbols"] == ["AAPL", "IBM"]


def test_anothers_job_is_a_404_and_an_operator_sees_all(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    for path in ("", "/logs", "/report", "/results"):
        assert call("GET", f"/v1/backtest/{job}{path}", user="bob")[0] == 404
    assert call("POST", f"/v1/backtest/{job}/cancel", user="bob")[0] == 404
    assert call("GET", f"/v1/backtest/{job}", user="otto", role="Operator")[0] == 200
    assert call("GET", "/v1/backtest", user="bob")[1]["backtests"] == []
    seen = call("GET", "/v1/backtest", user="otto", role="Operator")[1]["backtests"]
    assert [b["job_id"] for b in seen] == [job]


def test_a_role_of_another_account_with_the_operators_name_is_none(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    identity = {"user": "AROAX:eve", "userArn": "arn:aws:sts::999999999999:assumed-role/Operator/eve"}
    assert api.caller_of(identity, api.settings().operator_role_arn).operator is False
    assert job


def test_cancelling_ends_a_pending_job_and_tells_the_cluster(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    deployment.messages()
    status, answer = call("POST", f"/v1/backtest/{job}/cancel")
    assert (status, answer["status"]) == (200, "CANCELLED")
    assert [m["job_id"] for m in deployment.messages()] == [job]
    assert call("POST", f"/v1/backtest/{job}/cancel")[1]["status"] == "CANCELLED"


def test_logs_are_read_by_position_over_parts(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    for part in range(3):
        lines = [json.dumps({"seq": 2 * part + i, "stream": "stdout", "at": "", "text": "x"}) for i in range(2)]
        deployment.put("runs", run_objects.log(job, 1, part), "\n".join(lines).encode() + b"\n")
    seen: list[int] = []
    after = 0
    for _ in range(4):
        page = call("GET", f"/v1/backtest/{job}/logs", query={"after": str(after), "limit": "2"})[1]
        seen, after = seen + [line["seq"] for line in page["lines"]], page["next"]
    assert seen == [0, 1, 2, 3, 4, 5]
    assert page["done"] is False
    call("POST", f"/v1/backtest/{job}/cancel")
    assert call("GET", f"/v1/backtest/{job}/logs", query={"after": str(after)})[1]["done"] is True


def test_a_job_without_results_says_so(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    status, answer = call("GET", f"/v1/backtest/{job}/results")
    assert (status, answer["error"]["code"]) == (409, "NOT_COMPLETED")
    assert call("GET", f"/v1/backtest/{job}/report")[1] == {
        "job_id": job, "status": "NONE", "url": None, "files": {}, "expires_s": None,
    }  # fmt: skip
    assert call("GET", f"/v1/backtest/{job}/report", Accept="text/html")[0] == 404


def test_datasets_and_snapshots_are_listed(deployment: Deployment) -> None:
    answer = call("GET", "/v1/datasets")[1]["datasets"]
    assert [(d["dataset"], d["id"], d["symbols"]) for d in answer] == [("equities-1d", deployment.snapshot.id, 3)]
    assert len(call("GET", "/v1/snapshots", query={"dataset": "equities-1d"})[1]["snapshots"]) == 1


def test_pages_of_a_list_follow_each_other(deployment: Deployment) -> None:
    jobs = [post()[1]["job_id"] for _ in range(3)]
    first = call("GET", "/v1/backtest", query={"limit": "2"})[1]
    second = call("GET", "/v1/backtest", query={"limit": "2", "page": first["next"]})[1]
    assert [b["job_id"] for b in first["backtests"] + second["backtests"]] == jobs[::-1]
    assert second["next"] is None
    assert call("GET", "/v1/backtest", query={"page": "nonsense"})[0] == 400
    assert call("GET", "/v1/backtest", query={"status": "DONE"})[0] == 400


def test_an_unknown_path_is_a_404_with_a_json_error(deployment: Deployment) -> None:
    assert call("GET", "/v1/nothing") == (404, {"error": {"code": "NO_ROUTE", "message": "there is no /v1/nothing"}})


def test_an_unreachable_database_is_a_503(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone")
    api.settings.cache_clear()
    api.desk.cache_clear()
    assert call("GET", "/v1/backtest")[0] == 503


def test_long_logs_are_handed_out_in_answers_that_fit(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    line = {"stream": "stdout", "at": "", "text": "x" * 8000}
    body = b"\n".join(json.dumps({"seq": i, **line}).encode() for i in range(700))
    deployment.put("runs", run_objects.log(job, 1, 0), body)
    seen, after, calls = 0, 0, 0
    while True:
        page = call("GET", f"/v1/backtest/{job}/logs", query={"after": str(after), "limit": "5000"})[1]
        assert len(json.dumps(page)) < 3 * 1024 * 1024
        if not page["lines"]:
            break
        seen, after, calls = seen + len(page["lines"]), page["next"], calls + 1
    assert (seen, calls) == (700, 3)


def test_a_report_is_a_page_to_a_browser_and_links_to_a_program(deployment: Deployment) -> None:
    job = post()[1]["job_id"]
    deployment.store.jobs.report_done(job, 1, ready=True)
    deployment.put("runs", layout.report(job, "report.html"), b"<!doctype html>")
    answer = call("GET", f"/v1/backtest/{job}/report")[1]
    assert set(answer["files"]) == {"report.html", "report.json", "equity.csv", "trades.csv"}
    assert raw("GET", f"/v1/backtest/{job}/report", Accept="text/html")["body"] == "<!doctype html>"
    deployment.put("runs", layout.report(job, "report.html"), b"#" * (5 * 1024 * 1024))
    moved = raw("GET", f"/v1/backtest/{job}/report", Accept="text/html")
    assert moved["statusCode"] == 303
    assert "report.html" in moved["multiValueHeaders"]["Location"][0]
