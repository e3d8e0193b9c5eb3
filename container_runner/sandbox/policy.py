"""The sandbox's policy, read from `policy.toml` beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MIB = 1024 * 1024
SIDECAR_BASE = 192 * MIB  # the sidecar with its libraries, its books and what S3 clients hold
SMALL_FILES = 8 * MIB  # what lies in the exchange beside a chunk: source, headers
WORKING_BYTES = 8 * (2 * 5 + 3)  # a cell: five raw fields of two chunks, and what the engine needs on one


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
    environment: dict[str, str]  # of the strategy, `instructions` included
    instructions: dict[str, str]  # of both containers
    denied_syscalls: tuple[str, ...]
    logs: dict[str, int]
    source: dict[str, int]

    def chunk_bytes(self, level: str, fields: int) -> int:
        """Return how large a chunk's file may be planned, so that `sidecar.limits` lets it pass.

        A cell (bar x symbol) takes 16 bytes a field in the file and 8 as a decision. The sidecar holds beside the file
        the raw bars of two chunks, and three arrays more for its books. For "weights" half of the memory is left to the
        history that a strategy may ask for.
        """
        part = 1 if level == "main" else 2
        cells = min(
            self.process["file_size"] // 8,
            (self.volumes["exchange_in_mib"] * MIB - SMALL_FILES) // part // (16 * fields),
            (self.sidecar.memory_mib * MIB - SIDECAR_BASE) // part // (16 * fields + WORKING_BYTES),
        )
        return cells * 16 * fields


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
        environment=raw["environment"] | raw["instructions"],
        instructions=raw["instructions"],
        denied_syscalls=tuple(raw["syscalls"]["denied"]),
        logs=raw["logs"],
        source=raw["source"],
    )
