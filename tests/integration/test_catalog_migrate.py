"""Migrations: what stands afterwards, twice, and two at once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from braingranary.catalog import sql
from braingranary.catalog.schema.migrate import dbmate_url, migrate
from braingranary.errors import Code, ConfigurationError, TransientFailure

pytestmark = pytest.mark.stack

TABLES = {
    "collection", "subject", "study", "series", "pack", "slice", "label", "reject", "ingest_run",
    "named_query", "model", "series_prediction", "slice_prediction", "score_run", "schema_migrations",
    "terms", "restricted_collection", "catalogue_state",
}  # fmt: skip


def test_migrate_on_an_empty_database_makes_every_table(postgres_dsn: str) -> None:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {row[0] for row in rows} == TABLES


def test_migrate_twice_changes_nothing(postgres_dsn: str) -> None:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn) as connection:
        before = connection.execute("SELECT version, xmin::text FROM schema_migrations ORDER BY 1").fetchall()
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn) as connection:
        after = connection.execute("SELECT version, xmin::text FROM schema_migrations ORDER BY 1").fetchall()
    assert before == after
    assert len(before) >= 1


def test_migrate_four_at_once_all_succeed(postgres_dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [postgres_dsn] * 4))
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM named_query").fetchone() == (6,)


def test_migrate_with_every_column_told_leaves_none_without_a_comment(postgres_dsn: str) -> None:
    migrate(postgres_dsn)
    with psycopg.connect(postgres_dsn) as connection:
        untold = connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'schema_migrations'"
            " AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL"
        ).fetchall()
    assert untold == []


def test_migrate_without_a_server_raises_transient_failure() -> None:
    with pytest.raises(TransientFailure) as caught:
        migrate("postgresql://nobody:nothing@127.0.0.1:1/none?connect_timeout=2")
    assert caught.value.code is Code.CATALOG_UNAVAILABLE


def test_migrate_without_the_right_to_create_tells_so_without_the_password(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA closed")
        connection.execute("CREATE TABLE schema_migrations (version integer, other text)")
    with pytest.raises(ConfigurationError) as caught:
        migrate(postgres_dsn)
    assert "granary-test" not in str(caught.value)


def test_dbmate_url_with_awkward_characters_keeps_them_apart() -> None:
    url = dbmate_url("host=db.example port=6432 user='a@b' password='p/w:%' dbname=gran", tls=True)
    assert url == "postgres://a%40b:p%2Fw%3A%25@db.example:6432/gran?"
    assert dbmate_url("postgresql://u@h/d", tls=False).endswith("sslmode=disable")


def test_migrate_makes_views_anew_only_where_a_file_of_them_has_changed(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view() -> tuple[object, ...] | None:
        with psycopg.connect(postgres_dsn) as connection:
            return connection.execute(
                "SELECT to_regclass('series_snapshot')::oid, pg_get_viewdef('pack_labels')"
            ).fetchone()

    migrate(postgres_dsn)
    first = view()
    migrate(postgres_dsn)
    assert view() == first
    changed = tmp_path / "sql"
    shutil.copytree(sql.sql_folder(), changed)
    labels = changed / "views" / "10_pack_labels.sql"
    labels.write_text(
        labels.read_text().replace("SELECT\n    p.pack_id,", "SELECT\n    p.pack_id,\n    p.series_id,", 1)
    )
    monkeypatch.setenv("GRANARY_SQL_FOLDER", str(changed))
    for kept in (sql.sql_folder, sql.statement, sql.names):
        kept.cache_clear()
    try:
        migrate(postgres_dsn)
    finally:
        monkeypatch.undo()
        for kept in (sql.sql_folder, sql.statement, sql.names):
            kept.cache_clear()
    last = view()
    assert last is not None
    assert first is not None
    assert last[0] != first[0]
    assert "p.series_id" in str(last[1])
