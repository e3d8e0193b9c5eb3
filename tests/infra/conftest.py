"""One synth a session, as a newcomer runs it, in a network namespace that holds nothing at all."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.template import Template

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("Tapedeck-Foundation", "Tapedeck-Cluster", "Tapedeck-Control", "Tapedeck-Observability")


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outdir = tmp_path_factory.mktemp("cdk.out")
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    run = subprocess.run(
        [*alone, sys.executable, str(ROOT / "app.py")],
        env={**os.environ, "CDK_OUTDIR": str(outdir)},
        cwd=outdir,  # not the checkout: the app finds its own files
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return outdir


@pytest.fixture(scope="session")
def templates(assembly: Path) -> dict[str, Template]:
    return {name: Template(assembly, name) for name in STACKS}


@pytest.fixture(scope="session")
def foundation(templates: dict[str, Template]) -> Template:
    return templates["Tapedeck-Foundation"]


@pytest.fixture(scope="session")
def cluster(templates: dict[str, Template]) -> Template:
    return templates["Tapedeck-Cluster"]


@pytest.fixture(scope="session")
def control(templates: dict[str, Template]) -> Template:
    return templates["Tapedeck-Control"]


@pytest.fixture(scope="session")
def documents(cluster: Template) -> Iterator[list[dict[str, Any]]]:
    """Every Kubernetes document that the template applies, in order."""
    yield [d for _, r in cluster.of("Custom::KubernetesManifest") for d in json.loads(cluster.text(r["Manifest"]))]
