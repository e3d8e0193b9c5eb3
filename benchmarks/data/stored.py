"""What the market's monthly files take: bytes and rows."""

from __future__ import annotations

import json

from benchmarks.data import market
from benchmarks.data.where import FOLDER, SYMBOLS

FOLDER.mkdir(parents=True, exist_ok=True)
leaves = market.load()[1].leaves(SYMBOLS).values()
size = sum(place.bytes for leaf in leaves for place in leaf.places.values())
print(json.dumps({"bytes": size, "rows": sum(ref.rows for leaf in leaves for ref in leaf.months.values())}))
