"""How a container ended, and whose doing it was: Kubernetes' `terminated` state."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from infra.local.cluster.cgroup import Usage
from infra.local.cluster.pod import Container
from infra.local.cluster.records import now, stamp

_CANNOT_START = 128  # runsc and host_init alike: nothing of the container has run
_SENTRY_PANIC = 2


def terminated(
    spec: Container, code: int, usage: Usage, started: datetime, *, sandboxed: bool, told: bool
) -> dict[str, Any]:
    """Return the state; `told`: the container itself wrote how it ended, so that its code is its own.

    The count of OOM kills comes before the code: one runsc build leaves with 137 and another with 1.
    """
    reason, message = "Completed" if code == 0 else "Error", None
    if usage.oom_kills > 0:
        reason, message = "OOMKilled", f"out of memory: {usage.peak_memory} of {spec.memory} bytes used"
    elif code == _CANNOT_START:
        reason, message = "ContainerCannotRun", "the container could not be started; its log says why"
    elif sandboxed and code == _SENTRY_PANIC and not told:
        reason, message = "ContainerCannotRun", "the sandbox failed (runsc left with 2)"
    state = {"exitCode": code, "reason": reason, "startedAt": stamp(started), "finishedAt": stamp(now())}
    if code > _CANNOT_START:
        state["signal"] = code - _CANNOT_START
    if message:
        state["message"] = message
    return state
