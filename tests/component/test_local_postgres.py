import os
from pathlib import Path

import psycopg2
import pytest

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
