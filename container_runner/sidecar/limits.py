"""Whether a run's chunks fit into the pod, said before the first one is handed in."""

from __future__ import annotations

from sandbox.policy import Policy
from sidecar.failures import RunError

MIB = 1024 * 1024
_BASE_BYTES = 192 * MIB  # the sidecar with its libraries, its books and what S3 clients hold
_SMALL_FILES = 8 * MIB  # source, headers
_ENGINE_FIELDS = 5


def check(policy: Policy, *, rows: int, history: int, symbols: int, fields: int) -> None:
    """Raise `RunError` LIMIT, with the sizes, when a chunk of `rows` bars after `history` bars does not fit."""
    what = f"a chunk of {rows} bars (and {history} of history) of {symbols} symbols and {fields} fields"
    decisions = rows * symbols * 8
    _fits(f"the decisions on {what}", decisions, policy.process["file_size"])
    whole = (rows + history) * (12 + 16 * fields * symbols)
    _fits(what, whole, policy.volumes["exchange_in_mib"] * MIB - _SMALL_FILES)
    # beside the file: the bars of this chunk and of the next, and what one field needs while it is written
    working = whole + 2 * _ENGINE_FIELDS * decisions + 3 * (rows + history) * symbols * 8
    _fits(f"working on {what}", working, policy.sidecar.memory_mib * MIB - _BASE_BYTES)


def _fits(what: str, size: int, limit: int) -> None:
    if size > limit:
        message = (
            f"{what} takes {size / MIB:.1f} MiB, {limit / MIB:.1f} MiB are there: ask for less history or fewer symbols"
        )
        raise RunError("LIMIT", message)
