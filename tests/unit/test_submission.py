"""What a submission is found to be, and how a bad one is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import contract
from tapedeck.fields import FIELDS
from tapedeck.submission import Limits, SubmissionError, inspect_source, list_source, resolve_parameters

ROOT = Path(__file__).parents[2]
HEADER = """\
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM"]
# start = 2004-01-02
# params = { fast = 10 }
# ///
"""
STRATEGY = """\
from tapedeck import Strategy

class Mine(Strategy):
    fast: int = 20
    rate: float = 1
    name: str = "x"
    on: bool = True
    fields = ("volume", "close")

    def weights(self, bars):
        return bars.close * 0
"""


def refused(body: str | bytes, name: str = "strategy.py") -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        inspect_source(name, body.encode() if isinstance(body, str) else body)
    return caught.value


def notebook(*cells: str | tuple[str, dict[str, object]], **metadata: object) -> bytes:
    made = []
    for cell in cells:
        source, meta = cell if isinstance(cell, tuple) else (cell, {})
        made.append({"cell_type": "code", "metadata": meta, "source": source.splitlines(keepends=True), "outputs": []})
    made.insert(0, {"cell_type": "markdown", "metadata": {}, "source": "# not code"})
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}).encode()


def archive(**files: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as out:
        for name, text in files.items():
            out.writestr(name.replace("__", "/").replace("_py", ".py"), text)
    return body.getvalue()


def test_a_strategy_class_is_found_with_header_parameters_and_fields() -> None:
    found = inspect_source("strategy.py", (HEADER + STRATEGY).encode())
    assert (found.kind, found.level, found.class_name) == ("script", "weights", "Mine")
    assert found.fields == ["close", "volume"]
    assert found.header["start"] == "2004-01-02"
    assert found.parameters["rate"] == {"type": "float", "default": 1.0}
    assert resolve_parameters(found, {"rate": 2}) == {"fast": 10, "rate": 2.0, "name": "x", "on": True}


def test_the_callers_parameters_win_over_the_headers_and_those_over_the_classs() -> None:
    found = inspect_source("strategy.py", (HEADER + STRATEGY).encode())
    assert resolve_parameters(found, {})["fast"] == 10
    assert resolve_parameters(found, {"fast": 5})["fast"] == 5


def test_a_top_level_main_is_a_strategy_whose_parameters_stand_in_its_header() -> None:
    found = inspect_source("s.py", (HEADER + "fields = ['close']\ndef main(run):\n    pass\n").encode())
    assert (found.level, found.class_name, found.fields) == ("main", None, ["close"])
    assert resolve_parameters(found, {}) == {"fast": 10}


def test_a_class_states_settings_of_the_run_and_the_header_goes_over_them() -> None:
    stated = "    commission_bps = 1\n    accounts = 'sleeves'\n    leverage: float = 2.0\n    fields ="
    found = inspect_source("strategy.py", (HEADER + STRATEGY.replace("    fields =", stated)).encode())
    assert (found.header["commission_bps"], found.header["accounts"]) == (1, "sleeves")
    assert "leverage" not in found.header and found.parameters["leverage"]["default"] == 2.0
    over = HEADER.replace("# params", "# commission_bps = 3.5\n# params")
    both = inspect_source("strategy.py", (over + STRATEGY.replace("    fields =", stated)).encode())
    assert both.header["commission_bps"] == 3.5
    worked_out = STRATEGY.replace("    fields =", "    volume_cap = 1 / 3\n    fields =")
    error = refused(worked_out)
    assert (error.code, error.line) == ("BAD_HEADER", 8)
    assert "volume_cap is a setting of the run" in error.message
    child = STRATEGY.replace("class Mine(Strategy):", "class Base(Strategy):\n    lot_size = 10\n\nclass Mine(Base):")
    assert inspect_source("s.py", child.encode()).header == {"lot_size": 10}


@pytest.mark.parametrize(
    "source",
    [
        "import tapedeck\nclass A(tapedeck.Strategy):\n    def main(self, run): ...",
        "import tapedeck as td\nclass A(td.Strategy):\n    def main(self, run): ...",
        "from tapedeck import Strategy as S\nclass A(S):\n    def main(self, run): ...",
        "from tapedeck import *\nclass A(Strategy):\n    def main(self, run): ...",
        "from tapedeck import Strategy\nclass B(Strategy):\n    def main(self, run): ...\nclass A(B):\n    x: int = 1",
    ],
)
def test_the_base_class_is_known_however_it_was_imported(source: str) -> None:
    found = inspect_source("a.py", source.encode())
    assert (found.class_name, found.level) == ("A", "main")


@pytest.mark.parametrize(
    ("source", "code", "line", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "NOT_PYTHON", 3, "null bytes"),
        ("price = '€'".encode("cp1252"), "NOT_PYTHON", 1, "save it as UTF-8"),
        (b"x = 1\ndef f(:\n", "SYNTAX_ERROR", 2, "line 2: invalid syntax"),
        (b"return 1", "SYNTAX_ERROR", 1, "outside function"),
        (b"x = 1", "NO_STRATEGY", None, "derive one class from tapedeck.Strategy"),
        (b"class A(Strategy):\n    pass", "NO_STRATEGY", None, "from tapedeck import Strategy"),
        (STRATEGY + STRATEGY.replace("Mine", "Yours"), "TWO_STRATEGIES", 14, "Mine (line 3), Yours (line 14)"),
        (STRATEGY + "def main(run): ...", "TWO_STRATEGIES", 12, "main (line 12)"),
        (STRATEGY.replace("weights", "on_bar"), "BAD_STRATEGY", 10, "def on_bar(self, bar, book)"),
        (STRATEGY + "    def on_bar(self, bar, book): ...", "BAD_STRATEGY", 3, "has weights and on_bar"),
        (STRATEGY.replace("weights", "signal"), "BAD_STRATEGY", 3, "decides nothing: define one of weights"),
        (STRATEGY.replace("(self, bars)", "(self)"), "BAD_STRATEGY", 10, "def weights(self, bars)"),
        (STRATEGY.replace("= 20", "= len('x')"), "BAD_PARAMETER", 4, "literal default"),
        (STRATEGY.replace("= 20", "= 2.5"), "BAD_PARAMETER", 4, "a whole number"),
        (STRATEGY.replace("= 1\n", "= 1e999\n"), "BAD_PARAMETER", 5, "a finite number"),
        (STRATEGY.replace('"close")', '"clsoe")'), "BAD_FIELDS", 8, "Did you mean 'close'?"),
        (STRATEGY.replace('("volume", "close")', "tuple(x)"), "BAD_FIELDS", 8, "open, high, low, close, volume"),
        (HEADER.replace("]", "") + STRATEGY, "BAD_HEADER", 4, "does not parse as TOML"),
        (HEADER.replace("# ///\n", "") + STRATEGY, "BAD_HEADER", 6, "each line of the header block"),
        ("# /// backtest\n# a = 1", "BAD_HEADER", 1, "has no end"),
        (HEADER + HEADER + STRATEGY, "BAD_HEADER", 7, "a second"),
        (HEADER.replace("2004-01-02", "nan") + STRATEGY, "BAD_HEADER", 1, "'start'"),
        (HEADER.replace("fast = 10", "fats = 10") + STRATEGY, "BAD_PARAMETER", None, "Did you mean 'fast'?"),
    ],
)
def test_a_bad_script_is_refused_with_code_line_and_advice(
    source: str | bytes, code: str, line: int | None, says: str
) -> None:
    error = refused(source)
    assert (error.code, error.line) == (code, line)
    assert says in error.message


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 10_000 + ")" * 10_000,
        "x = " + "-" * 10_000 + "1",
        "x = a" + ".b" * 100_000,
        "x = " + "1 + " * 100_000 + "1",
        "x = " + "lambda: " * 10_000 + "1",
        "\n".join(" " * i + "if 1:" for i in range(500)),
        "class A(" + "a" + ".b" * 50_000 + "): pass",
        "# /// backtest\n# a = " + "[" * 10_000 + "]" * 10_000 + "\n# ///\n" + STRATEGY,
    ],
)
def test_source_nested_ten_thousand_deep_is_refused_by_name(source: str) -> None:
    assert refused(source).code == "TOO_DEEP"


def test_what_is_too_large_or_of_an_unknown_kind_is_refused() -> None:
    assert refused(b"#" * (4 * 1024 * 1024 + 1)).code == "TOO_LARGE"
    assert refused("# " * 600_000).code == "TOO_LARGE"
    assert refused("x", name="strategy.exe").code == "NOT_PYTHON"


def test_parsing_that_takes_too_long_is_ended() -> None:
    with pytest.raises(SubmissionError) as caught:
        inspect_source("s.py", STRATEGY.encode(), Limits(wall_seconds=0.001))
    assert caught.value.code == "TOO_SLOW"


def test_an_inspecting_process_that_cannot_run_is_not_blamed_on_the_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapedeck.submission.isolation._ROOT", Path("/nowhere"))
    with pytest.raises(RuntimeError, match="exit code 1"):
        inspect_source("s.py", STRATEGY.encode())


def test_nothing_of_the_callers_environment_reaches_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    start = (
        "import os, sys, json; print(json.dumps({'error': dict(code='NO_STRATEGY', message=str(dict(os.environ)))}))"
    )
    monkeypatch.setattr("tapedeck.submission.isolation._START", start)
    assert "secret" not in refused(STRATEGY).message


def test_a_parser_out_of_memory_is_a_refusal() -> None:
    with pytest.raises(SubmissionError) as caught:
        inspect_source("s.py", ("x = [" + "1," * 500_000 + "]").encode(), Limits(memory_bytes=64 * 2**20))
    assert caught.value.code == "TOO_DEEP"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"fsat": 1}, "Did you mean 'fast'?"),
        ({"zzz": 1}, "it has fast, name, on, rate"),
        ({"fast": "1"}, "a whole number"),
        ({"fast": True}, "a whole number"),
        ({"fast": 2**63}, "a whole number"),
        ({"rate": float("nan")}, "a finite number"),
        ({"rate": 10**400}, "a finite number"),
        ({"on": 1}, "true or false"),
    ],
)
def test_a_parameter_of_another_name_or_type_is_refused(overrides: dict[str, object], says: str) -> None:
    found = inspect_source("s.py", STRATEGY.encode())
    with pytest.raises(SubmissionError) as caught:
        resolve_parameters(found, overrides)
    assert caught.value.code == "BAD_PARAMETER"
    assert says in caught.value.message


def test_a_notebook_runs_from_its_code_cells() -> None:
    body = notebook(
        HEADER + "%matplotlib inline\nimport tapedeck",
        ("plot(", {"tags": ["skip"]}),
        STRATEGY,
        "if True:\n    %time\nx = (7\n     % 3)",
        kernelspec={"name": "python3"},
    )
    found = inspect_source("mine.ipynb", body)
    assert (found.kind, found.class_name, found.header["dataset"]) == ("notebook", "Mine", "equities-1d")
    assert [warning.split(" was")[0] for warning in found.warnings] == [
        "cell 1, line 7: %matplotlib",
        "cell 4, line 2: %time",
    ]


@pytest.mark.parametrize(
    ("cells", "code", "cell", "line"),
    [
        ((STRATEGY, "x = 1\n!pip install this"), "UNSUPPORTED", 2, 2),
        ((STRATEGY, "\n%%bash\nls"), "UNSUPPORTED", 2, 2),
        ((STRATEGY, "x = 1\nx = = 2"), "SYNTAX_ERROR", 2, 2),
        ((STRATEGY, STRATEGY.replace("Mine", "Two")), "TWO_STRATEGIES", 2, 3),
        ((STRATEGY, "x = " + "-" * 10_000 + "1"), "TOO_DEEP", 2, None),
        ((STRATEGY.replace("= 20", "= None"),), "BAD_PARAMETER", 1, 4),
        (((STRATEGY, {"tags": ["skip"]}),), "BAD_NOTEBOOK", None, None),
    ],
)
def test_a_bad_notebook_is_refused_with_cell_and_line(
    cells: tuple[str, ...], code: str, cell: int | None, line: int | None
) -> None:
    error = refused(notebook(*cells), "mine.ipynb")
    assert (error.code, error.cell, error.line) == (code, cell, line)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"cells": [1]}',
        b'{"worksheets": []}',
        b'{"cells": [{"cell_type": "code", "source": 1}]}',
        b'{"cells": [{"cell_type": "code", "source": "x"}], "metadata": {"language_info": {"name": "R"}}}',
        b"1" * 5000,
    ],
)
def test_what_is_no_python_notebook_is_refused(body: bytes) -> None:
    assert refused(body, "x.ipynb").code == "BAD_NOTEBOOK"


def test_a_notebook_of_ten_thousand_nested_lists_is_refused() -> None:
    assert refused(b"[" * 100_000, "x.ipynb").code == "TOO_DEEP"


def test_a_zip_may_carry_one_entry_point_and_side_files() -> None:
    found = inspect_source("s.zip", archive(strategy_py=STRATEGY, lib__side_py="X = 1", other_py="Y = 2"))
    assert (found.kind, found.class_name) == ("zip", "Mine")


@pytest.mark.parametrize(
    "body",
    [
        b"PK\x03\x04 no zip",
        archive(a_py=STRATEGY, b_py=STRATEGY),
        archive(data="x"),
        archive(**{"..__strategy_py": STRATEGY}),
        archive(**{"__strategy_py": STRATEGY}),
    ],
)
def test_a_zip_that_is_not_plain_is_refused(body: bytes) -> None:
    assert refused(body, "s.zip").code == "BAD_ARCHIVE"


def test_a_zip_bomb_is_refused_before_it_unpacks() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("strategy.py", "#" * 100_000_000)
    assert refused(body.getvalue(), "s.zip").code == "TOO_LARGE"


def test_the_submission_package_needs_neither_numpy_nor_site_packages() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import tapedeck.submission; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-I", "-S", "-c", code, ROOT / "container_runner"], check=True, timeout=60)


def test_the_librarys_fields_are_the_contracts() -> None:
    assert FIELDS == contract.FIELDS


def test_a_notebooks_code_is_listed_by_cell_and_a_hostile_one_is_not_read_here() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["text"]},
        {"cell_type": "code", "metadata": {}, "source": ["x = 1\n", "y = 2"]},
        {"cell_type": "code", "metadata": {}, "source": "z = 3"},
    ]
    assert list_source("a.ipynb", json.dumps({"cells": cells}).encode()) == [(1, "x = 1\ny = 2"), (2, "z = 3")]
    assert list_source("a.py", b"x = 1\n") == [(None, "x = 1\n")]
    with pytest.raises(SubmissionError):
        list_source("a.ipynb", b"[" * 100_000)
