"""The run manifest: everything that a run's bytes depend on. A pure function; its digest names the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from backtest.request import BacktestRequest
from backtest.universe import Universe
from contract import EngineRef
from run_objects import Audit, CodeRef, RunManifest
from tapedeck.causality import CUTS, LEVELS
from tapedeck.market.snapshot import Snapshot
from tapedeck.submission import Inspection, Scalar
from tapedeck.versions import ENGINE_VERSION, METRIC_SCHEMA


@dataclass(frozen=True)
class Images:
    """The two container images of a pod, by digest."""

    sidecar: str
    strategy: str


def run_manifest(
    *,
    code: CodeRef,
    inspection: Inspection,
    request: BacktestRequest,
    params: Mapping[str, Scalar],
    snapshot: Snapshot,
    universe: Universe,
    images: Images,
) -> RunManifest:
    """Return the manifest; equal inputs give equal bytes."""
    return RunManifest(
        schema=1,
        code=code,
        level=inspection.level,
        class_name=inspection.class_name,
        params=dict(params),
        fields=list(inspection.fields),
        dataset=snapshot.dataset,
        snapshot=snapshot.id,
        calendar=snapshot.calendar,
        bar=snapshot.bar,
        symbols=list(universe.symbols),
        start=request.start.isoformat(),
        end=request.end.isoformat(),
        adjust=request.adjust,
        chunks=[(first.isoformat(), last.isoformat()) for first, last in universe.chunks],
        engine=_engine(request),
        seed=request.seed,
        audit=Audit(cuts=CUTS) if request.audit and inspection.level in LEVELS else None,
        risk_free=request.risk_free,
        metric_schema=METRIC_SCHEMA,
        sidecar_image=images.sidecar,
        strategy_image=images.strategy,
    )


def _engine(request: BacktestRequest) -> EngineRef:
    settings = {name: getattr(request, name) for name in EngineRef.__annotations__ if name != "version"}
    return cast("EngineRef", {"version": ENGINE_VERSION, **settings})


def canonical(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no blanks, UTF-8; raises `ValueError` for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(body: bytes) -> str:
    """Return the SHA-256 of bytes, in hex."""
    return hashlib.sha256(body).hexdigest()
