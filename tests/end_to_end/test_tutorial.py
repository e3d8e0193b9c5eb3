"""The tutorial's code blocks run, in order, as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.local import demo
from infra.local.stack import Stack

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```python(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_runs_as_written(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.ingest(stack)
    login = stack.credentials("alice")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAPEDECK_API_URL", stack.api_url("tapedeck"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", login.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", login.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", login.token)
    text = TUTORIAL.read_text()
    names: dict[str, object] = {}
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) >= 8
    for block in blocks:
        if block[1]:
            Path(block[1]).write_text(block[2])
            continue
        line = text.count("\n", 0, block.start()) + 1
        exec(compile("\n" * line + block[2], str(TUTORIAL), "exec"), names)
