"""One connection a process, opened at first use and again when the server has closed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection
from psycopg2.extras import RealDictCursor

from backtest.errors import PlatformError

Secret = Mapping[str, str | int]  # host, port, dbname, username, password
CONNECT_SECONDS = 5
STATEMENT_MS = 20_000


class Database:
    """Transactions on one connection; `secret` is asked at each connect, so that a rotated password is had."""

    def __init__(self, secret: Callable[[], Secret]) -> None:
        self._secret = secret
        self._connection: connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[connection]:
        """Yield a connection inside a transaction: committed at the end, rolled back on an exception.

        Raises `PlatformError` when the database cannot be reached, goes away or takes too long.
        """
        alive = self._alive()
        try:
            with alive:
                yield alive
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as e:
            raise PlatformError(f"the database did not do as asked: {e}") from e

    def close(self) -> None:
        """Close the connection; the next transaction opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _alive(self) -> connection:
        if self._connection is not None and _answers(self._connection):
            return self._connection
        self.close()
        secret = self._secret()
        try:
            self._connection = psycopg2.connect(
                host=secret["host"],
                port=secret["port"],
                dbname=secret["dbname"],
                user=secret["username"],
                password=secret["password"],
                connect_timeout=CONNECT_SECONDS,
                options=f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC",
                cursor_factory=RealDictCursor,
            )
        except psycopg2.OperationalError as e:
            raise PlatformError(f"the database cannot be reached: {e}") from e
        return self._connection


def _answers(open_connection: connection) -> bool:
    """Tell whether the server is still there; a frozen function does not notice that it was hung up on."""
    if open_connection.closed:
        return False
    try:
        with open_connection, open_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        return False
    return True
