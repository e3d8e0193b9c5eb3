"""The documents speak of what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backtest.request import BacktestRequest
from infra.public_api import ROUTES
from tapedeck.submission import CODES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])
API = (ROOT / "docs" / "reference" / "api.md").read_text()
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert not missing


def test_the_reference_lists_the_templates_routes_and_no_others() -> None:
    assert set(re.findall(r"^\| `(GET|POST) (/\S+)` \|", API, re.MULTILINE)) == set(ROUTES)


def test_the_reference_lists_every_key_of_a_request() -> None:
    told = set(re.findall(r"`(\w+)`", API.split("## Submitting")[1].split("## Status")[0]))
    assert set(BacktestRequest.model_fields) <= told


def test_the_reference_lists_every_refusal_of_a_file() -> None:
    assert set(CODES) - {"TOO_LARGE"} <= set(re.findall(r"[A-Z_]{5,}", API))
