"""What differs from one deployment to the next, read once from cdk.json's context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Nodes:
    """How many machines a node group may have; it starts with the minimum."""

    minimum: int
    maximum: int


@dataclass(frozen=True)
class Settings:
    """One deployment. Sizes carry their unit in the name; `region` is explicit, the account is the deployer's."""

    prefix: str
    region: str
    availability_zones: tuple[str, ...]
    vpc_cidr: str
    s3_cidrs: tuple[str, ...]  # com.amazonaws.REGION.s3: `aws ec2 get-managed-prefix-list-entries`
    database_instance: str
    database_storage_gib: int
    database_multi_az: bool
    backup_days: int
    backtest_instances: tuple[str, ...]
    backtest_nodes: Nodes
    backtest_disk_gib: int
    system_instance: str
    system_nodes: Nodes
    gvisor_release: str  # folder below gvisor/ in the tools bucket: runsc, containerd-shim-runsc-v1
    base_image: str
    log_days: int
    run_days: int  # how long logs, checkpoints and results are kept
    retain_data: bool  # False only where data may vanish with the stack
    alarm_email: str | None

    def bucket_name(self, purpose: str, account: str) -> str:
        """Return a bucket's name: known before the bucket is, so that policies need no reference to it."""
        return f"{self.prefix}-{purpose}-{account}-{self.region}"


def load(context: Mapping[str, Any]) -> Settings:
    """Return the settings under `tapedeck`; raises `KeyError` or `TypeError` on a missing or unknown name."""
    raw = dict(context["tapedeck"])
    for name in ("availability_zones", "s3_cidrs", "backtest_instances"):
        raw[name] = tuple(raw[name])
    for name in ("backtest_nodes", "system_nodes"):
        raw[name] = Nodes(**raw[name])
    return Settings(**raw)
