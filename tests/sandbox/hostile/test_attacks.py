"""Attacks that their run outlives: each is announced, and each ends as it must."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from sandbox import policy
from tapedeck.submission import reader
from tests.sandbox.hostile.cases import GREEDY, MANNERLY
from tests.sandbox.hostile.conftest import Bait, Campaign
from tests.sandbox.hostile.expected import EXPECTED, WITHOUT_LAUNCHER
from tests.sandbox.hostile.run import STRATEGIES, outcomes, title


def sections(lines: list[str]) -> dict[str, dict[str, str]]:
    """Return the outcomes by attack."""
    parts = re.split(r"^ATTACK (\w+)$", "\n".join(lines), flags=re.MULTILINE)[1:]
    return {name: outcomes(text.splitlines()) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def stdout(campaign: Campaign, case: str) -> list[str]:
    return [line["text"] for line in campaign[case].log if line["stream"] == "stdout"]


def matches(outcome: str, wanted: str) -> bool:
    return any(fnmatchcase(outcome, one) for one in wanted.split("|"))


@pytest.mark.parametrize("attack", [*MANNERLY, *GREEDY])
def test_an_attack_is_announced_and_ends_with_the_errno_that_it_must(campaign: Campaign, attack: str) -> None:
    seen = sections(stdout(campaign, "mannerly" if attack in MANNERLY else "greedy"))[attack]
    matched = set()
    for what, outcome in seen.items():
        pattern, wanted = next((p, w) for p, w in EXPECTED[attack] if fnmatchcase(what, p))
        assert matches(outcome, wanted), f"{what}: {outcome}, not {wanted}"
        matched.add(pattern)
    assert matched == {pattern for pattern, _ in EXPECTED[attack]}, "an attack was not tried"


@pytest.mark.parametrize("attack", list(WITHOUT_LAUNCHER))
def test_without_the_launcher_the_attack_gets_further(campaign: Campaign, attack: str) -> None:
    found = sections(campaign["control"].containers.splitlines())[attack]
    for what, wanted in WITHOUT_LAUNCHER[attack]:
        assert matches(found[what], wanted), f"{what}: {found[what]}, not {wanted}"


def test_nobody_called_the_hosts_listeners_and_its_canary_lives(campaign: Campaign, bait: Bait) -> None:
    assert campaign["mannerly"].last["type"] == "COMPLETED"
    assert bait.callers == []
    assert bait.canary.read_text() == "a secret of the host"


def test_the_strategys_environment_is_the_policys_and_nothing_else(campaign: Campaign) -> None:
    said = sections(stdout(campaign, "mannerly"))["environment"]["the names in the environment"]
    assert said == f"DONE {sorted(policy.load().environment)!r}"


def test_each_attack_is_a_strategy_that_the_platform_would_take() -> None:
    for file in STRATEGIES.glob("*.py"):
        if file.stem != "report":
            assert reader.read(file.name, file.read_bytes()).class_name == title(file.stem)
