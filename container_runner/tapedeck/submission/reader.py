"""Reads a submission whole: kind, cells, header, strategy. What is not run here is read in a child (`isolation`)."""

from __future__ import annotations

from tapedeck.submission import archive, finder, header, notebook, parameters, syntax
from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.inspection import Inspection, Kind

KINDS: dict[str, Kind] = {".py": "script", ".ipynb": "notebook", ".zip": "zip"}
MAX_CODE = 1024 * 1024  # characters of Python; a notebook's outputs do not count


def kind_of(name: str) -> Kind:
    """Return what a file name's ending says; raises NOT_PYTHON."""
    for ending, kind in KINDS.items():
        if name.lower().endswith(ending):
            return kind
    raise SubmissionError("NOT_PYTHON", f"{name[:100]!r} is no strategy: hand in a file ending in {', '.join(KINDS)}.")


def cells_of(kind: Kind, name: str, body: bytes) -> tuple[list[Cell], list[str]]:
    """Return a submission's source in the pieces in which it is compiled, and warnings; raises `SubmissionError`."""
    if kind == "notebook":
        return notebook.cells(name, body)
    if kind == "zip":
        files = archive.unpack(name, body)
        name = archive.entry_point(name, files)
        body = files[name]
    return [Cell(syntax.decode(body, name), name)], []


def read(name: str, body: bytes) -> Inspection:
    """Return what the submission is; raises `SubmissionError`."""
    kind = kind_of(name)
    cells, warnings = cells_of(kind, name, body)
    if sum(len(cell.text) for cell in cells) > MAX_CODE:
        raise SubmissionError("TOO_LARGE", f"{name} holds more than {MAX_CODE:,} characters of Python.")
    trees = []
    for cell in cells:
        tree, said = syntax.parse(cell)
        trees.append((cell, tree))
        warnings += said
    block = header.read(cells)
    found = finder.find(trees)
    inspection = Inspection(
        kind=kind,
        level=found.level,
        class_name=found.class_name,
        fields=found.fields,
        parameters=found.parameters if found.class_name else parameters.declared_by_header(block),
        header={**found.settings, **block},
        warnings=[warning[:300] for warning in warnings[:100]],
    )
    parameters.resolve_parameters(inspection, {})  # the header's params must fit the class
    return inspection
