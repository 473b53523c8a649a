"""Settings of accounts: nothing starts with a missing, short or sample secret."""

from __future__ import annotations

import json
import secrets

import pytest

from braingranary.errors import Code, ConfigurationError
from braingranary.settings import load_accounts_settings, load_limits_settings


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {
        "DSN": "postgresql://door:hidden@127.0.0.1/granary",
        "KEYS": json.dumps({"k1": secrets.token_urlsafe(32)}),
        "CURRENT_KID": "k1",
        "HASH_KEY": secrets.token_urlsafe(32),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"GRANARY_ACCOUNTS_{name}", value)
    return values


def test_settings_with_generated_keys_are_taken_and_never_shown(good: dict[str, str]) -> None:
    settings = load_accounts_settings()
    assert settings.sign_up == "open"
    shown = repr(settings)
    assert "hidden" not in shown
    assert json.loads(good["KEYS"])["k1"] not in shown
    assert good["HASH_KEY"] not in shown


@pytest.mark.parametrize("name", ["DSN", "KEYS", "CURRENT_KID", "HASH_KEY"])
def test_settings_without_one_of_them_are_refused_by_name(
    good: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(f"GRANARY_ACCOUNTS_{name}")
    with pytest.raises(ConfigurationError) as caught:
        load_accounts_settings()
    assert caught.value.code is Code.CONFIGURATION_INVALID
    assert name.lower() in caught.value.message


@pytest.mark.parametrize(
    "key",
    [
        "", "short", secrets.token_urlsafe(31), "a" * 43, "change-me-change-me-change-me-change-me-change-me",
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-sample-KLMNOPQR", "not base64 " + secrets.token_urlsafe(32),
    ],
    ids=["empty", "short", "a byte too few", "one letter", "change me", "sample", "not base64"],
)  # fmt: skip
def test_settings_with_a_weak_key_are_refused_without_repeating_it(
    good: dict[str, str], monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    for name, value in (("KEYS", json.dumps({"k1": key})), ("HASH_KEY", key)):
        monkeypatch.setenv(f"GRANARY_ACCOUNTS_{name}", value)
        with pytest.raises(ConfigurationError) as caught:
            load_accounts_settings()
        assert not key or key not in caught.value.message
        monkeypatch.setenv(f"GRANARY_ACCOUNTS_{name}", good[name])


@pytest.mark.parametrize("kid", ["k2", "../k1", ""])
def test_settings_with_an_unknown_current_key_are_refused(
    good: dict[str, str], monkeypatch: pytest.MonkeyPatch, kid: str
) -> None:
    monkeypatch.setenv("GRANARY_ACCOUNTS_CURRENT_KID", kid)
    with pytest.raises(ConfigurationError):
        load_accounts_settings()


def test_limits_without_a_store_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        load_limits_settings()
