"""``tapedeck data``: ``ingest``, ``seal``, ``synthesize``; what asks for snapshots: `tapedeck.data.catalogue_cli`."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapedeck.data import catalogue_cli, drop_cli

if TYPE_CHECKING:
    from tapedeck.data.folder import Taken


def add_commands(commands: Any) -> None:
    """Add ``data`` and its subcommands to an argparse parser."""
    data = commands.add_parser(
        "data", help="market data: make it, look at it, name and withdraw snapshots"
    ).add_subparsers(dest="data_command", required=True)
    ingest = data.add_parser("ingest", help="take in vendors' files")
    ingest.add_argument(
        "file", type=Path, nargs="+", help="CSV, Parquet, LEAN, Polygon, Binance, Databento; .gz, .zst, .zip"
    )
    ingest.add_argument("--dataset", required=True, help="{class}-{bar}[-{venue}], equities-1d or crypto-1m-binance")
    ingest.add_argument(
        "--bad-rows", choices=("reject", "quarantine"), default="reject", help="what a broken price does"
    )
    sealed = data.add_parser("seal", help="put closed years into one object each: fewer requests for the same bars")
    sealed.add_argument("--dataset", required=True)
    sealed.add_argument("--snapshot", default="latest", help="an id, a name, as_of:TIME (default: latest)")
    sealed.add_argument("--symbols", nargs="+", metavar="SYMBOL", help="only these (default: all)")
    sealed.add_argument("--check", action="store_true", help="read what is sealed, make anew what is gone or damaged")
    sealed.add_argument("--data", required=True, help="the folder, or s3://BUCKET")
    made = data.add_parser("synthesize", help="make seeded bars of symbols that do not exist")
    made.add_argument("--dataset", required=True, help="equities-1m, say")
    made.add_argument("--symbols", type=int, required=True, metavar="N")
    made.add_argument("--start", type=date.fromisoformat, required=True, help="first session, YYYY-MM-DD")
    made.add_argument("--end", type=date.fromisoformat, required=True, help="last session")
    made.add_argument("--seed", type=int, default=1, help="the same seed makes the same bytes (default: 1)")
    for command in (ingest, made):
        command.add_argument("--data", type=Path, required=True, help="the folder")
    drop_cli.add_commands(data)
    catalogue_cli.add_commands(data)


def act(asked: argparse.Namespace) -> int:
    """Run a subcommand; 0, or 2 when something was refused: then nothing of that file was taken."""
    from tapedeck.market.errors import MarketError  # noqa: PLC0415 - the other commands need no pyarrow

    try:
        own = {"drop": drop_cli.act, "ingest": _ingest, "seal": _seal, "synthesize": _synthesize}
        return own.get(asked.data_command, catalogue_cli.act)(asked)
    except MarketError as error:
        print(f"DATA: {error}", file=sys.stderr)
        return 2


def _ingest(asked: argparse.Namespace) -> int:
    from tapedeck.data import folder  # noqa: PLC0415 - as above

    for path in asked.file:
        taken = folder.ingest(asked.data, asked.dataset, path, asked.bad_rows)
        if taken.snapshot is None:
            print("\n".join(taken.problems), file=sys.stderr)
            print(f"{path}: refused, {taken.problem_count:,} problems; nothing of it was taken", file=sys.stderr)
            return 2
        print(_told(path, taken))
    return 0


def _told(path: Path, taken: Taken) -> str:
    counts = {
        "universe": taken.universes,
        "left out": taken.left_out,
        "put right": {name: count for name, count in taken.put_right.items() if count},
        "found": taken.found,
        "missing": {name: count for name, count in taken.missing.items() if count},
    }
    lines = [f"{path}: {taken.rows:,} bars of {taken.symbols:,} symbols, {taken.months:,} months written"]
    for label, by in counts.items():
        lines += [f"  {label}: {count:,} {what}{_where(taken, what)}" for what, count in sorted(by.items())]
    lines += [f"  {symbol} has no bar from {first} to {last}" for symbol, first, last in taken.gaps]
    return "\n".join([*lines, *(f"  {one}" for one in taken.findings), f"  snapshot {taken.snapshot}"])


def _where(taken: Taken, what: str) -> str:
    places = taken.places.get(what)
    return f" ({', '.join(places)})" if places else ""


def _seal(asked: argparse.Namespace) -> int:
    from tapedeck.market import history, sealing, snapshot  # noqa: PLC0415 - as above
    from tapedeck.query import open_store  # noqa: PLC0415 - as above

    store = open_store(asked.data)
    at = snapshot.load(store, asked.dataset, history.resolve(store, asked.dataset, asked.snapshot))
    done = sealing.seal(store, at, asked.symbols, check=asked.check)
    print("\n".join(done.problems), file=sys.stderr, end="\n" if done.problems else "")
    print(f"{done.now:,} years sealed, {done.before:,} were; {len(done.problems):,} could not be\n  snapshot {at.id}")
    return 2 if done.problems else 0


def _synthesize(asked: argparse.Namespace) -> int:
    from tapedeck.data import synthesize  # noqa: PLC0415 - as above

    made = synthesize.into(
        asked.data, asked.dataset, symbols=asked.symbols, start=asked.start, end=asked.end, seed=asked.seed
    )
    print(f"{made.months_written:,} months written\n  snapshot {made.snapshot.id}")
    return 0
