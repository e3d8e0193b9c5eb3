"""A real PostgreSQL, and moto in this process for S3, SQS, STS and Secrets Manager."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

from backtest.cloud import clients
from backtest.store import Store, store_of
from backtest.store.connection import Database, Secret
from backtest.store.migrate import migrate
from functions import ingest
from infra.local.ports import HOST, Ports
from infra.local.postgres import Postgres
from tapedeck.market.store import S3Store
from tests.component.deployment import Deployment, deploy
from tests.component.fake_cluster import NAMESPACE, FakeCluster
from tests.component.vendor_drops import Bench

REGION = "us-east-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a moto that other processes can reach."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secret]:
    """The address of a server of this session's own."""
    folder, port = tmp_path_factory.mktemp("postgres"), Ports.any().claim().postgres
    server = Postgres(folder / "server", HOST, port, folder / "log")
    server.create("postgres", "secret", "postgres")
    try:
        server.start()
        yield {"host": HOST, "port": port, "dbname": "postgres", "username": "postgres", "password": "secret"}
    finally:
        server.stop()


def create_database(postgres: Secret, name: str) -> Secret:
    """Make an empty database and return its address."""
    c = psycopg2.connect(**_arguments(postgres))
    c.autocommit = True
    c.cursor().execute(f"DROP DATABASE IF EXISTS {name}")
    c.cursor().execute(f"CREATE DATABASE {name}")
    c.close()
    return {**postgres, "dbname": name}


def _arguments(secret: Secret) -> dict[str, object]:
    return {"user" if k == "username" else k: v for k, v in secret.items()}


@pytest.fixture(scope="session")
def migrated(postgres: Secret) -> Secret:
    """A database with the schema as migrations make it."""
    secret = create_database(postgres, "tapedeck")
    migrate(secret)
    return secret


@pytest.fixture
def database(migrated: Secret) -> Iterator[Database]:
    """The migrated database, its tables emptied."""
    database = Database(lambda: migrated)
    with database.transaction() as c:
        c.cursor().execute("TRUNCATE backtest_jobs, backtest_job_events, snapshots, snapshot_publications")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    """The tables, empty."""
    return store_of(database)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account in this process."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.fixture(scope="module", autouse=True)
def _own_clients() -> Iterator[None]:
    """Clients are kept for a process's life, and cost 40 ms each: a module shares them, and leaves none to the next."""
    forget_clients()
    yield
    forget_clients()


def forget_clients() -> None:
    """Forget the clients that this process holds."""
    for client in (clients.s3, clients.sqs, clients.sts, clients.secrets_manager):
        client.cache_clear()


@pytest.fixture
def deployment(aws: None, store: Store, migrated: Secret, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Everything that a handler finds in its environment."""
    made = deploy(store, migrated)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    forget_handlers()
    yield made
    forget_handlers()


def forget_handlers() -> None:
    """Handlers keep their settings and connections for a process's life; a test's deployment lives shorter."""
    for name, module in list(sys.modules.items()):
        if name.startswith("functions."):
            for kept in vars(module).values():
                if hasattr(kept, "cache_clear") and getattr(kept, "__module__", "") == name:
                    kept.cache_clear()


@pytest.fixture
def cluster(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    """A cluster beside the deployment, and how to reach it in the environment."""
    fake = FakeCluster(tmp_path)
    environment = {
        "CLUSTER_NAME": "tapedeck",
        "CLUSTER_ENDPOINT": fake.endpoint,
        "CLUSTER_CA": fake.ca,
        "CLUSTER_NAMESPACE": NAMESPACE,
        "CREDENTIALS_URL": "https://internal/live/credentials",
        "RUNNER_ROLE_ARN": "arn:aws:iam::123456789012:role/runner",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield fake
    fake.close()


@pytest.fixture
def bench(aws: None, store: Store, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Where data owners drop files: empty buckets and tables, and the function that ingests."""
    for bucket in ("vendor", "market"):
        clients.s3().create_bucket(Bucket=bucket)
        clients.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        monkeypatch.setenv(f"{bucket.upper()}_BUCKET", bucket)
    monkeypatch.setenv("DB_SECRET_ARN", "arn:secret")
    monkeypatch.setenv("VENDOR_QUEUE_URL", clients.sqs().create_queue(QueueName="vendor_files")["QueueUrl"])
    monkeypatch.setattr(ingest, "open_store", lambda arn: store)
    return Bench("vendor", S3Store(clients.s3(), "market"), store)
