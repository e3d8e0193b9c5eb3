"""The strategy's container as runsc gets it, whole: a change of the sandbox shows in this file."""

from __future__ import annotations

from infra.local.cluster.bundle import Image, bundle
from infra.local.cluster.pod import decode
from tests.unit.job_manifests import NAMESPACE, manifest

RO = ["rbind", "ro", "nosuid", "nodev"]
IMAGE = Image("strategy", "/asset", "/venvs/strategy", ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/root/py/3.11"))


def test_the_strategys_bundle_is_exactly_this() -> None:
    pod = decode(manifest(), NAMESPACE).pod
    folders = {"exchange-in": "/pods/1/exchange-in", "exchange-out": "/pods/1/exchange-out"}
    made = bundle(pod, pod.main, image=IMAGE, folders=folders, hostname="bt-1", cgroup="/tapedeck/bt-1-strategy")
    assert made == {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 65532, "gid": 65532, "additionalGids": []},
            "args": ["/opt/venv/bin/python", "-s", "-P", "-B", "-u", "-m", "sandbox.launcher"],
            "env": [
                "PATH=/opt/venv/bin",
                "HOME=/tmp",
                "LANG=C.UTF-8",
                "TZ=UTC",
                "OMP_NUM_THREADS=1",
                "OPENBLAS_NUM_THREADS=1",
                "NUMBA_NUM_THREADS=1",
                "NUMBA_CACHE_DIR=/tmp/numba",
                "PYTHONHASHSEED=0",
                "MALLOC_MMAP_MAX_=0",
                "MALLOC_TRIM_THRESHOLD_=17179869184",
                "MALLOC_TOP_PAD_=67108864",
                "NPY_DISABLE_CPU_FEATURES=X86_V4 AVX512_ICL AVX512_SPR",
                "OPENBLAS_CORETYPE=Haswell",
                "NUMBA_CPU_NAME=haswell",
                "NUMBA_CPU_FEATURES=+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt",
            ],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []},
            "rlimits": [],
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "bt-1",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", "noexec", "mode=755", "size=65536"],
            },
            {
                "destination": "/tmp",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", "noexec", "mode=1777", "size=268435456"],
            },
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "nodev", "noexec", "mode=1777", "size=67108864"],
            },
            {"destination": "/usr/lib64", "type": "bind", "source": "/usr/lib64", "options": RO},
            {"destination": "/opt/venv", "type": "bind", "source": "/venvs/strategy", "options": RO},
            {
                "destination": "/exchange/in",
                "type": "bind",
                "source": "/pods/1/exchange-in",
                "options": ["rbind", "ro", "nosuid", "nodev", "noexec"],
            },
            {
                "destination": "/exchange/out",
                "type": "bind",
                "source": "/pods/1/exchange-out",
                "options": ["rbind", "rw", "nosuid", "nodev", "noexec"],
            },
            {
                "destination": "/usr/lib/x86_64-linux-gnu",
                "type": "bind",
                "source": "/usr/lib/x86_64-linux-gnu",
                "options": RO,
            },
            {"destination": "/root/py/3.11", "type": "bind", "source": "/root/py/3.11", "options": RO},
            {"destination": "/opt/tapedeck/tapedeck", "type": "bind", "source": "/asset/tapedeck", "options": RO},
            {"destination": "/opt/tapedeck/sandbox", "type": "bind", "source": "/asset/sandbox", "options": RO},
            {
                "destination": "/opt/tapedeck/contract.py",
                "type": "bind",
                "source": "/asset/contract.py",
                "options": RO,
            },
        ],
        "linux": {
            "namespaces": [
                {"type": "pid"},
                {"type": "network"},
                {"type": "ipc"},
                {"type": "uts"},
                {"type": "mount"},
            ],
            "cgroupsPath": "/tapedeck/bt-1-strategy",
            "resources": {},
        },
    }


def test_an_interpreter_below_tmp_is_mounted_after_what_would_hide_it() -> None:
    pod = decode(manifest(), NAMESPACE).pod
    image = Image("strategy", "/asset", "/venvs/strategy", ("/tmp/py",))
    folders = {"exchange-in": "/in", "exchange-out": "/out"}
    made = bundle(pod, pod.main, image=image, folders=folders, hostname="h", cgroup="/c")
    places = [mount["destination"] for mount in made["mounts"]]
    assert places.index("/tmp") < places.index("/tmp/py")
