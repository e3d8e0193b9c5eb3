"""What a row takes in ArcticDB's buckets, by the number of decimals."""

from __future__ import annotations

import json

from benchmarks.reads.client import client
from benchmarks.reads.where import DECIMALS, ROWS, SYMBOLS

said = {}
for decimals in DECIMALS:
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=f"arctic{decimals}")
    size = sum(one["Size"] for page in pages for one in page["Contents"])
    said[str(decimals)] = {"bytes": size / (ROWS * len(SYMBOLS))}
print(json.dumps(said))
