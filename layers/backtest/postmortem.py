"""Why an attempt ended that did not say so itself, as far as Kubernetes knows. Pure: from Job and pods to a failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backtest.events import Failure

# Reasons of a pod's end that are the machine's: eviction, preemption, a node that went away.
_MACHINE = {
    "Evicted",
    "Preempting",
    "Terminated",
    "NodeShutdown",
    "NodeLost",
    "NodeAffinity",
    "UnexpectedAdmissionError",
}
Json = Mapping[str, Any]


def has_ended(job: Json) -> bool:
    """Say whether a Job is complete or failed."""
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in _conditions(job))


def cause_of_death(job: Json | None, pods: Sequence[Json], *, started: bool) -> Failure:
    """Return the failure of an attempt from its Job (None: gone) and its pods (none: gone too).

    The deadline and the strategy's memory are the run's own; a machine that went away is a spot loss; all else is ours.
    """
    return _out_of_time(job, started) or _off_the_machine(pods) or _out_of_memory(pods) or _without_a_word(pods)


def _out_of_time(job: Json | None, started: bool) -> Failure | None:
    ends = [c.get("reason") for c in _conditions(job or {}) if c["type"] == "Failed"]
    if "DeadlineExceeded" not in ends:
        return None
    if not started:
        return Failure(kind="PLATFORM", message="no machine was found for the run within its time")
    return Failure(kind="TIMEOUT", message="the run was stopped at the end of its time")


def _off_the_machine(pods: Sequence[Json]) -> Failure | None:
    for pod in pods:
        reason = pod.get("status", {}).get("reason")
        if reason in _MACHINE or any(
            c["type"] == "DisruptionTarget" and c["status"] == "True" for c in _conditions(pod)
        ):
            return Failure(kind="SPOT_LOST", message=f"the pod was taken off its machine: {reason or 'disruption'}")
    return None


def _out_of_memory(pods: Sequence[Json]) -> Failure | None:
    for container in (c for pod in pods for c in _containers(pod)):
        ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
        if ended and ended.get("reason") == "OOMKilled":
            if container["name"] == "strategy":
                return Failure(kind="OUT_OF_MEMORY", message="the strategy used more memory than its pod has")
            return Failure(kind="PLATFORM", message=f"the {container['name']} ran out of memory")
    return None


def _without_a_word(pods: Sequence[Json]) -> Failure:
    if not pods:
        return Failure(kind="PLATFORM", message="the attempt's pod is gone, and it left no word")
    return Failure(kind="PLATFORM", message="the attempt's pod ended without a word: " + _exits(pods))


def _conditions(item: Json) -> Iterable[Json]:
    return item.get("status", {}).get("conditions") or ()


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _exits(pods: Sequence[Json]) -> str:
    return ", ".join(_exit(c) for pod in pods for c in _containers(pod)) or "no container started"


def _exit(container: Json) -> str:
    ended = container.get("state", {}).get("terminated")
    return f"{container['name']} {'exit code ' + str(ended['exitCode']) if ended else 'did not end'}"
