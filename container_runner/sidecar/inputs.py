"""What the attempt runs: the manifest and the code, each taken only under its digest, and laid into the exchange."""

from __future__ import annotations

import hashlib
import json
from typing import cast

import contract
import run_objects
from sidecar.exchange import Exchange
from sidecar.failures import RunError
from sidecar.settings import Settings
from tapedeck.market.store import ObjectStore
from tapedeck.versions import ENGINE_VERSION, METRIC_SCHEMA

SCHEMA = 1


def fetch_manifest(store: ObjectStore, settings: Settings) -> run_objects.RunManifest:
    """Return the run manifest. Raises `RunError` PLATFORM when it is not the one that this attempt was started for."""
    body = _fetch(store, run_objects.run_manifest(settings.job), settings.manifest_digest)
    manifest = cast(run_objects.RunManifest, json.loads(body))
    if manifest["schema"] != SCHEMA:
        raise RunError("PLATFORM", f"run.json has schema {manifest['schema']}, this sidecar knows {SCHEMA}")
    asked, known = (manifest["engine"]["version"], manifest["metric_schema"]), (ENGINE_VERSION, METRIC_SCHEMA)
    if asked != known:
        raise RunError("PLATFORM", f"the run asks for engine and metric schema {asked}, this sidecar has {known}")
    return manifest


def fetch_code(store: ObjectStore, manifest: run_objects.RunManifest) -> bytes:
    """Return the submitted file. Raises `RunError` PLATFORM when its digest is another."""
    return _fetch(store, manifest["code"]["key"], manifest["code"]["digest"])


def lay_out(exchange: Exchange, manifest: run_objects.RunManifest, code: bytes) -> None:
    """Hand the source and what to run to the strategy's process."""
    name = manifest["code"]["name"]
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise RunError("PLATFORM", f"{name!r} is no file name")
    run: contract.Run = {
        "kind": manifest["code"]["kind"],
        "source": name,
        "level": manifest["level"],
        "class_name": manifest["class_name"],
        "params": manifest["params"],
        "symbols": manifest["symbols"],
        "fields": manifest["fields"],
        "dataset": manifest["dataset"],
        "snapshot": manifest["snapshot"],
        "adjust": manifest["adjust"],
        "start": manifest["start"],
        "end": manifest["end"],
        "seed": manifest["seed"],
        "chunks": len(manifest["chunks"]),
        "engine": manifest["engine"],
    }
    exchange.publish(f"source/{name}", [code])
    exchange.publish("run.json", [json.dumps(run).encode()])


def _fetch(store: ObjectStore, key: str, digest: str) -> bytes:
    try:
        body = store.get(key)
    except KeyError as error:
        raise RunError("PLATFORM", f"{key} is not there") from error
    found = hashlib.sha256(body).hexdigest()
    if found != digest:
        raise RunError("PLATFORM", f"{key} has digest {found}, this attempt was started for {digest}")
    return body
