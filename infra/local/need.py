"""What a request needs: the actions on the resources that its principal must be allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.policies import Value


@dataclass(frozen=True)
class Need:
    """One action on one resource ARN, with the condition keys that the request answers."""

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
