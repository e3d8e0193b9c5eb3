"""A job's pod without its sandbox: the strategy's launcher as a process, the sidecar beside it, real folders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from array import array
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import run_objects
from sandbox import policy
from sidecar.attempt import Attempt
from sidecar.exchange import Exchange
from sidecar.settings import Settings
from tapedeck.engine import EngineSettings
from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, publish
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore, ObjectStore
from tapedeck.versions import ENGINE_VERSION, METRIC_SCHEMA

CODE = Path(__file__).parents[3] / "container_runner"
JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
XNYS = calendars.get("XNYS")
SESSIONS = XNYS.sessions(date(2020, 1, 2), date(2020, 8, 31))
SYMBOLS = ["AAPL", "IBM", "MSFT"]
START, END = "2020-03-02", "2020-08-31"
SPLIT = Split("AAPL", date(2020, 6, 1), 2.0)
DIVIDEND = Dividend("IBM", date(2020, 5, 15), 1.25)
MONTHLY = [
    ("2020-03-02", "2020-03-31"),
    ("2020-04-01", "2020-04-30"),
    ("2020-05-01", "2020-05-29"),
    ("2020-06-01", "2020-06-30"),
    ("2020-07-01", "2020-07-31"),
    ("2020-08-03", "2020-08-31"),
]
WHOLE = [(START, END)]

# The launcher without its confinement, which needs its own container.
_LAUNCH = """
import sys; from pathlib import Path; from sandbox import launcher, runner
launcher.run(lambda: runner.main(sys.argv[1:]), Path(sys.argv[2]))
"""


def publish_market(store: ObjectStore, seed: str = "") -> Snapshot:
    """Publish eight months of three symbols, walked at random from a fixed seed; AAPL splits, IBM pays."""
    changes = {}
    for symbol in SYMBOLS:
        walk = random.Random(symbol + seed)
        close = 10_000
        bars: dict[date, dict[str, int]] = {}
        for day in SESSIONS:
            close = max(500, close + walk.randint(-300, 310))
            if symbol == SPLIT.symbol and day == SPLIT.session:
                close //= 2
            opening = close + walk.randint(-50, 50)
            bars[day] = {
                "open": opening,
                "high": max(opening, close) + 20,
                "low": min(opening, close) - 20,
                "close": close,
                "volume": walk.randint(1000, 9000),
            }
        names = sorted({f"{day:%Y-%m}" for day in bars})
        changes[symbol] = Change(
            {name: _month({d: b for d, b in bars.items() if f"{d:%Y-%m}" == name}) for name in names},
            splits=(SPLIT,) if symbol == SPLIT.symbol else (),
            dividends=(DIVIDEND,) if symbol == DIVIDEND.symbol else (),
        )
    return publish.publish(store, layout.parse_dataset("equities-1d"), None, changes).snapshot


def _month(bars: dict[date, dict[str, int]]) -> Month:
    columns = {"ts": array("q", [XNYS.starts("1d", day)[0] for day in bars])}
    for name in COLUMNS[1:]:
        columns[name] = array("q", [values[name] for values in bars.values()])
    return encoding.month(columns, {name: 0 if name == "volume" else 2 for name in COLUMNS})


def manifest(snapshot: str, source: str, **changes: Any) -> run_objects.RunManifest:
    """Return a run's manifest; `changes` replace its entries."""
    digest = hashlib.sha256(source.encode()).hexdigest()
    run: run_objects.RunManifest = {
        "schema": 1,
        "code": {"key": f"code/{digest}/strategy.py", "digest": digest, "name": "strategy.py", "kind": "script"},
        "level": "weights",
        "class_name": "Mine",
        "params": {},
        "fields": ["close"],
        "dataset": "equities-1d",
        "snapshot": snapshot,
        "calendar": "XNYS",
        "bar": "1d",
        "symbols": SYMBOLS,
        "start": START,
        "end": END,
        "adjust": "split",
        "chunks": MONTHLY,
        "engine": {"version": ENGINE_VERSION, **asdict(EngineSettings())},  # type: ignore[typeddict-item]  # the names are equal
        "seed": 7,
        "audit": None,
        "risk_free": 0.0,
        "metric_schema": METRIC_SCHEMA,
        "sidecar_image": "sidecar",
        "strategy_image": "strategy",
    }
    run.update(changes)  # type: ignore[typeddict-item]  # tests change what they like
    return run


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass
class Pod:
    """One attempt's folders and stores. `start_strategy` is what a test may leave out to play the strategy itself."""

    root: Path
    attempt: int = 1
    deadline_seconds: int = 60
    terminated: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        for name in ("in", "out", "state"):
            (self.root / name).mkdir(parents=True)
        self.inside, self.out, self.state = self.root / "in", self.root / "out", self.root / "state"
        self.market = FolderStore(self.root.parent / "market")
        self.runs = FolderStore(self.root / "runs")
        self.process: subprocess.Popen[bytes] | None = None

    def submit(self, run: run_objects.RunManifest, source: str) -> Settings:
        """Store code and manifest; return the settings of an attempt at it."""
        body = canonical(run)
        self.runs.put(run["code"]["key"], source.encode())
        self.runs.put(f"runs/{JOB}/run.json", body)
        return Settings(
            job=JOB,
            attempt=self.attempt,
            manifest_digest=hashlib.sha256(body).hexdigest(),
            deadline_seconds=self.deadline_seconds,
            runs_bucket="runs",
            market_bucket="market",
            region=None,
            sandbox="none",
        )

    def start_strategy(self) -> None:
        """Start the strategy's side as a process."""
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", "-u", "-c", _LAUNCH, str(self.inside), str(self.out)],
            env={"PYTHONPATH": str(CODE), "PYTHONHASHSEED": "0", "PATH": ""},
            start_new_session=True,
        )

    def sidecar(self, settings: Settings, **limits: Any) -> Attempt:
        """Return the sidecar of the attempt."""
        return Attempt(
            settings,
            dataclasses.replace(policy.load(), **limits),
            runs=self.runs,
            market=self.market,
            exchange=Exchange(self.inside, self.out),
            state=self.state,
            terminated=self.terminated,
        )

    def run(self, run: run_objects.RunManifest, source: str, **limits: Any) -> run_objects.Event:
        """Run both sides to the end; return the attempt's last event."""
        settings = self.submit(run, source)
        self.start_strategy()
        try:
            assert self.sidecar(settings, **limits).run() == 0
        finally:
            self.stop()
        return self.events()[-1]

    def stop(self) -> None:
        """End the strategy's process if it still runs."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill the launcher and its child, as whoever ends a container from outside."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)

    def events(self) -> list[run_objects.Event]:
        """Return the attempt's events in order."""
        folder = self.runs.root / f"runs/{JOB}/{self.attempt}/events"
        return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]

    def log(self) -> list[dict[str, Any]]:
        """Return the attempt's log lines."""
        parts = sorted((self.runs.root / f"runs/{JOB}/{self.attempt}/logs").glob("*.jsonl"))
        return [json.loads(line) for part in parts for line in part.read_text().split("\n") if line]

    def result(self) -> run_objects.Result:
        """Return the attempt's result."""
        body = self.runs.get(f"runs/{JOB}/{self.attempt}/result.json")
        result: run_objects.Result = json.loads(body)
        return result

    def artifact(self, name: str) -> bytes:
        """Return an artifact, its digest checked."""
        ref = self.result()["artifacts"][name]
        body = self.runs.get(ref["key"])
        assert hashlib.sha256(body).hexdigest() == ref["sha256"] and len(body) == ref["bytes"]
        return body


def failure(pod: Pod, run: run_objects.RunManifest, source: str, **limits: Any) -> run_objects.RunFailure:
    """Run a strategy that fails; return why, as it is told once."""
    last = pod.run(run, source, **limits)
    assert last["type"] == "FAILED", last
    assert last["failure"] is not None
    assert [event["type"] for event in pod.events()].count("FAILED") == 1
    return last["failure"]
