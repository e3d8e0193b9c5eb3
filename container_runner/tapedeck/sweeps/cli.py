"""``tapedeck sweep FILE --data FOLDER --param fast=5:50:5 --param slow=60,120``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapedeck.submission import SubmissionError
from tapedeck.sweeps import FIGURES, grid

if TYPE_CHECKING:
    from tapedeck.market.store import ObjectStore
    from tapedeck.sweeps.result import Sweep


def add_command(commands: Any) -> None:
    """Add ``sweep`` to an argparse parser."""
    command = commands.add_parser("sweep", help="run a strategy on many parameters in this process")
    command.add_argument("file", type=Path, help="a script, a notebook or a zip with a header block")
    command.add_argument("--data", type=Path, required=True, help="folder with datasets and their snapshots")
    told = "NAME=BEGIN:END:STEP (END included) or NAME=VALUE,VALUE; with several, every combination is tried"
    command.add_argument("--param", action="append", default=[], metavar="NAME=VALUES", help=told, required=True)
    command.add_argument("--by", default="sharpe", choices=FIGURES, help="figure to rank by (default: sharpe)")
    command.add_argument("--rows", type=int, default=20, help="trials to print, the best first (default: 20)")
    command.add_argument("--csv", type=Path, help="file for all trials")


def asked_grid(texts: list[str]) -> dict[str, list[object]]:
    """Return the grid that the command line asks for; raises `SubmissionError` BAD_PARAMETER."""
    found: dict[str, list[object]] = {}
    for text in texts:
        name, equals, said = text.partition("=")
        if not equals or not said or name in found:
            raise SubmissionError("BAD_PARAMETER", f"--param takes NAME=VALUES, each name once, not {text!r}.")
        found[name] = grid.values(said)
    return found


def act(asked: argparse.Namespace, store: ObjectStore) -> Sweep:
    """Run the sweep; print the table and write the file."""
    from tapedeck.sweeps.sweep import sweep  # noqa: PLC0415 - the other commands need no NumPy

    wanted = asked_grid(asked.param)
    done = sweep(asked.file, wanted, store)
    if asked.csv:
        asked.csv.write_text(done.to_csv())
    print(f"{done.name} on {', '.join(done.symbols[:8])}, snapshot {(done.snapshot or '')[:12]}\n")
    print(done.table(asked.by, asked.rows))
    return done
