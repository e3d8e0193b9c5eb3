"""Assets put together from folders of the checkout, by copying: no Docker, no network, the same bytes every time."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

_SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".DS_Store")


@jsii.implements(cdk.ILocalBundling)
class _Copy:
    """Copies files and folders to their place in the asset."""

    def __init__(self, sources: Mapping[str, Path]) -> None:
        self._sources = sources

    def try_bundle(self, output_dir: str, options: object = None, **_: object) -> bool:
        """Copy every source below `output_dir`; returns True: there is nothing that Docker would do instead."""
        for place, source in self._sources.items():
            target = Path(output_dir) / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=_SKIPPED)
            else:
                shutil.copyfile(source, target)
        return True


def bundle(base: Path, sources: Mapping[str, Path]) -> lambda_.Code:
    """Return code whose asset holds each source (a file or folder below `base`) at its place; hashed by its content."""
    for source in sources.values():
        if not source.exists():
            raise FileNotFoundError(f"{source} belongs to an asset and is missing")
    return lambda_.Code.from_asset(
        str(base),
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(image=cdk.DockerImage.from_registry("unused"), local=_Copy(sources)),
    )
