"""The page on security names tests; each of them exists, and each hostile strategy is of use."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)(?:\[(\w+)\])?`", PAGE)


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED) == PAGE.count("::test_") > 40
    missing = [f"{file}::{test}" for file, test, _ in NAMED if f"def {test}(" not in (ROOT / file).read_text()]
    assert missing == []


def test_every_attack_that_the_page_names_is_a_strategy() -> None:
    strategies = ROOT / "tests" / "sandbox" / "hostile" / "strategies"
    named = {attack for file, _, attack in NAMED if attack and file.endswith("test_attacks.py")}
    assert [attack for attack in named if not (strategies / f"{attack}.py").exists()] == []


def test_every_strategy_is_run_by_some_case() -> None:
    folder = ROOT / "tests" / "sandbox" / "hostile"
    cases = (folder / "cases.py").read_text()
    idle = [path.stem for path in (folder / "strategies").glob("*.py") if f'"{path.stem}"' not in cases]
    assert idle == ["report"]
