"""The library of compiled parts, built ahead of time by container_runner/compile.sh; nothing is compiled in a job.

What calls it has a second path in Python that gives the same bytes, for settings that the library does not know and
for a machine where it was not built.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

ABI = 2  # raised with every change of a compiled function's arguments; kernel.c states it too
_FOLDER = Path(__file__).parent / "engine"


@cache
def library() -> ctypes.CDLL | None:
    """Return the library; None where it was not built, or was built from other sources than these modules expect."""
    for path in sorted(_FOLDER.glob("_kernel*.so")):  # setuptools puts the interpreter's tag into the name
        try:
            found = ctypes.CDLL(str(path))
        except OSError:  # of another processor family
            continue
        if hasattr(found, "kernel_abi") and found.kernel_abi() == ABI:
            return found
    return None
