"""`tapedeck data drop`: files go up, the platform's answers come down."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backtest.cloud import clients
from backtest.ingest.deadline import Time
from tapedeck.cli import main
from tapedeck.data import drop_cli, vendor_bucket
from tests.component.vendor_drops import HEADER, Bench


def test_the_command_line_drops_files_and_prints_the_answers(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The platform's half is played while the command waits."""
    dropped: list[str] = []
    real = vendor_bucket.put

    def put(client: Any, bucket: str, key: str, path: Path) -> str | None:
        dropped.append(key.removeprefix("incoming/"))
        return real(client, bucket, key, path)

    def meanwhile(seconds: float) -> None:
        bench.drop(dropped[-1], (tmp_path / Path(dropped[-1]).name).read_bytes())

    def told(*words: str) -> tuple[int, str]:
        code = main(["data", "drop", *words, "--dataset", "equities-1d", "--bucket", "vendor", "--wait", "9"])
        said = capsys.readouterr()
        return code, said.out + said.err

    monkeypatch.setattr(vendor_bucket, "put", put)
    monkeypatch.setattr(vendor_bucket.time, "sleep", meanwhile)
    monkeypatch.setattr(drop_cli, "_client", clients.s3)
    answer = vendor_bucket.answer
    # The file is put twice, by the command and by `meanwhile`: any version's answer will do.
    monkeypatch.setattr(vendor_bucket, "answer", lambda c, b, k, _, s, **to: answer(c, b, k, None, s, **to))
    (tmp_path / "bars.csv").write_text(HEADER + "AAPL,2020-01-02,1,1,1,1,5\nAAPL,2020-01-01,1,1,1,1,5\n")
    code, said = told(str(tmp_path / "bars.csv"))
    assert (code, "1 bars, 1 months written" in said, "left out: 1 no session" in said) == (0, True, True)
    (tmp_path / "tech.csv").write_text("AAPL\n")
    assert told(str(tmp_path / "tech.csv"), "--under", "universes")[0] == 0
    assert bench.latest("equities-1d").universe("tech") == ("AAPL",)
    (tmp_path / "bad.csv").write_text(HEADER + "AAPL,2020-01-02,1,1,2,1,5\n")
    code, said = told(str(tmp_path / "bad.csv"), str(tmp_path / "never.csv"))
    assert (code, "bad.csv:2: price: AAPL: high 1 is below low 2" in said) == (2, True)
    assert dropped == ["equities-1d/bars.csv", "equities-1d/universes/tech.csv", "equities-1d/bad.csv"]


def test_an_answer_is_the_one_to_this_version_and_does_not_come_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor_bucket, "POLL_SECONDS", 0.0)
    bench.drop("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    version = bench.status("equities-1d/a.csv")["version"]
    key = "incoming/equities-1d/a.csv"
    assert vendor_bucket.answer(clients.s3(), "vendor", key, version, 1)["status"] == "INGESTED"
    with pytest.raises(vendor_bucket.NoAnswerError, match=r"status/incoming/equities-1d/a\.csv\.json"):
        vendor_bucket.answer(clients.s3(), "vendor", key, "a later version", 0.2)


def test_news_of_a_drop_under_way_are_told_and_waited_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Time, "of", lambda left_s: Time(go_on=lambda: False))
    monkeypatch.setattr(drop_cli, "_client", clients.s3)
    path, messages, now = tmp_path / "bars.csv", list[dict[str, Any]](), [0.0]
    path.write_text(HEADER + "AAPL,2020-01-02,1,1,1,1,5\nAAPL,2020-02-03,1,1,1,1,5\n")

    def put(client: Any, bucket: str, key: str, path: Path) -> str:
        messages.append(bench.put(key.removeprefix("incoming/"), path.read_bytes()))
        version: str = messages[0]["Records"][0]["s3"]["object"]["versionId"]
        return version

    def meanwhile(seconds: float) -> None:
        """Each call takes nearly as long as the command waits."""
        now[0] += 8.0
        assert bench.deliver(messages[0]) == []

    monkeypatch.setattr(vendor_bucket, "put", put)
    monkeypatch.setattr(vendor_bucket, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=meanwhile))
    code = main(["data", "drop", str(path), "--dataset", "equities-1d", "--bucket", "vendor", "--wait", "9"])
    said = capsys.readouterr()
    assert (code, "INGESTED: 2 bars" in said.out) == (0, True)
    size = path.stat().st_size
    assert f"bars.csv: reading, {size} bytes read of {size} dropped" in said.err
    assert now[0] > 9
