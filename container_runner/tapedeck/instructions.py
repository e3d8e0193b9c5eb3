"""One instruction set wherever a strategy runs, so that its numbers do not depend on the machine to the last bit.

With AVX-512, NumPy's exp, log and power end in other bits than with AVX2. The same names and values are the platform's
(`sandbox/policy.toml`).
"""

from __future__ import annotations

import os
import platform
import sys

PINNED = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt",
}


def pin() -> bool:
    """Have NumPy, OpenBLAS and Numba use AVX2 and no more; False where NumPy is loaded already and cannot be told.

    What the environment says already stays. On another architecture there is nothing to pin.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    if "numpy" in sys.modules:
        return all(os.environ.get(name) == value for name, value in PINNED.items())
    for name, value in PINNED.items():
        os.environ.setdefault(name, value)
    return True
