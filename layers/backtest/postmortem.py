"""Why an attempt ended that did not say so itself, as far as Kubernetes knows. Pure: from Job and pods to a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from backtest.events import Failure, Usage

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
_NOTE = "tapedeck/usage-strategy"  # what a node that knows its cgroups says of the strategy's container
_SANDBOX_DIED = {128, 137}  # all containers of a gVisor pod share one sentry: when it is killed, each ends with one
_MEBIBYTES = re.compile(r"([0-9]+)Mi")
_FACTS = ("peak_memory_bytes", "cpu_seconds")
Json = Mapping[str, Any]


def has_ended(job: Json) -> bool:
    """Say whether a Job is complete or failed."""
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in _conditions(job))


def cause_of_death(job: Json | None, pods: Sequence[Json], *, started: bool) -> Failure:
    """Return the failure of an attempt from its Job (None: gone) and its pods (none: gone too).

    The deadline and the strategy's memory are the run's own; a machine that went away is a spot loss; all else is ours.
    """
    return _out_of_time(job, started) or _off_the_machine(pods) or _out_of_memory(pods) or _without_a_word(pods)


def usage(pods: Sequence[Json]) -> Usage | None:
    """Return what the node, where it does, or else the pod's spec says of the strategy's container; None: no pod."""
    for pod in pods:
        said = _noted(pod)
        sandbox = said.get("sandbox") or pod.get("spec", {}).get("runtimeClassName")
        try:
            return Usage.model_validate({**dict.fromkeys(_FACTS), **said, "sandbox": sandbox, "reported_by": "node"})
        except ValidationError:
            return Usage(peak_memory_bytes=None, cpu_seconds=None, sandbox=None, reported_by="node")
    return None


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
    """Return whose memory ended a pod; where it ended the whole sandbox, sidecar included, it is the strategy's."""
    for pod in pods:
        ends = {c["name"]: _end(c) for c in _containers(pod)}
        killed = [name for name, ended in ends.items() if ended.get("reason") == "OOMKilled"]
        if killed and ("strategy" in killed or ends.get("strategy", {}).get("exitCode") in _SANDBOX_DIED):
            return Failure(
                kind="OUT_OF_MEMORY", message=f"the strategy used more memory than its pod has: {_sizes(pod)}"
            )
        if killed:
            return Failure(kind="PLATFORM", message=f"the {killed[0]} ran out of memory")
    return None


def _end(container: Json) -> Json:
    return container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}


def _sizes(pod: Json) -> str:
    """Return peak and limit in words; who is killed at a limit has reached it."""
    specs = pod.get("spec", {}).get("containers") or ()
    limits = [c.get("resources", {}).get("limits", {}).get("memory", "") for c in specs if c["name"] == "strategy"]
    found = _MEBIBYTES.fullmatch(limits[0]) if limits else None
    allowed = f"{found[1]} MiB allowed" if found else "all that was allowed"
    peak = _noted(pod).get("peak_memory_bytes")
    at_peak = f"{peak / 2**20:.0f} MiB" if isinstance(peak, int) else "all of it"
    return f"{at_peak} in memory at the peak, {allowed}"


def _noted(pod: Json) -> Json:
    try:
        said = json.loads(pod["metadata"]["annotations"][_NOTE])
    except (KeyError, TypeError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


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
