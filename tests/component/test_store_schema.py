"""The migrations add up to the schema, can be applied again, and can be taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yoyo

from backtest import store
from backtest.cloud import clients
from backtest.store.connection import Secret
from backtest.store.migrate import MIGRATIONS, _address, migrate
from functions import migrate as migrate_function
from tests.component.conftest import create_database
from tests.component.handlers import CONTEXT

CATALOGUE = {
    "columns": """SELECT table_name, column_name, ordinal_position, data_type, udt_name, is_nullable, column_default,
                  is_identity, identity_generation FROM information_schema.columns
                  WHERE table_schema = 'public' ORDER BY table_name, ordinal_position""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
                      WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "enums": """SELECT typname, enumlabel, enumsortorder FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
                ORDER BY 1, 3""",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
}

APPLIED = ["0001.jobs", "0002.snapshots", "0003.usage", "0004.snapshot_history"]


def catalogue(secret: Secret) -> dict[str, list[tuple[Any, ...]]]:
    """All that a database says of our tables; the migration library's own are left out."""
    arguments = {"user" if k == "username" else k: v for k, v in secret.items()}
    c = psycopg2.connect(**arguments)
    try:
        found = {}
        for name, query in CATALOGUE.items():
            cursor = c.cursor()
            cursor.execute(query)
            found[name] = [row for row in cursor.fetchall() if "yoyo" not in str(row[0])]
        return found
    finally:
        c.close()


def test_the_migrations_add_up_to_the_schema(postgres: Secret) -> None:
    migrated = create_database(postgres, "by_migrations")
    whole = create_database(postgres, "by_schema")
    migrate(migrated)
    arguments = {"user" if k == "username" else k: v for k, v in whole.items()}
    c = psycopg2.connect(**arguments)
    with c:
        c.cursor().execute((Path(store.__file__).parent / "schema.sql").read_text())
    c.close()
    assert catalogue(migrated) == catalogue(whole)
    tables = {"backtest_jobs", "backtest_job_events", "snapshots", "snapshot_publications"}
    assert {row[0] for row in catalogue(whole)["columns"]} == tables


def test_migrating_twice_changes_nothing(postgres: Secret) -> None:
    secret = create_database(postgres, "twice")
    assert migrate(secret) == APPLIED
    assert migrate(secret) == []


def test_every_migration_can_be_taken_back(postgres: Secret) -> None:
    secret = create_database(postgres, "back")
    migrate(secret)
    backend = yoyo.get_backend(_address(secret))
    backend.rollback_migrations(backend.to_rollback(yoyo.read_migrations(str(MIGRATIONS))))
    backend.connection.close()
    assert catalogue(secret)["columns"] == []
    assert catalogue(secret)["enums"] == []


def test_the_migrate_handler_reads_the_secret_and_migrates(
    postgres: Secret, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = create_database(postgres, "by_handler")
    client = clients.secrets_manager()
    arn = client.create_secret(Name="empty", SecretString=json.dumps(secret))["ARN"]
    monkeypatch.setenv("DB_SECRET_ARN", arn)
    assert migrate_function.handler({}, CONTEXT)["applied"] == APPLIED
    assert len(catalogue(secret)["columns"]) > 20
