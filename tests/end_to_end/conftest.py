"""One assembly and one stack for all end-to-end tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import demo
from infra.local.ports import Ports
from infra.local.stack import ROOT, Stack
from infra.local.synth import synthesise
from tapedeck.client import Client


@pytest.fixture(scope="session")
def assembly() -> Path:
    """The synthesised app; made anew only when what it reads has changed."""
    return synthesise(ROOT, ROOT / "build" / "cdk.out")


@pytest.fixture(scope="session")
def stack(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole platform, running, on free ports."""
    with Stack(assembly, tmp_path_factory.mktemp("stack") / "state", ports=Ports.any()) as running:
        yield running


@pytest.fixture(scope="session")
def ingested(stack: Stack) -> dict[str, Any]:
    """The answer to a data owner's drop of real daily bars."""
    return demo.ingest(stack)


@pytest.fixture(scope="session")
def alice(stack: Stack, ingested: dict[str, Any]) -> Client:
    """A researcher, when there is data to run on."""
    return demo.client(stack, "alice")


@pytest.fixture
def descendants() -> Callable[[], set[int]]:
    """Give the pids of all processes below this one; what has ended and was not reaped does not count."""

    def find() -> set[int]:
        parents: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(status.parent.name)] = int(fields[1])
        found, new = set[int](), {os.getpid()}
        while new:
            new = {pid for pid, parent in parents.items() if parent in new}
            found |= new
        return found

    return find
