"""A dataset's policy: what a row whose prices cannot be does to its drop, as the data owner states it.

The object `incoming/{dataset}/policy.json`: `{"bad_rows": "reject"}`, which is the default, or `"quarantine"`.
"""

from __future__ import annotations

import json

from tapedeck.market.store import ObjectStore
from tapedeck.market.vendor.reading import BadRows

NAME = "policy.json"
MAX_BYTES = 10_000  # the rest of a larger one does not parse


class PolicyError(ValueError):
    """The dataset's policy is not one."""


def read(vendor: ObjectStore, dataset: str) -> BadRows:
    """Return what holds for a dataset now. Raises PolicyError when what its owner stated does not parse."""
    try:
        return parse(vendor.get(f"incoming/{dataset}/{NAME}"))
    except KeyError:
        return "reject"


def parse(body: bytes) -> BadRows:
    """Return what a policy says. Raises PolicyError."""
    try:
        stated = json.loads(body)
    except (ValueError, RecursionError):
        stated = None
    if stated == {"bad_rows": "reject"}:
        return "reject"
    if stated == {"bad_rows": "quarantine"}:
        return "quarantine"
    raise PolicyError(f'{NAME} is {{"bad_rows": "reject"}} or {{"bad_rows": "quarantine"}}')
