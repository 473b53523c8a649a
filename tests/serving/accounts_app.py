"""An application over an empty catalogue, for tests that are about accounts alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from flask_openapi3.openapi import OpenAPI
from pydantic import SecretStr

from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.settings import AccountsSettings, CatalogSettings, LimitsSettings, ServingSettings, StoreSettings
from serving.app import create_app
from tests.serving.serving_site import WAIT_S, generated_keys


@contextmanager
def accounts_database(server: PostgresServer) -> Iterator[str]:
    """A catalogue's database of its own, empty; gone afterwards."""
    database = Database(name=f"accounts_{secrets.token_hex(6)}", role="granary", password="granary-test")
    server.ensure_database(database)
    yield server.dsn(database)
    server.drop_database(database)


def forget(dsn: str) -> None:
    """Empty the tables of accounts: quicker than another database. Only their owner can take the trail's lock away."""
    with psycopg.connect(dsn) as connection:
        connection.execute("ALTER TABLE account.audit DISABLE TRIGGER audit_is_kept")
        connection.execute("TRUNCATE account.account, account.invitation, account.audit CASCADE")
        connection.execute("ALTER TABLE account.audit ENABLE TRIGGER audit_is_kept")


@contextmanager
def accounts_app(
    dsn: str, *, limits: dict[str, str] | None = None, serving: ServingSettings | None = None, **accounts: Any
) -> Iterator[OpenAPI]:
    """The application with settings of its own for limits (by default none) and accounts; closed afterwards."""
    migrate(dsn)
    bounds = {"store": "memory://", "general": "", "login": "", "login_email": "", **(limits or {})}
    app = create_app(
        catalog=CatalogSettings(dsn=SecretStr(dsn)),
        # Nothing listens there, and no route of accounts asks it.
        store=StoreSettings(endpoint_url="http://127.0.0.1:9", access_key="none", secret_key=SecretStr("none")),
        serving=serving or ServingSettings(pool_max=4, pool_timeout_s=WAIT_S, detect_processes=0),
        accounts=AccountsSettings.model_validate(
            {"dsn": dsn, "pool_timeout_s": WAIT_S, **generated_keys(), **accounts}
        ),
        limits=LimitsSettings.model_validate(bounds),
    )
    try:
        yield app
    finally:
        app.extensions["granary"].close()
