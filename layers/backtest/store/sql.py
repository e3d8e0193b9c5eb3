"""The statements of `queries.sql`, loaded once; Python calls them by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import aiosql


@cache
def queries() -> Any:
    """Return the statements as methods: `queries().job(connection, id=...)`."""
    return aiosql.from_path(Path(__file__).parent / "queries.sql", "psycopg2")
