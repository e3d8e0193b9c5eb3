"""A hostile run from end to end of its pod: the real Job, launcher, runner and sidecar, and what they left in S3."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import run_objects
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import S3Store
from tests.component.pod.halves import MONTHLY, canonical
from tests.component.pod.halves import manifest as run_manifest
from tests.sandbox.conftest import Cluster
from tests.unit.job_manifests import NAMESPACE, manifest

STRATEGIES = Path(__file__).parent / "strategies"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"

# The entry point of a submission with several attacks: each gets its parameters and its turn.
BATCH = """
import importlib
import sys
from pathlib import Path
from tapedeck import Strategy

class Batch(Strategy):
    fields = ("close",)
    attacks: str = ""
{parameters}
    def weights(self, bars):
        for name, title in (pair.split(":") for pair in self.attacks.split()):
            attack = getattr(importlib.import_module(name), title)()
            for parameter in vars(type(attack)).get("__annotations__", ()):
                setattr(attack, parameter, getattr(self, parameter))
            print(f"ATTACK {{name}}", flush=True)
            attack.weights(bars)
        return (bars.close > 100.0) / bars.width
"""


@dataclass(frozen=True)
class Case:
    """A submission: the attacks in it (names of files), and how its Job differs from others."""

    attacks: tuple[str, ...]
    deadline: int = 200
    chunks: int = 1
    params: dict[str, int | str] = field(default_factory=dict)
    planted: tuple[str, ...] = ()  # modules of others' names that go along
    change: Callable[[Any], None] = lambda job: None


@dataclass(frozen=True)
class Ended:
    """What is left of a run."""

    job: dict[str, Any]
    pod: dict[str, Any]
    events: list[run_objects.Event]
    log: list[dict[str, Any]]
    result: run_objects.Result | None
    containers: str  # the containers' own output, which the node kept

    @property
    def last(self) -> run_objects.Event:
        assert self.events, self.containers
        return self.events[-1]

    @property
    def failure(self) -> run_objects.RunFailure:
        failure = self.last["failure"]
        assert failure is not None, (self.last, self.containers)
        return failure

    @property
    def span(self) -> tuple[datetime, datetime]:
        """When the strategy's container ran."""
        [one] = self.pod["status"]["containerStatuses"]
        ended = one["state"]["terminated"]
        return datetime.fromisoformat(ended["startedAt"]), datetime.fromisoformat(ended["finishedAt"])

    def digest(self) -> str:
        assert self.last["type"] == "COMPLETED", (self.last, self.containers)
        assert self.result is not None
        return self.result["result_digest"]

    def said(self) -> dict[str, str]:
        return outcomes([line["text"] for line in self.log if line["stream"] == "stdout"])


def outcomes(lines: list[str]) -> dict[str, str]:
    """Return how each attempt went; one that was announced and never came back is `...`."""
    found: dict[str, str] = {}
    for line in lines:
        if line.startswith("ATTEMPTED "):
            found[line.removeprefix("ATTEMPTED ")] = "..."
        elif line.startswith("OUTCOME "):
            what, _, how = line.removeprefix("OUTCOME ").rpartition(": ")
            assert what in found, f"{what} was not announced"
            found[what] = how
    return found


def title(name: str) -> str:
    """Return the class of a strategy file."""
    return "".join(word.capitalize() for word in name.split("_"))


def archive(case: Case) -> bytes:
    """Return the submission: an entry point and the strategies' files, unchanged."""
    body = io.BytesIO()
    annotations = "".join(
        f"    {name}: {type(value).__name__} = {type(value)()!r}\n" for name, value in case.params.items()
    )
    with zipfile.ZipFile(body, "w") as out:
        single = len(case.attacks) == 1 and not case.params
        entry = (STRATEGIES / f"{case.attacks[0]}.py").read_text() if single else BATCH.format(parameters=annotations)
        out.writestr("strategy.py", entry)
        for name in ("report", *case.attacks):
            out.writestr(f"{name}.py", (STRATEGIES / f"{name}.py").read_text())
        for name in case.planted:
            out.writestr(f"{name}.py", "ORIGIN = __file__\n")
    return body.getvalue()


@dataclass(frozen=True)
class Platform:
    """A cluster, and an S3 with a market in it."""

    cluster: Cluster
    runs: S3Store
    snapshot: Snapshot

    def submit(self, case: Case) -> str:
        """Store code and manifest and make the Job of an attempt; return the job's id."""
        job, body = str(uuid.uuid4()), archive(case)
        digest = hashlib.sha256(body).hexdigest()
        single = len(case.attacks) == 1 and not case.params
        params = {} if single else {"attacks": " ".join(f"{n}:{title(n)}" for n in case.attacks), **case.params}
        run = run_manifest(
            self.snapshot.id,
            "",
            code={"key": f"code/{digest}/s.zip", "digest": digest, "name": "s.zip", "kind": "zip"},
            class_name=title(case.attacks[0]) if single else "Batch",
            params=params,
            chunks=MONTHLY[: case.chunks],
            end=MONTHLY[case.chunks - 1][1],
        )
        described = canonical(run)
        self.runs.put(run["code"]["key"], body)
        self.runs.put(f"runs/{job}/run.json", described)
        posted = copy.deepcopy(manifest(job, 1, case.deadline, hashlib.sha256(described).hexdigest()))
        case.change(posted)
        status, answer = self.cluster.call("POST", JOBS, posted)
        assert status == 201, answer
        return job

    def ended(self, job: str, seconds: float = 240) -> Ended:
        """Wait for a run's end; return what is left of it."""
        name = f"bt-{job}-1"
        self.cluster.wait(lambda: self.cluster.job(name)["status"].get("conditions"), seconds)
        pod = self.cluster.pod(name)
        assert pod is not None
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}/log"
        containers = [self.cluster.call("GET", f"{path}?container={one}")[1] for one in ("sidecar", "strategy")]
        logs = b"".join(self._under(f"runs/{job}/1/logs/")).decode()
        results = self._under(f"runs/{job}/1/result.json")
        return Ended(
            job=self.cluster.job(name),
            pod=pod,
            events=[json.loads(body) for body in self._under(f"runs/{job}/1/events/")],
            log=[json.loads(line) for line in logs.split("\n") if line],
            result=json.loads(results[0]) if results else None,
            containers="\n".join(containers),
        )

    def first_log(self, job: str) -> str:
        """Return what of a log is there so far."""
        return b"".join(self._under(f"runs/{job}/1/logs/")).decode()

    def _under(self, prefix: str) -> list[bytes]:
        listed = self.runs.client.list_objects_v2(Bucket=self.runs.bucket, Prefix=prefix)
        return [self.runs.get(item["Key"]) for item in listed.get("Contents", [])]
