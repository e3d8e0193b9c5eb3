"""The sandbox's policy, read from `policy.toml` beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class ContainerPolicy:
    """One container's share of the pod."""

    uid: int
    cpu_milli: int
    memory_mib: int


@dataclass(frozen=True)
class Policy:
    """Limits, mounts and environment; units stand in the names (bytes where there is none)."""

    deadline_seconds: int
    termination_grace_seconds: int
    sidecar: ContainerPolicy
    strategy: ContainerPolicy
    volumes: dict[str, int]
    process: dict[str, int]
    environment: dict[str, str]
    denied_syscalls: tuple[str, ...]
    logs: dict[str, int]
    source: dict[str, int]


@cache
def load() -> Policy:
    """Return the policy; raises `KeyError` or `tomllib.TOMLDecodeError` when the file is damaged."""
    raw = tomllib.loads((Path(__file__).parent / "policy.toml").read_text())
    pod = raw["pod"]
    return Policy(
        deadline_seconds=pod["deadline_seconds"],
        termination_grace_seconds=pod["termination_grace_seconds"],
        sidecar=ContainerPolicy(**pod["sidecar"]),
        strategy=ContainerPolicy(**pod["strategy"]),
        volumes=raw["volumes"],
        process=raw["process"],
        environment=raw["environment"],
        denied_syscalls=tuple(raw["syscalls"]["denied"]),
        logs=raw["logs"],
        source=raw["source"],
    )
