"""What a look at a submission found: plain data, fit for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal, TypedDict

Kind = Literal["script", "notebook", "zip"]
Level = Literal["weights", "shares", "on_bar", "main"]
Scalar = int | float | str | bool


class Parameter(TypedDict):
    """A parameter that the strategy declares."""

    type: Literal["int", "float", "str", "bool"]
    default: Scalar


@dataclass(frozen=True)
class Inspection:
    """A strategy as its source states it.

    `class_name` is None for a top-level ``main(run)``, whose parameters are those of the header block. `fields` is in
    the order of `tapedeck.fields.FIELDS`. `header` is the block as JSON, over the settings that the class
    states: its `params` are checked against `parameters`, its other keys are the platform's to check.
    """

    kind: Kind
    level: Level
    class_name: str | None
    fields: list[str]
    parameters: dict[str, Parameter] = field(default_factory=dict)
    header: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return the inspection as JSON."""
        return asdict(self)
