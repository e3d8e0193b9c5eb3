"""What a node refuses, how it names endings, and what it takes of the host for a container."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.cluster.answers import ApiError
from infra.local.cluster.cgroup import Usage
from infra.local.cluster.config import Config, ImageSource
from infra.local.cluster.endings import terminated
from infra.local.cluster.engine import INSTALL, Engine
from infra.local.cluster.interpreter import skeleton, system_paths
from infra.local.cluster.node import LocalNode
from infra.local.cluster.pod import JobSpec, decode
from infra.local.cluster.tokens import Issuer
from tests.unit.job_manifests import NAMESPACE, SETTINGS, manifest

ENGINE = Engine("/usr/bin/runsc", "1", "ptrace", (), "/nowhere")
CACHE = "/var/lib/tapedeck/cache"
JOB = decode(manifest(), NAMESPACE)


def node(folder: Path, engine: Engine | str = ENGINE, **changes: object) -> LocalNode:
    images = {uri: ImageSource(target, folder, folder) for uri, target in (
        (SETTINGS.sidecar_image, "sidecar"), (SETTINGS.strategy_image, "strategy"))}  # fmt: skip
    config = Config(
        "127.0.0.1", 0, folder, folder, folder, "https://i", "us-east-1", "demo", "http://sts", images, {}, (), {},
        {CACHE: folder}, 1,
    )  # fmt: skip
    return LocalNode(dataclasses.replace(config, **changes), engine, None, Issuer("https://i", folder))


def refusal(act: Callable[[], None]) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        act()
    return error.value.code, str(error.value)


def test_a_job_that_the_node_can_run_is_taken(tmp_path: Path) -> None:
    node(tmp_path).check(JOB)


def test_without_an_engine_every_pod_is_refused_with_how_to_get_one(tmp_path: Path) -> None:
    assert refusal(lambda: node(tmp_path, INSTALL).check(JOB)) == (503, INSTALL)
    assert "apt-get install runsc" in INSTALL


def test_an_unmapped_image_or_folder_of_the_node_is_refused_by_name(tmp_path: Path) -> None:
    assert "images/strategy:1" in refusal(
        lambda: node(tmp_path, images={SETTINGS.sidecar_image: ImageSource("sidecar", tmp_path, tmp_path)}).check(JOB)
    )[1]  # fmt: skip
    assert CACHE in refusal(lambda: node(tmp_path, host_paths={}).check(JOB))[1]


def test_untrusted_code_without_the_gvisor_class_is_refused(tmp_path: Path) -> None:
    def plain(job: JobSpec) -> JobSpec:
        return dataclasses.replace(job, pod=dataclasses.replace(job.pod, runtime_class=None))

    assert "gvisor only" in refusal(lambda: node(tmp_path).check(plain(JOB)))[1]


@pytest.mark.parametrize(
    ("code", "oom", "told", "sandboxed", "reason"),
    [
        (0, 0, True, True, "Completed"),
        (3, 0, True, True, "Error"),
        (137, 1, False, True, "OOMKilled"),
        (1, 1, False, True, "OOMKilled"),
        (0, 1, True, True, "OOMKilled"),
        (137, 0, False, True, "Error"),
        (2, 0, False, True, "ContainerCannotRun"),
        (2, 0, True, True, "Error"),
        (2, 0, False, False, "Error"),
        (128, 0, False, True, "ContainerCannotRun"),
        (128, 0, False, False, "ContainerCannotRun"),
    ],
)
def test_an_ending_is_named_by_the_oom_count_then_the_sandbox_then_the_code(
    code: int, oom: int, told: bool, sandboxed: bool, reason: str
) -> None:
    usage = Usage(oom, 5, 1.0)
    state = terminated(JOB.pod.main, code, usage, datetime.now(UTC), sandboxed=sandboxed, told=told)
    assert (state["exitCode"], state["reason"]) == (code, reason)
    assert state.get("signal") == (9 if code == 137 else None)


def venv(folder: Path, target: Path) -> Path:
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "venv" / "bin" / "python3").symlink_to(target)
    (folder / "venv" / "bin" / "python").symlink_to("python3")
    return folder / "venv"


def test_an_interpreter_of_its_own_comes_whole_at_its_own_path(tmp_path: Path) -> None:
    own = tmp_path / "py" / "3.11" / "bin"
    own.mkdir(parents=True)
    (own / "python3.11").touch()
    assert system_paths(venv(tmp_path, own / "python3.11"))[-1] == str(tmp_path / "py" / "3.11")


def test_of_the_distributions_interpreter_come_its_files_and_not_all_of_usr(tmp_path: Path) -> None:
    paths = system_paths(venv(tmp_path, Path("/usr/bin/python3.11")))
    assert paths[-2:] == ("/usr/bin/python3.11", "/usr/lib/python3.11")
    assert "/usr" not in paths


def test_a_root_is_an_empty_place_for_each_mount(tmp_path: Path) -> None:
    source = tmp_path / "contract.py"
    source.touch()
    mounts = [("/proc", "proc"), ("/opt/tapedeck/contract.py", str(source)), ("/dev/null", "/dev/null"), ("/x", "/usr")]
    skeleton(tmp_path / "root", mounts, "host", 65532)
    found = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")}
    assert found == {
        "proc", "opt", "opt/tapedeck", "opt/tapedeck/contract.py", "dev", "dev/null", "x", "lib", "lib64",
        "etc", "etc/passwd", "etc/group", "etc/hosts", "etc/nsswitch.conf",
    }  # fmt: skip
    assert "root:" not in (tmp_path / "root" / "etc" / "passwd").read_text()
