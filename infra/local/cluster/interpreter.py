"""What an environment's Python needs of the host, by absolute path, and the skeleton of a root around it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/ld-linux-aarch64.so.1",
    "/usr/lib64",
)


def system_paths(venv: Path) -> tuple[str, ...]:
    """Return the system's libraries and the interpreter that `venv` points to.

    The interpreter keeps its own path: moved, its RPATH misses and the distribution's libpython is loaded in silence.
    """
    links = []
    link = venv / "bin" / "python"
    while link.is_symlink():
        link = link.parent / link.readlink()
        if link.is_absolute() and not link.is_relative_to(venv):
            links.append(str(link))
    base = link.parent.parent
    if base == Path("/usr"):  # the distribution's: its files, not all of /usr
        own = [*links, f"/usr/lib/{link.name}"]
    elif base == Path("/usr/local"):
        own = [*links, "/usr/local/lib"]
    else:
        own = [*(one for one in links if not Path(one).is_relative_to(base)), str(base)]
    return (*(path for path in _LIBRARIES if Path(path).exists()), *own)


def skeleton(root: Path, mounts: Iterable[tuple[str, str]], hostname: str, uid: int) -> None:
    """Make an empty root with a place for each (place, source) of `mounts`."""
    root.mkdir(parents=True, exist_ok=True)
    for place, source in mounts:
        target = root / place.lstrip("/")
        if Path(source).is_dir() or not Path(source).exists():  # "proc" and "tmpfs" are no paths
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    for name in ("lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(f"user:x:{uid}:{uid}::/tmp:/nonexistent\n")
    (etc / "group").write_text(f"user:x:{uid}:\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost {hostname}\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
