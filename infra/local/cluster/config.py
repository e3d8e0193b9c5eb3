"""The cluster's configuration: one JSON file, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.cluster.fields import FieldError, Fields


@dataclass(frozen=True)
class ImageSource:
    """Which folders stand for an image."""

    target: str  # "sidecar" or "strategy"
    code: Path
    venv: Path


@dataclass(frozen=True)
class Config:
    """All that the cluster is told; port 0 takes a free one."""

    host: str
    port: int
    state: Path
    certificate: Path
    key: Path
    issuer: str
    region: str
    cluster_name: str
    sts_endpoint: str
    images: Mapping[str, ImageSource]
    access: Mapping[str, tuple[str, ...]]
    manifests: tuple[dict[str, Any], ...]
    env: Mapping[str, Mapping[str, str]]
    host_paths: Mapping[str, Path]
    max_pods: int
    allow_weak_sandbox: bool = False  # the operator's word: without gVisor, bubblewrap


def load(path: Path) -> Config:
    """Return the configuration; raises `FieldError` for a field that is missing, unknown or of another type."""
    with Fields(json.loads(path.read_text()), "") as config:
        host, port = config.get("listen", list)
        env, access = config.get("env", dict, {}), config.get("access", dict)
        images = {uri: _image(source, f"images[{uri}]") for uri, source in config.get("images", dict).items()}
        return Config(
            host=host,
            port=port,
            state=Path(config.get("state", str)).absolute(),
            certificate=Path(config.get("certificate", str)).absolute(),
            key=Path(config.get("key", str)).absolute(),
            issuer=config.get("issuer", str),
            region=config.get("region", str),
            cluster_name=config.get("cluster_name", str),
            sts_endpoint=config.get("sts_endpoint", str),
            images=images,
            access={role: tuple(groups) for role, groups in access.items()},
            manifests=tuple(config.get("manifests", list)),
            env=env,
            host_paths={place: Path(folder).absolute() for place, folder in config.texts("host_paths", {}).items()},
            max_pods=config.natural("max_pods", 2, 1),
            allow_weak_sandbox=config.get("allow_weak_sandbox", bool, False),
        )


def _image(value: object, path: str) -> ImageSource:
    with Fields(value, path) as image:
        target = image.only("target", "sidecar", "strategy")
        code, venv = Path(image.get("code", str)).absolute(), Path(image.get("venv", str)).absolute()
        for folder in (code, venv):
            if not folder.is_dir() or folder.stat().st_mode & 0o005 != 0o005:
                raise FieldError(image.path, f"{folder} must be a folder that every user may read")
        return ImageSource(target, code, venv)
