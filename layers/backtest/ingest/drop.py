"""What S3 says of a file dropped for ingest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from tapedeck.market import layout
from tapedeck.market.errors import DatasetNameError

_PREFIX = "incoming/"


@dataclass(frozen=True)
class Drop:
    """An object version below `incoming/`; `sequencer` orders the events of one key (hexadecimal)."""

    key: str
    version: str | None
    sequencer: str
    size: int
    owner: str  # the IAM unique id of who dropped it

    def place(self) -> tuple[layout.Dataset, str]:
        """Return the dataset and the file's path that the key names. Raises DatasetNameError."""
        dataset, slash, path = self.key.removeprefix(_PREFIX).partition("/")
        if not self.key.startswith(_PREFIX) or not slash or not path:
            raise DatasetNameError(f"{self.key!r} is not incoming/{{dataset}}/{{file}}")
        return layout.parse_dataset(dataset), path

    def message(self) -> dict[str, object]:
        """Return a notification that `drops` reads this drop from."""
        stored = {"key": quote_plus(self.key, safe="/"), "sequencer": self.sequencer, "size": self.size}
        if self.version is not None:
            stored["versionId"] = self.version
        return {"Records": [{"userIdentity": {"principalId": self.owner}, "s3": {"object": stored}}]}

    def is_before(self, sequencer: str) -> bool:
        """Say whether this event is older than, or is, the one with `sequencer` (both of the same key)."""
        width = max(len(self.sequencer), len(sequencer))
        return self.sequencer.rjust(width, "0") <= sequencer.rjust(width, "0")


def drops(body: str) -> Iterator[Drop]:
    """Yield the drops of an S3 notification as it comes in a queue's message; S3's test message has none."""
    for record in json.loads(body).get("Records", []):
        yield _drop(record)


def _drop(record: dict[str, Any]) -> Drop:
    stored = record["s3"]["object"]
    return Drop(
        key=unquote_plus(stored["key"]),
        version=stored.get("versionId"),
        sequencer=stored.get("sequencer", ""),
        size=int(stored.get("size", 0)),
        owner=record.get("userIdentity", {}).get("principalId", "").removeprefix("AWS:"),
    )
