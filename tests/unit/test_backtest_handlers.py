"""Every handler is imported from nothing but what Lambda would have: the layer's folder and the shared packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = sorted(p.stem for p in (ROOT / "functions").glob("*.py") if p.stem != "__init__")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared layer's python/ folder, as the bundler copies it."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(ROOT / "layers" / "backtest", folder / "backtest")
    shutil.copytree(ROOT / "container_runner" / "tapedeck", folder / "tapedeck")
    for name in ("contract.py", "run_objects.py"):
        shutil.copy(ROOT / "container_runner" / name, folder)
    (folder / "sandbox").mkdir()
    for name in ("__init__.py", "policy.py", "policy.toml"):
        shutil.copy(ROOT / "container_runner" / "sandbox" / name, folder / "sandbox")
    return folder


def test_every_handler_is_imported_from_the_layers_alone(shared: Path) -> None:
    layer = ROOT / "build" / "layer" / "python"
    script = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(shared)!r}, {str(layer)!r}]; import importlib\n"
        f"for name in {HANDLERS!r}: assert callable(importlib.import_module('functions.' + name).handler)\n"
        "assert 'numpy' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], env={}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_handler_reads_its_environment_when_imported(shared: Path) -> None:
    """The test above runs with an empty environment; here, the settings are missed when asked for, by name."""
    from backtest.errors import PlatformError
    from backtest.settings import Settings

    with pytest.raises(PlatformError, match="DB_SECRET_ARN"):
        Settings.read("db_secret_arn", environ={})
    read = Settings.read("db_secret_arn", environ={"DB_SECRET_ARN": "arn", "UNRELATED": "x"})
    assert (read.db_secret_arn, read.aws_region) == ("arn", "us-east-1")
