"""Without a sandbox nothing untrusted runs, and the machine's owner is told at once, not by runs that never start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.local.child import StartError
from infra.local.ports import Ports
from infra.local.stack import Stack

SANDBOXES = ("runsc", "bwrap")


def test_a_machine_without_runsc_is_told_at_the_start_how_to_install_it(
    assembly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        for tool in Path(folder).iterdir() if Path(folder).is_dir() else []:
            if tool.name not in SANDBOXES:
                (tools / tool.name).unlink(missing_ok=True)
                (tools / tool.name).symlink_to(tool)
    monkeypatch.setenv("PATH", str(tools))
    with (
        pytest.raises(StartError, match="apt-get install runsc"),
        Stack(assembly, tmp_path / "state", ports=Ports.any()),
    ):
        pass
