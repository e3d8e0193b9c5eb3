"""Bad input gets a clear answer before any compute, and nothing is lost: by the API and by S3 drops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local import demo
from infra.local.stack import Stack
from infra.local.vendor_sample import vendor_csv
from tapedeck.client import ApiError, Client
from tests.end_to_end.effects import CROSSOVER, objects, row

HEADER = """# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM"]
# start = 2004-01-02
# end = 2012-12-31
# ///
"""
STRATEGY = """from tapedeck import Strategy, sma


class Mine(Strategy):
    def weights(self, bars):
        return sma(bars.close, 5) * 0
"""
GOOD = HEADER + STRATEGY

FILES = {
    "not Python": (b"\x7fELF\x02\x01\x01\x00\x00", "NOT_PYTHON", "Python"),
    "a syntax error": ((GOOD + "\ndef broken(:\n    pass\n").encode(), "SYNTAX_ERROR", ""),
    "no strategy": ((HEADER + "x = 1\n").encode(), "NO_STRATEGY", "trategy"),
    "two strategies": ((GOOD + STRATEGY.replace("Mine", "Other")).encode(), "TWO_STRATEGIES", "Other"),
    "a header that does not parse": (GOOD.replace('["AAPL", "IBM"]', '["AAPL", ').encode(), "BAD_HEADER", ""),
    "nested ten thousand deep": ((GOOD + "x = " + "(" * 10_000 + ")" * 10_000 + "\n").encode(), "TOO_DEEP", "deep"),
}
PARAMS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown symbol": ({"symbols": ["AAPL", "MSTF"]}, "Did you mean 'MSFT'"),
    "an inverted date range": ({"start": "2010-01-04", "end": "2009-01-05"}, "before"),
    "an empty date range": ({"start": "2010-01-02", "end": "2010-01-03"}, "session"),
    "dates outside of the snapshot": ({"start": "1990-01-02", "end": "1991-01-02"}, "2000-03-01"),
    "an unknown parameter": ({"params": {"fsat": 3}}, "fsat"),
}


def refused(alice: Client, stack: Stack, path: Path, params: dict[str, Any] | None = None) -> ApiError:
    before = row(stack, "select count(*) from backtest_jobs")
    with pytest.raises(ApiError) as answer:
        alice.submit(path, params)
    assert row(stack, "select count(*) from backtest_jobs") == before
    return answer.value


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_refused_by_the_api_before_any_compute(
    what: str, alice: Client, stack: Stack, tmp_path: Path
) -> None:
    body, code, words = FILES[what]
    (tmp_path / "mine.py").write_bytes(body)
    answer = refused(alice, stack, tmp_path / "mine.py")
    assert (answer.status, answer.error["code"]) == (400, code)
    assert words in answer.error["message"]


def test_a_syntax_error_names_line_and_column(alice: Client, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(FILES["a syntax error"][0])
    answer = refused(alice, stack, tmp_path / "mine.py")
    line = next(n for n, text in enumerate(FILES["a syntax error"][0].splitlines(), 1) if b"broken" in text)
    assert answer.error["line"] == line
    assert answer.error["column"] > 0


@pytest.mark.parametrize("what", PARAMS)
def test_wrong_parameters_are_refused_with_what_to_do(what: str, alice: Client, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD)
    params, words = PARAMS[what]
    answer = refused(alice, stack, tmp_path / "mine.py", params)
    assert answer.status in (400, 422)
    assert words in answer.error["message"]


def test_a_body_over_4_mb_is_refused_with_413(alice: Client, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD + "#" * 4_200_000)
    assert refused(alice, stack, tmp_path / "mine.py").status == 413


def test_a_missing_part_of_the_multipart_is_named(alice: Client) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="params"\r\n\r\n{}\r\n--b--\r\n'
    with pytest.raises(ApiError) as answer:
        alice._json("POST", "/v1/backtest", body=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.value.status == 400
    assert "code" in answer.value.error["message"]


@pytest.mark.parametrize("what", FILES)
def test_a_dropped_file_is_refused_in_its_status_object(what: str, alice: Client, stack: Stack, tmp_path: Path) -> None:
    body, code, _ = FILES[what]
    path = tmp_path / f"{what.replace(' ', '_')}.py"
    path.write_bytes(body)
    with pytest.raises(demo.StepError) as answer:
        demo.drop(stack, "bob", path)
    status = json.loads(str(answer.value))
    assert (status["status"], status["error"]["code"]) == ("REFUSED", code)


def test_a_csv_with_a_broken_row_publishes_nothing_and_names_the_line(stack: Stack, alice: Client) -> None:
    before = set(objects(stack, "Market", ""))
    lines = vendor_csv().splitlines()[:50]
    lines[30] = b"AAPL,2000-04-12,abc,1,1,1,1,1"
    s3, bucket = stack.client("s3", "dana"), stack.bucket("VendorDrop")
    s3.put_object(Bucket=bucket, Key="incoming/equities-1d/broken.csv", Body=b"\n".join(lines) + b"\n")
    status = demo.answer(s3, bucket, "status/incoming/equities-1d/broken.csv.json", "REFUSED", stack.logs_dir)
    assert any(p["line"] == 31 and p["file"].endswith("broken.csv") for p in status["problems"])
    assert set(objects(stack, "Market", "")) == before


def test_the_crossover_of_the_examples_is_good_input(alice: Client) -> None:
    job = alice.submit(CROSSOVER)["job_id"]
    assert alice.wait(job, timeout_s=90)["status"] == "COMPLETED"
