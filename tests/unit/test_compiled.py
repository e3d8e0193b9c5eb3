"""The compiled parts are those of these sources, or nobody is left to wonder why a run takes so long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapedeck import compiled


def test_what_was_built_is_used_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    compiled.library.cache_clear()
    assert compiled.library() is not None
    assert not caplog.records


@pytest.mark.parametrize("built", ["nothing", "another version"])
def test_without_it_the_log_says_once_what_that_costs_and_what_to_do(
    built: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if built == "nothing":
        monkeypatch.setattr(compiled, "_FOLDER", tmp_path)
    else:
        monkeypatch.setattr(compiled, "ABI", compiled.ABI + 1)
    compiled.library.cache_clear()
    try:
        assert compiled.library() is None
        assert compiled.library() is None
        assert [record.message for record in caplog.records] == [compiled.MISSING]
    finally:
        compiled.library.cache_clear()
