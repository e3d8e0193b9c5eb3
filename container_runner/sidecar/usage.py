"""What the strategy's container says that it took. A claim: the cgroup that knows is out of the sidecar's sight."""

from __future__ import annotations

import run_objects
from sandbox.policy import MIB, Policy
from sidecar.exchange import Exit


def in_words(ended: Exit | None, policy: Policy) -> str:
    """Return peak and limit of a process that ran out of memory."""
    peak = f"{ended.peak // MIB} MiB in memory at the peak" if ended else "its peak is not known"
    return f"{peak}, {policy.process['address_space'] // MIB} MiB of addresses allowed"


def claimed(ended: Exit | None, policy: Policy, sandbox: str | None) -> run_objects.Usage:
    """Return the usage; what the container's limits do not allow is not repeated."""
    seconds = policy.deadline_seconds * max(1.0, policy.strategy.cpu_milli / 1000)
    possible = ended is not None and ended.peak <= policy.strategy.memory_mib * MIB and ended.cpu <= seconds * 1e6
    return {
        "peak_memory_bytes": ended.peak if ended and possible else None,
        "cpu_seconds": ended.cpu / 1e6 if ended and possible else None,
        "sandbox": sandbox,
        "reported_by": "strategy",
    }
