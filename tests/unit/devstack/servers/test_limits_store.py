"""The store of the request limits: a real server, closed to whoever lacks its password, and the door's own secrets."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import pytest
import valkey

from braingranary.devstack import front_accounts, processes, services
from braingranary.devstack.servers.limits_store import LimitsStore
from braingranary.devstack.state import State
from braingranary.settings import load_accounts_settings, load_limits_settings


@pytest.mark.stack
def test_limits_store_answers_with_its_password_alone_and_shows_it_nowhere(tmp_path: Path) -> None:
    password = secrets.token_urlsafe(12)
    store = LimitsStore(state=tmp_path, port=processes.free_ports(1)[0], password=password, logs=tmp_path, bound=True)
    assert not store.healthy()
    record = services.start(store)
    try:
        with valkey.Valkey.from_url(store.url) as client:
            assert client.incr("counter") == 1
        with (
            valkey.Valkey.from_url(store.url.replace(password, "guess")) as stranger,
            pytest.raises(valkey.AuthenticationError),
        ):
            stranger.ping()
        assert password not in " ".join(store.command().argv)
        configuration = tmp_path / "limits" / "valkey.conf"
        assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    finally:
        processes.stop(record)
    assert not store.healthy()


def test_front_accounts_are_settings_that_stay_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        front_accounts.environment(State(tmp_path / name), dsn="postgresql://x", limits_url="valkey://127.0.0.1:9/0")
        for name in ("one", "one", "other")
    ]
    assert made[0] == made[1]
    for name in ("GRANARY_ACCOUNTS_KEYS", "GRANARY_ACCOUNTS_HASH_KEY"):
        assert made[0][name] != made[2][name]
    for name, value in made[0].items():
        monkeypatch.setenv(name, value)
    assert load_accounts_settings().current_kid in load_accounts_settings().keys
    assert load_limits_settings().store.get_secret_value() == "valkey://127.0.0.1:9/0"
