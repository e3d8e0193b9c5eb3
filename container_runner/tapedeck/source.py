"""Loads a strategy to run it, in the sandbox or on a laptop, and finds the researcher's own line in an error."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from tapedeck.strategy import Strategy
from tapedeck.submission import archive, reader
from tapedeck.submission.cell import Cell
from tapedeck.submission.inspection import Kind

MODULE = "strategy"


@dataclass(frozen=True)
class Location:
    """A place in the submission: `line` counts from 1, in the file or, for a notebook, in its code cell `cell`."""

    file: str
    line: int
    cell: int | None


class _Loaded:
    """The submission that this process runs: one a process."""

    def __init__(self) -> None:
        self.name = ""
        self.cells: dict[str, int | None] = {}  # compiled file name -> code cell
        self.folder: str | None = None  # where a zip's side files lie

    def place(self, filename: str, line: int) -> Location | None:
        if filename in self.cells:
            cell = self.cells[filename]
            return Location(self.name if cell is not None else filename, line, cell)
        if self.folder and filename.startswith(self.folder):
            return Location(filename[len(self.folder) :].lstrip("/"), line, None)
        return None


_loaded = _Loaded()


def load(path: Path, name: str, kind: Kind, class_name: str | None) -> type[Strategy] | Callable[..., object]:
    """Run the submission `name`, whose bytes lie at `path`, as the module `strategy`; return its class or `main`.

    Loaded again, it starts afresh: nothing that its own modules held before is there.
    Raises what the source raises; `locate` finds the line. `SubmissionError` when it does not parse, `LookupError` when
    the name is not there after running it.
    """
    body = path.read_bytes()
    cells, _ = reader.cells_of(kind, name, body)
    forget()
    _loaded.name, _loaded.folder = name, _unpack(name, body) if kind == "zip" else None
    _loaded.cells = {cell.filename: cell.number for cell in cells}
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module
    for cell in cells:
        exec(_compiled(cell), module.__dict__)  # noqa: S102 - running the submission is the purpose
    wanted = class_name or "main"
    found: type[Strategy] | Callable[..., object] | None = module.__dict__.get(wanted)
    if not callable(found):
        raise LookupError(f"{name} does not define {wanted} once it has run")
    return found


def locate(error: BaseException) -> Location | None:
    """Return the deepest place of the submission that an exception passed through, or None when there is none."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        place = _loaded.place(error.filename, error.lineno)
        if place:
            return place
    places = [_loaded.place(frame.filename, frame.lineno or 1) for frame in traceback.extract_tb(error.__traceback__)]
    return next((place for place in reversed(places) if place), None)


def where(function: object) -> Location | None:
    """Return the place where a function or method of the submission is defined, or None."""
    code = getattr(function, "__code__", None)
    return _loaded.place(code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def describe(error: BaseException) -> str:
    """Return the traceback from the submission's first frame on: the platform's own frames above it are left out."""
    frame: TracebackType | None = error.__traceback__
    while frame and not _loaded.place(frame.tb_frame.f_code.co_filename, 1):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame))


def _compiled(cell: Cell) -> CodeType:
    """Compile a cell; tracebacks and `inspect` find its lines though no file of that name exists."""
    linecache.cache[cell.filename] = (len(cell.text), None, cell.text.splitlines(keepends=True), cell.filename)
    return compile(cell.text, cell.filename, "exec", dont_inherit=True)


def forget() -> None:
    """Remove what an earlier load left: the modules of a zip and the folder that they came from."""
    folder = _loaded.folder
    if folder:
        files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
        for name in [name for name, file in files.items() if file.startswith(folder)]:
            del sys.modules[name]
        sys.path[:] = [entry for entry in sys.path if entry != folder]
        import shutil  # noqa: PLC0415 - for zips only; see archive.unpack

        shutil.rmtree(folder, ignore_errors=True)


def _unpack(name: str, body: bytes) -> str:
    """Lay a zip's files out in a new folder, last on the module path: they stand in for nobody else's modules."""
    import tempfile  # noqa: PLC0415 - for zips only; see archive.unpack

    folder = Path(tempfile.mkdtemp(prefix="submission-"))
    for path, content in archive.unpack(name, body).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    sys.path.append(str(folder))
    return str(folder)
