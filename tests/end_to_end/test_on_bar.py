"""A strategy that decides bar by bar, through the whole stack: the laptop's digest, and no lie about its fills."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from infra.local.stack import Stack
from tapedeck import laptop
from tapedeck.client import Client
from tests.end_to_end.effects import ROOT, RUN_SECONDS, read

PAIRS = ROOT / "examples" / "pairs.py"
METHOD = "def on_bar(self, bar, book):"


COSTS = "# commission_per_share = 0.005\n# commission_minimum = 1\n# volume_cap = 0.1\n# borrow_fee_annual = 0.03\n"


class Bucket:
    """The market-data bucket, to read from, as `tapedeck.market.store.ObjectStore`."""

    def __init__(self, stack: Stack) -> None:
        self._s3, self._name = stack.client("s3"), stack.bucket("Market")

    def get(self, key: str, version: str | None = None) -> bytes:
        which = {"VersionId": version} if version else {}
        try:
            body: bytes = self._s3.get_object(Bucket=self._name, Key=key, **which)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            raise KeyError(key) from None
        return body

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        raise PermissionError(key)

    def swap(self, key: str, body: bytes, expected: bytes | None) -> bool:
        raise PermissionError(key)


def test_pairs_complete_by_construction_with_the_laptops_digest_their_costs_included(
    stack: Stack, alice: Client, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.py"
    path.write_text(PAIRS.read_text().replace("# params", f"{COSTS}# params"))
    job = alice.wait(alice.submit(path)["job_id"], timeout_s=RUN_SECONDS)
    assert job["status"] == "COMPLETED", job["failure"]
    result: dict[str, Any] = json.loads(read(stack, "Runs", f"runs/{job['job_id']}/1/result.json"))
    assert (job["causality"], result["causality"]) == ("by_construction", "by_construction")
    done = laptop.run(path, Bucket(stack))
    sys.modules.pop("strategy")
    assert result["result_digest"] == done.result_digest
    assert job["metrics"]["values"]["trades"] == len(done.fills) > 20
    assert job["metrics"]["values"]["borrow_fee"] == done.closing.borrow_fee > 0


def test_a_strategy_that_patches_the_engine_in_its_process_is_tampered_and_not_retried(
    alice: Client, tmp_path: Path
) -> None:
    path = tmp_path / "rich.py"
    lie = f"{METHOD}\n        book._view.broker.commission = type(book._view.broker.commission)(0.0, 0.0, 0.0)"
    path.write_text(PAIRS.read_text().replace(METHOD, lie))
    job = alice.wait(alice.submit(path, {"end": "2005-12-30"})["job_id"], timeout_s=RUN_SECONDS)
    assert (job["status"], job["failure"]["kind"], job["attempt"]) == ("FAILED", "TAMPERED", 1)
    assert "other fills or equity than its orders lead to" in job["failure"]["message"]
