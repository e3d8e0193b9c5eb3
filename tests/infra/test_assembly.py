"""What the assembly carries: the bytes of layers and images, and room to grow."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

import app as entry
from infra import platform, settings
from infra.local import absent
from infra.local.resources import CREATORS
from infra.platform_function import PlatformFunction
from sandbox import policy
from tests.infra.conftest import ROOT
from tests.infra.template import Template

LAMBDA_LIMIT_BYTES = 262_144_000  # a function with its layers, unpacked


def assets(assembly: Path, kind: str) -> list[dict[str, Any]]:
    manifests = [json.loads(p.read_text()) for p in sorted(assembly.glob("*.assets.json"))]
    return [asset for m in manifests for asset in m.get(kind, {}).values()]


def asset_of(assembly: Path, s3_key: str) -> Path:
    (found,) = [
        assembly / a["source"]["path"]
        for a in assets(assembly, "files")
        if s3_key in [d["objectKey"] for d in a["destinations"].values()]
    ]
    return found


@pytest.fixture
def code(assembly: Path, control: Template) -> dict[str, Path]:
    layers = {p: asset_of(assembly, r["Content"]["S3Key"]) for p, r in control.of("AWS::Lambda::LayerVersion")}
    functions = dict(control.of("AWS::Lambda::Function"))
    return {**layers, "function": asset_of(assembly, functions["Api/Function"]["Code"]["S3Key"])}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def own(folder: Path) -> dict[str, bytes]:
    return {k: v for k, v in files(folder).items() if "__pycache__" not in k}


def test_functions_and_the_shared_layer_are_the_checkouts_bytes(code: dict[str, Path]) -> None:
    assert own(ROOT / "functions") == files(code["function"] / "functions")
    shared = code["Layers/Shared"] / "python"
    assert own(ROOT / "layers" / "backtest") == files(shared / "backtest")
    assert own(ROOT / "container_runner" / "tapedeck") == files(shared / "tapedeck")
    for name in ("contract.py", "run_objects.py"):
        assert (shared / name).read_bytes() == (ROOT / "container_runner" / name).read_bytes()
    assert sorted(p.name for p in (shared / "sandbox").iterdir()) == ["__init__.py", "policy.py", "policy.toml"]


def test_the_dependency_layer_is_named_by_its_lock_file_and_fits_lambdas_limit(code: dict[str, Path]) -> None:
    layer = code["Layers/Dependencies"]
    assert (layer / "python" / "pyarrow").is_dir()
    size = sum(p.stat().st_size for c in code.values() for p in c.rglob("*") if p.is_file())
    assert size < LAMBDA_LIMIT_BYTES


def test_images_are_three_targets_of_one_folder(assembly: Path) -> None:
    images = [a["source"] for a in assets(assembly, "dockerImages")]
    assert sorted(i["dockerBuildTarget"] for i in images) == ["cache", "sidecar", "strategy"]
    for image in images:
        folder = assembly / image["directory"]
        assert image["platform"] == "linux/amd64"
        assert own(ROOT / "container_runner" / "sandbox") == files(folder / "sandbox")
        assert not list(folder.rglob("__pycache__"))


@pytest.mark.parametrize("half", ["sidecar", "strategy"])
def test_an_image_holds_the_compiled_engine_and_its_interpreter_loads_it(assembly: Path, half: str) -> None:
    (image,) = [a["source"] for a in assets(assembly, "dockerImages") if a["source"]["dockerBuildTarget"] == half]
    look = f"import sys; sys.path.insert(0, {str(assembly / image['directory'])!r}); from tapedeck import compiled"
    command = [
        ROOT / "build" / "venvs" / half / "bin" / "python",
        "-I",
        "-B",
        "-c",
        f"{look}; print(compiled.library())",
    ]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "/tapedeck/engine/_kernel.so" in told
    assert str(assembly) in told


def test_every_image_takes_the_library_with_the_compiled_engine() -> None:
    for name in ("sidecar", "strategy", "cache"):
        assert "COPY --from=kernel /src/tapedeck /opt/tapedeck/tapedeck" in stages()[name]


def stages() -> dict[str, list[str]]:
    """Return the lines of the Dockerfile's final stages, by target."""
    parts = re.split(r"^FROM .* AS (\S+)$", (ROOT / "container_runner" / "Dockerfile").read_text(), flags=re.M)
    return {name: body.strip().splitlines() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def test_the_strategys_image_holds_nothing_of_the_platforms_side() -> None:
    copied = [line.split()[-2] for line in stages()["strategy"] if line.startswith("COPY")]
    assert copied == ["/opt/venv", "contract.py", "sandbox", "/src/tapedeck"]
    sources = [line for line in stages()["strategy"] if "environment" in line]
    assert sources == ["COPY --from=strategy-environment /opt/venv /opt/venv"]


def test_images_run_as_the_policys_users(documents: list[dict[str, Any]]) -> None:
    users = {n: [int(x.split()[1].split(":")[0]) for x in s if x.startswith("USER")] for n, s in stages().items()}
    limits = policy.load()
    (cache,) = [d for d in documents if d["kind"] == "DaemonSet"]
    daemon = cache["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsUser"]
    assert users["sidecar"] == [limits.sidecar.uid]
    assert users["strategy"] == [limits.strategy.uid]
    assert users["cache"] == [daemon]


def test_every_resource_is_made_locally_or_deliberately_absent(templates: dict[str, Template]) -> None:
    unknown = {
        r["Type"]
        for template in templates.values()
        for i, r in template.resources.items()
        if r["Type"] not in CREATORS and absent.reason(r["Type"], template.path(i)) is None
    }
    assert unknown == set()


def test_a_copy_of_the_app_takes_a_further_queue_and_function(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for folder in ("functions", "layers", "container_runner", "infra/k8s"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "build").mkdir()
    (root / "build" / "layer").symlink_to((ROOT / "build" / "layer").resolve())
    (root / "functions" / "echo.py").write_text('"""Echo."""\n\n\ndef handler(event, context):\n    return event\n')

    values = {**entry.context(), "@aws-cdk/core:validateAgainstDefaultRules": False}  # 2 s less
    extended = cdk.App(outdir=str(tmp_path / "cdk.out"), context=values)
    control = platform.build(extended, settings.load(values), root=root).control
    queue = control.queue("Echoes", "echoes", timeout=5)
    function = PlatformFunction(
        control, "Echo", workshop=control.workshop, name="echo", timeout=5, memory=128, environment={}, statements=[]
    )
    queue.feed(function, batch=10, concurrency=2)
    extended.synth()

    template = Template(tmp_path / "cdk.out", "Tapedeck-Control")
    echo = dict(template.of("AWS::Lambda::Function"))["Echo/Function"]
    assert echo["Handler"] == "functions.echo.handler"
    assert (asset_of(tmp_path / "cdk.out", echo["Code"]["S3Key"]) / "functions" / "echo.py").is_file()
    mapping = dict(template.of("AWS::Lambda::EventSourceMapping"))["Echoes/Mapping"]
    assert template.text(mapping["FunctionName"]) == "<Echo/Function>"
    assert template.text(mapping["EventSourceArn"]) == "<Echoes/Queue.Arn>"
