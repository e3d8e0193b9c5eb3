"""Finds the one strategy in a submission's syntax trees: a class derived from `Strategy`, or ``def main(run)``."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tapedeck.fields import FIELDS
from tapedeck.submission import parameters, run_settings
from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.inspection import Level, Parameter, Scalar
from tapedeck.suggest import did_you_mean

TAKES: dict[Level, str] = {"weights": "bars", "shares": "bars", "on_bar": "bar, book", "main": "run"}
WAYS = "weights(self, bars), shares(self, bars), on_bar(self, bar, book) or main(self, run)"
HOW = f"derive one class from tapedeck.Strategy with {WAYS}, or define main(run)"


@dataclass(frozen=True)
class Found:
    """The strategy's own part of an inspection."""

    level: Level
    class_name: str | None
    fields: list[str]
    parameters: dict[str, Parameter]
    settings: dict[str, Scalar]  # of the run, as the class states them


@dataclass(frozen=True)
class _Class:
    node: ast.ClassDef
    cell: Cell
    bases: tuple[str, ...]  # names of the file's own strategy classes it derives from, in order

    @property
    def place(self) -> str:
        return f"{self.node.name} ({self.cell.place(self.node.lineno)})"


def find(trees: list[tuple[Cell, ast.Module]]) -> Found:
    """Return the only strategy of a submission.

    Raises `SubmissionError` NO_STRATEGY, TWO_STRATEGIES, BAD_STRATEGY, BAD_FIELDS or BAD_PARAMETER.
    """
    statements = [(cell, node) for cell, tree in trees for node in tree.body]
    classes, lookalike = _strategy_classes(statements)
    parents = {base for found in classes.values() for base in found.bases}
    leaves = [found for name, found in classes.items() if name not in parents]
    mains = [(cell, node) for cell, node in statements if _is_main(node)]
    places = [leaf.place for leaf in leaves] + [f"main ({cell.place(n.lineno)})" for cell, n in mains[-1:]]
    if not places:
        hint = f" {lookalike} derives from another Strategy: from tapedeck import Strategy." if lookalike else ""
        raise SubmissionError("NO_STRATEGY", f"There is no strategy here: {HOW}.{hint}")
    if len(places) > 1:
        cell, line = (leaves[1].cell, leaves[1].node.lineno) if len(leaves) > 1 else (mains[-1][0], mains[-1][1].lineno)
        message = f"There is more than one strategy: {', '.join(places)}. Keep one in the file."
        raise SubmissionError("TWO_STRATEGIES", message, line=line, cell=cell.number)
    if leaves:
        return _from_class(leaves[0], classes)
    return Found("main", None, _fields([(cell, node) for cell, node in statements]), {}, {})


def _strategy_classes(statements: list[tuple[Cell, ast.stmt]]) -> tuple[dict[str, _Class], str | None]:
    """Return the file's classes derived from tapedeck's Strategy, and the name of one that only looks like it."""
    strategy_names: set[str] = set()
    module_names: set[str] = set()
    found: dict[str, _Class] = {}
    lookalike = None
    for cell, node in statements:
        if isinstance(node, ast.ImportFrom) and node.module in ("tapedeck", "tapedeck.strategy") and not node.level:
            strategy_names |= {a.asname or "Strategy" for a in node.names if a.name in ("Strategy", "*")}
        elif isinstance(node, ast.Import):
            module_names |= {a.asname or "tapedeck" for a in node.names if a.name.split(".")[0] == "tapedeck"}
        elif isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base) for base in node.bases]
            own = tuple(base for base in bases if base in found)
            known = strategy_names | {f"{name}.Strategy" for name in module_names}
            if own or known.intersection(bases):
                found[node.name] = _Class(node, cell, own)
            elif any(base.split(".")[-1] == "Strategy" for base in bases):
                lookalike = node.name
    return found, lookalike


def _from_class(leaf: _Class, classes: dict[str, _Class]) -> Found:
    lineage = _lineage(leaf, classes)
    statements = [(item.cell, statement) for item in lineage for statement in item.node.body]
    methods: dict[str, tuple[Cell, ast.FunctionDef]] = {}
    for cell, node in statements:
        if isinstance(node, ast.FunctionDef):
            methods.setdefault(node.name, (cell, node))
    declared: dict[str, Parameter] = {}
    for item in reversed(lineage):
        declared |= parameters.declared(item.node.body, item.cell)
    _check_names(declared, leaf)
    level = _level(methods, leaf)
    fields = _fields(statements)  # the broker needs every field of a bar
    shipped = list(FIELDS) if level == "on_bar" else fields
    return Found(level, leaf.node.name, shipped, declared, run_settings.stated(statements))


def _lineage(leaf: _Class, classes: dict[str, _Class]) -> list[_Class]:
    """Return the class and its forebears within the file, nearest first, each once."""
    order, todo = [leaf], list(leaf.bases)
    while todo:
        forebear = classes[todo.pop(0)]
        if forebear not in order:
            order.append(forebear)
            todo += forebear.bases
    return order


def _level(methods: dict[str, tuple[Cell, ast.FunctionDef]], leaf: _Class) -> Level:
    have = [level for level in TAKES if level in methods]
    line, cell = leaf.node.lineno, leaf.cell.number
    if not have:
        message = f"{leaf.place} decides nothing: define one of {WAYS}."
        raise SubmissionError("BAD_STRATEGY", message, line=line, cell=cell)
    if len(have) > 1:
        message = f"{leaf.place} has {' and '.join(have)}: keep the one that decides."
        raise SubmissionError("BAD_STRATEGY", message, line=line, cell=cell)
    where, method = methods[have[0]]
    takes = TAKES[have[0]]
    if not _takes(method, 2 + takes.count(",")):
        message = f"{where.place(method.lineno)}: write it as def {have[0]}(self, {takes})."
        raise SubmissionError("BAD_STRATEGY", message, line=method.lineno, cell=where.number)
    return have[0]


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "main" and _takes(node, 1)


def _takes(function: ast.FunctionDef, count: int) -> bool:
    """Say whether a function can be called with `count` positional arguments and nothing else."""
    spec = function.args
    positional = len(spec.posonlyargs) + len(spec.args)
    required = positional - len(spec.defaults)
    keywords = [default for default in spec.kw_defaults if default is None]
    return required <= count and (positional >= count or spec.vararg is not None) and not keywords and positional > 0


def _check_names(declared: dict[str, Parameter], leaf: _Class) -> None:
    taken = {*TAKES, "lookback"}.intersection(declared)
    if taken:
        message = f"{leaf.place}: a parameter cannot be named {', '.join(sorted(taken))}: the platform calls that."
        raise SubmissionError("BAD_PARAMETER", message, line=leaf.node.lineno, cell=leaf.cell.number)


def _fields(statements: list[tuple[Cell, ast.stmt]]) -> list[str]:
    """Return the fields that ``fields = (...)`` names, nearest class first, all where it is not stated."""
    for cell, node in statements:
        value = _assigned(node, "fields")
        if value is None:
            continue
        names = _literal_names(value)
        unknown = [name for name in names if name not in FIELDS]
        if names and not unknown:
            return [name for name in FIELDS if name in names]
        said = f"there is no {unknown[0][:40]!r}{did_you_mean(unknown[0], FIELDS)}" if unknown else "this is none"
        message = f"{cell.place(node.lineno)}: fields is a tuple of names out of {', '.join(FIELDS)}; {said}"
        raise SubmissionError("BAD_FIELDS", message, line=node.lineno, column=node.col_offset + 1, cell=cell.number)
    return list(FIELDS)


def _assigned(node: ast.stmt, name: str) -> ast.expr | None:
    """Return the expression that a statement assigns to `name`, or None when it does not."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    hit = any(isinstance(target, ast.Name) and target.id == name for target in targets)
    return node.value if hit and isinstance(node, ast.Assign | ast.AnnAssign) else None


def _literal_names(value: ast.expr) -> list[str]:
    """Return the texts of a literal tuple or list, [] for anything else."""
    items = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    names = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return names if len(names) == len(items) else []
