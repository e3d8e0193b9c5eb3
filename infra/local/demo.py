"""`make demo`: the whole platform once, on real data, seen from its users' side.

It uses nothing but what users have: S3 and the HTTP API, with their own credentials.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials

from infra.local.stack import Stack
from infra.local.synth import synthesise
from infra.local.vendor_sample import DROP, vendor_csv
from tapedeck.client import Client

ROOT = Path(__file__).resolve().parents[2]
ASSEMBLY = ROOT / "build" / "cdk.out"
STATE = ROOT / "build" / "demo-stack"
REPORTS = ROOT / "build" / "demo"


class StepError(Exception):
    """A step failed; the message says why and `log` where to read on."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step and say how long it took, or which failed and where its log is."""
    print(f"  {title} ", end="", flush=True)
    begun = time.monotonic()
    try:
        yield
    except Exception as error:
        log = getattr(error, "log", None) or STATE / "logs"
        print(f"\n\nThe step “{title}” failed: {error}\nIts log: {log}", file=sys.stderr)
        raise SystemExit(1) from error
    print(f"\r  {title} · {time.monotonic() - begun:.1f} s" + " " * 12)


def main() -> None:
    """Run the demonstration; leaves with 0 when both runs completed and their reports are there."""
    begun = time.monotonic()
    shutil.rmtree(REPORTS, ignore_errors=True)
    print("Tapedeck: the whole platform on this machine")
    with step("1 Synthesise the CDK app"):
        synthesise(ROOT, ASSEMBLY)
    with ExitStack() as held:
        with step("  Start the local stack from the template"):
            stack = held.enter_context(Stack(ASSEMBLY, STATE))
        with step("2 Ingest daily bars as the data owner (S3 drop)"):
            ingested = ingest(stack)
        print(describe(ingested))
        with step("3 Submit examples/crossover.py as alice (HTTP, SigV4)"):
            alice = client(stack, "alice")
            first = alice.submit(ROOT / "examples" / "crossover.py")["job_id"]
        with step("  Submit examples/momentum.ipynb as bob (S3 drop)"):
            bob = client(stack, "bob")
            second = drop(stack, "bob", ROOT / "examples" / "momentum.ipynb")["job_id"]
        runs = [("crossover.py", alice, first), ("momentum.ipynb", bob, second)]
        print("4 PENDING → queue → Job → sidecar + strategy under gVisor → events → COMPLETED → report")
        with step("  Both runs and their reports"):
            ended = follow(runs)
        with step("5 Fetch the reports"):
            places = {name: fetch(api, job, name) for name, api, job in runs}
        for name, _, _ in runs:
            print(summary(name, ended[name], places[name]))
        print(cached(stack))
    print(f"\nAll of it took {time.monotonic() - begun:.0f} s. `make up` leaves the stack running.")


def ingest(stack: Stack) -> dict[str, Any]:
    """Drop the vendor's file as the data owner and return the answer."""
    s3 = stack.client("s3", "dana")
    s3.put_object(Bucket=stack.bucket("VendorDrop"), Key=DROP, Body=vendor_csv())
    return answer(s3, stack.bucket("VendorDrop"), f"status/{DROP}.json", "INGESTED", stack.logs_dir / "ingest.log")


def drop(stack: Stack, person: str, path: Path) -> dict[str, Any]:
    """Drop a strategy as `person` and return the answer."""
    user = stack.client("sts", person).get_caller_identity()["UserId"]
    s3 = stack.client("s3", person)
    key = f"incoming/{user}/{path.name}"
    s3.put_object(Bucket=stack.bucket("UploadDrop"), Key=key, Body=path.read_bytes())
    return answer(s3, stack.bucket("UploadDrop"), f"status/{key}.json", "ACCEPTED", stack.logs_dir / "upload.log")


def answer(s3: Any, bucket: str, key: str, wanted: str, log: Path) -> dict[str, Any]:
    """Wait for the status object of a drop; raises `StepError` when it says something else than `wanted`."""
    for _ in range(600):
        try:
            status: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404", "AccessDenied"):
                raise
            time.sleep(0.1)
            continue
        if status["status"] != wanted:
            raise StepError(json.dumps(status, indent=1), log)
        return status
    raise StepError(f"no answer at s3://{bucket}/{key} after a minute", log)


def client(stack: Stack, person: str) -> Client:
    """Return the API's client with the credentials of `person`."""
    login = stack.credentials(person)
    return Client(stack.api_url("tapedeck"), Credentials(login.access_key, login.secret_key, login.token))


def follow(runs: list[tuple[str, Client, str]]) -> dict[str, dict[str, Any]]:
    """Show one progress bar a run, fed by the runs' own events, until both have ended and their reports are there."""
    states: dict[str, dict[str, Any]] = {}
    drawn = draw(states, 0)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for name, api, job in runs:
            states[name] = api.get(job)
        drawn = draw(states, drawn)
        if all(finished(s) for s in states.values()):
            break
        time.sleep(0.3)
    for name, state in states.items():
        if state["status"] != "COMPLETED" or state["report_status"] != "READY":
            raise StepError(f"{name} is {state['status']}, its report {state['report_status']}: {state.get('failure')}")
    return states


def finished(state: dict[str, Any]) -> bool:
    """Say whether a run has ended and, if it completed, its report too."""
    return state["status"] in ("FAILED", "CANCELLED") or (
        state["status"] == "COMPLETED" and state["report_status"] in ("READY", "FAILED")
    )


def draw(states: dict[str, dict[str, Any]], drawn: int) -> int:
    """Draw a bar a run over the `drawn` lines of before and return how many lines were drawn."""
    if drawn and sys.stdout.isatty():
        print(f"\x1b[{drawn}A", end="")
    elif states and not sys.stdout.isatty() and not all(finished(s) for s in states.values()):
        return drawn
    else:
        print()
    for name, state in states.items():
        progress = state.get("progress") or {"done": 0, "total": 0, "session": None}
        share = progress["done"] / progress["total"] if progress["total"] else 0.0
        bar = "█" * round(30 * share) + "░" * (30 - round(30 * share))
        print(f"    {name:<16}{bar} {share:4.0%}  {state['status']:<10} {progress.get('session') or '':<12}")
    return len(states)


def fetch(api: Client, job: str, name: str) -> Path:
    """Store a run's report below build/demo and return the page's path."""
    folder = REPORTS / Path(name).stem
    api.download(job, folder)
    return folder / "report.html"


def describe(ingested: dict[str, Any]) -> str:
    """Return the lines that tell what the vendor's file became."""
    symbols = ingested["symbols"]
    splits = [f"{name} {a['session']} {a['ratio']:g}:1" for name, told in symbols.items() for a in told["splits"]]
    dividends = sum(len(told["dividends"]) for told in symbols.values())
    return (
        f"    {ingested['rows']:,} rows, {ingested['months_written']} months; snapshot {ingested['snapshot'][:16]}…\n"
        f"    derived from the adjusted close: {dividends} dividends; splits {', '.join(splits)}"
    )


def summary(name: str, state: dict[str, Any], report: Path) -> str:
    """Return a run's one-screen summary."""
    values = state["metrics"]["values"]

    def show(metric: str, text: Callable[[float], str]) -> str:
        value = values.get(metric)
        return "n/a" if value is None else text(value)

    rows = [
        ("CAGR", show("cagr", "{:.2%}".format)),
        ("Sharpe", show("sharpe", "{:.3f}".format)),
        ("Maximum drawdown", show("max_drawdown", "{:.2%}".format)),
        ("Final equity", show("final_equity", "{:,.2f}".format)),
        ("Trades", show("trades", "{:,.0f}".format)),
        ("Costs paid", show("costs", "{:,.2f}".format)),
        ("Time to start", f"{state['times']['time_to_start_s']:.1f} s"),
        ("Duration", f"{state['times']['duration_s']:.1f} s"),
        ("Snapshot", state["snapshot"][:16] + "…"),
        ("Causality", state["causality"]),
        ("Report", str(report)),
    ]
    return f"\n  {name}\n" + "\n".join(f"    {label:<18}{text}" for label, text in rows)


def cached(stack: Stack) -> str:
    """Return the line that tells what the node's cache saved."""
    try:
        told = stack.cache()
    except OSError:
        return "\n  The node's cache did not answer: both runs read S3 themselves."
    return f"\n  The node's cache gave {told['hits']} months that were there and fetched {told['fetched']} from S3."


if __name__ == "__main__":
    main()
