"""The front door's two logins in the embedded stack: each sees its own half and neither changes the catalogue."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack import roles
from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.state import State

pytestmark = pytest.mark.stack


def test_logins_have_their_half_and_no_more(postgres_server: PostgresServer, postgres_dsn: str, tmp_path: Path) -> None:
    migrate(postgres_dsn)
    database = str(psycopg.conninfo.conninfo_to_dict(postgres_dsn)["dbname"])
    logins = roles.front_logins(State(tmp_path), database)
    for _ in range(2):
        roles.ensure(postgres_server, logins)
    with psycopg.connect(postgres_server.dsn(logins.reader), autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM series").fetchone() == (0,)
        for forbidden in ("DELETE FROM series", "SELECT 1 FROM account.account", "CREATE TABLE mine (x integer)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden)
    with psycopg.connect(postgres_server.dsn(logins.accounts), autocommit=True) as accounts:
        assert accounts.execute("SELECT count(*) FROM account.account").fetchone() == (0,)
        for forbidden in (
            "SELECT 1 FROM public.series",
            "DROP TABLE account.account",
            "CREATE TABLE account.mine (x integer)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                accounts.execute(forbidden)
