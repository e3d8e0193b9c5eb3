"""Which sandbox runs untrusted code on this machine, and a container in it."""

from __future__ import annotations

import sys

from infra.local.cluster import bubblewrap, engine
from infra.local.cluster.bubblewrap import Bubblewrap, BubblewrapContainer
from infra.local.cluster.config import Config, ImageSource
from infra.local.cluster.engine import Engine, EngineUnavailableError
from infra.local.cluster.gvisor_container import GvisorContainer
from infra.local.cluster.running import Launch, Running

Sandbox = Engine | Bubblewrap


def find(config: Config, image: ImageSource, *, cgroups: bool) -> Sandbox:
    """Return gVisor, or, where the operator allows the weak sandbox, that; raises `EngineUnavailableError`."""
    try:
        return engine.probe(image.code, image.venv, config.state, cgroups=cgroups)
    except EngineUnavailableError as error:
        if not config.allow_weak_sandbox:
            raise
        weak = bubblewrap.probe(image.code, image.venv, config.state, cgroups=cgroups)
        print(f"WEAK SANDBOX, as allowed: {weak.name}, because: {error}", file=sys.stderr)
        return weak


def start(sandbox: Sandbox, launch: Launch, name: str) -> Running:
    """Start a container of untrusted code; `name` is unique on the machine."""
    if isinstance(sandbox, Bubblewrap):
        return BubblewrapContainer(launch, sandbox)
    return GvisorContainer(launch, sandbox, name)
