"""What the sidecar does with the files of `odd_files.py`, and what a careless collector would have done."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from sidecar.exchange import Exchange, IrregularError
from tests.sandbox.hostile.run import STRATEGIES


class Bars:
    close = 0.0
    width = 1


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `odd_files.py` leaves it; its links lead to a file of ours."""
    secret, folder = tmp_path / "secret", tmp_path / "out"
    secret.write_text("a secret of the sidecar")
    folder.mkdir()
    (tmp_path / "in").mkdir()
    monkeypatch.syspath_prepend(STRATEGIES)
    source = (STRATEGIES / "odd_files.py").read_text()
    source = source.replace("/exchange/out", str(folder)).replace("/etc/passwd", str(secret))
    namespace: dict[str, object] = {"__name__": "odd_files"}
    exec(compile(source, "odd_files.py", "exec"), namespace)
    namespace["OddFiles"]().weights(Bars)  # type: ignore[operator]
    sys.modules.pop("report", None)
    return folder


def test_every_odd_log_is_refused(out: Path) -> None:
    exchange = Exchange(out.parent / "in", out)
    taken = []
    names = [name for _, _, name in exchange.log_segments()]
    assert len(names) == 10
    for name in names:
        try:
            taken.append((name, exchange.take(name, 64 * 1024)))
        except IrregularError:
            continue
    # As root a file without any permission opens: it is plain and small, and its own.
    assert [name for name, _ in taken] in ([], ["log-stdout-900022.bin"])


def test_a_careless_collector_copies_the_secret(out: Path, tmp_path: Path) -> None:
    """The control."""
    copies = tmp_path / "copies"
    copies.mkdir()
    for path in out.glob("log-stdout-90000*.bin"):
        if path.is_file():
            shutil.copy(path, copies)
    assert "a secret of the sidecar" in [path.read_text(errors="replace") for path in copies.iterdir()]
