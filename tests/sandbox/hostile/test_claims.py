"""`failure.json` is all that crosses the line with a grammar: a bad claim is refused, and the end still named."""

from __future__ import annotations

import json
import runpy

import pytest

import contract
from sidecar.failures import read_claim
from tests.sandbox.hostile.conftest import Campaign
from tests.sandbox.hostile.run import STRATEGIES

_FILE = runpy.run_path(str(STRATEGIES / "claims.py"))
PLAIN: str = _FILE["PLAIN"]
CLAIMS: dict[str, str] = _FILE["CLAIMS"]


def body(claim: str) -> bytes:
    return claim.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("name", list(CLAIMS))
def test_a_bad_claim_is_none(name: str) -> None:
    assert read_claim(body(CLAIMS[name])) is None


def test_a_good_claim_is_one() -> None:
    assert read_claim(body(PLAIN)) is not None


def test_a_careless_reader_believes_or_breaks() -> None:
    """The control."""
    believed, broken = set(), set()
    for name, claim in CLAIMS.items():
        try:
            json.loads(body(claim))
            believed.add(name)
        except (ValueError, RecursionError):
            broken.add(name)
    assert broken == {"5000 digits", "deep lists", "deep objects", "no UTF-8"}
    assert believed == set(CLAIMS) - broken
    assert json.loads(CLAIMS["1e400"])["line"] == float("inf")
    assert json.loads(CLAIMS["two kinds"])["kind"] == "CODE"
    assert len(body(CLAIMS["huge"])) > contract.FAILURE_BYTES


def test_a_run_whose_claim_is_bad_is_named_by_its_exit(campaign: Campaign) -> None:
    failure = campaign["claims"].failure
    assert failure["kind"] == "CODE"
    assert "left with exit code 4" in failure["message"]
