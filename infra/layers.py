"""The two layers that every function stands on: other people's wheels, and our own shared packages."""

from __future__ import annotations

import hashlib
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bundle import bundle

RUNTIME = lambda_.Runtime.PYTHON_3_11
ARCHITECTURE = lambda_.Architecture.X86_64


class Layers(Construct):
    """`versions` in the order in which functions list them."""

    def __init__(self, scope: Construct, id: str, *, root: Path) -> None:
        super().__init__(scope, id)
        self.versions = [
            self._layer("Dependencies", _dependencies(root), "layers/requirements.txt, as installed by make setup"),
            self._layer("Shared", _shared(root), "backtest, tapedeck, the contracts and the sandbox's policy"),
        ]

    def _layer(self, id: str, code: lambda_.Code, description: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            id,
            code=code,
            description=description,
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
            removal_policy=cdk.RemovalPolicy.RETAIN,  # a rolled-back function finds its layer again
        )


def _dependencies(root: Path) -> lambda_.Code:
    """The folder that `make setup` fills; the lock file, hashes and all, says what is in it and names the asset."""
    folder = root / "build" / "layer"
    if not (folder / "python").is_dir():
        raise FileNotFoundError(f"{folder}/python is missing: run `make setup` first")
    lock = hashlib.sha256((root / "layers" / "requirements.txt").read_bytes()).hexdigest()
    return lambda_.Code.from_asset(
        str(folder.resolve()),
        asset_hash_type=cdk.AssetHashType.CUSTOM,
        asset_hash=lock,
        exclude=["**/__pycache__", ".ready", "python/bin"],
    )


def _shared(root: Path) -> lambda_.Code:
    runner = root / "container_runner"
    sandbox = {f"python/sandbox/{n}": runner / "sandbox" / n for n in ("__init__.py", "policy.py", "policy.toml")}
    return bundle(
        root / "layers",
        {
            "python/backtest": root / "layers" / "backtest",
            "python/tapedeck": runner / "tapedeck",
            "python/contract.py": runner / "contract.py",
            "python/run_objects.py": runner / "run_objects.py",
            **sandbox,
        },
    )
