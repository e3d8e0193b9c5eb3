"""The pack of an environment's imports: the same modules, found in one file; unused where it does not fit."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from sandbox import import_pack

CODE = Path(import_pack.__file__).parents[1]
SHOW = """
import json, sys, traceback, wave
from email import charset
try: wave.open(7)
except Exception as error: frame = traceback.extract_tb(error.__traceback__)[-1]
named = {name: type(sys.modules[name].__spec__.loader).__name__ for name in ("wave", "email", "email.charset", "_json")}
print(json.dumps([named, wave.__file__, sys.modules["email"].__path__, frame.line]))
"""


def run(python: Path, *arguments: str) -> str:
    done = subprocess.run([python, "-B", *arguments], cwd=CODE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with a pack."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    assert "modules in" in run(python, "-m", "sandbox.import_pack", "wave", "email.charset", "json", "sandbox.policy")
    return python


def test_modules_come_from_the_pack_and_are_what_they_were(python: Path) -> None:
    named, file, where, line = json.loads(run(python, "-s", "-P", "-c", SHOW))
    assert named == {"wave": "_Packed", "email": "_Packed", "email.charset": "_Packed", "_json": "ExtensionFileLoader"}
    _, *plain = json.loads(run(python, "-S", "-P", "-c", SHOW))
    assert [file, where, line] == plain, "file, path and the source line of a traceback are those without the pack"


def test_a_pack_of_another_python_is_not_used(python: Path) -> None:
    pack = python.parents[1] / import_pack.FILE
    body = pack.read_bytes()
    try:
        pack.write_bytes(body.replace(sys.version.encode(), b"4" + sys.version.encode()[1:], 1))
        assert json.loads(run(python, "-c", SHOW))[0]["wave"] == "SourceFileLoader"
    finally:
        pack.write_bytes(body)


def test_our_own_code_is_not_in_the_pack(python: Path) -> None:
    show = f"import sys; sys.path.insert(0, {str(CODE)!r}); from sandbox import policy; print(type(policy.__loader__))"
    assert "SourceFileLoader" in run(python, "-P", "-c", show)
