"""Reads a synthesised cloud assembly: stacks in order, resources with their construct paths, assets.

The assembly is the only list of wires that the local stack knows. Logical ids are hashed, so whatever looks for one
resource does it by construct path, as `app.py` wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


class AssemblyError(Exception):
    """The assembly does not hold what was asked for."""


@dataclass(frozen=True)
class Resource:
    """One resource of one template; `properties` still carry intrinsics."""

    stack: str
    logical_id: str
    type: str
    properties: dict[str, Any]
    depends_on: tuple[str, ...]
    path: str

    def __str__(self) -> str:
        return f"{self.type} {self.path}"


@dataclass(frozen=True)
class Template:
    """One stack of the assembly."""

    name: str
    region: str
    resources: Mapping[str, Resource]
    outputs: Mapping[str, dict[str, Any]]
    conditions: Mapping[str, Any]
    parameters: Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Image:
    """A container image as the assembly would build it: the build context and the Dockerfile's target."""

    directory: Path
    target: str


@dataclass(frozen=True)
class Assembly:
    """A directory that `app.py` wrote."""

    root: Path
    stacks: tuple[Template, ...]
    files: Mapping[str, Path]
    images: Mapping[str, Image]

    @classmethod
    def read(cls, root: Path) -> Assembly:
        """Read the assembly below `root`; raises AssemblyError when there is none."""
        root = root.resolve()
        if not (root / "manifest.json").exists():
            raise AssemblyError(f"no cloud assembly in {root}: run `make synth`")
        artifacts = _json(root / "manifest.json")["artifacts"]
        stacks = tuple(_template(root, name, artifacts[name]) for name in _ordered(artifacts))
        files: dict[str, Path] = {}
        images: dict[str, Image] = {}
        for artifact in artifacts.values():
            if artifact["type"] == "cdk:asset-manifest":
                assets = _json(root / artifact["properties"]["file"])
                files |= dict(_files(root, assets))
                images |= dict(_images(root, assets))
        return cls(root, stacks, files, images)

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """All resources of all stacks, in the stacks' order."""
        return tuple(resource for stack in self.stacks for resource in stack.resources.values())

    def stack(self, name: str) -> Template:
        """Return the stack called `name`."""
        for stack in self.stacks:
            if stack.name == name:
                return stack
        raise AssemblyError(f"no stack {name} in {self.root}")

    def at(self, path: str) -> Resource:
        """Return the one resource at construct path `path` (its last "/Resource" may be left out)."""
        found = [r for r in self.resources if r.path in (path, f"{path}/Resource")]
        if len(found) != 1:
            raise AssemblyError(f"{len(found)} resources at construct path {path}")
        return found[0]

    def file(self, key: str) -> Path:
        """Return the asset that would be uploaded under `key` ("<hash>.zip"): a directory, or a file."""
        if key not in self.files:
            raise AssemblyError(f"no file asset {key} in {self.root}")
        return self.files[key]

    def image(self, uri: str) -> Image:
        """Return the image asset behind a resolved image URI (its tag is the asset's)."""
        tag = uri.rpartition(":")[2]
        if tag not in self.images:
            raise AssemblyError(f"no image asset for {uri} in {self.root}")
        return self.images[tag]


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _ordered(artifacts: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the stacks, each after those that it depends on."""
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in done:
            return
        done.add(name)
        for dependency in artifacts[name].get("dependencies", []):
            yield from visit(dependency)
        if artifacts[name]["type"] == "aws:cloudformation:stack":
            yield name

    for name in artifacts:
        yield from visit(name)


def _paths(root: Path, artifact: dict[str, Any]) -> dict[str, str]:
    """Map the logical ids of one stack to construct paths, out of the metadata that the app wrote beside it."""
    metadata = artifact.get("metadata", {})
    if "additionalMetadataFile" in artifact:
        metadata |= _json(root / artifact["additionalMetadataFile"])
    return {
        entry["data"]: path.strip("/")
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:logicalId"
    }


def _template(root: Path, artifact_id: str, artifact: dict[str, Any]) -> Template:
    properties = artifact["properties"]
    body = _json(root / properties["templateFile"])
    name = properties.get("stackName", artifact_id)
    paths = _paths(root, artifact)
    resources = {}
    for logical_id, raw in body.get("Resources", {}).items():
        depends_on = raw.get("DependsOn", [])
        resources[logical_id] = Resource(
            stack=name,
            logical_id=logical_id,
            type=raw["Type"],
            properties=raw.get("Properties", {}),
            depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
            path=paths.get(logical_id, f"{name}/{logical_id}"),
        )
    region = artifact["environment"].rpartition("/")[2]
    return Template(
        name=name,
        region="us-east-1" if region == "unknown-region" else region,
        resources=resources,
        outputs=body.get("Outputs", {}),
        conditions=body.get("Conditions", {}),
        parameters=body.get("Parameters", {}),
    )


def _files(root: Path, assets: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    for asset in assets.get("files", {}).values():
        for destination in asset["destinations"].values():
            if "path" in asset["source"]:
                yield destination["objectKey"], root / asset["source"]["path"]


def _images(root: Path, assets: dict[str, Any]) -> Iterator[tuple[str, Image]]:
    for asset in assets.get("dockerImages", {}).values():
        source = asset["source"]
        for destination in asset["destinations"].values():
            image = Image(root / source["directory"], source.get("dockerBuildTarget", ""))
            yield destination["imageTag"], image
