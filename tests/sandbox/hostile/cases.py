"""Which attacks run in which pod: those that are independent and not fatal share one, the others have their own."""

from __future__ import annotations

from typing import Any

from tests.sandbox.hostile.run import Case

FACTS: dict[str, int | str] = {"canary": "", "port": 0, "abstract": "", "others": ""}
MANNERLY = (
    "host_files", "environment", "metadata", "network", "mounts", "tracing", "killing", "library", "poison",
    "devices", "clock", "shadowing",
)  # fmt: skip
LAUNCHERS = ("network", "tracing", "mounts", "processes")  # what the launcher is there to stop
PLANTED = (
    "numpy", "tapedeck", "contract", "sandbox", "json", "statistics", "wave", "colorsys", "sitecustomize", "random",
)  # fmt: skip
GREEDY = ("processes", "memory", "disk")


def brief(job: Any) -> None:
    job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1


def small(job: Any) -> None:
    resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
    resources["limits"]["memory"] = resources["requests"]["memory"] = "512Mi"


def unconfined(job: Any) -> None:
    """Run the strategy's host without its launcher: still under gVisor, with nothing else to hold it."""
    [strategy] = job["spec"]["template"]["spec"]["containers"]
    strategy["command"] = ["/opt/venv/bin/python", "-s", "-P", "-B", "-u", "-m", "sandbox.runner"]


NEIGHBOUR = Case(("neighbour",), deadline=600, chunks=6)
CASES = {
    "mannerly": Case(MANNERLY, params=FACTS),
    "greedy": Case(GREEDY),
    "control": Case(LAUNCHERS, params=FACTS, change=unconfined),
    "claims": Case(("claims",)),
    "endless": Case(("endless",), deadline=15, change=brief),
    "fork bomb": Case(("fork_bomb",), deadline=15, change=brief),
    "honest": Case(("honest",), chunks=6),
    "patched": Case(("patched",), chunks=6),
    "future": Case(("future",), chunks=6),
    "exchange": Case(("exchange_abuse",), chunks=6),
    "odd files": Case(("odd_files",), chunks=6),
    "linked decisions": Case(("linked_decisions",)),
    "false end": Case(("false_end",)),
    "zip shadowing": Case(("zip_shadowing",), chunks=6, planted=PLANTED),
    "own sigterm": Case(("own_sigterm",)),
    "memory bomb": Case(("memory_bomb",)),
    "memory by children": Case(("memory_children",), change=small),
    "flood": Case(("flood",), chunks=6),
    "kill all": Case(("kill_all",)),
    "shown": Case(("shown",)),
}
