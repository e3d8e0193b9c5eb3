"""``tapedeck data list | show | diff | name | withdraw | universe``: on a folder with --data, else on the platform."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapedeck.data.catalogue import Catalogue

SHOWN = 20  # symbols of a diff on the screen


def add_commands(commands: Any) -> None:
    """Add the subcommands to those of ``data``; each sets `act`, called with a catalogue and the parsed arguments."""
    listed = _command(commands, "list", "list datasets, or with --dataset its snapshots, the newest first", act_list)
    listed.add_argument("--dataset", help="list this dataset's snapshots")
    for name, told, act in (
        ("show", "tell which snapshot is meant, and what is in it", _show),
        ("diff", "tell what leads from one snapshot to another: symbols, months, actions, universes", _diff),
        ("name", "name a snapshot (on the platform: operators)", _name),
        ("withdraw", "withdraw a snapshot: no new run resolves to it (on the platform: operators)", _withdraw),
        ("universe", "list a universe's symbols, or set them from a file", _universe),
    ):
        command = _command(commands, name, told, act)
        command.add_argument("--dataset", required=True)
        if name == "universe":
            command.add_argument("name", help='lower case, as in symbols = "tech"')
            command.add_argument("file", type=Path, nargs="?", help="a symbol a line; on the platform drop it instead")
            command.add_argument("--snapshot", default="latest", help="list it as of this one (default: latest)")
            command.add_argument("--remove", action="store_true", help="take the universe away")
            continue
        command.add_argument("snapshot", help="id, the begin of it, name, latest, as_of:2026-01-01T00:00:00Z")
        if name == "diff":
            command.add_argument("to", nargs="?", default="latest", help="(default: latest)")
        elif name == "name":
            command.add_argument("name", nargs="?", help="without one the name is taken away")
        elif name == "withdraw":
            command.add_argument("--reason", required=True)


def _command(commands: Any, name: str, told: str, act: Any) -> Any:
    command = commands.add_parser(name, help=told)
    command.add_argument("--data", type=Path, help="the folder; without it the platform at TAPEDECK_API_URL is asked")
    command.set_defaults(catalogue=act)
    return command


def act(asked: argparse.Namespace) -> int:
    """Run a subcommand. Raises MarketError."""
    from tapedeck.data.catalogue import Folder  # noqa: PLC0415 - the other commands need no pyarrow

    if asked.data is not None:
        code: int = asked.catalogue(Folder(asked.data), asked)
        return code
    try:
        from tapedeck import remote  # noqa: PLC0415 - a folder needs no AWS client
    except ImportError:
        print('asking the platform needs botocore: pip install "tapedeck[client]"; or say --data', file=sys.stderr)
        return 2
    return remote.call(lambda client: int(asked.catalogue(client, asked)))


def act_list(at: Catalogue, asked: argparse.Namespace) -> int:
    """Print a line for each dataset, or for each snapshot of one."""
    if asked.dataset is None and asked.data is not None:
        from tapedeck.data import folder  # noqa: PLC0415 - as above

        for one in folder.datasets(asked.data):
            span = f"{one.first} to {one.last}" if one.first else "no bars"
            print(f"{one.name:<24} {one.symbols:>6,} symbols  {span}  snapshot {one.snapshot}")
        return 0
    for line in at.snapshots(asked.dataset) if asked.dataset else at.datasets():
        print(_line(line))
    return 0


def _line(one: dict[str, Any]) -> str:
    name = f"  {one['name']}" if one["name"] else ""
    gone = f"  withdrawn {one['withdrawn_at'][:10]}: {one['withdrawn_reason']}" if one["withdrawn_at"] else ""
    span = f"{one['first_session']} to {one['last_session']}"
    held = f"{one['dataset']}  {one['symbols']:,} symbols  {span}"
    return f"{one['id'][:12]}  {one['published_at'][:19]}  {held}{name}{gone}"


def _show(at: Catalogue, asked: argparse.Namespace) -> int:
    told = at.snapshot(asked.snapshot, dataset=asked.dataset)
    print(told["id"])
    print(_line(told))
    for name, count in told["universes"].items():
        print(f"  universe {name}: {count:,} symbols")
    return 0


def _diff(at: Catalogue, asked: argparse.Namespace) -> int:
    found = at.snapshot(asked.to, dataset=asked.dataset, diff=asked.snapshot)["diff"]
    print(f"{found['from'][:12]} to {found['to'][:12]}")
    for what in ("added", "removed", "changed"):
        print(f"  {what}: {len(found[what]):,} symbols{': ' if found[what] else ''}{_some(found[what])}")
    for symbol, one in list(found["symbols"].items())[:SHOWN]:
        print("\n".join(f"    {symbol} {line}" for line in _changes(one)))
    for name, one in found["universes"].items():
        sides = (f"{what} {_some(one[what])}" for what in ("added", "removed") if one[what])
        print(f"  universe {name}: {'; '.join(sides)}")
    return 0


def _changes(one: dict[str, Any]) -> list[str]:
    months = [f"months {what}: {_some(names)}" for what, names in one["months"].items() if names]
    actions = [
        f"{of} {what}: {_some(' '.join(map(str, each)) for each in one[what][of])}"
        for what in ("added", "removed")
        for of in ("splits", "dividends", "names")
        if one[what][of]
    ]
    return months + actions


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN:,} more" if len(listed) > SHOWN else "")


def _name(at: Catalogue, asked: argparse.Namespace) -> int:
    print(_line(at.name_snapshot(asked.snapshot, asked.name, dataset=asked.dataset)))
    return 0


def _withdraw(at: Catalogue, asked: argparse.Namespace) -> int:
    print(_line(at.withdraw_snapshot(asked.snapshot, asked.reason, dataset=asked.dataset)))
    return 0


def _universe(at: Catalogue, asked: argparse.Namespace) -> int:
    from tapedeck.data import folder  # noqa: PLC0415 - as above
    from tapedeck.data.catalogue import Folder  # noqa: PLC0415

    if asked.file is None and not asked.remove:
        print("\n".join(at.universe(asked.snapshot, asked.name, dataset=asked.dataset)))
        return 0
    if not isinstance(at, Folder):
        how = f"tapedeck data drop {asked.name}.csv --dataset {asked.dataset} --under universes"
        print(f"a data owner drops the list on the platform: {how}", file=sys.stderr)
        return 2
    symbols = None if asked.remove else folder.members(asked.dataset, asked.name, asked.file)
    print(f"snapshot {at.set_universe(asked.dataset, asked.name, symbols)}")
    return 0
