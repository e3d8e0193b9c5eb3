"""The switch for the weak sandbox: off unless somebody says so, and then passed on as said."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import __main__ as command_line
from infra.local.cluster.bubblewrap import arguments

TMPFS = ["nosuid", "nodev", "noexec", "mode=1777", "size=1024"]


@pytest.mark.parametrize(
    ("option", "environment", "allowed"),
    [([], "", False), ([], "0", False), ([], "1", True), (["--allow-weak-sandbox"], "", True)],
)
def test_only_the_option_or_the_variable_allows_it(
    monkeypatch: pytest.MonkeyPatch, option: list[str], environment: str, allowed: bool
) -> None:
    said: list[bool] = []

    def up(*, allow_weak_sandbox: bool) -> int:
        said.append(allow_weak_sandbox)
        return 0

    monkeypatch.setitem(command_line.COMMANDS, "up", up)
    monkeypatch.setenv("TAPEDECK_ALLOW_WEAK_SANDBOX", environment)
    assert command_line.main(["up", *option]) == 0
    assert said == [allowed]


def test_a_bundle_becomes_exactly_these_arguments() -> None:
    config = {
        "process": {"args": ["/py", "-m", "x"], "env": ["A=b=c"], "cwd": "/", "user": {"uid": 7, "gid": 8}},
        "hostname": "h",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": TMPFS},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": TMPFS},
            {"destination": "/in", "type": "bind", "source": "/1", "options": ["rbind", "ro"]},
            {"destination": "/out", "type": "bind", "source": "/2", "options": ["rbind", "rw"]},
        ],
    }
    made = " ".join(one.strip() for one in arguments(config, Path("/root fs")))
    head, _, tail = made.partition(" -- ")
    assert head == (
        "--unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try --hostname h"
        " --die-with-parent --new-session --as-pid-1 --cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID"
        " --clearenv --ro-bind /root fs / --proc /proc --dev /dev --perms 1777 --size 1024 --tmpfs /tmp"
        " --ro-bind /1 /in --bind /2 /out --remount-ro /dev --chdir / --setenv A b=c"
    )
    assert tail.startswith("/py -I -B -c import ctypes") and tail.endswith(" 7 8 /py -m x")
