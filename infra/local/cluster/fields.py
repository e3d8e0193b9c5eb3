"""A strict reader of decoded JSON: every field is asked for by name and kind, and what nobody asked for is refused."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
_REQUIRED: Final = object()


class FieldError(Exception):
    """The object says something that this cluster does not know or do; `path` says where."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


class Fields:
    """One JSON object being read; leaving its `with` block raises `FieldError` when a field was not asked for."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise FieldError(path, "must be an object")
        self._rest: dict[str, Any] = dict(value)
        self.path = path

    def __enter__(self) -> Fields:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None and self._rest:
            raise FieldError(self.at(sorted(self._rest)[0]), "unknown field, or one that the local cluster does not do")

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Return whether a field is there, and was not asked for yet."""
        return name in self._rest

    def get(self, name: str, kind: type[T], default: object = _REQUIRED) -> T:
        """Return a field of exactly this type; raises `FieldError` when absent without a default or mistyped."""
        value = self._rest.pop(name, default)
        if value is _REQUIRED:
            raise FieldError(self.at(name), "required")
        if value is not default and type(value) is not kind:
            raise FieldError(self.at(name), f"must be of type {kind.__name__}")
        return cast(T, value)

    def only(self, name: str, *allowed: object, default: object = _REQUIRED) -> Any:
        """Return a field that may have these values only."""
        value = self._rest.pop(name, default)
        if value is _REQUIRED:
            raise FieldError(self.at(name), "required")
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise FieldError(self.at(name), f"{value!r} is not supported, only {', '.join(map(repr, allowed))}")
        return value

    def natural(self, name: str, default: object = _REQUIRED, least: int = 0) -> int:
        """Return a whole number that is at least `least`."""
        value = self.get(name, int, default)
        if value < least:
            raise FieldError(self.at(name), f"must be at least {least}")
        return value

    def nested(self, name: str) -> Fields:
        """Return a field that is an object, to be read in its turn."""
        return Fields(self.get(name, dict), self.at(name))

    def objects(self, name: str, default: object = _REQUIRED) -> list[Fields]:
        """Return the objects of a list."""
        return [Fields(item, f"{self.at(name)}[{i}]") for i, item in enumerate(self.get(name, list, default))]

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self.get(name, list)
        if not all(isinstance(value, str) for value in values):
            raise FieldError(self.at(name), "must be a list of strings")
        return tuple(values)

    def texts(self, name: str, default: object = _REQUIRED) -> dict[str, str]:
        """Return an object whose values are strings (labels, annotations)."""
        values: dict[str, Any] = self.get(name, dict, default)
        if not all(isinstance(value, str) for value in values.values()):
            raise FieldError(self.at(name), "values must be strings")
        return values
