"""The whole platform: four stacks, composed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk

from infra.cluster import Cluster
from infra.control import Control
from infra.foundation import Foundation
from infra.observability import Observability
from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Stacks:
    """The stacks, in the order in which they are deployed."""

    foundation: Foundation
    cluster: Cluster
    control: Control
    observability: Observability


def build(app: cdk.App, settings: Settings, *, root: Path = ROOT) -> Stacks:
    """Add every stack to `app`; `root` is the checkout whose functions, layers and containers are deployed."""
    env = cdk.Environment(region=settings.region)
    cdk.Tags.of(app).add("project", settings.prefix)
    foundation = Foundation(app, "Tapedeck-Foundation", env=env, settings=settings)
    cluster = Cluster(app, "Tapedeck-Cluster", env=env, settings=settings, foundation=foundation, root=root)
    control = Control(
        app, "Tapedeck-Control", env=env, settings=settings, foundation=foundation, cluster=cluster, root=root
    )
    observability = Observability(
        app, "Tapedeck-Observability", env=env, settings=settings, foundation=foundation, control=control
    )
    return Stacks(foundation=foundation, cluster=cluster, control=control, observability=observability)
