"""Who may do what: the Roles and bindings of the template's manifests, evaluated as the API server does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Ask:
    """One request: of a resource (`group` "" is the core group), or, with `path`, of a URL that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""  # "pods", "pods/log"
    namespace: str | None = None
    name: str | None = None
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"{self.verb} {self.path}"
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource} in namespace {self.namespace!r}"


def allowed(ask: Ask, user: str, groups: Sequence[str], manifests: Iterable[Document]) -> bool:
    """Return whether a rule bound to `user` or one of `groups` covers `ask`."""
    documents = list(manifests)
    return any(_covers(rule, ask) for rule in _rules(ask, user, groups, documents))


def _rules(ask: Ask, user: str, groups: Sequence[str], documents: list[Document]) -> Iterator[Document]:
    for binding in documents:
        kind, space = binding.get("kind"), binding.get("metadata", {}).get("namespace")
        if kind not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        if kind == "RoleBinding" and (ask.namespace is None or space != ask.namespace):
            continue
        if any(_is(subject, user, groups) for subject in binding.get("subjects", [])):
            yield from _role(binding["roleRef"], space, documents)


def _is(subject: Document, user: str, groups: Sequence[str]) -> bool:
    if subject["kind"] == "Group":
        return str(subject["name"]) in groups
    return (subject["kind"], subject["name"]) == ("User", user)


def _role(reference: Document, space: str | None, documents: list[Document]) -> Iterator[Document]:
    for role in documents:
        meta = role.get("metadata", {})
        same_space = reference["kind"] == "ClusterRole" or meta.get("namespace") == space
        if role.get("kind") == reference["kind"] and meta.get("name") == reference["name"] and same_space:
            yield from role.get("rules", [])


def _covers(rule: Document, ask: Ask) -> bool:
    if not _any(rule.get("verbs", ()), ask.verb):
        return False
    if ask.path is not None:
        return any(_matches_path(pattern, ask.path) for pattern in rule.get("nonResourceURLs", ()))
    names = rule.get("resourceNames")
    return (
        _any(rule.get("apiGroups", ()), ask.group)
        and _any(rule.get("resources", ()), ask.resource)
        and (not names or ask.name in names)
    )


def _any(values: Sequence[str], value: str) -> bool:
    return "*" in values or value in values


def _matches_path(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern
