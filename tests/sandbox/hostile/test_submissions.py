"""Hostile submissions: refused by name before anything of them is unpacked, compiled in our process, or run."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from tapedeck.submission import SubmissionError, inspect_source
from tests.sandbox.hostile.run import STRATEGIES

STRATEGY = (STRATEGIES / "honest.py").read_text()


def archive(*entries: tuple[str | zipfile.ZipInfo, str | bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as out:
        for entry, content in (("strategy.py", STRATEGY), *entries):
            out.writestr(entry, content)
    return body.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def lying(body: bytes, size: int) -> bytes:
    """Return the archive with another unpacked size in the directory of its last entry than it has."""
    at = body.rindex(b"PK\x01\x02")
    return body[: at + 24] + struct.pack("<I", size) + body[at + 28 :]


BOMB = archive(("data.bin", bytes(64 << 20)))
ZIPS = {
    "a bomb": (BOMB, "TOO_LARGE"),
    "a bomb that says it is small": (lying(BOMB, 10), "BAD_ARCHIVE"),
    "a bomb of many files": (archive(*((f"{i}.txt", "x") for i in range(300))), "BAD_ARCHIVE"),
    "a bomb of bombs": (archive(*((f"{i}.bin", bytes(1 << 20)) for i in range(20))), "TOO_LARGE"),
    "a way up": (archive(("../../escaped.py", "x")), "BAD_ARCHIVE"),
    "a way up in the middle": (archive(("a/../../escaped.py", "x")), "BAD_ARCHIVE"),
    "an absolute path": (archive(("/tmp/escaped.py", "x")), "BAD_ARCHIVE"),
    "a Windows path": (archive(("..\\escaped.py", "x")), "BAD_ARCHIVE"),
    "a drive": (archive(("C:escaped.py", "x")), "BAD_ARCHIVE"),
    "a link": (archive((special("link.py", stat.S_IFLNK | 0o777), "/etc/passwd")), "BAD_ARCHIVE"),
    "a device": (archive((special("device", stat.S_IFCHR | 0o666), "")), "BAD_ARCHIVE"),
    "a name of 300 characters": (archive(("a" * 300, "x")), "BAD_ARCHIVE"),
    "half an archive": (archive()[:-40], "BAD_ARCHIVE"),
    "no archive": (b"PK\x03\x04" + b"\xff" * 1000, "BAD_ARCHIVE"),
}


@pytest.mark.parametrize("name", list(ZIPS))
def test_a_hostile_archive_is_refused(name: str) -> None:
    body, code = ZIPS[name]
    with pytest.raises(SubmissionError) as refused:
        inspect_source("s.zip", body)
    assert refused.value.code == code


def test_a_careless_reader_unpacks_the_bomb_and_writes_outside(tmp_path: Path) -> None:
    """The control."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    for name in ("a way up", "a bomb"):
        with zipfile.ZipFile(io.BytesIO(ZIPS[name][0])) as opened:
            for info in opened.infolist():
                (folder / info.filename).write_bytes(opened.read(info))
    assert (tmp_path / "escaped.py").exists()
    assert (folder / "data.bin").stat().st_size == 64 << 20
    assert len(BOMB) < 100_000


def notebook(*cells: str) -> bytes:
    made = [{"cell_type": "code", "metadata": {}, "source": cell, "outputs": []} for cell in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


@pytest.mark.parametrize(
    "cell",
    [
        "!curl http://169.254.169.254/",
        "  !id",
        "x = 1\n!!id",
        "%%bash\nid",
        "%%script sh\nid",
        "%%writefile /tmp/x\nx",
        "%%python\nimport os",
    ],
)
def test_a_shell_escape_or_cell_magic_is_refused_with_its_cell(cell: str) -> None:
    with pytest.raises(SubmissionError) as refused:
        inspect_source("n.ipynb", notebook(STRATEGY, cell))
    assert (refused.value.code, refused.value.cell) == ("UNSUPPORTED", 2)


@pytest.mark.parametrize("cell", ["files = !ls", "x = %sx id", "?open", "open??"])
def test_what_only_ipython_understands_is_no_python(cell: str) -> None:
    with pytest.raises(SubmissionError) as refused:
        inspect_source("n.ipynb", notebook(STRATEGY, cell))
    assert (refused.value.code, refused.value.cell) == ("SYNTAX_ERROR", 2)


def test_a_line_magic_is_dropped_with_a_warning_and_never_run() -> None:
    magics = ["%run /etc/passwd", "%sx id", "%system id", "%load_ext evil", "%cd /", "%env A=b"]
    found = inspect_source("n.ipynb", notebook(STRATEGY, *magics))
    assert found.warnings == [
        f"cell {cell}, line 1: {magic.split()[0]} was dropped: it is IPython's, not Python's"
        for cell, magic in enumerate(magics, 2)
    ]


def test_a_submission_is_not_run_when_it_is_looked_at(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    source = f"__import__('os').system('touch {mark}')\n{STRATEGY}"
    assert inspect_source("s.py", source.encode()).class_name == "Honest"
    assert not mark.exists()
    exec(compile(source.split(STRATEGY, maxsplit=1)[0], "s.py", "exec"), {})  # the control
    assert mark.exists()
