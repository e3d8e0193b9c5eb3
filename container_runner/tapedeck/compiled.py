"""The library of compiled parts, built ahead of time by container_runner/compile.sh; nothing is compiled in a job.

What calls it has a second path in Python that gives the same bytes, for settings that the library does not know and
for a machine where it was not built.
"""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ABI = 8  # raised with every change of a compiled function's arguments; compiled.c states it too
_FOLDER = Path(__file__).parent / "engine"
MISSING = (
    "tapedeck's compiled parts were not built, or from other sources: runs give the same figures and take up to a "
    "hundred times as long. Install the package again where a C compiler is, or run `make kernel`"
)
_KEPT = 128 << 20  # bytes of freed memory


@cache
def library() -> ctypes.CDLL | None:
    """Return the library; None, and a warning in the log, where it was not built or was built from other sources."""
    for path in sorted(_FOLDER.glob("_kernel*.so")):  # setuptools puts the interpreter's tag into the name
        try:
            found = ctypes.CDLL(str(path))
        except OSError:  # of another processor family
            continue
        if hasattr(found, "compiled_abi") and found.compiled_abi() == ABI:
            found.holds_infinite.argtypes = [ctypes.c_void_p, ctypes.c_int64]
            found.keep_memory.argtypes, found.keep_memory.restype = [ctypes.c_int32], None
            return found
    logging.getLogger(__name__).warning("%s", MISSING)
    return None


def keep_memory() -> None:
    """Let this process keep memory that it has freed: chunk after chunk needs arrays of the same sizes."""
    found = library()
    if found:
        found.keep_memory(_KEPT)


def holds_infinite(values: NDArray[np.float64]) -> bool:
    """Return whether an array holds an infinity."""
    found = library()
    if found and values.dtype == np.float64 and (values.flags.f_contiguous or values.flags.c_contiguous):
        return bool(found.holds_infinite(values.ctypes.data, values.size))
    return bool(np.isinf(values).any())
