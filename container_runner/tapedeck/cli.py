"""The command line: on this machine ``tapedeck run FILE --data FOLDER``, ``check FILE``, ``sweep FILE`` and ``data``
(`tapedeck.data`); on a platform ``tapedeck submit FILE``, ``jobs``, ``logs``, ``report`` and ``cancel``
(`tapedeck.remote`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tapedeck.data import cli as data
from tapedeck.ranges import in_words
from tapedeck.submission import SubmissionError, inspect_source
from tapedeck.sweeps import cli as sweeps

try:
    from tapedeck import remote
except ImportError:  # installed without [client]
    remote = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from tapedeck.laptop import Checked, Finished
    from tapedeck.market.store import ObjectStore

_T = TypeVar("_T")
CALLS_SHOWN = 10
ROWS = (
    ("Final equity", "final_equity", "{:,.2f}"),
    ("Total return", "total_return", "{:.2%}"),
    ("CAGR", "cagr", "{:.2%}"),
    ("Volatility", "volatility", "{:.2%}"),
    ("Sharpe", "sharpe", "{:.3f}"),
    ("Sortino", "sortino", "{:.3f}"),
    ("Maximum drawdown", "max_drawdown", "{:.2%}"),
    ("Fills", "trades", "{:,.0f}"),
    ("Win rate", "win_rate", "{:.1%}"),
    ("Turnover a year", "turnover", "{:.2f}"),
    ("Costs", "costs", "{:,.2f}"),
)
CARRY_ROWS = (("Borrow fee", "borrow_fee", "{:,.2f}"), ("Interest", "interest", "{:,.2f}"))
CALL_ROWS = (("Margin calls", "margin_calls", "{:,.0f}"),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0, 1 when the strategy failed, 2 when it was refused."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.command in ("run", "check", "sweep"):
            return {"run": _run, "check": _check, "sweep": _sweep}[asked.command](asked)
        return data.act(asked) if asked.command == "data" else remote.act(asked)
    except SubmissionError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tapedeck", description="Replay the market for a strategy.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a strategy in this process (only code that you trust)")
    run.add_argument("file", type=Path, help="a script, a notebook or a zip with a header block")
    run.add_argument("--data", type=Path, required=True, help="folder with datasets and their snapshots")
    run.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="override a parameter")
    run.add_argument("--out", type=Path, help="folder for trades.csv, equity.csv, metrics.json and margin_calls.json")
    check = commands.add_parser("check", help="say what a file is; with --data, whether it looks ahead")
    check.add_argument("file", type=Path)
    check.add_argument("--data", type=Path, help="folder with datasets: run the file in this process and audit it")
    check.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="override a parameter")
    sweeps.add_command(commands)
    data.add_commands(commands)
    if remote:
        remote.add_commands(commands, _param)
    return parser


def _check(asked: argparse.Namespace) -> int:
    found = inspect_source(asked.file.name, asked.file.read_bytes())
    if asked.data is None:
        print(json.dumps(found.to_dict(), indent=2))
        return 0
    if found.level == "on_bar":
        print(f"{asked.file.name}: by_construction: on_bar is shown one bar after the other; there is nothing to audit")
        return 0
    from tapedeck import laptop  # noqa: PLC0415 - without data, `check` needs no NumPy

    done = _with_data(asked, laptop.check)
    if done is None:
        return 1
    print(verdict(asked.file.name, done))
    return 0 if done.verdict.sound else 1


def _run(asked: argparse.Namespace) -> int:
    from tapedeck import laptop  # noqa: PLC0415 - as above

    done = _with_data(asked, laptop.run)
    if done is None:
        return 1
    print(table(done))
    if asked.out:
        _write(done, asked.out)
    return 0


def _sweep(asked: argparse.Namespace) -> int:
    return 1 if _with_data(asked, lambda _, store, __: sweeps.act(asked, store)) is None else 0


def _with_data(asked: argparse.Namespace, work: Callable[[Path, ObjectStore, dict[str, object]], _T]) -> _T | None:
    """Return what `work` returns, None when it failed: then why is on stderr, with the researcher's own line."""
    from tapedeck import source  # noqa: PLC0415 - as above
    from tapedeck.market.errors import MarketError  # noqa: PLC0415
    from tapedeck.market.store import FolderStore  # noqa: PLC0415

    if not asked.data.is_dir():
        raise SubmissionError("BAD_HEADER", f"{asked.data} is no folder of market data.")
    params = dict(_param(text) for text in asked.param)
    try:
        return work(asked.file, FolderStore(asked.data), params)
    except MarketError as error:
        print(f"DATA: {error}", file=sys.stderr)
    except Exception as error:
        if isinstance(error, SubmissionError):
            raise
        kind, place = getattr(type(error), "failure_kind", "CODE"), source.locate(error)
        where = (
            f" (line {place.line} of {place.file}" + (f", cell {place.cell})" if place.cell else ")") if place else ""
        )
        print(f"{source.describe(error)}{kind}: {error}{where}", file=sys.stderr)
    return None


def verdict(name: str, done: Checked) -> str:
    """Return a check's outcome as text: what the file is, then what the audit found."""
    found = done.found
    rows = [
        ("Strategy", f"{found.class_name or 'main(run)'} in {name} ({found.kind}, level {found.level})"),
        ("Fields", ", ".join(found.fields)),
        ("Data", f"{done.bars:,} bars of {', '.join(done.symbols[:8])}{', ...' if len(done.symbols) > 8 else ''}"),
        ("Lookback", f"{done.lookback} bars"),
        ("Look-ahead", str(done.verdict)),
        ("Warm-up", done.warm_up),
    ]
    lines = [f"{label:<12}{text}" for label, text in rows]
    return "\n".join([*lines, *(f"Warning     {text}" for text in [*found.warnings, *done.verdict.notes()])])


def table(done: Finished) -> str:
    """Return a run's headline as text; a figure that is not defined says why."""
    values, reasons = done.metrics["values"], done.metrics["reasons"]
    lines = [f"{done.name} on {', '.join(done.symbols[:8])}, snapshot {done.snapshot[:12]}", ""]
    rows = ROWS + (CARRY_ROWS if done.engine.carries else ()) + (CALL_ROWS if done.engine.maintenance_margin else ())
    for label, name, form in rows:
        text = f"n/a ({reasons[name]})" if values[name] is None else form.format(values[name])
        lines.append(f"{label:<18}{text:>18}")
    lines += ["", f"{len(done.sessions)} sessions, {done.closing.dropped} decisions on the last bar dropped"]
    lines += [f"{label}: {text}" for label, text in in_words(asdict(done.engine))]
    lines += [_called(call) for call in done.margin_calls[:CALLS_SHOWN]]
    if len(done.margin_calls) > CALLS_SHOWN:
        lines.append(f"... and {len(done.margin_calls) - CALLS_SHOWN} margin calls more")
    if done.compile_seconds is not None:
        lines.append(f"on_bar was compiled in {done.compile_seconds:.1f} s")
    return "\n".join([*lines, f"result digest {done.result_digest}"])


def _called(call: dict[str, Any]) -> str:
    """Return a margin call as a line."""
    traded = ", ".join(f"{t['quantity']:+,.2f} {t['symbol']} at {t['price']:,.2f}" for t in call["traded"])
    account = f" of {call['account']}" if call["account"] else ""
    return f"margin call{account} {call['time']}: equity {call['equity']:,.2f} of {call['held']:,.2f} held; {traded}"


def _param(text: str) -> tuple[str, object]:
    """Return NAME=VALUE as a parameter: a JSON value where it is one, else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SubmissionError("BAD_PARAMETER", f"--param takes NAME=VALUE, not {text!r}.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _write(done: Finished, folder: Path) -> None:
    from tapedeck.market.calendar import from_day_number  # noqa: PLC0415 - as above

    folder.mkdir(parents=True, exist_ok=True)
    days = [from_day_number(day).isoformat() for day in done.sessions.tolist()]
    rows = [f"{day},{value!r}" for day, value in zip(days, done.equity.tolist(), strict=True)]
    (folder / "equity.csv").write_text("\n".join(["session,equity", *rows]) + "\n")
    (folder / "trades.csv").write_text(done.fills.to_csv(done.symbols))
    (folder / "margin_calls.json").write_text(json.dumps(done.margin_calls, indent=2) + "\n")
    (folder / "metrics.json").write_text(json.dumps(done.metrics, indent=2, allow_nan=False) + "\n")
