"""`tapedeck submit --audit` asks for the audit, and the line that follows the run says what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tapedeck import remote
from tapedeck.cli import main


class Platform:
    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def submit(self, path: Path, params: dict[str, Any], token: str | None) -> dict[str, Any]:
        self.asked = params
        return {"job_id": "j"}

    def wait(self, job: str, **_: Any) -> dict[str, Any]:
        return {"name": "mine.py", "status": "COMPLETED", "progress": None, "failure": None, "causality": "leaked"}


@pytest.mark.parametrize(("flags", "asked"), [([], {"params": {}}), (["--audit"], {"params": {}, "audit": True})])
def test_the_audit_is_asked_for_and_its_finding_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str], asked: dict[str, Any]
) -> None:
    platform = Platform()
    monkeypatch.setattr(remote, "_client", lambda: platform)
    assert main(["submit", "mine.py", "--follow", *flags]) == 0
    assert platform.asked == asked
    assert "COMPLETED" in (said := capsys.readouterr().err) and said.rstrip().endswith("leaked")
