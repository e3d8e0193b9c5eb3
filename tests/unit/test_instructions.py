"""One instruction set on a laptop and in a pod: the same names, and what they do."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import policy
from tapedeck.instructions import PINNED

ROOT = Path(__file__).parents[2]
NUMBA = ROOT / "build" / "venvs" / "strategy" / "bin" / "python"
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="nothing is pinned on another architecture")


def said(code: str, python: Path | str = sys.executable, **environment: str) -> object:
    env = {name: value for name, value in os.environ.items() if name not in PINNED} | environment
    env["PYTHONPATH"] = str(ROOT / "container_runner")
    done = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LOOK = """
import json, numpy
from numpy._core import _multiarray_umath as built
print(json.dumps([name for name in built.__cpu_dispatch__ if built.__cpu_features__[name]]))
"""


def test_a_laptop_pins_what_a_pod_pins() -> None:
    assert policy.load().instructions == PINNED
    assert PINNED.items() <= policy.load().environment.items()


def test_tapedeck_before_numpy_holds_numpy_to_avx2() -> None:
    assert set(said("import tapedeck\n" + LOOK)) <= {"X86_V3"}  # type: ignore[call-overload]  # a list of names


def test_what_the_environment_says_already_stays() -> None:
    code = "import tapedeck, json, os; print(json.dumps(os.environ['OPENBLAS_CORETYPE']))"
    assert said(code, OPENBLAS_CORETYPE="Zen") == "Zen"


def test_numpy_before_tapedeck_is_told() -> None:
    assert said("import numpy, json; from tapedeck import instructions; print(json.dumps(instructions.pin()))") is False


def test_numba_compiles_for_the_same_processor_everywhere() -> None:
    code = "import json; from numba.core.codegen import JITCPUCodegen as C; print(json.dumps(C('x').magic_tuple()[1:]))"
    assert said(code, NUMBA, **PINNED) == ["haswell", PINNED["NUMBA_CPU_FEATURES"]]
