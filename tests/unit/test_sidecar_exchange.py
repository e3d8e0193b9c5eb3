import os
import subprocess
import sys
from pathlib import Path

import pytest

import contract
from sidecar.exchange import MAX_ENTRIES, Exchange, IrregularError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def exchange(out: Path) -> Exchange:
    return Exchange(out.parent / "in", out)


def test_a_regular_file_is_read_whole(exchange: Exchange, out: Path) -> None:
    (out / "decisions-000000.bin").write_bytes(b"x" * 4096)
    assert exchange.take("decisions-000000.bin", 4096) == b"x" * 4096


def test_a_name_that_is_not_there_is_none(exchange: Exchange) -> None:
    assert exchange.take("decisions-000000.bin", 10) is None


def test_a_symbolic_link_is_not_followed(exchange: Exchange, out: Path) -> None:
    (out / "x").symlink_to("/etc/passwd")
    with pytest.raises(IrregularError):
        exchange.take("x", 1 << 20)


def test_a_hard_link_is_refused(exchange: Exchange, out: Path) -> None:
    (out / "original").write_bytes(b"secret")
    (out / "x").hardlink_to(out / "original")
    with pytest.raises(IrregularError, match="one link"):
        exchange.take("x", 100)


def test_a_fifo_neither_blocks_nor_counts(exchange: Exchange, out: Path) -> None:
    os.mkfifo(out / "x")
    with pytest.raises(IrregularError, match="regular"):
        exchange.take("x", 100)


def test_a_folder_is_refused(exchange: Exchange, out: Path) -> None:
    (out / "x").mkdir()
    with pytest.raises(IrregularError, match="regular"):
        exchange.take("x", 100)


def test_a_sparse_terabyte_is_refused_by_its_size_without_reading(exchange: Exchange, out: Path) -> None:
    with (out / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(IrregularError, match="at most 8"):
        exchange.take("x", 8)


def test_a_file_that_grows_while_it_is_read_is_refused(
    exchange: Exchange, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (out / "x").write_bytes(b"12345678")
    real = os.fstat

    def grow(fd: int) -> os.stat_result:
        found = real(fd)
        with (out / "x").open("ab") as file:
            file.write(b"9")
        return found

    monkeypatch.setattr(os, "fstat", grow)
    with pytest.raises(IrregularError, match="grew"):
        exchange.take("x", 8)


def test_only_full_matches_count_as_log_segments_and_they_come_in_order(exchange: Exchange, out: Path) -> None:
    for name in (
        "log-stdout-000002.bin",
        "log-stdout-000001.bin",
        "log-stderr-000000.bin",
        "log-stdout-000003.bin\n",
        "log-stdout-0000004.bin",
        "log-stdout-\u0660\u0660\u0660\u0660\u0660\u0665.bin",
        "log-other-000000.bin",
        "x-log-stdout-000000.bin",
    ):
        (out / name).write_bytes(b"")
    os.close(os.open(os.fsencode(out) + b"/log-\xff.bin", os.O_CREAT))
    names = [name for _, _, name in exchange.log_segments()]
    assert names == ["log-stderr-000000.bin", "log-stdout-000001.bin", "log-stdout-000002.bin"]


def test_a_listing_takes_in_a_bounded_number_of_names(exchange: Exchange, out: Path) -> None:
    script = f"for i in range({MAX_ENTRIES + 100}): open(f'log-stdout-{{i:06}}.bin', 'w').close()"
    subprocess.run([sys.executable, "-c", script], cwd=out, check=True, timeout=60)
    assert len(exchange.log_segments()) == MAX_ENTRIES


def test_an_exit_status_needs_the_magic_and_the_exact_size(exchange: Exchange, out: Path) -> None:
    assert exchange.exit_status() is None
    (out / "exit.bin").write_bytes(b"TIXE\0\0\0\0")
    assert exchange.exit_status() is None
    (out / "exit.bin").write_bytes(contract.EXIT.pack(contract.EXIT_MAGIC, 9, 0, 0) + b"!")
    assert exchange.exit_status() is None
    (out / "exit.bin").write_bytes(contract.EXIT.pack(contract.EXIT_MAGIC, 9, 4096, 7))
    assert exchange.exit_status() == 9
    assert exchange.exit() == (9, 4096, 7)


def test_what_is_published_appears_complete_and_can_be_withdrawn(exchange: Exchange, out: Path) -> None:
    exchange.publish("source/strategy.py", [b"a", memoryview(b"bc")])
    assert (out.parent / "in/source/strategy.py").read_bytes() == b"abc"
    assert [p.name for p in (out.parent / "in/source").iterdir()] == ["strategy.py"]
    exchange.withdraw("source/strategy.py")
    exchange.withdraw("source/strategy.py")
    assert list((out.parent / "in/source").iterdir()) == []
