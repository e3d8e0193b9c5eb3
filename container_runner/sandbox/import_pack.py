"""Imports out of one file: what a strategy's process starts with, without looking for it file by file.

Under gVisor a file is dear to look for, to open and to read, and NumPy alone has 130 of them. So the strategy's
environment carries a pack: where each module lies, and the compiled code of those written in Python. It is made with
the environment, by `python -m sandbox.import_pack MODULE ...`, which also puts this file and a .pth line into it, so
that Python's start installs the finder. A module that the pack does not know is imported as ever.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

FILE = "imports.pack"  # in the environment's folder
_HEAD = 8  # bytes: the index's length
_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_PREFIXES = (sys.prefix, sys.base_prefix)  # the environment's folder has another name in the image

# Module -> (which prefix, path below it, whether it is a package, where its code starts, its length; 0 = an extension).
Index = dict[str, tuple[int, str, bool, int, int]]


class PackFinder:
    """Finds the modules of a pack, whose code starts at `start`."""

    def __init__(self, start: int, index: Index) -> None:
        self._start, self._index = start, index

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, as `importlib` asks for it; None for one that the pack does not know."""
        known = self._index.get(name)
        if known is None:
            return None
        prefix, below, package, offset, size = known
        origin = f"{_PREFIXES[prefix]}/{below}"
        loader = _Packed(name, origin, self._start + offset, size) if size else ExtensionFileLoader(name, origin)
        spec = ModuleSpec(name, loader, origin=origin, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [origin.rpartition("/")[0]]
        return spec


class _Packed(SourceFileLoader):
    """Loads a module whose compiled code lies in the pack; its source, for tracebacks, is where it always is."""

    def __init__(self, name: str, origin: str, offset: int, size: int) -> None:
        super().__init__(name, origin)
        self._size, self._offset = size, offset

    def get_code(self, fullname: str) -> CodeType:
        """Return the module's code."""
        fd = os.open(f"{sys.prefix}/{FILE}", _FLAGS)  # anew: a program may close every descriptor that it finds
        try:
            code: CodeType = marshal.loads(os.pread(fd, self._size, self._offset))  # noqa: S302 - the environment's own
        finally:
            os.close(fd)
        return code


def install() -> None:
    """Use this environment's pack, if it has one and Python is the one that made it."""
    try:
        fd = os.open(f"{sys.prefix}/{FILE}", _FLAGS)
    except OSError:
        return
    try:
        length = int.from_bytes(os.read(fd, _HEAD), "little")
        made_by, index = marshal.loads(os.read(fd, length))  # noqa: S302 - the environment's own
    finally:
        os.close(fd)
    if made_by == sys.version:
        sys.meta_path.insert(0, PackFinder(_HEAD + length, index))


def make(names: Sequence[str]) -> int:
    """Write the pack of what importing `names` imports, and have it used; return how many modules it holds.

    Modules outside the environment and the standard library (our own code, which lies elsewhere) are left out.
    """
    import importlib  # noqa: PLC0415 - needed to make a pack, never to use one
    import site  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    for name in names:
        importlib.import_module(name)
    index: Index = {}
    bodies: list[bytes] = []
    end = 0
    for name, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        place = _below(getattr(spec, "origin", None))
        if spec is None or place is None or spec.name != name:
            continue
        written = isinstance(spec.loader, SourceFileLoader)
        body = marshal.dumps(SourceFileLoader(name, spec.origin).get_code(name)) if written else b""
        if body or isinstance(spec.loader, ExtensionFileLoader):
            index[name] = (*place, spec.submodule_search_locations is not None, end, len(body))
            bodies.append(body)
            end += len(body)
    head = marshal.dumps((sys.version, index))
    Path(sys.prefix, FILE).write_bytes(b"".join([len(head).to_bytes(_HEAD, "little"), head, *bodies]))
    packages = Path(site.getsitepackages()[0])
    (packages / "import_pack.py").write_bytes(Path(__file__).read_bytes())
    (packages / "import_pack.pth").write_text("import import_pack; import_pack.install()\n")
    return len(index)


def _below(origin: str | None) -> tuple[int, str] | None:
    """Return which prefix a file lies below, and the path from there."""
    for number, prefix in enumerate(_PREFIXES):
        if origin and origin.startswith(f"{prefix}/"):
            return number, origin[len(prefix) + 1 :]
    return None


if __name__ == "__main__":
    print(f"{make(sys.argv[1:])} modules in {sys.prefix}/{FILE}")  # noqa: T201
