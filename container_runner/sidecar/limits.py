"""Whether a run's chunks fit into the pod, said before the first is handed in (`Policy.chunk_bytes` plans them)."""

from __future__ import annotations

from sandbox.policy import MIB, SIDECAR_BASE, SMALL_FILES, WORKING_BYTES, Policy
from sidecar.failures import RunError
from tapedeck.audit.record import KEPT_BYTES

AUDIT_BYTES = 4 * 8  # a cell to decide on: the decisions of a run and of its replay, and what comparing them takes


def check(policy: Policy, *, rows: int, history: int, symbols: int, fields: int, audited: bool = False) -> None:
    """Raise `RunError` LIMIT, with the sizes, when a chunk of `rows` bars after `history` bars does not fit.

    An audit has its room where "weights" has its history; "main" has no next chunk to read ahead and needs none.
    """
    what = f"a chunk of {rows} bars (and {history} of history) of {symbols} symbols and {fields} fields"
    cells = (rows + history) * symbols
    whole = (rows + history) * 12 + cells * 16 * fields
    _fits(f"the decisions on {what}", rows * symbols * 8, policy.process["file_size"])
    _fits(what, whole, policy.volumes["exchange_in_mib"] * MIB - SMALL_FILES)
    kept = KEPT_BYTES + rows * symbols * AUDIT_BYTES if audited else 0
    _fits(f"working on {what}", whole + cells * WORKING_BYTES + kept, policy.sidecar.memory_mib * MIB - SIDECAR_BASE)


def _fits(what: str, size: int, limit: int) -> None:
    if size > limit:
        have = f"{what} takes {size / MIB:.1f} MiB, {limit / MIB:.1f} MiB are there"
        raise RunError("LIMIT", f"{have}: ask for less history, fewer symbols or fewer fields")
