"""`python -m infra.local.cluster CONFIG.json`: serve until SIGTERM, then leave nothing behind."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from infra.local.cluster import certificate, kernel, untrusted
from infra.local.cluster.api import Api
from infra.local.cluster.authentication import Authenticator
from infra.local.cluster.cgroup import Groups
from infra.local.cluster.config import Config, load
from infra.local.cluster.engine import EngineUnavailableError
from infra.local.cluster.fields import FieldError
from infra.local.cluster.jobs import Jobs
from infra.local.cluster.node import LocalNode
from infra.local.cluster.server import ApiServer
from infra.local.cluster.tokens import Issuer


def main(path: str) -> int:
    """Run the cluster; prints {"ready": true, "port": N, "refusal": why it runs no pods, or null} when it listens."""
    try:
        config = load(Path(path))
    except FieldError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    config.state.mkdir(parents=True, exist_ok=True)
    with (config.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another cluster runs in {config.state}", file=sys.stderr)
            return 1
        return _run(config)


def _run(config: Config) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    certificate.ensure(config.certificate, config.key)
    authenticator = Authenticator(config.sts_endpoint, config.cluster_name, config.access)
    groups, found = _machine(config)
    with ApiServer((config.host, config.port), config.certificate, config.key) as server:
        port = server.server_address[1]
        issuer = Issuer(config.issuer.removesuffix(":0") + f":{port}" * config.issuer.endswith(":0"), config.state)
        jobs = Jobs(LocalNode(config, found, groups, issuer), config.manifests, config.max_pods)
        server.api = Api(jobs, issuer, authenticator, config.manifests)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="https")
        thread.start()
        refusal = found if isinstance(found, str) else None
        print(json.dumps({"ready": True, "port": port, "refusal": refusal}), flush=True)
        stop.wait()
        server.shutdown()
        thread.join()
        jobs.close()
    if groups is not None:
        groups.sweep()
    return 0


def _machine(config: Config) -> tuple[Groups | None, untrusted.Sandbox | str]:
    """Return the cgroups and the sandbox that this machine has, swept of what an earlier server left."""
    if os.geteuid() != 0:
        return None, "The local cluster must run as root: it makes mounts and cgroups, and drops to other users."
    kernel.unshare(kernel.CLONE_NEWNS)  # every mount made from here on goes with this process, however it ends
    groups = Groups(f"tapedeck-{hashlib.sha256(str(config.state).encode()).hexdigest()[:8]}")
    groups.sweep()
    usable = groups.usable()
    source = next((image for image in config.images.values() if image.target == "strategy"), None)
    if source is None:
        return (groups if usable else None), "no image of target 'strategy' is mapped"
    try:
        found = untrusted.find(config, source, cgroups=usable)
    except EngineUnavailableError as error:
        print(error, file=sys.stderr)
        return (groups if usable else None), str(error)
    found.sweep()
    return (groups if usable else None), found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
