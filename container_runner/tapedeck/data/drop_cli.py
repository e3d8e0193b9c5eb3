"""``tapedeck data drop``: hand files to the platform as a data owner, and print what became of them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

VARIABLE = "TAPEDECK_VENDOR_BUCKET"
WAIT_SECONDS = 1200  # without news: one call's 900 and some time to start


def add_commands(commands: Any) -> None:
    """Add ``drop`` to the subcommands of ``data``."""
    drop = commands.add_parser("drop", help="hand files to the platform as a data owner, and wait for its answers")
    drop.add_argument("file", type=Path, nargs="+")
    drop.add_argument("--dataset", required=True)
    drop.add_argument("--under", default="", help="a folder of its own: factor_files, map_files, universes")
    drop.add_argument("--bucket", default=os.environ.get(VARIABLE), help=f"default: what {VARIABLE} says")
    drop.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS", help=f"(default: {WAIT_SECONDS})")


def act(asked: argparse.Namespace) -> int:
    """Drop the files one after the other; 0, or 2 when one was refused or not answered: the rest is not dropped."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - the other commands need none
    except ImportError:
        print('dropping files needs botocore: pip install "tapedeck[client]"', file=sys.stderr)
        return 2
    from tapedeck.data import vendor_bucket  # noqa: PLC0415

    if not asked.bucket:
        print(f"say which bucket: --bucket or the variable {VARIABLE}", file=sys.stderr)
        return 2
    client = _client()
    for path in asked.file:
        key = "/".join(part for part in ("incoming", asked.dataset, asked.under, path.name) if part)
        try:
            version = vendor_bucket.put(client, asked.bucket, key, path)
            told = vendor_bucket.answer(client, asked.bucket, key, version, asked.wait, hear=_progress)
        except (BotoCoreError, ClientError, ValueError, vendor_bucket.NoAnswerError) as error:
            print(error, file=sys.stderr)
            return 2
        print(_said(path, told), file=sys.stderr if told["status"] == "REFUSED" else sys.stdout)
        if told["status"] == "REFUSED":
            return 2
    return 0


def _client() -> Any:
    from botocore.session import get_session  # noqa: PLC0415 - as above

    return get_session().create_client("s3")


def _progress(told: dict[str, Any]) -> None:
    at = told["progress"]
    read = f"{at['bytes_read']:,} bytes read of {at['bytes_dropped']:,} dropped"
    print(f"{told['key']}: {at['stage']}, {read}", file=sys.stderr)


def _said(path: Path, told: dict[str, Any]) -> str:
    lines = [f"{path}: {told['status']}"]
    if told["status"] == "INGESTED":
        lines[0] += f": {told['rows']:,} bars, {told['months_written']:,} months written"
        lines += [f"  left out: {count:,} {why}" for why, count in sorted(told["left_out"].items())]
        lines += [f"  found: {count:,} {code}" for code, count in sorted(told["finding_counts"].items())]
        lines += [f"  universe: {count:,} {name}" for name, count in sorted(told["universes"].items())]
        lines.append(f"  snapshot {told['snapshot']}")
    for one in (*told["problems"], *told["findings"]):
        place = one["file"] if one["line"] is None else f"{one['file']}:{one['line']}"
        lines.append(f"  {place}: {one['code']}: {one['message']}")
    return "\n".join(lines)
