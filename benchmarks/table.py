"""`python -m benchmarks.table WORD...`: the last measurements whose names hold a word, as rows of a Markdown table."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.row import RESULTS, amount

HEAD = ("measure", "ours", "peer", "limit", "reach", "load")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table; CPU seconds stand beside ours, ratios beside the peer's and the limit's figures."""
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    unit = row["unit"]
    cpu = "" if row["ours_cpu"] is None else f" (CPU {amount(row['ours_cpu'], 's')})"
    ours = f"**{amount(row['ours'], unit)}**{cpu}"
    peer = "-"
    if row["peer"] is not None:
        peer = f"{row['peer_name']}: {amount(row['peer'], unit)}, {row['ratio_to_peer']:.3g} times ours"
    limit = f"{row['limit_name']}: {amount(row['limit'], unit)}, ours {row['ratio_to_limit']:.3g} times that"
    reach = f"{row['reach']}: {'reached' if row['ok'] else '**missed**'}"
    note = f" ({row['note']})" if row.get("note") else ""
    return f"{row['measure']}{note}", ours, peer, limit, reach, str(row.get("load", "-"))


def main(words: Sequence[str]) -> None:
    """Print the table."""
    rows = json.loads(RESULTS.read_text())
    print(table([row for row in rows if not words or any(word in row["measure"] for word in words)]))


if __name__ == "__main__":
    main(sys.argv[1:])
