"""The container images, built from container_runner/ at deploy time; a synth takes their fingerprint only."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_ecr_assets as assets
from constructs import Construct

from infra.settings import Settings


class Images(Construct):
    """`sidecar`, `strategy` and `cache`: one target each of one Dockerfile."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, root: Path) -> None:
        super().__init__(scope, id)
        self._folder = root / "container_runner"
        self._arguments = {"BASE": settings.base_image}
        self.sidecar = self._image("Sidecar", "sidecar")
        self.strategy = self._image("Strategy", "strategy")
        self.cache = self._image("Cache", "cache")

    def _image(self, id: str, target: str) -> assets.DockerImageAsset:
        return assets.DockerImageAsset(
            self,
            id,
            directory=str(self._folder),
            target=target,
            platform=assets.Platform.LINUX_AMD64,
            build_args=self._arguments,
            asset_name=target,
        )
