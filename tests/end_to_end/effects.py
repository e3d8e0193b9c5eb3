"""What a run leaves on a running stack: rows, objects and their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg2

from infra.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
CROSSOVER = ROOT / "examples" / "crossover.py"
RUN_SECONDS = 90  # of a run, from its submission to its end


def row(stack: Stack, sql: str, *values: object) -> tuple[Any, ...]:
    """Return the one row, or the first, that a query finds in the platform's database."""
    with psycopg2.connect(stack.database_dsn) as connection, connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = cursor.fetchone()
    connection.close()
    assert found is not None
    return found


def objects(stack: Stack, bucket: str, prefix: str) -> list[str]:
    """Return the keys below a prefix of one of the platform's buckets."""
    s3 = stack.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=stack.bucket(bucket), Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def read(stack: Stack, bucket: str, key: str) -> bytes:
    """Return an object of one of the platform's buckets."""
    body: bytes = stack.client("s3").get_object(Bucket=stack.bucket(bucket), Key=key)["Body"].read()
    return body
