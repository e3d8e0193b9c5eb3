"""Reading a synthesised template: resources by type, values as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Template:
    """One stack's template."""

    def __init__(self, assembly: Path, stack: str) -> None:
        self.body: dict[str, Any] = json.loads((assembly / f"{stack}.template.json").read_text())
        self.resources: dict[str, dict[str, Any]] = self.body["Resources"]
        said = json.loads((assembly / f"{stack}.metadata.json").read_text())
        self._paths = {
            entry["data"]: path.removeprefix(f"/{stack}/").removesuffix("/Resource")
            for path, entries in said.items()
            for entry in entries
            if entry["type"] == "aws:cdk:logicalId"
        }

    def of(self, *types: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (construct path, properties) of the resources of some types, in order."""
        return [(self.path(id), r.get("Properties", {})) for id, r in self.resources.items() if r["Type"] in types]

    def path(self, id: str) -> str:
        """Return a resource's construct path without the stack and the trailing Resource."""
        return self._paths[id]

    def text(self, value: Any) -> str:
        """Return a value with each reference written as <construct path[.attribute]>."""
        match value:
            case str():
                return value
            case {"Fn::Join": [separator, parts]}:
                return str(separator).join(self.text(p) for p in parts)
            case {"Ref": id}:
                return f"<{self._named(id)}>"
            case {"Fn::GetAtt": [id, attribute]}:
                return f"<{self._named(id)}.{attribute}>"
            case {"Fn::ImportValue": name}:
                return f"<{name}>"
            case {"Fn::Sub": text}:
                return str(text).replace("${", "<").replace("}", ">")
        raise AssertionError(f"no text: {value!r}")

    def _named(self, id: str) -> str:
        return self._paths.get(id, id)


def listed(value: Any) -> list[Any]:
    """Return what IAM writes as one thing or a list of things, as a list."""
    return value if isinstance(value, list) else [value]
